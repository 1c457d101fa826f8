"""Metadata of a still as stated: EXIF (CIPA DC-008), XMP (ISO 16684-1), IPTC-IIM, PNG text, comments, thumbnail."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import ExifTags, Image, IptcImagePlugin, TiffImagePlugin

from detector.evidence.forensics.jpeg_history import jpeg_facts
from detector.evidence.forensics.types import JpegFacts
from detector.evidence.forensics.xmp import Xmp, read_xmp
from detector.evidence.stills import FORMATS
from detector.evidence.text import shown

_MAX_FIELDS = 160
_MAX_PER_SECTION = 60
_MAX_THUMBNAIL_BYTES, _MAX_THUMBNAIL_PX = 1 << 20, 2_048
_BINARY_TAGS = {
    "MakerNote",
    "PrintImageMatching",
    "XMLPacket",
    "ImageResources",
    "InterColorProfile",
    "JPEGTables",
    "DNGPrivateData",
}
_IPTC = {
    (2, 5): "ObjectName", (2, 25): "Keywords", (2, 40): "SpecialInstructions", (2, 55): "DateCreated",
    (2, 65): "OriginatingProgram", (2, 70): "ProgramVersion", (2, 80): "By-line", (2, 105): "Headline",
    (2, 110): "Credit", (2, 115): "Source", (2, 116): "CopyrightNotice", (2, 120): "Caption",
}  # fmt: skip
_DAMAGE = (OSError, ValueError, SyntaxError, TypeError, KeyError, IndexError, AttributeError, OverflowError, EOFError,
           RuntimeError, MemoryError, ZeroDivisionError, Image.DecompressionBombError)  # fmt: skip


@dataclass(slots=True)
class StillMetadata:
    """`fields` are (section, name, value); `exif` the plain values by tag name; `thumbnail_correlation` that of
    the embedded thumbnail with the picture, None where there is none or it cannot be compared; `problems` say what
    could not be read."""

    format: str
    width: int
    height: int
    fields: list[tuple[str, str, str]] = field(default_factory=list)
    exif: dict[str, str] = field(default_factory=dict)
    gps: bool = False
    xmp: Xmp | None = None
    thumbnail: str | None = None
    thumbnail_correlation: float | None = None
    jpeg: JpegFacts | None = None
    problems: list[str] = field(default_factory=list)

    def add(self, section: str, name: str, value: object) -> None:
        """Keep a field, as printable text, up to a limit on how many."""
        in_section = sum(one[0] == section for one in self.fields)
        if len(self.fields) < _MAX_FIELDS and in_section < _MAX_PER_SECTION:
            self.fields.append((section, shown(name, 60), shown(value)))

    @property
    def sections(self) -> tuple[str, ...]:
        """The sections that hold fields, in their order."""
        return tuple(dict.fromkeys(section for section, _, _ in self.fields))


def read_still_metadata(path: Path) -> StillMetadata:
    """Everything stated in a still. Raises OSError where Pillow cannot open it; a damaged part is named and skipped."""
    with Image.open(path, formats=FORMATS) as image:
        found = StillMetadata((image.format or "unknown").lower(), *image.size)
        readers: tuple[tuple[str, Callable[[], None]], ...] = (
            ("EXIF", lambda: _exif(image, found)),
            ("PNG text", lambda: _texts(image, found)),
            ("IPTC", lambda: _iptc(image, found)),
            ("XMP", lambda: _xmp(image, found)),
            ("thumbnail", lambda: _thumbnail(image, path, found)),
        )
        for name, read in readers:
            try:
                read()
            except _DAMAGE as error:
                found.problems.append(f"The {name} could not be read ({type(error).__name__}).")
        with suppress(*_DAMAGE):
            found.jpeg = jpeg_facts(image, path)
    return found


def _exif(image: Image.Image, found: StillMetadata) -> None:
    exif = image.getexif()
    parts: tuple[tuple[str, Mapping[int, Any], Any], ...] = (
        ("EXIF", exif, ExifTags.TAGS),
        ("EXIF", exif.get_ifd(ExifTags.IFD.Exif), ExifTags.TAGS),
        ("GPS", exif.get_ifd(ExifTags.IFD.GPSInfo), ExifTags.GPSTAGS),
    )
    for section, values, names in parts:
        for tag, value in list(values.items())[: 4 * _MAX_PER_SECTION]:
            name = names.get(tag, f"tag {tag}")
            if name in _BINARY_TAGS or tag in (ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo, ExifTags.IFD.Interop):
                continue
            text = _comment(value) if name == "UserComment" else _readable(value)
            found.add(section, name, text)
            if section == "EXIF":
                found.exif[name] = shown(text)
    found.gps = any(
        name.startswith(("GPSLatitude", "GPSLongitude")) for section, name, _ in found.fields if section == "GPS"
    )


def _readable(value: object) -> str:
    if isinstance(value, bytes):
        return value.rstrip(b"\0").decode("utf-8", "replace") if len(value) <= 512 else f"{len(value)} bytes"
    if isinstance(value, TiffImagePlugin.IFDRational):
        return f"{float(value):g}" if value.denominator else "not a number"
    if isinstance(value, tuple):
        return ", ".join(_readable(item) for item in value[:12])
    return str(value).replace("\0", " ")


def _comment(value: object) -> str:
    """UserComment begins with eight bytes that name its character code (CIPA DC-008, 4.6.5)."""
    if not isinstance(value, bytes):
        return _readable(value)
    code, text = value[:8], value[8:]
    if code.startswith(b"UNICODE"):
        return max((text.decode(name, "replace") for name in ("utf-16-be", "utf-16-le")), key=_ascii_share).strip("\0 ")
    return (text if code.strip(b"\0") in (b"ASCII", b"", b"JIS") else value).decode("utf-8", "replace").strip("\0 ")


def _ascii_share(text: str) -> float:
    return sum(character.isascii() for character in text[:200]) / max(1, len(text[:200]))


def _texts(image: Image.Image, found: StillMetadata) -> None:
    """PNG text chunks, also those behind the picture, and the comments of other formats."""
    texts: Mapping[str, Any] = image.text if image.format == "PNG" else {}  # type: ignore[attr-defined]
    for name, value in list(texts.items())[:_MAX_PER_SECTION]:
        if name != "XML:com.adobe.xmp":
            found.add("PNG text", str(name), value)
    if image.format != "PNG" and image.info.get("comment"):
        found.add("Comment", "comment", image.info["comment"])


def _iptc(image: Any, found: StillMetadata) -> None:
    for key, value in list((IptcImagePlugin.getiptcinfo(image) or {}).items())[:_MAX_PER_SECTION]:
        if key in _IPTC:
            values = value if isinstance(value, list) else [value]
            found.add("IPTC", _IPTC[key], "; ".join(shown(one) for one in values[:8]))


def _xmp(image: Image.Image, found: StillMetadata) -> None:
    packet = image.info.get("xmp") or image.info.get("XML:com.adobe.xmp")
    if packet is None and image.format == "TIFF":
        packet = image.getexif().get(700)
    if not packet:
        return
    found.xmp = read_xmp(packet)
    for name, value in found.xmp.properties:
        found.add("XMP", name, value)
    if found.xmp.problem:
        found.problems.append(found.xmp.problem)


def _thumbnail(image: Image.Image, path: Path, found: StillMetadata) -> None:
    """The thumbnail of EXIF's second directory beside the picture, both small and grey and without black bars."""
    block = image.info.get("exif")
    place = image.getexif().get_ifd(ExifTags.IFD.IFD1)
    offset, length = place.get(0x0201), place.get(0x0202)
    if not isinstance(block, bytes) or not isinstance(offset, int) or not isinstance(length, int):
        return
    start = offset + (6 if block.startswith(b"Exif\0\0") else 0)
    if not 0 < length <= _MAX_THUMBNAIL_BYTES or offset <= 0 or start + length > len(block):
        found.thumbnail = "An EXIF thumbnail is declared but lies outside the EXIF data."
        return
    with Image.open(io.BytesIO(block[start : start + length]), formats=("JPEG",)) as small:
        if max(small.size) > _MAX_THUMBNAIL_PX:
            found.thumbnail = f"The EXIF thumbnail declares {small.width} x {small.height} pixels and was not decoded."
            return
        grey = _without_bars(np.asarray(small.convert("L"), np.float32))
        found.thumbnail = f"EXIF thumbnail of {small.width} x {small.height} pixels."
    with Image.open(path, formats=FORMATS) as again:
        again.draft("L", (256, 256))
        whole = np.asarray(again.convert("L").resize((64, 64)), np.float32)
    shrunk = np.asarray(Image.fromarray(grey).resize((64, 64)), np.float32)
    if min(whole.std(), shrunk.std()) > 2:
        found.thumbnail_correlation = round(float(np.corrcoef(whole.ravel(), shrunk.ravel())[0, 1]), 3)


def _without_bars(grey: np.ndarray) -> np.ndarray:
    """Cameras pad thumbnails with black to their own shape."""
    rows = list(_lit(grey.max(1)))
    columns = list(_lit(grey.max(0)))
    return grey[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] if rows and columns else grey


def _lit(brightest: np.ndarray) -> Iterator[int]:
    return (index for index, value in enumerate(brightest.tolist()) if value > 24)
