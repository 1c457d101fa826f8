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
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import detector
from detector.errors import CancelledError, EvidenceError, FramewitnessError, OversizedError
from detector.evidence.limits import Limits, usable_cores
from detector.evidence.sandbox_wire import Request, receive, send
from detector.evidence.types import Evidence, StoredFile

P = ParamSpec("P")
R = TypeVar("R")

_BASE_S = 60.0
# What is small on disk must be quick; a long recording may take as long as a slow disk does.
_BYTES_A_SECOND = 10_000_000
_KEPT_WARM = 2
_POLL_S = 0.05

_log = logging.getLogger(__name__)


def contained(function: Callable[P, R], *, cancelled: Callable[[], bool] | None = None) -> Callable[P, R]:
    """`function` of a StoredFile or an Evidence (given by position), run in a child process with limits.

    Raises what `function` raises if it is a FramewitnessError; `OversizedError` where the memory does not suffice, and
    `EvidenceError` for everything else that goes wrong with the file: a time beyond a minute and 0.1 s a megabyte, an
    unforeseen error, a child that dies; CancelledError soon after `cancelled()` turns true, asked from a thread.
    """

    @wraps(function)
    def call(*arguments: P.args, **named: P.kwargs) -> R:
        request = Request(function, arguments, named, _allowed_s(arguments), _working_folder(), streams=False)
        value: R = _POOL.call(request, cancelled)
        return value

    return call


def streamed(function: Callable[P, Iterator[R]]) -> Callable[P, Stream[R]]:
    """`function` as in `contained`, what it yields handed over as it comes. The limit of time holds for each item, so
    that a function whose work may take long yields now and then."""

    @wraps(function)
    def call(*arguments: P.args, **named: P.kwargs) -> Stream[R]:
        request = Request(function, arguments, named, _allowed_s(arguments), _working_folder(), streams=True)
        return Stream(_POOL, request)

    return call


def _allowed_s(arguments: tuple[object, ...]) -> float:
    files = [one.file if isinstance(one, Evidence) else one for one in arguments]
    size_bytes = max((file.size_bytes for file in files if isinstance(file, StoredFile)), default=0)
    return _BASE_S + size_bytes / _BYTES_A_SECOND


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
        self._overdue = self._cancelled = self.leaves = False

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

    def begin(self, request: Request) -> None:
        """Hand over a request. Raises EvidenceError where the child is gone."""
        assert self._process.stdin is not None
        self.limits()
        try:
            send(self._process.stdin, request)
        except OSError as error:
            raise self._failure(request.seconds) from error

    def answer(self, seconds: float, cancelled: Callable[[], bool] | None = None) -> tuple[Any, bool]:
        """(the value of the call or the next one of its stream, whether more follow). Raises as `contained`."""
        assert self._process.stdout is not None
        done = threading.Event()
        threading.Thread(target=self._watch, args=(done, seconds, cancelled), daemon=True).start()
        try:
            value, problem, self.leaves, more = receive(self._process.stdout, trusted=False)
        except (EOFError, OSError, ValueError, pickle.UnpicklingError) as error:
            raise self._failure(seconds) from error
        finally:
            done.set()
        if problem and not isinstance(value, OversizedError):
            _log.warning("In the process that reads files: %s", problem)
        if isinstance(value, BaseException):
            raise value
        return value, more

    def close(self) -> None:
        """End the child; safe to call twice."""
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                with suppress(OSError):
                    stream.close()

    def _watch(self, done: threading.Event, seconds: float, cancelled: Callable[[], bool] | None) -> None:
        end_s = time.monotonic() + seconds
        while not done.wait(seconds if cancelled is None else _POLL_S):
            self._overdue = time.monotonic() >= end_s
            self._cancelled = cancelled is not None and cancelled()
            if self._overdue or self._cancelled:
                self._process.kill()
                return

    def _failure(self, seconds: float) -> FramewitnessError:
        self.close()
        self.leaves = True
        if self._cancelled:
            return CancelledError("The analysis was cancelled before it finished; nothing was recorded.")
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

    def call(self, request: Request, cancelled: Callable[[], bool] | None) -> Any:
        with self._borrowed() as child:
            child.begin(request)
            return child.answer(request.seconds, cancelled)[0]

    def limits(self) -> Limits:
        with self._borrowed() as child:
            return child.limits()

    @contextmanager
    def _borrowed(self) -> Iterator[_Child]:
        """A child to itself. Whatever interrupts its use (Ctrl-C too) leaves an answer in the pipe: that one serves no
        other, but after an error that it answered with it does."""
        with self._slots:
            child, kept = self.take(), False
            try:
                yield child
                kept = True
            except EvidenceError:
                kept = child.alive
                raise
            finally:
                self.give_back(child, kept=kept)

    def forget(self) -> None:
        """In a forked process: the children are the parent's."""
        self.__init__()  # type: ignore[misc]

    def close(self) -> None:
        """End all children that wait."""
        with self._changing:
            closing, self._idle = self._idle, []
        for child in closing:
            child.close()

    def take(self) -> _Child:
        """One that waits, or a new one."""
        with self._changing:
            while self._idle:
                child = self._idle.pop()
                if child.alive:
                    return child
                child.close()
        return _Child()

    def give_back(self, child: _Child, *, kept: bool) -> None:
        """Let it wait for the next call if `kept`, and end it otherwise."""
        with self._changing:
            if kept and child.alive and len(self._idle) < _KEPT_WARM:
                self._idle.append(child)
                return
        child.close()


class Stream(Iterator[R]):
    """What a function in a child yields. The child is busy with it from the first item until the last, or `close`."""

    def __init__(self, pool: _Pool, request: Request) -> None:
        self._pool, self._request = pool, request
        self._child: _Child | None = None
        self._ended = False
        self._changing = threading.Lock()

    def __next__(self) -> R:
        with self._changing:
            if self._ended:
                raise StopIteration
            begins = self._child is None
            child = self._child = self._child or self._pool.take()
        try:
            if begins:
                child.begin(self._request)
            value, more = child.answer(self._request.seconds)
        except BaseException as error:
            closed = self._ended
            self._end(kept=isinstance(error, EvidenceError) and child.alive)
            if closed:
                raise StopIteration from None
            raise
        if not more:
            self._end(kept=True)
            raise StopIteration
        item: R = value
        return item

    def close(self) -> None:
        """End it, from whatever thread; safe to call twice. A thread that waits for an item gets no more."""
        self._end(kept=False)

    def __del__(self) -> None:
        self.close()

    def _end(self, *, kept: bool) -> None:
        with self._changing:
            ended, self._ended = self._ended, True  # before the child is: a thread that waits for it looks here why
            if not ended and self._child is not None:
                self._pool.give_back(self._child, kept=kept)


_POOL = _Pool()
atexit.register(_POOL.close)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_POOL.forget)
