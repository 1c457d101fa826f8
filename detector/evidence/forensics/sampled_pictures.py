"""A few decoded segments of a video: which neighbouring pictures are identical, and how coarsely each was quantised.

Decoding everything again would cost as much as the analysis itself; the segments are chosen by the packets alone, so
the same file gives the same numbers, and one thread decodes, so damage does too.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from av.sidedata.sidedata import Type
from numpy.typing import NDArray

from detector.evidence.forensics.packets import NO_PTS, PacketTable
from detector.evidence.forensics.types import Quantiser, Repeats
from detector.evidence.opening import open_video

# Pictures decoded in all, at 1280 x 720; fewer where they are larger.
BUDGET_PICTURES = 160
_MIN_BUDGET, _MAX_BUDGET = 48, 600
_SEGMENTS = 5
_MAX_TIMES = 12
_TYPES = {1: "I", 2: "P", 3: "B"}
# struct AVVideoEncParams and AVVideoBlockParams (libavutil/video_enc_params.h), 64-bit.
_HEADER = struct.Struct("<I4xQQii8i")
_BLOCK_BYTES = 20
_SCALES = {
    "h264": "H.264's scale, 0 (finest) to 51",
    "mpeg4": "MPEG-4's scale, 1 (finest) to 31",
    "mpeg1video": "MPEG-1's scale, 1 (finest) to 31",
    "mpeg2video": "MPEG-2's quantiser_scale, 2 (finest) to 112",
    "h263": "H.263's scale, 1 (finest) to 31",
    "vp9": "VP9's scale, 0 (finest) to 255",
}


# FFmpeg hands these codecs' quantisers out doubled, on MPEG-2's scale (libavcodec/mpegvideo_dec.c).
_DOUBLED = frozenset({"mpeg4", "mpeg1video", "h263"})


@dataclass(slots=True)
class _Tally:
    compared: int = 0
    longest_run: int = 0
    segments: int = 0
    equal_at: list[tuple[int, float]] = field(default_factory=list)
    quantisers: list[tuple[str, float]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class SampledPictures:
    """`repeats` None where no two neighbours decoded; `quantiser` None with a reason where the decoder exports none."""

    repeats: Repeats | None
    quantiser: Quantiser | None
    quantiser_reason: str | None


def sample_pictures(path: Path, table: PacketTable, pixels: int) -> SampledPictures:
    """Decode some segments, each from a keyframe on. `pixels` is the area of one picture.

    Neighbours count as equal only where every luma sample is. Raises what opening raises.
    """
    budget = int(np.clip(BUDGET_PICTURES * 1280 * 720 / max(1, pixels), _MIN_BUDGET, _MAX_BUDGET))
    tally = _Tally()
    with open_video(path, threaded=False) as decoder:
        codec = decoder.video.codec_context
        codec.options = {**codec.options, "export_side_data": "venc_params"}
        name = codec.codec.canonical_name
        if len(table) <= budget:
            _compare(decoder.frames(), len(table), tally, table)
        else:
            for start, length in _segments(table, budget):
                frames = decoder.frames_from(start, until=start)
                if frames is None:
                    continue
                _compare(frames, length, tally, table)
                codec.flush_buffers()
    repeats = None
    if tally.compared:
        repeats = Repeats(
            compared=tally.compared,
            equal=len(tally.equal_at),
            longest_run=tally.longest_run,
            stretches=tally.segments,
            at_s=tuple(round(at_s, 4) for _, at_s in tally.equal_at[:_MAX_TIMES]),
            period=_period([number for number, _ in tally.equal_at]),
        )
    if not tally.quantisers:
        return SampledPictures(repeats, None, f"FFmpeg's decoder for {name} does not hand out quantisers.")
    if name not in _SCALES:
        return SampledPictures(repeats, None, f"The scale of {name}'s quantisers is not known here.")
    return SampledPictures(repeats, _quantiser(tally.quantisers, name), None)


def _segments(table: PacketTable, budget: int) -> Iterator[tuple[int, int]]:
    """(PTS of a keyframe, pictures) of segments spread evenly over the file; a keyframe is taken once."""
    keys = np.flatnonzero(table.keyframe & (table.pts != NO_PTS))
    wanted = np.linspace(0, len(table) - 1, _SEGMENTS + 1)[:-1]
    chosen = dict.fromkeys(
        int(keys[max(0, int(np.searchsorted(keys, at, side="right")) - 1)]) for at in wanted if len(keys)
    )
    for key in chosen:
        yield int(table.pts[key]), max(2, budget // len(chosen))


def _compare(frames: Iterator[Any], length: int, tally: _Tally, table: PacketTable) -> None:
    before: NDArray[np.uint8] | None = None
    run = count = 0
    for count, frame in enumerate(frames):
        if count >= length:
            break
        _note_quantiser(frame, tally)
        luma = _luma(frame)
        if before is not None:
            tally.compared += 1
            if before.shape == luma.shape and np.array_equal(before, luma):
                run += 1
                at_s = float(frame.pts * table.time_base_s) if frame.pts is not None else float("nan")
                if np.isfinite(at_s):
                    tally.equal_at.append((tally.compared, at_s))
            else:
                run = 0
            tally.longest_run = max(tally.longest_run, run)
        before = luma
    tally.segments += count > 0


def _luma(frame: Any) -> NDArray[np.uint8]:
    """The first plane as it lies in memory, without its padding; equal bytes are equal pictures in any format."""
    plane, form = frame.planes[0], frame.format
    bits = form.padded_bits_per_pixel if len(frame.planes) == 1 else 8 * -(-form.components[0].bits // 8)
    row_bytes = min(plane.line_size, -(-plane.width * bits // 8))
    rows = np.frombuffer(memoryview(plane), np.uint8)[: plane.line_size * plane.height]
    return rows.reshape(plane.height, plane.line_size)[:, :row_bytes].copy()


def _note_quantiser(frame: Any, tally: _Tally) -> None:
    side = next((bytes(item) for item in frame.side_data if item.type == Type.VIDEO_ENC_PARAMS), None)
    if side is None or len(side) < _HEADER.size:
        return
    count, offset, size, _, base, *_ = _HEADER.unpack_from(side)
    if not count:
        mean = float(base)
    elif size == _BLOCK_BYTES and offset + count * size <= len(side):
        deltas = np.frombuffer(side, np.int32, count * 5, offset).reshape(count, 5)[:, 4]
        mean = base + float(deltas.mean())
    else:
        return
    tally.quantisers.append((_TYPES.get(int(frame.pict_type), "?"), mean))


def _quantiser(found: list[tuple[str, float]], codec: str) -> Quantiser:
    rows = []
    found = [(kind, mean / 2) for kind, mean in found] if codec in _DOUBLED else found
    for letter in "IPB?":
        values = [mean for kind, mean in found if kind == letter]
        if values:
            rows.append(
                (letter, len(values), round(float(np.mean(values)), 2), round(min(values), 2), round(max(values), 2))
            )
    mean = round(float(np.mean([mean for _, mean in found])), 2)
    return Quantiser(len(found), mean, tuple(rows), _SCALES[codec])


def _period(numbers: list[int]) -> int | None:
    """The distance of repeats where it is always the same: what a change of frame rate leaves."""
    steps = set(np.diff(numbers).tolist())
    return int(steps.pop()) if len(numbers) >= 4 and len(steps) == 1 and min(steps, default=2) > 1 else None
