"""Metadata that keep a case in order: its status, tags and stars, who asked what of whom, names for its exhibits and
how they came, and bookmarks in them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import duckdb

from detector.cases.database import Database, insert, rows, to_column, utc_now
from detector.cases.entries import case_of, record_entry, require_exhibit, require_open, storable
from detector.cases.identifiers import new_id
from detector.cases.records import read_bookmarks, read_case
from detector.cases.types import CURRENT, Bookmark, Case, Status
from detector.errors import StoreError


class CaseMetadata:
    """Every change is one transaction and one event in the case's log. `author` is by default who opened the store.
    Cases are never deleted, only archived. Every method raises StoreError for ids that the store does not hold."""

    def __init__(self, database: Database, actor: str) -> None:
        self._database = database
        self._actor = actor

    def set_status(self, case_id: str, status: Status, *, reason: str = "", author: str = "") -> Case:
        """Between open, in_review and closed. `archive` and `reopen` lead into and out of the archive."""
        if status not in CURRENT:
            raise StoreError(f"A case's status is one of {', '.join(CURRENT)}; use archive for {status!r}.")

        def change(cursor: duckdb.DuckDBPyConnection) -> dict[str, Any]:
            require_open(cursor, case_id)
            return {"status": status, "status_reason": storable(reason)}

        return self._change(case_id, "status_changed", change, author)

    def archive(self, case_id: str, reason: str, *, author: str = "") -> Case:
        """Take a case out of the lists; nothing of it is deleted, and nothing is added until it is reopened."""
        _require_reason(reason)

        def change(cursor: duckdb.DuckDBPyConnection) -> dict[str, Any]:
            require_open(cursor, case_id)
            return {"status": "archived", "status_reason": storable(reason)}

        return self._change(case_id, "case_archived", change, author)

    def reopen(self, case_id: str, reason: str, *, author: str = "") -> Case:
        """Bring an archived or closed case back."""
        _require_reason(reason)
        return self._change(
            case_id, "case_reopened", lambda _: {"status": "open", "status_reason": storable(reason)}, author
        )

    def set_tags(self, case_id: str, tags: Sequence[str], *, author: str = "") -> Case:
        """Exactly these tags, without outer spaces, empty ones and repeats, in alphabetical order."""

        def change(cursor: duckdb.DuckDBPyConnection) -> dict[str, Any]:
            require_open(cursor, case_id)
            return {"tags": sorted({storable(tag) for tag in tags} - {""})}

        return self._change(case_id, "tags_changed", change, author)

    def set_blind_first(self, case_id: str, blind_first: bool, *, author: str = "") -> Case:
        """Whether scores of this case's exhibits wait for an opinion of whoever would be told
        (`StatementRepository.scores_withheld`)."""

        def change(cursor: duckdb.DuckDBPyConnection) -> dict[str, Any]:
            require_open(cursor, case_id)
            return {"blind_first": blind_first}

        return self._change(case_id, "blind_first_changed", change, author)

    def set_favourite(self, case_id: str, favourite: bool, *, author: str = "") -> Case:
        """Star a case, or take the star away; each person has their own."""
        who = storable(author) or self._actor

        def change(cursor: duckdb.DuckDBPyConnection) -> dict[str, Any]:
            others = set(read_case(cursor, case_id).favourite_of) - {who}
            return {"favourite_of": sorted(others | ({who} if favourite else set()))}

        return self._change(case_id, "favourite_changed", change, author)

    def set_mandate(
        self, case_id: str, *, laboratory: str = "", client: str = "", question: str = "", author: str = ""
    ) -> Case:
        """Which laboratory examines for which client, and the question in the client's words; each may be empty."""
        who = storable(author) or self._actor
        told = {"laboratory": storable(laboratory), "client": storable(client), "question": storable(question)}

        def change(cursor: duckdb.DuckDBPyConnection) -> Case:
            case = require_open(cursor, case_id)
            before = {"laboratory": case.laboratory, "client": case.client, "question": case.question}
            if before == told:
                return case
            cursor.execute("DELETE FROM mandates WHERE case_id = ?", [case_id])
            insert(cursor, "mandates", {"case_id": case_id, **told})
            record_entry(cursor, case_id, "mandate_changed", "mandate", case_id, who, {**told, "before": before})
            return read_case(cursor, case_id)

        return self._database.write(change)

    def record_receipt(
        self,
        exhibit_id: str,
        *,
        received_from: str = "",
        received_how: str = "",
        received_when: str = "",
        author: str = "",
    ) -> None:
        """Who handed an exhibit in, on what way (a sealed bag, an upload, a link) and when, in words."""
        who = storable(author) or self._actor
        told = {
            "received_from": storable(received_from),
            "received_how": storable(received_how),
            "received_when": storable(received_when),
        }

        def change(cursor: duckdb.DuckDBPyConnection) -> None:
            case_id = case_of(cursor, exhibit_id)
            require_open(cursor, case_id)
            query = "SELECT received_from, received_how, received_when FROM receipts WHERE exhibit_id = ?"
            before = rows(cursor, query, [exhibit_id])
            if (before[0] if before else dict.fromkeys(told, "")) == told:
                return
            cursor.execute("DELETE FROM receipts WHERE exhibit_id = ?", [exhibit_id])
            insert(cursor, "receipts", {"exhibit_id": exhibit_id, "case_id": case_id, **told})
            details = {"exhibit_id": exhibit_id, **told, "before": before[0] if before else None}
            record_entry(cursor, case_id, "receipt_recorded", "receipt", exhibit_id, who, details)

        self._database.write(change)

    def name_exhibit(self, exhibit_id: str, *, reference: str = "", description: str = "", author: str = "") -> None:
        """Give an exhibit the laboratory's reference and a description (what it is, who handed it in). An empty
        reference means E<number>. Two exhibits of a case cannot share a reference."""
        who = storable(author) or self._actor
        named = {"reference": storable(reference), "description": storable(description)}

        def change(cursor: duckdb.DuckDBPyConnection) -> None:
            case_id = case_of(cursor, exhibit_id)
            require_open(cursor, case_id)
            if named["reference"] in _other_references(cursor, case_id, exhibit_id):
                raise StoreError(f"Another exhibit of the case has the reference {named['reference']!r}.")
            before = rows(cursor, "SELECT reference, description FROM exhibit_marks WHERE exhibit_id = ?", [exhibit_id])
            if before and before[0] == named:
                return
            cursor.execute("DELETE FROM exhibit_marks WHERE exhibit_id = ?", [exhibit_id])
            insert(cursor, "exhibit_marks", {"exhibit_id": exhibit_id, "case_id": case_id, **named})
            told = {"exhibit_id": exhibit_id, **named, "before": before[0] if before else None}
            record_entry(cursor, case_id, "exhibit_named", "exhibit_mark", exhibit_id, who, told)

        self._database.write(change)

    def add_bookmark(
        self, exhibit_id: str, *, track_id: int | None = None, pts: int | None = None, text: str = "", author: str = ""
    ) -> Bookmark:
        """Mark an exhibit, one face track of it, or the frame at `pts` (in the stream's time base)."""
        new, who = new_id("k"), storable(author) or self._actor
        place = {"exhibit_id": exhibit_id, "track_id": track_id, "pts": pts}

        def change(cursor: duckdb.DuckDBPyConnection) -> str:
            case_id = case_of(cursor, exhibit_id)
            require_open(cursor, case_id)
            row = {"bookmark_id": new, "case_id": case_id, **place, "text": storable(text), "author": who}
            insert(cursor, "bookmarks", {**row, "created_at": to_column(utc_now())})
            record_entry(cursor, case_id, "bookmark_added", "bookmark", new, who, place)
            return case_id

        case_id = self._database.write(change)
        return next(found for found in self.bookmarks(case_id, exhibit_id) if found.bookmark_id == new)

    def remove_bookmark(self, bookmark_id: str, *, author: str = "") -> None:
        """Take a bookmark out of the lists; its row and the events stay. Removing it again changes nothing."""
        who = storable(author) or self._actor

        def change(cursor: duckdb.DuckDBPyConnection) -> None:
            found = rows(cursor, "SELECT case_id, removed_at FROM bookmarks WHERE bookmark_id = ?", [bookmark_id])
            if not found:
                raise StoreError(f"There is no bookmark {bookmark_id!r} in this store.")
            if found[0]["removed_at"] is not None:
                return
            require_open(cursor, found[0]["case_id"])
            now = to_column(utc_now())
            cursor.execute("UPDATE bookmarks SET removed_at = ? WHERE bookmark_id = ?", [now, bookmark_id])
            record_entry(cursor, found[0]["case_id"], "bookmark_removed", "bookmark", bookmark_id, who, {})

        self._database.write(change)

    def bookmarks(self, case_id: str, exhibit_id: str | None = None) -> list[Bookmark]:
        """Oldest first; of the whole case where no exhibit is named."""
        with self._database.snapshot() as cursor:
            read_case(cursor, case_id)
            if exhibit_id is not None:
                require_exhibit(cursor, case_id, exhibit_id)
            return read_bookmarks(cursor, case_id=case_id, exhibit_id=exhibit_id)

    def _change(
        self, case_id: str, action: str, wanted: Callable[[duckdb.DuckDBPyConnection], dict[str, Any]], author: str
    ) -> Case:
        """Put new values into the case's state; what is as it was already is no event."""
        who = storable(author) or self._actor

        def change(cursor: duckdb.DuckDBPyConnection) -> Case:
            case = read_case(cursor, case_id)
            before = {
                "status": case.status,
                "status_reason": case.status_reason,
                "tags": list(case.tags),
                "favourite_of": list(case.favourite_of),
                "blind_first": case.blind_first,
            }
            after = {**before, **wanted(cursor)}
            changes = {
                name: {"before": before[name], "after": after[name]} for name in after if before[name] != after[name]
            }
            if not changes:
                return case
            cursor.execute("DELETE FROM case_states WHERE case_id = ?", [case_id])
            insert(cursor, "case_states", {"case_id": case_id, **after})
            record_entry(cursor, case_id, action, "state", case_id, who, changes)
            return read_case(cursor, case_id)

        return self._database.write(change)


def _other_references(cursor: duckdb.DuckDBPyConnection, case_id: str, exhibit_id: str) -> set[str]:
    query = """SELECT coalesce(nullif(reference, ''), 'E' || number) FROM exhibits
        LEFT JOIN exhibit_marks USING (exhibit_id) WHERE exhibits.case_id = ? AND exhibit_id <> ?"""
    return {found for (found,) in cursor.execute(query, [case_id, exhibit_id]).fetchall()}


def _require_reason(reason: str) -> None:
    if not reason.strip():
        raise StoreError("A reason is needed, and is kept in the log; none was given. Nothing was changed.")
