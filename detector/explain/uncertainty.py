"""Spread of a face's logit when nothing that matters has changed, in two ways, each with its cost."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from detector.errors import ModelError
from detector.faces.types import Box
from detector.registry import FrameModel, LoadedModel

SHIFT_SHARE: Final = 0.04
ZOOM: Final = 0.05


@dataclass(frozen=True, slots=True)
class Spread:
    """`logits` of equivalent views of one face, the plain one first; `seconds` all of them took together."""

    logits: tuple[float, ...]
    seconds: float

    @property
    def mean(self) -> float:
        """Mean logit."""
        return float(np.mean(self.logits))

    @property
    def std(self) -> float:
        """Standard deviation of the logits."""
        return float(np.std(self.logits))


@dataclass(frozen=True, slots=True)
class Uncertainty:
    """`views`: test-time augmentation, the face mirrored and cropped a little otherwise. `dropout`: Monte Carlo dropout
    in the label head, None where it has none. `plain_seconds`: what a single score costs, to compare."""

    views: Spread
    dropout: Spread | None
    plain_seconds: float


def moved_boxes(box: Box) -> list[Box]:
    """The box itself, moved 4 % of its side in four directions, and 5 % larger and smaller."""
    x0, y0, x1, y1 = box
    side = max(x1 - x0, y1 - y0)
    boxes = [box]
    for dx, dy in ((-1, 0), (1, 0), (0, -1), (0, 1)):
        shift_x, shift_y = dx * SHIFT_SHARE * side, dy * SHIFT_SHARE * side
        boxes.append((x0 + shift_x, y0 + shift_y, x1 + shift_x, y1 + shift_y))
    for grow in (ZOOM * side / 2, -ZOOM * side / 2):
        boxes.append((x0 - grow, y0 - grow, x1 + grow, y1 + grow))
    return boxes


def uncertainty_of(
    model: LoadedModel, crop_box: Callable[[Box], NDArray[np.uint8]], box: Box, *, passes: int = 32
) -> Uncertainty:
    """Both spreads of one face; `crop_box(box)` cuts it. Raises ModelError for a model that scores no single crops."""
    if not isinstance(model, FrameModel):
        raise ModelError(f"{model.card.model_id} is of kind {model.kind!r}; only frame models score single crops.")
    start_s = time.perf_counter()
    crop = crop_box(box)
    model.score(crop[None])
    plain_s = time.perf_counter() - start_s
    return Uncertainty(
        view_spread(model, [crop_box(one) for one in moved_boxes(box)]),
        dropout_spread(model, crop, passes=passes),
        plain_s,
    )


def view_spread(model: FrameModel, crops: Sequence[NDArray[np.uint8]]) -> Spread:
    """Each crop and its mirror image, in one batch."""
    start_s = time.perf_counter()
    views = np.stack([view for crop in crops for view in (crop, crop[:, ::-1])])
    logits = model.score(views)
    return Spread(tuple(logits.tolist()), time.perf_counter() - start_s)


def dropout_spread(model: FrameModel, crop: NDArray[np.uint8], *, passes: int = 32) -> Spread | None:
    """The plain logit, then `passes` with parts of the label head off (Gal & Ghahramani, ICML 2016); None where it has
    no dropout. The features are computed once."""
    if not model.has_dropout:
        return None
    start_s = time.perf_counter()
    plain, features = model.features(crop[None])
    logits = model.dropout_logits(features, passes)[0]
    return Spread((float(plain[0]), *logits.tolist()), time.perf_counter() - start_s)
