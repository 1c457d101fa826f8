"""Who may not be told scores yet: in a blind-first case each person waits until an opinion of their own is recorded.

Independent examination of the same item by several people is only that while none of them is told what the program,
or another, found (ENFSI and SWGDE ask for it of verification; Dror & Cole, "The vision in 'blind' justice", 2010).
"""

from __future__ import annotations

import duckdb

from detector.cases.statements import same_person

# Events whose details tell what models or other people found.
TELLING_ACTIONS = frozenset({"analysis_saved", "opinion_given"})


def opined_by(cursor: duckdb.DuckDBPyConnection, reader: str) -> frozenset[str]:
    """The exhibits of blind-first cases on which this person has recorded an opinion; none where `reader` is empty."""
    query = """SELECT DISTINCT exhibit_id, author FROM opinions JOIN case_states USING (case_id) WHERE blind_first"""
    found = cursor.execute(query).fetchall() if reader.strip() else []
    return frozenset(exhibit_id for exhibit_id, author in found if same_person(author, reader))


def withheld_from(cursor: duckdb.DuckDBPyConnection, reader: str, case_id: str | None = None) -> dict[str, str]:
    """exhibit id -> SHA-256 of its file, of the exhibits whose scores wait for this person's opinion: in one case, or
    in all."""
    among = "true" if case_id is None else "case_id = ?"
    query = f"""SELECT exhibit_id, sha256 FROM exhibits JOIN case_states USING (case_id)
        WHERE blind_first AND {among} ORDER BY exhibit_id"""
    waiting = dict(cursor.execute(query, [] if case_id is None else [case_id]).fetchall())
    done = opined_by(cursor, reader) if waiting else frozenset()
    return {exhibit_id: sha256 for exhibit_id, sha256 in waiting.items() if exhibit_id not in done}
