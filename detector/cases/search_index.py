"""Full-text search without an extension to download: every text of a case, folded, one row a record.

A search reads the folded texts from end to end, which DuckDB does at hundreds of megabytes a second; unlike an index of
words it finds parts of words, file names and numbers. The rows are derived: they are written with the record they
belong to, and `text_problem` compares them with what the records say.
"""

from __future__ import annotations

import duckdb

# kind of record -> its texts as (case_id, place, text); `place` is the id of the record
TEXTS: dict[str, str] = {
    "case": """SELECT case_id, case_id AS place, concat_ws(chr(10), title, reference, examiner, case_id) AS text
        FROM cases""",
    "state": """SELECT case_id, case_id AS place, concat_ws(chr(10), array_to_string(tags, chr(10)), status_reason)
        AS text FROM case_states""",
    "exhibit": "SELECT case_id, exhibit_id AS place, file_name AS text FROM exhibits",
    "exhibit_mark": """SELECT case_id, exhibit_id AS place, concat_ws(chr(10), reference, description) AS text
        FROM exhibit_marks""",
    "mandate": """SELECT case_id, case_id AS place, concat_ws(chr(10), laboratory, client, question) AS text
        FROM mandates""",
    "receipt": """SELECT case_id, exhibit_id AS place,
        concat_ws(chr(10), received_from, received_how, received_when) AS text FROM receipts""",
    "note": """SELECT case_id, note_id AS place, text FROM notes
        WHERE note_id NOT IN (SELECT note_id FROM note_marks WHERE withdrawn_at IS NOT NULL)""",
    "bookmark": "SELECT case_id, bookmark_id AS place, text FROM bookmarks WHERE removed_at IS NULL",
    "opinion": "SELECT case_id, opinion_id AS place, text FROM opinions",
    "truth": "SELECT case_id, truth_id AS place, concat_ws(chr(10), source, method) AS text FROM truths",
    "signature": "SELECT case_id, signature_id AS place, statement AS text FROM signatures",
}


def folded(expression: str) -> str:
    """SQL for a text without letter case and accents, as searches compare them."""
    # strip_accents reads no further than a NUL.
    return f"strip_accents(lower(replace({expression}, chr(0), ' ')))"


def index_record(cursor: duckdb.DuckDBPyConnection, kind: str, place: str) -> None:
    """Bring the texts of one record up to date; a kind of record without texts is none of this module's business."""
    if kind not in TEXTS:
        return
    cursor.execute("DELETE FROM search_texts WHERE kind = ? AND place = ?", [kind, place])
    cursor.execute(f"INSERT INTO search_texts {_folded_rows(kind)} WHERE place = ?", [place])


def index_case(cursor: duckdb.DuckDBPyConnection, case_id: str) -> None:
    """The texts of a case that had none here."""
    for kind in TEXTS:
        cursor.execute(f"INSERT INTO search_texts {_folded_rows(kind)} WHERE case_id = ?", [case_id])


def index_everything(cursor: duckdb.DuckDBPyConnection) -> None:
    """The texts of a store that had none here."""
    for kind in TEXTS:
        cursor.execute(f"INSERT INTO search_texts {_folded_rows(kind)}")


def text_problem(cursor: duckdb.DuckDBPyConnection, case_id: str) -> str | None:
    """The first record of a case that a search would not find by its own words, or would by others."""
    expected = " UNION ALL ".join(f"({_folded_rows(kind)} WHERE case_id = $case)" for kind in TEXTS)
    held = "SELECT * FROM search_texts WHERE case_id = $case"
    query = f"(({expected}) EXCEPT ALL ({held})) UNION ALL (({held}) EXCEPT ALL ({expected})) ORDER BY ALL LIMIT 1"
    found = cursor.execute(query, {"case": case_id}).fetchone()
    return None if found is None else f"The search text of the {found[1]} {found[2]} is not what the record says."


def _folded_rows(kind: str) -> str:
    return f"SELECT case_id, '{kind}' AS kind, place, {folded('text')} AS folded FROM ({TEXTS[kind]}) AS texts"
