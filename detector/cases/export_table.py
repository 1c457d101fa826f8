"""The table of exports, and the files that are kept of them. Live progress stays in memory with the service.

queued -> running -> done | failed | cancelled
queued -> cancelled
running -> queued          the worker or the server died under it
failed | cancelled -> queued   somebody tries again

Exports are derived: what the log keeps of one is that it was made, with its SHA-256, that it was downloaded, and that
its file was removed. The reports of a signed case stay.
"""

from __future__ import annotations

import json
import os
import shutil
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import duckdb

from detector.cases.chain import append_event
from detector.cases.codec import canonical, file_sha256
from detector.cases.database import Database, in_utc, insert, rows, to_column, utc_now
from detector.cases.entries import storable
from detector.cases.export_forms import Export, ExportRequest, ExportState, MadeExport, export_name
from detector.cases.home import Layout
from detector.cases.identifiers import new_id
from detector.cases.records import read_case
from detector.errors import SettingsError, StoreError

ROOM_BYTES = 20_000_000_000  # what exports may take in all, signed reports not counted


class ExportTable:
    """Every change is one transaction. `path` is the place of an export's file."""

    def __init__(self, database: Database, layout: Layout, actor: str) -> None:
        self._database = database
        self._layout = layout
        self._actor = actor

    def add(self, request: ExportRequest, *, author: str = "") -> Export:
        """Queue an export that `author` asked for, by default who opened the store. Raises StoreError for an unknown
        case or analysis and where no room is left, SettingsError for a form that is not offered."""
        job_id, who = new_id("e"), storable(author) or self._actor
        self._require_room()

        def change(cursor: duckdb.DuckDBPyConnection) -> None:
            case = read_case(cursor, request.case_id)
            exhibit_id = ""
            if request.record_id:
                found = rows(
                    cursor,
                    "SELECT exhibit_id FROM analyses WHERE record_id = ? AND case_id = ?",
                    [request.record_id, request.case_id],
                )
                if not found:
                    raise StoreError(f"There is no analysis {request.record_id!r} in the case {request.case_id}.")
                exhibit_id = found[0]["exhibit_id"]
            try:
                name = export_name(request, case.reference or case.title)
            except KeyError as error:
                what = "one analysis" if request.record_id else "a whole case"
                raise SettingsError(f"The form {request.form!r} is not offered of {what}.") from error
            insert(
                cursor,
                "exports",
                {
                    "job_id": job_id,
                    "case_id": request.case_id,
                    "exhibit_id": exhibit_id,
                    "request_json": canonical(asdict(request)),
                    "author": who,
                    "file_name": name,
                    "state": "queued",
                    "created_at": to_column(utc_now()),
                    "attempts": 0,
                    "worker_deaths": 0,
                    "message": "",
                    "sha256": "",
                    "size_bytes": 0,
                    "shows_json": "[]",
                    "signed": False,
                },
            )

        self._database.write(change)
        return self.get(job_id)

    def get(self, job_id: str) -> Export:
        """Raises StoreError for an unknown export."""
        with self._database.read() as cursor:
            return _get(cursor, job_id)

    def find(
        self, states: tuple[ExportState, ...] = (), *, case_id: str | None = None, exhibit_id: str | None = None
    ) -> list[Export]:
        """Exports in the order they were asked for; of all states, cases and exhibits where none is named."""
        wanted = {"case_id": case_id, "exhibit_id": exhibit_id}
        conditions = [f"{name} = ?" for name, value in wanted.items() if value is not None]
        values = [value for value in wanted.values() if value is not None]
        if states:
            conditions.append(f"state IN ({', '.join('?' for _ in states)})")
        query = f"SELECT * FROM exports WHERE {' AND '.join(conditions or ['true'])} ORDER BY job_id"
        with self._database.read() as cursor:
            return [_export(row) for row in rows(cursor, query, [*values, *states])]

    def path(self, export: Export) -> Path:
        """The place of an export's file, whether it is there or not."""
        return self._layout.exports / export.job_id / export.file_name

    def size_bytes(self) -> int:
        """What the kept files take, signed reports not counted."""
        with self._database.read() as cursor:
            query = "SELECT coalesce(sum(size_bytes), 0) FROM exports WHERE removed_at IS NULL AND NOT signed"
            return int(cursor.execute(query).fetchall()[0][0])

    def claim(self) -> Export | None:
        """Take the oldest queued one: it is being made from now on. None where nothing waits."""

        def change(cursor: duckdb.DuckDBPyConnection) -> str | None:
            found = rows(cursor, "SELECT job_id FROM exports WHERE state = 'queued' ORDER BY job_id LIMIT 1")
            if not found:
                return None
            query = "UPDATE exports SET state = 'running', started_at = ?, attempts = attempts + 1 WHERE job_id = ?"
            cursor.execute(query, [to_column(utc_now()), found[0]["job_id"]])
            return str(found[0]["job_id"])

        job_id = self._database.write(change)
        return None if job_id is None else self.get(job_id)

    def finish(self, job_id: str, file: Path, made: MadeExport) -> None:
        """Keep the file that was made, moved from where it lies, and put into the case's log that it was, once. One
        that has ended already stays as it ended. Raises StoreError where the file cannot be kept or is another one."""
        export = self.get(job_id)
        if not export.active:
            return
        kept = self.path(export)
        try:
            if file.is_file():  # else it was moved before the program ended
                kept.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                with file.open("rb") as stream:
                    os.fsync(stream.fileno())  # the row must never outlive the bytes that it names
                file.replace(kept)
            found = file_sha256(kept)
        except OSError as error:
            raise StoreError(
                f"The file could not be kept ({error}). Make room on the disk of the case store, then try again."
            ) from error
        if found != made.sha256:
            raise StoreError("The file is not the one that was made; its disk may be failing. Try again.")

        def change(cursor: duckdb.DuckDBPyConnection) -> None:
            if not _get(cursor, job_id).active:
                return
            cursor.execute(
                "UPDATE exports SET state = 'done', finished_at = ?, message = ?, error_code = NULL, sha256 = ?, "
                "size_bytes = ?, shows_json = ?, signed = ? WHERE job_id = ?",
                [
                    to_column(utc_now()),
                    made.statement,
                    made.sha256,
                    made.size_bytes,
                    json.dumps(made.shows),
                    made.signed,
                    job_id,
                ],
            )
            for told in made.logged:
                details = {**told.details, "export_id": job_id}
                append_event(cursor, export.request.case_id, told.action, export.author, details)

        self._database.write(change)

    def fail(self, job_id: str, error_code: str, message: str) -> None:
        """It came to nothing, for the reason in `message`; one that has ended already stays as it ended."""
        self._end(job_id, "failed", message, error_code)

    def cancel(self, job_id: str) -> None:
        """Somebody stopped it; one that has ended already stays as it ended."""
        self._end(job_id, "cancelled", "Cancelled; nothing was kept.", "cancelled")

    def requeue(self, job_id: str, reason: str, *, worker_died: bool) -> None:
        """Put an interrupted one back; it keeps its place, since it was asked for first."""

        def change(cursor: duckdb.DuckDBPyConnection) -> None:
            cursor.execute(
                "UPDATE exports SET state = 'queued', started_at = NULL, message = ?, "
                "worker_deaths = worker_deaths + ? WHERE job_id = ?",
                [reason, int(worker_died), job_id],
            )

        self._database.write(change)

    def retry(self, job_id: str) -> None:
        """Queue one anew that came to nothing. Raises StoreError for one that did not."""
        self._require_room()

        def change(cursor: duckdb.DuckDBPyConnection) -> None:
            if _get(cursor, job_id).state not in ("failed", "cancelled"):
                raise StoreError("Only an export that came to nothing can be tried again.")
            cursor.execute(
                "UPDATE exports SET state = 'queued', message = '', error_code = NULL, started_at = NULL, "
                "finished_at = NULL, attempts = 0, worker_deaths = 0 WHERE job_id = ?",
                [job_id],
            )

        self._database.write(change)

    def remove(self, job_id: str, *, author: str = "") -> None:
        """Delete the file of an export that is done, and say so in the case's log. Raises StoreError for a report of a
        signed case, which stays, and for one without a file."""
        export, who = self.get(job_id), storable(author) or self._actor
        if export.signed:
            raise StoreError("This is the report of a case that was signed. It stays.")
        if not export.kept:
            raise StoreError("There is no file to remove.")

        def change(cursor: duckdb.DuckDBPyConnection) -> None:
            if not _get(cursor, job_id).kept:
                return
            cursor.execute("UPDATE exports SET removed_at = ? WHERE job_id = ?", [to_column(utc_now()), job_id])
            append_event(cursor, export.request.case_id, "export_removed", who, _told(export))

        self._database.write(change)
        self.discard(job_id)

    def download(self, job_id: str, *, author: str = "") -> Path:
        """The kept file, for `author`, who takes a copy of it: the case's log says so. Raises StoreError where it is
        gone or is not the one that was made."""
        export, who = self.get(job_id), storable(author) or self._actor
        path = self.path(export)
        if not export.kept or not path.is_file():
            raise StoreError("The file is no longer kept here. Make the export again.")
        if file_sha256(path) != export.sha256:
            raise StoreError("The kept file was changed since it was made, and is not handed out. Make it again.")

        def change(cursor: duckdb.DuckDBPyConnection) -> None:
            append_event(cursor, export.request.case_id, "export_downloaded", who, _told(export))

        self._database.write(change)
        return path

    def discard(self, job_id: str) -> None:
        """Delete whatever lies in an export's folder."""
        shutil.rmtree(self._layout.exports / job_id, ignore_errors=True)

    def clear_unfinished(self) -> None:
        """Delete what the table does not vouch for: folders of exports that were interrupted, removed or unknown."""
        kept = {export.job_id for export in self.find(("done",)) if export.kept}
        with suppress(OSError):
            for folder in self._layout.exports.iterdir():
                if folder.name not in kept:
                    shutil.rmtree(folder, ignore_errors=True)

    def _require_room(self) -> None:
        taken = self.size_bytes()
        if taken > ROOM_BYTES:
            raise StoreError(
                f"The exports that are kept take {taken / 1e9:.1f} GB of the {ROOM_BYTES / 1e9:g} GB there are for "
                "them. Remove some under Exports, oldest first, and ask again."
            )

    def _end(self, job_id: str, state: ExportState, message: str, error_code: str) -> None:
        def change(cursor: duckdb.DuckDBPyConnection) -> None:
            if _get(cursor, job_id).active:
                cursor.execute(
                    "UPDATE exports SET state = ?, finished_at = ?, message = ?, error_code = ? WHERE job_id = ?",
                    [state, to_column(utc_now()), message, error_code, job_id],
                )

        self._database.write(change)


def request_of(described: dict[str, Any]) -> ExportRequest:
    """The request that `dataclasses.asdict` described, read from JSON."""
    return ExportRequest(**{**described, "exhibit_ids": tuple(described["exhibit_ids"])})


def _told(export: Export) -> dict[str, str]:
    return {
        "export_id": export.job_id,
        "form": export.request.form,
        "file_name": export.file_name,
        "sha256": export.sha256,
    }


def _get(cursor: duckdb.DuckDBPyConnection, job_id: str) -> Export:
    found = rows(cursor, "SELECT * FROM exports WHERE job_id = ?", [job_id])
    if not found:
        raise StoreError(f"There is no export {job_id!r} in the store.")
    return _export(found[0])


def _export(row: dict[str, Any]) -> Export:
    values = in_utc(row)
    del values["case_id"]
    request = request_of(json.loads(values.pop("request_json")))
    shows = tuple(json.loads(values.pop("shows_json")))
    return Export(request=request, shows=shows, fraction=1.0 if row["state"] == "done" else 0.0, **values)
