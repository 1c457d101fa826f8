"""Texture over time in an analysis: which segments and moments are compared, and what a track scores."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from detector.analysis import analyze
from detector.analysis.kinds.texture import HELD_STILL
from detector.analysis.kinds.texture.pairs import Moment, around_face, examine_texture, pairs_of, segments_of
from detector.analysis.results import NO_FACE, NO_TIME
from detector.analysis.types import Analysis, TrackScore
from detector.errors import CancelledError
from detector.evidence import FrameReader, examine, ingest
from detector.evidence.types import Evidence
from detector.faces import FaceAnalyser, Tracker
from detector.faces.types import FaceTrack, TrackedFace
from detector.settings import AnalysisSettings
from tests.analysis.fakes import (
    SETTINGS,
    FakeAnalyser,
    FakeCard,
    FakeModel,
    FakeReader,
    fake_components,
    make_evidence,
    make_face,
)
from tests.synthesis.faces import face_image

SAMPLES = Path(__file__).parents[2] / "assets" / "samples"
CARD = FakeCard("texture", "66" * 32, kind="texture")


class SimilaritySearch(FakeModel):
    """A texture model whose logit of a pair is how alike the finest detail is."""

    def texture(self, pairs: np.ndarray) -> np.ndarray:
        self.batch_sizes.append(len(pairs))
        return pairs[:, 5]


def track(*times_s: float) -> FaceTrack:
    return FaceTrack(3, 0, tuple(TrackedFace(i, i, t, make_face()) for i, t in enumerate(times_s)))


def run(score, *, analyser: FakeAnalyser | None = None, kind: str = "video") -> Analysis:
    components = fake_components(FakeReader(20), analyser, examine_texture=score)
    evidence = make_evidence(kind=kind, frames=20)
    return analyze(evidence, [FakeModel(), FakeModel(card=CARD)], SETTINGS, components=components)  # type: ignore[list-item]


def test_a_short_track_is_one_stretch_and_a_long_one_three_spread_evenly() -> None:
    assert list(segments_of(track(2.0, 4.0))) == [(2.0, pytest.approx(4.001))]
    assert list(segments_of(track(0.0, 7.0))) == [(1.0, pytest.approx(6.001))]
    starts = [start for start, _ in segments_of(track(10.0, 70.0))]
    assert starts == pytest.approx([10.0, 37.5, 65.0])


def talking(number: int) -> Moment:
    """The chin goes up and down."""
    face = face_image()
    lower = face.landmarks[:, 1] > np.median(face.landmarks[:, 1])
    return Moment(number * 0.2, face.image, face.landmarks + np.float32([0, 3 * np.sin(number)]) * lower[:, None])


def test_pairs_in_which_the_expression_hardly_changes_say_nothing() -> None:
    face = face_image()
    assert pairs_of([Moment(number * 0.5, face.image, face.landmarks) for number in range(8)], 10) == []
    turned = [Moment(number * 0.5, face.image, face.landmarks + np.float32(number)) for number in range(8)]
    assert pairs_of(turned, 10) == []


def test_moments_are_paired_within_their_lags_only_and_spread_evenly() -> None:
    moments = [talking(number) for number in range(30)]
    pairs = pairs_of(moments, 10)
    assert 5 <= len(pairs) <= 10
    lags = [float(pair[0]) for pair in pairs]
    assert min(lags) >= 0.3
    assert max(lags) <= 3.5
    assert len({round(lag, 3) for lag in lags}) > 4
    assert pairs_of(moments[:2], 10) == []  # 0.2 seconds apart
    assert pairs_of(moments[:1], 10) == []


def test_a_large_face_is_kept_small_and_its_mesh_follows() -> None:
    face = face_image()
    wide = cv2.resize(face.image, None, fx=8, fy=8).astype(np.uint8)
    moment = around_face(1.0, wide, face.landmarks * np.float32(8))
    assert float(np.ptp(moment.mesh, axis=0).max()) == pytest.approx(384, rel=0.01)
    assert max(moment.image.shape[:2]) < 384 * 2
    small = around_face(1.0, face.image, face.landmarks)
    back = face.landmarks - small.mesh
    np.testing.assert_allclose(back, np.broadcast_to(back[0], back.shape), atol=1e-3)


def test_the_models_score_of_a_track_reaches_the_result_and_no_frame_has_one() -> None:
    analysis = run(lambda evidence, tracks, model, **_: [TrackScore(t.track_id, 2.5, ()) for t in tracks])
    result = analysis.models[1]
    assert (result.kind, result.logit, result.reason) == ("texture", 2.5, None)
    assert all(score.frames == () for score in result.tracks)
    assert "texture:texture" in analysis.timings


def test_without_time_faces_or_length_there_is_a_reason_and_no_score() -> None:
    nothing = lambda *_, **__: []  # noqa: E731
    for reason, found in (
        (NO_TIME, run(nothing, kind="still")),
        (NO_FACE, run(nothing, analyser=FakeAnalyser(()))),
        (HELD_STILL, run(nothing)),
    ):
        assert (found.models[1].logit, found.models[1].reason) == (None, reason)


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Evidence, tuple[FaceTrack, ...]]]:
    found = {}
    settings = AnalysisSettings(frames_per_second=2)
    for label in ("genuine", "manipulated"):
        evidence = examine(ingest(SAMPLES / f"astronaut_{label}.mp4", tmp_path_factory.mktemp(label)))
        tracker = Tracker()
        with FrameReader(evidence, frames_per_second=2, max_frames=100) as reader, FaceAnalyser(settings) as analyser:
            for frame in reader:
                tracker.update(frame, analyser.analyse(frame))
        found[label] = (evidence, tuple(tracker.finish()))
    return found


def test_a_still_that_talks_keeps_its_detail(samples: dict[str, tuple[Evidence, tuple[FaceTrack, ...]]]) -> None:
    evidence, tracks = samples["manipulated"]
    model = SimilaritySearch(card=CARD)
    [score] = examine_texture(evidence, tracks, model)  # type: ignore[arg-type]
    assert score.track_id == tracks[0].track_id
    assert 6 <= model.batch_sizes[0] <= 24
    assert 0.2 < score.logit < 1
    [again] = examine_texture(evidence, tracks, model)  # type: ignore[arg-type]
    assert again == score


def test_a_photograph_under_a_moving_camera_is_not_scored(
    samples: dict[str, tuple[Evidence, tuple[FaceTrack, ...]]],
) -> None:
    evidence, tracks = samples["genuine"]
    assert examine_texture(evidence, tracks, SimilaritySearch(card=CARD)) == []  # type: ignore[arg-type]


def test_it_stops_when_cancelled(samples: dict[str, tuple[Evidence, tuple[FaceTrack, ...]]]) -> None:
    evidence, tracks = samples["manipulated"]
    with pytest.raises(CancelledError):
        examine_texture(evidence, tracks, SimilaritySearch(card=CARD), cancelled=lambda: True)  # type: ignore[arg-type]
