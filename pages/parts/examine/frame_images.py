"""Pictures of one frame for the screen. All are derived: scaled and re-encoded for display, with boxes drawn on.

Decoded frames are kept by file and PTS, never by their pixels.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from detector.evidence import Evidence, Frame, frame_at, frame_times
from detector.faces.types import Box

DISPLAY_WIDTH_PX = 1280
_DISPLAY_HEIGHT_PX = 440
_LABEL_PX = 16
# Streamlit names media above 1 MiB by samples of their bytes; below it, by all of them.
_LARGEST_BYTES = 1_000_000


@dataclass(frozen=True, slots=True)
class DrawnBox:
    """A box to draw on a frame, in its displayed pixels."""

    box_xyxy_px: Box
    colour: str
    label: str
    chosen: bool


@lru_cache(maxsize=12)
def exact_frame(sha256: str, pts: int, evidence: Evidence) -> Frame:
    """The frame at `pts`, decoded from the stored evidence; for pages and the player alike, from whatever thread.
    Raises EvidenceError where it does not decode."""
    return frame_at(evidence, pts)


@lru_cache(maxsize=8)
def every_moment(sha256: str, evidence: Evidence) -> tuple[int, ...]:
    """The PTS of every displayed frame of the file, ascending."""
    return tuple(sorted(frame_times(evidence)))


def display_width_px(width_px: int, height_px: int) -> int:
    """The width at which to show a frame of this size: no taller than the screen's free part, at most twice its own."""
    return max(240, min(DISPLAY_WIDTH_PX, 2 * width_px, round(_DISPLAY_HEIGHT_PX * width_px / height_px)))


def with_boxes(image: NDArray[np.uint8], boxes: Sequence[DrawnBox]) -> bytes:
    """JPEG of (H, W, 3) uint8 RGB at the width of `display_width_px`, with labelled boxes; the chosen ones on top.

    Scaled here and not by the browser, so that lines and labels stay sharp on small frames.
    """
    height_px, width_px = image.shape[:2]
    shown_px = display_width_px(width_px, height_px)
    scale = shown_px / width_px
    picture = Image.fromarray(image).resize((shown_px, max(1, round(height_px * scale))), Image.Resampling.BILINEAR)
    draw = ImageDraw.Draw(picture)
    for box in sorted(boxes, key=lambda item: item.chosen):
        _draw_box(draw, box, scale)
    return jpeg(np.asarray(picture))


def _draw_box(draw: ImageDraw.ImageDraw, box: DrawnBox, scale: float) -> None:
    left, top, right, bottom = (value * scale for value in box.box_xyxy_px)
    # A dark edge keeps the box visible on any background.
    draw.rectangle([left - 1, top - 1, right + 1, bottom + 1], outline="black")
    draw.rectangle([left, top, right, bottom], outline=box.colour, width=3 if box.chosen else 2)
    # The chosen face is named above its box and the others below theirs, so that close faces stay legible.
    above = box.chosen and top >= _LABEL_PX + 4
    baseline = top - 4 if above else bottom + _LABEL_PX + 2
    font = ImageFont.load_default(size=_LABEL_PX - 2)
    around = draw.textbbox((left + 4, baseline), box.label, font=font, anchor="ls")
    draw.rectangle([around[0] - 4, around[1] - 3, around[2] + 4, around[3] + 3], fill="#101418")
    draw.text((left + 4, baseline), box.label, font=font, anchor="ls", fill="white")


def jpeg(image: NDArray[np.uint8]) -> bytes:
    """JPEG of (H, W, 3) uint8 RGB below 1 MB, at the best quality that fits."""
    picture = Image.fromarray(image)
    for quality in (92, 85, 75, 60):
        buffer = io.BytesIO()
        picture.save(buffer, "JPEG", quality=quality)
        if buffer.tell() <= _LARGEST_BYTES:
            break
    return buffer.getvalue()


def png(image: NDArray[np.uint8]) -> bytes:
    """Lossless PNG of (H, W, 3) uint8 RGB, for saving the decoded frame as it is."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "PNG")
    return buffer.getvalue()
