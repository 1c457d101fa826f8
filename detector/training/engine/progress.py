"""The progress of long work, and the time it has left.

Lines go through `logging`, so that a library call says nothing; commands show them on standard error (`shown`).
"""

from __future__ import annotations

import contextlib
import logging
import sys
import time
from collections.abc import Collection, Iterator
from typing import Final, TypeVar

log: Final = logging.getLogger("detector.training")
_EVERY_S = 20.0
Item = TypeVar("Item")


class Progress:
    """One piece of work, told of at most every 20 seconds; call it as `progress(done, total)` when a part is done."""

    def __init__(self, what: str) -> None:
        self._what, self._started, self._told = what, time.monotonic(), time.monotonic()

    def __call__(self, done: int, total: int, *_: object) -> None:
        """Tell that `done` of `total` parts are done, unless it was told just now."""
        now = time.monotonic()
        if now - self._told >= _EVERY_S:
            self._told = now
            left_s = (now - self._started) / max(1, done) * (total - done)
            log.info("%s: %d of %d, about %s left", self._what, done, total, duration(left_s))


def tracked(items: Collection[Item], what: str) -> Iterator[Item]:
    """The items, with the progress of whatever is done with each."""
    if items:
        log.info("%s: %d to do", what, len(items))
    progress = Progress(what)
    for done, item in enumerate(items, start=1):
        yield item
        progress(done, len(items))


def duration(seconds: float) -> str:
    """Seconds in words: "40 s", "12 min", "3 h 5 min"."""
    if seconds < 90:
        return f"{max(0.0, seconds):.0f} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"


@contextlib.contextmanager
def shown() -> Iterator[None]:
    """Show progress on standard error while this lasts."""
    handler = logging.StreamHandler(sys.stderr)
    before = log.level, log.propagate
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    log.propagate = False  # libraries may have given the root a handler too
    try:
        yield
    finally:
        log.removeHandler(handler)
        log.level, log.propagate = before
