"""Temporal differences of a face, region by region, beside those of its surroundings.

A camera sees face and surroundings in one light, through one lens and one codec: what flickers, jumps, blurs or slides
in the face alone was put there. The frame before is laid over this one by dense optical flow (DIS; Kroeger et al.,
ECCV 2016), so that ordinary motion counts for little, and what is left over is measured.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Final, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]

THUMBNAIL_PX: Final = 64
PAIR_PLANES: Final = 11  # of `frame_pair`
FLOW_STEPS: Final = 24  # of its flow, a pixel
REGIONS: Final = ("around", "forehead", "eyes", "cheeks", "mouth")
TEMPORAL_DIFFERENCES: Final[tuple[str, ...]] = (
    *(f"{region}_gain_{colour}" for region in REGIONS for colour in ("red", "green", "blue")),
    *(f"{region}_left_over" for region in REGIONS),
    *(f"{region}_detail" for region in REGIONS),
    *(f"slide_{part}_{axis}" for part in ("shift", "by_column", "by_row") for axis in ("x", "y")),
    *(f"{region}_uneven_flow" for region in REGIONS),
    "motion_around",
    *(f"{region}_uneven_gain" for region in REGIONS),
)

# Half axes of the face's ellipse as shares of the box's longer side; "around" begins at 1.12 of them.
_HALF_HEIGHT, _HALF_WIDTH = 0.5, 0.42
_INSIDE, _AROUND = 0.92, 1.12
# Rows, as shares of the box's side below its middle, that part the face's regions.
_ROWS: Final = (-0.24, -0.014, 0.168)
_DARK, _LEAST_GREY = 12.0, 0.5  # grey levels: added before a logarithm, so that black places and still ones stay finite


class LaidOver(NamedTuple):
    """A frame before laid over the one now: `flow` (64, 64, 2) float32 pixels from now to before, `picture` (64, 64, 3)
    uint8 what the frame before shows, drawn where the one now has it."""

    flow: NDArray[np.float32]
    picture: Picture


class _Places(NamedTuple):
    """Of a thumbnail of P pixels: `weights` (5, P) each region's mean, `inside` and `outside` (P,) bool, `plane` (P, 3)
    the basis of an affine motion, `fit_inside` and `fit_outside` what solves for it."""

    weights: NDArray[np.float32]
    inside: NDArray[np.bool_]
    outside: NDArray[np.bool_]
    plane: NDArray[np.float32]
    fit_inside: NDArray[np.float32]
    fit_outside: NDArray[np.float32]


def thumbnail(crop: Picture) -> Picture:
    """(S, S, 3) uint8 crop -> (64, 64, 3) uint8: as much of it as `temporal_differences` reads."""
    size = (THUMBNAIL_PX, THUMBNAIL_PX)
    return np.asarray(cv2.resize(crop, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)


def temporal_differences(
    thumbnails: Sequence[Picture], margin: float, *, before: Picture | None = None
) -> NDArray[np.float32]:
    """(T, 42) float32, `TEMPORAL_DIFFERENCES` in that order, of a face's thumbnails in the order of time, each beside
    the one before it; the first beside `before`, NaN without. `margin` is the crop's (`CropSpec.margin`)."""
    return differences_to_previous([before, *thumbnails][: len(thumbnails)], thumbnails, margin)


def differences_to_previous(
    earlier: Sequence[Picture | None],
    thumbnails: Sequence[Picture],
    margin: float,
    *,
    laid: Sequence[LaidOver | None] | None = None,
) -> NDArray[np.float32]:
    """As `temporal_differences`, each thumbnail beside its own `earlier` one; NaN where that is None. `laid` is
    `lay_over` of each such pair, where it is known already."""
    table = np.full((len(thumbnails), len(TEMPORAL_DIFFERENCES)), np.nan, np.float32)
    for index, (last, picture) in enumerate(zip(earlier, thumbnails, strict=True)):
        if last is not None:
            known = None if laid is None else laid[index]
            table[index] = _changes(last, picture, known or lay_over(last, picture), _places(margin))
    return table


def frame_pair(before: Picture | None, now: Picture, *, laid: LaidOver | None = None) -> NDArray[np.uint8]:
    """(64, 64, 11) uint8 of two thumbnails: `now`, `before` laid over it by flow, `before` as it is (3 planes each),
    and the flow from `now` to `before` in x and y, 24 steps a pixel around 128. All 0 without `before`. `laid` as in
    `differences_to_previous`."""
    pair = np.zeros((*now.shape[:2], PAIR_PLANES), np.uint8)
    if before is not None:
        flow, picture = laid or lay_over(before, now)
        steps = np.clip(np.round(flow * FLOW_STEPS) + 128, 0, 255).astype(np.uint8)
        np.concatenate([now, picture, before, steps], axis=2, out=pair)
    return pair


def lay_over(before: Picture, now: Picture) -> LaidOver:
    """Two thumbnails (64, 64, 3) uint8, the one laid over the other by dense optical flow."""
    greys = (cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY) for picture in (now, before))
    flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST).calc(*greys, None)  # type: ignore[call-overload]
    columns, rows = _grid(*now.shape[:2])
    laid = cv2.remap(
        before, columns + flow[..., 0], rows + flow[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    return LaidOver(flow, laid.astype(np.uint8))


@cache
def _grid(height: int, width: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The column and the row of each pixel."""
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float32)
    return columns, rows


def _changes(before: Picture, now: Picture, laid_over: LaidOver, places: _Places) -> NDArray[np.float32]:
    """Gains are natural logarithms times ten, details logarithms times two, left-over light the logarithm of its share
    of the region's contrast; slides and flows in twentieths of a crop's side and in pixels of the thumbnail."""
    weights = places.weights
    grey_before, grey = cv2.cvtColor(before, cv2.COLOR_RGB2GRAY), cv2.cvtColor(now, cv2.COLOR_RGB2GRAY)
    flow = laid_over.flow
    laid, picture = laid_over.picture.astype(np.float32), now.astype(np.float32)
    gain = np.log((cv2.blur(picture, (5, 5)) + _DARK) / (cv2.blur(laid, (5, 5)) + _DARK)).reshape(-1, 3)
    mean_gain = weights @ gain  # (5, 3)
    uneven_gain = np.sqrt(np.maximum(weights @ gain**2 - mean_gain**2, 0)).mean(1)

    left_over = _spread((picture.mean(2) - laid.mean(2)).ravel(), weights)
    contrast = _spread(grey.astype(np.float32).ravel(), weights)
    detail = [np.log(weights @ _detail(plane).ravel() + 0.3) for plane in (grey, grey_before)]

    vectors = flow.reshape(-1, 2)
    own, around = places.fit_inside @ vectors[places.inside], places.fit_outside @ vectors[places.outside]  # (3, 2)
    uneven = ((vectors - places.plane @ own) ** 2).sum(1)
    uneven_around = ((vectors - places.plane @ around) ** 2).sum(1)
    uneven_flow = np.sqrt(np.concatenate([weights[:1] @ uneven_around, weights[1:] @ uneven]))
    return np.concatenate(
        [
            10 * mean_gain.ravel(),
            np.log((left_over + _LEAST_GREY) / (contrast + 2)),
            2 * (detail[0] - detail[1]),
            (own - around).ravel() * 20 / THUMBNAIL_PX,
            np.log(uneven_flow + 0.05),
            [np.log(np.abs(around[0]).sum() + 0.05)],
            np.log(uneven_gain + 0.003),
        ]
    ).astype(np.float32)


def _spread(values: NDArray[np.float32], weights: NDArray[np.float32]) -> NDArray[np.float32]:
    """Standard deviation within each region: (P,) -> (5,)."""
    return np.sqrt(np.maximum(weights @ values**2 - (weights @ values) ** 2, 0))


def _detail(grey: Picture) -> NDArray[np.float32]:
    """Energy of what a 3 by 3 mean takes away, in grey levels squared."""
    plane = grey.astype(np.float32)
    return (plane - cv2.blur(plane, (3, 3))) ** 2


@cache
def _places(margin: float) -> _Places:
    side = THUMBNAIL_PX
    rows, columns = np.mgrid[0:side, 0:side].astype(np.float32)
    x, y = ((plane + 0.5) / side - 0.5 for plane in (columns, rows))  # shares of the crop's side
    box = 1 + 2 * margin
    radius = np.hypot(y * box / _HALF_HEIGHT, x * box / _HALF_WIDTH)
    inside, outside = radius < _INSIDE, radius > _AROUND
    band = np.digitize(y * box, _ROWS)
    regions = np.stack([outside, *(inside & (band == number) for number in range(len(REGIONS) - 1))])
    weights = regions.reshape(len(REGIONS), -1) / regions.sum((1, 2))[:, None]
    plane = np.stack([np.ones(side * side), x.ravel(), y.ravel()], 1).astype(np.float32)
    solvers = [np.linalg.pinv(plane[mask.ravel()]).astype(np.float32) for mask in (inside, outside)]
    return _Places(weights.astype(np.float32), inside.ravel(), outside.ravel(), plane, *solvers)
