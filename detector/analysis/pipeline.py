"""The analysis itself: decode -> faces and tracks -> crops -> scores -> conclusion, in overlapping stages.

    decode thread --frames--> calling thread (faces, tracks, crops) --batches--> one thread a model

Channels are bounded, so memory does not grow with the length of the file. Batches are cut from the crops in frame order
and have a fixed size whatever the timing, so equal work gives equal numbers. The calling thread owns MediaPipe,
progress and cancellation; FFmpeg, MediaPipe and torch release the interpreter lock, so the stages truly overlap.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from detector.analysis.aggregate import FaceKey, deciding_tracks, model_result
from detector.analysis.conclusion import Findings, conclude
from detector.analysis.flow import Channel, Flow, FlowStoppedError
from detector.analysis.identity import analysis_id, tool
from detector.analysis.progress import Progress, ProgressMeter
from detector.analysis.types import Analysis, ModelResult
from detector.errors import CancelledError, ModelNotFoundError
from detector.evidence.types import Evidence, Frame, Integrity
from detector.faces.types import CropSpec, DetectedFace, FaceTrack
from detector.settings import AnalysisSettings

if TYPE_CHECKING:
    from detector.registry import LoadedModel

FRAMES_AHEAD = 6
BATCHES_AHEAD = 2


@dataclass(frozen=True, slots=True)
class Doors:
    """The neighbouring rooms' entrances that the pipeline uses; tests put other rooms behind them."""

    open_frames: Callable[[Evidence, AnalysisSettings], Any]
    open_faces: Callable[[AnalysisSettings], AbstractContextManager[Any]]
    new_tracker: Callable[[], Any]
    crop_face: Callable[..., NDArray[np.uint8]]


def _real_doors() -> Doors:
    from detector.evidence import FrameReader
    from detector.faces import FaceAnalyser, Tracker, crop_face  # MediaPipe takes seconds to import

    def open_frames(evidence: Evidence, settings: AnalysisSettings) -> FrameReader:
        return FrameReader(evidence, frames_per_second=settings.frames_per_second, max_frames=settings.max_frames)

    return Doors(open_frames, FaceAnalyser, Tracker, crop_face)


def analyze(
    evidence: Evidence,
    models: Sequence[LoadedModel],
    settings: AnalysisSettings,
    *,
    on_progress: Callable[[Progress], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
    doors: Doors | None = None,
) -> Analysis:
    """Examine `evidence` with `models`. Same file, settings, weights and device: same numbers.

    `on_progress` and `cancelled` are called in the calling thread, the latter at least every 50 ms while waiting and
    once a frame. Raises CancelledError, EvidenceError where decoding fails altogether, ModelNotFoundError without
    models, and whatever a stage raises; no thread outlives the call.
    """
    if not models:
        raise ModelNotFoundError(
            "An analysis needs at least one model; none was given. See `python -m detector models list`."
        )
    run = _Run(evidence, models, settings, on_progress, cancelled, doors or _real_doors())
    return run.execute()


@dataclass(frozen=True, slots=True)
class _Batch:
    crops: NDArray[np.uint8]  # (N, S, S, 3)


class _Cutter:
    """Cuts every face for one crop specification and hands full batches to the models that share it."""

    def __init__(
        self, flow: Flow, spec: CropSpec, batch_size: int, crop_face: Callable[..., NDArray[np.uint8]]
    ) -> None:
        self._flow, self._spec, self._batch_size, self._crop_face = flow, spec, batch_size, crop_face
        self.channels: list[Channel[_Batch]] = []
        self.keys: list[FaceKey] = []
        self._pending: list[NDArray[np.uint8]] = []

    def add(self, frame: Frame, face: DetectedFace) -> None:
        self._pending.append(self._crop_face(frame.image, face.bbox_xyxy_px, face.landmarks, self._spec))
        self.keys.append(FaceKey(frame.frame_index, face.bbox_xyxy_px))

    def send(self, each_poll: Callable[[], None], *, last: bool = False) -> None:
        while self._pending and (last or len(self._pending) >= self._batch_size):
            batch = _Batch(np.stack(self._pending[: self._batch_size]))
            del self._pending[: self._batch_size]
            for channel in self.channels:
                channel.put(batch, each_poll)
        if last:
            for channel in self.channels:
                channel.close()


class _Scorer:
    """One model's thread: its logits in the order of its cutter's keys."""

    def __init__(self, flow: Flow, model: LoadedModel, cutter: _Cutter) -> None:
        self.model, self.cutter = model, cutter
        self.channel: Channel[_Batch] = Channel(flow, BATCHES_AHEAD)
        cutter.channels.append(self.channel)
        self.logits: list[float] = []
        self.busy_s = 0.0

    def work(self) -> None:
        for batch in self.channel.items():
            start_s = time.perf_counter()
            logits = np.asarray(self.model.score(batch.crops), dtype=np.float64)
            self.busy_s += time.perf_counter() - start_s
            if logits.shape != (len(batch.crops),):
                raise ValueError(
                    f"{self.model.card.model_id} returned logits of shape {logits.shape} for {len(batch.crops)} crops."
                )
            self.logits.extend(logits.tolist())


class _Run:
    def __init__(
        self,
        evidence: Evidence,
        models: Sequence[LoadedModel],
        settings: AnalysisSettings,
        on_progress: Callable[[Progress], None] | None,
        cancelled: Callable[[], bool] | None,
        doors: Doors,
    ) -> None:
        self.evidence, self.settings, self.doors = evidence, settings, doors
        self.cancelled = cancelled or (lambda: False)
        self.meter = ProgressMeter(on_progress)
        self.flow = Flow()
        self.reader = doors.open_frames(evidence, settings)
        self.frames: Channel[Frame] = Channel(self.flow, FRAMES_AHEAD)
        cutters: dict[CropSpec, _Cutter] = {}
        self.scorers = []
        for model in models:
            spec = model.card.crop
            cutter = cutters.setdefault(spec, _Cutter(self.flow, spec, settings.batch_size, doors.crop_face))
            self.scorers.append(_Scorer(self.flow, model, cutter))
        self.cutters = tuple(cutters.values())
        self.busy_s = {"decode": 0.0, "faces": 0.0, "tracks": 0.0, "crops": 0.0}
        self.frames_done = self.frames_with_face = 0
        self.decode_progress = 0.0
        self.draining = False

    def execute(self) -> Analysis:
        start_s = time.perf_counter()
        try:
            self._check()
            self.flow.start("decode", self._decode)
            for scorer in self.scorers:
                self.flow.start(f"score {scorer.model.card.model_id}", scorer.work)
            tracks = self._find_faces()
            self._drain()
        except FlowStoppedError:
            self.flow.join()
            assert self.flow.failure is not None  # only a failed stage stops the flow behind this thread's back
            raise self.flow.failure from None
        finally:
            self.flow.stop()
            self.flow.join()
            self.reader.close()
        analysis = self._conclude(tracks)
        total_s = time.perf_counter() - start_s
        scoring_s = {f"scores:{scorer.model.card.model_id}": scorer.busy_s for scorer in self.scorers}
        return replace(analysis, timings={**self.busy_s, **scoring_s, "total": total_s})

    def _check(self) -> None:
        if self.cancelled():
            raise CancelledError("The analysis was cancelled before it finished; nothing was recorded.")
        self._show_progress()

    def _show_progress(self) -> None:
        self.meter.update(
            decode=self.decode_progress,
            frames_done=self.frames_done,
            frames_expected=self.reader.expected_frames,
            crops_cut=sum(len(scorer.cutter.keys) for scorer in self.scorers),
            crops_scored=sum(len(scorer.logits) for scorer in self.scorers),
            draining=self.draining,
        )

    def _decode(self) -> None:
        frames = iter(self.reader)
        while True:
            start_s = time.perf_counter()
            frame = next(frames, None)
            self.busy_s["decode"] += time.perf_counter() - start_s
            if frame is None:
                break
            self.decode_progress = self.reader.progress
            self.frames.put(frame)
        self.decode_progress = 1.0
        self.frames.close()

    def _find_faces(self) -> tuple[FaceTrack, ...]:
        tracker = self.doors.new_tracker()
        with self.doors.open_faces(self.settings) as analyser:
            for frame in self.frames.items(self._check):
                self._check()
                marks_s = [time.perf_counter()]
                faces = analyser.analyse(frame)
                marks_s.append(time.perf_counter())
                tracker.update(frame, faces)
                marks_s.append(time.perf_counter())
                for cutter in self.cutters:
                    for face in faces:
                        cutter.add(frame, face)
                marks_s.append(time.perf_counter())
                for name, seconds in zip(("faces", "tracks", "crops"), np.diff(marks_s), strict=True):
                    self.busy_s[name] += float(seconds)
                for cutter in self.cutters:
                    cutter.send(self._check)
                self.frames_done += 1
                self.frames_with_face += any(face.source != "centre_crop" for face in faces)
        return tuple(tracker.finish())

    def _drain(self) -> None:
        self.draining = True
        for cutter in self.cutters:
            cutter.send(self._check, last=True)
        self.flow.wait_until(
            lambda: all(len(scorer.logits) == len(scorer.cutter.keys) for scorer in self.scorers), self._check
        )
        self._check()

    def _conclude(self, tracks: tuple[FaceTrack, ...]) -> Analysis:
        self.meter.conclude()
        evidence = replace(self.evidence, integrity=_merge(self.evidence.integrity, self.reader.integrity))
        deciding = deciding_tracks(tracks, self.settings, still=evidence.kind == "still")
        results: list[ModelResult] = []
        for scorer in self.scorers:
            card = scorer.model.card
            logits = dict(zip(scorer.cutter.keys, scorer.logits, strict=True))
            results.append(model_result(card.model_id, card.weights_sha256, tracks, deciding, logits))
        findings = Findings(
            evidence=evidence,
            settings=self.settings,
            tracks=tracks,
            deciding=deciding,
            results=tuple(results),
            decisions=tuple(scorer.model.card.decision for scorer in self.scorers),
            frames_examined=self.frames_done,
            frames_with_face=self.frames_with_face,
        )
        return Analysis(
            analysis_id=analysis_id(evidence.file.sha256, self.settings, [scorer.model for scorer in self.scorers]),
            tool=tool(),
            settings=self.settings,
            evidence=evidence,
            tracks=tracks,
            models=findings.results,
            conclusion=conclude(findings),
            frames_examined=self.frames_done,
            shot_starts_s=tuple(self.reader.shot_starts_s),
        )


def _merge(before: Integrity, reading: Integrity) -> Integrity:
    """What opening and reading the file complained of; the same complaint is said once."""
    warnings = dict.fromkeys((*before.warnings, *reading.warnings))
    return Integrity(max(before.decode_errors, reading.decode_errors), tuple(warnings))
