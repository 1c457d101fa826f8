"""The worker processes of this one, told from the other children that a process may have."""

from __future__ import annotations

import psutil


def worker_processes() -> list[psutil.Process]:
    """The children that serve jobs; readers of files, kept warm by other tests, are none."""
    return [child for child in psutil.Process().children() if "detector.jobs.worker" in " ".join(_words_of(child))]


def _words_of(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.NoSuchProcess:  # it ended, and whoever started it has not asked yet
        return []
