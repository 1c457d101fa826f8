"""Small stand-ins for what the analysis takes from other packages."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from detector.analysis.components import Components
from detector.analysis.kinds import KINDS
from detector.analysis.kinds.audiovisual import AudioVisualKind
from detector.analysis.kinds.texture import TextureKind
from detector.analysis.types import Family
from detector.evidence.types import Container, Evidence, Frame, Integrity, StoredFile, VideoStream
from detector.faces.types import CropSpec, DetectedFace, FaceQuality, FaceTrack, TrackedFace
from detector.models import build_network
from detector.registry import CueScores, EnsembleModel, FrameFeatures, Thresholds, WindowScores
from detector.runtime import torch_runtime
from detector.settings import AnalysisSettings

SPEC = CropSpec(size_px=8, margin=0.0)


def make_evidence(*, kind: str = "video", frames: int = 20, decode_errors: int = 0) -> Evidence:
    video = VideoStream(
        codec="h264",
        profile="High",
        width=64,
        height=48,
        coded_width=64,
        coded_height=48,
        duration_s=frames / 10,
        frame_count=frames,
        rotation_deg=0,
        variable_frame_rate=False,
        average_fps=10.0,
        time_base=Fraction(1, 10),
        pixel_format="yuv420p",
        bit_depth=8,
        colour_range=None,
        colour_space=None,
        keyframe_count=1,
        keyframe_interval_s=None,
    )
    file = StoredFile("ab" * 32, "cd" * 16, 1234, "suspect é <b>.mp4", Path("/evidence/ab"))
    container = Container("mov,mp4", frames / 10, 1000, 1, (("creation_time", "2026"), ("title", "x"), ("title", "y")))
    return Evidence(file, kind, container, video, None, Integrity(decode_errors, ("opened with a warning",)))


def make_face(
    *, left: float = 10.0, weight: float = 1.0, size_px: float = 100.0, source: str = "frame", mesh: bool = False
) -> DetectedFace:
    quality = FaceQuality(size_px, 100.0, 0.5, None, None, None, None, weight, ("blurred",) if weight < 0.2 else ())
    landmarks = np.full((468, 3), left, np.float32) if mesh else None
    return DetectedFace((left, 5.0, left + 16, 21.0), 0.9, landmarks, quality, source)


def make_track(track_id: int, frames: int, **face: object) -> FaceTrack:
    faces = tuple(TrackedFace(index, index, index / 10, make_face(**face)) for index in range(frames))
    return FaceTrack(track_id, 0, faces)


class FakeReader:
    """Frame n is n everywhere. With `with_before` each but the first brings a picture of its number and `step` more."""

    def __init__(
        self, count: int, *, fail_at: int | None = None, delay_s: float = 0.0, with_before: bool = False, step: int = 0
    ) -> None:
        self.expected_frames, self.progress, self.busy_s = count, 0.0, 0.0
        self.integrity = Integrity(2, ("opened with a warning", "late warning"))
        self.shot_starts_s = [0.0]
        self.closed = False
        self.yielded = 0
        self._fail_at, self._delay_s = fail_at, delay_s
        self._with_before, self._step = with_before, step

    def __iter__(self) -> Iterator[Frame]:
        for index in range(self.expected_frames):
            if index == self._fail_at:
                raise OSError("the disk went away")
            time.sleep(self._delay_s)
            self.progress = (index + 1) / self.expected_frames
            self.busy_s += self._delay_s
            self.yielded += 1
            before = np.full((48, 64, 3), index + self._step, np.uint8) if self._with_before and index else None
            yield Frame(index, index, index / 10, 0, np.full((48, 64, 3), index, np.uint8), before)

    def close(self) -> None:
        self.closed = True


@dataclass
class FakeAnalyser:
    """Two faces a frame unless told otherwise."""

    faces: tuple[DetectedFace, ...] = field(default_factory=lambda: (make_face(left=4), make_face(left=40)))
    delay_s: float = 0.0

    def __enter__(self) -> FakeAnalyser:
        return self

    def __exit__(self, *_: object) -> None: ...

    def analyse(self, frame: Frame) -> tuple[DetectedFace, ...]:
        time.sleep(self.delay_s)
        return self.faces


class FakeTracker:
    """The n-th face of a frame belongs to track n."""

    def __init__(self) -> None:
        self._tracks: dict[int, list[TrackedFace]] = {}

    def update(self, frame: Frame, faces: tuple[DetectedFace, ...]) -> tuple[int, ...]:
        for track_id, face in enumerate(faces):
            self._tracks.setdefault(track_id, []).append(TrackedFace(frame.frame_index, frame.pts, frame.pts_s, face))
        return tuple(range(len(faces)))

    def finish(self) -> tuple[FaceTrack, ...]:
        return tuple(FaceTrack(track_id, 0, tuple(faces)) for track_id, faces in sorted(self._tracks.items()))


def fake_crop(image: NDArray[np.uint8], bbox: tuple[float, ...], _: object, spec: CropSpec) -> NDArray[np.uint8]:
    """Carries frame number and place of the face, so that a score can be traced to its face."""
    crop = np.zeros((spec.size_px, spec.size_px, 3), np.uint8)
    crop[..., 0], crop[..., 1] = image[0, 0, 0], int(bbox[0])
    return crop


def no_sync(*_: object, **__: object) -> None:
    raise AssertionError("no audio-visual model was asked for")


def no_texture(*_: object, **__: object) -> None:
    raise AssertionError("no texture model was asked for")


def fake_components(
    reader: FakeReader,
    analyser: FakeAnalyser | None = None,
    examine_sync: Callable[..., Any] = no_sync,
    examine_texture: Callable[..., Any] = no_texture,
) -> Components:
    faces = analyser or FakeAnalyser()
    kinds = {**KINDS, "audiovisual": AudioVisualKind(examine_sync), "texture": TextureKind(examine_texture)}
    return Components(lambda *_: reader, lambda _: faces, FakeTracker, fake_crop, kinds=kinds)


@dataclass(frozen=True)
class FakeCard:
    model_id: str = "fake"
    weights_sha256: str = "11" * 32
    crop: CropSpec = SPEC
    thresholds: Thresholds = Thresholds(1.0, -1.0, "set by hand")  # noqa: RUF009
    kind: str = "frame"
    architecture: dict[str, Any] = field(default_factory=dict)
    inputs: dict[str, Any] = field(default_factory=dict)
    name: str = ""


class FakeModel:
    """A frame model: logit = a x frame number + b x left edge + offset; features are frame number, left edge, logit."""

    trunk = None
    calibration = None
    device = torch.device("cpu")
    runtime = torch_runtime()

    def __init__(self, *, card: FakeCard | None = None, offset: float = 0.0, delay_s: float = 0.0) -> None:
        self.card = card or FakeCard()
        self.batch_sizes: list[int] = []
        self.threads: set[str] = set()
        self._offset, self._delay_s = offset, delay_s

    @property
    def kind(self) -> str:
        return self.card.kind

    def score(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        return self.features(crops).logits

    def features(self, crops: NDArray[np.uint8]) -> FrameFeatures:
        time.sleep(self._delay_s)
        self.batch_sizes.append(len(crops))
        self.threads.add(threading.current_thread().name)
        numbers = crops[:, 0, 0, :].astype(np.float32)
        logits = self.logit(numbers[:, 0], numbers[:, 1])
        return FrameFeatures(logits, np.column_stack([numbers[:, 0], numbers[:, 1], logits]))

    def logit(self, frame_index: NDArray[np.float32], left: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.asarray(0.01 * frame_index + 0.1 * left + self._offset, dtype=np.float32)


class FakeSequence(FakeModel):
    """Frame logit = the trunk's + offset, and + `late` from the tenth frame on; logit = their mean; pooling even over
    the frames present. Where it `reads_pairs`, it says of each the mean of its planes."""

    reads_pairs = False

    def pair_logits(self, pairs: NDArray[np.uint8]) -> NDArray[np.float32]:
        assert self.reads_pairs
        return pairs.mean((1, 2, 3), dtype=np.float32)

    def __init__(
        self, trunk: FakeModel, *, model_id: str = "tm", frames: int = 8, offset: float = 0.0, late: float = 0.0
    ) -> None:
        inputs = {"trunk": trunk.card.model_id, "frames": frames, "cue": "TM"}
        super().__init__(card=FakeCard(model_id, "22" * 32, trunk.card.crop, kind="sequence", inputs=inputs))
        self.trunk, self._offset, self._late = trunk, offset, late
        self.windows: list[tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.bool_]]] = []

    def score_windows(
        self, features: NDArray[np.float32], times_s: NDArray[np.float32], present: NDArray[np.bool_]
    ) -> WindowScores:
        self.windows.append((features, times_s, present))
        share = present / present.sum(1, keepdims=True)
        frame_logits = features[..., 2] + np.float32(self._offset) + np.float32(self._late) * (features[..., 0] >= 10)
        return WindowScores((frame_logits * share).sum(1), frame_logits, share.astype(np.float32))


class FakeSpecialists(FakeModel):
    """Two cues of one pass: BG is the frame logit, CM its negative; their channels carry number and place."""

    channel_names = MappingProxyType({"BG": ("number", "left"), "CM": ("left",)})

    def __init__(self, *, spec: CropSpec = SPEC, model_id: str = "cues") -> None:
        super().__init__(card=FakeCard(model_id, "33" * 32, spec, kind="specialists"))

    def specialists(self, crops: NDArray[np.uint8]) -> dict[str, CueScores]:
        logits, features = self.features(crops)
        deep = features[:, None]
        return {"BG": CueScores(logits, features[:, :2], deep), "CM": CueScores(-logits, features[:, 1:2], deep)}


class FakeEnsemble(FakeModel):
    """The mean of the members present, through the product's own fusion."""

    def __init__(
        self,
        members: list[dict[str, str | None]],
        *,
        one_sided: tuple[int, ...] = (),
        families: tuple[Family, ...] = (),
    ) -> None:
        inputs = {"members": members, "method": "logit_mean", "families": families}
        super().__init__(card=FakeCard("together", "44" * 32, kind="ensemble", inputs=inputs))
        torch.manual_seed(0)
        network = build_network(
            {
                "kind": "ensemble",
                "method": "logit_mean",
                "members": len(members),
                "one_sided": one_sided,
                "families": len(families),
            }
        )
        self.loaded = EnsembleModel(self.card, network.eval(), torch.device("cpu"))  # type: ignore[arg-type]

    def fuse(
        self, logits: NDArray[np.float64], present: NDArray[np.bool_]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        return self.loaded.fuse(logits, present)

    def families(self, logits: NDArray[np.float64], present: NDArray[np.bool_]) -> NDArray[np.float32]:
        return self.loaded.families(logits, present)


SETTINGS = AnalysisSettings(batch_size=7)
