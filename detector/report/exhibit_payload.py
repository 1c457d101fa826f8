"""An exhibit as plain data for the templates: the item received, its file, and the analyses of it."""

from __future__ import annotations

from dataclasses import dataclass

from detector.report import wording
from detector.report.analysis_payload import AnalysisData, analysis_data
from detector.report.custody_payload import OpinionData, opinion_data
from detector.report.language import Words
from detector.report.parts_payload import Facts
from detector.report.printable import printable, printable_lines, shortened
from detector.report.record import CaseRecord, ExhibitEntry
from detector.report.sentences import told

MOST_NAME_CHARS = 400  # a longer one stands whole in the attached record
_MAX_TAGS, _MOST_WARNINGS, _MOST_CHARS, _MOST_OPINIONS, _MOST_EARLIER = 8, 6, 1_500, 3, 8
_MOST_ANNOTATIONS, _MOST_ANNOTATION_CHARS = 12, 300


@dataclass(frozen=True, slots=True)
class AnnotationData:
    """What somebody marked on a recording: `where` is the frame or the interval, `picture` names the frame with the box
    and is empty where none is shown."""

    where: str
    lines: list[str]
    author: str
    when: str
    picture: str
    alt: str


@dataclass(frozen=True, slots=True)
class ExhibitData:
    """One exhibit. While its scores are `withheld` it has no analyses here. `picture` names a frame that says nothing
    of scores, empty where there is another or none; `short` that it takes half a page: no face was scored, or nothing
    is to be said. `earlier` names the analyses before the newest, `opinions` are those on it, newest first. `squeeze`
    counts how often more was left out to keep to its pages."""

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
    picture: str
    short: bool
    squeeze: int
    opinions: list[OpinionData]
    earlier: list[str]
    annotations: list[AnnotationData]
    annotations_more: str
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
        made = {"when": wording.time(one.saved.created_at)}
        title = words("analysis.title", **made)
        if count > 1:
            title = words("analysis.title_several", position=index, count=count, **made)
        drawn = figures and index == count
        analyses.append(analysis_data(one, title, f"e{exhibit.number}a{index}", record, files, words, figures=drawn))
    annotations, left = _annotations(entry, record, files, words)
    picture = ""
    if entry.neutral_jpeg is not None:
        picture = f"e{exhibit.number}-neutral.jpg"
        files[picture] = entry.neutral_jpeg
    return ExhibitData(
        number=str(exhibit.number),
        title=words("exhibit.title", number=exhibit.number),
        name=shortened(exhibit.file_name, MOST_NAME_CHARS),
        short_name=shortened(exhibit.file_name, 60),
        hashes=[("SHA-256", evidence.file.sha256), ("MD5", evidence.file.md5)],
        facts=[*_received(entry, words), *_file_facts(entry, words)],
        description=printable_lines(exhibit.description[:_MOST_CHARS]) if exhibit.description else [],
        integrity=words("exhibit.integrity", count=f"{integrity.decode_errors:,}"),
        warnings=[shortened(warning, 300) for warning in integrity.warnings[:_MOST_WARNINGS]],
        tags=[(shortened(key, 60), shortened(value, 200)) for key, value in tags[:_MAX_TAGS]],
        tags_more=words("and_more", count=len(tags) - _MAX_TAGS) if len(tags) > _MAX_TAGS else "",
        problem=told(entry.original_problem, words, otherwise="recorded.altered") if entry.original_problem else "",
        findings=[printable(one.sentence) for one in entry.findings],
        picture=picture,
        short=not entry.analyses or not entry.analyses[-1].analysis.tracks,
        squeeze=0,
        opinions=[
            opinion_data(one, str(exhibit.number), words)
            for one in reversed([one for one in record.opinions if one.exhibit_id == exhibit.exhibit_id])
        ][:_MOST_OPINIONS],
        annotations=annotations,
        annotations_more=words("and_more", count=left) if left > 0 else "",
        earlier=[
            words(
                "brief.earlier",
                record=one.record_id,
                when=one.made,
                label=one.conclusion.word,
                score=one.conclusion.score,
            )
            for one in analyses[:-1][-_MOST_EARLIER:]
        ],
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


def _annotations(
    entry: ExhibitEntry, record: CaseRecord, files: dict[str, bytes], words: Words
) -> tuple[list[AnnotationData], int]:
    """What people marked on the exhibit, those with a picture first, and how many more there are."""
    exhibit, pictures = entry.exhibit, dict(entry.marked)
    found = [note for note in record.notes if note.annotation and note.exhibit_id == exhibit.exhibit_id]
    found.sort(key=lambda note: note.note_id not in pictures)
    shown = []
    for note in found[:_MOST_ANNOTATIONS]:
        start, end = (
            wording.seconds(None if pts is None else float(pts * exhibit.evidence.video.time_base), words)
            for pts in (note.pts, note.end_pts)
        )
        picture = ""
        if note.note_id in pictures:
            picture = f"e{exhibit.number}-{note.note_id}.jpg"
            files[picture] = pictures[note.note_id]
        shown.append(
            AnnotationData(
                where=start if note.end_pts is None else words("annotations.interval", start=start, end=end),
                lines=printable_lines(note.text[:_MOST_ANNOTATION_CHARS]),
                author=shortened(note.author, 60) if note.author else words("not_stated"),
                when=wording.time(note.created_at),
                picture=picture,
                alt=words.plain("annotations.alt", when=start),
            )
        )
    return shown, len(found) - len(shown)


def _received(entry: ExhibitEntry, words: Words) -> Facts:
    exhibit = entry.exhibit
    handed_in = (
        ("exhibit.received_from", exhibit.received_from),
        ("exhibit.received_how", exhibit.received_how),
        ("exhibit.received_when", exhibit.received_when),
    )
    return [
        *((words(key), printable(value)) for key, value in handed_in if value),
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
