"""The appendix: every scored face, as a table where they are few and as strips of scores where they are many."""

from __future__ import annotations

from typing import Any

from detector.analysis.types import Analysis, sigmoid
from detector.report import wording
from detector.report.lanes import drawn_models
from detector.report.language import Words

MOST_TABLE_ROWS = 2_000
STRIP_WIDTH = 20


def scores_data(analysis: Analysis, short: dict[str, str], words: Words) -> dict[str, Any]:
    """`rows`: one scored face each, models side by side, in order of time. Above `MOST_TABLE_ROWS` faces `strips` take
    their place: per track and model, rows of the time of the first score and the scores that follow."""
    models = drawn_models(analysis)
    scored = {(face.pts, track.track_id) for model in models for track in model.tracks for face in track.frames}
    told: dict[str, Any] = {"models": [short[model.model_id] for model in models], "rows": [], "strips": []}
    count = f"{len(scored):,}"
    if not scored:
        return {**told, "statement": words("appendix.none")}
    if len(scored) > MOST_TABLE_ROWS:
        statement = words("appendix.strips", count=count, width=STRIP_WIDTH)
        return {**told, "statement": statement, "strips": _strips(analysis, short, words)}
    return {**told, "statement": words("appendix.all", count=count), "rows": _rows(analysis, words)}


def _rows(analysis: Analysis, words: Words) -> list[list[str]]:
    models = drawn_models(analysis)
    rows: dict[tuple[int, int], dict[str, float]] = {}
    facts: dict[tuple[int, int], tuple[float, int, float]] = {}
    for model in models:
        for track in model.tracks:
            for face in track.frames:
                key = (face.pts, track.track_id)
                rows.setdefault(key, {})[model.model_id] = face.logit
                facts[key] = (face.pts_s, face.frame_index, face.weight)
    return [
        [
            f"{facts[key][0]:.3f}",
            str(key[0]),
            str(facts[key][1]),
            str(key[1]),
            f"{facts[key][2]:.2f}",
            *(
                wording.score(sigmoid(rows[key][model.model_id])) if model.model_id in rows[key] else "–"
                for model in models
            ),
        ]
        for key in sorted(rows)
    ]


def _strips(analysis: Analysis, short: dict[str, str], words: Words) -> list[dict[str, Any]]:
    return [
        {
            "title": f"{short[model.model_id]} · {words('figure.track', number=track.track_id)}",
            "rows": [
                [f"{faces[0].pts_s:.2f}", " ".join(_compact(face.score) for face in faces)]
                for start in range(0, len(track.frames), STRIP_WIDTH)
                if (faces := track.frames[start : start + STRIP_WIDTH])
            ],
        }
        for model in drawn_models(analysis)
        for track in model.tracks
        if track.frames
    ]


def _compact(value: float) -> str:
    """Three decimals without the leading 0; a bound, as in the tables, where they would round to certainty."""
    return ">.999" if value > 0.9995 else "<.001" if value < 0.0005 else f"{value:.3f}"[1:]
