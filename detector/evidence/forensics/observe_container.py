"""Observations of a container: who wrote it, when it says so, in what order, and what does not fit."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path, PurePath

from detector.evidence.forensics.container_tree import MAC_TO_UNIX_S, BoxTree
from detector.evidence.forensics.meaning import state
from detector.evidence.forensics.programs import Program, program_of
from detector.evidence.forensics.trailing_data import is_zero_from
from detector.evidence.forensics.types import ContainerFacts, Observation, Timestamp
from detector.evidence.signature import HEAD_BYTES, identify
from detector.evidence.text import listed, shown
from detector.evidence.types import Evidence

# Trimming to a keyframe's neighbourhood, B pictures and sound priming all hide less than this.
_HIDDEN_S = 0.5
_SAME_TIME = timedelta(seconds=60)
_EARLIEST = datetime(1990, 1, 1, tzinfo=UTC)
_DEVICE_TAGS = ("make", "model", "com.apple.quicktime.make", "com.apple.quicktime.model", "com.android.manufacturer",
                "com.android.model", "com.android.version")  # fmt: skip


def observe_container(
    path: Path, evidence: Evidence, facts: ContainerFacts, tree: BoxTree | None, tags: dict[str, str]
) -> Iterator[Observation]:
    """Observations of the container, most telling groups first within the file's own order."""
    with path.open("rb") as stream:
        signature = identify(stream.read(HEAD_BYTES))
    extension = PurePath(evidence.file.file_name).suffix.lower().lstrip(".")
    if extension and signature.extensions and extension not in signature.extensions:
        yield state("name_mismatch", f"The name ends in “.{shown(extension, 16)}”; the content is {signature.label}.")
    yield from _programs(evidence, facts, tags)
    yield from _times(evidence, facts)
    if tree is not None:
        yield from _structure(facts, tree)
        yield from _edits(facts)
    if facts.trailing_bytes:
        yield _tail(path, evidence, facts)


def _programs(evidence: Evidence, facts: ContainerFacts, tags: dict[str, str]) -> Iterator[Observation]:
    if evidence.kind == "still":
        return  # a still's programs are in its metadata
    if not facts.tools:
        yield state("no_program_named", "Neither the container nor the streams name the program that wrote them.")
        return
    programs = {text: program_of(text) for text in facts.tools}
    texts: dict[Program | None, list[str]] = {}
    for text, one in programs.items():
        texts.setdefault(one, []).append(f"“{text}”")
    described = [
        f"{listed(named)}{f' ({one.name}: {one.role})' if one else ''}" for one, named in list(texts.items())[:6]
    ]
    yield state("program_named", f"{'; '.join(described)}.")
    writer = program_of(facts.encoder or "")
    device = [tags[key] for key in _DEVICE_TAGS if key in tags]
    if device and (writer is None or writer.kind not in ("library", "editor", "platform")):
        yield state("device_stated", f"{listed(device, 4)}.")
    elif device and writer is not None:
        yield state(
            "recorder_and_software",
            f"The tags name {listed(device, 3)}, but the container was written by {writer.name} "
            f"(“{shown(facts.encoder, 60)}”).",
        )
    if writer is None or writer.kind != "library":
        return
    for text, one in programs.items():
        if one is not None and one.name != writer.name and text != facts.encoder and _names_tracks(one):
            yield state(
                "earlier_program",
                f"The container was written by {writer.name} (“{shown(facts.encoder, 60)}”), but a track is still "
                f"named “{shown(text, 80)}”, {one.role}.",
            )
            return


def _names_tracks(program: Program) -> bool:
    """Whether it names tracks in files that it writes; coding libraries only sign streams, in other programs' files."""
    packers = ("MainConcept", "GPAC (MP4Box)", "Bento4")
    return program.kind in ("platform", "recorder", "editor") or program.name in packers


def _times(evidence: Evidence, facts: ContainerFacts) -> Iterator[Observation]:
    raw = [one for one in facts.timestamps if one.raw is not None]
    stated = [(one, when) for one in facts.timestamps if (when := _when(one)) is not None]
    if raw and not any(one.raw for one in raw):
        yield state("times_unset", f"All {len(raw)} creation and modification times in the boxes are zero.")
    if not stated:
        return
    if len({when for _, when in stated}) == 1:
        finding = f"All {len(stated)} stated times are {stated[0][0].value}."
    else:
        finding = "; ".join(f"{one.where} {one.name} {one.value}" for one, _ in stated[:4])
        finding += f"; and {len(stated) - 4} more." if len(stated) > 4 else "."
    yield state("times_stated", finding)
    yield from _implausible(stated)
    created = [(one, when) for one, when in stated if one.name == "created" and one.raw is not None]
    if created:
        first, last = min(created, key=lambda item: item[1]), max(created, key=lambda item: item[1])
        if last[1] - first[1] > _SAME_TIME:
            yield state(
                "times_differ",
                f"{first[0].where} says created {first[0].value}, {last[0].where} says {last[0].value}.",
            )
    movie = {one.name: when for one, when in stated if one.where == "mvhd"}
    if len(movie) == 2:
        later = movie["modified"] - movie["created"]
        allowed = timedelta(seconds=evidence.video.duration_s) + _SAME_TIME
        if later > allowed:
            yield state("modified_later", f"The movie header says modified {_span(later)} after it was created.")
        elif later < -_SAME_TIME:
            yield state("times_differ", f"The movie header says modified {_span(-later)} before it was created.")


def _implausible(stated: list[tuple[Timestamp, datetime]]) -> Iterator[Observation]:
    odd = [(one, when) for one, when in stated if not _EARLIEST <= when <= datetime.now(UTC) + timedelta(days=1)]
    if not odd:
        return
    one, when = odd[0]
    sense = "in the future" if when > _EARLIEST else "before there was digital video"
    finding = f"{one.where} states {one.name} {one.value}, {sense}."
    if one.raw and when < _EARLIEST and (unix := _as_unix(one.raw)):
        finding += f" Counted from 1970 instead of 1904, it would be {unix}, so the writer may have used that epoch."
    yield state("time_implausible", finding)


def _when(one: Timestamp) -> datetime | None:
    try:
        found = datetime.fromisoformat((one.value or "").replace("Z", "+00:00"))
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _as_unix(raw: int) -> str | None:
    """The time if the field were seconds since 1970, where that is between 2000 and now."""
    if not 946_684_800 <= raw <= datetime.now(UTC).timestamp() or raw >= MAC_TO_UNIX_S + 946_684_800:
        return None
    return datetime.fromtimestamp(raw, UTC).isoformat().replace("+00:00", "Z")


def _span(length: timedelta) -> str:
    seconds = int(length.total_seconds())
    for size, word in ((86_400, "days"), (3_600, "hours"), (60, "minutes")):
        if seconds >= 2 * size:
            return f"{seconds // size:,} {word}"
    return f"{seconds} s"


def _structure(facts: ContainerFacts, tree: BoxTree) -> Iterator[Observation]:
    if facts.fragments:
        yield state("fragmented", f"{facts.fragments} fragment(s) (moof boxes) hold the media, besides the index.")
    elif facts.index_first is not None:
        where = "before" if facts.index_first else "behind"
        yield state("box_order", f"The index (moov) lies {where} the media data (mdat).")
    if (starts := [offset for kind, offset, _ in tree.top if kind == b"ftyp"])[1:]:
        yield state("second_start", f"A further file type box lies at byte {starts[1]:,}.")
    if facts.unknown_boxes:
        yield state("unknown_boxes", f"{listed(facts.unknown_boxes, 10)}.")
    problems = list(tree.cut_short)
    if tree.missing_bytes:
        problems.append(f"the last box reaches {tree.missing_bytes:,} bytes beyond the end of the file")
    if problems:
        yield state("broken_boxes", f"{'; '.join(problems)}.".capitalize())


def _tail(path: Path, evidence: Evidence, facts: ContainerFacts) -> Observation:
    start = evidence.file.size_bytes - facts.trailing_bytes
    if is_zero_from(path, start):
        return state("trailing_zeros", f"{facts.trailing_bytes:,} zero bytes follow the end, at byte {start:,}.")
    with path.open("rb") as stream:
        stream.seek(start)
        kind = identify(stream.read(HEAD_BYTES))
    look = f", which begin like {kind.label}" if kind.kind != "unknown" else ""
    return state("trailing_data", f"{facts.trailing_bytes:,} bytes follow the end, at byte {start:,}{look}.")


def _edits(facts: ContainerFacts) -> Iterator[Observation]:
    for track in sorted({edit.track for edit in facts.edits}):
        entries = [edit for edit in facts.edits if edit.track == track]
        shown_parts = [edit for edit in entries if edit.media_time_s is not None]
        hidden_s = shown_parts[0].media_time_s or 0.0 if shown_parts else 0.0
        if hidden_s >= _HIDDEN_S:
            yield state("edit_hides", f"Track {track} holds {hidden_s:.2f} s before the point at which it is shown.")
        if len(shown_parts) > 1:
            yield state("edit_segments", f"The edit list of track {track} shows {len(shown_parts)} segments.")
