"""Writing notes: remarks of an examiner, which may have a place in a recording.

A note with a box drawn on its frame, or with an interval of time that begins there, is an annotation. What places it,
its versions and its withdrawal stand in a row of `note_marks` beside the note's own row, whose columns are sealed for
ever. Words are never changed in place: a revision is a note of its own that names the one before it, and a note that
was revised or withdrawn leaves the lists and stays in the record.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from detector.cases.database import insert, to_column, utc_now
from detector.cases.entries import record_entry, require_exhibit, require_open, storable
from detector.cases.records import read_exhibits, read_notes
from detector.cases.search_index import index_record
from detector.cases.types import Note
from detector.errors import StoreError

Box = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class NotePlace:
    """What a note is about; all None: the case. `pts` and `end_pts` are in the stream's time base, `box_xyxy_px` is
    left, top, right, bottom in pixels of the displayed frame (rotation applied), from its upper left corner."""

    exhibit_id: str | None = None
    track_id: int | None = None
    pts: int | None = None
    end_pts: int | None = None
    box_xyxy_px: Box | None = None


def insert_note(
    cursor: duckdb.DuckDBPyConnection,
    note_id: str,
    case_id: str,
    text: str,
    place: NotePlace,
    *,
    author: str,
    previous_id: str | None = None,
) -> None:
    """Add a note. Raises StoreError for an empty text, or for a place that the exhibit does not have."""
    if not text.strip():
        raise StoreError("A note needs some text; none was given.")
    require_open(cursor, case_id)
    if place.exhibit_id is not None:
        require_exhibit(cursor, case_id, place.exhibit_id)
    _require_sound(cursor, place)
    about = {"exhibit_id": place.exhibit_id, "track_id": place.track_id, "pts": place.pts}
    row = {"note_id": note_id, "case_id": case_id, **about, "text": storable(text), "author": author}
    insert(cursor, "notes", {**row, "created_at": to_column(utc_now())})
    record_entry(cursor, case_id, "note_added", "note", note_id, author, about)
    mark = _mark(note_id, case_id, place, previous_id)
    told = {name: mark[name] for name in ("end_pts", "box_xyxy_px", "previous_id") if mark[name] is not None}
    if told:
        insert(cursor, "note_marks", mark)
        record_entry(cursor, case_id, "note_marked", "note_mark", note_id, author, told)


def revise_note(cursor: duckdb.DuckDBPyConnection, note_id: str, new_id: str, text: str, *, author: str) -> None:
    """Put another note, with the same place, in the stead of one. Raises StoreError where that no longer stands."""
    before = _standing(cursor, note_id)
    place = NotePlace(before.exhibit_id, before.track_id, before.pts, before.end_pts, before.box_xyxy_px)
    insert_note(cursor, new_id, before.case_id, text, place, author=author, previous_id=note_id)
    _take_out(cursor, before, author, revised_by=new_id)


def withdraw_note(cursor: duckdb.DuckDBPyConnection, note_id: str, *, author: str) -> None:
    """Take a note out of the lists. Raises StoreError where it no longer stands."""
    before = _standing(cursor, note_id)
    require_open(cursor, before.case_id)
    _take_out(cursor, before, author)


def _standing(cursor: duckdb.DuckDBPyConnection, note_id: str) -> Note:
    found = read_notes(cursor, withdrawn=True, note_id=note_id)
    if not found:
        raise StoreError(f"There is no note {note_id!r} in this store.")
    if found[0].withdrawn_at is not None:
        raise StoreError(
            f"The note {note_id} was revised or withdrawn at {found[0].withdrawn_at:%Y-%m-%d %H:%M} UTC by "
            f"{found[0].withdrawn_by}. Nothing was changed; look at the notes that stand now."
        )
    return found[0]


def _take_out(cursor: duckdb.DuckDBPyConnection, note: Note, author: str, *, revised_by: str | None = None) -> None:
    cursor.execute("DELETE FROM note_marks WHERE note_id = ?", [note.note_id])
    gone = {"withdrawn_at": to_column(utc_now()), "withdrawn_by": author}
    insert(cursor, "note_marks", {**_mark(note.note_id, note.case_id, note, note.previous_id), **gone})
    index_record(cursor, "note", note.note_id)
    told = {"revised_by": revised_by} if revised_by else {}
    record_entry(cursor, note.case_id, "note_withdrawn", "note_mark", note.note_id, author, told)


def _mark(note_id: str, case_id: str, placed: NotePlace | Note, previous_id: str | None) -> dict[str, Any]:
    """The row of `note_marks`."""
    box = None if placed.box_xyxy_px is None else [float(value) for value in placed.box_xyxy_px]
    about = {"end_pts": placed.end_pts, "box_xyxy_px": box, "previous_id": previous_id}
    return {"note_id": note_id, "case_id": case_id, **about}


def _require_sound(cursor: duckdb.DuckDBPyConnection, place: NotePlace) -> None:
    if place.end_pts is None and place.box_xyxy_px is None:
        return
    if place.exhibit_id is None or place.pts is None:
        raise StoreError("A box or an interval belongs to a time of an exhibit; name the exhibit and the frame.")
    video = read_exhibits(cursor, Path(), exhibit_id=place.exhibit_id)[0].evidence.video
    if place.end_pts is not None and place.end_pts <= place.pts:
        ends = [float(pts * video.time_base) for pts in (place.pts, place.end_pts)]
        raise StoreError(f"An interval ends after it begins; this one goes from {ends[0]:.3f} s to {ends[1]:.3f} s.")
    if place.box_xyxy_px is not None:
        left, top, right, bottom = place.box_xyxy_px
        sound = all(map(math.isfinite, place.box_xyxy_px)) and 0 <= left < right and 0 <= top < bottom
        if not (sound and right <= video.width and bottom <= video.height):
            given = ", ".join(f"{value:g}" for value in place.box_xyxy_px)
            raise StoreError(
                f"A box lies within the frame of {video.width} × {video.height} pixels, with its right edge right of "
                f"its left one and its bottom below its top; left, top, right, bottom were {given}."
            )
