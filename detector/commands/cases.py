"""`python -m detector cases`: the record without a browser."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from detector.commands import monitoring, statements
from detector.commands.console import add_author, add_home, open_store, plain
from detector.commands.find_case import require_case
from detector.errors import SettingsError

if TYPE_CHECKING:
    from detector.cases import CaseFilter, Verification


_STATUSES = ("open", "in_review", "closed", "archived")


def add_commands(commands: Any) -> None:
    """Add this module's commands to the parser of `framewitness`."""
    parser = commands.add_parser("cases", help="list, search, show, verify, export, import and annotate cases")
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    listing = actions.add_parser("list", help="one line a case: id, reference, exhibits, analyses, title")
    search = actions.add_parser("search", help="the texts that hold the words: titles, file names, notes, opinions …")
    search.add_argument("words", nargs="+")
    listing.add_argument("--search", default="", help="words in any text of a case, or the beginning of a SHA-256")
    for action in (listing, search):
        action.add_argument("--limit", type=int, default=100)
        action.add_argument("--status", choices=_STATUSES, action="append", help="default: all but archived")
        action.add_argument("--tag", action="append", default=[])
        action.add_argument("--examiner", default="")
        action.add_argument("--format", choices=("json", "text"), default="text")
    show = actions.add_parser("show", help="a case with its exhibits, analyses, notes and statements as JSON")
    verify = actions.add_parser("verify", help="recompute every hash; exit status 1 where one differs")
    verify.add_argument("--all", action="store_true", help="every case, and that none was taken away")
    verify.add_argument("--head", action="append", default=[], help="a head from an earlier report, to be in the log")
    verify.add_argument("--format", choices=("json", "text"), default="text")
    export = actions.add_parser("export", help="write a case as one ZIP bundle, or --all of the store to a folder")
    export.add_argument("--all", action="store_true", help="back up the whole store to the folder OUT")
    export.add_argument("--with-evidence", action="store_true", help="put the originals into the bundle")
    bring = actions.add_parser("import", help="take in a bundle, or make an empty store from a backup folder")
    bring.add_argument("source", type=Path, metavar="FILE_OR_FOLDER")
    bring.add_argument("--large", action="store_true", help="also a bundle with more than 64 MB of tables")
    settle = actions.add_parser("acknowledge", help="put on record what a finding that verify names came from")
    settle.add_argument("text", help="what was found out and done; kept in the log")
    settle.add_argument("--case", help="case id, reference or title (default: the store's own log)")
    settle.add_argument("--author", default="", help="who states it (default: the user of this system)")
    stamp = actions.add_parser("timestamp", help="have the logs' newest events time-stamped now (RFC 3161)")
    strays = actions.add_parser("strays", help="list the files of the store that nothing names, as after a crash")
    strays.add_argument("--clear", action="store_true", help="remove them, with an event in the store's log")
    for action, run in (
        (listing, _list),
        (search, _search),
        (show, _show),
        (verify, _verify),
        (export, _export),
        (bring, _import),
        (settle, _acknowledge),
        (stamp, _timestamp),
        (strays, _strays),
    ):
        if action in (verify, export):
            action.add_argument("case", nargs="?", help="case id, reference or title")
        if action is show:
            action.add_argument("case", help="case id, reference or title")
        if action in (listing, show, export):
            add_author(action)
        if action is export:
            action.add_argument("--out", type=Path, required=True, metavar="FILE")
        add_home(action)
        action.set_defaults(run_command=run)
    statements.add_actions(actions)
    monitoring.add_actions(actions)


def _wanted(args: argparse.Namespace) -> CaseFilter:
    from detector.cases import CURRENT, CaseFilter

    return CaseFilter(statuses=tuple(args.status or CURRENT), tags=tuple(args.tag), examiner=args.examiner)


def _list(args: argparse.Namespace) -> int:
    with open_store(args.home, args.author) as store:
        for summary in store.cases(args.search, limit=args.limit, wanted=_wanted(args), reader=store.actor):
            case = summary.case
            if args.format == "json":
                print(json.dumps(asdict(summary), ensure_ascii=False, default=str))
                continue
            counts = (
                f"{_count(summary.exhibit_count, 'exhibit')}\t{_count(summary.analysis_count, 'analysis', 'analyses')}"
            )
            print(f"{case.case_id}\t{plain(case.reference)}\t{counts}\t{plain(case.title)}")
    return 0


def _search(args: argparse.Namespace) -> int:
    with open_store(args.home) as store:
        for hit in store.search(" ".join(args.words), limit=args.limit, wanted=_wanted(args)):
            if args.format == "json":
                print(json.dumps(asdict(hit), ensure_ascii=False, default=str))
                continue
            print(f"{hit.case.case_id}\t{plain(hit.case.reference)}\t{hit.kind}\t{hit.place}\t{plain(hit.excerpt)}")
    return 0


def _show(args: argparse.Namespace) -> int:
    with open_store(args.home, args.author) as store:
        case = require_case(store, args.case)
        exhibits = store.exhibits(case.case_id)
        withheld = store.statements.withheld_in(case.case_id, args.author)
        records = [record for record in store.analyses(case_id=case.case_id) if record.exhibit_id not in withheld]
        for exhibit_id in dict.fromkeys(record.exhibit_id for record in records):
            store.statements.record_view(case.case_id, exhibit_id=exhibit_id, scores=True)
        shown = {
            "case": asdict(case),
            "exhibits": [
                {
                    "exhibit_id": exhibit.exhibit_id,
                    "number": exhibit.number,
                    "reference": exhibit.reference,
                    "description": exhibit.description,
                    "file_name": exhibit.file_name,
                    "sha256": exhibit.sha256,
                    "added_at": exhibit.added_at,
                    "scores_withheld": exhibit.exhibit_id in withheld,
                }
                for exhibit in exhibits
            ],
            "analyses": [asdict(record) for record in records],
            "notes": [asdict(note) for note in store.notes(case.case_id)],
            "bookmarks": [asdict(mark) for mark in store.metadata.bookmarks(case.case_id)],
            "opinions": [
                {**asdict(one), "blind": one.blind}
                for one in store.statements.opinions(case.case_id)
                if one.exhibit_id not in withheld
            ],
            "truths": [asdict(one) for one in store.statements.truths(case.case_id)],
            "signatures": [asdict(one) for one in store.statements.signatures(case.case_id)],
            "findings": [asdict(one) for one in store.findings(case.case_id)],
            "refiled": [asdict(one) for one in store.refilings(case.case_id)],
            "events": len(store.events(case.case_id)),
            "head": asdict(store.head(case.case_id)),
        }
    print(json.dumps(shown, indent=2, ensure_ascii=False, default=str))
    return 0


def _verify(args: argparse.Namespace) -> int:
    if args.all == (args.case is not None):
        raise SettingsError("cases verify needs a case or --all, not both.")
    with open_store(args.home) as store:
        warnings = store.warnings
        if args.all:
            whole = store.check_all()
            outcomes, problem = whole.cases, whole.problem
            warnings = (
                *warnings,
                *(f"The evidence file {sha256} is missing." for sha256 in whole.missing),
                *(f"Nothing names the file {stray.path} (see `cases strays`)." for stray in whole.strays),
            )
        else:
            case_id = require_case(store, args.case).case_id
            outcomes, problem = (store.check(case_id, known_heads=args.head),), None
        store.timestamps.wait()
        if store.timestamps.problem:
            warnings = (*warnings, store.timestamps.problem)
    for warning in warnings:
        print(f"warning: {plain(warning)}", file=sys.stderr)
    for outcome in outcomes:
        _tell_outcome(outcome, args.format)
    if problem is not None:
        print(f"error: store_differs: {plain(problem)}", file=sys.stderr)
    return 0 if problem is None and all(outcome.ok for outcome in outcomes) else 1


def _tell_outcome(outcome: Verification, style: str) -> None:
    if style == "json":
        print(json.dumps({**asdict(outcome), "ok": outcome.ok}, ensure_ascii=False, default=str))
    else:
        counts = (
            f"{_count(outcome.events_checked, 'event')}, {_count(outcome.records_checked, 'record')} and "
            f"{_count(outcome.files_checked, 'file')} checked"
        )
        head = "no head" if outcome.head is None else f"head {outcome.head.event_hash}"
        print(f"{outcome.case_id}\t{'intact' if outcome.ok else 'differs'}\t{counts}\t{head}")
        for stamp in outcome.timestamps[-1:]:
            print(f"{outcome.case_id}\ttime stamp\t{plain(stamp.sentence)}")
    for warning in outcome.warnings:
        print(f"warning: {plain(warning)}", file=sys.stderr)
    if outcome.problem is not None:
        print(f"error: case_differs: {plain(outcome.problem)}", file=sys.stderr)


def _acknowledge(args: argparse.Namespace) -> int:
    with open_store(args.home) as store:
        case_id = require_case(store, args.case).case_id if args.case else ""
        store.acknowledge(args.text, case_id=case_id, author=args.author)
        for finding in store.findings(case_id):
            print(plain(finding.sentence))
    return 0


def _timestamp(args: argparse.Namespace) -> int:
    with open_store(args.home) as store:
        line = store.timestamp()
        if line is None:
            print("No log has grown since the newest time stamp.")
            return 0
        for head in line.heads:
            print(f"{line.at:%Y-%m-%d %H:%M:%S}Z\t{head.case_id or 'store'}\tevent {head.sequence}\t{head.event_hash}")
    return 0


def _strays(args: argparse.Namespace) -> int:
    with open_store(args.home) as store:
        for stray in store.intake.clear_strays() if args.clear else store.intake.strays():
            print(f"{plain(str(stray.path))}\t{stray.size_bytes}\t{stray.modified_at:%Y-%m-%d %H:%M:%S}Z")
    return 0


def _export(args: argparse.Namespace) -> int:
    if args.all == (args.case is not None):
        raise SettingsError("cases export needs a case or --all, not both.")
    with open_store(args.home, args.author) as store:
        if args.all:
            store.back_up(args.out)
        else:
            case_id = require_case(store, args.case).case_id
            store.export_case(case_id, args.out, include_evidence=args.with_evidence)
    print(args.out)
    return 0


def _import(args: argparse.Namespace) -> int:
    from detector.cases import default_home, restore

    if args.source.is_dir():
        restore(args.source, args.home or default_home())
        print(args.home or default_home())
        return 0
    with open_store(args.home) as store:
        case = store.import_case(args.source, large=args.large)
        outcome = store.verify(case.case_id)
    print(f"{case.case_id}\t{plain(case.reference)}\t{plain(case.title)}")
    if not outcome.ok:
        print(f"warning: {plain(outcome.problem or '')}", file=sys.stderr)
    return 0


def _count(number: int, one: str, many: str = "") -> str:
    return f"{number} {one if number == 1 else many or one + 's'}"
