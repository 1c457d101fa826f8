"""What a home is held to after a disturbance: it opens, it verifies, and nothing is lost, doubled or left over."""

from __future__ import annotations

import contextlib
import io
import re
import traceback
import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path

import duckdb

from detector.cases import CaseStore
from detector.cli import main
from detector.errors import FramewitnessError

# What a command or a page told somebody, in whole lines.
_ACKNOWLEDGED = (
    re.compile(r"^acknowledged (\w{10})\n", re.MULTILINE),
    re.compile(r"recorded as (\w{10}) in case \w{10}\n"),
    re.compile(r"recorded as \w{10} in case (\w{10})\n"),
    re.compile(r"^([cn]\w{9})(?:\t.*)?\n", re.MULTILINE),
    re.compile(r'^\{"schema_version": "[\d.]+", "analysis_id": "(\w{32})".*\n', re.MULTILINE),
    re.compile(r"\thead ([0-9a-f]{64})\n"),
)
_IDENTIFIERS = {
    "cases": "case_id",
    "exhibits": "exhibit_id",
    "analyses": "record_id",
    "notes": "note_id",
    "opinions": "opinion_id",
    "jobs": "job_id",
    "events": "event_hash",
}
_ONCE = {"analyses": "exhibit_id, analysis_id", "exhibits": "case_id, sha256", "cases": "title"}
_HARMLESS = (
    "warning: Nothing names the file",
    "the clock was set back",
    "Today's automatic backup could not be made",
)
# Beside evidence and artefacts, whose files must be named by a row.
_OWN_FILES = re.compile(
    r"cases\.(duckdb|duckdb\.wal|anchor|timestamps)|logs/(worker-\d+|job-\w+)\.log|backups/\d{8}T\d{12}Z-[\w-]+/.+|heatmaps/.+|derived/.+|spool/.+"
)


def acknowledged(said: str) -> frozenset[str]:
    """The ids and hashes in what an act printed."""
    return frozenset(found for pattern in _ACKNOWLEDGED for found in pattern.findall(said))


def inspect(home: Path, known: Iterable[str]) -> list[str]:
    """What is wrong with a home in which `known` was acknowledged, a sentence each. Clears its strays."""
    status, said, complained = command("cases", "verify", "--all", "--home", str(home))
    findings = [line for line in complained.splitlines() if not any(harmless in line for harmless in _HARMLESS)]
    if status != 0 or "differs" in said:
        findings.append(f"cases verify --all: exit status {status}, {said.strip()}")
    if "Traceback" in complained:
        return findings
    try:
        with CaseStore.open(home) as store:
            findings += [f"at opening: {one}" for one in store.warnings if not any(two in one for two in _HARMLESS)]
            listed = {stray.path for stray in store.intake.strays()}
    except FramewitnessError as error:
        return [*findings, f"does not open: {error}"]
    findings += [f"left over and not listed: {path}" for path in _unnamed(home) - listed]
    command("cases", "strays", "--clear", "--home", str(home))
    findings += [f"left over and not cleared: {path}" for path in listed if path.exists()]
    with duckdb.connect(str(home / "cases.duckdb"), read_only=True) as database:
        kept = {one for table, column in _IDENTIFIERS.items() for one in _column(database, table, column)}
        kept |= _column(database, "analyses", "analysis_id")
        findings += [f"acknowledged and lost: {one}" for one in sorted(set(known) - kept)]
        for table, columns in _ONCE.items():
            query = f"SELECT {columns} FROM {table} GROUP BY ALL HAVING count(*) > 1"
            findings += [f"twice in {table}: {row}" for row in database.execute(query).fetchall()]
    return findings


def unfinished_jobs(home: Path) -> list[str]:
    """The jobs that have not ended well, and results that were not taken out of the spool, after a server's end."""
    with duckdb.connect(str(home / "cases.duckdb"), read_only=True) as database:
        found = database.execute("SELECT job_id, state, message FROM jobs WHERE state <> 'done'").fetchall()
    waiting = [f"left in the spool: {path.name}" for path in (home / "spool").glob("*")]
    return [f"job {job_id} is {state}: {message}" for job_id, state, message in found] + waiting


def job_states(home: Path) -> list[str]:
    """The state of every job, in the order in which they were asked for."""
    with duckdb.connect(str(home / "cases.duckdb"), read_only=True) as database:
        return [state for (state,) in database.execute("SELECT state FROM jobs ORDER BY job_id").fetchall()]


def missing_titles(home: Path, titles: Sequence[str]) -> list[str]:
    """What an act that was done, or done again, was to leave and did not."""
    with duckdb.connect(str(home / "cases.duckdb"), read_only=True) as database:
        there = _column(database, "cases", "title")
        empty = [
            title
            for (title,) in database.execute(
                "SELECT title FROM cases WHERE case_id NOT IN (SELECT case_id FROM analyses)"
            ).fetchall()
        ]
    return [
        *(f"not there after all: the case {title!r}" for title in titles if title not in there),
        *(f"without a result after all: the case {title!r}" for title in titles if title in empty),
    ]


def damaged_outputs(folder: Path) -> list[str]:
    """What lies where an export goes and is neither whole nor marked as unfinished."""
    findings = []
    for path in folder.glob("*.zip"):
        try:
            with zipfile.ZipFile(path) as archive:
                damaged = archive.testzip()
        except zipfile.BadZipFile as error:
            damaged = str(error)
        if damaged:
            findings.append(f"an export that is not whole: {path.name} ({damaged})")
    return findings


def command(*words: str) -> tuple[int, str, str]:
    """(exit status, standard output, standard error) of a command line, run in this process."""
    said, complained = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(complained):
        try:
            status = main(words)
        except Exception:
            traceback.print_exc()
            status = 99
    return status, said.getvalue(), complained.getvalue()


def _unnamed(home: Path) -> set[Path]:
    """The files of a home that no row names and that are not its own."""
    with duckdb.connect(str(home / "cases.duckdb"), read_only=True) as database:
        named = {home / "evidence" / one[:2] / one for one in _column(database, "exhibits", "sha256")}
        named |= {home / "artefacts" / one for one in _column(database, "artefacts", "path")}
    return {
        path
        for path in home.rglob("*")
        if path.is_file() and path not in named and not _OWN_FILES.fullmatch(path.relative_to(home).as_posix())
    }


def _column(database: duckdb.DuckDBPyConnection, table: str, column: str) -> set[str]:
    return {one for (one,) in database.execute(f"SELECT DISTINCT {column} FROM {table}").fetchall()}
