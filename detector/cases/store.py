"""The case store: the one way to cases, exhibits, analyses, notes and events."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import duckdb

from detector.analysis import Analysis, analysis_to_dict
from detector.analysis.comparison import compare
from detector.cases.anchor import Anchor
from detector.cases.artefacts import keep_analysis
from detector.cases.backup import back_up
from detector.cases.bundle import import_bundle
from detector.cases.calibration_cases import CaseSet, set_from_cases
from detector.cases.calibration_choice import CalibrationChoice
from detector.cases.case_copy import CopyLayout, copy_case
from detector.cases.case_metadata import CaseMetadata
from detector.cases.chain import STORE_CHAIN, append_event
from detector.cases.codec import file_sha256
from detector.cases.database import Database
from detector.cases.drift_log import DriftReport, is_news, record_drift
from detector.cases.entries import (
    case_of,
    change_case,
    insert_analysis,
    insert_case,
    insert_exhibit,
    storable,
)
from detector.cases.export import write_bundle
from detector.cases.export_table import ExportTable
from detector.cases.findings import acknowledge
from detector.cases.home import Layout
from detector.cases.identifiers import new_id
from detector.cases.intake import EvidenceIntake
from detector.cases.job_table import JobTable
from detector.cases.notes import Box, NotePlace, insert_note, revise_note, withdraw_note
from detector.cases.opening import open_store, system_user
from detector.cases.reader import CaseReader
from detector.cases.records import read_case, read_notes
from detector.cases.refiling import refile
from detector.cases.scored_files import ScoredFiles, Window, read_scored_files
from detector.cases.similarity import SimilaritySearch
from detector.cases.statement_repository import StatementRepository, read_scores_opened_by
from detector.cases.timestamps import TimestampLine, Timestamps
from detector.cases.types import AnalysisRecord, Case, Exhibit, Note, StoreVerification, Verification
from detector.cases.verify import Progress
from detector.errors import StoreError
from detector.evidence.store import stored_path
from detector.evidence.types import Evidence

# Equal work gives equal ones. What is said of the file beside them depends on today's date and on a time limit.
_RESULTS = ("frames_examined", "shot_starts_s", "tracks", "models", "conclusion")


class CaseStore(CaseReader):
    """Safe to share between threads: reads take a cursor each, writes wait for one another.

    `jobs` is the table of analyses, `exports` that of files to take away; `metadata` keeps status, tags, stars, exhibit
    names and bookmarks; `statements` opinions, ground truth, signatures and views; `calibration` puts a calibration set
    in force; `similarity` finds what was seen before; `intake` is the way in for files.
    `timestamps` has the logs' newest events stamped by an authority, where one is named.
    `warnings` are plain sentences on what happened at opening. Every method raises StoreError for an id that the store
    does not hold.
    """

    def __init__(
        self,
        layout: Layout,
        database: Database,
        anchor: Anchor,
        timestamps: Timestamps,
        actor: str,
        warnings: tuple[str, ...],
    ) -> None:
        super().__init__(layout, database, anchor)
        self.timestamps = timestamps
        self.warnings = warnings
        self.jobs = JobTable(database, actor)
        self.exports = ExportTable(database, layout, actor)
        self.metadata = CaseMetadata(database, actor)
        self.statements = StatementRepository(database, layout, actor, self.verify)
        self.calibration = CalibrationChoice(database, layout, actor)
        self.similarity = SimilaritySearch(database, layout, actor)
        self.intake = EvidenceIntake(database, layout, actor)
        self._actor = actor

    @classmethod
    def open(cls, home: Path, *, actor: str | None = None) -> CaseStore:
        """Open or create the store under `home` and bring its database up to date.

        `actor` names who acts in the event log, by default the user of the operating system. Raises StoreError if
        another process has the store open, if the database is unreadable, or if a newer version wrote it.
        """
        layout = Layout(home.expanduser().resolve())
        who = actor or system_user()
        database, anchor, timestamps, warnings = open_store(layout, who)
        return cls(layout, database, anchor, timestamps, who, warnings)

    def copy_case(self, case_id: str, folder: Path) -> None:
        """Copy the record of a case to `folder`, for `open_copy` in another process."""
        self.case(case_id)
        copy_case(self._database, self.layout, case_id, folder)

    @classmethod
    def open_copy(cls, home: Path, folder: Path, *, actor: str) -> CaseStore:
        """The store under `home` as far as `copy_case` copied it: one case, at that moment, with the originals and
        results of the store. What is written to it is lost with the copy."""
        layout = CopyLayout(home, folder)
        database = Database(layout.database)
        return cls(layout, database, Anchor(layout.anchor), Timestamps(layout.timestamps, database, actor), actor, ())

    def __enter__(self) -> CaseStore:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the database so that another process may open it; a time-stamping authority that is being asked
        may answer first, for some seconds. Safe to call twice."""
        self.timestamps.wait()
        self._database.close()

    @property
    def actor(self) -> str:
        """Who opened the store: whose name everything bears that is done without another."""
        return self._actor

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._database.closed

    def create_case(self, title: str, *, reference: str = "", examiner: str = "", author: str = "") -> Case:
        """Open a case. Without a reference it gets the next FW-<year>-<number>. `author`, here and below, is who does
        it: by default the case's examiner, else who opened the store."""
        case_id = new_id("c")
        named = {"title": title, "reference": reference, "examiner": examiner}
        who = storable(author) or storable(examiner) or self._actor
        self._database.write(lambda cursor: insert_case(cursor, case_id, **named, actor=who))
        return self.case(case_id)

    def update_case(
        self,
        case_id: str,
        *,
        title: str | None = None,
        reference: str | None = None,
        examiner: str | None = None,
        author: str = "",
    ) -> Case:
        """Change what is not None; the log keeps what it was before."""
        wanted = {"title": title, "reference": reference, "examiner": examiner}
        who = storable(author) or self._actor
        self._database.write(lambda cursor: change_case(cursor, case_id, wanted, actor=who))
        return self.case(case_id)

    def add_exhibit(self, case_id: str, evidence: Evidence, *, author: str = "") -> Exhibit:
        """Put a stored file into a case. The same file in the same case again is the same exhibit.

        The file must lie in `evidence_dir` (`intake.take_in` puts it there); else StoreError.
        """
        expected = stored_path(self.evidence_dir, evidence.file.sha256)
        if not (evidence.file.path.resolve() == expected and expected.is_file()):
            raise StoreError(
                f"The exhibit's file was expected at {expected} and is at {evidence.file.path}. Take it in with "
                "the store's intake first."
            )
        new, who = new_id("x"), storable(author) or self._actor
        return self.exhibit(
            self._database.write(lambda cursor: insert_exhibit(cursor, new, case_id, evidence, actor=who))
        )

    def refile(self, exhibit_id: str, to_case_id: str, reason: str, *, author: str = "") -> Exhibit:
        """File an exhibit in another case where it was put into the wrong one: its analyses and all that was said of it
        go with it, and both logs say what went where, why, and by whose hand (see `refiling`). Raises StoreError, and
        changes nothing, where no reason is given, or a case is archived, closed or signed."""
        who = storable(author) or self._actor

        def change(cursor: duckdb.DuckDBPyConnection) -> None:
            opened_by = read_scores_opened_by(cursor, case_of(cursor, exhibit_id), exhibit_id)
            refile(cursor, exhibit_id, to_case_id, reason, who, opened_by)

        self._database.write(change)
        return self.exhibit(exhibit_id)

    def save_analysis(self, exhibit_id: str, analysis: Analysis, *, evidence_checked: bool = False) -> AnalysisRecord:
        """Keep an analysis of the exhibit; one that is already kept (equal `analysis_id`) is returned as it is.
        `evidence_checked` says that the stored file was hashed before and after (`detector.evidence.unaltered`).

        Raises StoreError, and puts it on record, where the one that is kept has other results: equal work must give
        equal numbers.
        """
        exhibit = self.exhibit(exhibit_id)
        if analysis.evidence.file.sha256 != exhibit.sha256:
            raise StoreError(
                f"The analysis is of the file {analysis.evidence.file.sha256[:12]}… but exhibit {exhibit_id} is "
                f"{exhibit.sha256[:12]}…. Nothing was saved."
            )
        if known := self._known_analysis(exhibit_id, analysis.analysis_id):
            return self._confirmed(known, analysis)
        new = new_id("r")
        try:
            with self.intake.running():  # nothing names its files before its row does
                kept = keep_analysis(self.artefact_dir, analysis)
                self._database.write(
                    lambda cursor: insert_analysis(
                        cursor,
                        new,
                        exhibit,
                        analysis,
                        kept,
                        self.artefact_dir,
                        actor=self._actor,
                        evidence_checked=evidence_checked,
                    )
                )
        except duckdb.ConstraintException:
            # Another thread saved the same work meanwhile.
            if known := self._known_analysis(exhibit_id, analysis.analysis_id):
                return self._confirmed(known, analysis)
            raise
        return self.record(new)

    def add_note(
        self,
        case_id: str,
        text: str,
        *,
        exhibit_id: str | None = None,
        track_id: int | None = None,
        pts: int | None = None,
        end_pts: int | None = None,
        box_xyxy_px: Box | None = None,
        author: str = "",
    ) -> Note:
        """Add a note on a case, an exhibit, a track or a frame; on a box of the frame or an interval from it on, it is
        an annotation (see `NotePlace`). Raises StoreError for an empty text or a place that the exhibit has not."""
        note_id, who = new_id("n"), storable(author) or self._actor
        place = NotePlace(exhibit_id, track_id, pts, end_pts, box_xyxy_px)
        self._database.write(lambda cursor: insert_note(cursor, note_id, case_id, text, place, author=who))
        return self._note(note_id)

    def revise_note(self, note_id: str, text: str, *, author: str = "") -> Note:
        """Say it otherwise: a note with other words in the place of one, which stays in the record. Raises StoreError
        for an empty text, or where the note was revised or withdrawn meanwhile."""
        new, who = new_id("n"), storable(author) or self._actor
        self._database.write(lambda cursor: revise_note(cursor, note_id, new, text, author=who))
        return self._note(new)

    def withdraw_note(self, note_id: str, *, author: str = "") -> None:
        """Take a note out of the lists; it stays in the record. Raises StoreError where that was done before."""
        who = storable(author) or self._actor
        self._database.write(lambda cursor: withdraw_note(cursor, note_id, author=who))

    def log(self, case_id: str, action: str, details: dict[str, Any], *, actor: str = "") -> None:
        """Add to the case's log, or to the store's own (`STORE_CHAIN`), something that happened outside the store, such
        as an export to PDF."""

        def change(cursor: duckdb.DuckDBPyConnection) -> None:
            if case_id != STORE_CHAIN:
                read_case(cursor, case_id)
            append_event(cursor, case_id, action, storable(actor) or self._actor, details)

        self._database.write(change)

    def scored_files(self, window: Window) -> ScoredFiles:
        """What the newest analysis of each file of the window says, for statistics over many: files whose scores are
        waiting for their first blind opinion (`statements.files_without_opinion`) are left out."""
        withheld = self.statements.files_without_opinion()
        with self._database.snapshot() as cursor:
            return read_scored_files(cursor, self.artefact_dir, window, withheld)

    def log_drift(self, report: DriftReport, *, only_news: bool = False, author: str = "") -> bool:
        """Put a measurement of drift into the store's log; with `only_news` only where other quantities have drifted
        than the log says already (`drift_log.is_news`). Returns whether there is an event."""
        who = storable(author) or self._actor
        if only_news:
            with self._database.read() as cursor:
                if not is_news(cursor, report):  # nearly always: a page that is drawn again need not wait to write
                    return False

        def change(cursor: duckdb.DuckDBPyConnection) -> bool:
            if only_news and not is_news(cursor, report):
                return False
            record_drift(cursor, report, who)
            return True

        return self._database.write(change)

    def acknowledge(self, text: str, *, case_id: str = STORE_CHAIN, author: str = "") -> None:
        """Put on record, in words, that the open findings of a case or of the store itself were looked into; from then
        on they are no reason any more for `verify` to say that something differs. Raises StoreError where no words are
        given or nothing is open."""
        who = storable(author) or self._actor

        def change(cursor: duckdb.DuckDBPyConnection) -> None:
            if case_id != STORE_CHAIN:
                read_case(cursor, case_id)
            acknowledge(cursor, case_id, storable(text), who)

        self._database.write(change)

    def check(
        self, case_id: str, *, known_heads: Sequence[str] = (), actor: str = "", progress: Progress | None = None
    ) -> Verification:
        """`verify`, with the outcome put on record as an event of the case, and an evidence file that holds something
        else as a finding."""
        outcome = self.verify(case_id, known_heads=known_heads, progress=progress)
        self._report_altered(outcome)
        told = {
            "problem": outcome.problem,
            "events": outcome.events_checked,
            "records": outcome.records_checked,
            "files_hashed": outcome.files_checked,
        }
        self.log(case_id, "case_verified", told, actor=actor)
        return outcome

    def check_all(self, *, progress: Progress | None = None) -> StoreVerification:
        """`verify_all`, with evidence files that hold something else put on record as findings."""
        outcome = self.verify_all(progress=progress)
        for one in outcome.cases:
            self._report_altered(one)
        return outcome

    def timestamp(self) -> TimestampLine | None:
        """Have the newest events of all logs that have grown stamped now (see `timestamps`); None where none has.
        Raises SettingsError where no authority is named, StoreError where it gives no token."""
        return self.timestamps.take()

    def export_case(self, case_id: str, path: Path, *, include_evidence: bool = False, author: str = "") -> Path:
        """Write the whole case, and whether it verified, as a zip whose manifest lists the SHA-256 of every member (see
        `export`); the log keeps the zip's own SHA-256. Raises StoreError where scores, which it holds, wait for a blind
        opinion of `author`."""
        if waiting := self.statements.withheld_in_log(case_id, author):
            names = ", ".join(self.exhibit(exhibit_id).reference for exhibit_id in sorted(waiting))
            raise StoreError(
                f"The case is examined blind first, and {storable(author) or self._actor} has recorded no opinion on "
                f"{names} yet. The bundle holds all scores and was not written. Record an opinion first, under the "
                "same name."
            )
        outcome = self.verify(case_id)
        with self._database.snapshot() as cursor:
            write_bundle(cursor, self.layout, case_id, path, outcome, include_evidence=include_evidence)
        told = {"file_name": storable(path.name), "sha256": file_sha256(path)}
        self.log(case_id, "case_exported", told, actor=author)
        return path

    def import_case(self, path: Path, *, author: str = "", large: bool = False) -> Case:
        """Take in a case that `export_case` wrote, in this store or another, exactly as it was there; its log goes on
        with an event that names the bundle's SHA-256. Originals that are not in the bundle stay missing (`verify` says
        so) until the same files are taken in. Raises StoreError, and keeps nothing, where the bundle does not verify,
        the store has the case already, or its tables have more than 64 MB and it is not said to be `large`."""
        who = storable(author) or self._actor
        with self.intake.running():
            return self.case(import_bundle(self._database, self.layout, path, who, large=large))

    def set_from_cases(self, name: str, provenance: str, *, author: str = "") -> CaseSet:
        """A calibration set of closed cases whose ground truth is recorded (see `calibration_cases`), with an event in
        the store's log that names it and its exhibits' files. Raises CalibrationError where there are none."""
        made = set_from_cases(self, name, provenance)
        told = {
            "set": storable(made.of.name),
            "set_sha256": made.of.sha256,
            "files": sorted(set(made.of.table["sha256"])),
            "models": sorted(made.of.made_by),
        }
        who = storable(author) or self._actor
        self._database.write(lambda cursor: append_event(cursor, STORE_CHAIN, "calibration_set_made", who, told))
        return made

    def back_up(self, folder: Path, *, author: str = "") -> Path:
        """Copy the whole store to an empty folder (see `backup`), and say so in the store's log."""
        back_up(self._database, self.layout, folder)
        details, who = {"folder": storable(folder.name)}, storable(author) or self._actor
        self._database.write(lambda cursor: append_event(cursor, STORE_CHAIN, "backed_up", who, details))
        return folder

    def _confirmed(self, known: AnalysisRecord, analysis: Analysis) -> AnalysisRecord:
        """The record that is kept already, once the analysis is found to say the same."""
        before, after = (analysis_to_dict(one) for one in (self.analysis(known.record_id), analysis))
        pair = (json.loads(json.dumps({name: one[name] for name in _RESULTS})) for one in (before, after))
        differing = [group for group in compare(*pair).groups if group.beyond]
        if not differing:
            return known
        place = differing[0].worst.path
        told = {"exhibit_id": known.exhibit_id, "record_id": known.record_id, "analysis_id": known.analysis_id}
        self.log(known.case_id, "analysis_contradicted", {**told, "first_difference": place})
        raise StoreError(
            f"The analysis {known.record_id} was made by the same program, models and settings from the same file, and "
            f"has other results (first at {place}). The new ones were not saved; the case's log says so. Run it again; "
            "if it differs once more, something on this machine does not compute reliably."
        )

    def _report_altered(self, outcome: Verification) -> None:
        for expected, found in outcome.altered:
            self.intake.report_altered(expected, found)

    def _note(self, note_id: str) -> Note:
        with self._database.read() as cursor:
            return read_notes(cursor, note_id=note_id)[0]

    def _known_analysis(self, exhibit_id: str, analysis_id: str) -> AnalysisRecord | None:
        return next((found for found in self.analyses(exhibit_id=exhibit_id) if found.analysis_id == analysis_id), None)
