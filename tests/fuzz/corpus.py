"""Hostile files by number: the same seed gives the same file, made of sound clips and stills and of a list of edits."""

from __future__ import annotations

import random
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pillow_heif
from PIL import Image

from tests.evidence.media import make_audio, make_still, make_video

pillow_heif.register_heif_opener()

SAMPLES = Path(__file__).resolve().parents[2] / "assets" / "samples"
SUFFIXES = (".mp4", ".mov", ".mkv", ".avi", ".gif", ".jpg", ".png", ".tif", ".heic", ".webp", ".m3u8", ".txt", "")
# Values at which arithmetic on sizes, counts and offsets goes wrong.
_EXTREMES = (0, 1, 7, 0x7F, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFF0, 0xFFFF_FFFF)
_MARKS = (
    *(b"ftyp moov mvhd trak tkhd elst mdhd hdlr stsd avc1 avcC stts ctts stss stsc stsz stco mdat moof trun".split()),
    *(b"RIFF avih strh strf movi idx1 IHDR IDAT eXIf VP8 VP8L VP8X ANIM Exif meta iloc iinf ipco ispe hvcC".split()),
    *(b"\x1a\x45\xdf\xa3", b"\x15\x49\xa9\x66", b"\x16\x54\xae\x6b", b"\x1f\x43\xb6\x75", b"\x63\xa2", b"II*\0"),
    *(b"\xff\xd8", b"\xff\xe1", b"\xff\xdb", b"\xff\xc0", b"\xff\xc4", b"\xff\xda", b"\x47\x40", b"GIF89a"),
)
_DEPTH = 5_000


@dataclass(frozen=True, slots=True)
class Edit:
    """`put` takes the place of the `remove` bytes at offset `at`."""

    at: int
    remove: int
    put: bytes


@dataclass(frozen=True, slots=True)
class Specimen:
    """A hostile file: the name its submitter gives it, the source it was made of, and the edits in their order."""

    seed: int
    name: str
    source: bytes
    edits: tuple[Edit, ...]

    @property
    def content(self) -> bytes:
        return edited(self.source, self.edits)


def edited(source: bytes, edits: tuple[Edit, ...]) -> bytes:
    content = bytearray(source)
    for edit in edits:
        content[edit.at : edit.at + edit.remove] = edit.put
    return bytes(content)


class Corpus:
    """Specimens by seed. `folder` keeps the sources; `url` is an address at which nobody should ever call; bombs unfold
    to pictures of `bomb_side_px` pixels a side."""

    def __init__(self, folder: Path, url: str, *, bomb_side_px: int) -> None:
        self._folder, self._url, self._bomb_side_px = folder, url, bomb_side_px
        self._kept: dict[str, bytes] = {}

    def specimen(self, seed: int) -> Specimen:
        chance = random.Random(seed)
        made = (*_CLIPS, *_STILLS)
        # Every tenth file is a bomb or a playlist as it is: what an edit breaks tests less.
        if seed % 10 == 9:
            texts = self._texts
            kind = chance.choice([*_BOMBS, *texts])
            source = (
                texts[kind]
                if kind in texts
                else self._source(kind, lambda path: _BOMBS[kind](path, self._bomb_side_px))
            )
            edits: tuple[Edit, ...] = ()
        else:
            kind = chance.choice(made)
            source = self._source(kind, _CLIPS.get(kind) or _STILLS[kind])
            ways = chance.sample(_WAYS, chance.choice((1, 1, 2)))
            edits = tuple(edit for way in ways for edit in way(chance, source, self._url))
        suffix = chance.choice(SUFFIXES) if chance.random() < 0.2 else Path(kind).suffix
        return Specimen(seed, f"{Path(kind).stem}{suffix}", source, edits)

    def _source(self, kind: str, make: Callable[[Path], object]) -> bytes:
        if kind not in self._kept:
            path = self._folder / kind
            make(path)
            self._kept[kind] = path.read_bytes()
        return self._kept[kind]

    @cached_property
    def _texts(self) -> dict[str, bytes]:
        """Files that name other files and addresses."""
        url = self._url.encode()
        segment = f"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{self._url}\n#EXT-X-ENDLIST\n".encode()
        sdp = b"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 96\n"
        return {
            "list.m3u8": segment,
            "local.m3u8": segment.replace(url, b"file:///etc/passwd"),
            "concat.ffconcat": b"ffconcat version 1.0\nfile " + url + b"\n",
            "manifest.mpd": b'<MPD xmlns="urn:mpeg:dash:schema:mpd:2011"><BaseURL>' + url + b"</BaseURL></MPD>",
            "drawing.svg": b'<svg xmlns="http://www.w3.org/2000/svg"><image href="' + url + b'"/></svg>',
            "session.sdp": sdp,
            "page.html": b'<meta http-equiv="refresh" content="0;url=' + url + b'">',
            "shortcut.url": b"[InternetShortcut]\nURL=" + url + b"\n",
            "movie.asx": b'<asx version="3"><entry><ref href="' + url + b'"/></entry></asx>',
            "reference.mov": _box(
                b"moov", _box(b"rmra", _box(b"rmda", _box(b"rdrf", b"\0\0\0\0url \0\0\0\x40" + url)))
            ),
            "redirect.mov": b"RTSPtext\n" + url + b"\n",
            "list.mp4": _box(b"ftyp", b"isom\0\0\2\0") + segment,
        }


def _box(kind: bytes, content: bytes) -> bytes:
    return (8 + len(content)).to_bytes(4, "big") + kind + content


def _sample(name: str) -> Callable[[Path], object]:
    return lambda path: path.write_bytes((SAMPLES / name).read_bytes())


def _clip(**options: object) -> Callable[[Path], object]:
    return lambda path: make_video(path, **{"frames": 12, "size": (96, 64), **options})  # type: ignore[arg-type]


def _still(**options: object) -> Callable[[Path], object]:
    return lambda path: make_still(path, size=(96, 64), **options)  # type: ignore[arg-type]


_CLIPS: dict[str, Callable[[Path], object]] = {
    "genuine.mp4": _sample("astronaut_genuine.mp4"),
    "mask.mp4": _sample("astronaut_mask.mp4"),
    "sounding.mp4": _clip(audio=True),
    "turned.mov": _clip(rotation_deg=90, audio=True),
    "fragmented.mp4": _clip(container_options={"movflags": "frag_keyframe+empty_moov"}),
    "clip.mkv": _clip(audio=True),
    "lossless.mkv": _clip(codec="ffv1"),
    "clip.webm": _clip(codec="libvpx", frames=6),
    "clip.avi": _clip(codec="mpeg4"),
    "clip.ts": _clip(codec="mpeg2video", fps=25),
    "clip.gif": _clip(codec="gif", pix_fmt="rgb8", frames=6),
    "motion.avi": _clip(codec="mjpeg", pix_fmt="yuvj420p"),
    "sound.m4a": lambda path: make_audio(path),
}


def _float_tiff(path: Path) -> None:
    samples = np.linspace(0, 250, 96 * 64, dtype=np.float32).reshape(64, 96)
    samples[:4, :4] = np.nan, np.inf, -np.inf, 1e30
    Image.fromarray(samples).save(path)


def _grey16(path: Path) -> None:
    Image.fromarray(np.linspace(0, 65_535, 96 * 64).reshape(64, 96).astype(np.uint16)).save(path)


_STILLS: dict[str, Callable[[Path], object]] = {
    "photo.jpg": _still(quality=85, exif=b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0"),
    "progressive.jpg": _still(quality=70, progressive=True),
    "still.png": _still(),
    "grey16.png": _grey16,
    "still.webp": _still(quality=80),
    "still.tif": _still(compression="tiff_lzw"),
    "float.tif": _float_tiff,
    "still.bmp": _still(),
    "still.heic": _still(format="HEIF", quality=70),
    "still.avif": _still(format="AVIF", quality=60, speed=10),
}


def _png_bomb(path: Path, side_px: int) -> None:
    """16-bit grey; a megapixel costs two bytes in a thousand."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return len(content).to_bytes(4, "big") + kind + content + zlib.crc32(kind + content).to_bytes(4, "big")

    header = side_px.to_bytes(4, "big") * 2 + b"\x10\0\0\0\0"
    pixels = zlib.compress(bytes((1 + 2 * side_px) * side_px), 9)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b""))


def _flat(mode: str, **options: object) -> Callable[[Path, int], object]:
    return lambda path, side_px: Image.new(mode, (side_px, side_px)).save(path, **options)


def _text_bomb(path: Path, _: int) -> None:
    """A small PNG whose compressed comment unfolds to 200 MB."""
    make_still(path, size=(96, 64))
    content = path.read_bytes()
    text = b"zTXtComment\0\0" + zlib.compress(bytes(200_000_000), 9)
    chunk = (len(text) - 4).to_bytes(4, "big") + text + zlib.crc32(text).to_bytes(4, "big")
    path.write_bytes(content[:33] + chunk + content[33:])


_BOMBS: dict[str, Callable[[Path, int], object]] = {
    "bomb16.png": _png_bomb,
    "bomb.gif": _flat("P"),
    "bomb.tif": _flat("F", compression="tiff_adobe_deflate"),
    "bomb.webp": _flat("RGB", lossless=True),
    "bomb.jpg": _flat("RGB", progressive=True),
    "comment.png": _text_bomb,
}

_Way = Callable[[random.Random, bytes, str], list[Edit]]


def _truncate(chance: random.Random, source: bytes, _: str) -> list[Edit]:
    at = int(len(source) * chance.random() ** 2) if chance.random() < 0.5 else chance.randrange(len(source))
    return [Edit(at, len(source), b"")]


def _flip(chance: random.Random, source: bytes, _: str) -> list[Edit]:
    places = [chance.randrange(len(source)) for _ in range(chance.choice((1, 4, 16, 64)))]
    return [Edit(at, 1, bytes((source[at] ^ chance.randrange(1, 256),))) for at in places]


def _flip_head(chance: random.Random, source: bytes, _: str) -> list[Edit]:
    places = [chance.randrange(min(len(source), 600)) for _ in range(chance.choice((1, 3, 9)))]
    return [Edit(at, 1, bytes((source[at] ^ 1 << chance.randrange(8),))) for at in places]


def _zero(chance: random.Random, source: bytes, _: str) -> list[Edit]:
    edits = []
    for _ in range(chance.choice((1, 2, 5))):
        length = min(len(source), 1 << chance.randrange(2, 15))
        edits.append(Edit(chance.randrange(len(source)), length, bytes(length)))
    return edits


def _damage_structure(chance: random.Random, source: bytes, _: str) -> list[Edit]:
    """Extreme numbers just before or behind the marks by which formats name their parts."""
    places = [at for mark in _MARKS for at in _places(source, mark)] or [0]
    edits = []
    for _ in range(chance.choice((1, 2, 4))):
        at = max(0, chance.choice(places) + chance.choice((-4, 0, 2, 4, 8, 12, 16, 20, 24, 28, 36)))
        width = chance.choice((1, 2, 4))
        value = chance.choice(_EXTREMES) & (1 << 8 * width) - 1
        edits.append(Edit(at, width, value.to_bytes(width, chance.choice(("big", "little")))))
    return edits


def _places(source: bytes, mark: bytes) -> list[int]:
    found, at = [], source.find(mark)
    while at >= 0 and len(found) < 8:
        found.append(at)
        at = source.find(mark, at + 1)
    return found


def _nest(chance: random.Random, source: bytes, _: str) -> list[Edit]:
    kind = chance.choice((b"moov", b"trak", b"udta", b"meta", b"moof", b"iprp"))
    depth = chance.choice((30, 1_000, _DEPTH))
    nested = b"".join((8 * (depth - level)).to_bytes(4, "big") + kind for level in range(depth))
    return [Edit(chance.choice((0, 28, len(source))), 0, nested)]


def _duplicate(chance: random.Random, source: bytes, _: str) -> list[Edit]:
    start = chance.randrange(len(source))
    part = source[start : start + (1 << chance.randrange(4, 16))]
    return [Edit(chance.randrange(len(source)), 0, part * chance.choice((1, 3)))]


def _remove(chance: random.Random, source: bytes, _: str) -> list[Edit]:
    return [Edit(chance.randrange(len(source)), 1 << chance.randrange(0, 14), b"")]


def _refer(chance: random.Random, source: bytes, url: str) -> list[Edit]:
    """Addresses where a file may name where its data lies, at its front, and at its end."""
    named = url.encode() + b"\0"
    if (at := source.find(b"url ")) >= 4 and chance.random() < 0.6:  # ISO/IEC 14496-12, 8.7.2: a data reference
        return [Edit(at - 4, 12, (12 + len(named)).to_bytes(4, "big") + b"url \0\0\0\0" + named)]
    playlist = f"\n#EXTM3U\n#EXTINF:1,\n{url}\n".encode()
    return [Edit(chance.choice((0, len(source))), 0, chance.choice((named, playlist, playlist.lstrip())))]


# Twice what leads deep into a file; the others are mostly refused at the door.
_WAYS: tuple[_Way, ...] = (
    _truncate,
    _flip,
    _flip,
    _zero,
    _flip_head,
    _zero,
    _damage_structure,
    _damage_structure,
    _nest,
    _duplicate,
    _remove,
    _refer,
)
