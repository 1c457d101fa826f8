"""An act in a process of its own, which may be killed at a moment, have another clock, or a small disk.

The processes are forked from one that has imported the program, so that most of a trial is the act itself.
"""

from __future__ import annotations

import itertools
import logging
import multiprocessing
import os
import resource
import signal
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from multiprocessing.context import ForkServerContext
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import psutil
import torch  # noqa: F401 - the forked children start with all of it imported

import detector.analysis
import detector.cases.database
import detector.commands.analyze
import detector.commands.cases
import detector.faces
import detector.registry
from detector.cases.anchor import Anchor
from detector.cases.database import Database
from detector.commands.console import complain
from detector.errors import FramewitnessError
from detector.settings import HOME_VARIABLE
from tests.torture.acts import Act
from tests.torture.scene import Scene

LIMIT_S = 120.0
MARK_VARIABLE = "FRAMEWITNESS_TORTURE"
_TOUCHES = {"open", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.chmod", "os.truncate"}


@dataclass(frozen=True, slots=True)
class Moment:
    """When the process kills itself: before it touches the home for the `touch`th time (from 1), or `after_s`."""

    touch: int | None = None
    after_s: float | None = None

    def __str__(self) -> str:
        if self.touch is not None:
            return f"touch {self.touch}"
        return "never" if self.after_s is None else f"{self.after_s:.2f} s"


NEVER = Moment()


@dataclass(frozen=True, slots=True)
class Conditions:
    """`clock_s` is added to the time of day; no file may grow beyond `file_bytes`."""

    clock_s: float = 0.0
    file_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Ending:
    """How an act ended: `status` as of multiprocessing (negative: a signal), what it said by then, and, where it was
    not killed, how long it took and how often it touched the home. `left_running` are processes that outlived it."""

    status: int | None
    said: str
    complained: str
    seconds: float
    touches: int
    left_running: tuple[str, ...] = ()

    @property
    def killed(self) -> bool:
        return self.status == -signal.SIGKILL


class Victim:
    """One act on one home, begun at once; `folder` holds what it says and its temporary files."""

    def __init__(
        self, act: Act, scene: Scene, home: Path, folder: Path, moment: Moment = NEVER, under: Conditions | None = None
    ) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="act-", dir=folder))
        self.mark = self._folder.name
        self._process: BaseProcess = _context().Process(
            target=_child, args=(act, scene, home, self._folder, moment, under or Conditions())
        )
        self._process.start()

    @property
    def running(self) -> bool:
        return self._process.is_alive()

    def worker(self) -> psutil.Process | None:
        """The process that analyses for it, where there is one."""
        return next((one for one in marked(self.mark) if "detector.jobs.worker" in " ".join(one.cmdline())), None)

    def end(self, limit_s: float = LIMIT_S) -> Ending:
        """Wait for the end; one that takes longer is killed, and its status is None."""
        self._process.join(limit_s)
        status = self._process.exitcode
        if status is None:
            self._process.kill()
            self._process.join()
        measured = self._folder / "measured"
        seconds, touches = measured.read_text().split() if measured.exists() else ("0", "0")
        return Ending(
            status,
            (self._folder / "stdout").read_text(errors="replace"),
            (self._folder / "stderr").read_text(errors="replace"),
            float(seconds),
            int(touches),
            outlived(self.mark),
        )


def marked(mark: str) -> list[psutil.Process]:
    """The processes that were started by the act with this mark, and run."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get(MARK_VARIABLE) == mark and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except psutil.Error:
            continue
    return found


def outlived(mark: str, within_s: float = 15.0) -> tuple[str, ...]:
    """The processes with this mark that do not end by themselves; they are ended here."""
    deadline = time.monotonic() + within_s
    while (left := marked(mark)) and time.monotonic() < deadline:
        time.sleep(0.05)
    told = []
    for process in left:
        try:
            told.append(" ".join(process.cmdline())[:120])
            process.kill()
        except psutil.Error:
            continue
    return tuple(told)


def _context() -> ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    return context


def _child(act: Act, scene: Scene, home: Path, folder: Path, moment: Moment, under: Conditions) -> None:
    for number, name in ((1, "stdout"), (2, "stderr")):
        os.dup2(os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_APPEND), number)
    sys.stdout = os.fdopen(1, "w", closefd=False)
    sys.stderr = os.fdopen(2, "w", closefd=False, buffering=1)
    (temporary := folder / "tmp").mkdir()
    tempfile.tempdir = str(temporary)
    os.environ |= {
        HOME_VARIABLE: str(home),
        MARK_VARIABLE: folder.name,
        "TMPDIR": str(temporary),
        "FRAMEWITNESS_WEIGHTS": str(scene.root / "weights"),
        "OMP_NUM_THREADS": "1",
    }
    logging.basicConfig(filename=folder / "log")  # the server's own, in which it may put tracebacks
    _set_clock(under.clock_s)
    if under.file_bytes is not None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (under.file_bytes, under.file_bytes))
    touch, touched = _touching(moment.touch)
    _watch(str(home.parent), str(folder), touch)
    if moment.after_s is not None:
        threading.Timer(moment.after_s, os.kill, (os.getpid(), signal.SIGKILL)).start()
    started = time.monotonic()
    try:
        status = act.run(scene)
    except FramewitnessError as error:  # as a page or the server's start would show it
        complain(error)
        status = error.exit_status
    except BaseException:
        traceback.print_exc()
        status = 99
    seconds = time.monotonic() - started
    sys.stdout.flush()
    (folder / "measured").write_text(f"{seconds} {touched()}")
    os._exit(status)


def _touching(at: int | None) -> tuple[Callable[[], None], Callable[[], int]]:
    counter, counted = itertools.count(1), [0]

    def touch() -> None:
        counted[0] = next(counter)
        if counted[0] == at:
            os.kill(os.getpid(), signal.SIGKILL)

    return touch, lambda: counted[0]


def _watch(root: str, beside: str, touch: Callable[[], None]) -> None:
    """Have `touch` called before every change of the folder tree `root`, before every commit and right after it."""

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event not in _TOUCHES or not isinstance(arguments[0], str | os.PathLike):
            return
        if event == "open" and not (arguments[2] or 0) & (os.O_WRONLY | os.O_RDWR):
            return
        path = os.fspath(arguments[0])
        if isinstance(path, str) and path.startswith(root) and not path.startswith(beside):
            touch()

    write, follow = Database.write, Anchor.follow

    def watched_write(database: Database, change: Callable[[Any], Any]) -> Any:
        def observed(cursor: Any) -> Any:
            outcome = change(cursor)
            touch()
            return outcome

        return write(database, observed)

    def watched_follow(anchor: Anchor, cursor: Any) -> None:
        touch()
        follow(anchor, cursor)

    Database.write = watched_write  # type: ignore[assignment, method-assign]
    Anchor.follow = watched_follow  # type: ignore[method-assign]
    sys.addaudithook(hook)


def _set_clock(shift_s: float) -> None:
    if not shift_s:
        return

    class Shifted(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> datetime:
            return datetime.now(tz) + timedelta(seconds=shift_s)

    detector.cases.database.datetime = Shifted  # type: ignore[attr-defined]
    seconds, nanoseconds = time.time, time.time_ns
    time.time = lambda: seconds() + shift_s
    time.time_ns = lambda: nanoseconds() + int(shift_s * 1e9)
