"""Search for what was seen before: the same file, alike pictures, the same encoder fingerprint, in all cases."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any

import duckdb

from detector.cases.codec import evidence_to_dict
from detector.cases.database import Database, insert, rows
from detector.cases.encoder_fingerprint import fingerprint_facts
from detector.cases.entries import record_entry
from detector.cases.home import Layout
from detector.cases.perceptual_hashes import perceptual_hashes
from detector.cases.records import read_exhibits
from detector.cases.types import Exhibit
from detector.errors import StoreError

# Of 64 bits; two unrelated pictures differ in 32 on average.
ALIKE_BITS = 10
_MOST_NAMED = 50
_WITHOUT_HASHES = "SELECT exhibit_id FROM exhibits ANTI JOIN exhibit_prints USING (exhibit_id)"


@dataclass(frozen=True, slots=True)
class Match:
    """Another exhibit that is like the one asked about. For alike pictures: `frames_alike` of the `frames_compared`
    frames of the one asked about have a counterpart in it, the nearest of which differs in `closest_bits` of 64."""

    exhibit_id: str
    case_id: str
    case_reference: str
    file_name: str
    sha256: str
    frames_alike: int = 0
    frames_compared: int = 0
    closest_bits: int | None = None


@dataclass(frozen=True, slots=True)
class SeenBefore:
    """`same_file`: byte for byte. `alike_pictures`: perceptual hashes of frames, most alike first; `problem` says why
    this file has none. `not_compared` exhibits have no hashes (yet). `same_encoder`: written by one kind of program
    with the same parameters, `fingerprint_count` exhibits of `exhibits_in_store` with this one; `fingerprint` is what
    they share. The lists of others name at most 50."""

    exhibit_id: str
    same_file: tuple[Match, ...]
    alike_pictures: tuple[Match, ...]
    same_encoder: tuple[Match, ...]
    fingerprint: tuple[tuple[str, str], ...]
    fingerprint_count: int
    exhibits_in_store: int
    not_compared: int
    problem: str


class SimilaritySearch:
    """Raises StoreError for an exhibit that the store does not hold."""

    def __init__(self, database: Database, layout: Layout, actor: str) -> None:
        self._database = database
        self._layout = layout
        self._actor = actor

    def fingerprint(self, exhibit_id: str) -> bool:
        """Take the perceptual hashes of an exhibit's frames, once; False where they were taken before. Decodes up to
        16 frames, which takes a second or so for HD video. A file that cannot be read is recorded as such."""
        exhibit = self._exhibit(exhibit_id)
        if self._has_hashes(exhibit_id):
            return False
        found = perceptual_hashes(exhibit.evidence)

        def change(cursor: duckdb.DuckDBPyConnection) -> bool:
            if cursor.execute("SELECT 1 FROM exhibit_prints WHERE exhibit_id = ?", [exhibit_id]).fetchone():
                return False  # another thread was first
            row = {"exhibit_id": exhibit_id, "case_id": exhibit.case_id, "problem": found.problem}
            insert(cursor, "exhibit_prints", {**row, "pts": list(found.pts), "hashes": list(found.hashes)})
            told = {"exhibit_id": exhibit_id, "frames": len(found.pts), "problem": found.problem}
            record_entry(cursor, exhibit.case_id, "exhibit_fingerprinted", "print", exhibit_id, self._actor, told)
            return True

        return self._database.write(change)

    def fingerprint_missing(self, limit: int = 100) -> int:
        """Take the hashes of exhibits that have none, oldest first; returns of how many."""
        query = f"{_WITHOUT_HASHES} ORDER BY exhibit_id LIMIT ?"
        with self._database.read() as cursor:
            ids = [found for (found,) in cursor.execute(query, [limit]).fetchall()]
        return sum(self.fingerprint(exhibit_id) for exhibit_id in ids)

    def seen_before(self, exhibit_id: str, *, decode: bool = True) -> SeenBefore:
        """Everything in the store that is like this exhibit, which is fingerprinted first if it was not. Without
        `decode` nothing is read but the database, in some milliseconds, and no alike pictures are found of an exhibit
        that has no hashes yet."""
        if decode:
            self.fingerprint(exhibit_id)
        exhibit = self._exhibit(exhibit_id)
        with self._database.snapshot() as cursor:
            prints = rows(cursor, "SELECT hashes, problem FROM exhibit_prints WHERE exhibit_id = ?", [exhibit_id])
            own: dict[str, Any] = prints[0] if prints else {"hashes": [], "problem": "its frames were not read yet"}
            in_store = cursor.execute("SELECT count(*) FROM exhibits").fetchall()[0][0]
            without = cursor.execute(f"SELECT count(*) FROM ({_WITHOUT_HASHES})").fetchall()[0][0]
            own_fingerprint = "SELECT family_sha256 FROM exhibit_families WHERE exhibit_id = ?"
            size = f"SELECT count(*) FROM exhibit_families WHERE family_sha256 = ({own_fingerprint})"
            return SeenBefore(
                exhibit_id=exhibit_id,
                same_file=_matches(
                    cursor, "SELECT exhibit_id FROM exhibits WHERE sha256 = ?", [exhibit.sha256], exhibit_id
                ),
                alike_pictures=_alike(cursor, exhibit_id, own["hashes"]),
                same_encoder=_matches(
                    cursor,
                    f"SELECT exhibit_id FROM exhibit_families WHERE family_sha256 = ({own_fingerprint})",
                    [exhibit_id],
                    exhibit_id,
                ),
                fingerprint=fingerprint_facts(json.loads(json.dumps(evidence_to_dict(exhibit.evidence), default=str))),
                fingerprint_count=cursor.execute(size, [exhibit_id]).fetchall()[0][0],
                exhibits_in_store=in_store,
                not_compared=without,
                problem=own["problem"],
            )

    def _has_hashes(self, exhibit_id: str) -> bool:
        with self._database.read() as cursor:
            query = "SELECT 1 FROM exhibit_prints WHERE exhibit_id = ?"
            return cursor.execute(query, [exhibit_id]).fetchone() is not None

    def _exhibit(self, exhibit_id: str) -> Exhibit:
        with self._database.snapshot() as cursor:
            found = read_exhibits(cursor, self._layout.evidence, exhibit_id=exhibit_id)
        if not found:
            raise StoreError(f"There is no exhibit {exhibit_id!r} in this store.")
        return found[0]


def _alike(cursor: duckdb.DuckDBPyConnection, exhibit_id: str, hashes: list[int]) -> tuple[Match, ...]:
    if not hashes:
        return ()
    # A single frame in common is chance or a title card; of a still there is only one.
    query = """
        WITH own AS (SELECT unnest(?::UBIGINT[]) AS hash, generate_subscripts(?::UBIGINT[], 1) AS place),
        others AS (SELECT exhibit_id, len(hashes) AS frames, unnest(hashes) AS hash FROM exhibit_prints
            WHERE exhibit_id <> ?),
        near AS (SELECT exhibit_id, frames, place, bit_count(xor(own.hash, others.hash)) AS bits
            FROM own JOIN others ON bit_count(xor(own.hash, others.hash)) <= ?)
        SELECT exhibit_id, count(DISTINCT place) AS alike, min(bits) FROM near GROUP BY exhibit_id
        HAVING alike >= least(2, any_value(frames), ?) ORDER BY alike DESC, min(bits), exhibit_id LIMIT ?
    """
    values = [hashes, hashes, exhibit_id, ALIKE_BITS, len(hashes), _MOST_NAMED]
    found = cursor.execute(query, values).fetchall()
    named = {match.exhibit_id: match for match in _named(cursor, [other for other, _, _ in found])}
    return tuple(
        replace(named[other], frames_alike=alike, frames_compared=len(hashes), closest_bits=bits)
        for other, alike, bits in found
    )


def _matches(cursor: duckdb.DuckDBPyConnection, query: str, values: list[Any], exhibit_id: str) -> tuple[Match, ...]:
    """The exhibits a query names, but not the one asked about, newest first."""
    query = f"SELECT exhibit_id FROM ({query}) AS found WHERE exhibit_id <> ? ORDER BY exhibit_id DESC LIMIT ?"
    return tuple(
        _named(cursor, [found for (found,) in cursor.execute(query, [*values, exhibit_id, _MOST_NAMED]).fetchall()])
    )


def _named(cursor: duckdb.DuckDBPyConnection, ids: list[str]) -> list[Match]:
    if not ids:
        return []
    query = f"""SELECT exhibit_id, case_id, reference AS case_reference, file_name, sha256
        FROM exhibits JOIN cases USING (case_id) WHERE exhibit_id IN ({", ".join("?" for _ in ids)})
        ORDER BY exhibit_id DESC"""
    return [Match(**row) for row in rows(cursor, query, ids)]
