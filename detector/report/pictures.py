"""The pictures of the report: derived from the evidence for display, small, and encoded the same way every time."""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from detector.faces.types import Box

_FRAME_MAX_PX = (720, 480)
_CROP_MAX_PX = (256, 256)
_QUALITY = 82
_BOX_COLOUR, _BOX_EDGE = (230, 159, 0), (0, 0, 0)


def frame_picture(image: NDArray[np.uint8], bbox_xyxy_px: Box) -> bytes:
    """(H, W, 3) uint8 RGB frame -> JPEG of at most 720x480 with the face box drawn in orange on black."""
    picture = Image.fromarray(image)
    width = picture.width
    picture.thumbnail(_FRAME_MAX_PX, Image.Resampling.LANCZOS)
    scale = picture.width / width
    x0, y0, x1, y1 = (round(value * scale) for value in bbox_xyxy_px)
    draw = ImageDraw.Draw(picture)
    x1, y1 = max(x1, x0 + 1), max(y1, y0 + 1)
    line = max(3, picture.width // 180)
    draw.rectangle((x0 - line, y0 - line, x1 + line, y1 + line), outline=_BOX_EDGE, width=2 * line)
    draw.rectangle((x0 - line // 2, y0 - line // 2, x1 + line // 2, y1 + line // 2), outline=_BOX_COLOUR, width=line)
    return _jpeg(picture)


def face_picture(image: NDArray[np.uint8], bbox_xyxy_px: Box, margin: float = 0.2) -> bytes:
    """The square around a face, `margin` of its longer side added on each side, edge pixels replicated -> JPEG."""
    x0, y0, x1, y1 = bbox_xyxy_px
    half = max(x1 - x0, y1 - y0, 1.0) * (0.5 + margin)
    columns = np.clip(np.arange(round((x0 + x1) / 2 - half), round((x0 + x1) / 2 + half)), 0, image.shape[1] - 1)
    rows = np.clip(np.arange(round((y0 + y1) / 2 - half), round((y0 + y1) / 2 + half)), 0, image.shape[0] - 1)
    return crop_picture(image[np.ix_(rows, columns)])


def crop_picture(crop: NDArray[np.uint8]) -> bytes:
    """(S, S, 3) uint8 RGB crop -> JPEG of at most 256x256."""
    picture = Image.fromarray(np.ascontiguousarray(crop))
    picture.thumbnail(_CROP_MAX_PX, Image.Resampling.LANCZOS)
    return _jpeg(picture)


def _jpeg(picture: Image.Image) -> bytes:
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=_QUALITY, subsampling="4:4:4", optimize=True)
    return out.getvalue()
