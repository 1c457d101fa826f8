"""Banks and splits: faces are cut as analysis cuts them, people never straddle splits."""

from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
from skimage import data

from detector.errors import SettingsError
from detector.training.data.facebank import TIGHT_CROP, WIDE_CROP, FaceBank, bank_crop, build_bank
from detector.training.data.splits import assign_splits


def _table(groups: int = 300) -> pd.DataFrame:
    rows = [{"group": f"g{i % groups}", "use": "train", "label": "real"} for i in range(2 * groups)]
    return pd.DataFrame([*rows, {"group": "g0", "use": "validation", "label": "fake"}])


def test_groups_are_never_divided_and_shares_are_about_right() -> None:
    table = _table()
    table["split"] = assign_splits(table)
    assert table.groupby("group")["split"].nunique().max() == 1
    share = table["split"].value_counts(normalize=True)
    assert 0.6 < share["train"] < 0.8
    assert 0.12 < share["test"] < 0.28


def test_a_group_with_validation_files_is_never_trained_on() -> None:
    table = _table()
    assert set(assign_splits(table)[table["group"] == "g0"]) == {"val"}


def test_splits_do_not_depend_on_row_order() -> None:
    table = _table()
    shuffled = table.sample(frac=1, random_state=3)
    assert assign_splits(shuffled).sort_index().equals(assign_splits(table))


def test_a_bank_holds_faces_and_lists_what_it_skipped(tmp_path: Path) -> None:
    root = tmp_path / "data"
    root.mkdir()
    cv2.imwrite(str(root / "face.png"), cv2.cvtColor(data.astronaut(), cv2.COLOR_RGB2BGR))
    cv2.imwrite(str(root / "brick.png"), data.brick())
    (root / "broken.png").write_bytes(b"not a picture")
    rows = [
        {"file": f"{name}.png", "label": "real", "kind": "image", "use": "train", "group": name, "source": "test"}
        for name in ("face", "brick", "broken")
    ]
    pd.DataFrame(rows).to_csv(root / "manifest.csv", index=False)
    bank = build_bank(root, tmp_path / "bank")
    assert list(bank.table["file"]) == ["face.png"]
    assert bank.images.shape == (1, 256, 256, 3)
    assert bank.has_mesh.all()
    low, high = bank.landmarks[0].min(0), bank.landmarks[0].max(0)
    np.testing.assert_allclose((low + high) / 2, 128, atol=4)  # the mesh lies in the middle of the crop
    assert (high - low).max() == pytest.approx(256 / 1.9, abs=4)
    skipped = pd.read_csv(tmp_path / "bank" / "skipped.csv").set_index("file")["why"]
    assert "no face" in skipped["brick.png"]
    assert "readable" in skipped["broken.png"]


def test_a_picture_that_is_all_face_keeps_its_resolution() -> None:
    assert bank_crop((10.0, 5.0, 200.0, 215.0), (224, 224, 3)) is TIGHT_CROP
    assert bank_crop((100.0, 100.0, 200.0, 210.0), (480, 640, 3)) is WIDE_CROP


def test_missing_columns_and_missing_banks_are_named(tmp_path: Path) -> None:
    (tmp_path / "manifest.csv").write_text("file,label\na,real\n")
    with pytest.raises(SettingsError, match="group"):
        build_bank(tmp_path, tmp_path / "bank")
    with pytest.raises(SettingsError, match="No face bank"):
        FaceBank.open(tmp_path / "bank")


def test_a_bank_that_is_not_there_is_told_with_what_makes_one(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"No face bank in .* training a frame model") as refusal:
        FaceBank.open(tmp_path)
    assert "--" not in str(refusal.value)
