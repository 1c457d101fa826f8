#!/usr/bin/env python3
"""Check an exported case or a replay bundle of Framewitness, with Python 3.8 or newer and nothing else.

    python verify_case.py              the folder that this file was unpacked into
    python verify_case.py case.zip     the archive, without unpacking it; --help names the options

Prints a line a check and a verdict; ends with 0 where nothing differs, 1 where something does or is refused.

It shows that every member is what the manifest lists, that each event of the log follows from the one before, that
the log vouches for every row, that results and originals have the hashes of their rows, and that what was written for
readers says what the rows say. It cannot show who made the archive, nor that events were taken off the log's very end
with all that they recorded: compare the head with a printed one. Whoever changed an archive could have changed its copy
of this file as well: take it from the program's source where that matters.
"""
# No `from __future__`: it would be imported from the folder before the next lines could prevent that.

import sys

if __name__ == "__main__":
    # Python looks for modules beside a script first, and what lies beside this one is not to be trusted.
    sys.path[:] = sys.path[1:] if not getattr(sys.flags, "safe_path", sys.flags.isolated) else sys.path

import argparse
import csv
import hashlib
import io
import json
import os
import re
import stat
import zipfile
import zlib
from functools import partial
from typing import Any, Callable, Dict, Iterator, List, NamedTuple, Optional, Sequence, Set, Tuple

Row = Dict[str, Any]
Tables = Dict[str, List[Row]]

# kind of record in the log -> (table, key column)
RECORDS = {
    "case": ("cases", "case_id"),
    "exhibit": ("exhibits", "exhibit_id"),
    "note": ("notes", "note_id"),
    "note_mark": ("note_marks", "note_id"),
    "analysis": ("analyses", "record_id"),
    "state": ("case_states", "case_id"),
    "exhibit_mark": ("exhibit_marks", "exhibit_id"),
    "mandate": ("mandates", "case_id"),
    "receipt": ("receipts", "exhibit_id"),
    "print": ("exhibit_prints", "exhibit_id"),
    "bookmark": ("bookmarks", "bookmark_id"),
    "opinion": ("opinions", "opinion_id"),
    "truth": ("truths", "truth_id"),
    "signature": ("signatures", "signature_id"),
}
# The rows that an analysis is sealed with: table, its columns in the order of the digest, and how rows are sorted.
PARTS = (
    ("artefacts", "record_id kind path sha256 size_bytes shape_json dtype", "kind"),
    ("tracks", "record_id track_id shot_index first_pts_s last_pts_s face_count", "track_id"),
    (
        "frames",
        "record_id track_id frame_index pts pts_s x0_px y0_px x1_px y1_px detection_score source size_px sharpness "
        "exposure yaw_deg pitch_deg roll_deg mesh_fit weight flags",
        "track_id frame_index pts x0_px y0_px",
    ),
    (
        "scores",
        "record_id model_id weights_sha256 track_id frame_index pts pts_s logit score weight",
        "model_id track_id frame_index pts",
    ),
)
TABLES = ("events", *(table for table, _ in RECORDS.values()), *(table for table, _, _ in PARTS))
SUFFIXES = {"analysis": ".json", "landmarks": ".npz"}
SCRIPT = "verify_case.py"
# events: an original was found changed; somebody's words to that
ALTERED, ACKNOWLEDGED = "evidence_altered", "findings_acknowledged"
# event: an exhibit was filed in another case, with the records that it names
REFILED = "exhibit_refiled"

_MEMBER = re.compile(
    r"(case|replay|analysis|manifest)\.json|scores\.csv|verify_case\.py|tables/(%s)\.jsonl"
    r"|analyses/r[0-9a-z]{9}\.(json|npz)|(evidence|input)/[0-9a-f]{64}"
    r"|timestamps/[0-9]{8}T[0-9]{6}Z-[0-9]+\.(heads|tst)" % "|".join(TABLES)
)
_LEFT_BY_DESKTOPS = {".DS_Store", "Thumbs.db", "desktop.ini"}
_REFUSED = "refused"
_FIRST_PREVIOUS = "0" * 64
_CHUNK_BYTES = 1 << 20
_MOST_MEMBERS = 100_000
_MOST_READ_BYTES = 64 << 20  # tables, manifest and descriptions, together: they are held in memory
_MOST_RESULT_BYTES = 2 << 30  # an analysis or its landmarks; hashed only
_MOST_RATIO = 200
_MOST_DIGITS = 400  # of a whole number; a hostile one could take hours to read


class RefusedError(ValueError):
    """The archive is not read any further, for the reason given."""


class Finding(NamedTuple):
    """One check: `ok` None where it could not be made."""

    check: str
    ok: Optional[bool]
    text: str


class Archive:
    """The members of a zip, or of the folder it was unpacked into: names and sizes in bytes, looked at before any is
    read. Raises RefusedError for what no export holds."""

    def __init__(self, path: str, large: bool = False) -> None:
        self.path, self.large = path, large
        self.sizes: Dict[str, int] = {}
        self.reports: List[str] = []
        self.left = (1 << 62) if large else _MOST_READ_BYTES
        self._zip = None if os.path.isdir(path) else zipfile.ZipFile(path)
        if self._zip is not None:
            self._look_into_zip(self._zip)
        else:
            self._look_into_folder()

    def _look_into_zip(self, archive: zipfile.ZipFile) -> None:
        end = -1
        for entry in sorted(archive.infolist(), key=lambda one: one.header_offset):
            name, size, packed = entry.filename, entry.file_size, entry.compress_size
            self._add(name, size, entry.external_attr >> 16 or stat.S_IFREG)
            if entry.flag_bits & 1 or entry.header_offset < end:
                raise RefusedError(f"The member {name} is encrypted, or lies over the one before it.")
            end = entry.header_offset + packed
            if not self.large and size > max(1 << (30 if _original(name) else 20), _MOST_RATIO * packed):
                raise RefusedError(
                    f"The member {name} unpacks to {size} bytes from {packed}; --large reads it all the same."
                )

    def _look_into_folder(self) -> None:
        for folder, folders, files in os.walk(self.path):
            for full in (os.path.join(folder, name) for name in folders + files):
                state = os.lstat(full)
                if full.lower().endswith(".pdf") and stat.S_ISREG(state.st_mode):
                    self.reports.append(full)
                elif not stat.S_ISDIR(state.st_mode) and os.path.basename(full) not in _LEFT_BY_DESKTOPS:
                    name = os.path.relpath(full, self.path).replace(os.sep, "/")
                    self._add(name, state.st_size, state.st_mode)

    def _add(self, name: str, size: int, mode: int) -> None:
        if stat.S_IFMT(mode) not in (0, stat.S_IFREG):
            raise RefusedError(f"The member {name!a} is a link or another thing that is no file.")
        if not _MEMBER.fullmatch(name):
            raise RefusedError(f"It holds {name!a:.200}, which no export of Framewitness does.")
        if name in self.sizes or len(self.sizes) >= _MOST_MEMBERS:
            raise RefusedError(f"It holds the member {name} twice, or more than {_MOST_MEMBERS} members.")
        if size > _MOST_RESULT_BYTES and not (self.large or _original(name)):
            raise RefusedError(f"The member {name} has {size} bytes; --large reads it all the same.")
        self.sizes[name] = size

    def chunks(self, name: str) -> Iterator[bytes]:
        """The content of a member, a piece at a time; never more than was said beforehand."""
        if name not in self.sizes:
            raise RefusedError("The member %s is missing." % name)
        seen = 0
        with self._zip.open(name) if self._zip is not None else open(os.path.join(self.path, name), "rb") as stream:
            for chunk in iter(lambda: stream.read(_CHUNK_BYTES), b""):
                seen += len(chunk)
                if seen > self.sizes[name]:
                    raise RefusedError(f"The member {name} is longer than it says.")
                yield chunk

    def read(self, name: str) -> bytes:
        """The whole content of a member that is read, not only hashed."""
        self.left -= self.sizes.get(name, 0)
        if self.left < 0:
            most = _MOST_READ_BYTES >> 20
            raise RefusedError(f"Tables and descriptions hold more than {most} MB; --large reads them all the same.")
        return b"".join(self.chunks(name))


def parse_json(content: bytes) -> Any:
    """A JSON value (RFC 8259) in UTF-8. Raises RefusedError where an object has a name twice, of which readers would
    take different ones, or a number is too long."""

    def unique(pairs: List[Tuple[str, Any]]) -> Row:
        found = dict(pairs)
        if len(found) != len(pairs):
            raise RefusedError("A JSON object has a name twice.")
        return found

    def whole(digits: str) -> int:
        if len(digits) > _MOST_DIGITS:
            raise RefusedError("A JSON number has %d digits." % len(digits))
        return int(digits)

    try:
        return json.loads(content.decode("utf-8"), object_pairs_hook=unique, parse_int=whole)
    except RecursionError:
        raise RefusedError("A JSON value is nested too deeply.") from None


def parse_table(content: bytes) -> List[Row]:
    """The rows of a table, one JSON object a line."""
    found = [parse_json(line) for line in content.split(b"\n") if line]
    if not all(isinstance(row, dict) for row in found):
        raise RefusedError("A line of a table is no JSON object.")
    return found


def canonical(value: Any) -> bytes:
    """JSON with sorted keys, no spaces, ASCII only: what every hash of a record is taken of."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode("ascii")


def chain_problem(events: List[Row]) -> Optional[str]:
    """The first break of the log in one sentence, None where each event follows from the one before."""
    previous = _FIRST_PREVIOUS
    for expected, event in enumerate(events, start=1):
        named = f"Event {event['sequence']} ({event['action']})"
        if event["sequence"] != expected or len(event) != 8:
            return f"Event {expected} is missing from the log, or has other columns; {named} stands in its place."
        if event["previous_hash"] != previous:
            return named + " does not follow from the event before it."
        covered = [event["case_id"], event["sequence"], event["at_utc"] + "+00:00", event["actor"], event["action"]]
        covered += [parse_json(event["details_json"].encode("utf-8")), previous]
        if hashlib.sha256(canonical(covered)).hexdigest() != event["event_hash"]:
            return named + " was changed after it was written."
        previous = event["event_hash"]
    return None if events else "The log is empty."


def seal_problem(tables: Tables) -> Optional[str]:
    """The first row that is foreign, doubled, missing, unlogged or changed, in one sentence; None where the log vouches
    for all."""
    (case,) = tables["cases"]
    records = {row["record_id"] for row in tables["analyses"]}
    for table, rows in tables.items():
        if any(row.get("case_id", case["case_id"]) != case["case_id"] for row in rows) or any(
            "case_id" not in row and row["record_id"] not in records for row in rows
        ):
            return f"A row of the table {table} belongs to another case."
    sealed = _sealed(tables["events"])
    found = [((kind, row[key]), row) for kind, (table, key) in RECORDS.items() for row in tables[table]]
    present = dict(found)
    if len(present) != len(found):
        return "A record is there twice."
    for kind, identifier in sorted(set(present) ^ set(sealed)):
        where = "there, but not in the log" if (kind, identifier) in present else "in the log, but missing"
        return f"The {kind} {identifier} is {where}."
    parts: Dict[Tuple[str, str], List[Row]] = {}
    for part, _, _ in PARTS:
        for row in tables[part]:
            parts.setdefault((part, row["record_id"]), []).append(row)
    for (kind, identifier), expected in sealed.items():
        if _seal(kind, identifier, present[kind, identifier], parts) != expected:
            return f"The {kind} {identifier} was changed after it was recorded."
    heads = {(event["sequence"], event["event_hash"]) for event in tables["events"]}
    foreign = [
        one["signature_id"] for one in tables["signatures"] if (one["head_sequence"], one["head_hash"]) not in heads
    ]
    return f"The sign-off {foreign[0]} is of another log than this." if foreign else None


def altered_text(details: Row) -> str:
    """What the event of an original that was found changed says, in words."""
    found, doubtful = details["found_sha256"], ", ".join(details["record_ids"])
    held = f"had the SHA-256 {found} instead of" if found else "could not be read as"
    said = f"The stored file of exhibit {details['exhibit_id']} was not the evidence: it {held} {details['sha256']}."
    said += " The true bytes were put back." if details["replaced"] else ""
    return said + (f" Made since it was last known to be right, and in doubt: {doubtful}." if doubtful else "")


def refiled_text(details: Row) -> str:
    """What the event of an exhibit that was filed in another case says, in words."""
    what = f"Exhibit {details['reference']} ({details['file_name']}, SHA-256 {details['sha256']})"
    return f"{what} was filed in {details['to_reference']} ({details['to_case_id']}): {details['reason']}"


def told_problem(told: Row, tables: Tables) -> Optional[str]:
    """The first thing that `case.json` tells otherwise than the tables, in one sentence; None where both agree. When a
    case was last active, and whether it verified at home, the tables do not say."""
    marks, receipts = ({row["exhibit_id"]: row for row in tables[name]} for name in ("exhibit_marks", "receipts"))
    placed = {row["note_id"]: row for row in tables["note_marks"]}
    unplaced = dict.fromkeys(["end_pts", "box_xyxy_px", "previous_id", "withdrawn_at", "withdrawn_by"])
    notes = [{**unplaced, **row, **placed.get(row["note_id"], {})} for row in tables["notes"]]
    (case,) = tables["cases"]
    unmarked = {"status": "open", "status_reason": "", "tags": [], "favourite_of": [], "blind_first": False}
    (state,) = tables["case_states"] or [unmarked]
    (mandate,) = tables["mandates"] or [dict.fromkeys(("laboratory", "client", "question"), "")]
    unnamed = dict.fromkeys(("description", "received_from", "received_how", "received_when"), "")
    files: Dict[str, List[Row]] = {}
    for row in sorted(tables["artefacts"], key=lambda row: row["kind"]):
        place = "analyses/" + row["record_id"] + SUFFIXES[row["kind"]]
        files.setdefault(row["record_id"], []).append({**row, "path": place, "shape": json.loads(row["shape_json"])})
    expected: Dict[str, List[Row]] = {
        "case": [{**case, **state, **mandate}],
        "exhibits": [
            {"reference": "E%d" % row["number"], **unnamed, **row, **marks.get(key, {}), **receipts.get(key, {})}
            for row, key in ((row, row["exhibit_id"]) for row in tables["exhibits"])
        ],
        "analyses": [{**row, "artefacts": files.get(row["record_id"], [])} for row in tables["analyses"]],
        "bookmarks": [row for row in tables["bookmarks"] if row["removed_at"] is None],
        "events": [{**row, "at": row["at_utc"]} for row in tables["events"]],
        "notes": [row for row in notes if row["withdrawn_at"] is None],
        **{name: tables[name] for name in ("opinions", "truths", "signatures")},
    }
    strange = set(told) - set(expected) - {"bundle_version", "tool", "verification"}
    if strange:
        return "case.json tells of %s, which no export does." % ", ".join(sorted(map(ascii, strange)))
    for name, rows in expected.items():
        key = {"case": "case_id", "analyses": "record_id", "events": "sequence"}.get(name, name[:-1] + "_id")
        entries = [told["case"]] if name == "case" else told.get(name, [])
        by_key = {row[key]: row for row in rows}
        if sorted(entry[key] for entry in entries) != sorted(by_key):
            return "case.json does not tell of the same %s as the tables." % name
        for entry in entries:
            row = by_key[entry[key]]
            row = {**row, **{name[:-5]: json.loads(row[name]) for name in row if name.endswith("_json")}}
            wrong = next((field for field, value in entry.items() if not _agrees(field, value, row)), None)
            if wrong is not None:
                return "case.json says another %s of %s %s than the tables." % (wrong, name, entry[key])
    return None


def scores_problem(content: bytes, tables: Tables) -> Optional[str]:
    """Whether `scores.csv` holds other lines than follow from the tables, in one sentence; None where it does not."""
    exhibits = {row["exhibit_id"]: row for row in tables["exhibits"]}
    analyses = {row["record_id"]: row for row in tables["analyses"]}
    lines = list(csv.reader(io.StringIO(content.decode("utf-8"), newline="")))
    names, expected = lines[0] if lines else [], []
    for score in tables["scores"]:
        analysis = analyses[score["record_id"]]
        exhibit = exhibits[analysis["exhibit_id"]]
        row = {**score, "exhibit": exhibit["number"], "analysis_id": analysis["analysis_id"]}
        row.update(file_name=exhibit["file_name"], sha256=exhibit["sha256"])
        # Version 0.1 wrote fewer columns.
        if not {"record_id", "model_id", "track_id", "pts", "logit", "score"} <= set(names) <= set(row):
            return "scores.csv has other columns than it should."
        expected.append([_cell(row[name]) for name in names])
    told = [[_cell(cell) for cell in line] for line in lines[1:]]
    return None if sorted(told) == sorted(expected) else "scores.csv does not hold the scores of the tables."


def files_needed(tables: Tables) -> Dict[str, Tuple[str, int]]:
    """The results and originals that the rows name: member -> (SHA-256, size in bytes). Raises RefusedError where a row
    names another place than its own."""
    needed = {}
    for row in tables["artefacts"]:
        suffix = SUFFIXES[row["kind"]]
        if row["path"] != "%s/%s%s" % (row["sha256"][:2], row["sha256"], suffix):
            raise RefusedError("A result of the record %s claims another place than its own." % row["record_id"])
        needed["analyses/" + row["record_id"] + suffix] = (row["sha256"], row["size_bytes"])
    for row in tables["exhibits"]:
        if parse_json(row["evidence_json"].encode("utf-8"))["file"]["sha256"] != row["sha256"]:
            raise RefusedError("The exhibit %s has two SHA-256." % row["exhibit_id"])
        needed["evidence/" + row["sha256"]] = (row["sha256"], row["size_bytes"])
    return needed


def stamps_problem(stamps: Dict[str, bytes], hashes: Set[str]) -> Optional[str]:
    """Whether each time stamp, a text of event hashes (.heads) with its token (.tst), is over an event of the log, in
    one sentence; None where all is well. `hashes` are those of the log's events. Signatures are not checked."""
    for name in {os.path.splitext(name)[0] for name in stamps}:
        if name + ".tst" not in stamps or hashes.isdisjoint(stamps.get(name + ".heads", b"").decode("ascii").split()):
            return "The time stamp %s is over no event of the log: the log was rewritten." % name
    return None


def _sealed(events: List[Row]) -> Dict[Tuple[str, str], str]:
    """(kind, id) -> digest, as the log says they last were; what went to another case is vouched for there."""
    sealed: Dict[Tuple[str, str], str] = {}
    for event in sorted(events, key=lambda row: row["sequence"]):
        details = parse_json(event["details_json"].encode("utf-8"))
        for one in details["moved"]["records"] if event["action"] == REFILED else ():
            sealed.pop((one["kind"], one["id"]), None)
        if isinstance(details.get("record"), dict):
            sealed[details["record"]["kind"], details["record"]["id"]] = details["record"]["sha256"]
    return sealed


def _seal(kind: str, identifier: str, own: Row, parts: Dict[Tuple[str, str], List[Row]]) -> str:
    total = hashlib.sha256(canonical([own]))
    for part, columns, order in PARTS if kind == "analysis" else ():
        names = columns.split()
        total.update(canonical([part, names]))
        rows = parts.get((part, identifier), [])
        for row in sorted(rows, key=lambda row: [row[name] for name in order.split()]):
            total.update(canonical([row[name] for name in names] if len(row) == len(names) else row))
    return total.hexdigest()


def _original(name: str) -> bool:
    return name.startswith(("evidence/", "input/"))


def _agrees(field: str, told: Any, row: Row) -> bool:
    """Whether a value that is told is that of the row. Of what is nested, names that only one side has do not count:
    versions of the program know more or fewer of them."""
    return field == "updated_at" or (field in row and _alike(told, row[field]))


def _alike(told: Any, kept: Any) -> bool:
    if isinstance(told, dict) and isinstance(kept, dict):
        return all(_alike(told[name], kept[name]) for name in told if name in kept)
    if isinstance(told, list) and isinstance(kept, list):
        return len(told) == len(kept) and all(map(_alike, told, kept))
    if isinstance(told, str) and told.endswith("+00:00"):
        return kept in (told, told[: -len("+00:00")])
    return bool(type(told) is type(kept) and told == kept)


def _cell(value: Any) -> str:
    """A cell without what the export adds so that no spreadsheet runs it and nothing in it stays unseen: an apostrophe
    before, and the code point in the place of a character (earlier versions spelled out none)."""
    if not isinstance(value, str):
        return "" if value is None else repr(value)
    text = re.sub("\u2039U\\+([0-9A-F]{4,6})\u203a", lambda found: chr(int(found.group(1), 16)), value)
    text = text.replace("\0", "\N{REPLACEMENT CHARACTER}")
    return text[1:] if text.startswith("'") else text


class Check:
    """Adds what it finds of one archive to `findings`, in the order of the checks."""

    def __init__(self, archive: Archive, findings: List[Finding]) -> None:
        self.archive = archive
        self.findings = findings
        self.manifest: Dict[str, Tuple[str, int]] = {}

    def that(self, check: str, said: str, problem: Callable[[], Optional[str]]) -> None:
        """Note what a check found: a problem, or `said` where there is none."""
        try:
            found = problem()
        except RefusedError as error:
            found = str(error)
        except (AttributeError, IndexError, KeyError, TypeError, ValueError, csv.Error) as error:
            found = "It is not as an export should be (%.200r)." % error
        self.findings.append(Finding(check, found is None, said if found is None else found))

    def members(self) -> Optional[str]:
        """Whether the members are those of the manifest, by name, size and SHA-256."""
        listed = parse_json(self.archive.read("manifest.json"))["members"]
        self.manifest = {one["name"]: (one["sha256"], one["size_bytes"]) for one in listed}
        names = set(self.archive.sizes) - {"manifest.json"}
        for name in sorted(names ^ set(self.manifest)):
            return "%s is %s." % (ascii(name), "not listed" if name in names else "listed but missing")
        for name, (sha256, size) in self.manifest.items():
            total = hashlib.sha256()
            if self.archive.sizes[name] == size:
                for chunk in self.archive.chunks(name):
                    total.update(chunk)
            if total.hexdigest() != sha256 or (_original(name) and name[-64:] != sha256):
                return "%s is not the file that is listed." % name
        return None if len(listed) == len(self.manifest) else "A member is listed twice."

    def case(self, heads: Sequence[str], reports: Sequence[str]) -> None:
        """The checks of an exported case."""
        at = {name: "tables/%s.jsonl" % name for name in TABLES}  # one that is newer than the archive is empty in it
        tables = {one: parse_table(self.archive.read(at[one])) if at[one] in self.archive.sizes else [] for one in at}
        told, scores_csv = parse_json(self.archive.read("case.json")), self.archive.read("scores.csv")
        events = sorted(tables["events"], key=lambda row: row["sequence"])
        hashes = [event["event_hash"] for event in events]
        self.that("log", "%d events, each follows from the one before" % len(events), lambda: chain_problem(events))
        self.that("rows", "every row is as the log vouches for", lambda: seal_problem(tables))
        self.that("files", "results and originals are those of the rows", lambda: self.files(files_needed(tables)))
        for gone in (one for one in events if one["action"] == REFILED):
            self.findings.append(Finding("refiled", None, refiled_text(parse_json(gone["details_json"].encode()))))
        self.that("findings", "none waits for somebody's words to it", lambda: self.findings_of(events))
        self.that("case.json", "says what the tables say", lambda: told_problem(told, tables))
        self.that("scores.csv", "holds the scores of the tables", lambda: scores_problem(scores_csv, tables))
        home = told["verification"]["problem"]
        self.findings.append(Finding("at home", home is None, home or "the store verified when this was exported"))
        for head in (given.strip().lower() for given in heads):
            unknown = Finding("head", False, f"{head} is in no event: it is not the log that was reported.")
            self.findings.append(Finding("head", True, f"{head} is in the log") if head in hashes else unknown)
        stamps = {name: self.archive.read(name) for name in self.archive.sizes if name.startswith("timestamps/")}
        if stamps:
            self.that("timestamps", "each names an event of the log", lambda: stamps_problem(stamps, set(hashes)))
            self.findings.append(Finding("timestamps", None, "their signatures are for openssl to check: ts -verify"))
        rendered = [parse_json(one["details_json"].encode()) for one in events if one["action"] == "report_rendered"]
        named = {details["sha256"] for details in rendered}
        for path in reports:
            self.that("report", f"{path} is as the log names it", partial(report_problem, path, named, self.manifest))
        if named and not reports:
            self.findings.append(Finding("report", None, f"the log names {len(named)}; give them with --report"))
        self.findings.append(Finding("head", None, f"{''.join(hashes[-1:])}: compare it with one printed elsewhere"))

    def findings_of(self, events: List[Row]) -> Optional[str]:
        """The findings that nobody acknowledged; those that somebody did are noted, with the words."""
        opened: Dict[int, str] = {}
        for event in events:
            details = parse_json(event["details_json"].encode("utf-8"))
            if event["action"] == ALTERED:
                opened[event["sequence"]] = f"Event {event['sequence']} of {event['at_utc']}: {altered_text(details)}"
            for sequence in details["findings"] if event["action"] == ACKNOWLEDGED else ():
                said = f"{opened.pop(sequence)} {event['actor']} on this: {details['text']}"
                self.findings.append(Finding("findings", None, said))
        return " ".join(opened.values()) or None

    def files(self, needed: Dict[str, Tuple[str, int]]) -> Optional[str]:
        """Whether the results and originals are those needed and no others; originals may have been left at home."""
        held = {name: one for name, one in self.manifest.items() if name.startswith(("analyses/", "evidence/"))}
        for name, listed in held.items():
            if needed.get(name) != listed:
                return "%s is not a file that the rows name." % name
        absent = sorted(set(needed) - set(held))
        if any(not _original(name) for name in absent):
            return "The results %s are missing." % absent
        if absent:
            self.findings.append(Finding("originals", None, "not in the archive: " + ", ".join(absent)))
        return None

    def replay(self) -> Optional[str]:
        """Whether the parts of a replay bundle agree with each other."""
        told, results = (parse_json(self.archive.read(name)) for name in ("replay.json", "analysis.json"))
        given, recorded, settings = told["input"], results["evidence"], told["settings"]
        covered = json.dumps({name: settings[name] for name in settings if name != "sha256"}, sort_keys=True).encode()
        used, named = ([(one["model_id"], one["weights_sha256"]) for one in two["models"]] for two in (told, results))
        original = {f"input/{given['sha256']}": (given["sha256"], given["size_bytes"])} if given["included"] else {}
        agree = {
            "input": all(given[name] == recorded[name] for name in ("sha256", "md5", "size_bytes", "file_name")),
            "original": {name: one for name, one in self.manifest.items() if _original(name)} == original,
            "settings": (settings, settings["sha256"]) == (results["settings"], hashlib.sha256(covered).hexdigest()),
            "models": used == named and bool(used),
        }
        wrong = [name for name, agrees in agree.items() if not agrees]
        return "Its parts contradict each other on: %s." % ", ".join(wrong) if wrong else None


def report_problem(path: str, named: Set[str], manifest: Dict[str, Tuple[str, int]]) -> Optional[str]:
    """Whether a report (PDF) is one that the log names by its SHA-256, and the analyses attached to it are the case's,
    in one sentence; None where all is well."""
    with open(path, "rb") as stream:
        pdf = stream.read(_MOST_RESULT_BYTES)
    if hashlib.sha256(pdf).hexdigest() not in named:
        return "%s is no report that the log names: its SHA-256 is in no event." % ascii(os.path.basename(path))
    attached = {}
    for found in re.finditer(rb"/EmbeddedFile\b(?:(?!endobj).){0,2000}?stream\r?\n", pdf, re.DOTALL):
        content = zlib.decompressobj().decompress(pdf[found.end() :], _MOST_READ_BYTES)
        attached[hashlib.sha256(content).hexdigest()] = content
    records = [parse_json(content) for content in attached.values() if b'"framewitness-report/' in content]
    for name, sha256 in (pair for record in records for pair in record["attached"].items()):
        if sha256 not in attached:
            return "The report's attachment %s is not the file that the report lists." % ascii(name)
        kept = manifest.get(name.replace("analysis-", "analyses/"))
        if kept and kept[0] != sha256:
            return "The report's attachment %s is not the case's." % ascii(name)
    return None if records else "The report carries no record.json that can be read."


def verify(path: str, heads: Sequence[str] = (), reports: Sequence[str] = (), large: bool = False) -> List[Finding]:
    """Every check of the archive or unpacked folder at `path`; where one cannot be read further, the last says so."""
    findings: List[Finding] = []
    try:
        check = Check(Archive(path, large), findings)
        check.that("members", f"{len(check.archive.sizes)}, each with the SHA-256 listed", check.members)
        if "replay.json" in check.archive.sizes:
            check.that("replay", "the parts of the bundle agree with each other", check.replay)
        else:
            check.case(heads, [*reports, *check.archive.reports])
    except (RefusedError, OSError) as error:
        findings.append(Finding(_REFUSED, False, str(error)))
    except (zipfile.BadZipFile, zlib.error, RuntimeError, EOFError, LookupError, TypeError, ValueError) as error:
        findings.append(Finding(_REFUSED, False, f"It is no readable export ({error!r:.200})."))
    return findings


def main(arguments: Optional[Sequence[str]] = None) -> int:
    """The command line; returns the exit status."""
    parser = argparse.ArgumentParser(description="Check an exported case or a replay bundle of Framewitness.")
    parser.add_argument("path", nargs="?", default=os.path.dirname(os.path.abspath(__file__)), help="zip or folder")
    parser.add_argument("--head", action="append", default=[], help="a head (event hash) printed elsewhere")
    parser.add_argument("--report", action="append", default=[], help="a report as PDF; those in the folder are found")
    parser.add_argument("--large", action="store_true", help="read members larger than is usual")
    args = parser.parse_args(arguments)
    findings = verify(args.path, args.head, args.report, args.large)
    for check, ok, text in findings:
        state = "REFUSED" if check == _REFUSED else {True: "ok", False: "DIFFERS", None: "note"}[ok]
        print("%-8s %-11s %s" % (state, check, "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)))
    failed = {check for check, ok, _ in findings if ok is False}
    verdict = "REFUSED: it was not checked to the end." if failed == {_REFUSED} else "DIFFERS: do not rely on it."
    print(verdict if failed else "INTACT: nothing differs.")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
