"""Progress of an analysis, and the time that is left."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from detector.analysis.kinds.kind import Stage

WARM_UP_S = 0.5
REPORT_EVERY_S = 0.1
# Scoring runs at most a few batches behind the faces, so the faces carry most of the bar.
_WEIGHTS = {"faces": 9.0, "scores": 1.0}


@dataclass(frozen=True, slots=True)
class StageProgress:
    """One stage: `fraction` in 0..1; `remaining_s` None while too little is known."""

    name: str
    fraction: float
    remaining_s: float | None


@dataclass(frozen=True, slots=True)
class Progress:
    """`stage` is what the analysis waits for now ("faces", "scores", the name of a kind's stage, "conclusion");
    `fraction` in 0..1 is of the whole and never falls; `remaining_s` None while too little is known; `message` one
    plain sentence; `stages` each overlapping stage on its own ("decode", "faces", "scores", and those of kinds
    that run in threads of their own)."""

    stage: str
    fraction: float
    remaining_s: float | None
    message: str
    stages: tuple[StageProgress, ...] = ()


class ProgressMeter:
    """Turns counts into Progress, at most ten times a second, always from the thread that runs the analysis."""

    def __init__(
        self, report: Callable[[Progress], None] | None, *, clock: Callable[[], float] = time.perf_counter
    ) -> None:
        self._report = report
        self._clock = clock
        self._start_s = clock()
        self._last_s = float("-inf")
        self._highest = 0.0
        self._stages: tuple[str, ...] = ("decode", "faces", "scores")

    def update(
        self,
        *,
        decode: float,
        frames_done: int,
        frames_expected: int,
        crops_cut: int,
        crops_scored: int,
        draining: bool,
        track_models: Mapping[Stage, float] | None = None,
    ) -> None:
        """`track_models`: how far each stage is that waits for finished tracks, 0..1;
        the stages are those of every report."""
        now_s = self._clock()
        if self._report is None or now_s - self._last_s < REPORT_EVERY_S:
            return
        self._last_s = now_s
        faces = 1.0 if draining else min(1.0, frames_done / max(1, frames_expected, frames_done))
        scores = faces * (crops_scored / crops_cut if crops_cut else 1.0)
        staged = {stage.name: fraction for stage, fraction in (track_models or {}).items()}
        fractions = {"faces": faces, "scores": scores, **staged}
        self._stages = ("decode", *fractions)
        weights = {**_WEIGHTS, **{stage.name: stage.weight for stage in track_models or {}}}
        overall = sum(weights[name] * fractions[name] for name in fractions) / sum(weights.values())
        stages = tuple(
            StageProgress(name, fraction, self._remaining_s(fraction, now_s))
            for name, fraction in {"decode": min(1.0, decode), **fractions}.items()
        )
        expected = max(frames_expected, frames_done)
        stage, message = "faces", f"Looking for faces in frame {frames_done:,} of about {expected:,}."
        if draining:
            stage, message = "scores", f"Scoring face {crops_scored:,} of {crops_cut:,}."
            if scores >= 1.0:
                stage, message = next(
                    ((one.name, one.message) for one, fraction in (track_models or {}).items() if fraction < 1.0),
                    (stage, message),
                )
        self._send(Progress(stage, overall, self._remaining_s(overall, now_s), message, stages))

    def conclude(self) -> None:
        """Report that every stage is done."""
        if self._report is not None:
            stages = tuple(StageProgress(name, 1.0, 0.0) for name in self._stages)
            self._send(Progress("conclusion", 1.0, 0.0, "Drawing the conclusion.", stages))

    def _send(self, progress: Progress) -> None:
        assert self._report is not None
        self._highest = max(self._highest, progress.fraction)
        self._report(Progress(progress.stage, self._highest, progress.remaining_s, progress.message, progress.stages))

    def _remaining_s(self, fraction: float, now_s: float) -> float | None:
        elapsed_s = now_s - self._start_s
        if fraction >= 1.0:
            return 0.0
        if fraction < 0.01 or elapsed_s < WARM_UP_S:
            return None
        return elapsed_s * (1 - fraction) / fraction
