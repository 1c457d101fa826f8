"""Progress of a long command on standard error: one line rewritten on a terminal, a line every tenth otherwise."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from detector.analysis import Progress


class Meter:
    """A context manager; `name` must be printable (`console.plain`)."""

    def __init__(self, name: str, quiet: bool) -> None:
        self._name, self._quiet = name, quiet
        self._terminal = sys.stderr.isatty()
        self._shown = -1

    def __enter__(self) -> Meter:
        return self

    def __exit__(self, *_: object) -> None:
        if self._terminal and self._shown >= 0:
            print(file=sys.stderr)

    def show(self, progress: Progress) -> None:
        """Show how far the work is."""
        tenth = int(progress.fraction * 10)
        if self._quiet or (not self._terminal and tenth == self._shown):
            return
        self._shown = tenth
        left = "" if not progress.remaining_s else f", about {progress.remaining_s:.0f} s left"
        line = f"{self._name}: {progress.fraction:4.0%} {progress.stage}{left}. {progress.message}"
        print(
            f"\r\x1b[K{line}" if self._terminal else line,
            end="" if self._terminal else "\n",
            file=sys.stderr,
            flush=True,
        )
