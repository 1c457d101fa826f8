"""An exhibit as plain data for the templates: the item received, its file, and the analyses of it."""

from __future__ import annotations

from dataclasses import dataclass

from detector.report import wording
from detector.report.analysis_payload import AnalysisData, analysis_data
from detector.report.language import Words
from detector.report.parts_payload import Facts
from detector.report.printable import printable, printable_lines, shortened
from detector.report.record import CaseRecord, ExhibitEntry

_MAX_TAGS = 24


@dataclass(frozen=True, slots=True)
class ExhibitData:
    """One exhibit. While its scores are `withheld` it has no analyses here."""

    number: str
    title: str
    name: str
    short_name: str
    hashes: Facts
    facts: Facts
    description: list[str]
    integrity: str
    warnings: list[str]
    tags: Facts
    tags_more: str
    problem: str
    findings: list[str]
    withheld: bool
    unreadable: list[str]
    analyses: list[AnalysisData]


def exhibit_data(
    entry: ExhibitEntry, record: CaseRecord, files: dict[str, bytes], words: Words, *, figures: bool = True
) -> ExhibitData:
    """`files` receives its pictures; without `figures` none is drawn."""
    exhibit, evidence = entry.exhibit, entry.exhibit.evidence
    tags = evidence.container.tags
    integrity = evidence.integrity
    count = len(entry.analyses)
    analyses = []
    for index, one in enumerate(entry.analyses, start=1):
        told = {"when": wording.time(one.saved.created_at)}
        title = words("analysis.title", **told)
        if count > 1:
            title = words("analysis.title_several", position=index, count=count, **told)
        analyses.append(analysis_data(one, title, f"e{exhibit.number}a{index}", record, files, words, figures=figures))
    return ExhibitData(
        number=str(exhibit.number),
        title=words("exhibit.title", number=exhibit.number),
        name=printable(exhibit.file_name),
        short_name=shortened(exhibit.file_name, 60),
        hashes=[("SHA-256", evidence.file.sha256), ("MD5", evidence.file.md5)],
        facts=[*_received(entry, words), *_file_facts(entry, words)],
        description=printable_lines(exhibit.description) if exhibit.description else [],
        integrity=words("exhibit.integrity", count=f"{integrity.decode_errors:,}"),
        warnings=[printable(warning) for warning in integrity.warnings],
        tags=[(printable(key), printable(value)) for key, value in tags[:_MAX_TAGS]],
        tags_more=words("and_more", count=len(tags) - _MAX_TAGS) if len(tags) > _MAX_TAGS else "",
        problem=printable(entry.original_problem) if entry.original_problem else "",
        findings=[printable(one.sentence) for one in entry.findings],
        withheld=entry.withheld,
        unreadable=[
            words(
                "exhibit.unreadable",
                record=printable(one.saved.record_id),
                when=wording.time(one.saved.created_at),
                label=words(f"label.{one.saved.label}"),
                score=wording.score(one.saved.score, words),
                problem=printable(one.problem),
            )
            for one in entry.unreadable
        ],
        analyses=analyses,
    )


def _received(entry: ExhibitEntry, words: Words) -> Facts:
    exhibit = entry.exhibit
    return [
        (words("exhibit.received_at"), wording.time(exhibit.added_at)),
        (words("exhibit.received_by"), printable(entry.received_by) if entry.received_by else words("not_stated")),
        (
            words("exhibit.reference"),
            printable(exhibit.reference) if exhibit.reference else words("not_stated"),
        ),
        (words("exhibit.size"), wording.size(exhibit.evidence.file.size_bytes, words)),
    ]


def _file_facts(entry: ExhibitEntry, words: Words) -> Facts:
    evidence = entry.exhibit.evidence
    video, audio, container = evidence.video, evidence.audio, evidence.container
    size = {"width": video.width, "height": video.height}
    stored = {"coded_width": video.coded_width, "coded_height": video.coded_height, "rotation": video.rotation_deg}
    as_stored = (video.width, video.height) == (video.coded_width, video.coded_height) and not video.rotation_deg
    facts = [
        (words("exhibit.container"), printable(container.format_name)),
        (words("exhibit.codec"), printable(video.codec + (f", {video.profile}" if video.profile else ""))),
        (
            words("exhibit.frame_size"),
            words("exhibit.frame_size_value", **size)
            if as_stored
            else words("exhibit.frame_size_stored", **size, **stored),
        ),
        (words("exhibit.pixel_format"), f"{printable(video.pixel_format)}, {video.bit_depth} {words('exhibit.bit')}"),
    ]
    if evidence.kind == "still":
        colour = printable(video.colour_space) if video.colour_space else words("not_stated")
        return [*facts, (words("exhibit.kind"), words("exhibit.still")), (words("exhibit.colour"), colour)]
    kind = words("exhibit.rate_variable" if video.variable_frame_rate else "exhibit.rate_constant")
    rate = words("exhibit.per_second", rate=f"{video.average_fps:.3f}", kind=kind) if video.average_fps else kind
    keys = f"{video.keyframe_count:,}"
    if video.keyframe_interval_s:
        keys = words("exhibit.key_frames_every", count=keys, seconds=f"{video.keyframe_interval_s:.2f} s")
    colours = ", ".join(filter(None, (video.colour_space, video.colour_range)))
    sound = words("none")
    if audio:
        sound = words(
            "exhibit.sound_value",
            codec=printable(audio.codec),
            rate=f"{audio.sample_rate_hz:,}",
            channels=audio.channels,
        )
    return [
        *facts,
        (words("exhibit.duration"), wording.seconds(video.duration_s, words)),
        (words("exhibit.frames"), f"{video.frame_count:,}"),
        (words("exhibit.frame_rate"), rate),
        (words("exhibit.time_base"), f"{video.time_base.numerator}/{video.time_base.denominator} s"),
        (words("exhibit.key_frames"), keys),
        (words("exhibit.colour"), printable(colours) if colours else words("not_stated")),
        (words("exhibit.sound"), sound),
        (
            words("exhibit.bit_rate"),
            f"{container.bit_rate / 1000:,.0f} kbit/s" if container.bit_rate else words("not_stated"),
        ),
    ]
