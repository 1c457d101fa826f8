"""One hostile file on trial: all that the program does with a file before and beside its models, in a child process
with limits of time and memory."""

from __future__ import annotations

import multiprocessing
import os
import resource
import socket
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from multiprocessing.connection import Connection
from pathlib import Path

from detector.errors import FramewitnessError
from detector.evidence import FrameReader, ingest
from detector.evidence.audio import read_sound
from detector.evidence.examine import examine
from detector.evidence.forensics import examination  # the forked children start with all of it imported
from detector.evidence.limits import MEMORY_BYTES
from detector.evidence.seek import frame_at

Work = Callable[[Path, Path], None]
_MB = 1 << 20


@dataclass(frozen=True, slots=True)
class Limits:
    """What one file may cost: seconds of the clock, and MB of address space beyond what the program itself takes."""

    seconds: float = 60.0
    memory_mb: int = MEMORY_BYTES // _MB


@dataclass(frozen=True, slots=True)
class Outcome:
    """`verdict` is “examined”, “refused”, or what must not happen: “traceback”, “died”, “too slow”, “connected”.

    `fault` is what two trials have in common that stumble over the same thing: the error's code or type, and where it
    arose; `detail` what is needed to find it; `peak_mb` the child's resident memory at its highest, 0 where it died.
    """

    verdict: str
    fault: str
    seconds: float
    peak_mb: float
    detail: str = ""

    @property
    def sound(self) -> bool:
        return self.verdict in ("examined", "refused")


def examine_wholly(path: Path, folder: Path) -> None:
    """What intake, pages and an analysis read of a file; not in the program's own child process, which would make a
    refusal of every fault."""
    stored = ingest(path, folder)
    evidence = examine(stored)
    with FrameReader(evidence, frames_per_second=4, max_frames=8, with_before=True) as reader:
        times = [frame.pts for frame in reader]
    if times:
        frame_at(evidence, times[-1])
    read_sound(evidence, end_s=10)
    examination.examine(stored.path, evidence)


def try_file(path: Path, limits: Limits | None = None, work: Work = examine_wholly) -> Outcome:
    """Do `work` on a file and in a folder of its own, in a child that is killed at the limits."""
    limits = limits or Limits()
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    receiver, sender = context.Pipe(duplex=False)
    with tempfile.TemporaryDirectory(prefix="framewitness-fuzz-") as folder:
        child = context.Process(target=_child, args=(path, Path(folder), limits, work, sender))
        started = time.monotonic()
        child.start()
        sender.close()
        try:
            told = receiver.recv() if receiver.poll(limits.seconds) else None
        except EOFError:  # it died without a word
            told = None
        seconds = time.monotonic() - started
        if told is None:
            child.join(0.2)
            slow = child.is_alive()
            child.kill()
        child.join()
        receiver.close()
    if told is not None:
        return Outcome(**told)
    if slow:
        return Outcome("too slow", f"no answer within {limits.seconds:.0f} s", seconds, 0.0)
    return Outcome("died", f"exit status {child.exitcode}", seconds, 0.0)


def _child(path: Path, folder: Path, limits: Limits, work: Work, sender: Connection) -> None:
    calls: list[str] = []
    sys.addaudithook(lambda event, args: calls.append(event) if event in _CALLS else None)
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 1)
    os.dup2(silence, 2)
    pages = int(Path("/proc/self/statm").read_text().split()[0]) if os.path.exists("/proc/self/statm") else 0
    bound = pages * os.sysconf("SC_PAGE_SIZE") + limits.memory_mb * _MB
    resource.setrlimit(resource.RLIMIT_AS, (bound, bound))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    started = time.monotonic()
    try:
        work(path, folder)
        verdict, fault, detail = "examined", "", ""
    except FramewitnessError as error:
        verdict, fault, detail = "refused", error.code, ""
    except MemoryError:  # as the program's own child process has it
        verdict, fault, detail = "refused", "out of memory", ""
    except BaseException as error:
        # The innermost place in the project: frames of compiled modules have relative names.
        frames = [one for one in traceback.extract_tb(error.__traceback__) if Path(one.filename).is_absolute()]
        place = [one for one in frames if "site-packages" not in one.filename][-1]
        fault = f"{type(error).__name__} in {Path(place.filename).name}, {place.name}"
        verdict, detail = "traceback", traceback.format_exc(limit=-12)
    if calls:
        verdict, fault = "connected", ", ".join(dict.fromkeys(calls))
    peaks = [resource.getrusage(who).ru_maxrss / 1024 for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    sender.send(asdict(Outcome(verdict, fault, time.monotonic() - started, max(peaks), detail)))


_CALLS = {"socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto", "urllib.Request"}


@contextmanager
def trap() -> Iterator[tuple[str, Callable[[], bool]]]:
    """A local address that nobody should call, and whether somebody did: what libraries in C do, no hook sees."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)

        def sprung() -> bool:
            try:
                server.accept()[0].close()
            except BlockingIOError:
                return False
            return True

        yield f"http://127.0.0.1:{server.getsockname()[1]:05d}/evidence.mp4", sprung
