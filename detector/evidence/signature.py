"""The kind of a file by its first bytes, so that an error can name what was found and never trusts the file's name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

HEAD_BYTES = 4096


@dataclass(frozen=True, slots=True)
class Signature:
    """`label` is for people ("a ZIP archive"); `extensions` are the usual ones for the content, lower case, no dot."""

    kind: Literal["still", "container", "other", "unknown"]
    label: str
    extensions: frozenset[str] = frozenset()


_MP4 = frozenset({"mp4", "m4v", "mov", "m4a", "3gp", "3g2", "qt", "f4v", "mj2", "insv", "lrv"})
_MPEG_TS = frozenset({"ts", "mts", "m2ts", "m2t", "tod"})
_MPEG_PS = frozenset({"mpg", "mpeg", "vob", "mod", "m2p"})
_HEIF_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"mif1", b"hevc", b"hevx", b"msf1")

_STARTS: tuple[tuple[bytes, Signature], ...] = (
    (b"\xff\xd8\xff", Signature("still", "a JPEG image", frozenset({"jpg", "jpeg", "jpe", "jfif", "mpo"}))),
    (b"\x89PNG\r\n\x1a\n", Signature("still", "a PNG image", frozenset({"png", "apng"}))),
    (b"II*\0", Signature("still", "a TIFF image", frozenset({"tif", "tiff", "dng"}))),
    (b"MM\0*", Signature("still", "a TIFF image", frozenset({"tif", "tiff", "dng"}))),
    (b"GIF87a", Signature("container", "a GIF animation", frozenset({"gif"}))),
    (b"GIF89a", Signature("container", "a GIF animation", frozenset({"gif"}))),
    (b"\x1a\x45\xdf\xa3", Signature("container", "a Matroska or WebM file", frozenset({"mkv", "webm", "mka", "mk3d"}))),
    (b"FLV\x01", Signature("container", "a Flash video", frozenset({"flv"}))),
    (b"OggS", Signature("container", "an Ogg file", frozenset({"ogg", "ogv", "oga", "ogx", "opus", "spx"}))),
    (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", Signature("container", "a Windows Media file", frozenset({"wmv", "asf"}))),
    (b"\0\0\x01\xba", Signature("container", "an MPEG program stream", _MPEG_PS)),
    (b"\0\0\x01\xb3", Signature("container", "an MPEG video stream", _MPEG_PS | {"m1v", "m2v"})),
    (b"YUV4MPEG2", Signature("container", "a YUV4MPEG file", frozenset({"y4m"}))),
    (b"DKIF", Signature("container", "an IVF file", frozenset({"ivf"}))),
    (b"\x06\x0e\x2b\x34", Signature("container", "an MXF file", frozenset({"mxf"}))),
    (b"ID3", Signature("container", "an MP3 audio file", frozenset({"mp3"}))),
    (b"fLaC", Signature("container", "a FLAC audio file", frozenset({"flac"}))),
    (b"PK\x03\x04", Signature("other", "a ZIP archive or office document")),
    (b"PK\x05\x06", Signature("other", "an empty ZIP archive")),
    (b"%PDF-", Signature("other", "a PDF document")),
    (b"\x7fELF", Signature("other", "a program (ELF)")),
    (b"MZ", Signature("other", "a program (Windows)")),
    (b"Rar!", Signature("other", "a RAR archive")),
    (b"7z\xbc\xaf\x27\x1c", Signature("other", "a 7-Zip archive")),
    (b"\x1f\x8b", Signature("other", "a gzip archive")),
    (b"SQLite format 3\0", Signature("other", "an SQLite database")),
)


def identify(head: bytes) -> Signature:
    """Name the content from its first `HEAD_BYTES` bytes (fewer if the file is shorter)."""
    for start, signature in _STARTS:
        if head.startswith(start):
            return signature
    if head[:4] == b"RIFF":
        return _riff(head[8:12])
    if head[4:8] in (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"moof", b"styp", b"pnot"):
        return _iso_bmff(head)
    if len(head) > 188 and head[0] == 0x47 and head[188] == 0x47:
        return Signature("container", "an MPEG transport stream", _MPEG_TS)
    if len(head) > 196 and head[4] == 0x47 and head[196] == 0x47:
        return Signature("container", "an MPEG transport stream", _MPEG_TS)
    if head[:2] == b"BM" and head[6:10] == b"\0\0\0\0":
        return Signature("still", "a BMP image", frozenset({"bmp", "dib"}))
    if head and not head.strip(b"\0"):
        return Signature("other", "nothing but zero bytes")
    if _is_text(head):
        return Signature("other", "text")
    return Signature("unknown", "bytes of no known media format")


def declared_length(head: bytes) -> int | None:
    """The length that the file states, in bytes, for RIFF (AVI, WAV, WebP) and Matroska; None where it does not say."""
    if head[:4] == b"RIFF" and len(head) >= 12:
        size = int.from_bytes(head[4:8], "little")
        # Writers that never came back to fill it in leave 0 or all ones.
        return size + 8 if 0 < size < 0xFFFFFFFF else None
    if head[:4] == b"\x1a\x45\xdf\xa3":
        header = _vint(head, 4)
        segment = header[0] + header[1] if header else len(head)
        if head[segment : segment + 4] == b"\x18\x53\x80\x67" and (body := _vint(head, segment + 4)):
            return body[0] + body[1]
    return None


def _vint(data: bytes, at: int) -> tuple[int, int] | None:
    """(position behind it, value) of an EBML size (RFC 8794, 4); None where it is unknown or cut off."""
    if at >= len(data) or not data[at]:
        return None
    width = 9 - data[at].bit_length()
    value = int.from_bytes(data[at : at + width], "big") & ((1 << 7 * width) - 1)
    if at + width > len(data) or value == (1 << 7 * width) - 1:
        return None
    return at + width, value


def _riff(form: bytes) -> Signature:
    if form == b"WEBP":
        return Signature("still", "a WebP image", frozenset({"webp"}))
    if form == b"WAVE":
        return Signature("container", "a WAV audio file", frozenset({"wav"}))
    return Signature("container", "an AVI file", frozenset({"avi", "divx"}))


def _iso_bmff(head: bytes) -> Signature:
    brand = head[8:12] if head[4:8] == b"ftyp" else b""
    if brand in (b"avif", b"avis"):
        return Signature("still", "an AVIF image", frozenset({"avif"}))
    if brand in _HEIF_BRANDS:
        return Signature("still", "a HEIC image", frozenset({"heic", "heif", "hif"}))
    return Signature("container", "an MP4 or QuickTime file", _MP4)


def _is_text(head: bytes) -> bool:
    if not head:
        return False
    if head[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return True
    try:
        # The head may end inside a multi-byte character.
        text = head.decode("utf-8", "ignore") if len(head) == HEAD_BYTES else head.decode("utf-8")
    except UnicodeDecodeError:
        return False
    if len(text.encode("utf-8")) < len(head) - 3:
        return False
    printable = sum(character.isprintable() or character in "\r\n\t\f" for character in text)
    return printable >= 0.97 * len(text)
