"""The presentation times of a video's frames, from its packets alone: nothing is decoded and memory stays flat."""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from detector.evidence.decoder import Decoder
from detector.evidence.opening import open_video
from detector.evidence.types import StoredFile

# Above this share of missing, repeated or backward time stamps, the stamps do not order the frames.
MAX_BAD_SHARE = 0.1
MAX_SPAN_S = 30 * 86_400
FALLBACK_FPS = 25


@dataclass(frozen=True, slots=True, eq=False)
class Timeline:
    """The presentation times of one video stream, in ticks of `time_base`.

    `pts` int64 (N,) ascending and unique, one entry a displayed frame; `keyframe_pts` int64 (K,) those at which
    decoding can start; `interval` the typical ticks between frames, at least 1. Where the file has no usable
    presentation times, `counted` is true and frame n as decoded is shown at `pts[n]` (see `pts_of`). `hidden` counts
    packets that are never shown (by an edit list, or VP8's reference frames); `missing`, `repeated` and `backward`
    those with such stamps; `corrupt` those the container marks; `complaints` what FFmpeg said while they were read.
    """

    pts: NDArray[np.int64]
    keyframe_pts: NDArray[np.int64]
    time_base: Fraction
    interval: int
    last_duration: int
    counted: bool
    hidden: int
    missing: int
    repeated: int
    backward: int
    corrupt: int
    complaints: int

    @property
    def duration_s(self) -> float:
        """From the first frame's appearance to the last frame's end."""
        if not len(self.pts):
            return 0.0
        return float((int(self.pts[-1]) - int(self.pts[0]) + self.last_duration) * self.time_base)

    @property
    def variable_frame_rate(self) -> bool:
        """Whether index / rate fails to give a frame's time: an interval off by over 10 % (and over rounding)."""
        if len(self.pts) < 3 or self.counted:
            return False
        steps = np.diff(self.pts)
        typical = float(np.median(steps))
        return bool((np.abs(steps - typical) > max(1.5, 0.1 * typical)).any())

    @property
    def keyframe_interval_s(self) -> float | None:
        """The mean distance of keyframes, None with fewer than two."""
        if len(self.keyframe_pts) < 2:
            return None
        span = int(self.keyframe_pts[-1]) - int(self.keyframe_pts[0])
        return float(span * self.time_base / (len(self.keyframe_pts) - 1))

    def pts_of(self, number: int) -> int:
        """The PTS of the frame that is decoded as number `number`, for counted time lines."""
        last = len(self.pts) - 1
        return int(self.pts[min(number, last)]) + max(0, number - last) * self.interval

    def index_of(self, pts: int) -> int:
        """The number of displayed frames before `pts`."""
        return int(np.searchsorted(self.pts, pts))

    def has(self, pts: int) -> bool:
        """Whether a frame is displayed at exactly `pts`."""
        index = self.index_of(pts)
        return index < len(self.pts) and int(self.pts[index]) == pts


def timeline_of(file: StoredFile) -> Timeline:
    """The timeline of a stored video; kept for the last few files, since a second look is common."""
    return _scan(file.sha256, file.path)


@lru_cache(maxsize=4)
def _scan(sha256: str, path: Path) -> Timeline:
    with open_video(path) as decoder:
        return scan(decoder)


def scan(decoder: Decoder) -> Timeline:
    """Read all packets of a freshly opened file. Frames that an edit list or the codec hides are left out."""
    pts, dts, keys = array("q"), array("q"), array("q")
    missing = corrupt = hidden = count = duration = 0
    hides_frames = decoder.video.codec_context.name in {"vp8", "libvpx"}
    for packet in decoder.packets():
        corrupt += packet.is_corrupt
        # VP8 (RFC 6386, 9.1): bit 4 of the frame tag is show_frame; reference frames without it are never displayed.
        if packet.is_discard or (hides_frames and not memoryview(packet)[0] & 0x10):
            hidden += 1
            continue
        count += 1
        duration = packet.duration or duration
        if packet.dts is not None:
            dts.append(packet.dts)
        if packet.pts is None:
            missing += 1
            continue
        pts.append(packet.pts)
        if packet.is_keyframe:
            keys.append(packet.pts)
    stamped = np.unique(np.frombuffer(pts, np.int64)) if pts else np.empty(0, np.int64)
    decoded_at = np.frombuffer(dts, np.int64) if dts else np.empty(0, np.int64)
    repeated = len(pts) - len(stamped)
    backward = int((decoded_at[1:] < np.maximum.accumulate(decoded_at)[:-1]).sum()) if len(decoded_at) else 0
    time_base = decoder.time_base
    span = int(stamped[-1]) - int(stamped[0]) if len(stamped) else 0
    unusable = max(missing, repeated, backward) > MAX_BAD_SHARE * count or span * time_base > MAX_SPAN_S
    counted = count > 0 and (unusable or _orders_only(decoder))
    if counted:
        interval = _nominal_interval(decoder, time_base)
        decode_times = np.unique(decoded_at)
        # The decoding times of a container that stores no presentation times still show its gaps.
        stamped = (
            decode_times if len(decode_times) == count and not unusable else np.arange(count, dtype=np.int64) * interval
        )
        keys = array("q")
        duration = interval
    else:
        interval = max(1, int(np.median(np.diff(stamped)))) if len(stamped) > 1 else max(1, duration)
    return Timeline(
        pts=stamped,
        keyframe_pts=np.unique(np.frombuffer(keys, np.int64)) if keys else np.empty(0, np.int64),
        time_base=time_base,
        interval=interval,
        # A last frame that claims to last for minutes would stretch the time line beyond what is shown.
        last_duration=duration if 0 < duration <= 100 * interval else interval,
        counted=counted,
        hidden=hidden,
        missing=missing,
        repeated=repeated,
        backward=backward,
        corrupt=corrupt,
        complaints=decoder.complaints,
    )


def _orders_only(decoder: Decoder) -> bool:
    """AVI knows only the order of decoding, from which FFmpeg guesses H.264's and HEVC's presentation times wrongly."""
    return decoder.container.format.name == "avi" and decoder.video.codec_context.codec.canonical_name in {
        "h264",
        "hevc",
    }


def _nominal_interval(decoder: Decoder, time_base: Fraction) -> int:
    rate = decoder.video.average_rate or decoder.video.guessed_rate or Fraction(FALLBACK_FPS)
    return max(1, round(1 / (rate * time_base)))
