"""The repository of people's statements, and of who was shown what before they made them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import TypeVar

import duckdb

from detector.cases.blind_phase import withheld_from
from detector.cases.chain import PASSIVE_ACTIONS, append_event, read_events, read_head
from detector.cases.codec import canonical
from detector.cases.database import Database, insert, to_column, utc_now
from detector.cases.entries import case_of, record_entry, require_exhibit, require_open, storable
from detector.cases.home import Layout
from detector.cases.identifiers import new_id
from detector.cases.records import read_analyses, read_case, read_rows
from detector.cases.refiling import TAKEN_OVER, refilings
from detector.cases.statements import (
    ROLES,
    TRUTHS,
    VERDICTS,
    GroundTruth,
    LabelledAnalysis,
    Opinion,
    Role,
    Signature,
    SignOff,
    Truth,
    Verdict,
    same_person,
)
from detector.cases.types import Verification
from detector.errors import StoreError

T = TypeVar("T")

# A page is drawn anew at every click: within this time it is the same view.
VIEW_REPEAT = timedelta(minutes=30)
# Whoever caused one of these was shown scores: of one exhibit where the event names one, else of the whole case.
_SHOWS_SCORES = ("scores_viewed", "case_exported", "report_rendered")


class StatementRepository:
    """Opinions, ground truth, signatures, and views. `author` is who states it, by default who opened the store.
    Nothing here is edited or removed: the newest statement counts, the older ones stay. Every method raises StoreError
    for ids that the store does not hold, and for an archived case (ground truth and views excepted)."""

    def __init__(self, database: Database, layout: Layout, actor: str, verify: Callable[[str], Verification]) -> None:
        self._database = database
        self._layout = layout
        self._actor = actor
        self._verify = verify

    def record_view(
        self,
        case_id: str,
        *,
        exhibit_id: str | None = None,
        record_id: str | None = None,
        scores: bool = False,
        author: str = "",
    ) -> bool:
        """Record that someone was shown a case, an exhibit or, with `scores`, what models said of it. The same view
        again within half an hour is not recorded anew: then False."""
        action = "scores_viewed" if scores else "exhibit_viewed" if exhibit_id else "case_viewed"
        details = {"exhibit_id": exhibit_id, "record_id": record_id}
        told = {name: value for name, value in details.items() if value is not None}
        who = self._who(author)

        def change(cursor: duckdb.DuckDBPyConnection) -> bool:
            read_case(cursor, case_id)
            if exhibit_id is not None:
                require_exhibit(cursor, case_id, exhibit_id)
            return _record_once(cursor, case_id, action, who, told)

        return self._database.write(change)

    def record_scores_shown(self, exhibit_ids: Sequence[str], *, author: str = "") -> None:
        """Record that a list told someone what models said of these exhibits: as `record_view` with `scores`, one
        event an exhibit, in one transaction."""
        who = self._who(author)

        def change(cursor: duckdb.DuckDBPyConnection) -> None:
            for exhibit_id in exhibit_ids:
                told = {"exhibit_id": exhibit_id}
                _record_once(cursor, case_of(cursor, exhibit_id), "scores_viewed", who, told)

        if exhibit_ids:
            self._database.write(change)

    def scores_opened_by(self, exhibit_id: str) -> tuple[str, ...]:
        """Everyone to whom the log says that scores of this exhibit's file were shown, in this case or another."""
        with self._database.read() as cursor:
            return read_scores_opened_by(cursor, case_of(cursor, exhibit_id), exhibit_id)

    def scores_withheld(self, exhibit_id: str, reader: str) -> bool:
        """Whether the scores of this exhibit must not be told to `reader` (empty: who opened the store) yet: its case
        is blind-first and they have recorded no opinion on it, whatever others did."""
        return exhibit_id in self.withheld_in(self._read(lambda cursor: case_of(cursor, exhibit_id)), reader)

    def withheld_in(self, case_id: str, reader: str) -> frozenset[str]:
        """The exhibits of a case whose scores must not be told to `reader` yet (`scores_withheld`)."""
        return self._read(lambda cursor: frozenset(withheld_from(cursor, self._who(reader), case_id)), case_id)

    def withheld_in_log(self, case_id: str, reader: str) -> frozenset[str]:
        """The exhibits that a case's log tells of and whose scores must not be told to `reader` yet: those of the case,
        and those that were filed in another case and wait there."""

        def read(cursor: duckdb.DuckDBPyConnection) -> frozenset[str]:
            own = withheld_from(cursor, self._who(reader), case_id)
            gone = {one.exhibit_id for one in refilings(read_events(cursor, case_id))}
            return frozenset(own) | (gone & withheld_from(cursor, self._who(reader)).keys() if gone else set())

        return self._read(read, case_id)

    def withheld_files(self, reader: str) -> frozenset[str]:
        """SHA-256 of every file whose scores must not be told to `reader` yet, in whatever case (`scores_withheld`)."""
        return self._read(lambda cursor: frozenset(withheld_from(cursor, self._who(reader)).values()))

    def files_without_opinion(self) -> frozenset[str]:
        """SHA-256 of every file of a blind-first case on which nobody has recorded an opinion: statistics over many
        files, which tell no single one's score, leave these out whoever reads them."""
        query = """
            SELECT sha256 FROM exhibits JOIN case_states USING (case_id)
            WHERE blind_first AND exhibit_id NOT IN (SELECT opinions.exhibit_id FROM opinions)
        """
        return self._read(lambda cursor: frozenset(sha256 for (sha256,) in cursor.execute(query).fetchall()))

    def give_opinion(self, exhibit_id: str, verdict: Verdict, text: str = "", *, author: str = "") -> Opinion:
        """Record an opinion together with what the log says of who had seen scores by then."""
        _require_one_of("An opinion", verdict, VERDICTS)
        new, who = new_id("p"), self._who(author)

        def change(cursor: duckdb.DuckDBPyConnection) -> None:
            case_id = case_of(cursor, exhibit_id)
            require_open(cursor, case_id)
            query = "SELECT count(*) FROM analyses WHERE exhibit_id = ?"
            told = {
                "exhibit_id": exhibit_id,
                "verdict": verdict,
                "analyses_before": cursor.execute(query, [exhibit_id]).fetchall()[0][0],
                "scores_opened_by": list(read_scores_opened_by(cursor, case_id, exhibit_id)),
            }
            row = {"opinion_id": new, "case_id": case_id, "text": storable(text), "author": who, **told}
            insert(cursor, "opinions", {**row, "created_at": to_column(utc_now())})
            record_entry(cursor, case_id, "opinion_given", "opinion", new, who, told)

        self._database.write(change)
        return self._read(lambda cursor: _opinions(cursor, opinion_id=new))[0]

    def opinions(self, case_id: str, exhibit_id: str | None = None) -> list[Opinion]:
        """Oldest first; of the whole case where no exhibit is named."""
        return self._read(lambda cursor: _opinions(cursor, case_id=case_id, exhibit_id=exhibit_id), case_id)

    def record_truth(
        self, exhibit_id: str, truth: Truth, source: str, *, method: str = "", author: str = ""
    ) -> GroundTruth:
        """Record what an exhibit turned out to be and how that is known; also of an archived case."""
        _require_one_of("Ground truth", truth, TRUTHS)
        if not source.strip():
            raise StoreError("Ground truth needs its source: how is it known? Nothing was recorded.")
        new, who = new_id("t"), self._who(author)

        def change(cursor: duckdb.DuckDBPyConnection) -> None:
            case_id = case_of(cursor, exhibit_id)
            told = {"exhibit_id": exhibit_id, "truth": truth, "source": storable(source), "method": storable(method)}
            row = {"truth_id": new, "case_id": case_id, "author": who, **told}
            insert(cursor, "truths", {**row, "created_at": to_column(utc_now())})
            record_entry(cursor, case_id, "truth_recorded", "truth", new, who, told)

        self._database.write(change)
        return self._read(lambda cursor: _truths(cursor, truth_id=new))[0]

    def truths(self, case_id: str, exhibit_id: str | None = None) -> list[GroundTruth]:
        """Oldest first: of each exhibit the last one counts."""
        return self._read(lambda cursor: _truths(cursor, case_id=case_id, exhibit_id=exhibit_id), case_id)

    def files_with_truth(self) -> frozenset[str]:
        """SHA-256 of every file whose truth is recorded, and not withdrawn, for one of its exhibits at least."""
        query = """
            SELECT sha256 FROM exhibits JOIN truths USING (exhibit_id)
            GROUP BY exhibits.exhibit_id, sha256 HAVING arg_max(truth, truth_id) <> 'unknown'
        """
        return self._read(lambda cursor: frozenset(sha256 for (sha256,) in cursor.execute(query).fetchall()))

    def labelled_analyses(self, *, closed_only: bool = False) -> list[LabelledAnalysis]:
        """Every analysis in the store of an exhibit whose truth is known, for calibration; the same file and analysis
        recorded in several cases comes once. `closed_only`: of exhibits in closed cases."""

        def read(cursor: duckdb.DuckDBPyConnection) -> list[LabelledAnalysis]:
            newest = {found.exhibit_id: found for found in _truths(cursor)}
            files = dict(cursor.execute("SELECT exhibit_id, sha256 FROM exhibits").fetchall()) if newest else {}
            said: dict[str, set[str]] = {}
            for exhibit_id, found in newest.items():
                if found.truth != "unknown":
                    said.setdefault(files[exhibit_id], set()).add(found.truth)
            query = "SELECT case_id FROM case_states WHERE status = 'closed'"
            closed = {case_id for (case_id,) in cursor.execute(query).fetchall()}
            once: dict[tuple[str, str], LabelledAnalysis] = {}
            for exhibit_id, found in newest.items():
                if found.truth == "unknown" or (closed_only and found.case_id not in closed):
                    continue
                sha256 = files[exhibit_id]
                for record in read_analyses(cursor, self._layout.artefacts, exhibit_id=exhibit_id):
                    labelled = LabelledAnalysis(found, record, sha256, len(said[sha256]) > 1)
                    once.setdefault((sha256, record.analysis_id), labelled)
            return list(once.values())

        return self._read(read)

    def sign(self, case_id: str, role: Role, statement: str, *, author: str = "") -> Signature:
        """Stand for the case as its log is now. The case must verify; a second examiner must be another person than the
        examiner, who signs first."""
        _require_one_of("A signature", role, ROLES)
        if not statement.strip():
            raise StoreError("A signature needs a statement of what it stands for; none was given.")
        outcome = self._verify(case_id)
        if not outcome.ok:
            raise StoreError(f"The case {case_id} does not verify and was not signed. {outcome.problem}")
        new, who = new_id("s"), self._who(author)

        def change(cursor: duckdb.DuckDBPyConnection) -> None:
            require_open(cursor, case_id)
            first = _newest(_signatures(cursor, case_id=case_id), "examiner")
            if role == "second_examiner" and first is None:
                raise StoreError("The second examiner signs after the examiner, who has not signed yet.")
            if role == "second_examiner" and first is not None and same_person(first.author, who):
                raise StoreError(f"{who} signed as the examiner; the second examiner must be another person.")
            head = read_head(cursor, case_id)
            assert head is not None  # a case begins with an event
            if outcome.head is None or head.event_hash != outcome.head.event_hash:
                raise StoreError("The case changed while it was being verified; it was not signed. Sign again.")
            told = {"role": role, "head_sequence": head.sequence, "head_hash": head.event_hash}
            row = {"signature_id": new, "case_id": case_id, "statement": storable(statement), "author": who, **told}
            insert(cursor, "signatures", {**row, "created_at": to_column(utc_now())})
            record_entry(cursor, case_id, "signed", "signature", new, who, told)

        self._database.write(change)
        return self._read(lambda cursor: _signatures(cursor, signature_id=new))[0]

    def signatures(self, case_id: str) -> list[Signature]:
        """Oldest first."""
        return self._read(lambda cursor: _signatures(cursor, case_id=case_id), case_id)

    def sign_off(self, case_id: str) -> SignOff:
        """The signatures that stand for the case, and what was changed since."""

        def read(cursor: duckdb.DuckDBPyConnection) -> SignOff:
            found = _signatures(cursor, case_id=case_id)
            first = _newest(found, "examiner")
            others = [one for one in found if first is not None and not same_person(one.author, first.author)]
            second = _newest(others, "second_examiner")
            since = min((one.head_sequence for one in (first, second) if one is not None), default=None)
            later = [event for event in read_events(cursor, case_id) if since is not None and event.sequence > since]
            return SignOff(
                first, second, tuple(e.action for e in later if e.action not in PASSIVE_ACTIONS | {"signed"})
            )

        return self._read(read, case_id)

    def _who(self, author: str) -> str:
        return storable(author) or self._actor

    def _read(self, read: Callable[[duckdb.DuckDBPyConnection], T], case_id: str | None = None) -> T:
        with self._database.snapshot() as cursor:
            if case_id is not None:
                read_case(cursor, case_id)
            return read(cursor)


def _record_once(cursor: duckdb.DuckDBPyConnection, case_id: str, action: str, who: str, told: dict[str, str]) -> bool:
    """Add the event of a view, unless the same view is on record within the last half hour."""
    same = "case_id = ? AND action = ? AND actor = ? AND details_json = ? AND at_utc > ?"
    values = [case_id, action, who, canonical(told), to_column(utc_now() - VIEW_REPEAT)]
    if cursor.execute(f"SELECT 1 FROM events WHERE {same}", values).fetchone():
        return False
    append_event(cursor, case_id, action, who, told)
    return True


def read_scores_opened_by(cursor: duckdb.DuckDBPyConnection, case_id: str, exhibit_id: str) -> tuple[str, ...]:
    """Everyone to whom the logs say that scores of this exhibit's file were shown, the first one first."""
    placeholders = ", ".join("?" for _ in _SHOWS_SCORES)
    # Of an exhibit that came from another case: what that one's log said by then, and what was shown here since.
    query = f"""
        WITH own AS (SELECT exhibits.* FROM exhibits
            WHERE sha256 = (SELECT sha256 FROM exhibits AS one WHERE one.exhibit_id = ? AND one.case_id = ?)),
        came AS (SELECT own.exhibit_id, events.sequence, events.at_utc, events.details_json FROM own
            JOIN events ON events.case_id = own.case_id AND action = '{TAKEN_OVER}'
            AND events.details_json ->> '$.exhibit_id' = own.exhibit_id),
        shown AS (
            SELECT events.actor, at_utc FROM events
            JOIN own ON own.case_id = events.case_id
                AND coalesce(details_json ->> '$.exhibit_id', own.exhibit_id) = own.exhibit_id
            WHERE action IN ({placeholders})
                AND EXISTS (SELECT 1 FROM analyses
                    WHERE analyses.exhibit_id = own.exhibit_id AND analyses.created_at <= events.at_utc)
                AND events.sequence >
                    coalesce((SELECT max(sequence) FROM came WHERE came.exhibit_id = own.exhibit_id), 0)
            UNION ALL
            SELECT unnest(CAST(details_json -> '$.scores_opened_by' AS VARCHAR[])), at_utc FROM came)
        SELECT actor, min(at_utc) FROM shown GROUP BY actor ORDER BY min(at_utc), actor
    """
    return tuple(actor for actor, _ in cursor.execute(query, [exhibit_id, case_id, *_SHOWS_SCORES]).fetchall())


def _opinions(cursor: duckdb.DuckDBPyConnection, **wanted: str | None) -> list[Opinion]:
    found = read_rows(cursor, "opinions", "opinion_id", **wanted)
    return [Opinion(**{**row, "scores_opened_by": tuple(row["scores_opened_by"])}) for row in found]


def _truths(cursor: duckdb.DuckDBPyConnection, **wanted: str | None) -> list[GroundTruth]:
    return [GroundTruth(**row) for row in read_rows(cursor, "truths", "truth_id", **wanted)]


def _signatures(cursor: duckdb.DuckDBPyConnection, **wanted: str | None) -> list[Signature]:
    return [Signature(**row) for row in read_rows(cursor, "signatures", "signature_id", **wanted)]


def _newest(found: Sequence[Signature], role: Role) -> Signature | None:
    return next((one for one in reversed(found) if one.role == role), None)


def _require_one_of(what: str, value: str, known: Sequence[str]) -> None:
    if value not in known:
        raise StoreError(f"{what} is one of {', '.join(known)}; {value!r} is none of them.")
