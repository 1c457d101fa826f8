"""Analyses in processes of their own: several at once, and long files whose peak of memory is nobody else's."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Barrier, BrokenBarrierError
from typing import TYPE_CHECKING, Final

from detector.benchmark.clip import write_clip
from detector.benchmark.speed import SpeedReport, bench
from detector.errors import FramewitnessError
from detector.settings import AnalysisSettings

if TYPE_CHECKING:
    from detector.evidence.types import Evidence
    from detector.registry import LoadedModel

LENGTHS_S: Final = (60, 600, 3600)
MEMORY_TOLERANCE: Final = 0.10
_WARM_UP_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class Task:
    """A file to analyse in another process: by `model_ids`, None for the default set, on `device`."""

    path: Path
    model_ids: tuple[str, ...] | None
    device: str
    settings: AnalysisSettings


@dataclass(frozen=True, slots=True)
class AtOnce:
    """`count` analyses of the same clip, each in a process of its own, begun together once all had loaded.

    `wall_s` from the first begin to the last end, `throughput` seconds of video a second of all together;
    `peak_sum_mib` the sum of the processes' own peaks with those of their children.
    """

    count: int
    wall_s: float
    throughput: float
    each_s: tuple[float, ...]
    peak_sum_mib: float


@dataclass(frozen=True, slots=True)
class LongClip:
    """One clip in a process of its own. `wall_per_minute_s` and `cpu_per_minute_s` are a minute of video, `per_frame_s`
    a frame examined; `peak_mib` with child processes."""

    video_s: float
    frames_examined: int
    faces_scored: int
    wall_s: float
    wall_per_minute_s: float
    cpu_per_minute_s: float
    per_frame_s: float
    peak_mib: float


@dataclass(frozen=True, slots=True)
class LongReport:
    """`growth` is by how much the peak of memory of the hungriest longer clip exceeds the first one's, as a share."""

    clips: tuple[LongClip, ...]
    growth: float

    @property
    def flat(self) -> bool:
        """Whether memory grows by no more than is allowed."""
        return self.growth <= MEMORY_TOLERANCE


@dataclass(frozen=True, slots=True)
class _Done:
    report: SpeedReport
    began_s: float
    ended_s: float


def loaded(task: Task) -> tuple[LoadedModel, ...]:
    """The task's models. Raises ModelError."""
    from detector.registry import default_model_ids, load_set

    return load_set(task.model_ids or default_model_ids(), task.device)


def warm_up(models: Sequence[LoadedModel], settings: AnalysisSettings, folder: Path) -> None:
    """Analyse a second of the usual clip, so that libraries are imported and kernels chosen."""
    from detector.analysis import analyze

    clip = folder / "warm-up.mp4"
    write_clip(clip, _WARM_UP_S)
    analyze(stored(clip, folder), models, settings)


def stored(path: Path, folder: Path) -> Evidence:
    """A file as evidence, below `folder`. Raises EvidenceError."""
    from detector.evidence import examine, ingest

    return examine(ingest(path, folder / "evidence"))


def at_once(task: Task, count: int) -> AtOnce:
    """Analyse the task's file in `count` processes. Raises what an analysis raises, and FramewitnessError where a
    process dies."""
    done = in_processes(_analyse, task, count)
    began_s, ended_s = min(one.began_s for one in done), max(one.ended_s for one in done)
    return AtOnce(
        count=count,
        wall_s=ended_s - began_s,
        throughput=sum(one.report.video_s for one in done) / (ended_s - began_s),
        each_s=tuple(one.report.total_s for one in done),
        peak_sum_mib=sum(one.report.peak_with_children_mib for one in done),
    )


def long_clips(task: Task, lengths_s: Sequence[float] = LENGTHS_S) -> LongReport:
    """Analyse the usual clip at each length in place of the task's file, the shortest first. Raises as `at_once`."""
    clips = []
    for seconds in sorted(lengths_s):
        with TemporaryDirectory(prefix="framewitness-") as folder:
            path = Path(folder) / "clip.mp4"
            write_clip(path, seconds)
            (done,) = in_processes(_analyse, replace(task, path=path), 1)
        report, minutes = done.report, done.report.video_s / 60
        clips.append(
            LongClip(
                video_s=report.video_s,
                frames_examined=report.frames_examined,
                faces_scored=report.faces_scored,
                wall_s=report.total_s,
                wall_per_minute_s=report.total_s / minutes,
                cpu_per_minute_s=report.cpu_s / minutes,
                per_frame_s=report.total_s / max(1, report.frames_examined),
                peak_mib=report.peak_with_children_mib,
            )
        )
    return LongReport(tuple(clips), max(clip.peak_mib for clip in clips) / clips[0].peak_mib - 1)


def in_processes(work: Callable[[Task], _Done], task: Task, count: int) -> list[_Done]:
    """What `work` gives in `count` new processes. Raises what it raises first, and FramewitnessError where the system
    ends a process."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(count, context, _join, (context.Barrier(count),)) as pool:
        futures = [pool.submit(work, task) for _ in range(count)]
        errors = [error for future in futures if (error := future.exception()) is not None]
    if not errors:
        return [future.result() for future in futures]
    # Those that waited for a process that failed only say that it never came.
    cause = next((error for error in errors if not isinstance(error, BrokenBarrierError)), errors[0])
    if isinstance(cause, BrokenProcessPool):
        raise FramewitnessError(
            f"One of {count} processes was ended by the system before its analysis was done, as a rule because memory "
            "ran out. Measure fewer at once, or close other programs."
        ) from cause
    raise cause


_barriers: list[Barrier] = []  # of this process, if it is one of several


def _join(together: Barrier) -> None:
    _barriers.append(together)


def wait_for_all() -> None:
    """Block until every process of the group is here. Raises BrokenBarrierError where one failed before."""
    _barriers[0].wait()


@contextmanager
def or_nobody_starts() -> Iterator[None]:
    """What fails in the block keeps the other processes from waiting for this one."""
    try:
        yield
    except BaseException:
        _barriers[0].abort()
        raise


def _analyse(task: Task) -> _Done:
    """A process's part: load, wait for the others, analyse."""
    with TemporaryDirectory(prefix="framewitness-") as name:
        with or_nobody_starts():
            folder = Path(name)
            models, evidence = loaded(task), stored(task.path, folder)
            warm_up(models, task.settings, folder)
        wait_for_all()
        began_s = time.time()
        report = bench(evidence, models, task.settings, bounds=False)
        return _Done(report, began_s, time.time())
