"""Observations of faces in frames, the tracks they form, and the specification of a crop."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Final, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

Box = tuple[float, float, float, float]
Place = Literal["middle", "left", "right"]
PLACES: Final[tuple[Place, ...]] = ("middle", "left", "right")
"""Where the patches of a crop with alignment "native" lie, in the order in which they are stacked."""
_Level = Annotated[float, Field(ge=0, le=1)]
_Spread = Annotated[float, Field(gt=0, le=10)]


@dataclass(frozen=True, slots=True)
class FaceQuality:
    """Quality of a face. `weight` in [0, 1] scales its frame's part in the track score.

    `size_px` shorter side of the box; `sharpness` variance of the Laplacian at a fixed face size; `exposure` mean
    luma in [0, 1]; `yaw_deg`, `pitch_deg`, `roll_deg` head pose (None without a mesh); `mesh_fit` in [0, 1] or None;
    `flags` name what is wrong: "small", "blurred", "dark", "bright", "profile", "occluded", "no_mesh", "fallback".
    """

    size_px: float
    sharpness: float
    exposure: float
    yaw_deg: float | None
    pitch_deg: float | None
    roll_deg: float | None
    mesh_fit: float | None
    weight: float
    flags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DetectedFace:
    """One face in one frame, before tracking. `bbox_xyxy_px` in displayed pixels: the hull of the face mesh where one
    fits, else the detector's box. `landmarks` (468, 3) float32 in pixels (z relative, same unit) or None.
    `source` says how it was found."""

    bbox_xyxy_px: Box
    detection_score: float
    landmarks: NDArray[np.float32] | None
    quality: FaceQuality
    source: Literal["frame", "tile", "centre_crop"]


@dataclass(frozen=True, slots=True)
class TrackedFace:
    """A detected face with its place in time."""

    frame_index: int
    pts: int
    pts_s: float
    face: DetectedFace


@dataclass(frozen=True, slots=True)
class FaceTrack:
    """One face through time within one shot. `faces` ascend in `pts`. `gaps_s` are (start, end) seconds in which
    frames were examined and this face was not found."""

    track_id: int
    shot_index: int
    faces: tuple[TrackedFace, ...]
    gaps_s: tuple[tuple[float, float], ...] = ()

    @property
    def first_pts_s(self) -> float:
        """The time of its first face, s."""
        return self.faces[0].pts_s

    @property
    def last_pts_s(self) -> float:
        """The time of its last face, s."""
        return self.faces[-1].pts_s


@dataclass(frozen=True, slots=True)
class CropSpec:
    """Specification of a model's crop; part of the model's card, because another crop is another model.

    The box is made square on its longer side, grown by `margin` x that side on each of the four sides, cut out
    (edge pixels replicated outside the frame) and resized to `size_px` with `interpolation`; `alignment` "eyes"
    first rotates the frame so that the eyes are level. Pixel values are divided by 255, then (x - mean) / std.
    With alignment "native" nothing is resized: the crop is a column of patches of `size_px` x `size_px` at the frame's
    own pixels, one at each of `PLACES` (`detector.faces.native`), and only `size_px` and `least_inside` count.
    A face of whose square a smaller share than `least_inside` lies in the frame is not scored: a model that compares
    the face with its surroundings would compare it with repeated edge pixels.
    """

    # The ranges are those that a card is held to (`detector.registry.card`).
    size_px: Annotated[int, Field(ge=8, le=2048)]
    margin: Annotated[float, Field(ge=0, le=4)]
    alignment: Literal["none", "eyes", "native"] = "none"
    interpolation: Literal["area", "linear", "cubic"] = "area"
    mean: tuple[_Level, _Level, _Level] = (0.5, 0.5, 0.5)
    std: tuple[_Spread, _Spread, _Spread] = (0.5, 0.5, 0.5)
    least_inside: Annotated[float, Field(ge=0, le=1)] = 0.0

    @property
    def shape(self) -> tuple[int, int, int]:
        """Height, width and channels of a crop."""
        return self.size_px * (len(PLACES) if self.alignment == "native" else 1), self.size_px, 3
