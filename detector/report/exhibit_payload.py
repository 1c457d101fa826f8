"""One exhibit as plain data for the template: the item received, and its analyses."""

from __future__ import annotations

from typing import Any

from detector.report import wording
from detector.report.analysis_payload import analysis_data
from detector.report.language import Words
from detector.report.printable import printable, printable_lines, shortened
from detector.report.record import CaseRecord, ExhibitEntry

_MAX_TAGS = 24


def exhibit_data(
    entry: ExhibitEntry, record: CaseRecord, files: dict[str, bytes], words: Words, *, figures: bool = True
) -> dict[str, Any]:
    """`files` receives the pictures under the names that the returned data uses."""
    exhibit, evidence = entry.exhibit, entry.exhibit.evidence
    tags = evidence.container.tags
    integrity = evidence.integrity
    count = len(entry.analyses)
    return {
        "number": str(exhibit.number),
        "title": words("exhibit.title", number=exhibit.number),
        "name": printable(exhibit.file_name),
        "short_name": shortened(exhibit.file_name, 60),
        "hashes": [("SHA-256", evidence.file.sha256), ("MD5", evidence.file.md5)],
        "facts": [*_received(entry, words), *_facts(entry, words)],
        "description": printable_lines(exhibit.description) if exhibit.description else [],
        "integrity": words("exhibit.integrity", count=f"{integrity.decode_errors:,}"),
        "warnings": [printable(warning) for warning in integrity.warnings],
        "tags": [(printable(key), printable(value)) for key, value in tags[:_MAX_TAGS]],
        "tags_more": words("and_more", count=len(tags) - _MAX_TAGS) if len(tags) > _MAX_TAGS else "",
        "problem": printable(entry.original_problem) if entry.original_problem else "",
        "withheld": entry.withheld,
        "unreadable": [
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
        "analyses": [
            {
                **analysis_data(one, f"e{exhibit.number}a{index}", record, files, words, figures=figures),
                "title": words("analysis.title", when=wording.time(one.saved.created_at))
                if count == 1
                else words(
                    "analysis.title_several", position=index, count=count, when=wording.time(one.saved.created_at)
                ),
            }
            for index, one in enumerate(entry.analyses, start=1)
        ],
    }


def _received(entry: ExhibitEntry, words: Words) -> list[tuple[str, str]]:
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


def _facts(entry: ExhibitEntry, words: Words) -> list[tuple[str, str]]:
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
