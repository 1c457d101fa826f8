"""What the player draws of a record and of a file's times, as JSON that the browser fetches once.

Arrays run in parallel and ascend in time. Times are seconds in the file or PTS, in ticks of the video stream's time
base; boxes are pixels of the decoded frame, rotation applied; scores are 0 to 1, null where a model gave none.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import groupby, pairwise
from typing import Any

from detector.analysis.kinds import kind_of
from detector.analysis.types import ModelResult, Reason, sigmoid
from detector.faces.types import FaceTrack
from detector.registry import Thresholds
from pages.parts.shared.readings import Readings
from pages.parts.shared.wording import model_colour, track_colour

# Filmstrip of a track: its highest and lowest scores, and more evenly spaced until there are so many.
STRONGEST, WEAKEST, FACES = 3, 2, 10
_SPANS = {"run": "Manipulation indicated", "peaks": "Look here", "stretch": "Unlike the rest of the track"}


def times_json(moments: Sequence[int]) -> bytes:
    """`{"first": PTS, "steps": [[ticks, times], ...]}`: the PTS of every displayed frame, ascending, as runs of equal
    distances, since an hour at a steady rate is one of them. `first` is null for a file without frames."""
    steps = [[ticks, len(list(run))] for ticks, run in groupby(later - earlier for earlier, later in pairwise(moments))]
    return _json({"first": moments[0] if moments else None, "steps": steps})


def readings_json(readings: Readings, thresholds: dict[str, Thresholds]) -> bytes:
    """The record as the player draws it.

    `tracks`: id, colour, pts, box (x0, y0, x1, y1 after one another), scores (by model's id, and "" for what the models
    that decide say together), gaps (seconds, start and end), strip (indexes into pts).
    `models`: id, name, colour, whether it scored frames, its two thresholds as scores (null without), and its attention
    by track: pts and share, which sum to 1. `combined` is the id whose thresholds hold for what they say together.
    `spans`: segments that the conclusion's reasons name: track, start and end in seconds, pts to look at, kind, words.
    `shots`: seconds at which shots change, the first left out.
    """
    analysis = readings.analysis
    scored = readings.with_frame_scores()
    fusing = [model for model in scored if kind_of(model).fuses]
    leading = (fusing or (scored if len(scored) == 1 else []))[:1]
    return _json(
        {
            "tracks": [_track(readings, track, scored) for track in analysis.tracks if track.faces],
            "models": [_model(readings, model, thresholds.get(model.model_id)) for model in analysis.models],
            "combined": leading[0].model_id if leading else None,
            "spans": [span for reason in analysis.conclusion.reasons for span in _spans(reason, readings)],
            "shots": [start for start in analysis.shot_starts_s if start > 0],
        }
    )


def strip_of(scores: Sequence[float | None]) -> list[int]:
    """Indexes of the faces of a track to show in its filmstrip, ascending: its highest and lowest scores, no two of
    either side by side where the track is long, and others evenly spaced."""
    count = len(scores)
    known = sorted((index for index in range(count) if scores[index] is not None), key=lambda i: scores[i] or 0.0)
    apart = max(1, count // 20)
    chosen: set[int] = set()
    for ranked, wanted in ((reversed(known), STRONGEST), (known, WEAKEST)):
        taken: list[int] = []
        for index in ranked:
            if len(taken) < wanted and all(abs(index - other) >= apart for other in (*taken, *chosen)):
                taken.append(index)
        chosen.update(taken)
    room = min(FACES, count) - len(chosen)
    for place in range(room):
        even = round((place + 0.5) * count / room - 0.5)
        chosen.add(min((index for index in range(count) if index not in chosen), key=lambda i: abs(i - even)))
    return sorted(chosen)


def _track(readings: Readings, track: FaceTrack, scored: Sequence[ModelResult]) -> dict[str, Any]:
    keys = [(track.track_id, face.pts) for face in track.faces]
    together = [_rounded(readings.combined_score(key)) for key in keys]
    own = {model.model_id: [_rounded(readings.combined_score(key, model.model_id)) for key in keys] for model in scored}
    return {
        "id": track.track_id,
        "colour": track_colour(readings.track_index(track.track_id)),
        "pts": [face.pts for face in track.faces],
        "box": [round(edge, 1) for face in track.faces for edge in face.face.bbox_xyxy_px],
        "scores": {"": together, **own},
        "gaps": track.gaps_s,
        "strip": strip_of(together),
    }


def _model(readings: Readings, model: ModelResult, limits: Thresholds | None) -> dict[str, Any]:
    attention = {
        track.track_id: {"pts": track.attention.pts, "share": [round(share, 5) for share in track.attention.pooling]}
        for track in model.tracks
        if track.attention is not None
    }
    return {
        "id": model.model_id,
        "name": model.name,
        "colour": model_colour(readings.model_index(model.model_id)),
        "scored": any(track.frames for track in model.tracks),
        "likely": None if limits is None else sigmoid(limits.likely_manipulated_logit),
        "not_found": None if limits is None else sigmoid(limits.no_manipulation_logit),
        "attention": attention,
    }


def _spans(reason: Reason, readings: Readings) -> list[dict[str, Any]]:
    if reason.code not in _SPANS:
        return []
    names = {model.model_id: model.name for model in readings.analysis.models}
    words = _SPANS[reason.code]
    return [
        {
            "track": moment.track_id,
            "start": moment.start_s,
            "end": moment.end_s,
            "pts": moment.pts,
            "kind": reason.code,
            "words": f"{words} · {names.get(moment.model_id, moment.model_id)} {sigmoid(moment.logit):.2f}",
        }
        for moment in reason.moments
    ]


def _rounded(score: float | None) -> float | None:
    return None if score is None else round(score, 4)


def _json(value: dict[str, Any]) -> bytes:
    return json.dumps(value, separators=(",", ":"), allow_nan=False).encode()
