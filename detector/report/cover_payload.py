"""The first page as plain data for the templates: who asked what, what was received, the examiner's opinion with the
program's finding beside it, one picture, the strength on its scale, and who stands for the report."""

from __future__ import annotations

from dataclasses import dataclass

from detector.calibration.likelihood import NO_SUPPORT, SUPPORT_CODES, VERBAL_SCALE, verbal
from detector.cases.statements import Opinion
from detector.report import wording
from detector.report.analysis_payload import ConclusionData
from detector.report.exhibit_payload import ExhibitData
from detector.report.language import Words
from detector.report.lead import lead_text
from detector.report.parts_payload import Facts
from detector.report.printable import printable_lines, shortened
from detector.report.record import CaseRecord, ExhibitEntry

_MOST_OPINION_CHARS = 700


@dataclass(frozen=True, slots=True)
class OpinionBrief:
    """The newest opinion on an exhibit: `how` says whether scores had been seen, `earlier` how many came before."""

    verdict: str
    author: str
    when: str
    how: str
    lines: list[str]
    earlier: str


@dataclass(frozen=True, slots=True)
class BriefData:
    """An exhibit on the first page: how it was received, the newest opinion (None where there is none), and the newest
    conclusion as support, that there were earlier ones, or in `none` why there is none."""

    number: str
    title: str
    name: str
    short_name: str
    sha256: str
    received: str
    opinion: OpinionBrief | None
    no_opinion: str
    conclusion: ConclusionData | None
    strength: str
    lines: list[str]
    none: str


@dataclass(frozen=True, slots=True)
class ScaleRow:
    """A step of the verbal scale; `here` names the exhibits whose ratio lies on it."""

    ratios: str
    words: str
    here: str


@dataclass(frozen=True, slots=True)
class CoverData:
    """`mandate` says who asked what, `picture` names one picture of the case with its caption; `scale` is empty where
    no ratio is stated. `review` is the second examiner's finding. `declared` where the examiner signed and nothing was
    changed since; else `draft` says what is missing."""

    mandate: Facts
    picture: str
    caption: str
    scale: list[ScaleRow]
    review: str
    draft: str
    declared: bool


def brief_data(entry: ExhibitEntry, exhibit: ExhibitData, record: CaseRecord, words: Words) -> BriefData:
    """What the first page says of an exhibit."""
    conclusion, strength, lines, none = None, "", [], ""
    if exhibit.analyses:
        latest, analyses = exhibit.analyses[-1], entry.analyses
        conclusion = latest.conclusion
        strength = lead_text(analyses[-1].analysis, words)
        key, told = ("brief.analysis", {}) if len(analyses) == 1 else ("brief.newest", {"count": len(analyses)})
        lines.append(words(key, record=latest.record_id, when=latest.made, **told))
        # An earlier conclusion must not vanish behind a newer one.
        lines += [
            words(
                "brief.earlier",
                record=earlier.record_id,
                when=earlier.made,
                label=earlier.conclusion.word,
                score=earlier.conclusion.score,
            )
            for earlier in exhibit.analyses[:-1]
        ]
    else:
        kind = "withheld" if exhibit.withheld else "unreadable" if exhibit.unreadable else "no_analysis"
        none = words(f"brief.{kind}")
    return BriefData(
        number=exhibit.number,
        title=words("brief.exhibit", number=exhibit.number),
        name=exhibit.name,
        short_name=exhibit.short_name,
        sha256=exhibit.hashes[0][1],
        received=_received(entry, words),
        opinion=_newest_opinion(entry, record, words),
        no_opinion=words("cover.opinion_withheld" if entry.withheld else "cover.no_opinion"),
        conclusion=conclusion,
        strength=strength,
        lines=[*exhibit.findings, *lines],
        none=none,
    )


def cover_data(record: CaseRecord, exhibits: list[ExhibitData], words: Words) -> CoverData:
    """What the first page says of the case."""
    case = record.case
    picture, caption = _picture(record, exhibits, words)
    first = record.sign_off.examiner if record.sign_off is not None else None
    declared = first is not None and record.sign_off is not None and not record.sign_off.changed_since
    return CoverData(
        mandate=[
            (words("fact.question"), shortened(case.question, 900) if case.question else words("question.none")),
        ],
        picture=picture,
        caption=caption,
        scale=_scale(record, words),
        review=_review(record, words),
        draft="" if declared else words("cover.draft_changed" if first is not None else "cover.draft"),
        declared=declared,
    )


def _received(entry: ExhibitEntry, words: Words) -> str:
    """From whom, how and when an exhibit came, in one line; when the store took it in where that is all there is."""
    exhibit = entry.exhibit
    told = {
        "sender": exhibit.received_from,
        "way": exhibit.received_how,
        "when": exhibit.received_when,
    }
    said = [words(f"received.{name}", value=shortened(value, 90)) for name, value in told.items() if value]
    said.append(words("received.stored", when=wording.time(exhibit.added_at)))
    return "; ".join(said)


def _newest_opinion(entry: ExhibitEntry, record: CaseRecord, words: Words) -> OpinionBrief | None:
    found = [one for one in record.opinions if one.exhibit_id == entry.exhibit.exhibit_id]
    if not found:
        return None
    newest = found[-1]
    return OpinionBrief(
        verdict=words(f"verdict.{newest.verdict}").capitalize(),
        author=shortened(newest.author, 60),
        when=wording.time(newest.created_at),
        how=_how(newest, words),
        lines=printable_lines(newest.text[:_MOST_OPINION_CHARS]) if newest.text else [],
        earlier=words("brief.earlier_opinions", count=len(found) - 1) if len(found) > 1 else "",
    )


def _how(opinion: Opinion, words: Words) -> str:
    if opinion.blind:
        return words("statements.blind")
    return words("statements.after", names=shortened(", ".join(opinion.scores_opened_by), 120))


def _picture(record: CaseRecord, exhibits: list[ExhibitData], words: Words) -> tuple[str, str]:
    """The frame of the highest-scoring face of the case, or a frame that says nothing of scores."""
    shown = [
        (strong.score, frame, exhibit)
        for entry, exhibit in zip(record.exhibits, exhibits, strict=True)
        if entry.analyses
        for strong, frame in zip(entry.analyses[-1].strong_frames, exhibit.analyses[-1].frames, strict=True)
        if frame.frame
    ]
    if shown:
        _, frame, exhibit = max(shown, key=lambda one: one[0])
        return frame.frame, words("cover.strongest", number=exhibit.number, when=frame.time, score=frame.score)
    neutral = next((exhibit for exhibit in exhibits if exhibit.picture), None)
    return (neutral.picture, words("cover.neutral", number=neutral.number)) if neutral else ("", "")


def _scale(record: CaseRecord, words: Words) -> list[ScaleRow]:
    """The verbal scale of the ENFSI guideline (2015) from the weakest step on, with the exhibits that lie on each."""
    ratios = {
        entry.exhibit.number: found.likelihood_ratio
        for entry in record.exhibits
        if entry.analyses
        and (found := entry.analyses[-1].analysis.conclusion).calibrated
        and found.likelihood_ratio is not None
    }
    if not ratios:
        return []
    steps = [(1.0, NO_SUPPORT), *reversed(VERBAL_SCALE)]
    ends = [least for least, _ in steps[1:]]
    rows = []
    for (least, said), end in zip(steps, [*ends, None], strict=True):
        on = [f"{number} ({'+' if ratio >= 1 else '−'})" for number, ratio in ratios.items() if verbal(ratio) == said]
        span = f"{least:,.0f} – {end:,.0f}" if end is not None else f"> {least:,.0f}"
        rows.append(ScaleRow(span, words(f"support.{SUPPORT_CODES[said]}"), ", ".join(on)))
    return rows


def _review(record: CaseRecord, words: Words) -> str:
    """What the second examiner stated; that there was no review where nobody signed as one."""
    second = record.sign_off.second_examiner if record.sign_off is not None else None
    if second is None:
        return words("cover.no_review")
    return words(
        "cover.review",
        author=shortened(second.author, 80),
        when=wording.time(second.created_at),
        text=shortened(second.statement, 300),
    )
