"""Classical baselines: each learns what it was made for, on the same crops as the model it stands beside."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from detector.faces import CropSpec
from detector.training.data.facebank import FaceBank
from detector.training.evaluation.baselines import (
    BASELINES,
    compare_baselines,
    cooccurrence_features,
    cut_bank,
    fit_meso4,
    spectrum_features,
)
from tests.synthesis.faces import face_image
from tests.training.banks import small_bank


def crops(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Faces under noise; every second one enlarged from half its size, which leaves high frequencies empty."""
    rng = np.random.default_rng(seed)
    face = cv2.resize(face_image().image, (256, 256))
    made = []
    for number in range(count):
        image = np.clip(face * rng.uniform(0.7, 1.1) + rng.normal(0, 6, face.shape), 0, 255).astype(np.uint8)
        if number % 2:
            image = cv2.resize(cv2.resize(image, (128, 128), interpolation=cv2.INTER_AREA), (256, 256))
        made.append(image)
    return np.stack(made), np.arange(count) % 2 == 1


@pytest.mark.parametrize("name", [name for name in BASELINES if not name.startswith("MesoNet")])
def test_baselines_on_features_tell_enlarged_faces(name: str) -> None:
    score = BASELINES[name](*crops(24, 0))
    images, labels = crops(12, 1)
    logits = score(images)
    assert logits[labels].min() > logits[~labels].max()


def test_the_small_network_learns() -> None:
    """Reddened faces: what four convolutions from scratch can learn of 24 crops in a few seconds."""
    (images, labels), (shown, truth) = crops(24, 0), crops(12, 1)
    for faces, fakes in ((images, labels), (shown, truth)):
        faces[fakes, ..., 1:] = faces[fakes, ..., 1:] // 2
    score = fit_meso4(images, labels, epochs=10)
    logits = score(shown)
    assert np.mean((logits > np.median(logits)) == truth) >= 0.9


def test_features_are_what_they_say() -> None:
    flat = np.full((1, 256, 256, 3), 90, np.uint8)
    stripes = flat.copy()
    stripes[:, :, np.arange(256) % 4 < 2] = 150  # four pixels a period: half of the highest frequency
    assert spectrum_features(stripes).shape == (1, 96)
    difference = spectrum_features(stripes)[0] - spectrum_features(flat)[0]
    assert difference[1:].argmax() + 1 == 48
    rows = cooccurrence_features(flat)
    assert rows.shape == (1, 1250)
    np.testing.assert_allclose((rows**2).sum(), 2, rtol=1e-5)  # one distribution along rows, one along columns
    middle = sum(2 * 5**k for k in range(4))
    np.testing.assert_allclose(rows[0, [middle, 625 + middle]], 1, rtol=1e-5)


def test_baselines_and_models_are_measured_on_the_same_people(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bank = small_bank(tmp_path / "bank", faces=30)
    table = bank.table.assign(split=np.resize(["train", "train", "test", "test", "train"], len(bank.table)))
    clip = table.index >= len(table) - 12
    table.loc[clip, ["kind", "split"]] = ["video", "val"]
    table.loc[clip, "file"] = [f"{number // 2}.mp4" for number in range(12)]
    table.loc[clip, "label"] = ["real"] * 6 + ["fake"] * 6
    asked = FaceBank(bank.images, bank.landmarks, table)
    seen: list[int] = []

    def constant(images: np.ndarray, labels: np.ndarray):
        seen.append(len(labels))
        return lambda shown: shown.mean((1, 2, 3)).astype(float)

    monkeypatch.setattr("detector.training.evaluation.baselines.BASELINES", {"brightness": constant})
    report = compare_baselines([], asked)
    labelled = (table["kind"] == "image") & (table["source"] == "labelled")
    assert seen == [int((labelled & (table["split"] == "train")).sum())]
    pictures, videos = (report["brightness", on] for on in ("pictures", "videos"))
    assert pictures.n_real + pictures.n_fake == int((labelled & (table["split"] == "test")).sum())
    assert (videos.n_real, videos.n_fake) == (3, 3)


def test_a_face_without_a_mesh_is_cut_where_the_bank_put_it(tmp_path: Path) -> None:
    bank = small_bank(tmp_path / "bank", faces=2)
    lost = bank.landmarks.copy()
    lost[0] = np.nan
    cut = cut_bank(FaceBank(bank.images, lost, bank.table), np.array([0]), CropSpec(64, 0.0))
    low, high = round(256 * 0.45 / 1.9), round(256 * 1.45 / 1.9)
    expected = cv2.resize(np.asarray(bank.images[0])[low:high, low:high], (64, 64), interpolation=cv2.INTER_AREA)
    assert np.abs(cut[0].astype(int) - expected).mean() < 4
