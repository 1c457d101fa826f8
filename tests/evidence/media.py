"""Makes the media files that tests look at: small, generated on the spot, with the frame's number in the picture."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray
from PIL import Image

Picture = Callable[[int], NDArray[np.uint8]]

_BITS = 10
_DARK, _BRIGHT = 48, 208


def numbered_picture(number: int, size: tuple[int, int] = (160, 120), hue: int = 0) -> NDArray[np.uint8]:
    """(H, W, 3) RGB: a gradient in a colour chosen by `hue`, its upper quarter a bar code of `number` (0..1023).

    The code is a Gray code, so that neighbours differ in one bar and do not look like a shot change.
    """
    width, height = size
    across = np.linspace(40, 200, width)[None, :]
    down = np.linspace(0, 40, height)[:, None]
    # A fixed grain gives the encoder something to write in every block.
    grain = np.random.default_rng(0).normal(0, 6, (height, width))
    image = np.roll((across + down + grain)[..., None] * [1.0, 0.6, 0.3], hue, axis=2)
    code = number ^ (number >> 1)
    for bit in range(_BITS):
        left, right = width * bit // _BITS, width * (bit + 1) // _BITS
        image[: height // 4, left:right] = _BRIGHT if code >> (_BITS - 1 - bit) & 1 else _DARK
    return np.clip(image, 0, 255).astype(np.uint8)


def number_in(image: NDArray[np.uint8]) -> int:
    """The number that `numbered_picture` drew, read from a decoded picture."""
    height, width = image.shape[:2]
    code = 0
    for bit in range(_BITS):
        left, right = width * bit // _BITS, width * (bit + 1) // _BITS
        margin = max(1, (right - left) // 4)
        patch = image[height // 16 : height // 4 - height // 16, left + margin : right - margin]
        code = code << 1 | int(patch.mean() > (_DARK + _BRIGHT) / 2)
    number = 0
    while code:
        number ^= code
        code >>= 1
    return number


def make_video(
    path: Path,
    *,
    frames: int = 30,
    fps: Fraction | int = 30,
    size: tuple[int, int] = (160, 120),
    codec: str = "libx264",
    pix_fmt: str = "yuv420p",
    pts: Sequence[int] | None = None,
    time_base: Fraction | None = None,
    rotation_deg: int = 0,
    mirrored: bool = False,
    faststart: bool = False,
    audio: bool = False,
    picture: Picture | None = None,
    codec_options: dict[str, str] | None = None,
    container_options: dict[str, str] | None = None,
    container_format: str | None = None,
) -> Path:
    """Encode `frames` pictures to `path`; the suffix (or `container_format`) chooses the container.

    `size` is (width, height) as stored. `pts` in ticks of `time_base` makes the frame rate variable. `rotation_deg`
    is the clockwise turn that a player is asked for. `picture(number)` draws a frame, by default a bar code of its
    number. With `audio`, a second stream holds a tone of the same length.
    """
    draw = picture or (lambda number: numbered_picture(number, size))
    options = dict(container_options or {})
    if faststart:
        options["movflags"] = "+faststart"
    with av.open(str(path), "w", format=container_format, options=options) as container:
        chosen = {"preset": "veryfast", **(codec_options or {})} if codec == "libx264" else codec_options or {}
        stream = container.add_stream(codec, rate=fps, options=chosen)
        stream.codec_context.thread_count = 1  # the same bytes everywhere, and kind to a busy machine
        stream.width, stream.height = size
        stream.pix_fmt = pix_fmt
        if time_base is not None:
            stream.codec_context.time_base = time_base
        if rotation_deg or mirrored:
            stream.set_display_rotation(-rotation_deg, hflip=mirrored)
        sound = container.add_stream("aac", rate=16_000, layout="mono") if audio else None
        for number in range(frames):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(draw(number)), format="rgb24")
            frame.pts = number if pts is None else pts[number]
            frame.time_base = time_base or Fraction(1) / fps
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
        if sound is not None:
            _write_tone(container, sound, float(frames / fps))
    return path


def make_audio(path: Path, *, codec: str = "aac", seconds: float = 1.0) -> Path:
    """A file with one audio stream and no picture."""
    with av.open(str(path), "w") as container:
        _write_tone(container, container.add_stream(codec, rate=16_000, layout="mono"), seconds)
    return path


def make_still(path: Path, *, size: tuple[int, int] = (160, 120), number: int = 5, **save: object) -> Path:
    """A still image with a bar code; `save` goes to Pillow (quality, exif, format)."""
    Image.fromarray(numbered_picture(number, size)).save(path, **save)  # type: ignore[arg-type]
    return path


def truncated(source: Path, target: Path, *, keep: float) -> Path:
    """The first `keep` (0..1) of a file."""
    content = source.read_bytes()
    target.write_bytes(content[: int(len(content) * keep)])
    return target


def damaged(source: Path, target: Path, *, flips: int = 40, seed: int = 1, spared: int = 3) -> Path:
    """A copy whose compressed pictures have `flips` bytes inverted; the first `spared` packets stay whole."""
    with av.open(str(source)) as container:
        packets = [(packet.pos, packet.size) for packet in container.demux(video=0) if packet.size]
    places = [position + offset for position, size in packets[spared:] for offset in range(size)]
    content = bytearray(source.read_bytes())
    for position in np.random.default_rng(seed).choice(places, flips, replace=False).tolist():
        content[position] ^= 0xFF
    target.write_bytes(bytes(content))
    return target


def _write_tone(container: object, stream: object, seconds: float) -> None:
    rate = 16_000
    samples = (0.2 * np.sin(2 * np.pi * 440 * np.arange(int(rate * seconds)) / rate)).astype(np.float32)
    frame = av.AudioFrame.from_ndarray(samples[None, :], format="fltp", layout="mono")
    frame.sample_rate = rate
    frame.pts = 0
    frame.time_base = Fraction(1, rate)
    container.mux(stream.encode(frame))  # type: ignore[attr-defined]
    container.mux(stream.encode())  # type: ignore[attr-defined]
