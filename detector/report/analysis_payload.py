"""One analysis as plain data for the template: conclusion, figures, tables."""

from __future__ import annotations

from statistics import median
from typing import Any

from detector.analysis.types import Analysis, Conclusion
from detector.analysis.voting import voting
from detector.report import wording
from detector.report.file_payload import file_data
from detector.report.lanes import drawn_models, ranked_tracks, thinned_lanes
from detector.report.language import Words, unmarked
from detector.report.parts_payload import parts_data
from detector.report.printable import SOFT_BREAK, printable, shortened
from detector.report.record import AnalysisEntry, CaseRecord, StrongFrame
from detector.report.scores_payload import scores_data
from detector.report.strength_payload import strength_data
from detector.report.strongest import deciding
from detector.report.timeline import timeline_svg

MAX_TRACK_ROWS = 30


def model_labels(record: CaseRecord) -> dict[tuple[str, str], str]:
    """A short name, M1, M2 ..., for each model by (id, weights SHA-256)."""
    return {(model.model_id, model.weights_sha256): f"M{index}" for index, model in enumerate(record.models, start=1)}


def analysis_data(
    entry: AnalysisEntry,
    stem: str,
    record: CaseRecord,
    files: dict[str, bytes],
    words: Words,
    *,
    figures: bool = True,
) -> dict[str, Any]:
    analysis = entry.analysis
    labels = model_labels(record)
    short = {model.model_id: labels[model.model_id, model.weights_sha256] for model in analysis.models}
    commit = f" (commit {analysis.tool.commit[:12]})" if analysis.tool.commit else ""
    return {
        "record_id": printable(entry.saved.record_id),
        "analysis_id": printable(analysis.analysis_id),
        "made": wording.time(entry.saved.created_at),
        "tool": printable(f"{analysis.tool.name} {analysis.tool.version}{commit}"),
        "examined": words(
            "analysis.examined",
            frames=f"{analysis.frames_examined:,}",
            faces=f"{sum(len(track.faces) for track in analysis.tracks):,}",
            tracks=f"{len(analysis.tracks):,}",
            shots=f"{len(analysis.shot_starts_s):,}" if analysis.shot_starts_s else "–",
        ),
        "frames_examined": f"{analysis.frames_examined:,}",
        "settings": [
            (words.known(f"setting.{name}", name.replace("_", " ")), wording.number(value, words))
            for name, value in analysis.settings.to_dict().items()
        ],
        "settings_sha256": analysis.settings.sha256,
        "conclusion": conclusion_data(analysis.conclusion, words),
        "models": [_model_row(analysis, index, short, words) for index in range(len(analysis.models))],
        "deciding_models": [short[model.model_id] for model in voting(analysis.models)],
        "tracks": _tracks(analysis, short, words),
        "timeline": _timeline(entry, stem, record, short, files, words) if figures else {"file": "", "note": ""},
        "frames": [_strong_frame(frame, stem, short, files, words) for frame in entry.strong_frames],
        "heat_scale": _heat_scale(entry.strong_frames, words),
        "heat_tested": words(
            "strong.tested" if any(frame.heat_test for frame in entry.strong_frames) else "strong.untested"
        ),
        **parts_data(analysis, stem, short, files, words, figures=figures),
        **file_data(analysis, words),
        "strength": strength_data(analysis, record, short, words),
        "scores": scores_data(analysis, short, words),
    }


def conclusion_data(conclusion: Conclusion, words: Words) -> dict[str, Any]:
    """Reasons stand in the record's English; in another language each follows its own heading."""
    extra = []
    if conclusion.interval is not None:
        low, high = conclusion.interval
        extra.append(words("score.interval", low=f"{low:.3f}", high=f"{high:.3f}"))
    if conclusion.calibrated and conclusion.likelihood_ratio is not None:
        extra.append(words("score.ratio", ratio=f"{conclusion.likelihood_ratio:.3g}"))
    kind = "none" if conclusion.score is None else "calibrated" if conclusion.calibrated else "uncalibrated"
    reasons = []
    for reason in conclusion.reasons:
        head = "" if words.language == "en" else words.known(f"reason.{reason.code}", words("reason.other"))
        reasons.append({"head": head, "text": printable(reason.text), "short": shortened(reason.text, 190)})
    return {
        "label": conclusion.label,
        "word": words(f"label.{conclusion.label}"),
        "meaning": words(f"meaning.{conclusion.label}"),
        "score": wording.score(conclusion.score, words),
        "scored": conclusion.score is not None,
        "score_kind": words(f"score.{kind}"),
        "extra": extra,
        "reasons": reasons,
    }


def _model_row(analysis: Analysis, index: int, short: dict[str, str], words: Words) -> dict[str, str]:
    model = analysis.models[index]
    return {
        "label": short[model.model_id],
        "model_id": printable(model.model_id),
        "weights": model.weights_sha256[:12],
        "score": wording.score(model.score, words),
        "logit": wording.logit(model.logit, words),
        "tracks": str(len(model.tracks)),
        "faces": f"{sum(len(track.frames) for track in model.tracks):,}",
        "reason": printable(model.reason) if model.reason else "",
    }


def _tracks(analysis: Analysis, short: dict[str, str], words: Words) -> dict[str, Any]:
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
                words("yes") if track.track_id in entitled else "–",
                f"{median(sizes):.0f}",
                f"{median(weights):.2f}",
                f"{sum(end - start for start, end in track.gaps_s):.2f}" if track.gaps_s else "–",
                *(
                    wording.score(scores[track.track_id].score if track.track_id in scores else None, words)
                    for scores in by_model
                ),
            ]
        )
    more = len(analysis.tracks) - len(shown)
    return {
        "models": [words("tracks.score", model=short[model.model_id]) for model in models],
        "rows": rows,
        "more": words("tracks.more", shown=len(shown), more=f"{more:,}") if more else "",
    }


def _timeline(
    entry: AnalysisEntry, stem: str, record: CaseRecord, short: dict[str, str], files: dict[str, bytes], words: Words
) -> dict[str, str]:
    analysis = entry.analysis
    if analysis.evidence.kind == "still":
        return {"file": "", "note": words("timeline.still")}
    if not analysis.tracks:
        return {"file": "", "note": words("timeline.no_face")}
    cards = {(model.model_id, model.weights_sha256): model.card for model in record.models}
    decisions = {
        model.model_id: card.thresholds
        for model in analysis.models
        if (card := cards.get((model.model_id, model.weights_sha256))) is not None
    }
    marks = [(frame.track_id, frame.pts_s, frame.number) for frame in entry.strong_frames]
    names = {
        model.model_id: f"{short[model.model_id]} {shortened(model.model_id, 40)}".replace(SOFT_BREAK, "")
        for model in analysis.models
    }
    figure_name = f"{stem}-timeline.svg"
    files[figure_name] = timeline_svg(analysis, decisions=decisions, marks=marks, model_labels=names, words=words)
    notes = []
    if not {model.model_id for model in voting(analysis.models)} <= set(decisions):
        notes.append(words("timeline.no_card"))
    drawn = drawn_models(analysis)
    left_out = [model for model in analysis.models if model not in drawn and any(one.frames for one in model.tracks)]
    if left_out:
        notes.append(words("timeline.left_out", models=", ".join(short[model.model_id] for model in left_out)))
    if thinned_lanes(analysis):
        notes.append(words("timeline.thinned"))
    return {"file": figure_name, "note": " ".join(notes)}


def _strong_frame(
    frame: StrongFrame, stem: str, short: dict[str, str], files: dict[str, bytes], words: Words
) -> dict[str, Any]:
    names = {}
    for kind, picture in (("frame", frame.frame_jpeg), ("crop", frame.crop_jpeg), ("overlay", frame.overlay_jpeg)):
        names[kind] = f"{stem}-{frame.number}-{kind}.jpg" if picture is not None else ""
        if picture is not None:
            files[names[kind]] = picture
    when = wording.seconds(frame.pts_s)
    told = {"when": when, "track": frame.track_id}
    return {
        **names,
        "frame_alt": unmarked(words("strong.frame_alt", **told)),
        "face_alt": unmarked(words("strong.face_alt", **told)),
        "heat_alt": unmarked(words("strong.heat_alt", **told)),
        "number": str(frame.number),
        "time": when,
        "pts": f"{frame.pts}",
        "index": f"{frame.frame_index}",
        "track": str(frame.track_id),
        "score": wording.score(frame.score, words),
        "model": short.get(frame.model_id, printable(frame.model_id)),
        "weight": f"{frame.weight:.2f}",
        "flags": ", ".join(words.known(f"flag.{flag}", printable(flag)) for flag in frame.flags),
        "missing": [printable(sentence) for sentence in frame.missing],
        "heat_test": _heat_test(frame, words),
    }


def _heat_test(frame: StrongFrame, words: Words) -> list[str]:
    """What taking the hottest places away did to the logit, in one sentence; empty where it was not tried."""
    test = frame.heat_test
    if test is None or frame.overlay_jpeg is None:
        return []
    outcome = "strong.hidden" if test.faithful else "strong.unfaithful"
    return [words(outcome, hot=wording.logit(test.hot, words), elsewhere=wording.logit(test.elsewhere, words))]


def _heat_scale(frames: tuple[StrongFrame, ...], words: Words) -> list[dict[str, str]]:
    """One entry a model and layer that drew a heatmap, with the magnitude at the hot end."""
    seen = {
        (frame.model_id, frame.heat_layer or "–", frame.heat_scale)
        for frame in frames
        if frame.overlay_jpeg is not None and frame.heat_scale is not None
    }
    return [
        {"top": f"{scale:.3g}", "text": words("strong.scale", model=printable(model_id), layer=printable(layer))}
        for model_id, layer, scale in sorted(seen)
    ]
