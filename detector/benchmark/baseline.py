"""What a user would run instead, as a timing alone: the pipeline of most public detectors.

32 frames spread over the clip, a face detector, EfficientNet-B4 at 224 px (Tan & Le, ICML 2019), as for instance in the
solution of Seferbekov to the Deepfake Detection Challenge (2020) with another trunk. Weights are random: what it would
say is not asked. Frames are read with OpenCV, as there; faces are found by MediaPipe's full-range BlazeFace, because no
wheel carries the MTCNN or YuNet that others use.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from detector.benchmark.speed import timed_analysis
from detector.benchmark.usage import Cost, measured
from detector.evidence.types import Evidence
from detector.faces.backend import FaceBackend, default_backend
from detector.settings import AnalysisSettings

if TYPE_CHECKING:
    from detector.registry import LoadedModel

FRAMES: Final = 32
SIDE_PX: Final = 224
DETECTOR: Final = "MediaPipe's full-range BlazeFace"
TRUNK: Final = "efficientnet_b4"
_MARGIN: Final = 0.3  # of the box, on each side
_LEAST_SCORE: Final = 0.5
_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@dataclass(frozen=True, slots=True)
class BaselineReport:
    """Medians over `rounds`, in each of which the analysis ran first and the common pipeline after it, in one process.

    `reading_s`, `faces_s` and `network_s` are the wall seconds of its parts, `faces` the faces that one network scored,
    against `faces_scored` by every model of the analysis. `ratio` is the analysis' wall over the common pipeline's.
    """

    detector: str
    trunk: str
    rounds: int
    faces: int
    faces_scored: int
    common: Cost
    reading_s: float
    faces_s: float
    network_s: float
    analysis: Cost
    ratio: float


class CommonPipeline:
    """The other pipeline, loaded: a call runs it on a file. Close it when done."""

    def __init__(self, device: str = "cpu", *, trunk: str = TRUNK) -> None:
        import timm
        import torch

        torch.manual_seed(0)
        self._torch, self._device = torch, device
        self._network: Any = timm.create_model(trunk, pretrained=False, num_classes=1).to(device).eval()
        self._detector: FaceBackend = default_backend()
        self.parts_s = np.zeros(3)
        self.faces = 0

    def close(self) -> None:
        """Free the detector."""
        self._detector.close()

    def __call__(self, path: Path) -> None:
        """Run on a file; `parts_s` (reading, faces, network) and `faces` are then those of this run."""
        marks_s = [time.perf_counter()]
        frames = _read(path)
        marks_s.append(time.perf_counter())
        crops = [crop for frame in frames for crop in self._crops(frame)]
        marks_s.append(time.perf_counter())
        if crops:
            with self._torch.inference_mode():
                pixels = self._torch.from_numpy(np.stack(crops)).to(self._device).permute(0, 3, 1, 2)
                self._network(pixels).cpu()
        marks_s.append(time.perf_counter())
        self.parts_s, self.faces = np.diff(marks_s), len(crops)

    def _crops(self, frame: NDArray[np.uint8]) -> list[NDArray[np.float32]]:
        found = []
        for one in self._detector.detect(frame):
            if one.score < _LEAST_SCORE:
                continue
            x0, y0, x1, y1 = one.bbox_xyxy_px
            wide, high = _MARGIN * (x1 - x0), _MARGIN * (y1 - y0)
            left, top = max(0, round(x0 - wide)), max(0, round(y0 - high))
            face = frame[top : max(top + 1, round(y1 + high)), left : max(left + 1, round(x1 + wide))]
            if face.size:
                small = cv2.resize(face, (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_AREA)
                found.append(((small / 255 - _MEAN) / _STD).astype(np.float32))
        return found


def _read(path: Path) -> list[NDArray[np.uint8]]:
    """Up to 32 frames (H, W, 3) uint8 RGB, evenly spaced by number; the others are decoded and passed over."""
    capture = cv2.VideoCapture(str(path))
    try:
        count = int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
        wanted = set(np.linspace(0, max(0, count - 1), FRAMES).round().astype(int).tolist())
        frames = []
        for number in range(count):
            if not capture.grab():
                break
            if number in wanted:
                _, frame = capture.retrieve()
                frames.append(cv2.cvtColor(frame, cv2.COLOR_BGR2RGB))
        return frames
    finally:
        capture.release()


def against_baseline(
    evidence: Evidence, models: Sequence[LoadedModel], settings: AnalysisSettings, *, rounds: int, trunk: str = TRUNK
) -> BaselineReport:
    """Measure both alternately, after one unmeasured run of the common pipeline. Raises as `analyze`."""
    pipeline = CommonPipeline(str(models[0].device), trunk=trunk)
    ours: list[Cost] = []
    theirs: list[Cost] = []
    parts_s: list[NDArray[np.float64]] = []
    faces_scored = 0
    path = evidence.file.path
    try:
        pipeline(path)
        for _ in range(rounds):
            timed = timed_analysis(evidence, models, settings)
            ours.append(timed.cost)
            faces_scored = sum(len(track.faces) for track in timed.analysis.tracks)
            theirs.append(measured(lambda: pipeline(path)))
            parts_s.append(pipeline.parts_s)
    finally:
        pipeline.close()
    reading_s, faces_s, network_s = np.median(parts_s, axis=0).tolist()
    analysis, common = middle(ours), middle(theirs)
    return BaselineReport(
        detector=DETECTOR,
        trunk=trunk,
        rounds=rounds,
        faces=pipeline.faces,
        faces_scored=faces_scored,
        common=common,
        reading_s=reading_s,
        faces_s=faces_s,
        network_s=network_s,
        analysis=analysis,
        ratio=analysis.wall_s / common.wall_s,
    )


def middle(costs: Sequence[Cost]) -> Cost:
    """The median wall and the median seconds of processor."""
    return Cost(median(cost.wall_s for cost in costs), median(cost.cpu_s for cost in costs))
