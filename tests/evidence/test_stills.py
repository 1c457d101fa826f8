"""Stills are evidence of one frame, seen the way the camera meant it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pillow_heif
import pytest
from PIL import ExifTags, Image

from detector.errors import EvidenceError, NotMediaError
from detector.evidence import Evidence, FrameReader, frame_at, frame_times
from tests.evidence.media import make_still, make_video, number_in, numbered_picture

Admit = Callable[..., Evidence]

FORMATS = {
    "jpeg": ("a.jpg", {"quality": 90}),
    "png": ("a.png", {}),
    "webp": ("a.webp", {"quality": 90}),
    "heif": ("a.heic", {"quality": 90}),
    "tiff": ("a.tif", {}),
    "bmp": ("a.bmp", {}),
}
# What the camera stored, for a picture that stands upright once the orientation is applied.
STORED = {
    1: lambda p: p,
    2: lambda p: p[:, ::-1],
    3: lambda p: np.rot90(p, 2),
    4: lambda p: p[::-1],
    5: lambda p: p.transpose(1, 0, 2),
    6: lambda p: np.rot90(p, 1),
    7: lambda p: np.rot90(p, 2).transpose(1, 0, 2),
    8: lambda p: np.rot90(p, -1),
}


@pytest.mark.parametrize("format_name", FORMATS)
def test_every_format_gives_its_picture(format_name: str, tmp_path: Path, admit: Admit) -> None:
    name, save = FORMATS[format_name]
    pillow_heif.register_heif_opener()
    evidence = admit(make_still(tmp_path / name, number=613, **save))
    assert (evidence.kind, evidence.container.format_name) == ("still", format_name)
    assert (evidence.video.width, evidence.video.height, evidence.video.frame_count) == (160, 120, 1)
    assert evidence.integrity.warnings == ()
    assert evidence.audio is None
    with FrameReader(evidence, frames_per_second=5, max_frames=10) as reader:
        assert reader.expected_frames == 1
        (frame,) = list(reader)
        assert (reader.progress, reader.shot_starts_s, reader.expected_frames) == (1.0, [0.0], 1)
    assert (frame.pts, frame.pts_s, frame.frame_index, frame.shot_index) == (0, 0.0, 0, 0)
    assert number_in(frame.image) == 613
    assert frame_times(evidence) == (0,)
    assert np.array_equal(frame_at(evidence, 0).image, frame.image)
    with pytest.raises(EvidenceError, match="PTS 0"):
        frame_at(evidence, 1)


@pytest.mark.parametrize("orientation", STORED)
def test_the_exif_orientation_is_applied(orientation: int, tmp_path: Path, admit: Admit) -> None:
    upright = numbered_picture(421, (200, 120))
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = np.ascontiguousarray(STORED[orientation](upright))
    Image.fromarray(stored).save(tmp_path / "a.jpg", quality=95, exif=exif)
    evidence = admit(tmp_path / "a.jpg")
    assert (evidence.video.width, evidence.video.height) == (200, 120)
    assert (evidence.video.coded_width, evidence.video.coded_height) == (stored.shape[1], stored.shape[0])
    image = frame_at(evidence, 0).image
    assert image.shape == (120, 200, 3)
    assert float(np.abs(image.astype(int) - upright).mean()) < 4
    assert bool(evidence.integrity.warnings) == (orientation != 1)


@pytest.mark.parametrize("mode", ["L", "LA", "P", "RGBA", "CMYK", "1", "I;16"])
def test_every_pixel_mode_becomes_rgb(mode: str, tmp_path: Path, admit: Admit) -> None:
    grey = np.linspace(0, 255, 160 * 120).reshape(120, 160)
    if mode == "I;16":
        image = Image.fromarray((grey * 257).astype(np.uint16))
    else:
        image = Image.fromarray(grey.astype(np.uint8)).convert("RGB").convert(mode, palette=Image.Palette.ADAPTIVE)
    path = tmp_path / ("a.tif" if mode == "CMYK" else "a.png")
    image.save(path)
    evidence = admit(path)
    pixels = frame_at(evidence, 0).image
    assert pixels.shape == (120, 160, 3)
    assert pixels.dtype == np.uint8
    assert evidence.video.bit_depth == {"I;16": 16, "1": 1}.get(mode, 8)
    tolerance = 90 if mode == "1" else 6
    assert float(np.abs(pixels.astype(int).mean(axis=2) - grey).mean()) < tolerance


def test_a_video_behind_the_picture_is_named(tmp_path: Path, admit: Admit) -> None:
    photo, video = make_still(tmp_path / "a.jpg"), make_video(tmp_path / "a.mp4", frames=3)
    photo.write_bytes(photo.read_bytes() + video.read_bytes())
    evidence = admit(photo)
    assert evidence.kind == "still"
    assert any("follows the end of the JPEG" in warning for warning in evidence.integrity.warnings)


def test_further_images_in_the_file_are_named(tmp_path: Path, admit: Admit) -> None:
    first, *rest = [Image.fromarray(numbered_picture(number)) for number in (7, 8, 9)]
    first.save(tmp_path / "a.webp", save_all=True, append_images=rest, lossless=True)
    evidence = admit(tmp_path / "a.webp")
    assert any("3 images" in warning for warning in evidence.integrity.warnings)
    assert number_in(frame_at(evidence, 0).image) == 7


def test_further_images_that_cannot_be_read_leave_the_first(tmp_path: Path, admit: Admit) -> None:
    path = make_still(tmp_path / "a.tif", number=7)
    content = bytearray(path.read_bytes())
    directory = int.from_bytes(content[4:8], "little")
    behind = directory + 2 + 12 * int.from_bytes(content[directory : directory + 2], "little")
    content[behind : behind + 4] = len(content).to_bytes(4, "little")  # a next directory (TIFF 6.0, section 2), empty
    path.write_bytes(content + bytes(6))
    evidence = admit(path)
    assert any("further images" in warning for warning in evidence.integrity.warnings)
    assert number_in(frame_at(evidence, 0).image) == 7


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_samples_that_are_no_numbers_are_black_and_named(value: float, tmp_path: Path, admit: Admit) -> None:
    grey = np.full((120, 160), 100, np.float32)
    grey[:10] = value
    Image.fromarray(grey).save(tmp_path / "a.tif")
    evidence = admit(tmp_path / "a.tif")
    assert any("1600 sample(s)" in warning for warning in evidence.integrity.warnings)
    pixels = frame_at(evidence, 0).image
    assert (pixels[:10] == 0).all()
    assert (pixels[10:] == 100).all()


def test_an_image_without_a_number_is_refused(tmp_path: Path, admit: Admit) -> None:
    Image.fromarray(np.full((120, 160), np.nan, np.float32)).save(tmp_path / "a.tif")
    with pytest.raises(NotMediaError, match="finite"):
        admit(tmp_path / "a.tif")


def test_damaged_metadata_is_not_complained_of_on_the_terminal(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Make] = "A camera whose name is long enough to lie behind the directory"
    path = make_still(tmp_path / "a.jpg", exif=exif)
    content = path.read_bytes()
    at = content.find(b"\x01\x0f") + 4  # the tag's count of characters (TIFF 6.0, section 2)
    path.write_bytes(content[:at] + (60_000).to_bytes(4, "big") + content[at + 4 :])
    script = "import sys, pathlib as p, detector.evidence as e; e.examine(e.ingest(*map(p.Path, sys.argv[1:])))"
    run = subprocess.run([sys.executable, "-c", script, path, tmp_path / "store"], capture_output=True, check=True)
    assert run.stderr == b""
