"""Still images as evidence: JPEG, PNG, WebP, HEIC, AVIF, TIFF and BMP through Pillow."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any
from warnings import filterwarnings

import numpy as np
import pillow_heif
from numpy.typing import NDArray
from PIL import ExifTags, Image, UnidentifiedImageError

from detector.errors import NotMediaError, OversizedError, TruncatedFileError
from detector.evidence.decoder import MAX_SIDE_PX
from detector.evidence.types import Container, Evidence, Integrity, StoredFile, VideoStream

MAX_PIXELS = 200_000_000
FORMATS = ("JPEG", "PNG", "WEBP", "HEIF", "AVIF", "TIFF", "BMP")
# Clockwise turn (degrees) by EXIF orientation, after the mirroring that some of them include (CIPA DC-008, 4.6.4).
_EXIF_ROTATION_DEG = {1: 0, 2: 0, 3: 180, 4: 180, 5: 270, 6: 90, 7: 90, 8: 270}
# The stored picture as a view of the displayed one, by EXIF orientation.
_AS_STORED: dict[int, Callable[[NDArray[np.uint8]], NDArray[np.uint8]]] = {
    2: lambda shown: shown[:, ::-1],
    3: lambda shown: shown[::-1, ::-1],
    4: lambda shown: shown[::-1],
    5: lambda shown: shown.transpose(1, 0, 2),
    6: lambda shown: np.rot90(shown, 1),
    7: lambda shown: shown.transpose(1, 0, 2)[::-1, ::-1],
    8: lambda shown: np.rot90(shown, -1),
}
_TURNED = {5, 6, 7, 8}
_STRIP_PIXELS = 1 << 20
_TAG_CHARS = 200
_TAIL_BYTES = 64

# Loads every plug-in, so that all of `FORMATS` can be asked for by name.
Image.init()
pillow_heif.register_heif_opener()
# Pillow refuses images of more than twice this number while it reads the header, before anything is decoded.
Image.MAX_IMAGE_PIXELS = MAX_PIXELS // 2
# What it has to say of damaged metadata names places on this machine, and reaches nobody who reads a record.
filterwarnings("ignore", category=UserWarning, module=r"PIL\.")


def examine_still(stored: StoredFile, label: str) -> Evidence:
    """Describe a still as a video of one frame (PTS 0). The picture is decoded once to prove that it is whole.

    `label` names the content in errors. Raises `OversizedError` before decoding, `TruncatedFileError`,
    `NotMediaError`.
    """
    warnings: list[str] = []
    with _opened(stored.path, label) as image:
        format_name = (image.format or "unknown").lower()
        coded_width, coded_height = image.size
        orientation = _orientation(image)
        tags = _tags(image)
        bands, pixel_format, bit_depth = image.getbands(), image.mode, _bit_depth(image)
        picture, unreal = _displayed(image, label)
        height, width = picture.shape[:2]
    frames = _image_count(stored.path, label)
    if frames is None:
        warnings.append("The file refers to further images that cannot be read; only the first is examined.")
    elif frames > 1:
        warnings.append(f"The file holds {frames} images; only the first is examined.")
    if orientation not in (0, 1):
        warnings.append(f"The EXIF orientation ({orientation}) was applied.")
    if unreal:
        warnings.append(f"{unreal} sample(s) of the image are no finite numbers; they are shown black.")
    warnings += _tail_warnings(stored.path, format_name)
    return Evidence(
        file=stored,
        kind="still",
        container=Container(format_name=format_name, duration_s=None, bit_rate=None, stream_count=1, tags=tags),
        video=VideoStream(
            codec=format_name,
            profile=None,
            width=width,
            height=height,
            coded_width=coded_width,
            coded_height=coded_height,
            duration_s=0.0,
            frame_count=1,
            rotation_deg=_EXIF_ROTATION_DEG.get(orientation, 0),
            variable_frame_rate=False,
            average_fps=None,
            time_base=Fraction(1, 1),
            pixel_format=pixel_format,
            bit_depth=bit_depth,
            colour_range="full",
            colour_space="rgb" if bands[0] == "R" else None,
            keyframe_count=1,
            keyframe_interval_s=None,
        ),
        audio=None,
        integrity=Integrity(decode_errors=0, warnings=tuple(warnings)),
    )


def read_still(path: Path) -> NDArray[np.uint8]:
    """(H, W, 3) uint8 RGB with the EXIF orientation applied; 16-bit samples keep their upper eight bits.

    Floating-point samples that are not finite (IEEE 754: NaN, infinities) are black. Raises as `examine_still` does.
    """
    with _opened(path, "the image") as image:
        return _displayed(image, "the image")[0]


@contextmanager
def _opened(path: Path, label: str) -> Iterator[Image.Image]:
    try:
        image = Image.open(path, formats=FORMATS)
    except Image.DecompressionBombError as error:
        raise OversizedError(
            f"Expected at most {MAX_PIXELS // 1_000_000} megapixels, found {label} that declares more. "
            "Nothing was decoded; crop or scale a copy, and keep the original."
        ) from error
    except (OSError, ValueError, SyntaxError, RuntimeError) as error:
        # Pillow's own message names the stored path.
        reason = "no picture in it" if isinstance(error, UnidentifiedImageError) else str(error)
        raise TruncatedFileError(
            f"Expected a complete image, found {label} whose header cannot be read ({reason}). Obtain a complete copy."
        ) from error
    with image:
        width, height = image.size
        if max(width, height) > MAX_SIDE_PX or width * height > MAX_PIXELS:
            raise OversizedError(
                f"Expected at most {MAX_SIDE_PX} pixels a side and {MAX_PIXELS // 1_000_000} megapixels, found {label} "
                f"of {width} x {height}. Nothing was decoded; crop or scale a copy, and keep the original."
            )
        yield image


def _displayed(image: Image.Image, label: str) -> tuple[NDArray[np.uint8], int]:
    """The picture, and how many of its samples are not finite."""
    try:
        image.load()
        picture, unreal = _by_rows(image)
        if unreal == image.width * image.height:
            raise NotMediaError(
                f"Expected an image, found {label} of which no sample is a finite number. Obtain another copy."
            )
        return picture, unreal
    except Image.DecompressionBombError as error:
        raise OversizedError(f"The decoder refused {label}: {error}.") from error
    except (OSError, ValueError, SyntaxError, EOFError, RuntimeError) as error:
        if "out of memory" in str(error):
            raise MemoryError(str(error)) from error
        if "truncated" in str(error).lower() or isinstance(error, EOFError | OSError):
            raise TruncatedFileError(
                f"Expected a complete image, found {label} that ends early or is damaged ({error}). "
                "Obtain a complete copy."
            ) from error
        raise NotMediaError(f"Expected an image, found {label} that does not decode ({error}).") from error


def _by_rows(image: Image.Image) -> tuple[NDArray[np.uint8], int]:
    """A loaded picture as displayed, and how many of its samples are not finite; those are black.

    It is converted a few rows at a time, so that only the result is held beside it.
    """
    width, height = image.size
    orientation = _orientation(image)
    displayed = np.empty((width, height, 3) if orientation in _TURNED else (height, width, 3), np.uint8)
    stored = _AS_STORED[orientation](displayed) if orientation in _AS_STORED else displayed
    unreal = 0
    if image.mode.startswith(("I", "F")):
        deep = any((_samples(strip)[0] > 255).any() for _, strip in _strips(image))
        for top, strip in _strips(image):
            samples, skipped = _samples(strip)
            unreal += skipped
            grey = np.clip(samples // 257 if deep else samples, 0, 255).astype(np.uint8)
            stored[top : top + strip.height] = grey[:, :, None]
    else:
        for top, strip in _strips(image):
            stored[top : top + strip.height] = np.asarray(strip.convert("RGB"))
    return displayed, unreal


def _strips(image: Image.Image) -> Iterator[tuple[int, Image.Image]]:
    rows = max(1, _STRIP_PIXELS // image.width)
    for top in range(0, image.height, rows):
        yield top, image.crop((0, top, image.width, min(top + rows, image.height)))


def _samples(strip: Image.Image) -> tuple[NDArray[Any], int]:
    """Samples of more than eight bits with 0 for those that are not finite, and the number of those."""
    samples = np.asarray(strip)
    if samples.dtype.kind != "f":
        return samples, 0
    finite = np.isfinite(samples)
    return np.where(finite, samples.astype(np.float64), 0.0), int((~finite).sum())


def _image_count(path: Path, label: str) -> int | None:
    """How many images the file holds, None where those behind the first cannot be read. It is opened anew, because
    counting moves on in the file."""
    with _opened(path, label) as image:
        try:
            return int(getattr(image, "n_frames", 1))
        except MemoryError:
            raise
        except Exception:  # Pillow's plug-ins stumble over hostile directories in ways that no list foresees
            return None


def _orientation(image: Image.Image) -> int:
    try:
        return int(image.getexif().get(ExifTags.Base.Orientation, 1))
    except (TypeError, ValueError, SyntaxError, OSError):
        return 1


def _bit_depth(image: Image.Image) -> int:
    depth = image.info.get("bit_depth")
    if isinstance(depth, int):
        return depth
    return 16 if image.mode.startswith("I") else 1 if image.mode == "1" else 8


def _tags(image: Image.Image) -> tuple[tuple[str, str], ...]:
    """The camera's own claims from EXIF, as text."""
    wanted = (ExifTags.Base.Make, ExifTags.Base.Model, ExifTags.Base.Software, ExifTags.Base.DateTime)
    try:
        exif = image.getexif()
        found = [(tag.name.lower(), str(exif[tag])) for tag in wanted if tag in exif]
    except (TypeError, ValueError, SyntaxError, OSError):
        return ()
    return tuple((name, value.replace("\0", "")[:_TAG_CHARS]) for name, value in found)


def _tail_warnings(path: Path, format_name: str) -> list[str]:
    """A JPEG whose last bytes are not its end marker carries something else: a motion photo's video, or more."""
    if format_name != "jpeg":
        return []
    with path.open("rb") as stream:
        stream.seek(0, os.SEEK_END)
        stream.seek(max(0, stream.tell() - _TAIL_BYTES))
        tail = stream.read()
    if b"\xff\xd9" in tail:
        return []
    return ["Data follows the end of the JPEG image (for example a motion photo's video); it is not examined."]
