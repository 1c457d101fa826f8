"""The child that reads hostile files: `python -m detector.evidence.sandbox_child`. It answers one call after another.

It ends when its standard input does, and by itself once it has been large, so that memory goes back to the system.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from copy import copy
from typing import IO, Any

from detector.errors import EvidenceError, FramewitnessError, OversizedError, describe_fault
from detector.evidence import limits
from detector.evidence.sandbox_wire import Request, receive, send

_LARGE_BYTES = 600_000_000


def main() -> None:
    """Confine this process, then serve calls until the other side is gone."""
    outbox = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    # Whatever a library prints must not mix with the answers.
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    send(outbox, limits.confine())
    while True:
        try:
            request: Request = receive(sys.stdin.buffer, trusted=True)
        except EOFError:
            return
        if not _serve(request, outbox):
            return


def _serve(request: Request, outbox: IO[bytes]) -> bool:
    """Answer one request; False where this process has to end."""
    # The caller ends this process when the time is up; this holds where the caller itself has died.
    seconds = request.seconds * limits.usable_cores()
    limits.limit_seconds(seconds)
    for value, problem, more in _answers(request):
        # What failed in a way that nobody foresaw may have left anything behind.
        leaves = not more and (bool(problem) or limits.largest_resident_bytes() > _LARGE_BYTES)
        try:
            send(outbox, (value, problem, leaves, more))
        except MemoryError:
            send(outbox, (_too_large(), "", True, False))
            return False
        if leaves:
            return False
        limits.limit_seconds(seconds)
    return True


def _answers(request: Request) -> Iterator[tuple[Any, str, bool]]:
    """(a value or the error to raise; what was not foreseen, in one line; whether more follow), in that folder."""
    try:
        os.chdir(request.folder)
        value = request.function(*request.arguments, **request.named)
        if request.streams:
            for item in value:
                yield item, "", True
            value = None
        problem = ""
    except FramewitnessError as error:
        value = copy(error)  # without the traceback, which would keep the pictures that it was reading
        problem = ""
    except MemoryError as error:
        value, problem = _too_large(), describe_fault(error)
    except Exception as error:
        value = EvidenceError(
            f"Expected a file that can be read, found one at which its decoder failed ({type(error).__name__}). The "
            "file is damaged or made to do harm; obtain another copy."
        )
        problem = describe_fault(error)
    yield value, problem, False


def _too_large() -> OversizedError:
    return OversizedError(
        f"Expected a file that can be read in {limits.MEMORY_BYTES / 1e9:.1f} GB of memory, found one that needs more. "
        "Scale a copy for examination, and keep the original."
    )


if __name__ == "__main__":
    main()
