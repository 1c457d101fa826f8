"""From genuine clips to a texture model: animated twins, weights that hide softness, a run that ships."""

import json
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
import torch

from detector.errors import SettingsError
from detector.faces.texture import FEATURES
from detector.measurement.results import Results
from detector.synthesis.clips import FaceClip
from detector.training.data.readings import Reading
from detector.training.kinds import kind_of
from detector.training.texture.recipe import (
    TextureConfig,
    energy_weights,
    fit_run,
    fit_texture,
    load_texture_config,
    measure_readings,
)
from tests.synthesis.faces import face_image

SHIPPED = Path(__file__).parents[3] / "assets" / "configs" / "texture-stills.yaml"


def reading(name: str, seed: int) -> Reading:
    """A head that nods and opens its mouth a little before a noisy camera."""
    face, rng = face_image(), np.random.default_rng(seed)
    images, meshes = [], []
    for step in range(14):
        matrix = cv2.getRotationMatrix2D((128, 128), 5 * np.sin(step / 2 + seed), 1 + 0.02 * np.cos(step))
        image = cv2.warpAffine(face.image, matrix, (256, 256), borderMode=cv2.BORDER_REFLECT_101)
        images.append(np.clip(image + rng.normal(0, 8, image.shape), 0, 255).astype(np.uint8))
        lower = (face.landmarks[:, 1] > np.median(face.landmarks[:, 1]))[:, None]
        spoken = face.landmarks + lower * np.float32([0, 4 * np.sin(1.7 * step)])
        meshes.append((spoken @ matrix[:, :2].T + matrix[:, 2]).astype(np.float32))
    clip = FaceClip(np.stack(images), np.stack(meshes), np.arange(14) * 0.2)
    return Reading(clip, file=f"{name}.mp4", number=0, group=name, source="camera", split="train")


@pytest.fixture(scope="module")
def pairs() -> pd.DataFrame:
    config = TextureConfig("t", "T", draws=2, frames=12, pairs=8)
    return measure_readings([reading("one", 1), reading("two", 2)], config, ())


def test_every_clip_gives_itself_as_it_came_as_it_arrives_and_animated(pairs: pd.DataFrame) -> None:
    assert set(pairs["kind"]) == {"as it came", "genuine", "animated", "animated_whole"}
    assert pairs.groupby("kind")["label"].first().to_dict() == {
        "as it came": 0, "genuine": 0, "animated": 1, "animated_whole": 1,
    }  # fmt: skip
    assert np.isfinite(pairs[list(FEATURES)].to_numpy()).all()
    assert pairs["lag_s"].between(0.3, 3.5).all()
    whole, real = (pairs.loc[pairs["kind"] == kind, "fine_alike_typical"] for kind in ("animated_whole", "genuine"))
    assert whole.mean() > real.mean()


def test_equal_arguments_give_equal_pairs(pairs: pd.DataFrame) -> None:
    config = TextureConfig("t", "T", draws=2, frames=12, pairs=8)
    again = measure_readings([reading("one", 1)], config, ())
    pd.testing.assert_frame_equal(again, pairs[pairs["group"] == "one"].reset_index(drop=True))


def test_weights_spread_energy_alike_over_both_labels() -> None:
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1], 3000)
    table = pd.DataFrame({name: rng.normal(labels * 1.0) for name in FEATURES if name.endswith("_energy")})
    table["label"] = labels
    weights = energy_weights(table, 5)
    for name in table.columns.drop("label"):
        means = [np.average(table.loc[labels == label, name], weights=weights[labels == label]) for label in (0, 1)]
        apart = table.loc[labels == 1, name].mean() - table.loc[labels == 0, name].mean()
        assert abs(means[1] - means[0]) < 0.3 * apart


def test_a_fit_tells_kept_detail_from_new_detail_and_the_run_ships(pairs: pd.DataFrame, tmp_path: Path) -> None:
    config = TextureConfig("texture-test", "Test", balance_bins=1)
    network = fit_run(config, pairs, pairs, tmp_path)
    facts = json.loads((tmp_path / "run.json").read_text())
    assert facts["status"] == "finished"
    measured = Results.read(facts["synthesised"])
    assert measured["all",].value > 0.8
    assert {row.data[-1] for row in measured.under("per_kind").measurements} == {"animated", "animated_whole"}
    leakage = json.loads((tmp_path / "leakage.json").read_text())
    assert {"lag_s", "fine_energy"} <= {row["name"] for row in (*leakage["properties"], *leakage["not_measured"])}
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["kind"] == "texture"
    assert {row["name"] for row in report["groups"]} == {"as it came", "genuine", "animated", "animated_whole"}
    assert report["leakage"]["warnings"] == leakage["warnings"]
    again = fit_texture(config, pairs)
    for key, value in network.state_dict().items():
        assert torch.equal(value, again.state_dict()[key])


def test_the_shipped_config_is_read_and_a_wrong_one_refused(tmp_path: Path) -> None:
    assert load_texture_config(SHIPPED).model_id == "texture-stills"
    assert kind_of(SHIPPED).name == "texture"
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text("kind: texture\nmodel_id: x\ntitle: X\npairs: 0\nbins: 3\n")
    with pytest.raises(SettingsError, match=r"(?s)pairs.*bins|bins.*pairs"):
        load_texture_config(wrong)
