"""Crops of faces: the square that is cut and the pixels inside it."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from detector.faces.native import native_patches
from detector.faces.types import Box, CropSpec

_INTERPOLATION = {"area": cv2.INTER_AREA, "linear": cv2.INTER_LINEAR, "cubic": cv2.INTER_CUBIC}
# Corners of the eyes in the 468-point face mesh; "right" is the person's right.
_RIGHT_EYE = (33, 133)
_LEFT_EYE = (362, 263)


def crop_box(bbox_xyxy_px: Box, spec: CropSpec) -> Box:
    """The square that `crop_face` cuts: on the box's longer side, grown by `spec.margin` x that side on every side.

    Returns whole-pixel (x0, y0, x1, y1) with x1 - x0 == y1 - y0 >= 1; it may reach outside the frame. Raises
    ValueError for a box that is empty, inverted or not finite.
    """
    x0, y0, x1, y1 = bbox_xyxy_px
    if not all(math.isfinite(value) for value in bbox_xyxy_px) or x1 <= x0 or y1 <= y0:
        raise ValueError(f"Expected a box (x0, y0, x1, y1) with x0 < x1 and y0 < y1, found {bbox_xyxy_px}.")
    side = max(1, round(max(x1 - x0, y1 - y0) * (1.0 + 2.0 * spec.margin)))
    left = math.floor((x0 + x1 - side) / 2.0 + 0.5)
    top = math.floor((y0 + y1 - side) / 2.0 + 0.5)
    return (float(left), float(top), float(left + side), float(top + side))


def shows_enough(bbox_xyxy_px: Box, shape: tuple[int, ...], spec: CropSpec) -> bool:
    """True where a picture of `shape` (H, W, …) shows as much of the face's square as `spec.least_inside` asks for."""
    x0, y0, x1, y1 = crop_box(bbox_xyxy_px, spec)
    width = max(0.0, min(x1, shape[1]) - max(x0, 0.0))
    height = max(0.0, min(y1, shape[0]) - max(y0, 0.0))
    return width * height >= spec.least_inside * (x1 - x0) * (y1 - y0)


def crop_face(
    image: NDArray[np.uint8], bbox_xyxy_px: Box, landmarks: NDArray[np.float32] | None, spec: CropSpec
) -> NDArray[np.uint8]:
    """Cut one face out of `image` (H, W, 3) uint8 as `spec` says; returns `spec.shape` uint8, contiguous.

    Pixels outside the frame repeat the nearest edge pixel. With alignment "eyes" the frame is turned about the
    square's centre until the eyes are level; without `landmarks` such a crop is left upright, because a guessed
    angle would be worse than none. With alignment "native" the crop is a column of patches (`native_patches`).
    """
    if spec.alignment == "native":
        return native_patches(image, bbox_xyxy_px, spec.size_px)
    left, top, right, _ = (int(value) for value in crop_box(bbox_xyxy_px, spec))
    side = right - left
    angle_deg = _eye_angle_deg(landmarks) if spec.alignment == "eyes" and landmarks is not None else 0.0
    if angle_deg == 0.0:
        square = _cut(image, left, top, side)
    else:
        # A square of sqrt(2) x side holds every pixel that the turn can bring into the square.
        spare = math.ceil(side * (math.sqrt(2.0) - 1.0) / 2.0) + 1
        wide = _cut(image, left - spare, top - spare, side + 2 * spare)
        centre = (wide.shape[1] - 1) / 2.0
        turn = cv2.getRotationMatrix2D((centre, centre), angle_deg, 1.0)
        turned = cv2.warpAffine(wide, turn, wide.shape[1::-1], flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        square = np.asarray(turned[spare : spare + side, spare : spare + side], dtype=np.uint8)
    if side == spec.size_px:
        return np.ascontiguousarray(square, dtype=np.uint8)
    resized = cv2.resize(square, (spec.size_px, spec.size_px), interpolation=_INTERPOLATION[spec.interpolation])
    return np.asarray(resized, dtype=np.uint8)


def _cut(image: NDArray[np.uint8], left: int, top: int, side: int) -> NDArray[np.uint8]:
    """The square at (left, top), (side, side, 3), with edge pixels repeated outside the frame."""
    height, width = image.shape[:2]
    x0, x1 = max(left, 0), min(left + side, width)
    y0, y1 = max(top, 0), min(top + side, height)
    if x0 >= x1 or y0 >= y1:  # nothing of it lies inside
        columns = np.clip(np.arange(left, left + side), 0, width - 1)
        return image.take(columns, 1).take(np.clip(np.arange(top, top + side), 0, height - 1), 0)
    inside = image[y0:y1, x0:x1]
    if inside.shape[:2] == (side, side):
        return inside
    borders = (y0 - top, top + side - y1, x0 - left, left + side - x1)
    return np.asarray(cv2.copyMakeBorder(inside, *borders, cv2.BORDER_REPLICATE), dtype=np.uint8)


def _eye_angle_deg(landmarks: NDArray[np.float32]) -> float:
    """Angle of the line from the person's right eye to the left eye, in degrees, clockwise on screen positive."""
    right = landmarks[list(_RIGHT_EYE), :2].mean(axis=0)
    left = landmarks[list(_LEFT_EYE), :2].mean(axis=0)
    return math.degrees(math.atan2(float(left[1] - right[1]), float(left[0] - right[0])))
