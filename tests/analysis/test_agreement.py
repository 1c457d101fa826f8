"""Models side by side on one exhibit: which faces are the same, who agrees, and where they differ most."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from detector.analysis.agreement import ScoredFaces, agree, beyond, disagreements, scored_faces, side
from detector.analysis.types import Analysis, FrameScore, TrackScore
from detector.measurement.thresholds import Thresholds
from tests.analysis.fakes import make_track
from tests.cases.records import make_analysis, make_evidence

LIMITS = Thresholds(1.0, -1.0, "made up for a test")


def scored(*logits: float, track_id: int = 1, step_s: float = 1.0, limits: Thresholds | None = LIMITS) -> ScoredFaces:
    frames = {(track_id, n): FrameScore(n, n, n * step_s, logit, 0.9) for n, logit in enumerate(logits)}
    return ScoredFaces(frames, limits)


def test_a_threshold_belongs_to_the_side_that_begins_there() -> None:
    assert [side(logit, LIMITS) for logit in (1.0, 0.99, -0.99, -1.0)] == [
        "likely_manipulated",
        "undecided",
        "undecided",
        "no_manipulation_found",
    ]
    assert [beyond(logit, LIMITS) for logit in (3.0, 0.5, -1.5)] == [2.0, 0.0, -0.5]


def test_agreement_counts_sides_and_ranks_of_the_faces_that_both_scored() -> None:
    one = scored(-3.0, -2.0, 0.0, 2.0, 3.0, 4.0)
    other = scored(-9.0, 0.5, -0.5, 0.9, 8.0)  # same side of faces 0, 2 and 4; the sixth face it did not score
    found = agree(one, other)
    assert found.faces == 5
    assert found.same_side == pytest.approx(3 / 5)
    assert found.rank_correlation == pytest.approx(0.9)  # ranks 1 2 3 4 5 and 1 3 2 4 5: 1 - 6 * 2 / (5 * 24)
    assert agree(one, replace(other, thresholds=None)).same_side is None


def test_too_few_or_constant_scores_have_no_rank_correlation() -> None:
    assert agree(scored(1, 2, 3, 4), scored(1, 2, 3, 4)).rank_correlation is None
    assert agree(scored(1, 2, 3, 4, 5), scored(2, 2, 2, 2, 2)).rank_correlation is None
    nothing = agree(scored(), scored(1.0))
    assert (nothing.faces, nothing.same_side, nothing.rank_correlation) == (0, None, None)


def test_opposite_calls_come_before_wider_gaps_on_one_side() -> None:
    models = [scored(0.0, 2.0, 1.5, 0.0), scored(9.0, -1.5, 3.0, 0.1), scored(0.0, 0.0, 2.0, 0.2, limits=None)]
    first, second = disagreements(models)
    assert (first.pts, first.highest, first.lowest, first.opposite) == (1, 0, 1, True)
    assert first.apart == pytest.approx(1.5)
    assert (second.pts, second.highest, second.lowest, second.opposite) == (0, 1, 0, False)
    assert second.apart == pytest.approx(8.0)


def test_a_model_on_its_threshold_is_the_higher_of_the_two() -> None:
    (one,) = disagreements([scored(0.9), scored(1.0)])
    assert (one.highest, one.lowest, one.apart) == (1, 0, 0.0)


def test_one_moment_is_listed_once_and_the_list_is_short() -> None:
    high, low = scored(*[3.0] * 12, step_s=0.1), scored(*[-3.0] * 12, step_s=0.1)
    assert [one.pts for one in disagreements([high, low])] == [0, 5, 10]
    assert [one.pts for one in disagreements([high, low], most=1)] == [0]
    two_tracks = [ScoredFaces({**a.scores, **b.scores}, LIMITS) for a, b in (
        (scored(3.0), scored(3.0, track_id=2)), (scored(-3.0), scored(-3.0, track_id=2)))]  # fmt: skip
    assert [one.track_id for one in disagreements(two_tracks)] == [1, 2]


def _analysis(tmp_path: Path, *lefts: float, ids: tuple[int, ...], logit: float = 0.5) -> Analysis:
    plain = make_analysis(make_evidence(tmp_path))
    tracks = tuple(make_track(number, 3, left=left) for number, left in zip(ids, lefts, strict=True))
    scores = tuple(
        TrackScore(
            track.track_id,
            logit,
            tuple(FrameScore(face.frame_index, face.pts, face.pts_s, track.track_id, 0.9) for face in track.faces),
        )
        for track in tracks
    )
    return replace(plain, tracks=tracks, models=(replace(plain.models[0], tracks=scores),))


def test_faces_of_another_analysis_are_found_by_their_place_in_the_frame(tmp_path: Path) -> None:
    reference = _analysis(tmp_path, 10.0, 200.0, ids=(1, 2))
    # The other analysis counts its tracks differently, sees each face a little shifted, and one that nobody else saw.
    other = _analysis(tmp_path, 202.0, 11.0, 90.0, ids=(1, 2, 3))
    found = scored_faces(other.models[0], other, reference, LIMITS)
    assert {key: frame.logit for key, frame in found.scores.items()} == {
        (track, pts): 3 - track for track in (1, 2) for pts in range(3)
    }
    assert found.thresholds is LIMITS
    assert (found.own_track((1, 0)), found.own_track((2, 0))) == (2, 1)
    own = scored_faces(reference.models[0], reference, reference)
    assert own.own_track((1, 0)) == 1
    assert {key: frame.logit for key, frame in own.scores.items()} == {(t, pts): t for t in (1, 2) for pts in range(3)}
