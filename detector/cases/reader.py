"""Reading from a case store."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from detector.analysis.identity import differences
from detector.analysis.types import Analysis
from detector.cases.anchor import Anchor
from detector.cases.artefacts import load_analysis
from detector.cases.chain import STORE_CHAIN, read_events, read_head
from detector.cases.database import Database
from detector.cases.entries import storable
from detector.cases.exhibit_list import (
    ExhibitFilter,
    ExhibitLine,
    ExhibitOrder,
    ExhibitPage,
    first_exhibits,
    read_exhibit_page,
)
from detector.cases.findings import read_findings
from detector.cases.history import read_facets, read_hits, read_page
from detector.cases.home import Layout
from detector.cases.records import read_analyses, read_case, read_exhibits, read_notes
from detector.cases.refiling import Refiling, refilings
from detector.cases.types import (
    AnalysisRecord,
    Case,
    CaseFilter,
    CasePage,
    CaseSummary,
    Event,
    Exhibit,
    Facets,
    Finding,
    Head,
    Hit,
    Note,
    Order,
    StoreVerification,
    Verification,
)
from detector.cases.verify import Progress, verify_case, verify_store
from detector.errors import StoreError

if TYPE_CHECKING:
    import pandas as pd


class CaseReader:
    """The half of `CaseStore` that changes nothing. Each call reads one state of the database, on a cursor of its own;
    every method raises StoreError for an id that the store does not hold."""

    def __init__(self, layout: Layout, database: Database, anchor: Anchor) -> None:
        self.layout = layout
        self._database = database
        self._anchor = anchor

    @property
    def home(self) -> Path:
        """The folder of the store."""
        return self.layout.home

    @property
    def evidence_dir(self) -> Path:
        """The folder of originals, by SHA-256."""
        return self.layout.evidence

    @property
    def artefact_dir(self) -> Path:
        """The folder of landmarks and other arrays of analyses."""
        return self.layout.artefacts

    def cases(
        self,
        search: str = "",
        limit: int = 100,
        offset: int = 0,
        *,
        wanted: CaseFilter | None = None,
        reader: str = "",
    ) -> list[CaseSummary]:
        """Newest activity first, archived cases left out unless `wanted` asks for them; `reader` as in `history`."""
        return list(self.history(search, wanted, limit=limit, offset=offset, reader=reader).summaries)

    def history(
        self,
        search: str = "",
        wanted: CaseFilter | None = None,
        *,
        order: Order = "activity",
        limit: int = 100,
        offset: int = 0,
        reader: str = "",
    ) -> CasePage:
        """One page of the cases that a filter admits and in whose texts every word of the search occurs. Conclusions
        in blind-first cases are told, and found, only where `reader` has recorded an opinion; to nobody in particular
        none of them is."""
        with self._database.snapshot() as cursor:
            return read_page(cursor, storable(search), wanted or CaseFilter(), order, limit, offset, reader)

    def facets(self) -> Facets:
        """The values that cases can be filtered by."""
        with self._database.snapshot() as cursor:
            return read_facets(cursor)

    def search(self, search: str, *, wanted: CaseFilter | None = None, limit: int = 100, reader: str = "") -> list[Hit]:
        """The texts that hold the words: titles, names, notes, bookmarks, opinions and the like, with their place;
        `reader` as in `history`."""
        with self._database.snapshot() as cursor:
            return read_hits(cursor, storable(search), wanted or CaseFilter(), limit, reader)

    def case(self, case_id: str) -> Case:
        """The case as it is now, archived or not."""
        with self._database.read() as cursor:
            return read_case(cursor, case_id)

    def exhibits(self, case_id: str) -> list[Exhibit]:
        """The files of a case, by number."""
        with self._database.snapshot() as cursor:
            read_case(cursor, case_id)
            return read_exhibits(cursor, self.evidence_dir, case_id=case_id)

    def exhibit_page(
        self,
        wanted: ExhibitFilter | None = None,
        *,
        order: ExhibitOrder = "number",
        grouped: bool = False,
        limit: int = 100,
        offset: int = 0,
        reader: str = "",
    ) -> ExhibitPage:
        """One page of the exhibits that a filter admits, of one case or of all, each with what may be told of it to
        `reader` (as in `history`); `grouped` puts equal findings together, the gravest first."""
        with self._database.snapshot() as cursor:
            return read_exhibit_page(cursor, wanted or ExhibitFilter(), order, limit, offset, reader, grouped=grouped)

    def first_exhibits(
        self, case_ids: Sequence[str], count: int, *, reader: str = ""
    ) -> dict[str, tuple[ExhibitLine, ...]]:
        """case id -> its first `count` exhibits by number, each with what may be told of it to `reader`."""
        with self._database.snapshot() as cursor:
            return first_exhibits(cursor, case_ids, count, reader)

    def exhibits_of_file(self, sha256: str) -> list[Exhibit]:
        """The exhibits, of whatever case, that are this file; none where it is not known."""
        with self._database.snapshot() as cursor:
            query = "SELECT exhibit_id FROM exhibits WHERE sha256 = ? ORDER BY exhibit_id"
            ids = [found for (found,) in cursor.execute(query, [sha256]).fetchall()]
            return [
                found for exhibit_id in ids for found in read_exhibits(cursor, self.evidence_dir, exhibit_id=exhibit_id)
            ]

    def exhibit(self, exhibit_id: str) -> Exhibit:
        """One file of a case."""
        with self._database.snapshot() as cursor:
            found = read_exhibits(cursor, self.evidence_dir, exhibit_id=exhibit_id)
        if not found:
            raise StoreError(f"There is no exhibit {exhibit_id!r} in this store.")
        return found[0]

    def analyses(self, case_id: str | None = None, exhibit_id: str | None = None) -> list[AnalysisRecord]:
        """Oldest first; of every case where neither is given."""
        with self._database.snapshot() as cursor:
            return read_analyses(cursor, self.artefact_dir, case_id=case_id, exhibit_id=exhibit_id)

    def record(self, record_id: str) -> AnalysisRecord:
        """One saved analysis, without its content (`analysis`)."""
        with self._database.snapshot() as cursor:
            found = read_analyses(cursor, self.artefact_dir, record_id=record_id)
        if not found:
            raise StoreError(f"There is no analysis {record_id!r} in this store.")
        return found[0]

    def analysis(self, record_id: str) -> Analysis:
        """The whole analysis as it was saved, landmarks included. Raises StoreError if its files were changed."""
        record = self.record(record_id)
        return load_analysis(record.artefacts, self.exhibit(record.exhibit_id).evidence.file.path)

    def differences(self, record_id: str) -> tuple[str, ...] | None:
        """The reasons why an analysis need not agree with the one before it of the same exhibit, a short phrase each;
        None for the first. Raises StoreError if the files of either were changed."""
        exhibit_id = self.record(record_id).exhibit_id
        before = [one.record_id for one in self.analyses(exhibit_id=exhibit_id) if one.record_id < record_id]
        return differences(self.analysis(before[-1]), self.analysis(record_id)) if before else None

    def score_table(self, record_id: str) -> pd.DataFrame:
        """A row per face scored, by model, track and time: model_id, weights_sha256, track_id, frame_index, pts, pts_s,
        logit, score in [0, 1], weight in [0, 1]."""
        return self._table("scores", "model_id, track_id, pts", record_id)

    def face_table(self, record_id: str) -> pd.DataFrame:
        """A row per face seen, by track and time: its box in displayed pixels, detection score and quality."""
        return self._table("frames", "track_id, pts", record_id)

    def notes(self, case_id: str, exhibit_id: str | None = None, *, withdrawn: bool = False) -> list[Note]:
        """Oldest first; all of the case where no exhibit is named. Those with a box or an interval are annotations
        (`Note.annotation`). With `withdrawn` also those that were revised or withdrawn."""
        with self._database.snapshot() as cursor:
            read_case(cursor, case_id)
            return read_notes(cursor, withdrawn=withdrawn, case_id=case_id, exhibit_id=exhibit_id)

    def events(self, case_id: str = STORE_CHAIN) -> list[Event]:
        """The log of a case, or the store's own without a case."""
        with self._database.read() as cursor:
            return read_events(cursor, case_id)

    def findings(self, case_id: str = STORE_CHAIN) -> tuple[Finding, ...]:
        """What was found changed behind the program's back, as the log of a case or the store's own says, oldest first;
        also what was acknowledged."""
        with self._database.read() as cursor:
            return read_findings(cursor, case_id)

    def refilings(self, case_id: str) -> tuple[Refiling, ...]:
        """The exhibits that were filed in other cases, as the log of a case says, oldest first."""
        with self._database.read() as cursor:
            return refilings(read_events(cursor, case_id))

    def head(self, case_id: str) -> Head:
        """The newest event of a case's log: what a report prints, and `verify` can be held against later."""
        with self._database.snapshot() as cursor:
            read_case(cursor, case_id)
            found = read_head(cursor, case_id)
        if found is None:
            raise StoreError(f"The case {case_id} has no log. Verify it, and compare with a backup.")
        return found

    def verify(
        self, case_id: str, *, known_heads: Sequence[str] = (), progress: Progress | None = None
    ) -> Verification:
        """Recompute the event chain, the records it vouches for and the hash of every file; names the first failure.
        `known_heads` are event hashes printed in earlier reports, which must still be in the log. `progress` is told
        the part done and the file at hand."""
        return verify_case(self._database, self.layout, self._anchor, case_id, known_heads, progress=progress)

    def verify_all(self, *, progress: Progress | None = None) -> StoreVerification:
        """`verify` every case and the store's own log, and look for rows and whole cases that were taken away.
        `progress` is told the part done and the case at hand."""
        return verify_store(self._database, self.layout, self._anchor, progress=progress)

    def _table(self, table: str, order: str, record_id: str) -> pd.DataFrame:
        self.record(record_id)
        with self._database.read() as cursor:
            query = f"SELECT * EXCLUDE (record_id) FROM {table} WHERE record_id = ? ORDER BY {order}"
            return cursor.execute(query, [record_id]).df()
