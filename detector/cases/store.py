"""The case store: the one door to cases, exhibits, analyses, notes and events."""

from __future__ import annotations

import getpass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import duckdb

from detector.analysis.types import Analysis
from detector.cases.artefacts import keep_analysis, load_analysis
from detector.cases.chain import STORE_CHAIN, append_event, read_events
from detector.cases.codec import file_sha256, stored_path
from detector.cases.database import Database
from detector.cases.entries import (
    change_case,
    insert_analysis,
    insert_case,
    insert_exhibit,
    insert_note,
    storable,
)
from detector.cases.export import write_bundle
from detector.cases.home import Layout
from detector.cases.identifiers import new_id
from detector.cases.job_table import JobTable
from detector.cases.migrations import migrate
from detector.cases.records import read_analyses, read_case, read_exhibits, read_notes, search_cases
from detector.cases.types import AnalysisRecord, Case, CaseSummary, Event, Exhibit, Note, Verification
from detector.cases.verify import verify_case
from detector.errors import StoreError
from detector.evidence.types import Evidence

if TYPE_CHECKING:
    import pandas as pd


class CaseStore:
    """Safe to share between threads: reads take a cursor each, writes wait for one another.

    `jobs` is the job table. `warnings` are plain sentences on what happened at opening. Every method raises
    StoreError for an id that the store does not hold.
    """

    def __init__(self, layout: Layout, database: Database, actor: str, warnings: tuple[str, ...]) -> None:
        self.layout = layout
        self.warnings = warnings
        self.jobs = JobTable(database, actor)
        self._database = database
        self._actor = actor

    @classmethod
    def open(cls, home: Path, *, actor: str | None = None) -> CaseStore:
        """Open or create the store under `home` and bring its database up to date.

        `actor` names who acts in the event log, by default the user of the operating system. Raises StoreError if
        another process has the store open, if the database is unreadable, or if a newer version wrote it.
        """
        layout = Layout(home.expanduser().resolve())
        layout.make()
        database = Database(layout.database)
        try:
            who = actor or _system_user()
            ran = migrate(database)
            if ran:
                database.write(
                    lambda cursor: append_event(cursor, STORE_CHAIN, "store_migrated", who, {"steps": list(ran)})
                )
            warnings = _report_wal(database, who)
        except BaseException:
            database.close()
            raise
        return cls(layout, database, who, warnings)

    def __enter__(self) -> CaseStore:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the database so that another process may open it. Safe to call twice."""
        self._database.close()

    @property
    def closed(self) -> bool:
        return self._database.closed

    @property
    def home(self) -> Path:
        return self.layout.home

    @property
    def evidence_dir(self) -> Path:
        return self.layout.evidence

    @property
    def artefact_dir(self) -> Path:
        return self.layout.artefacts

    def create_case(self, title: str, *, reference: str = "", examiner: str = "") -> Case:
        """Open a case. Without a reference it gets the next FW-<year>-<number>."""
        case_id = new_id("c")
        named = {"title": title, "reference": reference, "examiner": examiner}
        self._database.write(lambda cursor: insert_case(cursor, case_id, **named, actor=self._actor))
        return self.case(case_id)

    def update_case(
        self, case_id: str, *, title: str | None = None, reference: str | None = None, examiner: str | None = None
    ) -> Case:
        """Change what is not None; the log keeps what it was before."""
        wanted = {"title": title, "reference": reference, "examiner": examiner}
        self._database.write(lambda cursor: change_case(cursor, case_id, wanted, actor=self._actor))
        return self.case(case_id)

    def cases(self, search: str = "", limit: int = 100, offset: int = 0) -> list[CaseSummary]:
        """Newest activity first; see `records.search_cases` for what a search finds."""
        with self._database.snapshot() as cursor:
            return search_cases(cursor, storable(search), limit, offset)

    def case(self, case_id: str) -> Case:
        with self._database.read() as cursor:
            return read_case(cursor, case_id)

    def add_exhibit(self, case_id: str, evidence: Evidence) -> Exhibit:
        """Put a stored file into a case. The same file in the same case again is the same exhibit.

        The file must lie in `evidence_dir` (`detector.evidence.ingest` puts it there); else StoreError.
        """
        expected = stored_path(self.evidence_dir, evidence.file.sha256)
        if not (evidence.file.path.resolve() == expected and expected.is_file()):
            raise StoreError(
                f"The exhibit's file was expected at {expected} and is at {evidence.file.path}. Take it in with "
                "detector.evidence.ingest first."
            )
        new = new_id("x")
        return self.exhibit(
            self._database.write(lambda cursor: insert_exhibit(cursor, new, case_id, evidence, actor=self._actor))
        )

    def exhibits(self, case_id: str) -> list[Exhibit]:
        with self._database.snapshot() as cursor:
            read_case(cursor, case_id)
            return read_exhibits(cursor, self.evidence_dir, case_id=case_id)

    def exhibit(self, exhibit_id: str) -> Exhibit:
        with self._database.read() as cursor:
            found = read_exhibits(cursor, self.evidence_dir, exhibit_id=exhibit_id)
        if not found:
            raise StoreError(f"There is no exhibit {exhibit_id!r} in this store.")
        return found[0]

    def save_analysis(self, exhibit_id: str, analysis: Analysis) -> AnalysisRecord:
        """Keep an analysis of the exhibit; one that is already kept (equal `analysis_id`) is returned as it is."""
        exhibit = self.exhibit(exhibit_id)
        if analysis.evidence.file.sha256 != exhibit.sha256:
            raise StoreError(
                f"The analysis is of the file {analysis.evidence.file.sha256[:12]}… but exhibit {exhibit_id} is "
                f"{exhibit.sha256[:12]}…. Nothing was saved."
            )
        if known := self._known_analysis(exhibit_id, analysis.analysis_id):
            return known
        kept = keep_analysis(self.artefact_dir, analysis)
        new = new_id("r")
        try:
            self._database.write(
                lambda cursor: insert_analysis(
                    cursor, new, exhibit, analysis, kept, self.artefact_dir, actor=self._actor
                )
            )
        except duckdb.ConstraintException:
            # Another thread saved the same work meanwhile.
            if known := self._known_analysis(exhibit_id, analysis.analysis_id):
                return known
            raise
        return self.record(new)

    def analyses(self, case_id: str | None = None, exhibit_id: str | None = None) -> list[AnalysisRecord]:
        """Oldest first; of every case where neither is given."""
        with self._database.snapshot() as cursor:
            return read_analyses(cursor, self.artefact_dir, case_id=case_id, exhibit_id=exhibit_id)

    def record(self, record_id: str) -> AnalysisRecord:
        with self._database.snapshot() as cursor:
            found = read_analyses(cursor, self.artefact_dir, record_id=record_id)
        if not found:
            raise StoreError(f"There is no analysis {record_id!r} in this store.")
        return found[0]

    def analysis(self, record_id: str) -> Analysis:
        """The whole analysis as it was saved, landmarks included. Raises StoreError if its files were changed."""
        record = self.record(record_id)
        return load_analysis(record.artefacts, self.exhibit(record.exhibit_id).evidence.file.path)

    def score_table(self, record_id: str) -> pd.DataFrame:
        """A row per face scored, by model, track and time: model_id, weights_sha256, track_id, frame_index, pts, pts_s,
        logit, score in [0, 1], weight in [0, 1]."""
        return self._table("scores", "model_id, track_id, pts", record_id)

    def face_table(self, record_id: str) -> pd.DataFrame:
        """A row per face seen, by track and time: its box in displayed pixels, detection score and quality."""
        return self._table("frames", "track_id, pts", record_id)

    def add_note(
        self,
        case_id: str,
        text: str,
        *,
        exhibit_id: str | None = None,
        track_id: int | None = None,
        pts: int | None = None,
        author: str = "",
    ) -> Note:
        """Notes are never edited: a correction is another note. Raises StoreError for an empty text."""
        if not text.strip():
            raise StoreError("A note needs some text; none was given.")
        note_id = new_id("n")
        who = storable(author) or self._actor
        self._database.write(
            lambda cursor: insert_note(
                cursor, note_id, case_id, text, exhibit_id=exhibit_id, track_id=track_id, pts=pts, author=who
            )
        )
        with self._database.read() as cursor:
            return read_notes(cursor, note_id=note_id)[0]

    def notes(self, case_id: str, exhibit_id: str | None = None) -> list[Note]:
        """Oldest first; all of the case where no exhibit is named."""
        with self._database.snapshot() as cursor:
            read_case(cursor, case_id)
            return read_notes(cursor, case_id=case_id, exhibit_id=exhibit_id)

    def log(self, case_id: str, action: str, details: dict[str, Any], *, actor: str = "") -> None:
        """Add to the case's log something that happened outside the store, such as an export to PDF."""

        def change(cursor: duckdb.DuckDBPyConnection) -> None:
            read_case(cursor, case_id)
            append_event(cursor, case_id, action, storable(actor) or self._actor, details)

        self._database.write(change)

    def events(self, case_id: str = STORE_CHAIN) -> list[Event]:
        """The log of a case, or the store's own without a case."""
        with self._database.read() as cursor:
            return read_events(cursor, case_id)

    def verify(self, case_id: str) -> Verification:
        """Recompute the event chain, the records it vouches for and the hash of every file; names the first failure."""
        return verify_case(self._database, self.layout, case_id)

    def export_case(self, case_id: str, path: Path, *, include_evidence: bool = False) -> Path:
        """Write the whole case, and whether it verified, as a zip whose manifest lists the SHA-256 of every member (see
        `export`); the log keeps the zip's own SHA-256."""
        outcome = self.verify(case_id)
        with self._database.snapshot() as cursor:
            write_bundle(cursor, self.layout, case_id, path, outcome, include_evidence=include_evidence)
        self.log(case_id, "case_exported", {"file_name": storable(path.name), "sha256": file_sha256(path)})
        return path

    def _table(self, table: str, order: str, record_id: str) -> pd.DataFrame:
        self.record(record_id)
        with self._database.read() as cursor:
            query = f"SELECT * EXCLUDE (record_id) FROM {table} WHERE record_id = ? ORDER BY {order}"
            return cursor.execute(query, [record_id]).df()

    def _known_analysis(self, exhibit_id: str, analysis_id: str) -> AnalysisRecord | None:
        return next((found for found in self.analyses(exhibit_id=exhibit_id) if found.analysis_id == analysis_id), None)


def _report_wal(database: Database, actor: str) -> tuple[str, ...]:
    aside = database.wal_set_aside
    if aside is None:
        return ()
    database.write(lambda cursor: append_event(cursor, STORE_CHAIN, "wal_set_aside", actor, {"file": aside.name}))
    return (
        f"The store's write-ahead log could not be read, as after a crash of the machine. It was kept as {aside.name}; "
        "the store was opened as of its last checkpoint, so the newest changes may be missing.",
    )


def _system_user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # no entry for this user, as in some containers
        return "unknown user"
