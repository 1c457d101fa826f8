"""Every face cut once for each distinct crop, in batches that any number of networks share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detector.analysis.aggregate import FaceKey
from detector.analysis.thread_group import Channel
from detector.evidence.types import Frame
from detector.faces.crop import shows_enough
from detector.faces.temporal import Picture, thumbnail
from detector.faces.types import CropSpec, DetectedFace


@dataclass(frozen=True, slots=True)
class Batch:
    """`crops` (N, S, S, 3) uint8, in the order in which the faces were cut; `just_before` a thumbnail of each one's
    place in the frame just before, None where there is none or nobody asked."""

    crops: NDArray[np.uint8]
    just_before: list[Picture | None]


class Cutter:
    """Cuts every face for one crop specification and hands full batches to the networks that share it. `over_time`
    where one of them reads what changed since the frame just before."""

    def __init__(self, spec: CropSpec, batch_size: int, crop_face: Callable[..., NDArray[np.uint8]]) -> None:
        self._spec, self._batch_size, self._crop_face = spec, batch_size, crop_face
        self.over_time = False
        self.channels: list[Channel[Batch]] = []
        self.keys: list[FaceKey] = []
        self._pending: list[tuple[NDArray[np.uint8], Picture | None]] = []

    def add(self, frame: Frame, face: DetectedFace) -> None:
        """Cut a face for the next batch, unless too little of it lies in the picture."""
        if not shows_enough(face.bbox_xyxy_px, frame.image.shape, self._spec):
            return
        place = face.bbox_xyxy_px, face.landmarks, self._spec
        before = None
        if self.over_time and frame.before is not None:
            before = thumbnail(self._crop_face(frame.before, *place))
        self._pending.append((self._crop_face(frame.image, *place), before))
        self.keys.append(FaceKey(frame.frame_index, face.bbox_xyxy_px))

    def send(self, each_poll: Callable[[], None], *, last: bool = False) -> None:
        """Hand full batches, or with `last` whatever is left, to every network that reads them."""
        while self._pending and (last or len(self._pending) >= self._batch_size):
            crops, before = zip(*self._pending[: self._batch_size], strict=True)
            del self._pending[: self._batch_size]
            batch = Batch(np.stack(crops), list(before))
            for channel in self.channels:
                channel.put(batch, each_poll)
        if last:
            for channel in self.channels:
                channel.close()
