"""Lists of cases: search, filters, order and pages, answered from the short tables alone."""

from __future__ import annotations

import unicodedata
from collections.abc import Collection
from typing import Any

import duckdb

from detector.cases.blind_phase import opined_by, withheld_from
from detector.cases.database import rows, to_column
from detector.cases.records import CASES, case_from_row
from detector.cases.search_index import TEXTS, folded
from detector.cases.types import Case, CaseFilter, CasePage, CaseSummary, Facets, Hit, Order

_SHORTEST_HASH_PREFIX = 4  # a shorter run of hex digits is far more often part of a word
_ORDERS: dict[Order, str] = {
    "activity": "updated_at DESC, case_id DESC",
    "created": "created_at DESC, case_id DESC",
    "reference": "reference, case_id",
    "title": f"{folded('title')}, case_id",
}
_EXCERPT_CHARS = 120
_MOST_WORDS = 32
_NEWEST_LABELS = """SELECT case_id, exhibit_id, arg_max(label, record_id) AS label, max(record_id) AS record_id
    FROM analyses WHERE {among} GROUP BY case_id, exhibit_id"""


def read_page(
    cursor: duckdb.DuckDBPyConnection,
    search: str,
    wanted: CaseFilter,
    order: Order,
    limit: int,
    offset: int,
    reader: str = "",
) -> CasePage:
    """Every word of `search` must occur somewhere in the case's texts, ignoring letter case and accents, or begin the
    SHA-256 of one of its exhibits. What waits for a blind opinion of `reader` is not told."""
    with_opinion = opined_by(cursor, reader)
    conditions, values = _conditions(search, wanted, with_opinion)
    source = f"FROM ({CASES}) AS cases WHERE {conditions}"
    query = f"SELECT *, count(*) OVER () AS total {source} ORDER BY {_ORDERS[order]} LIMIT ? OFFSET ?"
    found = rows(cursor, query, [*values, limit, offset])
    # A page past the end has no row to tell the total.
    total = found[0]["total"] if found else cursor.execute(f"SELECT count(*) {source}", values).fetchall()[0][0]
    return CasePage(tuple(_summaries(cursor, [case_from_row(row) for row in found], with_opinion)), total)


def read_facets(cursor: duckdb.DuckDBPyConnection) -> Facets:
    """The values that cases can be filtered by, and how many cases have each."""

    def counted(expression: str, condition: str = "true") -> tuple[tuple[str, int], ...]:
        query = (
            f"SELECT value, count(*) FROM (SELECT {expression} AS value FROM ({CASES}) AS cases WHERE {condition}) "
            "AS found GROUP BY value ORDER BY count(*) DESC, value"
        )
        return tuple(cursor.execute(query).fetchall())

    return Facets(counted("status"), counted("unnest(tags)"), counted("examiner", "examiner <> ''"))


def read_hits(
    cursor: duckdb.DuckDBPyConnection, search: str, wanted: CaseFilter, limit: int, reader: str = ""
) -> list[Hit]:
    """The texts themselves, of the cases that `read_page` finds; most recently active cases first. Opinions on what
    waits for one of `reader` are left out."""
    words = _words(search)
    if not words:
        return []
    conditions, values = _conditions(search, wanted, opined_by(cursor, reader))
    cases = [
        case_from_row(row)
        for row in rows(
            cursor,
            f"SELECT * FROM ({CASES}) AS cases WHERE {conditions} ORDER BY {_ORDERS['activity']} LIMIT ?",
            [*values, limit],
        )
    ]
    if not cases:
        return []
    among = ", ".join("?" for _ in cases)
    any_word = " OR ".join(f"contains(folded, {folded('?')})" for _ in words)
    found = cursor.execute(
        f"SELECT kind, place FROM search_texts WHERE case_id IN ({among}) AND ({any_word}) ORDER BY ALL",
        [*(case.case_id for case in cases), *words],
    ).fetchall()
    texts = _texts(cursor, found)
    by_case: dict[str, list[Hit]] = {case.case_id: [] for case in cases}
    named = {case.case_id: case for case in cases}
    begun = [word.lower() for word in words if len(word) >= _SHORTEST_HASH_PREFIX]
    query = f"""SELECT case_id, exhibit_id, sha256 FROM exhibits WHERE case_id IN ({among})
        AND list_bool_or(list_transform(?::VARCHAR[], lambda word: starts_with(sha256, word))) ORDER BY exhibit_id"""
    for case_id, exhibit_id, sha256 in cursor.execute(query, [*named, begun]).fetchall():
        by_case[case_id].append(Hit(named[case_id], "hash", exhibit_id, exhibit_id, sha256))
    waiting = withheld_from(cursor, reader)
    for kind, place in found:
        if (kind, place) in texts:
            case_id, exhibit_id, text = texts[kind, place]
            if kind == "opinion" and exhibit_id in waiting:
                continue
            by_case[case_id].append(Hit(named[case_id], kind, place, exhibit_id, excerpt(text, words)))
    return [hit for case in cases for hit in by_case[case.case_id]][:limit]


def excerpt(text: str, words: list[str]) -> str:
    """At most 120 characters of the text around the first of the words that it holds, letter case and accents aside."""
    plain, places = "", []
    for index, character in enumerate(text):
        simple = _plain(character)
        plain += simple
        places += [index] * len(simple)
    starts = [start for word in words if (start := plain.find(_plain(word))) >= 0]
    first = places[min(starts)] if starts else 0
    begin = max(0, min(first - _EXCERPT_CHARS // 4, len(text) - _EXCERPT_CHARS))
    return text[begin : begin + _EXCERPT_CHARS]


def _words(search: str) -> list[str]:
    """The words that count: of a very long search the longest ones, which tell texts apart."""
    distinct = dict.fromkeys(search.split())
    return sorted(distinct, key=len, reverse=True)[:_MOST_WORDS]


def _plain(text: str) -> str:
    decomposed = unicodedata.normalize("NFD", text.lower())
    return "".join(character for character in decomposed if not unicodedata.combining(character))


def _texts(
    cursor: duckdb.DuckDBPyConnection, found: list[tuple[str, str]]
) -> dict[tuple[str, str], tuple[str, str | None, str]]:
    """(kind, place) -> (case, exhibit or None, text as it was written)."""
    placed = {"exhibit": "place", "exhibit_mark": "place", "receipt": "place"}
    joined = {"note": ("notes", "note_id"), "bookmark": ("bookmarks", "bookmark_id")}
    joined |= {"opinion": ("opinions", "opinion_id"), "truth": ("truths", "truth_id")}
    texts = {}
    for kind in {kind for kind, _ in found}:
        among = [place for other, place in found if other == kind]
        exhibit = placed.get(kind, "NULL")
        if kind in joined:
            table, key = joined[kind]
            exhibit = f"(SELECT exhibit_id FROM {table} WHERE {table}.{key} = texts.place)"
        query = (
            f"SELECT place, case_id, {exhibit} AS exhibit_id, text FROM ({TEXTS[kind]}) AS texts "
            f"WHERE place IN ({', '.join('?' for _ in among)})"
        )
        for place, case_id, exhibit_id, text in cursor.execute(query, among).fetchall():
            texts[kind, place] = (case_id, exhibit_id, text)
    return texts


def _conditions(search: str, wanted: CaseFilter, with_opinion: Collection[str] = ()) -> tuple[str, list[Any]]:
    conditions = ["true"]
    values: list[Any] = []

    def add(condition: str, *given: object) -> None:
        conditions.append(condition)
        values.extend(given)

    add(f"status IN ({', '.join('?' for _ in wanted.statuses)})" if wanted.statuses else "true", *wanted.statuses)
    for tag in wanted.tags:
        add("list_contains(tags, ?)", tag)
    if wanted.examiner:
        add(f"{folded('examiner')} = {folded('?')}", wanted.examiner)
    if wanted.favourite_of:
        add("list_contains(favourite_of, ?)", wanted.favourite_of)
    if wanted.created_from:
        add("created_at >= ?", to_column(wanted.created_from))
    if wanted.created_before:
        add("created_at < ?", to_column(wanted.created_before))
    if wanted.labels:
        placeholders = ", ".join("?" for _ in wanted.labels)
        newest = _NEWEST_LABELS.format(among="true")
        # A filter that found a conclusion which waits for a blind opinion would tell it.
        released = "blind_first = false OR list_contains(?::VARCHAR[], exhibit_id)"
        add(
            f"case_id IN (SELECT case_id FROM ({newest}) AS newest WHERE label IN ({placeholders}) AND ({released}))",
            *wanted.labels,
            list(with_opinion),
        )
    for word in _words(search):
        places = f"case_id IN (SELECT search_texts.case_id FROM search_texts WHERE contains(folded, {folded('?')}))"
        if len(word) >= _SHORTEST_HASH_PREFIX:
            hashes = "case_id IN (SELECT exhibits.case_id FROM exhibits WHERE starts_with(sha256, ?))"
            add(f"({places} OR {hashes})", word, word.lower())
        else:
            add(places, word)
    return " AND ".join(conditions), values


def _summaries(
    cursor: duckdb.DuckDBPyConnection, cases: list[Case], with_opinion: Collection[str]
) -> list[CaseSummary]:
    """A handful of queries however many cases there are."""
    if not cases:
        return []
    ids = [case.case_id for case in cases]
    among = f"case_id IN ({', '.join('?' for _ in ids)})"

    def grouped(query: str) -> dict[str, Any]:
        return dict(cursor.execute(query, ids).fetchall())

    counts = {
        table: grouped(f"SELECT case_id, count(*) FROM {table} WHERE {among} GROUP BY case_id")
        for table in ("analyses", "signatures")
    }
    standing = "note_id NOT IN (SELECT note_id FROM note_marks WHERE withdrawn_at IS NOT NULL)"
    notes = grouped(f"SELECT case_id, count(*) FROM notes WHERE {among} AND {standing} GROUP BY case_id")
    names = grouped(f"SELECT case_id, list(file_name ORDER BY number) FROM exhibits WHERE {among} GROUP BY case_id")
    newest = _NEWEST_LABELS.format(among=among)
    labels: dict[str, list[tuple[str, Any]]] = {}
    query = (
        f"SELECT newest.case_id, exhibit_id, label FROM ({newest}) AS newest JOIN exhibits USING (exhibit_id) "
        "ORDER BY newest.case_id, number"
    )
    for case_id, exhibit_id, label in cursor.execute(query, ids).fetchall():
        labels.setdefault(case_id, []).append((exhibit_id, label))
    summaries = []
    for case in cases:
        own = labels.get(case.case_id, [])
        shown = tuple(label for exhibit_id, label in own if not case.blind_first or exhibit_id in with_opinion)
        summaries.append(
            CaseSummary(
                case=case,
                exhibit_count=len(names.get(case.case_id, ())),
                analysis_count=counts["analyses"].get(case.case_id, 0),
                note_count=notes.get(case.case_id, 0),
                file_names=tuple(names.get(case.case_id, ())),
                labels=shown,
                labels_withheld=len(own) - len(shown),
                signed=counts["signatures"].get(case.case_id, 0),
            )
        )
    return summaries
