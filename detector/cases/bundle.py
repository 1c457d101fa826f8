"""Taking in a case that another store exported: all of it, exactly as it was there, or nothing.

A bundle comes from outside and is trusted with nothing: every member must be listed in its manifest with its size and
SHA-256, every id and hash must have its form, files go where their own content says, and the log must vouch for every
row before the rows are kept. What this shows is that the bundle is whole, not who made it: compare its head with the
one in the report that came with it.
"""

from __future__ import annotations

import csv
import hashlib
import json
import re
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO, cast

import duckdb

from detector.cases.artefacts import artefact_path
from detector.cases.chain import append_event, chain_problem, read_events
from detector.cases.codec import evidence_from_dict, file_sha256
from detector.cases.database import Database, bulk_insert, insert
from detector.cases.encoder_fingerprint import insert_fingerprints
from detector.cases.export import BUNDLE_VERSION, CASE_TABLES
from detector.cases.findings import record_altered
from detector.cases.home import Layout
from detector.cases.intake import named_files
from detector.cases.seals import seal_problem, sealed_records
from detector.cases.search_index import index_case
from detector.cases.verify_case import (
    SCRIPT,
    RefusedError,
    files_needed,
    parse_json,
    parse_table,
    scores_problem,
    stamps_problem,
    told_problem,
)
from detector.errors import EvidenceError, StoreError
from detector.evidence import ingest, stored_path

_CASE = re.compile(r"c[0-9a-z]{9}")
_ID = re.compile(r"[cxrnkptsj][0-9a-z]{9}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_MEMBER = re.compile(
    rf"case\.json|manifest\.json|scores\.csv|{re.escape(SCRIPT)}|tables/({'|'.join(CASE_TABLES)})\.jsonl"
    r"|analyses/r[0-9a-z]{9}\.(json|npz)|evidence/[0-9a-f]{64}|timestamps/[0-9]{8}T[0-9]{6}Z-[0-9]+\.(heads|tst)"
)
_MOST_MEMBERS = 100_000
# Tables, manifest and descriptions, together: they are held in memory.
_MOST_READ_BYTES = 64 << 20
_MOST_LARGE_BYTES = 8 << 30
_CHUNK_BYTES = 1 << 20
_HOW = "Nothing was imported. Ask for the bundle again."


@dataclass(frozen=True, slots=True)
class _Bundle:
    """The zip, its manifest (member -> (sha256, size)), the case's rows by table with times as text, and what is told
    of them to people."""

    zip: zipfile.ZipFile
    manifest: dict[str, tuple[str, int]]
    rows: dict[str, list[dict[str, Any]]]
    case_id: str
    told: dict[str, Any]
    scores_csv: bytes


def import_bundle(database: Database, layout: Layout, path: Path, actor: str, *, large: bool = False) -> str:
    """Take the case of a bundle into the store and return its id. Raises StoreError where the bundle is damaged, does
    not verify, has more than 64 MB of tables and is not said to be `large`, or the store holds the case already; then
    the store is as it was."""
    placed: list[Path] = []
    try:
        with zipfile.ZipFile(path) as archive:
            bundle = _read(archive, _MOST_LARGE_BYTES if large else _MOST_READ_BYTES)
            with database.read() as cursor:
                _refuse_if_held(cursor, bundle)
            try:
                altered = _place_files(bundle, layout, placed)
                told = {"file_name": path.name, "sha256": file_sha256(path), "actor": actor}
                database.write(lambda cursor: _insert(cursor, bundle, told, altered))
            except BaseException:
                with database.read() as cursor:
                    named = named_files(cursor)
                for file in placed:
                    if file.name not in named:  # a hostile bundle may hold another exhibit's file
                        file.unlink(missing_ok=True)
                raise
            return bundle.case_id
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, zlib.error) as error:
        raise StoreError(f"{path} is no readable bundle ({error}). {_HOW}") from error
    except OSError as error:
        raise StoreError(f"{path} could not be imported: {error}. Nothing was imported.") from error
    except RefusedError as error:
        raise StoreError(f"{path} is not as an exported case should be: {error} {_HOW}") from error
    except (AttributeError, LookupError, TypeError, ValueError, csv.Error, RecursionError, duckdb.Error) as error:
        raise StoreError(f"{path} is not as an exported case should be ({error!r:.300}). {_HOW}") from error


def _read(archive: zipfile.ZipFile, most_bytes: int) -> _Bundle:
    names = archive.namelist()
    strange = next((name for name in names if not _MEMBER.fullmatch(name)), None)
    if strange is not None or len(set(names)) != len(names) or len(names) > _MOST_MEMBERS:
        raise StoreError(f"The bundle has a member that none should have ({strange!r:.200}). {_HOW}")
    content = _limited(archive, "manifest.json", most_bytes)
    manifest = {entry["name"]: (entry["sha256"], int(entry["size_bytes"])) for entry in parse_json(content)["members"]}
    if set(manifest) != set(names) - {"manifest.json"}:
        raise StoreError(f"The bundle's members are not those its manifest lists. {_HOW}")
    tables = {table: f"tables/{table}.jsonl" for table in CASE_TABLES}
    read = ("case.json", "scores.csv", *(name for name in tables.values() if name in manifest))
    size_bytes = len(content) + sum(max(0, manifest[name][1]) for name in (*read, *_stamp_names(manifest)))
    if size_bytes > most_bytes:
        raise _too_large(f"{size_bytes >> 20:,} MB of tables and descriptions", most_bytes)
    told = parse_json(b"".join(_chunks(archive, manifest, "case.json")))
    version = told["bundle_version"]
    if version != BUNDLE_VERSION:
        raise StoreError(
            f"The bundle has version {version}; this program imports {BUNDLE_VERSION}. Export the case again with the "
            "store's current version."
        )
    # A table that is newer than the bundle is empty in it; rows that the log vouches for would be missed.
    found = {
        table: parse_table(b"".join(_chunks(archive, manifest, name))) if name in manifest else []
        for table, name in tables.items()
    }
    (case,) = found["cases"]
    if not _CASE.fullmatch(case["case_id"]):
        raise StoreError(f"The bundle's case has no proper id. {_HOW}")
    scores_csv = b"".join(_chunks(archive, manifest, "scores.csv"))
    bundle = _Bundle(archive, manifest, found, case["case_id"], told, scores_csv)
    _check_forms(bundle)
    # Time stamps stay in the bundle: a store keeps those of its own heads.
    stamps = {name: b"".join(_chunks(archive, manifest, name)) for name in _stamp_names(manifest)}
    if problem := stamps_problem(stamps, {row["event_hash"] for row in found["events"]}):
        raise StoreError(f"{problem} {_HOW}")
    unneeded = set(manifest) - {*read, SCRIPT, *files_needed(found), *stamps}
    if unneeded:
        raise StoreError(f"The bundle has a member that none of its rows names ({min(unneeded)}). {_HOW}")
    return bundle


def _stamp_names(manifest: Iterable[str]) -> list[str]:
    return [name for name in manifest if name.startswith("timestamps/")]


def _with_times(row: dict[str, Any]) -> dict[str, Any]:
    """The row with its times as the database keeps them."""
    times = {name: row[name] for name in row if name.endswith("_at") or name == "at_utc"}
    return {**row, **{name: None if at is None else datetime.fromisoformat(at) for name, at in times.items()}}


def _check_forms(bundle: _Bundle) -> None:
    """Ids name files and addresses, so each must have its form and belong to this case."""
    records = {row["record_id"] for row in bundle.rows["analyses"]}
    exhibits = {row["exhibit_id"] for row in bundle.rows["exhibits"]}
    for table, found in bundle.rows.items():
        for row in found:
            own = row["case_id"] == bundle.case_id if "case_id" in row else row["record_id"] in records
            ids = [value for name, value in row.items() if name.endswith("_id") and isinstance(value, str)]
            formed = all(_ID.fullmatch(value) for value in ids if value != row.get("analysis_id") and table != "scores")
            known = row.get("exhibit_id") is None or row["exhibit_id"] in exhibits
            if not (own and formed and known):
                raise StoreError(f"A row of the bundle's table {table} does not belong to its case. {_HOW}")
    for row in bundle.rows["exhibits"]:
        described = evidence_from_dict(json.loads(row["evidence_json"]), Path())
        if not _SHA256.fullmatch(row["sha256"]) or described.file.sha256 != row["sha256"]:
            raise StoreError(f"An exhibit of the bundle has no proper SHA-256. {_HOW}")
    for row in bundle.rows["artefacts"]:
        # The path is a row's own claim: it must be the one that follows from the content.
        if not _SHA256.fullmatch(row["sha256"]) or row["path"] != _relative(row):
            raise StoreError(f"A file of the bundle claims another place than its own. {_HOW}")


def _relative(row: dict[str, Any]) -> str:
    return artefact_path(Path(), row["sha256"], row["kind"]).as_posix()


def _refuse_if_held(cursor: duckdb.DuckDBPyConnection, bundle: _Bundle) -> None:
    held = [event.event_hash for event in read_events(cursor, bundle.case_id)]
    if not held:
        own = [row["exhibit_id"] for row in bundle.rows["exhibits"]]
        query = "SELECT exhibit_id, case_id FROM exhibits WHERE list_contains(?::VARCHAR[], exhibit_id)"
        for exhibit_id, case_id in cursor.execute(query, [own]).fetchall():
            raise StoreError(
                f"The bundle has the exhibit {exhibit_id}, which is in the case {case_id} of this store: it was "
                "exported before the exhibit was filed in another case, or after it came back. Nothing was imported; "
                "ask for newer bundles of both cases."
            )
        return
    brought = [row["event_hash"] for row in sorted(bundle.rows["events"], key=lambda row: row["sequence"])]
    if held[: len(brought)] == brought:
        raise StoreError(f"The store holds the case {bundle.case_id} already, with all that the bundle has of it.")
    raise StoreError(
        f"The store holds a case {bundle.case_id} that went another way than the one in the bundle. Nothing was "
        "imported; import it into a store of its own (another home folder) to compare them."
    )


def _place_files(bundle: _Bundle, layout: Layout, placed: list[Path]) -> dict[str, str]:
    """Put every file where its content says; `placed` grows by those that were not there before. Returns the evidence
    files that were there and held something else: SHA-256 expected -> found."""
    altered: dict[str, str] = {}
    for row in bundle.rows["artefacts"]:
        target = artefact_path(layout.artefacts, row["sha256"], row["kind"])
        name = f"analyses/{row['record_id']}{target.suffix}"
        if bundle.manifest[name][0] != row["sha256"]:
            raise StoreError(f"The member {name} is not the file that the record names. {_HOW}")
        if target.is_file() and file_sha256(target) == row["sha256"]:
            continue
        target.parent.mkdir(exist_ok=True)
        scratch = target.with_name(f".importing-{target.name}")
        try:
            with scratch.open("wb") as stream:
                for chunk in _chunks(bundle.zip, bundle.manifest, name):
                    stream.write(chunk)
            scratch.replace(target)
        finally:
            scratch.unlink(missing_ok=True)
        placed.append(target)
    for row in bundle.rows["exhibits"]:
        name = f"evidence/{row['sha256']}"
        target = stored_path(layout.evidence, row["sha256"])
        if name not in bundle.manifest or (target.is_file() and file_sha256(target) == row["sha256"]):
            continue
        try:
            with bundle.zip.open(name) as stream:
                stored = ingest(
                    cast(BinaryIO, stream),
                    layout.evidence,
                    file_name=row["file_name"],
                    on_replaced=altered.__setitem__,
                )
        except EvidenceError as error:
            raise StoreError(f"An original in the bundle cannot be read ({error}). {_HOW}") from error
        placed.append(stored.path)
        if stored.sha256 != row["sha256"]:
            raise StoreError(f"The original {name} in the bundle is another file. {_HOW}")
    return altered


def _insert(cursor: duckdb.DuckDBPyConnection, bundle: _Bundle, told: dict[str, Any], altered: dict[str, str]) -> None:
    for table, found in bundle.rows.items():
        if found:
            bulk_insert(cursor, table, [_with_times(row) for row in found])
    events = read_events(cursor, bundle.case_id)
    problem = chain_problem(events) or seal_problem(cursor, bundle.case_id, sealed_records(events))
    if problem is not None or not events:
        raise StoreError(f"The bundle's case does not verify. {problem or 'It has no log.'} {_HOW}")
    problem = told_problem(bundle.told, bundle.rows) or scores_problem(bundle.scores_csv, bundle.rows)
    if problem is not None:
        raise StoreError(f"What the bundle tells its readers is not what it holds. {problem} {_HOW}")
    newest = events[-1]
    head = {"sequence": newest.sequence, "event_hash": newest.event_hash}
    times = {name: newest.at.replace(tzinfo=None) for name in ("at_utc", "active_at")}
    insert(cursor, "case_heads", {"case_id": bundle.case_id, **head, **times, "change": 0})
    insert_fingerprints(cursor, bundle.rows["exhibits"])
    index_case(cursor, bundle.case_id)
    details = {name: value for name, value in told.items() if name != "actor"}
    append_event(cursor, bundle.case_id, "case_imported", told["actor"], {**details, "head": head})
    for sha256, held in altered.items():
        record_altered(cursor, sha256, held, told["actor"], replaced=True)


def _chunks(archive: zipfile.ZipFile, manifest: dict[str, tuple[str, int]], name: str) -> Iterator[bytes]:
    """A member's content; StoreError as soon as it is longer than, or in the end not what, the manifest says."""
    sha256, size_bytes = manifest[name]
    total, seen = hashlib.sha256(), 0
    with archive.open(name) as stream:
        while chunk := stream.read(_CHUNK_BYTES):
            seen += len(chunk)
            if seen > size_bytes:
                break
            total.update(chunk)
            yield chunk
    if seen != size_bytes or total.hexdigest() != sha256:
        raise StoreError(f"The member {name} of the bundle was changed: it is not what the manifest says. {_HOW}")


def _limited(archive: zipfile.ZipFile, name: str, most_bytes: int) -> bytes:
    with archive.open(name) as stream:
        content = stream.read(most_bytes + 1)
    if len(content) > most_bytes:
        raise _too_large(f"a {name} larger than that", most_bytes)
    return content


def _too_large(what: str, most_bytes: int) -> StoreError:
    return StoreError(
        f"The bundle has {what}; at most {most_bytes >> 20:,} MB are read unasked. Nothing was imported. If it comes "
        "from whom you expect, take it in with `cases import --large`."
    )
