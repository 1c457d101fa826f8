"""A case as one zip that another examiner can read without this program, and that another store can take in.

    case.json            whether the case verified; the case, its exhibits, analysis records, notes, statements and log
    analyses/<id>.json   each analysis by the JSON contract of the command line
    analyses/<id>.npz    its face landmarks, where it has any
    scores.csv           every score of every analysis
    tables/<name>.jsonl  the store's own rows of the case, one JSON object a line, from which `bundle` restores it
    evidence/<sha256>    the originals, on request
    timestamps/<time>-<n>.heads, .tst
                         each time stamp over the log: the text that was stamped, event hashes a line, and its token
    verify_case.py       checks all of this without this program (see `verify_case`)
    manifest.json        SHA-256 and size of every other member

Members carry a fixed time, so that the bytes depend on the record alone. `bundle_version` says what members mean: it
stays where one is added, since a reader that does not know a member refuses it by its name and cannot misread it.
Bundles without the members that were added since are taken in as they are.
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any

import duckdb

from detector import __version__
from detector.cases.chain import read_events
from detector.cases.codec import canonical, evidence_to_dict
from detector.cases.database import rows
from detector.cases.home import Layout
from detector.cases.records import read_analyses, read_bookmarks, read_case, read_exhibits, read_notes
from detector.cases.seals import SEALED
from detector.cases.timestamps import read_lines
from detector.cases.types import AnalysisRecord, Verification
from detector.cases.verify_case import SCRIPT
from detector.errors import StoreError

BUNDLE_VERSION = "1.1"
# The tables that belong to a case, all of whose rows the log vouches for.
CASE_TABLES = ("events", *SEALED)
_FIXED_TIME = (1980, 1, 1, 0, 0, 0)
_CHUNK_BYTES = 1 << 20
# The source of the program that every archive carries, for whoever checks it without this one.
VERIFIER = Path(__file__).with_name(SCRIPT)


def write_bundle(
    cursor: duckdb.DuckDBPyConnection,
    layout: Layout,
    case_id: str,
    path: Path,
    outcome: Verification,
    *,
    include_evidence: bool,
) -> None:
    """Write the zip to `path`, whole or not at all. Raises StoreError where a file is missing or cannot be written."""
    case = read_case(cursor, case_id)
    exhibits = read_exhibits(cursor, layout.evidence, case_id=case_id)
    records = read_analyses(cursor, layout.artefacts, case_id=case_id)
    described = {
        "bundle_version": BUNDLE_VERSION,
        "tool": {"name": "framewitness", "version": __version__},
        "verification": {**asdict(outcome), "ok": outcome.ok},
        "case": asdict(case),
        "exhibits": [
            {
                "exhibit_id": exhibit.exhibit_id,
                "number": exhibit.number,
                "reference": exhibit.reference,
                "description": exhibit.description,
                "received_from": exhibit.received_from,
                "received_how": exhibit.received_how,
                "received_when": exhibit.received_when,
                "added_at": exhibit.added_at,
                "evidence": evidence_to_dict(exhibit.evidence),
            }
            for exhibit in exhibits
        ],
        "analyses": [_record_to_dict(record) for record in records],
        "notes": [asdict(note) for note in read_notes(cursor, case_id=case_id)],
        "bookmarks": [asdict(found) for found in read_bookmarks(cursor, case_id=case_id)],
        "opinions": _rows_of(cursor, "opinions", case_id),
        "truths": _rows_of(cursor, "truths", case_id),
        "signatures": _rows_of(cursor, "signatures", case_id),
        "events": [asdict(event) for event in read_events(cursor, case_id)],
    }
    files = {_member(record, kept.path): kept.path for record in records for kept in record.artefacts}
    files[SCRIPT] = VERIFIER
    if include_evidence:
        files |= {f"evidence/{exhibit.sha256}": exhibit.evidence.file.path for exhibit in exhibits}
    stamps = [line for line in read_lines(layout.timestamps)[0] if any(head.case_id == case_id for head in line.heads)]
    texts = {"case.json": _pretty(described).encode(), "scores.csv": _scores_csv(cursor, case_id)}
    for table in CASE_TABLES:
        lines = "".join(f"{canonical(row)}\n" for row in _rows_of(cursor, table, case_id))
        texts[f"tables/{table}.jsonl"] = lines.encode()
    for stamp in stamps:
        texts |= {f"timestamps/{stamp.name}.heads": stamp.statement, f"timestamps/{stamp.name}.tst": stamp.token}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Always the same name, so that what a killed process left is replaced by the next export.
        unfinished = path.with_name(f".exporting-{path.name}")
        try:
            with unfinished.open("wb") as stream, zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as bundle:
                manifest = [add_member(bundle, name, io.BytesIO(text)) for name, text in texts.items()]
                for name, source in files.items():
                    with source.open("rb") as content:
                        manifest.append(add_member(bundle, name, content))
                add_member(bundle, "manifest.json", io.BytesIO(_pretty({"members": manifest}).encode()))
            unfinished.replace(path)
        except BaseException:
            unfinished.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise StoreError(f"The case could not be exported to {path}: {error}. Nothing was written.") from error


def _scores_csv(cursor: duckdb.DuckDBPyConnection, case_id: str) -> bytes:
    from detector.analysis import tables

    stored = ", ".join(f"scores.{column.name}" for column in tables.SCORES if column.stored)
    query = (
        f"SELECT number AS exhibit, file_name, sha256, record_id, analysis_id, {stored} "
        "FROM scores JOIN analyses USING (record_id) JOIN exhibits USING (exhibit_id) "
        "WHERE analyses.case_id = ? ORDER BY ALL"
    )
    return tables.table_csv(cursor.sql(query, params=[case_id]).to_arrow_table())


def _rows_of(cursor: duckdb.DuckDBPyConnection, table: str, case_id: str) -> list[dict[str, Any]]:
    """The rows of a case, in an order that depends on them alone. Parts of an analysis know only its record."""
    belongs = "case_id = ?"
    if not any(column[0] == "case_id" for column in cursor.execute(f"SELECT * FROM {table} LIMIT 0").description or []):
        belongs = "record_id IN (SELECT record_id FROM analyses WHERE case_id = ?)"
    return rows(cursor, f"SELECT * FROM {table} WHERE {belongs} ORDER BY ALL", [case_id])


def _record_to_dict(record: AnalysisRecord) -> dict[str, Any]:
    described = asdict(record)
    for kept, artefact in zip(described["artefacts"], record.artefacts, strict=True):
        kept["path"] = _member(record, artefact.path)
    return described


def _member(record: AnalysisRecord, path: Path) -> str:
    return f"analyses/{record.record_id}{path.suffix}"


def _pretty(value: object) -> str:
    return json.dumps(json.loads(canonical(value)), indent=2, ensure_ascii=True) + "\n"


def add_member(bundle: zipfile.ZipFile, name: str, content: IO[bytes], *, compressed: bool = True) -> dict[str, Any]:
    """Stream one member into the zip, under a fixed time, and describe it for the manifest."""
    entry = zipfile.ZipInfo(name, _FIXED_TIME)
    entry.compress_type = zipfile.ZIP_DEFLATED if compressed else zipfile.ZIP_STORED
    entry.external_attr = 0o644 << 16
    total, size = hashlib.sha256(), 0
    with bundle.open(entry, "w", force_zip64=True) as member:
        while chunk := content.read(_CHUNK_BYTES):
            total.update(chunk)
            size += len(chunk)
            member.write(chunk)
    return {"name": name, "sha256": total.hexdigest(), "size_bytes": size}
