"""One exhibit as plain data for the template: the file's facts, and its analyses."""

from __future__ import annotations

from typing import Any

from detector.report import wording
from detector.report.analysis_payload import analysis_data
from detector.report.printable import printable
from detector.report.record import CaseRecord, ExhibitEntry

_MAX_TAGS = 24


def exhibit_data(entry: ExhibitEntry, record: CaseRecord, files: dict[str, bytes]) -> dict[str, Any]:
    """`files` receives the pictures under the names that the returned data uses."""
    exhibit, evidence = entry.exhibit, entry.exhibit.evidence
    tags = evidence.container.tags
    more = f"{len(tags) - _MAX_TAGS} more are in the case export." if len(tags) > _MAX_TAGS else ""
    integrity = evidence.integrity
    return {
        "number": str(exhibit.number),
        "name": printable(exhibit.file_name),
        "hashes": [("SHA-256", evidence.file.sha256), ("MD5", evidence.file.md5)],
        "facts": _facts(entry),
        "integrity": f"{wording.count(integrity.decode_errors, 'decoder complaint')} when the file was taken in.",
        "warnings": [printable(warning) for warning in integrity.warnings],
        "tags": [(printable(key), printable(value)) for key, value in tags[:_MAX_TAGS]],
        "tags_more": more,
        "problem": printable(entry.original_problem) if entry.original_problem else "",
        "unreadable": [
            printable(
                f"The analysis {one.saved.record_id} of {wording.time(one.saved.created_at)} is on record "
                f"({wording.LABEL_WORDS[one.saved.label]}, score {wording.score(one.saved.score)}), but it cannot be "
                f"read: {one.problem}"
            )
            for one in entry.unreadable
        ],
        "analyses": [
            analysis_data(one, f"e{exhibit.number}a{index}", record, files)
            for index, one in enumerate(entry.analyses, start=1)
        ],
    }


def _facts(entry: ExhibitEntry) -> list[tuple[str, str]]:
    evidence = entry.exhibit.evidence
    video, audio, container = evidence.video, evidence.audio, evidence.container
    coded = f" (stored {video.coded_width} × {video.coded_height})"
    rotated = f", rotated {video.rotation_deg}°" if video.rotation_deg else ""
    different = (video.width, video.height) != (video.coded_width, video.coded_height)
    facts = [
        ("Size", wording.size(evidence.file.size_bytes)),
        ("Added", wording.time(entry.exhibit.added_at)),
        ("Container", printable(container.format_name)),
        ("Video codec", printable(video.codec + (f", {video.profile}" if video.profile else ""))),
        ("Frame size", f"{video.width} × {video.height} px{coded if different else ''}{rotated}"),
        ("Pixel format", printable(f"{video.pixel_format}, {video.bit_depth} bit")),
    ]
    if evidence.kind == "video":
        rate = "variable" if video.variable_frame_rate else "constant"
        average = f"{video.average_fps:.3f} per second, " if video.average_fps else ""
        every = f", every {video.keyframe_interval_s:.2f} s" if video.keyframe_interval_s else ""
        facts += [
            ("Duration", wording.seconds(video.duration_s)),
            ("Frames", f"{video.frame_count:,}"),
            ("Frame rate", f"{average}{rate}"),
            ("Time base", f"{video.time_base.numerator}/{video.time_base.denominator} s"),
            ("Key frames", f"{video.keyframe_count:,}{every}"),
            ("Colour", printable(", ".join(filter(None, (video.colour_space, video.colour_range))) or "not stated")),
            (
                "Sound",
                printable(f"{audio.codec}, {audio.sample_rate_hz:,} Hz, {wording.count(audio.channels, 'channel')}")
                if audio
                else "none",
            ),
            ("Bit rate", f"{container.bit_rate / 1000:,.0f} kbit/s" if container.bit_rate else "not stated"),
        ]
    else:
        facts += [("Kind", "still picture"), ("Colour", printable(video.colour_space or "not stated"))]
    return facts
