"""Makes the broken, odd and hostile files of the bad-input table."""

from __future__ import annotations

import functools
import io
import tempfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np

from tests.evidence.media import make_still, make_video

Maker = Callable[[Path], Path]


def file_of(content: bytes, name: str = "suspect.mp4") -> Maker:
    def make(folder: Path) -> Path:
        (folder / name).write_bytes(content)
        return folder / name

    return make


@functools.cache
def _whole(suffix: str, layout: str) -> bytes:
    """A video of 60 frames in groups of 10; made once for all the places at which it is cut."""
    options = {"faststart": True} if layout == "faststart" else {}
    if layout == "fragmented":
        options = {"container_options": {"movflags": "frag_keyframe+empty_moov"}}
    codec = {".avi": "mpeg4"}.get(suffix, "libx264")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"whole{suffix}"
        make_video(path, frames=60, size=(320, 240), codec=codec, codec_options={"g": "10"}, **options)  # type: ignore[arg-type]
        return path.read_bytes()


def cut(keep: float, suffix: str = ".mp4", layout: str = "") -> Maker:
    def make(folder: Path) -> Path:
        content = _whole(suffix, layout)
        (folder / f"cut{suffix}").write_bytes(content[: int(len(content) * keep)])
        return folder / f"cut{suffix}"

    return make


def cut_behind(box: bytes, extra: int, **options: object) -> Maker:
    def make(folder: Path) -> Path:
        content = make_video(folder / "whole.mp4", **options).read_bytes()  # type: ignore[arg-type]
        (folder / "cut.mp4").write_bytes(content[: content.find(box) + extra])
        return folder / "cut.mp4"

    return make


def video(**options: object) -> Maker:
    suffix = str(options.pop("suffix", ".mp4"))
    return lambda folder: make_video(folder / f"clip{suffix}", **options)  # type: ignore[arg-type]


def patched(change: Callable[[bytearray], None], *, suffix: str = ".mp4", **options: object) -> Maker:
    def make(folder: Path) -> Path:
        path = make_video(folder / f"clip{suffix}", **options)  # type: ignore[arg-type]
        content = bytearray(path.read_bytes())
        change(content)
        path.write_bytes(bytes(content))
        return path

    return make


def blank_pictures(content: bytearray) -> None:
    start = content.find(b"mdat") + 4
    length = int.from_bytes(content[start - 8 : start - 4], "big") - 8
    content[start : start + length] = bytes(length)


def declare_huge(content: bytearray) -> None:
    entry = content.find(b"avc1", content.find(b"stsd")) + 4
    content[entry + 24 : entry + 28] = b"\xff\xff\xff\xff"


def protect(content: bytearray) -> None:
    entry = content.find(b"avc1", content.find(b"stsd"))
    content[entry : entry + 4] = b"encv"


def break_codec_header(content: bytearray) -> None:
    """Matroska's CodecPrivate (ID 63 A2, a length of one byte), without which FFV1 cannot be set up."""
    start = content.find(b"\x63\xa2") + 3
    length = content[start - 1] & 0x7F
    content[start : start + length] = b"\xff" * length


def zip_archive() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("video.mp4", b"\0" * 2_000)
    return buffer.getvalue()


def png_declaring(width: int, height: int) -> bytes:
    def chunk(kind: bytes, content: bytes) -> bytes:
        return len(content).to_bytes(4, "big") + kind + content + zlib.crc32(kind + content).to_bytes(4, "big")

    header = width.to_bytes(4, "big") + height.to_bytes(4, "big") + b"\x08\x02\0\0\0"
    pixels = zlib.compress(bytes(100_000))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def mp3_with_cover(folder: Path) -> Path:
    cover = make_still(folder / "cover.png")
    with av.open(str(folder / "song.mp3"), "w") as out, av.open(str(cover)) as art:
        sound = out.add_stream("libmp3lame", rate=44_100)
        image = out.add_stream_from_template(art.streams.video[0])
        image.disposition = av.stream.Disposition.attached_pic
        for packet in art.demux(video=0):
            if packet.size:
                packet.stream = image
                out.mux(packet)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 44_100), np.float32), format="fltp", layout="mono")
        frame.sample_rate, frame.pts = 44_100, 0
        out.mux(sound.encode(frame))
        out.mux(sound.encode())
    return folder / "song.mp3"


def no_samples(folder: Path) -> Path:
    path = folder / "none.mp4"
    with av.open(str(path), "w", options={"movflags": "frag_keyframe+empty_moov"}) as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        container.start_encoding()
    return path


def dot(number: int) -> np.ndarray:
    return np.full((1, 1, 3), number, np.uint8)


KEY = {
    "encryption_scheme": "cenc-aes-ctr",
    "encryption_key": "76a6c65c5ea762046bd749a2e632ccbb",
    "encryption_kid": "a7e61c373e219033c21091fa607bf3b8",
}
