"""Pictures of one frame for the screen. All are derived: scaled and re-encoded for display, with boxes drawn on.

Decoded frames are kept by (sha256, pts), never by their pixels: Streamlit samples large arrays to hash them and
would take two frames that differ in a few pixels for one.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import streamlit as st
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from detector.evidence import Evidence, Frame, frame_at, frame_times
from detector.faces.types import Box

DISPLAY_WIDTH_PX = 1280
_DISPLAY_HEIGHT_PX = 440
# Streamlit names media above 1 MiB by samples of their bytes; below it, by all of them.
_LARGEST_BYTES = 1_000_000


@dataclass(frozen=True, slots=True)
class DrawnBox:
    box_xyxy_px: Box
    colour: str
    label: str
    chosen: bool


@st.cache_resource(show_spinner=False, max_entries=12)
def exact_frame(sha256: str, pts: int, _evidence: Evidence) -> Frame:
    """The frame at `pts`, decoded from the stored evidence. Raises EvidenceError where it does not decode."""
    return frame_at(_evidence, pts)


@st.cache_resource(show_spinner="Reading the frame times…", max_entries=8)
def every_moment(sha256: str, _evidence: Evidence) -> tuple[int, ...]:
    """The PTS of every displayed frame of the file, ascending."""
    return tuple(sorted(frame_times(_evidence)))


def display_width_px(width_px: int, height_px: int) -> int:
    """How wide to show a frame of this size: no taller than the screen's free part, no more than twice its pixels."""
    return max(240, min(DISPLAY_WIDTH_PX, 2 * width_px, round(_DISPLAY_HEIGHT_PX * width_px / height_px)))


def with_boxes(image: NDArray[np.uint8], boxes: Sequence[DrawnBox]) -> bytes:
    """JPEG of (H, W, 3) uint8 RGB, at most `DISPLAY_WIDTH_PX` wide, with labelled boxes."""
    picture = Image.fromarray(image)
    scale = min(1.0, DISPLAY_WIDTH_PX / picture.width)
    if scale < 1.0:
        picture = picture.resize((DISPLAY_WIDTH_PX, max(1, round(picture.height * scale))), Image.Resampling.BILINEAR)
    draw = ImageDraw.Draw(picture)
    line = max(2, round(picture.width / 480))
    font = ImageFont.load_default(size=max(12, round(picture.width / 70)))
    for box in sorted(boxes, key=lambda item: item.chosen):
        corners = [value * scale for value in box.box_xyxy_px]
        width = line if box.chosen else max(1, line - 1)
        # A dark edge on both sides keeps the box visible on any background.
        draw.rectangle([corners[0] - 1, corners[1] - 1, corners[2] + 1, corners[3] + 1], outline="black")
        draw.rectangle(corners, outline=box.colour, width=width)
        text = draw.textbbox((corners[0], corners[1]), box.label, font=font, anchor="lb")
        top_px = corners[1] - (text[3] - text[1]) - 6
        anchor_y = corners[1] if top_px >= 0 else corners[3] + (text[3] - text[1]) + 6
        label_box = draw.textbbox((corners[0] + 4, anchor_y - 3), box.label, font=font, anchor="lb")
        draw.rectangle([label_box[0] - 4, label_box[1] - 3, label_box[2] + 4, label_box[3] + 3], fill="#101418")
        draw.text((corners[0] + 4, anchor_y - 3), box.label, font=font, anchor="lb", fill="white")
    return jpeg(np.asarray(picture))


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
