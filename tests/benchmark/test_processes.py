"""Analyses in processes of their own: a failure in one is told, not waited for; what grows with length is seen."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from detector.benchmark import processes
from detector.benchmark.processes import Task
from detector.benchmark.speed import SpeedReport
from detector.errors import FramewitnessError, ModelNotFoundError
from detector.settings import AnalysisSettings

TASK = Task(Path("clip.mp4"), None, "cpu", AnalysisSettings())


def report(video_s: float, peak_mib: float) -> SpeedReport:
    return SpeedReport("cpu", (), ("one",), video_s, 10, 10, 6.0, 9.0, 1.0, 1.0, 1.0, (), 1.0, peak_mib, None)


def _one_fails(task: Task) -> processes._Done:
    """In another process: the first to come has no models, the other waits for it."""
    try:
        os.mkdir(task.path)
    except FileExistsError:
        processes.wait_for_all()
        raise AssertionError("nobody else came") from None
    with processes.or_nobody_starts():
        raise ModelNotFoundError("There is no model here.")


def _dies(_: Task) -> processes._Done:
    os._exit(9)


def test_processes_that_wait_for_one_that_failed_end_with_its_error(tmp_path: Path) -> None:
    task = Task(tmp_path / "first", None, "cpu", AnalysisSettings())
    with pytest.raises(ModelNotFoundError, match="no model here"):
        processes.in_processes(_one_fails, task, 2)


def test_a_process_that_the_system_ends_is_told_with_what_to_do() -> None:
    with pytest.raises(FramewitnessError, match="Measure fewer at once"):
        processes.in_processes(_dies, TASK, 1)


def test_several_at_once_are_counted_from_the_first_begin_to_the_last_end(monkeypatch: pytest.MonkeyPatch) -> None:
    done = [processes._Done(report(20, 500), 100.0, 108.0), processes._Done(report(20, 700), 101.0, 110.0)]
    monkeypatch.setattr(processes, "in_processes", lambda *_: done)
    found = processes.at_once(TASK, 2)
    assert (found.wall_s, found.throughput, found.peak_sum_mib, found.each_s) == (10.0, 4.0, 1200.0, (6.0, 6.0))


@pytest.mark.parametrize(("peak_mib", "flat"), [(1090.0, True), (1110.0, False)])
def test_memory_that_grows_with_the_length_is_not_flat(
    peak_mib: float, flat: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    peaks_mib = {60.0: 1000.0, 120.0: peak_mib}
    written: list[float] = []
    monkeypatch.setattr(processes, "write_clip", lambda path, seconds: written.append(seconds))
    monkeypatch.setattr(
        processes,
        "in_processes",
        lambda *_: [processes._Done(report(written[-1], peaks_mib[written[-1]]), 0.0, 1.0)],
    )
    found = processes.long_clips(TASK, (120.0, 60.0))
    assert written == [60.0, 120.0]
    assert found.flat is flat
    assert [clip.wall_per_minute_s for clip in found.clips] == [6.0, 3.0]
