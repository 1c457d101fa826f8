"""Writing an MP4 that browsers play: H.264 and AAC, index in front, pictures and sound interleaved as they come."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fractions import Fraction
from pathlib import Path
from types import MappingProxyType
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from detector.evidence.audio import SAMPLE_RATE_HZ, Sound

_TIME_BASE = Fraction(1, 90_000)
_SOUND_FRAME = 1024  # samples of an AAC frame


class VideoWriter:
    """A context manager. Pictures come with their time in seconds, ascending; sound in seamless blocks, asked for as
    the pictures advance, so that memory does not grow with the length of the video. `coding` are options of libx264."""

    def __init__(
        self,
        path: Path,
        size: tuple[int, int],
        *,
        fps: float,
        start_s: float,
        sound: Iterator[Sound],
        comment: str,
        title: str,
        coding: Mapping[str, str] = MappingProxyType({"preset": "veryfast", "crf": "21", "profile": "high"}),
    ) -> None:
        self._start_s = start_s
        self._blocks = sound
        self._block = next(sound, None)
        self._samples_sent = 0
        self._last_pts = -1
        self._container: Any = av.open(str(path), "w", format="mp4", options={"movflags": "+faststart"})
        self._container.metadata.update({"title": title, "comment": comment, "description": comment})
        rate = Fraction(fps).limit_denominator(1001)
        self._video: Any = self._container.add_stream("libx264", rate=rate)
        self._video.width, self._video.height = size
        self._video.pix_fmt = "yuv420p"
        self._video.options = dict(coding)
        self._video.codec_context.time_base = _TIME_BASE
        # Pictures are RGB; saying which matrix they are coded with keeps players from guessing by size.
        self._video.codec_context.colorspace = 5  # BT.470BG / BT.601, as the converter below uses
        self._video.codec_context.color_range = 1
        self._audio: Any = None
        if self._block is not None:
            self._audio = self._container.add_stream("aac", rate=SAMPLE_RATE_HZ, layout="mono")
            self._audio.bit_rate = 64_000

    def __enter__(self) -> VideoWriter:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None:
                self._send_sound(None)
                if self._audio is not None:
                    self._mux(self._audio.encode(None))
                self._mux(self._video.encode(None))
        finally:
            self._container.close()

    @property
    def has_sound(self) -> bool:
        """Whether sound is written."""
        return self._audio is not None

    def write(self, picture: NDArray[np.uint8], pts_s: float) -> None:
        """One picture (H, W, 3) uint8 RGB, shown from `pts_s` on."""
        frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format="yuv420p", dst_colorspace=5)
        pts = max(self._last_pts + 1, round((pts_s - self._start_s) / _TIME_BASE))
        frame.pts, frame.time_base, self._last_pts = pts, _TIME_BASE, pts
        self._mux(self._video.encode(frame))
        self._send_sound(pts_s)

    def _send_sound(self, until_s: float | None) -> None:
        """Encode the blocks that begin before `until_s`, all that are left for None."""
        while self._block is not None and (until_s is None or self._block.start_s <= until_s):
            for start in range(0, len(self._block.samples), _SOUND_FRAME):
                piece = np.ascontiguousarray(self._block.samples[start : start + _SOUND_FRAME][None])
                frame = av.AudioFrame.from_ndarray(piece, format="fltp", layout="mono")
                frame.sample_rate, frame.time_base = SAMPLE_RATE_HZ, Fraction(1, SAMPLE_RATE_HZ)
                frame.pts = self._samples_sent
                self._samples_sent += piece.shape[1]
                self._mux(self._audio.encode(frame))
            self._block = next(self._blocks, None)

    def _mux(self, packets: Any) -> None:
        for packet in packets:
            self._container.mux(packet)
