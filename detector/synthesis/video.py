"""Clips written to files: H.264 in MP4, with sound where there is some."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from detector.evidence.audio import SAMPLE_RATE_HZ, Sound

_SOUND_BLOCK = 1024


def write_clip(
    path: Path, images: Iterable[NDArray[np.uint8]], fps: float, *, crf: int = 20, sound: Sound | None = None
) -> None:
    """H.264 in MP4 that browsers play, AAC beside it. `images` (H, W, 3) RGB or (H, W) grey, uint8, even sides; `sound`
    starts with the first picture.

    Same pixels and samples, same bytes with the same encoder."""
    options = {"movflags": "+faststart", "fflags": "+bitexact"}
    with av.open(str(path), "w", format="mp4", options=options) as out:
        # Without macroblock-tree rate control: its assembly reads memory it never set, and results vary with that.
        choices = {"crf": str(crf), "preset": "medium", "threads": "1", "x264-params": "mbtree=0"}
        stream = out.add_stream("libx264", rate=Fraction(fps).limit_denominator(1001), options=choices)
        stream.codec_context.flags |= av.codec.context.Flags.bitexact
        stream.pix_fmt = "yuv420p"
        voice = None
        if sound is not None:
            voice = out.add_stream("aac", rate=SAMPLE_RATE_HZ, layout="mono")
            voice.codec_context.flags |= av.codec.context.Flags.bitexact
        for number, image in enumerate(images):
            if number == 0:
                stream.height, stream.width = image.shape[:2]
            layout = "rgb24" if image.ndim == 3 else "gray"
            out.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format=layout)))
        out.mux(stream.encode(None))
        if sound is not None and voice is not None:
            for start in range(0, len(sound.samples), _SOUND_BLOCK):
                block = av.AudioFrame.from_ndarray(
                    sound.samples[None, start : start + _SOUND_BLOCK].astype(np.float32), format="fltp", layout="mono"
                )
                block.sample_rate, block.pts = SAMPLE_RATE_HZ, start
                block.time_base = Fraction(1, SAMPLE_RATE_HZ)
                out.mux(voice.encode(block))
            out.mux(voice.encode(None))
