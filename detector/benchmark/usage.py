"""What a process spends: seconds of processor, by thread and by child process, and memory."""

from __future__ import annotations

import os
import resource
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType

import psutil

_POLL_S = 0.2


@dataclass(frozen=True, slots=True)
class Cost:
    """`wall_s` seconds that passed, `cpu_s` seconds of all cores together, child processes included."""

    wall_s: float
    cpu_s: float


def measured(work: Callable[[], object]) -> Cost:
    """What calling `work` costs this process and its children."""
    children_s = children_cpu_seconds()
    cpu_s, start_s = time.process_time(), time.perf_counter()
    work()
    wall_s, cpu_s = time.perf_counter() - start_s, time.process_time() - cpu_s
    return Cost(wall_s, cpu_s + children_cpu_seconds() - children_s)


def cores() -> int:
    """Processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def children_cpu_seconds() -> float:
    """Seconds of processor of all child processes so far."""
    ended = os.times()
    return ended.children_user + ended.children_system + sum(map(_spent, psutil.Process().children(recursive=True)))


def peak_rss_mib() -> float:
    """The largest resident set of this process so far, in MiB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1 << 20 if sys.platform == "darwin" else 1 << 10)


def _spent(process: psutil.Process) -> float:
    """Its seconds so far, with those of its own children that ended; 0 once it is gone."""
    try:
        times = process.cpu_times()
    except psutil.Error:
        return 0.0
    return float(times.user + times.system + times.children_user + times.children_system)


def _resident_bytes(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.Error:
        return 0


class ThreadMeter:
    """Within the block, `cpu_s` gathers the seconds of processor of each thread that Python started, by its name.

    Threads are looked at five times a second: of one that ends, what it did since the last look is missed. Threads
    of libraries (a network's, a decoder's) have no name and are left out; so is what they do for a named one.
    `peak_mib` is the largest sum of the resident sets of the process and its children that was seen, in MiB: pages that
    they share count in each. `own_s` is what the looking itself cost.
    """

    def __init__(self) -> None:
        self.cpu_s: dict[str, float] = {}
        self.peak_mib = self.own_s = 0.0
        self._process = psutil.Process()
        self._before: dict[int, float] = {}
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="thread meter", daemon=True)

    def __enter__(self) -> ThreadMeter:
        self._before = self._threads()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()
        self._look()

    def _watch(self) -> None:
        while not self._ended.wait(_POLL_S):
            self._look()
        self.own_s = time.thread_time()

    def _look(self) -> None:
        names = {thread.native_id: thread.name for thread in threading.enumerate()}
        for number, seconds in self._threads().items():
            if number in names:
                self.cpu_s[names[number]] = seconds - self._before.get(number, 0.0)
        resident = _resident_bytes(self._process) + sum(map(_resident_bytes, self._process.children(recursive=True)))
        self.peak_mib = max(self.peak_mib, resident / (1 << 20))

    def _threads(self) -> dict[int, float]:
        try:
            return {one.id: one.user_time + one.system_time for one in self._process.threads()}
        except psutil.AccessDenied:  # macOS tells an unprivileged process nothing of its threads
            return {}
