"""The records of evidence: a stored file, what is in it, and its frames."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

JUST_BEFORE_S: Final = 0.1  # a picture longer ago is not a frame's `before`


@dataclass(frozen=True, slots=True)
class StoredFile:
    """One evidence file as kept by the store: content-addressed, read-only, identified by `sha256` (hex).

    `file_name` is what the submitter called it: data, never a path to open.
    """

    sha256: str
    md5: str
    size_bytes: int
    file_name: str
    path: Path


@dataclass(frozen=True, slots=True)
class Container:
    """`format_name` is FFmpeg's demuxer (or the still's format); `tags` are the file's own claims, unverified."""

    format_name: str
    duration_s: float | None
    bit_rate: int | None
    stream_count: int
    tags: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class VideoStream:
    """`width`, `height` as displayed (rotation applied); `coded_*` as stored. `time_base` in seconds per PTS tick."""

    codec: str
    profile: str | None
    width: int
    height: int
    coded_width: int
    coded_height: int
    duration_s: float
    frame_count: int
    rotation_deg: int
    variable_frame_rate: bool
    average_fps: float | None
    time_base: Fraction
    pixel_format: str
    bit_depth: int
    colour_range: str | None
    colour_space: str | None
    keyframe_count: int
    keyframe_interval_s: float | None


@dataclass(frozen=True, slots=True)
class AudioStream:
    """The first sound stream of a file."""

    codec: str
    sample_rate_hz: int
    channels: int
    duration_s: float | None


@dataclass(frozen=True, slots=True)
class Integrity:
    """`decode_errors` counts the decoder's complaints over what was read so far; warnings are plain sentences."""

    decode_errors: int = 0
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Evidence:
    """A stored file and all that was found out about it without looking for faces."""

    file: StoredFile
    kind: Literal["video", "still"]
    container: Container
    video: VideoStream
    audio: AudioStream | None
    integrity: Integrity = field(default_factory=Integrity)


@dataclass(frozen=True, slots=True)
class Frame:
    """One displayed frame. `image` (H, W, 3) uint8 RGB, rotation applied. `frame_index` counts presentation order.

    `pts` is in the stream's time base; `pts_s` = pts x time_base. `shot_index` rises by one at each shot change.
    `before` is the picture displayed just before it, as `image`, where a reader was asked for it and there is one.
    """

    frame_index: int
    pts: int
    pts_s: float
    shot_index: int
    image: NDArray[np.uint8]
    before: NDArray[np.uint8] | None = None


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of a video, `start_s` <= pts_s < `end_s`, whose frames are wanted at least `step_s` apart.

    Or so far apart `on_average`, so that every faster video gives about equally many.
    """

    start_s: float
    end_s: float
    step_s: float = 0.0
    on_average: bool = False


ReadSpans = Callable[[Evidence, Sequence[Span]], Iterator[tuple[tuple[int, ...], Frame]]]
"""As `detector.evidence.frames_of_spans`: the frames that any of some spans wants, each with the numbers of those."""
