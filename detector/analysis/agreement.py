"""Where models that scored the same faces agree: sides of their thresholds, order of scores, moments of disagreement.

Scores of different models are no common scale. So each model is held against its own thresholds, and two models'
scores are compared by rank only (Spearman, American Journal of Psychology, 1904).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from detector.analysis.types import Analysis, FrameScore, ModelResult
from detector.faces.types import Box
from detector.measurement.thresholds import Thresholds

FaceKey = tuple[int, int]  # (track_id, pts)
Side = Literal["likely_manipulated", "undecided", "no_manipulation_found"]

LEAST_FOR_RANKS: Final = 5
LEAST_IOU: Final = 0.5  # of the boxes of one face as two analyses found it
MOMENT_APART_S: Final = 0.5


def side(logit: float, thresholds: Thresholds) -> Side:
    """The side of its model's thresholds that a logit lies on."""
    if logit >= thresholds.likely_manipulated_logit:
        return "likely_manipulated"
    return "no_manipulation_found" if logit <= thresholds.no_manipulation_logit else "undecided"


def beyond(logit: float, thresholds: Thresholds) -> float:
    """Logits by which a reading lies beyond the threshold that it passed: positive at or above
    `likely_manipulated_logit`, negative at or below `no_manipulation_logit`, 0 between them."""
    high, low = thresholds.likely_manipulated_logit, thresholds.no_manipulation_logit
    return logit - high if logit >= high else logit - low if logit <= low else 0.0


@dataclass(frozen=True, slots=True)
class ScoredFaces:
    """One model's scores of an exhibit's faces, by (track_id, pts) of the analysis that the faces are taken from;
    `thresholds` None where the model's are not at hand. `own_tracks` holds the faces' tracks in the model's own
    analysis where that is another one."""

    scores: Mapping[FaceKey, FrameScore]
    thresholds: Thresholds | None = None
    own_tracks: Mapping[FaceKey, int] = field(default_factory=dict)

    def own_track(self, key: FaceKey) -> int:
        """The id of a face's track in the model's own analysis."""
        return self.own_tracks.get(key, key[0])


@dataclass(frozen=True, slots=True)
class Agreement:
    """Two models on the `faces` that both scored. `same_side`: share of them, 0..1, on which both lie on the same of
    three sides of their own thresholds, None without thresholds or faces. `rank_correlation`: Spearman's, -1..1, None
    for fewer than `LEAST_FOR_RANKS` faces or where one model gave all of them the same score."""

    faces: int
    same_side: float | None
    rank_correlation: float | None


@dataclass(frozen=True, slots=True)
class Disagreement:
    """A face on which models lie on different sides of their own thresholds; `highest` and `lowest` are the places of
    the two that are furthest apart. `opposite`: one calls it likely manipulated, another finds nothing. `apart`: logits
    by which these two lie beyond their thresholds, taken together."""

    track_id: int
    pts: int
    pts_s: float
    highest: int
    lowest: int
    opposite: bool
    apart: float


def scored_faces(
    result: ModelResult, made_in: Analysis, reference: Analysis, thresholds: Thresholds | None = None
) -> ScoredFaces:
    """A model's scores by the faces of `reference`, an analysis of the same file.

    Where the model is of another analysis, a face is the same where time stamps are equal and the boxes overlap by at
    least `LEAST_IOU`; what `reference` did not examine is left out."""
    from detector.faces.search import iou

    scores = {(track.track_id, frame.pts): frame for track in result.tracks for frame in track.frames}
    if made_in is reference:
        return ScoredFaces(scores, thresholds)
    boxes, known = _boxes(made_in), _boxes(reference)
    found: dict[FaceKey, FrameScore] = {}
    tracks: dict[FaceKey, int] = {}
    for (track_id, pts), frame in scores.items():
        box = boxes.get(pts, {}).get(track_id)
        there = known.get(pts, {})
        if box is None or not there:
            continue
        nearest = max(there, key=lambda other: iou(box, there[other]))
        if iou(box, there[nearest]) >= LEAST_IOU:
            found[nearest, pts], tracks[nearest, pts] = frame, track_id
    return ScoredFaces(found, thresholds, tracks)


def agree(one: ScoredFaces, other: ScoredFaces) -> Agreement:
    """How far two models agree on the faces that both scored."""
    shared = sorted(one.scores.keys() & other.scores.keys())
    pairs = [(one.scores[key].logit, other.scores[key].logit) for key in shared]
    same: float | None = None
    if shared and one.thresholds is not None and other.thresholds is not None:
        same = sum(side(a, one.thresholds) == side(b, other.thresholds) for a, b in pairs) / len(pairs)
    return Agreement(len(shared), same, _rank_correlation(pairs))


def disagreements(models: Sequence[ScoredFaces], *, most: int = 8) -> tuple[Disagreement, ...]:
    """The faces on which models differ most, the gravest first: opposite calls before others, then by how far the two
    lie beyond their thresholds. Of one track no two within `MOMENT_APART_S`. Models without thresholds are left out."""
    found = [one for key in set().union(*(model.scores for model in models)) if (one := _differ(models, key))]
    kept: list[Disagreement] = []
    for one in sorted(found, key=lambda one: (not one.opposite, -one.apart, one.pts, one.track_id)):
        near = (k for k in kept if k.track_id == one.track_id and abs(k.pts_s - one.pts_s) < MOMENT_APART_S)
        if len(kept) < most and not any(near):
            kept.append(one)
    return tuple(kept)


def _differ(models: Sequence[ScoredFaces], key: FaceKey) -> Disagreement | None:
    read = [
        (beyond(frame.logit, model.thresholds), side(frame.logit, model.thresholds), place)
        for place, model in enumerate(models)
        if model.thresholds is not None and (frame := model.scores.get(key)) is not None
    ]
    if len({name for _, name, _ in read}) < 2:
        return None
    # A logit that is exactly a threshold lies no distance beyond it, and yet on that side.
    order = {"no_manipulation_found": 0, "undecided": 1, "likely_manipulated": 2}
    ranked = sorted(read, key=lambda one: (order[one[1]], one[0]))
    (low, low_side, lowest), (high, high_side, highest) = ranked[0], ranked[-1]
    opposite = (low_side, high_side) == ("no_manipulation_found", "likely_manipulated")
    pts_s = models[highest].scores[key].pts_s
    return Disagreement(*key, pts_s, highest, lowest, opposite, high - low)


def _rank_correlation(pairs: Sequence[tuple[float, float]]) -> float | None:
    from scipy.stats import spearmanr

    columns = list(zip(*pairs, strict=True))
    if len(pairs) < LEAST_FOR_RANKS or any(len(set(column)) < 2 for column in columns):
        return None
    value = float(spearmanr(*columns).statistic)
    return value if math.isfinite(value) else None


def _boxes(analysis: Analysis) -> dict[int, dict[int, Box]]:
    """Time stamp -> track -> box."""
    found: dict[int, dict[int, Box]] = {}
    for track in analysis.tracks:
        for face in track.faces:
            found.setdefault(face.pts, {})[track.track_id] = face.face.bbox_xyxy_px
    return found
