"""A still: statements about itself, what it shows of its past, and what must never be done with its metadata."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image, PngImagePlugin
from skimage.data import astronaut

from detector.evidence import Evidence
from detector.evidence.forensics import FileForensics, examine_file
from detector.evidence.forensics.xmp import MAX_BYTES, read_xmp
from tests.evidence.forensics.boxes import codes, finding

Admit = Callable[..., Evidence]
HISTORY = """<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">
<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about=""
 xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmlns:xmpMM="http://ns.adobe.com/xap/1.0/mm/"
 xmlns:stEvt="http://ns.adobe.com/xap/1.0/sType/ResourceEvent#"
 xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
 xmp:CreatorTool="Adobe Photoshop 25.0 (Windows)"
 Iptc4xmpExt:DigitalSourceType="http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia">
<xmpMM:History><rdf:Seq>
<rdf:li stEvt:action="created" stEvt:softwareAgent="Camera"/>
<rdf:li stEvt:action="saved" stEvt:softwareAgent="Adobe Photoshop 25.0" stEvt:when="2024-05-01T10:00:00Z"
 stEvt:changed="/"/></rdf:Seq></xmpMM:History></rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end="w"?>"""
ENTITIES = """<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">
<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;"><!ENTITY f SYSTEM "file:///etc/passwd">]>
<x:xmpmeta xmlns:x="adobe:ns:meta/">&c;&f;</x:xmpmeta>"""


@pytest.fixture(scope="module")
def photo() -> Image.Image:
    """A photograph without traces of an earlier coding: scaled down from a larger one."""
    return Image.fromarray(astronaut()).resize((424, 424), Image.Resampling.LANCZOS)


def looked_at(evidence: Evidence) -> FileForensics:
    return examine_file(evidence.file.path, evidence)


def saved(photo: Image.Image, path: Path, **options: object) -> Path:
    photo.save(path, **options)  # type: ignore[arg-type]
    return path


def camera_exif(**more: str) -> Image.Exif:
    exif = Image.Exif()
    exif[ExifTags.Base.Make], exif[ExifTags.Base.Model] = "Maker", "Model 7"
    exif[ExifTags.Base.DateTime] = more.get("changed", "2024:03:01 10:00:00")
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.DateTimeOriginal] = "2024:03:01 10:00:00"
    return exif


def test_a_bare_picture_says_that_it_holds_nothing(photo: Image.Image, tmp_path: Path, admit: Admit) -> None:
    found = looked_at(admit(saved(photo, tmp_path / "a.png")))
    assert "no EXIF data" in finding(found, "no_metadata").finding
    assert found.metadata.gps is False
    assert found.frames is None
    assert not [one for one in found.observations if one.weight == "attention"]


def test_camera_times_and_position(photo: Image.Image, tmp_path: Path, admit: Admit) -> None:
    exif = camera_exif(changed="2024:03:04 18:00:00")
    gps = exif.get_ifd(ExifTags.IFD.GPSInfo)
    gps[ExifTags.GPS.GPSLatitudeRef], gps[ExifTags.GPS.GPSLatitude] = "N", (48.0, 51.0, 29.6)
    found = looked_at(admit(saved(photo, tmp_path / "a.jpg", exif=exif, quality=90)))
    assert finding(found, "device_stated").finding == "Maker and Model 7."
    assert "2024:03:04 18:00:00" in finding(found, "capture_changed").finding
    assert "48, 51, 29.6" in finding(found, "position").finding
    assert found.metadata.gps is True
    assert found.metadata.sections[:2] == ("EXIF", "GPS")


def test_a_size_that_is_not_the_pictures(photo: Image.Image, tmp_path: Path, admit: Admit) -> None:
    exif = camera_exif()
    part = exif.get_ifd(ExifTags.IFD.Exif)
    part[ExifTags.Base.ExifImageWidth], part[ExifTags.Base.ExifImageHeight] = 4000, 3000
    found = looked_at(admit(saved(photo, tmp_path / "a.jpg", exif=exif)))
    assert "4000 x 3000" in finding(found, "size_changed").finding
    part[ExifTags.Base.ExifImageWidth], part[ExifTags.Base.ExifImageHeight] = 424, 424
    assert "size_changed" not in codes(looked_at(admit(saved(photo, tmp_path / "b.jpg", exif=exif))))


def _with_thumbnail(photo: Image.Image, thumbnail: Image.Image, path: Path) -> Path:
    """A JPEG whose EXIF holds a second directory with a thumbnail, written by hand as cameras do."""
    small = io.BytesIO()
    thumbnail.save(small, "JPEG", quality=85)
    data = small.getvalue()
    first = (1).to_bytes(2, "little") + _entry(0x0112, 3, 1) + (26).to_bytes(4, "little")
    second = (2).to_bytes(2, "little") + _entry(0x0201, 4, 56) + _entry(0x0202, 4, len(data)) + bytes(4)
    block = b"Exif\0\0II*\0" + (8).to_bytes(4, "little") + first + second + data
    assert block.index(data) - 6 == 56
    photo.save(path, quality=90, exif=block)
    return path


def _entry(tag: int, kind: int, value: int) -> bytes:
    return (
        tag.to_bytes(2, "little") + kind.to_bytes(2, "little") + (1).to_bytes(4, "little") + value.to_bytes(4, "little")
    )


def test_a_thumbnail_of_the_same_picture_is_noted(photo: Image.Image, tmp_path: Path, admit: Admit) -> None:
    barred = Image.new("RGB", (160, 120))  # cameras pad with black to a shape of their own
    barred.paste(photo.resize((120, 120)), (20, 0))
    found = looked_at(admit(_with_thumbnail(photo, barred, tmp_path / "a.jpg")))
    one = finding(found, "thumbnail")
    assert "160 x 120" in one.finding
    assert float(one.finding.rsplit(" ", 1)[-1].rstrip(".")) > 0.95
    assert found.metadata.thumbnail is not None


def test_a_thumbnail_of_another_picture_is_told(photo: Image.Image, tmp_path: Path, admit: Admit) -> None:
    other = photo.crop((150, 0, 424, 200)).resize((160, 120))
    found = looked_at(admit(_with_thumbnail(photo, other, tmp_path / "a.jpg")))
    assert finding(found, "thumbnail_differs").weight == "attention"


@pytest.mark.parametrize(("name", "said"), [("parameters", "AUTOMATIC1111"), ("workflow", "ComfyUI")])
def test_a_generators_text_in_a_png(photo: Image.Image, tmp_path: Path, admit: Admit, name: str, said: str) -> None:
    texts = PngImagePlugin.PngInfo()
    texts.add_itxt(name, "a portrait, studio light\nSteps: 20, Sampler: Euler a, CFG scale: 7, Seed: 1")
    found = looked_at(admit(saved(photo, tmp_path / "a.png", pnginfo=texts)))
    one = finding(found, "generator_stated")
    assert said in one.finding
    assert "a portrait" in one.finding
    assert any("proves nothing" in text for text in one.cannot_mean)


def test_a_generators_settings_in_a_user_comment(photo: Image.Image, tmp_path: Path, admit: Admit) -> None:
    exif = Image.Exif()
    comment = b"UNICODE\0" + "portrait Steps: 20, Sampler: Euler, CFG scale: 7, Seed: 5".encode("utf-16-be")
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.UserComment] = comment
    found = looked_at(admit(saved(photo, tmp_path / "a.jpg", exif=exif)))
    assert "Steps: 20" in finding(found, "generator_stated").finding


@pytest.mark.parametrize("suffix", [".jpg", ".webp", ".png"])
def test_an_editing_history_in_xmp(photo: Image.Image, tmp_path: Path, admit: Admit, suffix: str) -> None:
    options: dict[str, object] = {"xmp": HISTORY.encode()}
    if suffix == ".png":
        texts = PngImagePlugin.PngInfo()
        texts.add_itxt("XML:com.adobe.xmp", HISTORY)
        options = {"pnginfo": texts}
    found = looked_at(admit(saved(photo, tmp_path / f"a{suffix}", **options)))
    assert found.metadata.history == (
        "created by Camera",
        "saved by Adobe Photoshop 25.0 at 2024-05-01T10:00:00Z changing /",
    )
    assert "1 step(s): saved by Adobe Photoshop" in finding(found, "edit_history").finding
    assert finding(found, "software_stated").weight == "attention"
    assert "compositeWithTrainedAlgorithmicMedia" in finding(found, "generator_stated").finding


def test_entities_in_xmp_are_refused_unread(photo: Image.Image, tmp_path: Path, admit: Admit) -> None:
    found = looked_at(admit(saved(photo, tmp_path / "a.jpg", xmp=ENTITIES.encode())))
    assert "document type or entities" in finding(found, "unreadable_metadata").finding
    assert "root:" not in repr(found)
    assert "aaaa" not in repr(found)


@pytest.mark.parametrize(
    "packet",
    [
        b"",
        b"<unclosed",
        b"\xff\xfe\x00",
        b"<a>" * 5_000,
        b"<a " + b'b="c" ' * 100_000 + b"/>",
        b"x" * (MAX_BYTES + 1),
        HISTORY.encode("utf-16"),
    ],
)
def test_odd_xmp_never_raises_and_stays_small(packet: bytes) -> None:
    found = read_xmp(packet)
    assert len(found.properties) <= 120
    assert all(len(value) <= 300 for _, value in found.properties)


def test_a_second_jpeg_compression_is_found_and_a_first_one_is_not(
    photo: Image.Image, tmp_path: Path, admit: Admit
) -> None:
    once = looked_at(admit(saved(photo, tmp_path / "once.jpg", quality=92)))
    first = saved(photo, tmp_path / "first.jpg", quality=70)
    with Image.open(first) as opened:
        table = opened.quantization[0]  # type: ignore[attr-defined]
        twice = looked_at(admit(saved(opened.convert("RGB"), tmp_path / "twice.jpg", quality=92)))
    assert once.metadata.jpeg is not None
    assert (once.metadata.jpeg.quality, once.metadata.jpeg.double) == (92, ())
    assert once.metadata.jpeg.double_reason is None
    assert "jpeg_twice" not in codes(once)
    assert twice.metadata.jpeg is not None
    assert len(twice.metadata.jpeg.double) >= 4
    for mode, step in twice.metadata.jpeg.double:
        row, column = map(int, mode.split(","))
        assert step == table[8 * row + column]
    assert finding(twice, "jpeg_twice").weight == "attention"


def test_tables_of_no_standard_quality_are_told(photo: Image.Image, tmp_path: Path, admit: Admit) -> None:
    tables = {0: [3] * 64, 1: [5] * 64}
    found = looked_at(admit(saved(photo, tmp_path / "a.jpg", qtables=tables, subsampling=0)))
    assert found.metadata.jpeg is not None
    assert found.metadata.jpeg.quality is None
    assert found.metadata.jpeg.subsampling == "4:4:4"
    assert "not the IJG library's" in finding(found, "jpeg_tables").finding


def test_a_small_picture_says_that_it_was_not_searched(tmp_path: Path, admit: Admit) -> None:
    small = Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8))
    found = looked_at(admit(saved(small, tmp_path / "a.jpg")))
    assert any("An earlier JPEG compression was not looked for" in limit for limit in found.limits)


def test_hostile_text_is_one_short_line(photo: Image.Image, tmp_path: Path, admit: Admit) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Software] = "<script>\x1b[31m\r\n" + "A" * 5_000
    found = looked_at(admit(saved(photo, tmp_path / "a.jpg", exif=exif)))
    (text,) = found.metadata.software
    assert len(text) <= 300
    assert text.isprintable()
    assert text.startswith("<script> [31m A")
