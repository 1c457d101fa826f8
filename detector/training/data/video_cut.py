"""One half of a video that shows original and deepfake side by side, cut without loss."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final, NamedTuple

import av
import numpy as np
from numpy.typing import NDArray

from detector.errors import EvidenceError, SettingsError
from detector.evidence.pixels import Orientation

_LOSSLESS: Final = {"qp": "0", "preset": "ultrafast"}  # x264 leaves every sample as it is, and needs no B-frames


class Columns(NamedTuple):
    """Columns of the stored picture from `x0` up to, but not with, `x1`; both even, since chroma has half as many."""

    x0: int
    x1: int

    @classmethod
    def read(cls, x0: str, x1: str) -> Columns | None:
        """From the cells `crop_x0` and `crop_x1` of a manifest; None where both are empty. Raises SettingsError for
        what are no even columns in order."""
        if not x0 and not x1:
            return None
        try:
            columns = cls(int(float(x0)), int(float(x1)))
        except ValueError:
            raise SettingsError(f"crop_x0, crop_x1: expected two whole numbers, found {x0!r} and {x1!r}.") from None
        if not 0 <= columns.x0 < columns.x1 or columns.x0 % 2 or columns.x1 % 2:
            raise SettingsError(f"crop_x0, crop_x1: expected even columns in order, found {x0!r} and {x1!r}.")
        return columns


def cut_columns(source: Path, target: Path, columns: Columns) -> Path:
    """Write the named columns of every frame of a video to `target` (MP4, H.264 without loss), time stamps kept.

    The planes of the decoder's own frames are sliced, so that whoever reads the cut sees the samples that a reader of
    the whole would see; pixel format and colour tags are the same. An odd last row is left out. There is no sound.
    Raises EvidenceError where the video is narrower, is displayed rotated, cannot be decoded, or has a pixel format
    that x264 does not know.
    """
    try:
        with av.open(str(source)) as read:
            # Where the first frame comes late, an edit list says so, in ticks of the whole file's time scale.
            video: Any = read.streams.video[0]
            ticks = {"movie_timescale": str(video.time_base.denominator)}
            with av.open(str(target), "w", options=ticks) as written:
                _write(video, read.decode(video), written, columns)
    except (av.FFmpegError, ValueError, IndexError) as error:
        raise EvidenceError(f"{source.name} cannot be cut to columns {columns.x0} to {columns.x1}: {error}") from error
    return target


def _write(video: Any, frames: Iterable[Any], written: Any, columns: Columns) -> None:
    stream: Any = None
    for frame in frames:
        if frame.pts is None:
            continue
        cut = _sliced(frame, columns)
        if stream is None:
            if Orientation.of(frame).rotation_deg or Orientation.of(frame).mirrored:
                raise ValueError("it is displayed rotated or mirrored")
            stream = written.add_stream("libx264", rate=video.average_rate, options=_LOSSLESS)
            stream.width, stream.height, stream.pix_fmt = cut.width, cut.height, cut.format.name
            context = stream.codec_context
            context.thread_count = 1
            context.time_base = video.time_base
            for tag in ("color_range", "colorspace", "color_primaries", "color_trc"):
                setattr(context, tag, getattr(video.codec_context, tag))
        written.mux(stream.encode(cut))
    if stream is None:
        raise ValueError("no frame decodes")
    written.mux(stream.encode(None))


def _sliced(frame: Any, columns: Columns) -> Any:
    """A frame of the named columns, with the planes' own samples."""
    if columns.x1 > frame.width:
        raise ValueError(f"it is {frame.width} pixels wide")
    cut = av.VideoFrame(columns.x1 - columns.x0, frame.height // 2 * 2, frame.format.name)
    cut.pts, cut.time_base = frame.pts, frame.time_base
    for number, (plane, own) in enumerate(zip(frame.planes, cut.planes, strict=True)):
        parts = [part for part in frame.format.components if part.plane == number]
        # Bytes for two columns of the picture, which have one chroma sample where chroma is subsampled.
        step = sum((part.bits + 7) // 8 * (2 if part.width == frame.width else 1) for part in parts)
        part = _rows(plane)[: own.height, columns.x0 // 2 * step : columns.x1 // 2 * step]
        _rows(own)[:, : part.shape[1]] = part
    return cut


def _rows(plane: Any) -> NDArray[np.uint8]:
    """The bytes of a plane (height, line size), padding included, to be read and written."""
    return np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)
