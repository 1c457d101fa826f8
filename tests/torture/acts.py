"""What is disturbed: commands of the command line, and what a page of the web server does, through the services of the
app itself. Each says what it has kept as soon as it has: what was said must be there afterwards."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from detector.cases import default_home
from detector.cli import main
from detector.evidence.sandbox import warm_up
from detector.jobs import JobRequest
from detector.settings import AnalysisSettings
from pages.parts.shared import intake, services
from tests.torture.scene import MODEL, SEEDED, Scene

PAGE_CASE = "Page case"
COMMAND_CASE = "Command case"
_POLL_S = 0.02


@dataclass(frozen=True, slots=True)
class Act:
    """`run(scene)` acts on the home that FRAMEWITNESS_HOME names, with the home's folder for what it writes elsewhere,
    and returns an exit status. Afterwards the store has a case of each of the `titles`. `empty` acts begin without a
    home; `restores` says that the home has no store until the act is done."""

    name: str
    run: Callable[[Scene], int]
    titles: tuple[str, ...] = (SEEDED,)
    empty: bool = False
    restores: bool = False


def acknowledge(identifier: str) -> None:
    """Tell it as a page would show it: after this it must never be lost."""
    os.write(sys.stdout.fileno(), f"acknowledged {identifier}\n".encode())


def await_jobs() -> None:
    """Wait for every job of the open services."""
    jobs = services.current().jobs
    while jobs.jobs(active_only=True):
        time.sleep(_POLL_S)


def serve(scene: Scene) -> int:
    """The web server with one examiner: a file is brought in and examined, an opinion and a note are given."""
    opened = services.open_services(default_home())
    try:
        warm_up()
        case_id = opened.store.create_case(PAGE_CASE).case_id
        acknowledge(case_id)
        incoming = [intake.Incoming(scene.clip.name, scene.clip)]
        queued = intake.queue(incoming, lambda: case_id, (MODEL,), AnalysisSettings(), "A. Nalyst")
        for job_id in queued.job_ids:
            acknowledge(job_id)
        for refusal in queued.refusals:
            print(f"error: {refusal.reason}", file=sys.stderr, flush=True)
        for exhibit in opened.store.exhibits(case_id):
            acknowledge(exhibit.exhibit_id)
            given = opened.store.statements.give_opinion(exhibit.exhibit_id, "undetermined", "too short")
            acknowledge(given.opinion_id)
        acknowledge(opened.store.add_note(case_id, "Asked for the original.").note_id)
        await_jobs()
        for record in opened.store.analyses(case_id=case_id):
            acknowledge(record.record_id)
            acknowledge(opened.store.add_note(case_id, "Read the result.").note_id)
    finally:
        services.close_services()
    return 1 if queued.refusals else 0


def resume(scene: Scene) -> int:
    """The server's next start: what was interrupted is taken up again."""
    services.open_services(default_home())
    try:
        await_jobs()
    finally:
        services.close_services()
    return 0


def submit_again(scene: Scene) -> int:
    """The seeded exhibit is examined by the server."""
    opened = services.open_services(default_home())
    try:
        (exhibit,) = opened.store.exhibits(opened.store.cases()[0].case.case_id)
        acknowledge(opened.jobs.submit(JobRequest(exhibit.exhibit_id, (MODEL,))))
        await_jobs()
    finally:
        services.close_services()
    return 0


def _run_command(words: tuple[str, ...], scene: Scene) -> int:
    places = {"clip": scene.clip, "bundle": scene.bundle, "backup": scene.backup, "out": out_folder()}
    return main([word.format(**places) for word in words])


def _command(*words: str) -> Callable[[Scene], int]:
    """A command line; {clip}, {bundle}, {backup} and {out}, a place beside the home, are filled in."""
    return partial(_run_command, words)


def out_folder() -> Path:
    return default_home().parent / "out"


WORKER = Act("worker of the server", submit_again)
SERVER = Act("web server", serve, (SEEDED, PAGE_CASE))
RESUME = Act("next start", resume, ())
ANALYZE = Act(
    "analyze",
    _command("analyze", "{clip}", "--models", MODEL, "--case", COMMAND_CASE, "--quiet"),
    (SEEDED, COMMAND_CASE),
)
FIRST = Act(
    "analyze, first opening",
    _command("analyze", "{clip}", "--models", MODEL, "--case", COMMAND_CASE, "--quiet"),
    (COMMAND_CASE,),
    empty=True,
)
EXPORT = Act("cases export", _command("cases", "export", SEEDED, "--with-evidence", "--out", "{out}/case.zip"))
IMPORT = Act("cases import", _command("cases", "import", "{bundle}"), empty=True)
BACKUP = Act("cases export --all", _command("cases", "export", "--all", "--out", "{out}/backup"))
RESTORE = Act("cases import, backup", _command("cases", "import", "{backup}"), empty=True, restores=True)
VERIFY = Act("cases verify --all", _command("cases", "verify", "--all"))
NOTE = Act("cases note", _command("cases", "note", "Seen again.", "--case", SEEDED))
COMMANDS = (ANALYZE, EXPORT, IMPORT, BACKUP, VERIFY, FIRST, RESTORE, NOTE)
