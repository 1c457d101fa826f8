"""The clip that is measured on: a face that speaks and drifts through a grainy picture, with a voice; any length."""

from __future__ import annotations

import io
from fractions import Fraction
from math import ceil
from pathlib import Path
from typing import Final

import av
import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from detector.errors import SettingsError

FPS: Final = 30
SIZE_PX: Final = (1280, 720)
RATE_HZ: Final = 48_000
# A whole number of pictures and of AAC's frames of 1,024 samples, so that periods follow each other without a seam.
PERIOD_S: Final = Fraction(48, 5)
_MOUTH_XY: Final = (225.0, 138.0)  # in scikit-image's portrait of an astronaut, 512 x 512 px
_OPENING_PX: Final = 9.0
_PITCH_HZ: Final = 140
_GRAINS: Final = 7


def write_clip(path: Path, seconds: float) -> None:
    """Write 720p H.264 at 30 frames a second with 48-kHz AAC, `seconds` long to within a picture.

    One period of 9.6 s is drawn and encoded; its packets are then repeated, so that an hour takes seconds.
    Raises SettingsError for a length that is not positive.
    """
    if not seconds > 0:
        raise SettingsError(f"A clip needs a positive length, found {seconds!r} s.")
    period = io.BytesIO()
    _encode(period, min(seconds, float(PERIOD_S)))
    with av.open(str(path), "w") as out:
        _repeat(period, out, seconds)


def _encode(target: io.BytesIO, seconds: float) -> None:
    opening = _mouth()
    portrait = _portrait()
    with av.open(target, "w", format="mp4") as out:
        video = out.add_stream("libx264", rate=FPS, options={"preset": "veryfast", "crf": "20", "bf": "0"})
        video.width, video.height = SIZE_PX
        video.pix_fmt = "yuv420p"
        sound = out.add_stream("aac", rate=RATE_HZ, layout="mono")
        rng = np.random.default_rng(0)
        grain = rng.normal(0, 3, (_GRAINS, SIZE_PX[1], SIZE_PX[0], 1)).round().astype(np.int16)
        for index in range(round(seconds * FPS)):
            picture = _picture(portrait, float(opening[index]), index / len(opening)) + grain[index % _GRAINS]
            frame = av.VideoFrame.from_ndarray(picture.clip(0, 255).astype(np.uint8), format="rgb24")
            out.mux(video.encode(frame))
        out.mux(video.encode(None))
        samples = _voice(opening)[: round(seconds * RATE_HZ)]
        audio = av.AudioFrame.from_ndarray(samples[None], format="fltp", layout="mono")
        audio.sample_rate, audio.pts = RATE_HZ, 0
        out.mux(sound.encode(audio))
        out.mux(sound.encode(None))


def _repeat(period: io.BytesIO, out: av.container.OutputContainer, seconds: float) -> None:
    """The packets of one period again and again, each time later by its length, up to `seconds`."""
    period.seek(0)
    with av.open(period, "r") as source:
        streams = [out.add_stream_from_template(stream) for stream in source.streams]
    first: dict[int, int] = {}
    for number in range(ceil(seconds / PERIOD_S)):
        period.seek(0)  # read anew: what is written of a packet changes it
        with av.open(period, "r") as source:
            for packet in source.demux():
                if packet.dts is None or packet.pts is None:  # the end of a stream
                    continue
                index = packet.stream.index
                length, whole = (round(span / packet.time_base) for span in (PERIOD_S, Fraction(seconds)))
                later = number * length
                since_first = packet.dts - first.setdefault(index, packet.dts)
                if since_first >= min(length, whole - later):  # or what fills an encoder's last frame
                    continue
                packet.dts += later
                packet.pts += later
                packet.stream = streams[index]
                out.mux(packet)


def _mouth() -> NDArray[np.float64]:
    """How far the mouth is open in each picture of a period, 0..1: irregular, about four syllables a second."""
    noise = np.random.default_rng(0).standard_normal(round(PERIOD_S * FPS))
    curve = gaussian_filter1d(noise, 1.9, mode="wrap")
    return np.clip((curve - curve.min()) / np.ptp(curve) * 1.6 - 0.4, 0, 1)


def _portrait() -> NDArray[np.uint8]:
    from skimage.data import astronaut

    return np.ascontiguousarray(astronaut())


def _picture(portrait: NDArray[np.uint8], opening: float, phase: float) -> NDArray[np.int16]:
    """(720, 1280, 3): the portrait with its mouth open, left or right of the middle by the `phase` of the drift."""
    columns, rows = np.meshgrid(np.arange(512, dtype=np.float32), np.arange(512, dtype=np.float32))
    gap = _OPENING_PX * opening * np.exp(-(((columns - _MOUTH_XY[0]) / 16) ** 2))
    below = rows - _MOUTH_XY[1]
    down = gap * np.clip(1 - (below - gap) / 45, 0, 1)  # the chin moves most, the neck not at all
    moved = cv2.remap(portrait, columns, np.where(below > gap, rows - down, rows).astype(np.float32), cv2.INTER_LINEAR)
    inside = ((below > 0) & (below <= gap))[..., None]
    image = np.full((SIZE_PX[1], SIZE_PX[0], 3), 96, np.int16)
    left = 384 + round(300 * np.sin(2 * np.pi * phase))
    image[104 : 104 + 512, left : left + 512] = np.where(inside, np.array([50, 16, 18], np.uint8), moved)
    return image


def _voice(opening: NDArray[np.float64]) -> NDArray[np.float32]:
    """(N,) float32 at 48 kHz: a buzz with overtones and breath, as loud as the mouth is open."""
    times = np.arange(round(PERIOD_S * RATE_HZ)) / RATE_HZ
    loud = np.interp(times, np.arange(len(opening)) / FPS, opening, period=float(PERIOD_S)) ** 1.5
    buzz = sum(np.sin(2 * np.pi * _PITCH_HZ * k * times + k) / k for k in range(1, 20))
    breath = np.random.default_rng(1).standard_normal(len(times))
    return (0.12 * loud * (buzz + 0.4 * breath) + 1e-4 * breath).astype(np.float32)
