"""The tables of labelled files, read as one."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from detector.errors import SettingsError
from detector.training.data.manifest import family_of, read_manifest


def _write(folder: Path, rows: list[dict[str, str]]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    pd.DataFrame(rows).to_csv(folder / "manifest.csv", index=False)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    own = {"kind": "video", "use": "train", "source": "a lab", "group": "g", "manipulation": ""}
    _write(
        tmp_path,
        [
            {**own, "file": "a.mp4", "label": "real"},
            {**own, "file": "b.mp4", "label": "fake", "manipulation": "lip-sync wav2lip"},
            {**own, "file": "c.jpg", "label": "fake", "kind": "image", "manipulation": "face swap"},
        ],
    )
    other = {"kind": "video", "use": "calibration", "repo": "owner/name", "group": "h", "generator": "", "family": ""}
    _write(
        tmp_path / "extended",
        [
            {**other, "file": "real/d.mp4", "label": "real", "family": "genuine", "crop_x0": "0", "crop_x1": "320"},
            {**other, "file": "fake/e.mp4", "label": "fake", "family": "whole", "generator": "MoCha (2025)"},
        ],
    )
    return tmp_path


def test_both_tables_become_one(root: Path) -> None:
    table = read_manifest(root, extended=True).set_index("file")
    assert list(table.index) == ["a.mp4", "b.mp4", "c.jpg", "extended/real/d.mp4", "extended/fake/e.mp4"]
    assert list(table["pool"]) == ["", "", "", "extended", "extended"]
    assert list(table["source"]) == ["a lab", "a lab", "a lab", "owner/name", "owner/name"]
    assert list(table["family"]) == ["", "lipsync", "", "", "whole"]
    assert list(table["generator"]) == ["", "lip-sync wav2lip", "", "", "MoCha (2025)"]
    assert list(table["crop_x1"]) == ["", "", "", "320", ""]


def test_the_own_table_alone_unless_asked(root: Path) -> None:
    assert set(read_manifest(root)["pool"]) == {""}


def test_a_folder_with_the_pool_alone(root: Path) -> None:
    (root / "manifest.csv").unlink()
    assert set(read_manifest(root, extended=True)["pool"]) == {"extended"}
    with pytest.raises(SettingsError, match="is missing"):
        read_manifest(root)


def test_a_table_without_a_column_is_refused(root: Path) -> None:
    pd.DataFrame({"file": ["a.mp4"], "label": ["real"]}).to_csv(root / "manifest.csv", index=False)
    with pytest.raises(SettingsError, match="lacks the columns kind, use, group"):
        read_manifest(root)


@pytest.mark.parametrize(
    ("name", "family"),
    [
        ("FF++ Deepfakes", "swap"),
        ("face swap (an actor)", "swap"),
        ("lip-sync retalking", "lipsync"),
        ("AniTalker (SR)", "animation"),
        ("StyleTalk talking head", "animation"),
        ("", ""),
    ],
)
def test_families_by_name(name: str, family: str) -> None:
    assert family_of(name) == family
