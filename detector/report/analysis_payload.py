"""One analysis as plain data for the template: conclusion, figures, tables."""

from __future__ import annotations

from statistics import median
from typing import Any

from detector.analysis.aggregate import voting
from detector.analysis.types import Analysis, Conclusion, sigmoid
from detector.report import wording
from detector.report.lanes import drawn_models, ranked_tracks
from detector.report.parts_payload import parts_data
from detector.report.printable import SOFT_BREAK, printable, shortened
from detector.report.record import AnalysisEntry, CaseRecord, StrongFrame
from detector.report.strongest import deciding
from detector.report.timeline import timeline_svg

MAX_SCORE_ROWS = 600
MAX_TRACK_ROWS = 30


def model_labels(record: CaseRecord) -> dict[tuple[str, str], str]:
    """A short name, M1, M2 ..., for each model by (id, weights SHA-256)."""
    return {(model.model_id, model.weights_sha256): f"M{index}" for index, model in enumerate(record.models, start=1)}


def analysis_data(entry: AnalysisEntry, stem: str, record: CaseRecord, files: dict[str, bytes]) -> dict[str, Any]:
    analysis = entry.analysis
    labels = model_labels(record)
    short = {model.model_id: labels[model.model_id, model.weights_sha256] for model in analysis.models}
    commit = f" (commit {analysis.tool.commit[:12]})" if analysis.tool.commit else ""
    return {
        "record_id": printable(entry.saved.record_id),
        "analysis_id": printable(analysis.analysis_id),
        "made": wording.time(entry.saved.created_at),
        "tool": printable(f"{analysis.tool.name} {analysis.tool.version}{commit}"),
        "examined": _examined(analysis),
        "settings": [
            (wording.SETTING_WORDS.get(name, name.replace("_", " ")), wording.number(value))
            for name, value in analysis.settings.to_dict().items()
        ],
        "settings_sha256": analysis.settings.sha256,
        "conclusion": _conclusion(analysis.conclusion),
        "models": [_model_row(analysis, index, short) for index in range(len(analysis.models))],
        "tracks": _tracks(analysis, short),
        "timeline": _timeline(entry, stem, record, short, files),
        "frames": [_strong_frame(frame, stem, short, files) for frame in entry.strong_frames],
        "heat_scale": _heat_scale(entry.strong_frames),
        **parts_data(analysis, stem, short, files),
        "scores": _scores(analysis, short),
    }


def _examined(analysis: Analysis) -> str:
    faces = sum(len(track.faces) for track in analysis.tracks)
    shots = f" in {wording.count(len(analysis.shot_starts_s), 'shot')}" if analysis.shot_starts_s else ""
    return (
        f"{wording.count(analysis.frames_examined, 'frame')} examined{shots}; {wording.count(faces, 'face')} found, "
        f"in {wording.count(len(analysis.tracks), 'track')}."
    )


def _conclusion(conclusion: Conclusion) -> dict[str, Any]:
    extra = []
    if conclusion.interval is not None:
        extra.append(f"Interval {conclusion.interval[0]:.3f} to {conclusion.interval[1]:.3f}.")
    if conclusion.likelihood_ratio is not None:
        extra.append(f"Likelihood ratio {conclusion.likelihood_ratio:.3g}.")
    if conclusion.score is None:
        kind = "no face was scored"
    else:
        kind = "calibrated score, 0 to 1" if conclusion.calibrated else "model score, 0 to 1; not calibrated"
    return {
        "label": conclusion.label,
        "word": wording.LABEL_WORDS[conclusion.label],
        "meaning": wording.LABEL_MEANINGS[conclusion.label],
        "score": wording.score(conclusion.score),
        "scored": conclusion.score is not None,
        "score_kind": kind,
        "extra": extra,
        "reasons": [printable(reason.text) for reason in conclusion.reasons],
    }


def _model_row(analysis: Analysis, index: int, short: dict[str, str]) -> dict[str, str]:
    model = analysis.models[index]
    return {
        "label": short[model.model_id],
        "model_id": printable(model.model_id),
        "score": wording.score(model.score),
        "logit": wording.logit(model.logit),
        "tracks": str(len(model.tracks)),
        "faces": f"{sum(len(track.frames) for track in model.tracks):,}",
        "reason": printable(model.reason) if model.reason else "",
    }


def _tracks(analysis: Analysis, short: dict[str, str]) -> dict[str, Any]:
    models = drawn_models(analysis)
    by_model = [{track.track_id: track for track in model.tracks} for model in models]
    shown = sorted(ranked_tracks(analysis)[:MAX_TRACK_ROWS], key=lambda track: track.track_id)
    entitled = {track.track_id for track in deciding(analysis)}
    rows = []
    for track in shown:
        sizes = [face.face.quality.size_px for face in track.faces]
        weights = [face.face.quality.weight for face in track.faces]
        rows.append(
            [
                str(track.track_id),
                f"{track.first_pts_s:.3f}",
                f"{track.last_pts_s:.3f}",
                f"{len(track.faces):,}",
                "yes" if track.track_id in entitled else "–",
                f"{median(sizes):.0f}",
                f"{median(weights):.2f}",
                f"{sum(end - start for start, end in track.gaps_s):.2f}" if track.gaps_s else "–",
                *(
                    wording.score(scores[track.track_id].score if track.track_id in scores else None)
                    for scores in by_model
                ),
            ]
        )
    more = len(analysis.tracks) - len(shown)
    return {
        "models": [short[model.model_id] for model in models],
        "rows": rows,
        "more": f"{len(shown)} are listed: those that decide, then those of highest score. The export has {more} more."
        if more
        else "",
    }


def _timeline(
    entry: AnalysisEntry, stem: str, record: CaseRecord, short: dict[str, str], files: dict[str, bytes]
) -> dict[str, str]:
    analysis = entry.analysis
    if analysis.evidence.kind == "still":
        return {"file": "", "note": "A still picture has no timeline."}
    if not analysis.tracks:
        return {"file": "", "note": "No face was found, so there is nothing to draw over time."}
    cards = {(model.model_id, model.weights_sha256): model.card for model in record.models}
    decisions = {
        model.model_id: card.decision
        for model in analysis.models
        if (card := cards.get((model.model_id, model.weights_sha256))) is not None
    }
    marks = [(frame.track_id, frame.pts_s, frame.number) for frame in entry.strong_frames]
    names = {
        model.model_id: f"{short[model.model_id]} {shortened(model.model_id, 40)}".replace(SOFT_BREAK, "")
        for model in analysis.models
    }
    figure_name = f"{stem}-timeline.svg"
    files[figure_name] = timeline_svg(analysis, decisions=decisions, marks=marks, model_labels=names)
    notes = []
    if not {model.model_id for model in voting(analysis.models)} <= set(decisions):
        notes.append("Thresholds are drawn only for models whose card is at hand.")
    drawn = drawn_models(analysis)
    if left_out := [
        model for model in analysis.models if model not in drawn and any(one.frames for one in model.tracks)
    ]:
        others = ", ".join(short[model.model_id] for model in left_out)
        notes.append(f"Frame scores of {others} are in the case export.")
    return {"file": figure_name, "note": " ".join(notes)}


def _strong_frame(frame: StrongFrame, stem: str, short: dict[str, str], files: dict[str, bytes]) -> dict[str, Any]:
    names = {}
    for kind, picture in (("frame", frame.frame_jpeg), ("crop", frame.crop_jpeg), ("overlay", frame.overlay_jpeg)):
        names[kind] = f"{stem}-{frame.number}-{kind}.jpg" if picture is not None else ""
        if picture is not None:
            files[names[kind]] = picture
    return {
        **names,
        "number": str(frame.number),
        "time": wording.seconds(frame.pts_s),
        "pts": f"{frame.pts}",
        "index": f"{frame.frame_index}",
        "track": str(frame.track_id),
        "score": wording.score(frame.score),
        "model": short.get(frame.model_id, printable(frame.model_id)),
        "weight": f"{frame.weight:.2f}",
        "flags": ", ".join(wording.FLAG_WORDS.get(flag, printable(flag)) for flag in frame.flags),
        "missing": [printable(sentence) for sentence in frame.missing],
    }


def _heat_scale(frames: tuple[StrongFrame, ...]) -> list[dict[str, str]]:
    """One entry a model and layer that drew a heatmap, with the magnitude at the hot end."""
    seen = {
        (frame.model_id, frame.heat_layer or "", frame.heat_scale)
        for frame in frames
        if frame.overlay_jpeg is not None and frame.heat_scale is not None
    }
    return [
        {"top": f"{scale:.3g}", "model": printable(model_id), "layer": printable(layer)}
        for model_id, layer, scale in sorted(seen)
    ]


def _scores(analysis: Analysis, short: dict[str, str]) -> dict[str, Any]:
    """Every scored face, one row, models side by side, in order of time; the highest ones where there are too many."""
    models = drawn_models(analysis)
    rows: dict[tuple[int, int], dict[str, float]] = {}
    facts: dict[tuple[int, int], tuple[float, int, float]] = {}
    for model in models:
        for track in model.tracks:
            for face in track.frames:
                key = (face.pts, track.track_id)
                rows.setdefault(key, {})[model.model_id] = face.logit
                facts[key] = (face.pts_s, face.frame_index, face.weight)
    keys = sorted(rows, key=lambda key: (-max(rows[key].values()), key))[:MAX_SCORE_ROWS]
    total = len(rows)
    if total > MAX_SCORE_ROWS:
        statement = (
            f"Of {total:,} scored faces the {MAX_SCORE_ROWS} of highest score are listed, in order of time; the case "
            "export holds all."
        )
    else:
        statement = f"All {wording.count(total, 'scored face')}, in order of time." if total else "No face was scored."
    return {
        "models": [short[model.model_id] for model in models],
        "statement": statement,
        "rows": [
            [
                f"{facts[key][0]:.3f}",
                str(key[0]),
                str(facts[key][1]),
                str(key[1]),
                f"{facts[key][2]:.2f}",
                *(
                    wording.score(sigmoid(rows[key][model.model_id]) if model.model_id in rows[key] else None)
                    for model in models
                ),
            ]
            for key in sorted(keys)
        ],
    }
