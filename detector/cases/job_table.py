"""The job table: state changes only. Live progress stays in memory with the service that runs the jobs.

queued -> running -> done | failed | cancelled
queued -> paused -> queued     somebody held it back, and had it go on
queued, paused -> cancelled
running -> queued              the worker or the server died under it
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

import duckdb

from detector.cases.chain import append_event
from detector.cases.codec import canonical
from detector.cases.database import Database, in_utc, insert, rows, to_column, utc_now
from detector.cases.entries import require_open, storable
from detector.cases.identifiers import new_id
from detector.cases.types import Event, Job, JobRequest, JobState
from detector.errors import StoreError
from detector.settings import AnalysisSettings

# What a job's state is after an event.
_LEFT_AS = {
    "analysis_requested": "queued",
    "analysis_paused": "paused",
    "analysis_resumed": "queued",
    "analysis_started": "running",
    "analysis_interrupted": "queued",
    "analysis_finished": "done",
    "analysis_failed": "failed",
    "analysis_cancelled": "cancelled",
}
_UNENDED = "'queued', 'paused', 'running'"


class JobTable:
    """Every change is one transaction and one event in the case's log."""

    def __init__(self, database: Database, actor: str) -> None:
        self._database = database
        self._actor = actor

    def add(self, request: JobRequest, *, author: str = "") -> Job:
        """Queue a job that `author` asked for, by default who opened the store. The same request again, while a job
        for it waits or runs, is that job. Raises StoreError for an unknown exhibit, and for one of an archived case."""
        new, who = new_id("j"), storable(author) or self._actor
        model_ids, settings = json.dumps(request.model_ids), canonical(request.settings.to_dict())

        def change(cursor: duckdb.DuckDBPyConnection) -> str:
            known = cursor.execute(
                f"SELECT job_id FROM jobs WHERE exhibit_id = ? AND model_ids_json = ? AND settings_json = ? "
                f"AND state IN ({_UNENDED}) ORDER BY job_id LIMIT 1",
                [request.exhibit_id, model_ids, settings],
            ).fetchone()
            if known is not None:
                return str(known[0])
            found = cursor.execute("SELECT case_id FROM exhibits WHERE exhibit_id = ?", [request.exhibit_id]).fetchone()
            if found is None:
                raise StoreError(
                    f"There is no exhibit {request.exhibit_id!r} to analyse. Add the file to a case first."
                )
            require_open(cursor, found[0])
            insert(
                cursor,
                "jobs",
                {
                    "job_id": new,
                    "case_id": found[0],
                    "exhibit_id": request.exhibit_id,
                    "model_ids_json": model_ids,
                    "settings_json": settings,
                    "state": "queued",
                    "created_at": to_column(utc_now()),
                    "attempts": 0,
                    "worker_deaths": 0,
                    "message": "",
                },
            )
            details = {
                "job_id": new,
                "exhibit_id": request.exhibit_id,
                "model_ids": list(request.model_ids),
                "settings": request.settings.to_dict(),
            }
            append_event(cursor, found[0], "analysis_requested", who, details)
            return new

        return self.get(self._database.write(change))

    def get(self, job_id: str) -> Job:
        """Raises StoreError for an unknown job."""
        with self._database.read() as cursor:
            return _get(cursor, job_id)

    def recent(self, limit: int) -> list[Job]:
        """The jobs that were requested last, the newest first."""
        with self._database.read() as cursor:
            return [_job(row) for row in rows(cursor, "SELECT * FROM jobs ORDER BY job_id DESC LIMIT ?", [limit])]

    def find(self, states: tuple[JobState, ...] = ()) -> list[Job]:
        """Jobs in the order they were requested; of all states where none is named."""
        wanted = f"state IN ({', '.join('?' for _ in states)})" if states else "true"
        with self._database.read() as cursor:
            found = rows(cursor, f"SELECT * FROM jobs WHERE {wanted} ORDER BY job_id", list(states))
        return [_job(row) for row in found]

    def claim(self) -> Job | None:
        """Take the oldest queued job: it is running from now on. None where nothing waits."""

        def change(cursor: duckdb.DuckDBPyConnection) -> str | None:
            found = cursor.execute("SELECT job_id FROM jobs WHERE state = 'queued' ORDER BY job_id LIMIT 1").fetchone()
            if found is None:
                return None
            cursor.execute(
                "UPDATE jobs SET state = 'running', started_at = ?, attempts = attempts + 1 WHERE job_id = ?",
                [to_column(utc_now()), found[0]],
            )
            self._log(cursor, found[0], "analysis_started", {})
            return str(found[0])

        job_id = self._database.write(change)
        return None if job_id is None else self.get(job_id)

    def pause(self, job_ids: Sequence[str], *, author: str = "") -> None:
        """Hold back those of the jobs that wait, in the name of `author`; one that runs goes on to its end."""
        self._move(job_ids, "queued", "paused", "analysis_paused", author)

    def resume(self, job_ids: Sequence[str], *, author: str = "") -> None:
        """Have those of the jobs that are paused wait for the worker again, each at its old place."""
        self._move(job_ids, "paused", "queued", "analysis_resumed", author)

    def finish(self, job_id: str, record_id: str) -> None:
        """The result is saved as `record_id`."""
        self._end(job_id, "done", "analysis_finished", {"record_id": record_id}, message="", record_id=record_id)

    def fail(self, job_id: str, error_code: str, message: str) -> None:
        """It ended with an error, told in `message`; one that has ended already stays as it ended."""
        details = {"error_code": error_code, "message": message}
        self._end(job_id, "failed", "analysis_failed", details, message=message, error_code=error_code)

    def cancel(self, job_id: str) -> None:
        """Someone stopped it; one that has ended already stays as it ended."""
        self._end(job_id, "cancelled", "analysis_cancelled", {}, message="Cancelled.", error_code="cancelled")

    def requeue(self, job_id: str, reason: str, *, worker_died: bool) -> None:
        """Put an interrupted job back; it keeps its place, since it was requested first."""

        def change(cursor: duckdb.DuckDBPyConnection) -> None:
            cursor.execute(
                "UPDATE jobs SET state = 'queued', started_at = NULL, message = ?, worker_deaths = worker_deaths + ? "
                "WHERE job_id = ?",
                [reason, int(worker_died), job_id],
            )
            self._log(cursor, job_id, "analysis_interrupted", {"reason": reason})

        self._database.write(change)

    def _move(self, job_ids: Sequence[str], before: JobState, after: JobState, action: str, author: str) -> None:
        """Take those of the jobs that are `before` to `after`, all in one transaction."""
        who = storable(author) or self._actor

        def change(cursor: duckdb.DuckDBPyConnection) -> None:
            for job_id in job_ids:
                if _get(cursor, job_id).state == before:
                    cursor.execute("UPDATE jobs SET state = ? WHERE job_id = ?", [after, job_id])
                    self._log(cursor, job_id, action, {}, who)

        self._database.write(change)

    def _end(
        self,
        job_id: str,
        state: JobState,
        action: str,
        details: dict[str, Any],
        *,
        message: str,
        error_code: str | None = None,
        record_id: str | None = None,
    ) -> None:
        def change(cursor: duckdb.DuckDBPyConnection) -> None:
            if not _get(cursor, job_id).active:
                return
            cursor.execute(
                "UPDATE jobs SET state = ?, finished_at = ?, message = ?, error_code = ?, record_id = ? "
                "WHERE job_id = ?",
                [state, to_column(utc_now()), message, error_code, record_id, job_id],
            )
            self._log(cursor, job_id, action, details)

        self._database.write(change)

    def _log(
        self, cursor: duckdb.DuckDBPyConnection, job_id: str, action: str, details: dict[str, Any], who: str = ""
    ) -> None:
        job = _get(cursor, job_id)
        told = {"job_id": job_id, "exhibit_id": job.exhibit_id, "attempt": job.attempts, **details}
        append_event(cursor, job.case_id, action, who or self._actor, told)


def job_problem(cursor: duckdb.DuckDBPyConnection, case_id: str, events: Iterable[Event]) -> str | None:
    """The first job of a case that is not as the case's log left it, in one sentence. The log of an imported case
    tells of jobs that stayed in the other store."""
    here, imported = set(), False
    left: dict[str, tuple[str, str | None]] = {}
    asked: dict[str, tuple[str, str, str]] = {}
    for event in events:
        told = event.details
        imported |= event.action == "case_imported"
        if event.action == "analysis_requested":
            settings = canonical(told["settings"])
            asked[told["job_id"]] = (told["exhibit_id"], json.dumps(told["model_ids"]), settings)
        if event.action in _LEFT_AS:
            left[told["job_id"]] = (_LEFT_AS[event.action], told.get("record_id"))
    for row in rows(cursor, "SELECT * FROM jobs WHERE case_id = ? ORDER BY job_id", [case_id]):
        job_id = row["job_id"]
        wanted = (row["exhibit_id"], row["model_ids_json"], row["settings_json"])
        if asked.get(job_id) != wanted or left.get(job_id) != (row["state"], row["record_id"]):
            return f"The job {job_id} is not as the log records it."
        here.add(job_id)
    lost = [job_id for job_id in asked if job_id not in here and not imported]
    return f"The job {lost[0]} is recorded in the log but missing from the store." if lost else None


def _get(cursor: duckdb.DuckDBPyConnection, job_id: str) -> Job:
    found = rows(cursor, "SELECT * FROM jobs WHERE job_id = ?", [job_id])
    if not found:
        raise StoreError(f"There is no job {job_id!r} in the store.")
    return _job(found[0])


def _job(row: dict[str, Any]) -> Job:
    values = in_utc(row)
    settings = AnalysisSettings.from_dict(json.loads(values.pop("settings_json")))
    model_ids = tuple(json.loads(values.pop("model_ids_json")))
    return Job(model_ids=model_ids, settings=settings, fraction=1.0 if row["state"] == "done" else 0.0, **values)
