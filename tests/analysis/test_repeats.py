"""Scoring repeated by the settings: mirrored crops, passes with dropout, and how far an ensemble's members disagree."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from detector.analysis import Analysis, analysis_from_dict, analysis_to_json, analyze
from detector.analysis.aggregate import WEIGHT_FLOOR
from detector.analysis.types import Member, ModelResult
from detector.errors import SettingsError
from detector.faces.types import CropSpec
from detector.models import build_network
from detector.registry import FrameModel, LoadedModel, ResidualModel, SequenceModel, SpecialistsModel
from detector.settings import AnalysisSettings
from tests.analysis.fakes import (
    SETTINGS,
    FakeAnalyser,
    FakeCard,
    FakeEnsemble,
    FakeModel,
    FakeReader,
    FakeSequence,
    fake_components,
    make_evidence,
    make_face,
)

PASSES = 8
SPEC = CropSpec(size_px=64, margin=0.0)
FACES = (make_face(left=4, weight=0.3), make_face(left=40, weight=1.0))
CPU = torch.device("cpu")


@pytest.fixture(scope="module", autouse=True)
def no_sweeping() -> Iterator[None]:
    """Collecting garbage after every analysis takes longer than these analyses."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("detector.analysis.pipeline.return_freed_memory", lambda: None)
        yield


def textured(image: np.ndarray, bbox: tuple[float, ...], _: object, spec: CropSpec) -> np.ndarray:
    """A picture of noise of the face's own, other at its left than at its right."""
    rng = np.random.default_rng((int(image[0, 0, 0]), int(bbox[0])))
    return rng.integers(0, 256, spec.shape, dtype=np.uint8)


def run(*models: Any, faces: Any = FACES, **settings: Any) -> Analysis:
    components = replace(fake_components(FakeReader(6), FakeAnalyser(faces=faces)), crop_face=textured)
    return analyze(make_evidence(frames=6), models, replace(SETTINGS, **settings), components=components)


def loaded(cls: type[LoadedModel], kind: str, table: dict[str, Any], **more: Any) -> Any:
    torch.manual_seed(1)
    spec = CropSpec(size_px=32, margin=0.0, alignment="native") if kind == "residual" else SPEC
    inputs = {"frames": 4} if kind == "sequence" else {}
    card = FakeCard(kind, crop=spec, kind=kind, architecture=table, inputs=inputs)
    return cls(card, build_network(table).eval(), CPU, **more)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def frame() -> FrameModel:
    model: FrameModel = loaded(FrameModel, "frame", {"kind": "frame", "trunk": "test_resnet", "width": 16})
    return model


def families(frame: FrameModel, dropout: float) -> list[Any]:
    """Specialists, residuals and a model over time, that drop this share."""
    width = frame.network.feature_dim + 64 + 84  # type: ignore[operator]
    time = {"kind": "transformer", "features": width, "looks": 148, "width": 16, "layers": 1, "heads": 2}
    cues = {"kind": "specialists", "trunk": "test_resnet", "width": 8, "head_width": 8, "mirrored": True}
    return [
        loaded(SpecialistsModel, "specialists", {**cues, "dropout": dropout}),
        loaded(ResidualModel, "residual", {"kind": "residual", "widths": (4, 8), "members": 2, "dropout": dropout}),
        loaded(SequenceModel, "sequence", {**time, "dropout": dropout}, trunk=frame),
    ]


def test_a_score_is_the_mean_of_crop_and_mirror_image(frame: FrameModel) -> None:
    plain, both = (run(frame, test_time_augmentation=on).models[0] for on in (False, True))
    crop = textured(np.zeros((1, 1, 3), np.uint8), FACES[1].bbox_xyxy_px, None, SPEC)
    expected = frame.score(np.stack([crop, crop[:, ::-1]]))
    assert abs(expected[0] - expected[1]) > 1e-3
    assert plain.tracks[1].frames[0].logit == pytest.approx(expected[0], abs=1e-5)
    assert both.tracks[1].frames[0].logit == pytest.approx(expected.mean(), abs=1e-5)
    assert plain.repeats is None
    assert both.repeats is not None
    assert (both.repeats.views, both.repeats.views_reason) == (2, None)


def test_models_that_score_no_crops_or_mirror_them_anyway_say_so(frame: FrameModel) -> None:
    trunk = FakeModel()
    cues, residual, _ = families(frame, 0.1)
    models = (trunk, FakeSequence(trunk), cues, residual, FakeEnsemble([{"model_id": "fake", "cue": None}]))
    found = {model.model_id: model.repeats for model in run(*models, test_time_augmentation=True).models}
    assert {name: one.views for name, one in found.items() if one} == {
        "fake": 2, "tm": 1, "specialists": 1, "residual": 2, "together": 1,
    }  # fmt: skip
    assert "no single face crops" in str(found["tm"])
    assert "in any case" in str(found["specialists"])


def test_the_spread_of_a_track_is_that_of_its_logit_over_the_passes(frame: FrameModel) -> None:
    plain, tried = run(frame).models[0], run(frame, dropout_passes=PASSES).models[0]
    assert tried.tracks == plain.tracks  # scores stay what they are
    assert tried.repeats is not None
    for face, spread in zip(FACES, tried.repeats.spreads, strict=True):
        crops = [textured(np.full((1, 1, 3), at, np.uint8), face.bbox_xyxy_px, None, SPEC) for at in range(6)]
        said = frame.dropout_logits(frame.features(np.stack(crops)).features, PASSES)
        assert said.shape == (6, PASSES)
        assert spread.std_logit == pytest.approx(np.std(said.mean(0)), rel=1e-3)
        assert spread.std_logit > 0


def test_poor_faces_count_for_less_in_a_pass_as_in_the_score(frame: FrameModel) -> None:
    class Turning(FakeAnalyser):
        def analyse(self, frame: Any) -> Any:
            return (make_face(left=4, weight=1.0 if frame.frame_index else 0.0),)

    components = replace(fake_components(FakeReader(2), Turning()), crop_face=textured)
    settings = replace(SETTINGS, dropout_passes=PASSES)
    (model,) = analyze(make_evidence(frames=2), [frame], settings, components=components).models
    crops = [textured(np.full((1, 1, 3), at, np.uint8), FACES[0].bbox_xyxy_px, None, SPEC) for at in range(2)]
    said = frame.dropout_logits(frame.features(np.stack(crops)).features, PASSES)
    assert model.repeats is not None
    expected = np.std(np.average(said, axis=0, weights=[WEIGHT_FLOOR, 1.0]))
    assert model.repeats.spreads[0].std_logit == pytest.approx(expected, rel=1e-3)


def test_other_kinds_with_dropout_have_a_spread_and_without_a_reason(frame: FrameModel) -> None:
    for share, known in ((0.3, True), (0.0, False)):
        result = run(frame, *families(frame, share), dropout_passes=PASSES)
        for model in result.models[1:]:
            assert model.repeats is not None
            assert model.logit is not None
            assert len(model.repeats.spreads) == (2 if known else 0)
            assert all(one.std_logit > 1e-6 for one in model.repeats.spreads)
            assert (model.repeats.spread_reason is None) == known


def test_passes_that_drop_nothing_give_the_score_itself(frame: FrameModel) -> None:
    """What the passes read is what the score rests on, in every kind."""
    nothing = 1e-12
    crops = np.random.default_rng(0).integers(0, 256, (3, 64, 64, 3), dtype=np.uint8)
    cues, residual, _ = families(frame, nothing)
    for name, one in cues.specialists(crops).items():
        said = cues.dropout_logits(name, one.features, 2)
        np.testing.assert_allclose(said, np.repeat(one.logits[:, None], 2, 1), atol=1e-4)
    patches = np.random.default_rng(1).integers(0, 256, (2, *residual.card.crop.shape), dtype=np.uint8)
    said = residual.dropout_logits(patches, 2)
    np.testing.assert_allclose(said, np.repeat(residual.patches(patches).mean(1)[:, None], 2, 1), atol=1e-4)


def test_a_record_holds_repeats_and_one_from_before_has_none(frame: FrameModel) -> None:
    made = run(frame, dropout_passes=PASSES, test_time_augmentation=True)
    data = json.loads(analysis_to_json(made))
    path = made.evidence.file.path
    assert [len(one["repeats"]["spreads"]) for one in data["models"]] == [2]
    assert analysis_from_dict(data, stored_path=path).models == made.models
    del data["models"][0]["repeats"]
    assert analysis_from_dict(data, stored_path=path).models[0].repeats is None


def test_settings_from_before_keep_their_hash_and_new_ones_change_it() -> None:
    plain = AnalysisSettings()
    assert plain.sha256 == "154740defe496e3c1428ceb87b48ee445755a016bf3ac6bf9365aa35724e0ada"
    assert AnalysisSettings.from_dict({**plain.to_dict(), "sha256": plain.sha256}) == plain
    for name, value in (("test_time_augmentation", True), ("dropout_passes", 2), ("sensitivity", True)):
        changed = replace(plain, **{name: value})
        assert changed.sha256 != plain.sha256
        assert AnalysisSettings.from_dict(dict(changed.to_dict())) == changed
    with pytest.raises(SettingsError, match="no spread"):
        AnalysisSettings(dropout_passes=1)


def test_members_spread_is_their_weighted_distance_from_the_ensemble() -> None:
    members = (Member("a", None, 3.0, 0.75), Member("b", None, -1.0, 0.25), Member("c", None, None, None, "silent"))
    result = ModelResult("together", "44" * 32, 2.0, (), kind="ensemble", members=members)
    assert result.member_spread == pytest.approx(math.sqrt(0.75 * 1 + 0.25 * 9))
    assert replace(result, members=members[:1]).member_spread is None
    assert replace(result, logit=None).member_spread is None


def test_the_conclusion_holds_the_spread_of_the_ensemble_that_decides() -> None:
    other = FakeModel(card=FakeCard("other"), offset=2.0)
    members = [{"model_id": name, "cue": None} for name in ("fake", "other")]
    made = run(FakeModel(), other, FakeEnsemble(members))
    assert made.conclusion.member_spread == pytest.approx(1.0, abs=1e-5)
    data = json.loads(analysis_to_json(made))
    assert data["conclusion"]["member_spread"] == data["models"][2]["member_spread"] == made.conclusion.member_spread
    again = analysis_from_dict(data, stored_path=Path("gone"))
    assert again.conclusion == made.conclusion
    assert run(FakeModel()).conclusion.member_spread is None
