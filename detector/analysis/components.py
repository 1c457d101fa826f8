"""The parts of other packages that the pipeline uses, as types; tests put others in their place."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from detector.analysis.kinds import KINDS, Kind
from detector.evidence.types import Evidence, Frame, Integrity
from detector.faces.types import Box, CropSpec, DetectedFace, FaceTrack
from detector.settings import AnalysisSettings

if TYPE_CHECKING:
    from detector.evidence.forensics import FileForensics


class FrameSource(Protocol):
    """The frames of a file in order of time, as `detector.evidence.ContainedFrameReader`."""

    @property
    def expected_frames(self) -> int:
        """The number of frames to come, as far as it is known beforehand."""

    @property
    def progress(self) -> float:
        """The share of the file that was read, 0..1."""

    @property
    def integrity(self) -> Integrity:
        """The damage found so far."""

    @property
    def shot_starts_s(self) -> Sequence[float]:
        """The starts of the shots found so far, s."""

    @property
    def busy_s(self) -> float:
        """The seconds that reading and decoding took so far."""

    def __iter__(self) -> Iterator[Frame]: ...

    def close(self) -> None:
        """End the reading, also while another thread iterates."""


class FaceSearch(Protocol):
    """As `detector.faces.FaceAnalyser`."""

    def analyse(self, frame: Frame) -> tuple[DetectedFace, ...]:
        """The faces of one frame."""


class FaceTracker(Protocol):
    """As `detector.faces.Tracker`."""

    def update(self, frame: Frame, faces: tuple[DetectedFace, ...]) -> object:
        """Take in the faces of the next frame."""

    def finish(self) -> Sequence[FaceTrack]:
        """All tracks, once there are no more frames."""


class CropFace(Protocol):
    """As `detector.faces.crop_face`."""

    def __call__(
        self, image: NDArray[np.uint8], bbox_xyxy_px: Box, landmarks: NDArray[np.float32] | None, spec: CropSpec
    ) -> NDArray[np.uint8]:
        """The face's crop, (S, S, 3) uint8 RGB."""
        ...


class ExamineFile(Protocol):
    """As `detector.evidence.forensics.examine_file`."""

    def __call__(self, path: Path, evidence: Evidence, *, cancelled: Callable[[], bool]) -> FileForensics:
        """All that the file shows about its own making."""
        ...


@dataclass(frozen=True, slots=True)
class Components:
    """`open_frames` takes the file, the settings, whether each frame brings the one just before it, and `frame_offset`:
    by what share of the distance between examined frames the first of each shot is passed over, 0..1. The file itself
    is not examined where `examine_file` is None. `kinds` are those of the models, by name."""

    open_frames: Callable[[Evidence, AnalysisSettings, bool, float], FrameSource]
    open_faces: Callable[[AnalysisSettings], AbstractContextManager[FaceSearch]]
    new_tracker: Callable[[], FaceTracker]
    crop_face: CropFace
    examine_file: ExamineFile | None = None
    kinds: Mapping[str, Kind] = field(default_factory=lambda: KINDS)
    frame_offset: float = 0.0


def default_components() -> Components:
    """The program's own."""
    from detector.evidence import ContainedFrameReader
    from detector.evidence.forensics import examine_file
    from detector.faces import FaceAnalyser, Tracker, crop_face  # MediaPipe takes seconds to import

    def open_frames(
        evidence: Evidence, settings: AnalysisSettings, with_before: bool, offset: float
    ) -> ContainedFrameReader:
        rate, most = settings.frames_per_second, settings.max_frames
        return ContainedFrameReader(
            evidence, frames_per_second=rate, max_frames=most, with_before=with_before, offset=offset
        )

    return Components(open_frames, FaceAnalyser, Tracker, crop_face, examine_file)
