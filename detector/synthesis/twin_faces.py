"""Single manipulated faces of which it is known where they were changed: frames of twins, compressed as video is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from detector.evidence import Frame
from detector.faces import DetectedFace, FaceAnalyser
from detector.settings import AnalysisSettings
from detector.synthesis.catalogue import Request, changes_something, lacking, make
from detector.synthesis.clips import compress_clip
from detector.synthesis.sources import read_source
from detector.synthesis.types import FakeImage

# Manipulations of a part of the picture only: one of all of it cannot be pointed at.
LOCAL_KINDS: Final = ("swap", "self_blend", "mouth", "animated", "frozen")
_CRF, _SECONDS = 20, 0.6


@dataclass(frozen=True, slots=True)
class TwinFace:
    """`fake` one frame of a manipulated twin with its mask, `face` the largest face found in it, `source` the genuine
    clip it was made from."""

    source: str
    fake: FakeImage
    face: DetectedFace


def twin_faces(paths: Sequence[Path], *, frames: int = 2, seed: int = 0) -> Iterator[TwinFace]:
    """`frames` faces of a twin of each of `LOCAL_KINDS` of each genuine clip or still, the next clip lending the face
    for a swap; what cannot be made of a clip is left out. Equal arguments give equal faces. Raises EvidenceError for a
    file without a face to follow."""
    sources = [read_source(path, seconds=_SECONDS, seed=seed) for path in paths]
    with FaceAnalyser(AnalysisSettings(tile_faces=False)) as analyser:
        for number, source in enumerate(sources):
            donor = sources[(number + 1) % len(sources)] if len(sources) > 1 else None
            request = Request(source, 1.0, seed, donor)
            for kind in LOCAL_KINDS:
                if lacking(kind, request) is None:
                    yield from _faces_of(kind, request, analyser, frames)


def _faces_of(kind: str, request: Request, analyser: FaceAnalyser, frames: int) -> Iterator[TwinFace]:
    twins = make(kind, request)
    if twins.masks is None or not changes_something(twins):
        return
    shown = compress_clip(twins.fake.images, _CRF)
    changed = np.flatnonzero(twins.masks.any((1, 2)))
    for row in changed[np.linspace(0, len(changed) - 1, frames + 2).round().astype(int)[1:-1]]:
        time_s = float(twins.fake.times_s[row])
        faces = analyser.analyse(Frame(int(row), int(row), time_s, 0, shown[row]))
        if faces:
            mask: NDArray[np.float32] = twins.masks[row].astype(np.float32) / 255
            face = max(faces, key=lambda found: found.quality.size_px)
            yield TwinFace(request.source.name, FakeImage(shown[row], mask, kind), face)
