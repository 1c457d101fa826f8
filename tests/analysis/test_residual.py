"""A model that reads patches, in the whole pipeline: its places."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from detector.analysis import Analysis, analysis_from_dict, analysis_to_dict, analyze
from detector.analysis.kinds import kind_of
from detector.evidence import examine, ingest
from detector.faces import CropSpec
from detector.faces.types import PLACES
from detector.registry import ResidualModel, expect, load_model
from detector.settings import AnalysisSettings
from tests.pages.seed import write_clip
from tests.registry.shipping import ship


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ResidualModel]:
    folder = tmp_path_factory.mktemp("weights")
    architecture = {"kind": "residual", "widths": [8, 8], "members": 2}
    ship(folder, "patches", "residual", architecture, {}, CropSpec(64, 0.0, "native"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FRAMEWITNESS_WEIGHTS", str(folder))
        yield expect(load_model("patches"), ResidualModel)


@pytest.fixture(scope="module")
def analysis(model: ResidualModel, tmp_path_factory: pytest.TempPathFactory) -> Analysis:
    folder = tmp_path_factory.mktemp("clip")
    evidence = examine(ingest(write_clip(folder / "drift.mp4", seconds=1.0), folder / "store"))
    return analyze(evidence, [model], AnalysisSettings(max_frames=8))


def column(seed: int, count: int = 3) -> np.ndarray:
    return np.random.default_rng(seed).integers(1, 256, (count, len(PLACES) * 64, 64, 3), np.uint8)


def test_every_face_is_scored_at_every_place(analysis: Analysis) -> None:
    (result,) = analysis.models
    assert (result.kind, result.logit is not None) == ("residual", True)
    (track,) = result.tracks
    assert len(track.frames) >= 5
    assert [reading.place for reading in track.places] == list(PLACES)
    assert track.logit == pytest.approx(np.mean([reading.logit for reading in track.places]), abs=1e-5)


def test_places_read_back_from_the_record(analysis: Analysis) -> None:
    data = analysis_to_dict(analysis)
    again = analysis_from_dict(data, stored_path=analysis.evidence.file.path)
    assert again.models == analysis.models
    for track in data["models"][0]["tracks"]:
        del track["families"], track["places"]
    older = analysis_from_dict(data, stored_path=analysis.evidence.file.path)
    assert (older.models[0].tracks[0].families, older.models[0].tracks[0].places) == ((), ())


def test_a_faces_logit_is_the_mean_of_its_patches(model: ResidualModel) -> None:
    said = kind_of(model).read_crops(model, column(0), keep_features=False)
    apart = np.stack([said[f"{place}/logits"] for place in PLACES])
    np.testing.assert_allclose(said["logits"], apart.mean(0), atol=1e-6)
    assert len(np.unique(apart)) == apart.size


def test_crops_of_another_shape_are_refused(model: ResidualModel) -> None:
    with pytest.raises(ValueError, match="192, 64, 3"):
        model.patches(column(0)[:, :64])


def test_the_models_input_and_network_are_told_in_words(model: ResidualModel) -> None:
    kind = kind_of(model)
    assert kind.input_text(model.card) == "3 patches of 64 × 64 px of each face, never resized"
    assert "2 networks" in kind.diagram(model.card).in_words()
