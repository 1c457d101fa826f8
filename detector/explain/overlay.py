"""A heatmap as a person sees it: cividis over the crop or over the frame. Both are derived pictures."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from detector.faces.types import Box

CAM_METHOD: Final = "Grad-CAM"  # by what `models cam` measured (docs/models.md)


@dataclass(frozen=True, eq=False)
class Heatmap:
    """Why a model scored a face as it did. `raw` (S, S) float32 >= 0: un-normalised map of `layer` by `method`; `crop`
    (S, S, 3) uint8 RGB: exactly what the model saw; `crop_box_xyxy_px`: the square cut from the frame, turned by
    `turn_deg` about its centre (counter-clockwise on screen positive); `scale` > 0: the raw magnitude drawn hottest,
    common to the whole video, or 0 where no sampled face moved the model at all."""

    raw: NDArray[np.float32]
    crop: NDArray[np.uint8]
    crop_box_xyxy_px: Box
    turn_deg: float
    scale: float
    model_id: str
    layer: str
    method: str = CAM_METHOD

    @property
    def layer_words(self) -> str:
        """`layer`, whose dotted name is for details, in words: maps are taken where features are deepest."""
        return "last block of the trunk" if self.layer.startswith("trunk") else self.layer

    @property
    def heat(self) -> NDArray[np.float32]:
        """(S, S) float32 in 0..1: `raw` on the video's common scale; what exceeds the scale is drawn as hottest."""
        if self.scale <= 0:
            return np.zeros_like(self.raw)
        return np.clip(self.raw / np.float32(self.scale), 0, 1)


def overlay(heatmap: Heatmap, opacity: float) -> NDArray[np.uint8]:
    """The crop under its heat in cividis: (S, S, 3) uint8. `opacity` 0 shows the crop alone, 1 the heat alone.

    Raises ValueError for an opacity outside 0..1.
    """
    _check_opacity(opacity)
    return _blend(heatmap.crop, _colours(heatmap.heat), np.float32(opacity))


def overlay_on_frame(frame_image: NDArray[np.uint8], heatmap: Heatmap, opacity: float) -> NDArray[np.uint8]:
    """The whole frame (H, W, 3) uint8 with the heat where its crop was cut; the rest is untouched. A new array."""
    _check_opacity(opacity)
    height, width = frame_image.shape[:2]
    layer = heat_layer(heatmap, width, height)
    inside = (layer[..., 3] > 0) * np.float32(opacity)
    return _blend(frame_image, layer[..., :3].astype(np.float32), inside[..., None])


def heat_layer(heatmap: Heatmap, width_px: int, height_px: int) -> NDArray[np.uint8]:
    """(H, W, 4) uint8 RGBA to lay over the whole frame: the heat in cividis, opaque where the crop was cut."""
    to_frame, size = _crop_to_frame(heatmap), (width_px, height_px)
    heat = np.asarray(
        cv2.warpAffine(heatmap.heat, to_frame, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE),
        dtype=np.float32,
    )
    inside = cv2.warpAffine(np.ones_like(heatmap.heat), to_frame, size, flags=cv2.INTER_NEAREST)
    colours = np.rint(_colours(heat)).astype(np.uint8)
    return np.dstack([colours, (inside > 0).astype(np.uint8) * 255])


def _crop_to_frame(heatmap: Heatmap) -> NDArray[np.float64]:
    """(2, 3) matrix from pixel centres of the crop to pixel centres of the frame."""
    left, top, right, _ = heatmap.crop_box_xyxy_px
    zoom = (right - left) / heatmap.crop.shape[0]
    cosine, sine = math.cos(math.radians(heatmap.turn_deg)), math.sin(math.radians(heatmap.turn_deg))
    # The cut turned the picture by turn_deg about the square's centre; this turns it back.
    turn = np.array([[cosine, -sine], [sine, cosine]])
    centre = np.array([left, top]) + (right - left - 1) / 2
    corner = np.full(2, 0.5 * zoom - 0.5 - (right - left - 1) / 2)  # crop pixel (0, 0), relative to the centre
    return np.column_stack([turn * zoom, turn @ corner + centre])


def _blend(
    under: NDArray[np.uint8], over: NDArray[np.float32], opacity: NDArray[np.float32] | np.float32
) -> NDArray[np.uint8]:
    mixed = under.astype(np.float32) * (1 - opacity) + over * opacity
    return np.clip(np.rint(mixed), 0, 255).astype(np.uint8)


def _colours(heat: NDArray[np.float32]) -> NDArray[np.float32]:
    """(H, W) in 0..1 -> (H, W, 3) float32 in 0..255."""
    return _cividis()[np.rint(np.clip(heat, 0, 1) * 255).astype(np.uint8)]


@cache
def _cividis() -> NDArray[np.float32]:
    """Cividis reads alike with and without colour-vision deficiency (Nunez et al., PLOS ONE 2018)."""
    from matplotlib import colormaps

    return (colormaps["cividis"](np.arange(256))[:, :3] * 255).astype(np.float32)


def _check_opacity(opacity: float) -> None:
    if not 0 <= opacity <= 1:
        raise ValueError(f"Expected an opacity between 0 and 1, found {opacity!r}.")
