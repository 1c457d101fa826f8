"""Similarity of a face's fine detail between two moments.

Skin filmed twice is never twice the same picture: the sensor's noise is new in every frame, light slides over pores and
folds as the head turns, and a codec draws each frame's detail anew. A face that is warped or drawn from one still
carries that still's detail along. So two moments are laid over each other and their detail is compared, band by band.
"""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

SIDE_PX: Final = 192
# Bands of detail by the Gaussians (sigma in pixels of the aligned face) that bound them; 0 is the picture itself.
_BANDS: Final = {"fine": (0.0, 1.0), "middle": (1.0, 2.0), "coarse": (2.0, 4.0)}
_QUANTILES: Final = (0.25, 0.5, 0.75)
_PATCH_PX, _RIM_PX, _LEAST_SIDE_PX = 15, 9, 40.0

FEATURES: Final[tuple[str, ...]] = (
    "lag_s",
    "side_px",
    "turn",
    "expression",
    "flow",
    *(
        f"{band}_{measure}"
        for band in _BANDS
        for measure in ("alike", "alike_low", "alike_typical", "alike_high", "upper", "lower", "energy")
    ),
)


def compare_texture(
    first: NDArray[np.uint8],
    first_mesh: NDArray[np.float32],
    second: NDArray[np.uint8],
    second_mesh: NDArray[np.float32],
    lag_s: float,
    *,
    least_expression: float = 0.0,
) -> NDArray[np.float32] | None:
    """Numbers about one face at two moments, `FEATURES` in that order, float32; None where the face is under 40 px, its
    `expression` changes less than `least_expression`, or the two moments cannot be laid over each other.

    Pictures (H, W, 3) uint8 RGB, meshes (468, 2) pixels. The second face is brought onto the first by a similarity of
    the meshes and then by dense optical flow (DIS; Kroeger et al., 2016). Of each band: the correlation of the detail
    over the face, its quartiles over patches, that of the upper and the lower half of the face, and the logarithm of
    the detail's energy in grey levels squared. `turn` is the face's change of place, turn and size, `expression` what
    a similarity leaves over, both as mean landmark shifts in sides of the face, `flow` in pixels of the aligned face.
    """
    low, high = first_mesh.min(0), first_mesh.max(0)
    side = float((high - low).max())
    motion, _ = cv2.estimateAffinePartial2D(second_mesh, first_mesh, method=cv2.LMEDS)
    if side < _LEAST_SIDE_PX or motion is None:
        return None
    residual = (second_mesh @ motion[:, :2].T + motion[:, 2]) - first_mesh
    expression = float(np.linalg.norm(residual, axis=1).mean()) / side
    if expression < least_expression:
        return None
    scale = SIDE_PX / side
    corner = SIDE_PX / 2 - scale * (low + high) / 2
    place = np.array([[scale, 0, corner[0]], [0, scale, corner[1]]], np.float32)
    moved = (place @ np.vstack([motion, (0, 0, 1)])).astype(np.float32)
    one, other = _aligned(first, place, scale), _aligned(second, moved, scale)
    flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM).calc(one, other, None)
    columns, rows = np.meshgrid(np.arange(SIDE_PX, dtype=np.float32), np.arange(SIDE_PX, dtype=np.float32))
    laid = cv2.remap(other.astype(np.float32), columns + flow[..., 0], rows + flow[..., 1], cv2.INTER_CUBIC)
    mesh = first_mesh @ place[:, :2].T + place[:, 2]
    face, upper = _regions(mesh)
    values = [
        lag_s,
        side,
        float(np.linalg.norm(second_mesh - first_mesh, axis=1).mean()) / side,
        expression,
        float(np.linalg.norm(flow, axis=2)[face].mean()),
    ]
    for band, other_band in zip(_bands(one.astype(np.float32)), _bands(laid.astype(np.float32)), strict=True):
        values += _compared(band, other_band, face, upper)
    return np.array(values, np.float32)


def _aligned(image: NDArray[np.uint8], place: NDArray[np.float32], scale: float) -> NDArray[np.uint8]:
    kernel = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    cut = cv2.warpAffine(image, place, (SIDE_PX, SIDE_PX), flags=kernel, borderMode=cv2.BORDER_REPLICATE)
    return cv2.cvtColor(cut, cv2.COLOR_RGB2GRAY).astype(np.uint8)


def _regions(mesh: NDArray[np.float32]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """The face without its rim, (S, S) bool, and the part of it above the nose's tip."""
    face = np.zeros((SIDE_PX, SIDE_PX), np.uint8)
    cv2.fillConvexPoly(face, cv2.convexHull(mesh.astype(np.int32)), 1)
    inner = cv2.erode(face, np.ones((_RIM_PX, _RIM_PX), np.uint8)) > 0
    above = np.arange(SIDE_PX)[:, None] < mesh[1, 1]
    return inner, inner & above


def _bands(plane: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    """What lies between neighbouring blurs, in the order of `_BANDS`; the plane is blurred once with each sigma."""
    blurred = {
        sigma: np.asarray(cv2.GaussianBlur(plane, (0, 0), sigma), np.float32) if sigma else plane
        for sigma in {sigma for edges in _BANDS.values() for sigma in edges}
    }
    return [blurred[finer] - blurred[coarser] for finer, coarser in _BANDS.values()]


def _compared(
    one: NDArray[np.float32], other: NDArray[np.float32], face: NDArray[np.bool_], upper: NDArray[np.bool_]
) -> list[float]:
    both, first, second = one * other, one * one, other * other
    patch = (_PATCH_PX, _PATCH_PX)
    means = [cv2.boxFilter(plane, -1, patch) for plane in (both, first, second)]
    local = (means[0] / np.sqrt(means[1] * means[2] + 0.05))[face]

    def alike(where: NDArray[np.bool_]) -> float:
        if not where.any():
            return 0.0
        return float(both[where].sum() / np.sqrt(first[where].sum() * second[where].sum() + 1e-6))

    energy = float(np.log(np.sqrt(first[face].mean() * second[face].mean()) + 0.01))
    return [alike(face), *np.quantile(local, _QUANTILES).tolist(), alike(upper), alike(face & ~upper), energy]
