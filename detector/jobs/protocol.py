"""Messages between the service and a worker: one JSON object a line, over the worker's stdin and stdout.

service -> worker   run {task} · cancel {job_id} · end of file: stop at once
worker -> service   progress {job_id, …} · done {job_id} · cancelled {job_id} · failed {job_id, code, message}
                    (failed with the code evidence_altered also has found_sha256)
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

from detector.analysis.types import Analysis
from detector.cases import ExportRequest
from detector.cases.export_table import request_of
from detector.evidence.types import StoredFile
from detector.settings import AnalysisSettings


@dataclass(frozen=True, slots=True)
class Task:
    """All that a worker needs to know of an analysis: it never opens the case store."""

    job_id: str
    file: StoredFile
    model_ids: tuple[str, ...]
    settings: AnalysisSettings

    @property
    def described(self) -> str:
        """What it is about, for the log of faults."""
        return f"{self.file.sha256} {','.join(self.model_ids)}"


@dataclass(frozen=True, slots=True)
class ExportTask:
    """An export to be made from the copy of a case in `copy` (see `CaseStore.open_copy`), for `author`; its file is to
    be called `file_name`."""

    job_id: str
    request: ExportRequest
    file_name: str
    author: str
    home: Path
    copy: Path

    @property
    def described(self) -> str:
        """What it is about, for the log of faults."""
        return f"{self.request.form} of {self.request.record_id or self.request.case_id}"


class ProgressLike(Protocol):
    """The part of `detector.analysis.Progress` that is passed on."""

    @property
    def stage(self) -> str:
        """The name of the stage."""

    @property
    def fraction(self) -> float:
        """The share of the whole that is done, 0..1."""

    @property
    def remaining_s(self) -> float | None:
        """An estimate of the time left, s; None while there is none."""

    @property
    def message(self) -> str:
        """One sentence for people."""


class Runner(Protocol):
    """The work inside the worker. One instance serves job after job, so it may keep models warm.

    Raises CancelledError soon after `cancelled()` turns true, and FramewitnessError for what the user can mend.
    """

    def __call__(self, task: Task, report: Callable[[ProgressLike], None], cancelled: Callable[[], bool]) -> Analysis:
        """The analysis of a task's file."""


class ExportMaker(Protocol):
    """The making of exports inside the worker, as `Runner` is of analyses."""

    def __call__(
        self, task: ExportTask, folder: Path, report: Callable[[ProgressLike], None], cancelled: Callable[[], bool]
    ) -> None:
        """Put the file and what is told of it into `folder`, which the service finds once this has returned."""


def encode(message: dict[str, Any]) -> bytes:
    """One message as one line of ASCII JSON."""
    return json.dumps(message, ensure_ascii=True).encode() + b"\n"


def decode(line: bytes) -> dict[str, Any] | None:
    """The message on a line, None for a line that is none (a library's stray print)."""
    try:
        message = json.loads(line)
    except ValueError:
        return None
    return message if isinstance(message, dict) and "type" in message else None


def task_to_dict(task: Task | ExportTask) -> dict[str, Any]:
    """A task as it is sent to the worker."""
    if isinstance(task, ExportTask):
        return {**asdict(task), "home": str(task.home), "copy": str(task.copy)}
    return {
        "job_id": task.job_id,
        "file": {**asdict(task.file), "path": str(task.file.path)},
        "model_ids": list(task.model_ids),
        "settings": task.settings.to_dict(),
    }


def task_from_dict(described: dict[str, Any]) -> Task | ExportTask:
    """The task that `task_to_dict` described."""
    if "request" in described:
        places = {name: Path(described[name]) for name in ("home", "copy")}
        return ExportTask(**{**described, **places, "request": request_of(described["request"])})
    file = described["file"]
    return Task(
        job_id=described["job_id"],
        file=StoredFile(**{**file, "path": Path(file["path"])}),
        model_ids=tuple(described["model_ids"]),
        settings=AnalysisSettings.from_dict(described["settings"]),
    )
