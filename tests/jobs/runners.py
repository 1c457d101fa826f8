"""Small runners for a worker under test. What each does follows from the content of the file it is given."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from detector.analysis.types import Analysis
from detector.cases import CaseStore, MadeExport
from detector.cases.codec import file_sha256
from detector.cases.export_forms import LoggedExport
from detector.errors import CancelledError, StoreError, TruncatedFileError
from detector.jobs import Task
from detector.jobs.protocol import ExportTask, ProgressLike
from detector.jobs.spool import write_made
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


class ScriptedMaker:
    """The case's title is a command: `quick`, `gate NAME`, `deaf`, `refused`, `fault`."""

    def __call__(
        self, task: ExportTask, folder: Path, report: Callable[[ProgressLike], None], cancelled: Callable[[], bool]
    ) -> None:
        with CaseStore.open_copy(task.home, task.copy, actor=task.author) as store:
            word, *rest = store.case(task.request.case_id).title.split()
            exhibits = tuple(exhibit.exhibit_id for exhibit in store.exhibits(task.request.case_id))
        steps = 0
        report(Step(0.0, stage="export"))
        while word == "gate" and not gate(task.home, rest[0]).exists():
            steps += 1
            report(Step(steps / (steps + 50), stage="export"))
            if cancelled():
                raise CancelledError("Stopped.")
            time.sleep(0.02)
        if word == "deaf":
            time.sleep(600)
        elif word == "refused":
            raise StoreError("The original was changed.")
        elif word == "fault":
            raise KeyError("secret detail")
        path = folder / task.file_name
        path.write_text(f"made of {task.request.case_id}")
        told = {"form": task.request.form, "sha256": file_sha256(path)}
        logged = (LoggedExport("case_exported", told),)
        write_made(folder, MadeExport(told["sha256"], path.stat().st_size, logged, exhibits, statement="All of it."))


class Unmakeable:
    def __init__(self) -> None:
        import os

        os._exit(3)
