"""Evidence is hostile: what reads it on behalf of a page or a command runs in a child process with limits.

A few children are kept warm, so that a call costs a message and not a start. A child that hangs, crashes or is killed
is one error for the caller whose file it read, and is replaced.
"""

from __future__ import annotations

import atexit
import logging
import os
import pickle  # nosec B403
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import detector
from detector.errors import EvidenceError
from detector.evidence.limits import Limits, usable_cores
from detector.evidence.sandbox_wire import receive, send
from detector.evidence.types import Evidence, StoredFile

P = ParamSpec("P")
R = TypeVar("R")

_BASE_S = 60.0
# What is small on disk must be quick; a long recording may take as long as a slow disk does.
_BYTES_A_SECOND = 10_000_000
_KEPT_WARM = 2

_log = logging.getLogger(__name__)


def contained(function: Callable[P, R]) -> Callable[P, R]:
    """`function` of a StoredFile or an Evidence (given by position), run in a child process with limits.

    Raises what `function` raises if it is a FramewitnessError; `OversizedError` where the memory does not suffice, and
    `EvidenceError` for everything else that goes wrong with the file: a time beyond a minute and 0.1 s a megabyte, an
    unforeseen error, a child that dies.
    """

    @wraps(function)
    def call(*arguments: P.args, **named: P.kwargs) -> R:
        files = [one.file if isinstance(one, Evidence) else one for one in arguments]
        size_bytes = max((file.size_bytes for file in files if isinstance(file, StoredFile)), default=0)
        value: R = _POOL.call(function, arguments, named, _BASE_S + size_bytes / _BYTES_A_SECOND)
        return value

    return call


def warm_up() -> Limits:
    """Start a child if there is none, and say which limits the system lets it have.

    Raises EvidenceError where none starts.
    """
    return _POOL.limits()


class _Child:
    def __init__(self) -> None:
        root = str(Path(detector.__file__).resolve().parents[1])
        paths = [root, *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
        pools = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "detector.evidence.sandbox_child"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            # A new arena for each of the decoder's threads would use up the address space.
            env={**os.environ, "PYTHONPATH": os.pathsep.join(paths), **pools, "MALLOC_ARENA_MAX": "2"},
            start_new_session=True,  # Ctrl-C in the terminal is for the caller
        )
        self._limits: Limits | None = None
        self._overdue = self.leaves = False

    @property
    def alive(self) -> bool:
        return not self.leaves and self._process.poll() is None

    def limits(self) -> Limits:
        """Waits until the child is ready. Raises EvidenceError where it does not start."""
        if self._limits is None:
            assert self._process.stdout is not None
            try:
                self._limits = receive(self._process.stdout, trusted=False)
            except (EOFError, OSError, pickle.UnpicklingError) as error:
                raise self._failure(_BASE_S) from error
        return self._limits

    def call(self, function: Callable[..., Any], arguments: Any, named: Any, seconds: float) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self.limits()
        timer = threading.Timer(seconds, self._end_overdue)
        timer.daemon = True
        timer.start()
        try:
            send(self._process.stdin, (function, arguments, named, seconds, _working_folder()))
            value, problem, self.leaves = receive(self._process.stdout, trusted=False)
        except (EOFError, OSError, pickle.UnpicklingError) as error:
            raise self._failure(seconds) from error
        finally:
            timer.cancel()
        if problem:
            _log.warning("A contained decoder failed:\n%s", problem)
        if isinstance(value, BaseException):
            raise value
        return value

    def close(self) -> None:
        """End the child; safe to call twice."""
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                with suppress(OSError):
                    stream.close()

    def _end_overdue(self) -> None:
        self._overdue = True
        self._process.kill()

    def _failure(self, seconds: float) -> EvidenceError:
        self.close()
        self.leaves = True
        if self._overdue:
            return EvidenceError(
                f"Expected a file of this size to be read within {seconds:.0f} s, found one that takes longer. It is "
                "damaged or made to do harm; convert a copy, note that, and keep the original."
            )
        status = self._process.returncode
        name = signal.Signals(-status).name if -status in set(signal.Signals) else f"status {status}"
        return EvidenceError(
            f"Expected a file that can be read, found one at which the process that decodes it ended ({name}). The "
            "file is damaged or made to do harm, or the machine ran out of memory; try again, or obtain another copy."
        )


def _working_folder() -> str:
    """This process's, since a path may be relative and a warm child may have started elsewhere; the root where it was
    removed."""
    try:
        return os.getcwd()
    except OSError:
        return os.sep


class _Pool:
    """Children in use and children that wait; the last one used is used next, since it knows the file's times."""

    def __init__(self) -> None:
        self._idle: list[_Child] = []
        self._changing = threading.Lock()
        self._slots = threading.BoundedSemaphore(max(2, usable_cores()))

    def call(self, function: Callable[..., Any], arguments: Any, named: Any, seconds: float) -> Any:
        with self._borrowed() as child:
            return child.call(function, arguments, named, seconds)

    def limits(self) -> Limits:
        with self._borrowed() as child:
            return child.limits()

    @contextmanager
    def _borrowed(self) -> Iterator[_Child]:
        """A child to itself. Whatever interrupts its use (Ctrl-C too) leaves an answer in the pipe: that one serves no
        other, but after an error that it answered with it does."""
        with self._slots:
            child, kept = self._take(), False
            try:
                yield child
                kept = True
            except EvidenceError:
                kept = child.alive
                raise
            finally:
                self._give_back(child, kept=kept)

    def forget(self) -> None:
        """In a forked process: the children are the parent's."""
        self.__init__()  # type: ignore[misc]

    def close(self) -> None:
        """End all children that wait."""
        with self._changing:
            closing, self._idle = self._idle, []
        for child in closing:
            child.close()

    def _take(self) -> _Child:
        with self._changing:
            while self._idle:
                child = self._idle.pop()
                if child.alive:
                    return child
                child.close()
        return _Child()

    def _give_back(self, child: _Child, *, kept: bool) -> None:
        with self._changing:
            if kept and child.alive and len(self._idle) < _KEPT_WARM:
                self._idle.append(child)
                return
        child.close()


_POOL = _Pool()
atexit.register(_POOL.close)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_POOL.forget)
