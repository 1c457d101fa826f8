"""Small runners for a worker under test. What each does follows from the content of the file it is given."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from detector.analysis.types import Analysis
from detector.errors import CancelledError, TruncatedFileError
from detector.jobs import Task
from detector.jobs.protocol import ProgressLike
from tests.cases.records import make_analysis, make_evidence


@dataclass(frozen=True)
class Step:
    fraction: float
    stage: str = "faces"
    remaining_s: float | None = 1.5
    message: str = "Step."


def gate(home: Path, name: str) -> Path:
    return home / f"gate-{name}"


def open_gate(home: Path, name: str) -> None:
    """Let every job `gate NAME` under this home come to its end."""
    gate(home, name).touch()


class Scripted:
    """The file's text is a command: `quick`, `gate NAME` (work until `open_gate` is called, or cancelled), `deaf`,
    `truncated`, `fault`, `memory`, `print`, `alters` (its own file, at the end)."""

    def __init__(self) -> None:
        self.served = 0

    def __call__(self, task: Task, report: Callable[[ProgressLike], None], cancelled: Callable[[], bool]) -> Analysis:
        self.served += 1
        content = task.file.path.read_bytes()
        word, *rest = content.decode().split()
        report(Step(0.0, stage=f"served {self.served}"))
        if word == "gate":
            home, steps = task.file.path.parents[2], 0
            while not gate(home, rest[0]).exists():
                steps += 1
                report(Step(steps / (steps + 50)))
                if cancelled():
                    raise CancelledError("Stopped.")
                time.sleep(0.02)
        elif word == "deaf":
            time.sleep(600)
        elif word == "truncated":
            raise TruncatedFileError("Expected a whole file, found half of one. Copy it again.")
        elif word == "fault":
            raise KeyError("secret detail")
        elif word == "memory":
            raise MemoryError
        elif word == "print":
            print("a stray line", flush=True)
        analysis = make_analysis(make_evidence(task.file.path.parents[1], content, task.file.file_name))
        if word == "alters":
            task.file.path.write_bytes(b"ALTERS")
        return analysis


class Unmakeable:
    def __init__(self) -> None:
        import os

        os._exit(3)
