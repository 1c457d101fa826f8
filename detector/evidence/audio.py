"""The sound of a file as mono samples on the video's own time line: offsets, edit lists and gaps included.

FFmpeg applies edit lists, encoder delay and start offsets to the audio frames' time stamps, which share their zero with
the pictures' stamps. Samples are placed by those stamps and nothing else, so that a lag that is measured later is a lag
of the file and not of the reader.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import av
import numpy as np
from av.stream import Discard
from numpy.typing import NDArray

from detector.evidence.decoder import MAX_READ_FAILURES, Decoder
from detector.evidence.opening import open_video
from detector.evidence.timeline import timeline_of
from detector.evidence.types import Evidence

SAMPLE_RATE_HZ = 16_000
BLOCK_S = 10.0
# Containers with millisecond stamps jitter by less than this; anything beyond is a real gap or overlap.
_TOLERANCE_S = 0.03


@dataclass(frozen=True, slots=True, eq=False)
class Sound:
    """`samples` (N,) float32 mono at 16 kHz, full scale +-1; sample n sounds at `start_s` + n / 16,000 on the video's
    time line (`Frame.pts_s`). Where the file has no sound the samples are 0."""

    samples: NDArray[np.float32]
    start_s: float

    @property
    def end_s(self) -> float:
        """The time after its last sample, s."""
        return self.start_s + len(self.samples) / SAMPLE_RATE_HZ

    def cut(self, start_s: float, end_s: float) -> Sound:
        """The part from `start_s` to `end_s`, silence where it reaches beyond this sound."""
        first = round((start_s - self.start_s) * SAMPLE_RATE_HZ)
        wanted = np.zeros(max(0, round((end_s - start_s) * SAMPLE_RATE_HZ)), np.float32)
        low, high = max(0, first), min(len(self.samples), first + len(wanted))
        if high > low:
            wanted[low - first : high - first] = self.samples[low:high]
        return Sound(wanted, start_s)


def sound_span_s(evidence: Evidence) -> tuple[float, float]:
    """(start, end) of the pictures in seconds: the part of the sound that is read."""
    timeline = timeline_of(evidence.file)
    if not len(timeline.pts):
        return 0.0, 0.0
    start_s = float(int(timeline.pts[0]) * timeline.time_base)
    return start_s, start_s + timeline.duration_s


def sound_blocks(evidence: Evidence, *, start_s: float | None = None, end_s: float | None = None) -> Iterator[Sound]:
    """The sound beside the pictures, from `start_s` to `end_s`, in seamless blocks of 10 s; the last may be shorter.

    Memory does not grow with the length of the file. Nothing is yielded without an audio stream that decodes. A damaged
    part becomes silence. Raises EvidenceError where the stored file is gone.
    """
    if evidence.kind != "video" or evidence.audio is None:
        return
    span = sound_span_s(evidence)
    first_s = span[0] if start_s is None else max(span[0], start_s)
    last_s = span[1] if end_s is None else min(span[1], end_s)
    if last_s <= first_s:
        return
    with open_video(evidence.file.path, threaded=False) as decoder:
        yield from _blocks(_segments(decoder, last_s), first_s, last_s)


def read_sound(evidence: Evidence, start_s: float | None = None, end_s: float | None = None) -> Sound | None:
    """The sound beside the pictures from `start_s` to `end_s` as one piece (64 KB a second), None where there is none.

    Raises EvidenceError where the stored file is gone.
    """
    blocks = list(sound_blocks(evidence, start_s=start_s, end_s=end_s))
    if not blocks:
        return None
    return Sound(np.concatenate([block.samples for block in blocks]), blocks[0].start_s)


def _blocks(segments: Iterator[Sound], first_s: float, last_s: float) -> Iterator[Sound]:
    """Segments with gaps and overlaps, in order -> consecutive blocks; an overlap keeps what came first."""
    size = round(BLOCK_S * SAMPLE_RATE_HZ)
    total = round((last_s - first_s) * SAMPLE_RATE_HZ)
    done = filled = 0
    block = np.zeros(size, np.float32)
    heard = False
    for segment in segments:
        samples = segment.samples
        at = round((segment.start_s - first_s) * SAMPLE_RATE_HZ)
        if at < done + filled:
            samples = samples[done + filled - at :]
            at = done + filled
        heard = heard or len(samples) > 0
        while len(samples) and at < total:
            if at >= done + size:
                yield Sound(block[: min(size, total - done)], first_s + done / SAMPLE_RATE_HZ)
                block, done, filled = np.zeros(size, np.float32), done + size, 0
                continue
            put = min(len(samples), done + size - at)
            block[at - done : at - done + put] = samples[:put]
            samples, at = samples[put:], at + put
            filled = at - done
    while heard and done < total:
        yield Sound(block[: min(size, total - done)], first_s + done / SAMPLE_RATE_HZ)
        block, done = np.zeros(size, np.float32), done + size


def _segments(decoder: Decoder, last_s: float) -> Iterator[Sound]:
    """Pieces of sound, resampled, each placed by the time stamp it began with."""
    stream = _audio_stream(decoder)
    if stream is None:
        return
    run = _Run()
    for frame in _frames(decoder, stream):
        if frame.samples <= 0 or not frame.sample_rate:
            continue
        stamp_s = None if frame.pts is None or frame.time_base is None else float(frame.pts * frame.time_base)
        if not run.continues(frame, stamp_s):
            yield from run.finish()
            run = _Run(frame, run.next_s if stamp_s is None else stamp_s)
        yield from run.add(frame)
        if run.next_s > last_s:
            break
    yield from run.finish()


class _Run:
    """Frames of one format without a gap: one resampler, placed once, then counted in samples."""

    def __init__(self, first: Any | None = None, start_s: float = 0.0) -> None:
        self._key = _format_of(first) if first is not None else None
        self._resampler = av.AudioResampler(format="flt", layout="mono", rate=SAMPLE_RATE_HZ)
        self._start_s = start_s
        self._given = 0
        self._taken_s = 0.0

    @property
    def next_s(self) -> float:
        return self._start_s + self._taken_s

    def continues(self, frame: Any, stamp_s: float | None) -> bool:
        if self._key != _format_of(frame):
            return False
        return stamp_s is None or abs(stamp_s - self.next_s) <= _TOLERANCE_S

    def add(self, frame: Any) -> Iterator[Sound]:
        self._taken_s += frame.samples / frame.sample_rate
        frame.pts = None  # the resampler would otherwise reconcile stamps that are already accounted for
        yield from self._resampled(frame)

    def finish(self) -> Iterator[Sound]:
        if self._key is not None:
            yield from self._resampled(None)

    def _resampled(self, frame: Any | None) -> Iterator[Sound]:
        try:
            pieces = self._resampler.resample(frame)
        except (av.FFmpegError, ValueError):
            return
        for piece in pieces:
            samples = np.nan_to_num(piece.to_ndarray().reshape(-1).astype(np.float32))
            yield Sound(samples, self._start_s + self._given / SAMPLE_RATE_HZ)
            self._given += len(samples)


def _format_of(frame: Any) -> tuple[str, str, int]:
    return frame.format.name, frame.layout.name, frame.sample_rate


def _audio_stream(decoder: Decoder) -> Any | None:
    """The stream that `Evidence.audio` describes: the first that FFmpeg can decode."""
    for stream in decoder.container.streams.audio:
        if stream.codec_context is not None:
            decoder.video.discard = Discard.all
            stream.discard = Discard.default
            return stream
    return None


def _frames(decoder: Decoder, stream: Any) -> Iterator[Any]:
    """Decoded audio frames from the beginning; what cannot be read or decoded is left out."""
    codec = stream.codec_context
    failures = 0
    while failures < MAX_READ_FAILURES:
        source = decoder.container.demux(stream)
        while True:
            try:
                with decoder.log:
                    packet = next(source)
            except StopIteration:
                yield from _decoded(decoder, codec, None)
                return
            except av.FFmpegError:
                failures += 1
                break
            if packet.size:
                failures = 0
                yield from _decoded(decoder, codec, packet)


def _decoded(decoder: Decoder, codec: Any, packet: Any | None) -> list[Any]:
    try:
        with decoder.log:
            return list(codec.decode(packet))
    except av.FFmpegError:
        return []
