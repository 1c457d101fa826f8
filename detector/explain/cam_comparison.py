"""Methods of class activation maps side by side on faces of which it is known where they were changed.

A map is held to the truth (does it point at what was changed, does it cover it) and to the model (does the score rest
on what it marks). A model need not look at what was changed, so the two can differ.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from pytorch_grad_cam.metrics.road import ROADCombined
from pytorch_grad_cam.utils.model_targets import BinaryClassifierOutputTarget
from scipy.ndimage import maximum_filter

from detector.errors import EvidenceError
from detector.explain.cam import METHODS, RANDOM, raw_cam
from detector.explain.faithfulness import HOOKS, hide_test
from detector.explain.overlay import Heatmap
from detector.faces import crop_face
from detector.faces.types import DetectedFace
from detector.measurement.metrics import interval_by_group

if TYPE_CHECKING:
    from detector.registry import FrameModel

BASE: Final = "Grad-CAM"
MIDDLE: Final = "middle of the crop"  # what a map has to beat that knows no more than where faces are
TOLERANCE_PX: Final = 8
WHOLE_SHARE: Final = 0.8  # a change of more of the crop cannot be missed
MEASURES: Final = ("pointing", "iou", "road", "faithful")
_ROAD_PERCENTILES: Final = [70, 90]  # more takes seconds a map: the imputation solves an equation a pixel


class KnownFace(NamedTuple):
    """`image` (H, W, 3) uint8 RGB with `face` in it; `mask` (H, W) in 0..1, 1 where it was changed; `group`: the clip
    it comes from, the unit that intervals are over."""

    image: NDArray[np.uint8]
    face: DetectedFace
    mask: NDArray[np.float32]
    group: str


@dataclass(frozen=True, slots=True)
class CamFigure:
    """Mean of one measure over the faces, and how much more it is than Grad-CAM's on the same faces, with 95 %
    bootstrap intervals over groups."""

    mean: float
    interval: tuple[float | None, float | None]
    gain: float
    gain_interval: tuple[float | None, float | None]


@dataclass(frozen=True, slots=True)
class CamRow:
    """One method. `pointing`: share of maps whose peak lies within 8 px of what was changed (pointing game, Zhang et
    al., IJCV 2018). `iou`: of the hottest area, as large as what was changed, with that. `road`: half of how much lower
    the logit is with the hottest pixels imputed than with the coldest (ROAD, Rong et al., ICML 2022; mean over 10 and
    30 % of the pixels). `faithful`: share of maps that pass the deletion test (`hide_test`)."""

    method: str
    pointing: CamFigure
    iou: CamFigure
    road: CamFigure
    faithful: CamFigure


@dataclass(frozen=True, slots=True)
class CamComparison:
    """The methods on `faces` faces of `groups` clips for one model; `chance_pointing` and `chance_iou` are what places
    drawn at random would give."""

    model_id: str
    faces: int
    groups: int
    chance_pointing: float
    chance_iou: float
    rows: tuple[CamRow, ...]


def compare_cams(model: FrameModel, known: Iterable[KnownFace], *, seed: int = 0) -> CamComparison:
    """Every method of `METHODS`, channels weighted at random, and a spot in the middle of the crop, which knows nothing
    of the model, on the same faces; equal arguments, equal figures.

    Faces of which nothing or more than 80 % of the crop was changed are left out. Raises
    EvidenceError where none is left.
    """
    spec, rng = model.card.crop, np.random.default_rng(seed)
    methods = [*METHODS, RANDOM, MIDDLE]
    groups: list[str] = []
    chances: list[tuple[float, float]] = []
    values: list[list[list[float]]] = []  # faces x methods x measures
    for one in known:
        crop = crop_face(one.image, one.face.bbox_xyxy_px, one.face.landmarks, spec)
        drawn = np.repeat((one.mask * 255).astype(np.uint8)[..., None], 3, axis=2)
        region = crop_face(drawn, one.face.bbox_xyxy_px, one.face.landmarks, spec)[..., 0] >= 128
        if not 0 < region.mean() <= WHOLE_SHARE:
            continue
        share = float(region.mean())
        groups.append(one.group)
        chances.append((float(_near(region).mean()), share / (2 - share)))
        values.append([_measured(model, crop, region, method, rng) for method in methods])
    if not groups:
        raise EvidenceError(
            "Expected faces of which a part was changed, found none. Give more clips, with larger faces."
        )
    table, of = np.array(values), np.array(groups)
    base = methods.index(BASE)
    rows = [
        CamRow(method, *(_figure(table[:, place, part], table[:, base, part], of) for part in range(len(MEASURES))))
        for place, method in enumerate(methods)
    ]
    pointing, iou = np.mean(chances, axis=0)
    return CamComparison(model.card.model_id, len(of), len(set(groups)), float(pointing), float(iou), tuple(rows))


def _measured(
    model: FrameModel, crop: NDArray[np.uint8], region: NDArray[np.bool_], method: str, rng: np.random.Generator
) -> list[float]:
    """The measures of one map, in the order of `MEASURES`."""
    raw = _middle(len(crop)) if method == MIDDLE else raw_cam(model, crop, method)
    ranks = _ranks(raw, rng)
    hit = bool(raw.any()) and bool(_near(region).flat[int(raw.argmax())])
    hottest = ranks >= 1 - region.mean()
    iou = float((hottest & region).sum() / (hottest | region).sum())
    box = (0.0, 0.0, float(crop.shape[1]), float(crop.shape[0]))
    heatmap = Heatmap(raw, crop, box, 0.0, 1.0, model.card.model_id, "", method)
    faithful = bool(raw.any()) and hide_test(model, heatmap).faithful
    return [float(hit), iou, _road(model, crop, ranks), float(faithful)]


def _middle(side: int) -> NDArray[np.float32]:
    """(S, S) a round spot, hottest in the middle and cold in the corners."""
    along = np.linspace(-1, 1, side, dtype=np.float32)
    return np.maximum(0.0, 1.41 - np.hypot(along[:, None], along[None])).astype(np.float32)


def _near(region: NDArray[np.bool_]) -> NDArray[np.bool_]:
    return np.asarray(maximum_filter(region, size=2 * TOLERANCE_PX + 1), dtype=bool)


def _ranks(raw: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """(S, S) in 0..1, the share of pixels that are colder; equal ones, as where a map is cut off at 0, in random order:
    ROAD takes pixels away by their order and would take away all that are equal."""
    order = np.lexsort((rng.random(raw.size), raw.ravel()))
    ranks = np.empty(raw.size, np.float32)
    ranks[order] = np.arange(raw.size) / raw.size
    return ranks.reshape(raw.shape)


def _road(model: FrameModel, crop: NDArray[np.uint8], ranks: NDArray[np.float32]) -> float:
    with HOOKS, torch.random.fork_rng():
        torch.manual_seed(0)  # what is imputed has a little noise
        inputs = model.prepare(crop[None]).contiguous()
        found = ROADCombined(_ROAD_PERCENTILES)(inputs, ranks[None], [BinaryClassifierOutputTarget(1)], model.network)
    return float(found[0])


def _figure(own: NDArray[np.float64], base: NDArray[np.float64], groups: NDArray[np.str_]) -> CamFigure:
    gain = own - base
    return CamFigure(
        float(own.mean()),
        interval_by_group(groups, lambda rows: float(own[rows].mean())),
        float(gain.mean()),
        interval_by_group(groups, lambda rows: float(gain[rows].mean())),
    )
