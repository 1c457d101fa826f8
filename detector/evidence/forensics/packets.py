"""One pass over a video's packets: sizes, picture types and keyframes of the whole file; nothing is decoded."""

from __future__ import annotations

import re
from array import array
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from detector.evidence.forensics.picture_types import PictureTypes
from detector.evidence.forensics.types import Packets, Series
from detector.evidence.opening import open_video
from detector.evidence.text import shown

# Twelve hours at 60 pictures a second; a limit against files made to never end.
MAX_PACKETS = 2_600_000
MAX_POINTS = 900
_SIGNED_PACKETS, _SIGNED_BYTES = 3, 1 << 16
_MAX_RESTARTS = 200
# What encoders write into the stream itself: x264 and x265 with their settings, FFmpeg's and others' names.
_SIGNATURE = re.compile(
    rb"x264 - core [\x20-\x7e]{4,1200}|x265 \(build [\x20-\x7e]{4,1600}"
    rb"|(?:Lavc|XviD|DivX|SVT-AV1|Kvazaar|VVenC)[\x20-\x7e]{2,80}"
)


@dataclass(frozen=True, slots=True, eq=False)
class PacketTable:
    """The packets in decoding order: `pts` and `size_bytes` int64 (N,), `keyframe` bool (N,), `types` one letter each;
    `pts` holds -2**62 where a packet states none. `signatures` are encoders' names found at the
    start of the stream, `restarts` the places (packet numbers) of later keyframes where x264 signs again."""

    pts: NDArray[np.int64]
    size_bytes: NDArray[np.int64]
    keyframe: NDArray[np.bool_]
    types: str
    time_base_s: float
    basis: str
    signatures: tuple[str, ...]
    restarts: tuple[int, ...]
    capped: bool

    def __len__(self) -> int:
        return len(self.size_bytes)


NO_PTS = -(2**62)


def read_packets(path: Path) -> PacketTable:
    """All packets of the main video stream. Raises what opening raises."""
    pts, sizes, keys = array("q"), array("q"), array("b")
    types: list[str] = []
    restarts: list[int] = []
    capped = False
    with open_video(path) as decoder:
        codec = decoder.video.codec_context
        extradata = bytes(codec.extradata or b"")
        kinds = PictureTypes(codec.codec.canonical_name, extradata)
        signed = [extradata[:_SIGNED_BYTES]]
        for packet in decoder.packets():
            if len(sizes) >= MAX_PACKETS:
                capped = True
                break
            content = memoryview(packet)
            if len(signed) <= _SIGNED_PACKETS:
                signed.append(bytes(content[:_SIGNED_BYTES]))
            elif packet.is_keyframe and len(restarts) < _MAX_RESTARTS and _signs(content):
                restarts.append(len(sizes))
            pts.append(NO_PTS if packet.pts is None else packet.pts)
            sizes.append(packet.size)
            keys.append(packet.is_keyframe)
            types.append(kinds.of(content, packet.is_keyframe))
        time_base_s = float(decoder.time_base)
    return PacketTable(
        pts=np.frombuffer(pts, np.int64) if pts else np.empty(0, np.int64),
        size_bytes=np.frombuffer(sizes, np.int64) if sizes else np.empty(0, np.int64),
        keyframe=np.frombuffer(keys, np.int8).astype(bool) if keys else np.empty(0, bool),
        types="".join(types),
        time_base_s=time_base_s,
        basis=kinds.basis,
        signatures=_signatures(signed),
        restarts=tuple(restarts),
        capped=capped,
    )


def summary(table: PacketTable) -> Packets:
    """The table as numbers for the record; needs at least one packet."""
    letters = np.frombuffer(table.types.encode(), np.uint8)
    per_type = tuple(
        (letter, int(mask.sum()), round(float(table.size_bytes[mask].mean()), 1))
        for letter in "IPB?"
        if (mask := letters == ord(letter)).any()
    )
    return Packets(
        count=len(table),
        total_bytes=int(table.size_bytes.sum()),
        smallest_bytes=int(table.size_bytes.min()),
        median_bytes=float(np.median(table.size_bytes)),
        largest_bytes=int(table.size_bytes.max()),
        per_type=per_type,
        series=_series(table),
        capped_at=len(table) if table.capped else None,
    )


def display_order(table: PacketTable) -> NDArray[np.intp]:
    """Indices of the packets in order of presentation; decoding order where they state no usable times."""
    if (table.pts == NO_PTS).any():
        return np.arange(len(table))
    return np.argsort(table.pts, kind="stable")


def _series(table: PacketTable) -> Series:
    order = display_order(table)
    every = max(1, -(-len(order) // MAX_POINTS))
    chosen = [
        int(part[int(np.argmax(table.size_bytes[part]))])
        for part in np.split(order, np.arange(every, len(order), every))
    ]
    timed = not (table.pts == NO_PTS).any()
    return Series(
        pts_s=tuple(round(float(table.pts[index] * table.time_base_s), 4) for index in chosen) if timed else (),
        size_bytes=tuple(int(table.size_bytes[index]) for index in chosen),
        types="".join(table.types[index] for index in chosen),
        packets_per_point=every,
    )


def _signs(content: memoryview) -> bool:
    """Whether a keyframe's packet begins with x264's signature, which it writes only where it is started; x265 repeats
    its own wherever it repeats headers."""
    return b"x264 - core" in bytes(content[:4_096])


def _signatures(heads: list[bytes]) -> tuple[str, ...]:
    found: dict[str, None] = {}
    for head in heads:
        for match in _SIGNATURE.finditer(head):
            found[shown(match[0], 1_600)] = None
    return tuple(found)[:8]
