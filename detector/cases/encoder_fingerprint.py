"""Encoder fingerprints: a digest of what a file's container and streams say about the program that wrote it.

Two files with one fingerprint were written by the same kind of encoder with the same stream parameters. That is weak
evidence of a common origin, since every copy of a common phone or messenger writes the same; how many files of the
store share it says how weak. Lengths, sizes, dates, places and titles are left out: they vary with one encoder.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

import duckdb

from detector.cases.codec import digest
from detector.cases.database import bulk_insert, rows

_TAGS = (
    "encoder",
    "major_brand",
    "minor_version",
    "compatible_brands",
    "handler_name",
    "vendor_id",
    "software",
    "make",
    "model",
    "com.android.version",
    "com.android.manufacturer",
    "com.android.model",
    "com.apple.quicktime.make",
    "com.apple.quicktime.model",
    "com.apple.quicktime.software",
)
_VIDEO = ("codec", "profile", "pixel_format", "bit_depth", "colour_range", "colour_space", "time_base")
_AUDIO = ("codec", "sample_rate_hz", "channels")
_BATCH = 5_000


def fingerprint_facts(described: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """(name, value) of what counts, from evidence in its stored form (`codec.evidence_to_dict`), in a fixed order."""
    container, video, audio = described["container"], described["video"], described["audio"]
    facts = [("kind", described["kind"]), ("container", container["format_name"])]
    tags = {name.lower(): value for name, value in container["tags"]}
    facts += [(name, tags[name]) for name in _TAGS if name in tags]
    facts += [(f"video {name}", video[name]) for name in _VIDEO]
    facts += [(f"audio {name}", audio[name]) for name in _AUDIO] if audio else [("audio", "none")]
    return tuple((name, str(value)) for name, value in facts if value is not None)


def fingerprint_sha256(described: Mapping[str, Any]) -> str:
    """SHA-256 (hex) of the facts: equal for files of one encoder with one set of parameters."""
    return digest([list(fact) for fact in fingerprint_facts(described)])


def insert_fingerprints(cursor: duckdb.DuckDBPyConnection, exhibits: Iterable[Mapping[str, Any]]) -> None:
    """Add the fingerprint of each exhibit row."""
    found = [
        {
            "exhibit_id": row["exhibit_id"],
            "case_id": row["case_id"],
            "family_sha256": fingerprint_sha256(json.loads(row["evidence_json"])),
        }
        for row in exhibits
    ]
    bulk_insert(cursor, "exhibit_families", found)


def insert_all_fingerprints(cursor: duckdb.DuckDBPyConnection) -> None:
    """Of every exhibit there is: for a store that had none."""
    ids = [found for (found,) in cursor.execute("SELECT exhibit_id FROM exhibits ORDER BY exhibit_id").fetchall()]
    for start in range(0, len(ids), _BATCH):
        among = ids[start : start + _BATCH]
        query = "SELECT exhibit_id, case_id, evidence_json FROM exhibits WHERE exhibit_id BETWEEN ? AND ?"
        insert_fingerprints(cursor, rows(cursor, query, [among[0], among[-1]]))


def fingerprint_problem(cursor: duckdb.DuckDBPyConnection, case_id: str) -> str | None:
    """The first exhibit of a case whose recorded fingerprint is not that of its evidence, in one sentence."""
    query = "SELECT exhibit_id, family_sha256 FROM exhibit_families WHERE case_id = ? ORDER BY ALL"
    recorded = cursor.execute(query, [case_id]).fetchall()
    query = "SELECT exhibit_id, evidence_json FROM exhibits WHERE case_id = ? ORDER BY exhibit_id"
    expected = [
        (row["exhibit_id"], fingerprint_sha256(json.loads(row["evidence_json"])))
        for row in rows(cursor, query, [case_id])
    ]
    for known in sorted(set(recorded) ^ set(expected)):
        return f"The encoder fingerprint recorded for the exhibit {known[0]} is not that of its evidence."
    return None if len(recorded) == len(expected) else "An encoder fingerprint is recorded twice."
