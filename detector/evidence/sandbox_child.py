"""The child that reads hostile files: `python -m detector.evidence.sandbox_child`. It answers one call after another.

It ends when its standard input does, and by itself once it has been large, so that memory goes back to the system.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable
from copy import copy
from typing import Any

from detector.errors import EvidenceError, FramewitnessError, OversizedError
from detector.evidence import limits
from detector.evidence.sandbox_wire import receive, send

_LARGE_BYTES = 600_000_000


def main() -> None:
    """Confine this process, then serve calls until the other side is gone."""
    outbox = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    # Whatever a library prints must not mix with the answers.
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    send(outbox, limits.confine())
    while True:
        try:
            function, arguments, named, seconds, folder = receive(sys.stdin.buffer, trusted=True)
        except EOFError:
            return
        # The caller ends this process when the time is up; this holds where the caller itself has died.
        limits.limit_seconds(seconds * limits.usable_cores())
        value, problem = _attempt(function, arguments, named, folder)
        # What failed in a way that nobody foresaw may have left anything behind.
        leaves = bool(problem) or limits.largest_resident_bytes() > _LARGE_BYTES
        try:
            send(outbox, (value, problem, leaves))
        except MemoryError:
            send(outbox, (_too_large(), "", True))
            return
        if leaves:
            return


def _attempt(
    function: Callable[..., Any], arguments: tuple[Any, ...], named: dict[str, Any], folder: str
) -> tuple[Any, str]:
    """(the function's value in that working folder, or the error to raise; the traceback of what was not foreseen)."""
    try:
        os.chdir(folder)
        return function(*arguments, **named), ""
    except FramewitnessError as error:
        return copy(error), ""  # without the traceback, which would keep the pictures that it was reading
    except MemoryError:
        return _too_large(), traceback.format_exc()
    except Exception as error:
        said = EvidenceError(
            f"Expected a file that can be read, found one at which its decoder failed ({type(error).__name__}). The "
            "file is damaged or made to do harm; obtain another copy."
        )
        return said, traceback.format_exc()


def _too_large() -> OversizedError:
    return OversizedError(
        f"Expected a file that can be read in {limits.MEMORY_BYTES / 1e9:.1f} GB of memory, found one that needs more. "
        "Scale a copy for examination, and keep the original."
    )


if __name__ == "__main__":
    main()
