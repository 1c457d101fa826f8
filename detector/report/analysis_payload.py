"""An analysis as plain data for the templates: its conclusion, figures and tables."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median

from detector.analysis.family import family_statement
from detector.analysis.strength import thresholds_in_force
from detector.analysis.types import Analysis, Conclusion, ModelResult
from detector.analysis.voting import voting
from detector.report import wording
from detector.report.language import Words
from detector.report.lead import lead_sentence
from detector.report.over_time import over_time_svg
from detector.report.parts_payload import (
    CueData,
    Facts,
    ForensicsData,
    MemberData,
    ProvenanceData,
    cues_data,
    forensics_data,
    members_data,
    provenance_data,
    sync_data,
)
from detector.report.printable import SOFT_BREAK, printable, shortened
from detector.report.record import AnalysisEntry, CaseRecord, StrongFrame
from detector.report.sensitivity_payload import SensitivityData, repeats_text, sensitivity_data
from detector.report.sentences import names_in, runtime_text, told
from detector.report.strength_payload import StrengthData, strength_data
from detector.report.strongest import deciding
from detector.report.timeline import drawn_models, ranked_tracks, thinned_lanes, timeline_svg

MAX_TRACK_ROWS = 10
_MOST_REASON_CHARS = 900


@dataclass(frozen=True, slots=True)
class ReasonData:
    """A reason, also cut `short`; in another language than English after a `head` of its own."""

    head: str
    text: str
    short: str


@dataclass(frozen=True, slots=True)
class ConclusionData:
    """The label with its word and meaning, in one sentence what it comes to (`lead`), the score as it is written, and
    the reasons."""

    label: str
    word: str
    meaning: str
    lead: str
    score: str
    scored: bool
    score_kind: str
    extra: list[str]
    reasons: list[ReasonData]


@dataclass(frozen=True, slots=True)
class ModelRow:
    """One model's result on the whole file; `family` says which family it reads, `repeats` what repeating the scoring
    gave, each empty where that is not told."""

    label: str
    model_id: str
    score: str
    logit: str
    tracks: str
    faces: str
    reason: str
    family: str
    repeats: str


@dataclass(frozen=True, slots=True)
class TracksData:
    """The tracks as rows, with a column a model named in `models`; `more` says how many were left out."""

    models: list[str]
    rows: list[list[str]]
    more: str


@dataclass(frozen=True, slots=True)
class TimelineData:
    """The figure's name, empty where there is none, and a note on it."""

    file: str
    note: str


@dataclass(frozen=True, slots=True)
class FrameData:
    """One of the strongest faces; `frame`, `crop` and `overlay` name pictures and are empty where there is none."""

    frame: str
    crop: str
    overlay: str
    frame_alt: str
    face_alt: str
    heat_alt: str
    number: str
    time: str
    pts: str
    index: str
    track: str
    score: str
    model: str
    weight: str
    flags: str
    missing: list[str]
    heat_test: list[str]


@dataclass(frozen=True, slots=True)
class HeatScale:
    """The magnitude at the hot end of a colour scale, and whose it is."""

    top: str
    text: str


@dataclass(frozen=True, slots=True)
class AnalysisData:
    """One analysis; `missing` says of each part why it is not there."""

    title: str
    record_id: str
    analysis_id: str
    made: str
    tool: str
    runtime: str
    examined: str
    settings: Facts
    settings_sha256: str
    conclusion: ConclusionData
    models: list[ModelRow]
    tracks: TracksData
    timeline: TimelineData
    frames: list[FrameData]
    heat_scale: list[HeatScale]
    heat_tested: str
    cues: list[CueData]
    members: list[MemberData]
    sync: list[list[str]]
    sync_more: str
    over_time: str
    watched: bool
    missing: dict[str, str]
    forensics: ForensicsData
    provenance: ProvenanceData
    strength: StrengthData
    absent: str
    sensitivity: SensitivityData


@dataclass(frozen=True, slots=True)
class _Writer:
    """The means with which an analysis is written: `short` are the models' names by id, `stem` begins the names of its
    pictures, and `files` receives them."""

    record: CaseRecord
    words: Words
    files: dict[str, bytes]
    figures: bool
    stem: str
    short: dict[str, str]


def model_labels(record: CaseRecord) -> dict[tuple[str, str], str]:
    """The name of each model by (id, weights SHA-256): its card's, else its id; told apart by a number where two have
    the same."""
    labels: dict[tuple[str, str], str] = {}
    for model in record.models:
        name = shortened(model.card.name if model.card is not None else model.model_id, 40)
        taken = sum(label == name or label.startswith(f"{name} (") for label in labels.values())
        labels[model.model_id, model.weights_sha256] = f"{name} ({taken + 1})" if taken else name
    return labels


def analysis_data(
    entry: AnalysisEntry,
    title: str,
    stem: str,
    record: CaseRecord,
    files: dict[str, bytes],
    words: Words,
    *,
    figures: bool,
) -> AnalysisData:
    """`stem` begins the names of its pictures, which `files` receives; without `figures` none is drawn."""
    analysis = entry.analysis
    labels = model_labels(record)
    short = {model.model_id: labels[model.model_id, model.weights_sha256] for model in analysis.models}
    writer = _Writer(record, words, files, figures, stem, short)
    commit = f" (commit {analysis.tool.commit[:12]})" if analysis.tool.commit else ""
    sync, sync_more = sync_data(analysis, words)
    return AnalysisData(
        title=title,
        record_id=printable(entry.saved.record_id),
        analysis_id=printable(analysis.analysis_id),
        made=wording.time(entry.saved.created_at),
        tool=printable(f"{analysis.tool.name} {analysis.tool.version}{commit}"),
        runtime=runtime_text(analysis, words),
        examined=words(
            "analysis.examined",
            frames=f"{analysis.frames_examined:,}",
            faces=f"{sum(len(track.faces) for track in analysis.tracks):,}",
            tracks=f"{len(analysis.tracks):,}",
            shots=f"{len(analysis.shot_starts_s):,}" if analysis.shot_starts_s else "–",
        ),
        settings=[
            (words.known(f"setting.{name}", name.replace("_", " ")), wording.number(value, words))
            for name, value in analysis.settings.to_dict().items()
        ],
        settings_sha256=analysis.settings.sha256,
        conclusion=conclusion_data(analysis, words),
        models=[_model_row(model, analysis.conclusion, writer) for model in analysis.models],
        tracks=_tracks(analysis, writer),
        timeline=_timeline(entry, writer) if figures else TimelineData("", ""),
        frames=[_strong_frame(frame, writer) for frame in entry.strong_frames],
        heat_scale=_heat_scale(entry.strong_frames, short, words),
        heat_tested=words(
            "strong.tested" if any(frame.heat_test for frame in entry.strong_frames) else "strong.untested"
        ),
        cues=cues_data(analysis, short, words),
        members=members_data(analysis, short, words),
        sync=sync,
        sync_more=sync_more,
        over_time=_over_time(analysis, writer) if figures else "",
        watched=any(track.attention is not None for model in analysis.models for track in model.tracks),
        missing={
            part: words("not_examined.because", reason=words(f"{part}.none"))
            for part in ("cues", "attention", "sync", "sensitivity", "strong", "tracks")
        },
        forensics=forensics_data(analysis.forensics, words),
        provenance=provenance_data(analysis.forensics.provenance if analysis.forensics else None, words),
        strength=strength_data(analysis, record, short, words),
        absent=_absent(analysis, words),
        sensitivity=sensitivity_data(analysis, words),
    )


def _absent(analysis: Analysis, words: Words) -> str:
    """One sentence on the parts that were not examined; empty where none is missing."""
    models = analysis.models
    there = {
        "cues": any(model.specialists for model in models),
        "attention": any(track.attention is not None for model in models for track in model.tracks),
        "sync": any(model.sync for model in models),
        "sensitivity": analysis.sensitivity is not None,
    }
    missing = [words(f"{part}.title") for part, found in there.items() if not found]
    return words("analysis.absent", parts="; ".join(missing)) if missing else ""


def _over_time(analysis: Analysis, writer: _Writer) -> str:
    """The name of the figure of what models saw over time; empty where none saw anything."""
    figure = over_time_svg(analysis, writer.short, words=writer.words)
    if figure is None:
        return ""
    name = f"{writer.stem}-over-time.svg"
    writer.files[name] = figure
    return name


def conclusion_data(analysis: Analysis, words: Words) -> ConclusionData:
    """In another language than English each reason follows a heading of its own."""
    conclusion = analysis.conclusion
    extra = []
    if conclusion.calibrated and conclusion.likelihood_ratio is not None:
        extra.append(words("score.ratio", ratio=f"{conclusion.likelihood_ratio:.2g}"))
    if conclusion.interval is not None:
        low, high = conclusion.interval
        extra.append(words("score.interval", low=f"{low:.2g}", high=f"{high:.2g}"))
    if conclusion.member_spread is not None:
        extra.append(words("score.members", spread=f"{conclusion.member_spread:.2f}"))
    kind = "none" if conclusion.score is None else "calibrated" if conclusion.calibrated else "uncalibrated"
    reasons = []
    names = names_in(analysis)
    for reason in conclusion.reasons:
        head = "" if words.language == "en" else words.known(f"reason.{reason.code}", words("reason.other"))
        text = told(shortened(reason.text, _MOST_REASON_CHARS) if words.language == "en" else reason.text, words, names)
        short = shortened(reason.text, 190) if words.language == "en" else text
        reasons.append(ReasonData(head, text, short))
    return ConclusionData(
        label=conclusion.label,
        word=words(f"label.{conclusion.label}"),
        meaning=words(f"meaning.{conclusion.label}"),
        lead=lead_sentence(analysis, words),
        score=wording.score(conclusion.score, words),
        scored=conclusion.score is not None,
        score_kind=words(f"score.{kind}"),
        extra=extra,
        reasons=reasons,
    )


def _model_row(model: ModelResult, conclusion: Conclusion, writer: _Writer) -> ModelRow:
    return ModelRow(
        label=writer.short[model.model_id],
        model_id=printable(model.model_id),
        score=wording.score(model.score, writer.words),
        logit=wording.logit(model.logit, writer.words),
        tracks=str(len(model.tracks)),
        faces=f"{sum(len(track.frames) for track in model.tracks):,}",
        reason=told(model.reason, writer.words, otherwise="recorded.failed") if model.reason else "",
        family=_family(model, conclusion, writer),
        repeats=repeats_text(model, writer.words),
    )


def _family(model: ModelResult, conclusion: Conclusion, writer: _Writer) -> str:
    """One sentence: what a manipulated face looks most like, and how often that was right where it was measured."""
    entries = (one for one in writer.record.models if one.weights_sha256 == model.weights_sha256)
    card = next((one.card for one in entries if one.model_id == model.model_id), None)
    said = family_statement(model, conclusion, card)
    if said is None:
        return ""
    words = writer.words
    named = [f"{words(f'family.{one.family}')} {one.probability:.2f}" for one in said.readings]
    first = words(f"family.{said.readings[0].family}")
    return words("family.read", families=", ".join(named), family=first, read=said.read, right=said.right)


def _tracks(analysis: Analysis, writer: _Writer) -> TracksData:
    words = writer.words
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
    return TracksData(
        models=[words("tracks.score", model=writer.short[model.model_id]) for model in models],
        rows=rows,
        more=words("tracks.more", shown=len(shown), more=f"{more:,}") if more else "",
    )


def _timeline(entry: AnalysisEntry, writer: _Writer) -> TimelineData:
    analysis, words, short = entry.analysis, writer.words, writer.short
    if analysis.evidence.kind == "still":
        return TimelineData("", words("timeline.still"))
    if not analysis.tracks:
        return TimelineData("", words("timeline.no_face"))
    cards = {(model.model_id, model.weights_sha256): model.card for model in writer.record.models}
    decisions = {
        model.model_id: thresholds_in_force(model.model_id, card.thresholds, analysis.calibration)
        for model in analysis.models
        if (card := cards.get((model.model_id, model.weights_sha256))) is not None
    }
    marks = [(frame.track_id, frame.pts_s, frame.number) for frame in entry.strong_frames]
    names = {model.model_id: short[model.model_id].replace(SOFT_BREAK, "") for model in analysis.models}
    name = f"{writer.stem}-timeline.svg"
    writer.files[name] = timeline_svg(analysis, decisions=decisions, marks=marks, model_labels=names, words=words)
    notes = []
    if not {model.model_id for model in voting(analysis.models)} <= set(decisions):
        notes.append(words("timeline.no_card"))
    drawn = drawn_models(analysis)
    left_out = [model for model in analysis.models if model not in drawn and any(one.frames for one in model.tracks)]
    if left_out:
        notes.append(words("timeline.left_out", models=", ".join(short[model.model_id] for model in left_out)))
    if thinned_lanes(analysis):
        notes.append(words("timeline.thinned"))
    return TimelineData(name, " ".join(notes))


def _strong_frame(frame: StrongFrame, writer: _Writer) -> FrameData:
    words = writer.words

    def placed(kind: str, picture: bytes | None) -> str:
        if picture is None:
            return ""
        name = f"{writer.stem}-{frame.number}-{kind}.jpg"
        writer.files[name] = picture
        return name

    when = wording.seconds(frame.pts_s)
    return FrameData(
        frame=placed("frame", frame.frame_jpeg),
        crop=placed("crop", frame.crop_jpeg),
        overlay=placed("overlay", frame.overlay_jpeg),
        frame_alt=words.plain("strong.frame_alt", when=when, track=frame.track_id),
        face_alt=words.plain("strong.face_alt", when=when, track=frame.track_id),
        heat_alt=words.plain("strong.heat_alt", when=when, track=frame.track_id),
        number=str(frame.number),
        time=when,
        pts=str(frame.pts),
        index=str(frame.frame_index),
        track=str(frame.track_id),
        score=wording.score(frame.score, words),
        model=writer.short.get(frame.model_id, printable(frame.model_id)),
        weight=f"{frame.weight:.2f}",
        flags=", ".join(words.known(f"flag.{flag}", printable(flag)) for flag in frame.flags),
        missing=[told(sentence, words, otherwise="recorded.no_picture") for sentence in frame.missing],
        heat_test=_heat_test(frame, words),
    )


def _heat_test(frame: StrongFrame, words: Words) -> list[str]:
    """One sentence on what taking the hottest places away did to the logit; empty where it was not tried."""
    test = frame.heat_test
    if test is None or frame.overlay_jpeg is None:
        return []
    outcome = "strong.hidden" if test.faithful else "strong.unfaithful"
    return [words(outcome, hot=wording.logit(test.marked, words), random=wording.logit(test.mean_drawn, words))]


def _heat_scale(frames: tuple[StrongFrame, ...], short: dict[str, str], words: Words) -> list[HeatScale]:
    """One entry a model that drew a heatmap, with the magnitude at the hot end."""
    seen = {
        (frame.model_id, frame.heat_scale)
        for frame in frames
        if frame.overlay_jpeg is not None and frame.heat_scale is not None
    }
    return [
        HeatScale(f"{scale:.3g}", words("strong.scale", model=short.get(model_id, printable(model_id))))
        for model_id, scale in sorted(seen)
    ]
