"""The facts of a container, from its box tree where it has one and from FFmpeg's demuxer everywhere."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from detector.evidence.forensics.container_tree import (
    BoxTree,
    compressor_name,
    edits,
    free_text,
    handler_name,
    item_text,
    timestamps,
    user_text,
)
from detector.evidence.forensics.programs import is_generic
from detector.evidence.forensics.types import ContainerFacts, StreamFacts, Timestamp
from detector.evidence.opening import open_video
from detector.evidence.text import shown
from detector.evidence.types import Evidence

NO_TREE = (
    "Boxes exist in MP4, MOV, 3GP, HEIC and AVIF files only; of this container FFmpeg's demuxer gives the streams, "
    "their times and the stated programs."
)
_DURATION = re.compile(r"(\d{2,4}):(\d\d):(\d\d(?:\.\d+)?)$")
_MAX_STREAMS, _MAX_TAGS, _MAX_TOOLS = 32, 24, 24
_TOOL_TAGS = (
    "encoder",
    "encoded_by",
    "software",
    "com.apple.quicktime.software",
    "muxer",
    "writing_app",
    "encoding_tool",
)
_DATE_TAGS = ("creation_time", "date", "com.apple.quicktime.creationdate", "date_utc")


@dataclass(frozen=True, slots=True)
class Opened:
    """The demuxer's account: the streams, and the container's tags (names in lower case)."""

    streams: tuple[StreamFacts, ...] = ()
    tags: dict[str, str] = field(default_factory=dict)


def read_streams(path: Path) -> Opened:
    """Raises what opening raises."""
    with open_video(path) as decoder:
        container = decoder.container
        tags = _tags(container.metadata)
        return Opened(tuple(_stream(stream) for stream in list(container.streams)[:_MAX_STREAMS]), dict(tags))


def _stream(stream: Any) -> StreamFacts:
    codec = stream.codec_context
    base = stream.time_base
    details = list(_tags(stream.metadata))
    stated_s = _stated_duration_s(dict(details))
    if stream.type == "video" and codec is not None:
        details.append(("size", f"{codec.width} x {codec.height}"))
        if stream.average_rate:
            details.append(("average rate", f"{float(stream.average_rate):.3f} per second"))
    if stream.type == "audio" and codec is not None:
        details.append(("sound", f"{codec.sample_rate} Hz, {codec.channels} channel(s)"))
    return StreamFacts(
        index=stream.index,
        kind=stream.type,
        codec=codec.codec.canonical_name if codec is not None else "unknown",
        profile=shown(stream.profile, 60) if getattr(stream, "profile", None) else None,
        start_s=None if stream.start_time is None or base is None else round(float(stream.start_time * base), 6),
        duration_s=stated_s if stream.duration is None or base is None else round(float(stream.duration * base), 6),
        bit_rate=(codec.bit_rate or None) if codec is not None else None,
        frames=stream.frames or None,
        details=tuple(details[:_MAX_TAGS]),
    )


def _stated_duration_s(tags: dict[str, str]) -> float | None:
    """Matroska's writers state each track's length as a tag: "00:01:02.345000000"."""
    found = _DURATION.match(tags.get("duration", ""))
    return None if found is None else round(3_600 * int(found[1]) + 60 * int(found[2]) + float(found[3]), 6)


def _tags(metadata: dict[str, str]) -> Iterable[tuple[str, str]]:
    for name, value in sorted(metadata.items())[:_MAX_TAGS]:
        yield shown(name, 60).lower(), shown(value)


def container_facts(
    evidence: Evidence, tree: BoxTree | None, opened: Opened, signatures: tuple[str, ...], content_end: int | None
) -> ContainerFacts:
    """`tree` None where the format has no boxes; `signatures` are the encoders named in the stream itself;
    `content_end` where the structure of a file without boxes ends, None where that is not known."""
    tail_bytes = 0 if content_end is None else evidence.file.size_bytes - content_end
    fields = tree.fields if tree else []
    named = [text for key in _TOOL_TAGS if (text := opened.tags.get(key))]
    named += [item_text(one) for one in fields if one.type == b"data" and one.path[-1:] == (b"\xa9too",)]
    named += [user_text(one) for one in fields if one.path[-1:] == (b"udta",) and one.type in (b"\xa9too", b"\xa9swr")]
    writer = next((text for text in named if text), None)
    named += [name for one in fields if one.type == b"hdlr" and not is_generic(name := handler_name(one))]
    named += [compressor_name(one) for one in fields if one.type == b"stsd"]
    named += [free_text(one) for one in fields if one.type in (b"free", b"skip") and len(one.content) > 8]
    named += [text for stream in opened.streams for key, text in stream.details if key in _TOOL_TAGS]
    named += [
        text
        for stream in opened.streams
        for key, text in stream.details
        if key == "handler_name" and not is_generic(text)
    ]
    named += [re.split(r" - (?:H\.26|options)", signature)[0] for signature in signatures]
    kinds = [kind for kind, _, _ in tree.top] if tree else []
    moov = kinds.index(b"moov") if b"moov" in kinds else None
    mdat = kinds.index(b"mdat") if b"mdat" in kinds else None
    return ContainerFacts(
        format=evidence.container.format_name,
        boxes=tuple(tree.boxes) if tree else (),
        boxes_total=tree.total if tree else 0,
        boxes_reason=None if tree else NO_TREE,
        brands=_brands(tree) if tree else (),
        encoder=shown(writer, 200) if writer else None,
        encoder_settings=next((text for text in signatures if "options:" in text), None),
        tools=tuple(dict.fromkeys(shown(text, 160) for text in named if text))[:_MAX_TOOLS],
        timestamps=(*(timestamps(fields)), *_stated_times(opened)),
        edits=tuple(edits(fields)),
        index_first=None if moov is None or mdat is None else moov < mdat,
        fragments=kinds.count(b"moof"),
        trailing_bytes=tree.trailing_bytes if tree else tail_bytes,
        unknown_boxes=tuple(
            f"{name} ({count})" if count > 1 else name for name, count in list(tree.unknown.items())[:20]
        )
        if tree
        else (),
    )


def _brands(tree: BoxTree) -> tuple[str, ...]:
    content = next((one.content for one in tree.fields if one.type == b"ftyp" and not one.path), b"")
    found = [content[:4], *(content[at : at + 4] for at in range(8, min(len(content), 104), 4))]
    return tuple(dict.fromkeys(shown(brand, 8) for brand in found if len(brand) == 4 and brand.strip(b"\0 ")))


def _stated_times(opened: Opened) -> tuple[Timestamp, ...]:
    return tuple(Timestamp(f"tag {key}", "created", opened.tags[key]) for key in _DATE_TAGS if key in opened.tags)
