"""The parts of an analysis as plain data for the templates: cues, members and windows behind its scores, and the
findings in the file itself."""

from __future__ import annotations

from dataclasses import dataclass

from detector.analysis.types import Analysis, SyncWindow, sigmoid
from detector.evidence.forensics.types import FileForensics, Observation, Provenance
from detector.report import wording
from detector.report.language import Words
from detector.report.printable import printable, shortened
from detector.report.sentences import told

MOST_WINDOWS = 6
_MOST_OBSERVATIONS = 6
_MOST_LINES = 12

Facts = list[tuple[str, str]]
"""Names and values, as a description list shows them."""


@dataclass(frozen=True, slots=True)
class CueData:
    """A cue and what it said; `text` is why it said nothing, else what the cue means."""

    cue: str
    title: str
    model: str
    score: str
    logit: str
    text: str


@dataclass(frozen=True, slots=True)
class MemberData:
    """A member of an ensemble and its share."""

    ensemble: str
    model: str
    cue: str
    score: str
    share: str
    reason: str


@dataclass(frozen=True, slots=True)
class ObservationData:
    """One observation of file forensics, with what it can mean and what it cannot."""

    title: str
    finding: str
    group: str
    attention: bool
    weight: str
    can: list[str]
    cannot: list[str]


@dataclass(frozen=True, slots=True)
class ForensicsData:
    """Findings in the file, or in `missing` why it was not looked at; `left` counts those that only the attached
    analysis holds."""

    missing: str
    facts: Facts
    observations: list[ObservationData]
    left: int
    limits: list[str]


@dataclass(frozen=True, slots=True)
class ProvenanceData:
    """The file's content credentials, or in `missing` why they were not looked at."""

    missing: str
    state: str
    text: str
    statement: str
    facts: Facts
    validation: Facts


def cues_data(analysis: Analysis, short: dict[str, str], words: Words) -> list[CueData]:
    """A row a cue; `short` are the models' short names by id."""
    return [
        CueData(
            cue=cue.cue,
            title=words(f"cue.{cue.cue}"),
            model=short[model.model_id],
            score=wording.score(cue.score, words),
            logit=wording.logit(cue.logit, words),
            text=told(cue.reason, words, otherwise="recorded.failed")
            if cue.reason
            else words(f"cue.{cue.cue}.meaning"),
        )
        for model in analysis.models
        for cue in model.specialists
    ]


def members_data(analysis: Analysis, short: dict[str, str], words: Words) -> list[MemberData]:
    """A row a member of each ensemble."""
    return [
        MemberData(
            ensemble=short[model.model_id],
            model=short.get(member.model_id, printable(member.model_id)),
            cue=words(f"cue.{member.cue}") if member.cue else "",
            score=wording.score(None if member.logit is None else sigmoid(member.logit), words),
            share="–" if member.weight is None else f"{member.weight:.0%}",
            reason=told(member.reason, words, otherwise="recorded.failed") if member.reason else "",
        )
        for model in analysis.models
        for member in model.members
    ]


def sync_data(analysis: Analysis, words: Words) -> tuple[list[list[str]], str]:
    """The windows of sound against mouth that stand out most, in order of time, and a sentence on those left out."""
    windows = [window for model in analysis.models for window in model.sync]
    strongest = sorted(windows, key=lambda window: (window.logit is None, -(window.logit or 0.0), window.start_s))
    shown = sorted(strongest[:MOST_WINDOWS], key=lambda window: window.start_s)
    more = words("sync.more", shown=len(shown), count=len(windows)) if len(shown) < len(windows) else ""
    return [_window(window, words) for window in shown], more


def _window(window: SyncWindow, words: Words) -> list[str]:
    return [
        f"{window.start_s:.2f} – {window.end_s:.2f}",
        wording.score(None if window.logit is None else sigmoid(window.logit), words),
        "–" if window.correlation is None else f"{round(window.correlation, 2) + 0.0:+.2f}",
        "–" if window.lag_s is None else f"{round(window.lag_s, 2) + 0.0:+.2f}",
    ]


def forensics_data(found: FileForensics | None, words: Words) -> ForensicsData:
    """Findings in the file, those that stand out first; `found` is None where it was not looked at."""
    if found is None:
        return ForensicsData(words("not_examined.because", reason=words("forensics.none")), [], [], 0, [])
    ranked = sorted(found.observations, key=lambda one: one.weight != "attention")
    return ForensicsData(
        missing="",
        facts=_file_facts(found, words),
        observations=[_observation(one, words) for one in ranked[:_MOST_OBSERVATIONS]],
        left=max(0, len(ranked) - _MOST_OBSERVATIONS),
        limits=[printable(limit) for limit in found.limits[:_MOST_LINES]],
    )


def _observation(one: Observation, words: Words) -> ObservationData:
    return ObservationData(
        title=printable(one.title),
        finding=shortened(one.finding, 300),
        group=words.known(f"forensics.group.{one.group}", one.group),
        attention=one.weight == "attention",
        weight=words(f"forensics.{one.weight}"),
        can=[printable(text) for text in one.can_mean],
        cannot=[printable(text) for text in one.cannot_mean],
    )


def _file_facts(found: FileForensics, words: Words) -> Facts:
    container, frames = found.container, found.frames
    facts = [
        (words("exhibit.container"), shortened(container.format, 80)),
        (words("forensics.boxes"), f"{container.boxes_total:,}"),
        (words("forensics.encoder"), shortened(container.encoder, 160) if container.encoder else words("not_stated")),
        (words("forensics.tools"), shortened(", ".join(container.tools), 200) if container.tools else words("none")),
    ]
    if frames is not None:
        types = frames.types
        counted = [f"{name} {count:,}" for name, count in (("I", types.I), ("P", types.P), ("B", types.B)) if count]
        facts.append((words("forensics.frame_types"), ", ".join(counted) or words("not_stated")))
    return facts


def provenance_data(found: Provenance | None, words: Words) -> ProvenanceData:
    """The file's content credentials in words; `found` is None where they were not looked at."""
    if found is None:
        return ProvenanceData(words("not_examined.because", reason=words("provenance.none")), "", "", "", [], [])
    named = (
        ("provenance.reason", found.reason),
        ("provenance.generator", found.claim_generator),
        ("provenance.signer", found.signer),
        ("provenance.signed_at", found.signed_at),
        ("provenance.actions", ", ".join(found.actions[:_MOST_LINES])),
    )
    return ProvenanceData(
        missing="",
        state=found.state,
        text=words(f"provenance.{found.state}"),
        statement=shortened(found.statement, 600),
        facts=[(words(key), shortened(value, 300)) for key, value in named if value],
        validation=[
            (shortened(one.code, 80), shortened(one.explanation, 300)) for one in found.validation[:_MOST_LINES]
        ],
    )
