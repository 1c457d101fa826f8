"""The analysis itself: decode -> faces and tracks -> crops -> scores -> conclusion, in overlapping stages.

    decode thread --frames--> calling thread (faces, tracks, crops) --batches--> one thread a distinct network
                                          '--finished tracks--> one thread a sequence or audio-visual model

Channels are bounded, so of a long file only results stay in memory, and of each face some hundred numbers and a
thumbnail. Batches are cut from the crops in frame order and have a fixed size whatever the timing, so equal work gives
equal numbers. Each distinct network sees each crop once, however many models rest on it. The calling thread owns
MediaPipe, progress and cancellation; FFmpeg, MediaPipe and torch release the interpreter lock: stages truly overlap.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from detector.analysis.aggregate import deciding_tracks, face_key
from detector.analysis.components import Components, default_components
from detector.analysis.conclusion import Findings, conclude
from detector.analysis.crops import Cutter
from detector.analysis.environment import environment
from detector.analysis.identity import analysis_id, identity_of, model_digest, tool
from detector.analysis.kinds import TrackContext
from detector.analysis.model_run import ModelRun, stage_fractions
from detector.analysis.progress import Progress, ProgressMeter
from detector.analysis.sensitivity import Report, with_sensitivity
from detector.analysis.shared_reading import SharedReader, SharedReading
from detector.analysis.strength import calibration_behind
from detector.analysis.thread_group import Channel, ThreadGroup, ThreadGroupStoppedError
from detector.analysis.types import Analysis, ModelResult
from detector.analysis.voting import voting
from detector.analysis.workers import NetworkWorker, crop_readers, identity, workers_of
from detector.calibration.calibration import Calibration
from detector.errors import CancelledError, ModelNotFoundError
from detector.evidence.limits import return_freed_memory
from detector.evidence.types import Evidence, Frame, Integrity
from detector.faces.types import FaceTrack
from detector.settings import AnalysisSettings

if TYPE_CHECKING:
    from detector.evidence.forensics import FileForensics
    from detector.registry import LoadedModel

# Decoded pictures that wait for the face search: at most six, and large ones fewer.
FRAMES_AHEAD, BYTES_AHEAD = 6, 256_000_000


def analyze(
    evidence: Evidence,
    models: Sequence[LoadedModel],
    settings: AnalysisSettings,
    *,
    on_progress: Callable[[Progress], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
    components: Components | None = None,
) -> Analysis:
    """Examine `evidence` with `models`. Same file, settings, weights and device: same numbers.

    An ensemble fuses those of its members that are among `models` (`detector.registry.load_set` adds them). A model
    that fails has no score, with a reason; the others go on. `on_progress` and `cancelled` are called in the calling
    thread, the latter at least every 50 ms while waiting and once a frame. Raises CancelledError, EvidenceError where
    decoding fails altogether, ModelNotFoundError without models, and what decoding or the face search raises; no thread
    outlives the call.
    """
    if not models:
        raise ModelNotFoundError(
            "An analysis needs at least one model; none was given. See `python -m detector models list`."
        )
    parts, stopped = components or default_components(), cancelled or (lambda: False)

    def once(file: Evidence, how: AnalysisSettings, with_parts: Components, report: Report | None) -> Analysis:
        try:
            return _Run(file, models, how, report, stopped, with_parts).execute()
        finally:
            return_freed_memory()

    if not settings.sensitivity:
        return once(evidence, settings, parts, on_progress)
    return with_sensitivity(once, evidence, settings, parts, on_progress=on_progress, cancelled=stopped)


def _share_of(frame: Frame) -> int:
    held = frame.image.nbytes + (0 if frame.before is None else frame.before.nbytes)
    return max(held, BYTES_AHEAD // FRAMES_AHEAD)


class _Run:
    def __init__(
        self,
        evidence: Evidence,
        models: Sequence[LoadedModel],
        settings: AnalysisSettings,
        on_progress: Callable[[Progress], None] | None,
        cancelled: Callable[[], bool],
        components: Components,
    ) -> None:
        self.evidence, self.settings, self.components = evidence, settings, components
        self.cancelled = cancelled
        self.meter = ProgressMeter(on_progress)
        self.group = ThreadGroup()
        self.frames: Channel[Frame] = Channel(self.group, BYTES_AHEAD, _share_of)
        self.models = tuple(models)
        kinds = components.kinds
        specs = dict.fromkeys(reader.card.crop for reader in crop_readers(models, kinds))
        cutters = {spec: Cutter(spec, settings.batch_size, components.crop_face) for spec in specs}
        self.cutters, self.workers = tuple(cutters.values()), workers_of(self.group, models, cutters, kinds, settings)
        over_time = any(one.over_time for one in self.cutters)
        self.reader = components.open_frames(evidence, settings, over_time, components.frame_offset)
        self.runs = [ModelRun(self.group, model, kinds[model.kind], self._worker(model), settings) for model in models]
        self.staged = [(stage, run) for run in self.runs if (stage := run.kind.stage) is not None]
        self.busy_s = {"decode": 0.0, "faces": 0.0, "tracks": 0.0, "crops": 0.0}
        self.frames_done = self.frames_with_face = 0
        self.decode_progress = 0.0
        self.draining = False
        self.forensics: FileForensics | None = None
        self.file_examined = components.examine_file is None

    def execute(self) -> Analysis:
        start_s = time.perf_counter()
        try:
            self._check()
            self.group.start("decode", self._decode)
            self.group.start("forensics", self._examine_file)
            for one in self.workers.values():
                self.group.start(f"score {one.model.card.model_id}", one.work)
            tracks = self._find_faces()
            deciding = deciding_tracks(tracks, self.settings, still=self.evidence.kind == "still")
            context = TrackContext(self.evidence, tracks, deciding)
            self._start(context, after_crops=False)
            self._drain()
            self._start(context, after_crops=True)
            self.group.wait_until(lambda: all(run.result is not None for _, run in self.staged), self._check)
            self.group.wait_until(lambda: self.file_examined, self._check)
            self._check()
            results = self._results(context)
        except ThreadGroupStoppedError:
            self.group.join()
            assert self.group.failure is not None  # only a failed stage stops the flow behind this thread's back
            raise self.group.failure from None
        finally:
            self.group.stop()
            self.reader.close()
            self.group.join()
        analysis = self._conclude(context, results)
        total_s = time.perf_counter() - start_s
        scoring_s = {f"scores:{one.model.card.model_id}": one.busy_s for one in self.workers.values()}
        staged_s = {f"{stage.name}:{run.model.card.model_id}": run.busy_s for stage, run in self.staged}
        return replace(analysis, timings={**self.busy_s, **scoring_s, **staged_s, "total": total_s})

    def _check(self) -> None:
        if self.cancelled():
            raise CancelledError("The analysis was cancelled before it finished; nothing was recorded.")
        self._show_progress()

    def _show_progress(self) -> None:
        self.meter.update(
            decode=self.decode_progress,
            frames_done=self.frames_done,
            frames_expected=self.reader.expected_frames,
            crops_cut=sum(len(one.cutter.keys) for one in self.workers.values()),
            crops_scored=sum(one.done for one in self.workers.values()),
            draining=self.draining,
            track_models=stage_fractions(self.staged),
        )

    def _decode(self) -> None:
        for frame in self.reader:
            self.busy_s["decode"] = self.reader.busy_s
            self.decode_progress = self.reader.progress
            self.frames.put(frame)
        self.decode_progress = 1.0
        self.frames.close()

    def _examine_file(self) -> None:
        """The file beside its faces: observations for the record, of which none reaches the conclusion."""
        if self.components.examine_file is None:
            return
        start_s = time.perf_counter()
        self.forensics = self.components.examine_file(
            self.evidence.file.path, self.evidence, cancelled=lambda: self.group.stopped
        )
        self.busy_s["forensics"] = time.perf_counter() - start_s
        with self.group.changed:
            self.file_examined = True
            self.group.changed.notify_all()

    def _find_faces(self) -> tuple[FaceTrack, ...]:
        tracker = self.components.new_tracker()
        with self.components.open_faces(self.settings) as analyser:
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
        self.group.wait_until(
            lambda: all(one.done == len(one.cutter.keys) for one in self.workers.values()), self._check
        )
        self._check()

    def _worker(self, model: LoadedModel) -> NetworkWorker | None:
        reader = self.components.kinds[model.kind].crop_reader(model)
        return None if reader is None else self.workers[identity(reader)]

    def _start(self, context: TrackContext, *, after_crops: bool) -> None:
        """Start the threads of the models that wait for their crop reader, or of those that have none."""
        chosen = [(stage, run) for stage, run in self.staged if (run.worker is not None) == after_crops]
        shared = SharedReading(self.group, self.evidence, len(chosen))
        for stage, run in chosen:
            name = f"{stage.name} {run.model.card.model_id}"
            self.group.start(name, partial(_work, run, context, shared.reader()))

    def _results(self, context: TrackContext) -> tuple[ModelResult, ...]:
        """One result a model, in the order given; those that fuse others run last."""
        for fuses in (False, True):
            before = tuple(run.result for run in self.runs if run.result is not None)
            for run in self.runs:
                if run.result is None and run.kind.fuses == fuses:
                    run.work(replace(context, results=before))
        return tuple(replace(run.result, title=run.model.card.name) for run in self.runs if run.result is not None)

    def _conclude(self, context: TrackContext, results: tuple[ModelResult, ...]) -> Analysis:
        self.meter.conclude()
        evidence = replace(self.evidence, integrity=_merge(self.evidence.integrity, self.reader.integrity))
        findings = Findings(
            evidence=evidence,
            settings=self.settings,
            tracks=context.tracks,
            deciding=context.deciding,
            results=results,
            decisions=tuple(model.card.thresholds for model in self.models),
            frames_examined=self.frames_done,
            frames_with_face=self.frames_with_face,
            calibrations=tuple(_calibration_of(model) for model in self.models),
            appearance=self._appearance(context.deciding),
        )
        conclusion = conclude(findings)
        made_by = identity_of(self.settings, self.models)
        return Analysis(
            analysis_id=analysis_id(evidence.file.sha256, made_by),
            tool=tool(),
            settings=self.settings,
            evidence=evidence,
            tracks=context.tracks,
            models=findings.results,
            conclusion=conclusion,
            frames_examined=self.frames_done,
            shot_starts_s=tuple(self.reader.shot_starts_s),
            forensics=self.forensics,
            environment=environment(str(model.device) for model in self.models),
            identity=made_by,
            calibration=calibration_behind(findings, voting(results)) if conclusion.calibrated else None,
            appearance=findings.appearance,
        )

    def _appearance(self, deciding: Sequence[FaceTrack]) -> tuple[float, ...] | None:
        """How the deciding faces look on average (`detector.models.appearance`), None where no network kept it."""
        keys = [face_key(tracked) for track in deciding for tracked in track.faces]
        for worker in self.workers.values():
            known = worker.rows("appearance")
            if rows := [known[key] for key in keys if key in known]:
                return tuple(np.mean(rows, axis=0, dtype=float).round(4).tolist())
        return None


def _work(run: ModelRun, context: TrackContext, reader: SharedReader) -> None:
    try:
        run.work(replace(context, read=reader))
    finally:
        reader.leave()


def _calibration_of(model: LoadedModel) -> Calibration | None:
    """The model's calibration, None where it is of other weights."""
    found = model.calibration
    return found if found is not None and found.made_by == model_digest(model) else None


def _merge(before: Integrity, reading: Integrity) -> Integrity:
    """Complaints of opening and reading the file; the same complaint is said once."""
    warnings = dict.fromkeys((*before.warnings, *reading.warnings))
    return Integrity(max(before.decode_errors, reading.decode_errors), tuple(warnings))
