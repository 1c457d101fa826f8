"""What one decoded picture shows of a cue, by plain methods of the literature; no network is asked.

Pictures are (H, W, 3) uint8 RGB as displayed, boxes are xyxy in their pixels. A measure that a picture does not allow
is NaN.
"""

from __future__ import annotations

import math
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial import Delaunay

from detector.faces.types import Box

Picture = NDArray[np.uint8]
Plane = NDArray[np.float64]
Region = NDArray[np.bool_]

_BLOCK_PX: Final = 8
_LEAST_PX: Final = 32  # on a side of a region: below this no period and no block grid can be told
_FACE_GROWTH: Final = 0.2  # of its box, that is left out of the background on every side
_SHADOW_SHARE: Final = 0.5  # of the face's median light
_DARK: Final = 0.1  # of full luma
# Wang, Sheikh & Bovik, ICIP 2002: fitted by them to opinion scores of JPEG pictures, 1 worst to 10 best.
_WANG: Final = (-245.8909, 261.9373, -0.02398886, 0.01601664, 0.00642859)
_NOISE_MASK: Final = np.array(((1, -2, 1), (-2, 4, -2), (1, -2, 1)), np.float64)


def luma_of(picture: Picture) -> Plane:
    """Luma after ITU-R BT.601, (H, W), 0..255."""
    return cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.float64)


def face_region(shape: tuple[int, ...], box: Box) -> Region:
    """The ellipse that fills a face's box, (H, W)."""
    mask = np.zeros(shape[:2], np.uint8)
    centre = (round((box[0] + box[2]) / 2), round((box[1] + box[3]) / 2))
    axes = (max(1, round((box[2] - box[0]) / 2)), max(1, round((box[3] - box[1]) / 2)))
    cv2.ellipse(mask, centre, axes, 0, 0, 360, 1, thickness=-1)
    return mask.astype(bool)


def background_region(shape: tuple[int, ...], box: Box) -> Region:
    """All but a face's box and a fifth of it around, (H, W)."""
    region = np.ones(shape[:2], bool)
    wide, high = (_FACE_GROWTH * side for side in (box[2] - box[0], box[3] - box[1]))
    x0, y0 = max(0, math.floor(box[0] - wide)), max(0, math.floor(box[1] - high))
    region[y0 : max(0, math.ceil(box[3] + high)), x0 : max(0, math.ceil(box[2] + wide))] = False
    return region


def light_direction_deg(picture: Picture, landmarks: NDArray[np.float32] | None) -> tuple[float, float]:
    """The angle in the picture plane from which a face is lit, degrees (0 right, 90 above), and how much of the light's
    variation over the face it explains (R², 0..1).

    Least squares of linear luminance against the normals of the face mesh, a Lambertian surface under one distant
    light with ambient light, as Kee & Farid (WIFS 2010) fit a 3-D face. `landmarks`: (N, 3) pixels, z towards the
    scene; NaN without them."""
    if landmarks is None or len(np.unique(np.round(landmarks[:, :2]), axis=0)) < 12:
        return math.nan, math.nan
    points = landmarks.astype(np.float64)
    corners = points[Delaunay(points[:, :2]).simplices]  # (triangles, 3, 3)
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    lengths = np.linalg.norm(normals, axis=1, keepdims=True)
    normals = normals / np.maximum(lengths, 1e-9)
    normals[normals[:, 2] > 0] *= -1  # the side that is seen
    places = np.round(corners.mean(1)[:, :2]).astype(int)
    inside = ((places >= 0) & (places < picture.shape[1::-1])).all(1) & (lengths[:, 0] > 0)
    if inside.sum() < 12:
        return math.nan, math.nan
    light = linear(cv2.GaussianBlur(picture, (5, 5), 0)) @ (0.2126, 0.7152, 0.0722)
    seen = light[places[inside, 1], places[inside, 0]]
    system = np.column_stack([normals[inside], np.ones(inside.sum())])
    found, *_ = np.linalg.lstsq(system, seen, rcond=None)
    spread = float(((seen - seen.mean()) ** 2).sum())
    explained = 1 - float(((seen - system @ found) ** 2).sum()) / spread if spread > 0 else math.nan
    return math.degrees(math.atan2(-found[1], found[0])), explained


def direction_consistency(angles_deg: NDArray[np.float64]) -> float:
    """Mean resultant length of directions, 0 (none in common) to 1 (all the same): Mardia & Jupp, 2000. NaN for fewer
    than two."""
    known = np.radians(angles_deg[np.isfinite(angles_deg)])
    return float(abs(np.exp(1j * known).mean())) if len(known) > 1 else math.nan


def linear(picture: Picture) -> Plane:
    """Light in linear sRGB (IEC 61966-2-1), (H, W, 3), 0..1."""
    table = np.arange(256) / 255
    return np.where(table <= 0.04045, table / 12.92, ((table + 0.055) / 1.055) ** 2.4)[picture]


def shadow_share(picture: Picture, face: Region) -> float:
    """Share of a face that has less than half of its median luminance, 0..1."""
    light = (linear(picture) @ (0.2126, 0.7152, 0.0722))[face]
    return float((light < _SHADOW_SHARE * np.median(light)).mean()) if len(light) else math.nan


def edge_share(picture: Picture, region: Region) -> float:
    """Complexity of a region: the share of its pixels that lie on an edge (Canny, 1986; thresholds 100 and 200)."""
    edges = cv2.Canny(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), 100, 200) > 0
    return float(edges[region].mean()) if region.any() else math.nan


def texture_variance(luma: Plane, region: Region) -> float:
    """Mean variance of luma within cells of 8x8 px that lie wholly in a region, grey levels squared."""
    rows, columns = luma.shape[0] // _BLOCK_PX, luma.shape[1] // _BLOCK_PX
    cut = (slice(rows * _BLOCK_PX), slice(columns * _BLOCK_PX))
    shape = (rows, _BLOCK_PX, columns, _BLOCK_PX)
    whole = region[cut].reshape(shape).all((1, 3))
    variances = luma[cut].reshape(shape).var((1, 3))[whole]
    return float(variances.mean()) if variances.size else math.nan


def colour_temperature_k(picture: Picture, region: Region) -> float:
    """Correlated colour temperature of a region's mean light, kelvin (McCamy, 1992); NaN where it is no shade of white
    (outside 1,000 to 40,000 K) or black."""
    if not region.any():
        return math.nan
    mean = linear(picture)[region].mean(0)
    xyz = np.array(((0.4124, 0.3576, 0.1805), (0.2126, 0.7152, 0.0722), (0.0193, 0.1192, 0.9505))) @ mean
    if xyz.sum() < 1e-4:
        return math.nan
    x, y = xyz[:2] / xyz.sum()
    n = (x - 0.3320) / (0.1858 - y) if abs(0.1858 - y) > 1e-6 else math.nan
    kelvin = 449 * n**3 + 3525 * n**2 + 6823.3 * n + 5520.33
    return float(kelvin) if 1_000 <= kelvin <= 40_000 else math.nan


def block_measures(luma: Plane) -> dict[str, float]:
    """`blockiness`: mean step of luma over borders of 8x8 blocks beside that over all other pixels, 1 for none (after
    Wang, Bovik & Evans, ICIP 2000); `estimated_quality`: JPEG quality without a reference, about 1 to 10 (Wang, Sheikh
    & Bovik, ICIP 2002)."""
    if min(luma.shape) < _LEAST_PX:
        return dict.fromkeys(("blockiness", "estimated_quality"), math.nan)
    ratios, borders, activities, crossings = [], [], [], []
    for plane in (luma, luma.T):
        step = np.diff(plane, axis=1)
        at_border = np.arange(1, plane.shape[1]) % _BLOCK_PX == 0
        over, beside = float(np.abs(step[:, at_border]).mean()), float(np.abs(step[:, ~at_border]).mean())
        ratios.append(over / beside if beside > 1e-6 else 1.0)
        borders.append(over)
        activities.append((_BLOCK_PX * float(np.abs(step).mean()) - over) / (_BLOCK_PX - 1))
        crossings.append(float((step[:, 1:] * step[:, :-1] < 0).mean()))
    scale, factor, *powers = _WANG
    parts = [max(1e-3, float(np.mean(values))) for values in (borders, activities, crossings)]
    quality = scale + factor * math.prod(part**power for part, power in zip(parts, powers, strict=True))
    return {"blockiness": float(np.mean(ratios)), "estimated_quality": quality}


def dct_measures(luma: Plane) -> dict[str, float]:
    """Of the 8x8 DCT on the picture's own grid: `dct_zero_share`, of AC coefficients that round to zero, 0..1;
    `first_digit_divergence`, chi-squared distance of their first digits from Benford's law (Fu, Shi & Su, SPIE 2007);
    `quantisation_comb`, the strongest period in the histograms of low frequencies beside their mean spectrum, which
    coefficients rounded to multiples of a step leave (Popescu & Farid, IH 2004): about 3 for none."""
    rows, columns = (side // _BLOCK_PX for side in luma.shape)
    if rows < _LEAST_PX // _BLOCK_PX or columns < _LEAST_PX // _BLOCK_PX:
        return dict.fromkeys(("dct_zero_share", "first_digit_divergence", "quantisation_comb"), math.nan)
    place = np.arange(_BLOCK_PX)
    basis = np.cos(math.pi / _BLOCK_PX * np.outer(place, place + 0.5)) / 2
    basis[0] /= math.sqrt(2)
    blocks = (luma[: rows * _BLOCK_PX, : columns * _BLOCK_PX] - 128).reshape(rows, _BLOCK_PX, columns, _BLOCK_PX)
    coefficients = np.einsum("ui,ricj,vj->rcuv", basis, blocks, basis, optimize=True).reshape(-1, _BLOCK_PX**2)
    alternating = np.abs(coefficients[:, 1:])
    large = alternating[alternating >= 1]
    divergence = math.nan
    if large.size >= 100:
        digits = (large / 10 ** np.floor(np.log10(large))).astype(int).clip(1, 9)
        benford = np.log10(1 + 1 / np.arange(1, 10))
        found = np.bincount(digits, minlength=10)[1:10] / digits.size
        divergence = float(((found - benford) ** 2 / benford).sum())
    peaks = [_histogram_peak(coefficients[:, at]) for at in (1, _BLOCK_PX, _BLOCK_PX + 1)]
    return {
        "dct_zero_share": float((alternating < 0.5).mean()),
        "first_digit_divergence": divergence,
        "quantisation_comb": float(np.mean(peaks)),
    }


def _histogram_peak(values: NDArray[np.float64]) -> float:
    """The highest of the upper seven eighths of a histogram's spectrum over their mean."""
    counts = np.histogram(values, bins=np.arange(-64.5, 64))[0].astype(float)
    spectrum = np.abs(np.fft.rfft(np.sqrt(counts)))[len(counts) // 16 :]
    mean = float(spectrum.mean())
    return float(spectrum.max()) / mean if mean > 0 else 1.0


def resampling_measures(luma: Plane) -> dict[str, float]:
    """Traces of interpolation: `peak`, the strongest line in the spectrum of the mean second difference along rows and
    columns over the median there, and `period_px` of it (Gallagher, CRV 2005). Lines of the 8-px grid of codecs are
    left out."""
    if min(luma.shape) < 2 * _LEAST_PX:
        return dict.fromkeys(("peak", "period_px"), math.nan)
    best = (0.0, math.nan)
    for plane in (luma, luma.T):
        change = np.abs(2 * plane[:, 1:-1] - plane[:, :-2] - plane[:, 2:]).clip(max=20).mean(0)
        smooth = cv2.blur(change[None], (9, 1))[0]
        spectrum = np.abs(np.fft.rfft((change - smooth) * np.hanning(len(change))))
        frequency = np.fft.rfftfreq(len(change))
        nearest = np.round(frequency * _BLOCK_PX) / _BLOCK_PX
        usable = (frequency > 0.15) & (np.abs(frequency - nearest) > 2.5 / len(change))
        middle = float(np.median(spectrum[usable])) if usable.any() else 0.0
        if middle > 1e-9:
            at = int(np.argmax(np.where(usable, spectrum, 0)))
            best = max(best, (float(spectrum[at]) / middle, float(1 / frequency[at])))
    return {"peak": best[0] or math.nan, "period_px": best[1]}


def noise_sigma(luma: Plane, region: Region | None = None) -> float:
    """Noise level in grey levels by a mask that cancels ramps and edges along axes (Immerkaer, CVIU 1996)."""
    filtered = np.abs(cv2.filter2D(luma, -1, _NOISE_MASK))[1:-1, 1:-1]
    values = filtered if region is None else filtered[region[1:-1, 1:-1]]
    return float(values.mean()) * math.sqrt(math.pi / 2) / 6 if values.size else math.nan


def enhancement_trace(luma: Plane) -> float:
    """Share of the luma histogram's spectral energy at high frequencies, 0..1: gaps and peaks that a stretched or bent
    tone curve leaves (Stamm & Liu, IEEE TIFS 2010). The ends are tapered as they do, against clipping."""
    counts = np.bincount(np.round(luma).astype(int).ravel().clip(0, 255), minlength=256) / luma.size
    place = np.arange(256)
    taper = np.minimum(1, np.minimum(place, 255 - place) / 8)
    energy = np.abs(np.fft.rfft(counts * taper)) ** 2
    return float(energy[64:].sum() / energy.sum()) if energy.sum() > 0 else math.nan


def light_measures(luma: Plane) -> dict[str, float]:
    """`brightness`, mean luma 0..1; `contrast`, its standard deviation 0..1; `dark_share` of pixels under a tenth;
    `laplacian_variance`, grey levels squared, low where blurred (Pech-Pacheco et al., ICPR 2000)."""
    return {
        "brightness": float(luma.mean()) / 255,
        "contrast": float(luma.std()) / 255,
        "dark_share": float((luma < _DARK * 255).mean()),
        "laplacian_variance": float(cv2.Laplacian(luma, cv2.CV_64F).var()),
    }
