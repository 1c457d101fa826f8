"""`python -m detector cases` and `report`: the record without a browser."""

from __future__ import annotations

import argparse
import json
import sys
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from detector.commands.console import add_home, open_store, plain
from detector.errors import StoreError

if TYPE_CHECKING:
    from detector.cases import Case, CaseStore


def add_commands(commands: Any) -> None:
    parser = commands.add_parser("cases", help="list, show, verify or export cases")
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    listing = actions.add_parser("list", help="one line a case: id, reference, exhibits, analyses, title")
    listing.add_argument("--search", default="", help="words in title, reference, examiner, file names or hashes")
    listing.add_argument("--limit", type=int, default=100)
    show = actions.add_parser("show", help="a case with its exhibits, analyses and notes as JSON")
    verify = actions.add_parser("verify", help="recompute every hash of a case; exit status 1 where one differs")
    export = actions.add_parser("export", help="write a case as one ZIP bundle")
    report = commands.add_parser("report", help="write the PDF of a case")
    for action, run in ((listing, _list), (show, _show), (verify, _verify), (export, _export), (report, _report)):
        if action is not listing:
            action.add_argument("case", help="case id, reference or title")
        add_home(action)
        action.set_defaults(run_command=run)
    export.add_argument("--out", type=Path, required=True, metavar="FILE")
    report.add_argument("--out", type=Path, required=True, metavar="FILE")


def find_case(store: CaseStore, name: str) -> Case | None:
    """The case with this id, reference or title, None where there is none.

    Raises StoreError where several cases have that title.
    """
    found = [summary.case for summary in store.cases(name, limit=1_000)]
    with suppress(StoreError):  # most names are no id
        found.append(store.case(name))
    for field in ("case_id", "reference", "title"):
        matches = {case.case_id: case for case in found if getattr(case, field) == name}
        if len(matches) > 1:
            raise StoreError(f"{len(matches)} cases have the {field} {name!r}: {', '.join(matches)}. Give the id.")
        if matches:
            return next(iter(matches.values()))
    return None


def case_named(store: CaseStore, name: str) -> Case:
    """The case that an analysis is recorded in: the one of that name, or a new one with it as title."""
    return find_case(store, name) or store.create_case(name)


def _require(store: CaseStore, name: str) -> Case:
    case = find_case(store, name)
    if case is None:
        raise StoreError(f"There is no case {name!r} in {store.home}. See `python -m detector cases list`.")
    return case


def _list(args: argparse.Namespace) -> int:
    with open_store(args.home) as store:
        for summary in store.cases(args.search, limit=args.limit):
            case = summary.case
            counts = f"{summary.exhibit_count} exhibits\t{summary.analysis_count} analyses"
            print(f"{case.case_id}\t{plain(case.reference)}\t{counts}\t{plain(case.title)}")
    return 0


def _show(args: argparse.Namespace) -> int:
    with open_store(args.home) as store:
        case = _require(store, args.case)
        shown = {
            "case": asdict(case),
            "exhibits": [
                {
                    "exhibit_id": exhibit.exhibit_id,
                    "number": exhibit.number,
                    "file_name": exhibit.file_name,
                    "sha256": exhibit.sha256,
                    "added_at": exhibit.added_at,
                }
                for exhibit in store.exhibits(case.case_id)
            ],
            "analyses": [asdict(record) for record in store.analyses(case_id=case.case_id)],
            "notes": [asdict(note) for note in store.notes(case.case_id)],
            "events": len(store.events(case.case_id)),
        }
    print(json.dumps(shown, indent=2, ensure_ascii=False, default=str))
    return 0


def _verify(args: argparse.Namespace) -> int:
    with open_store(args.home) as store:
        outcome = store.verify(_require(store, args.case).case_id)
    checked = (
        f"{outcome.events_checked} events, {outcome.records_checked} records and {outcome.files_checked} files checked"
    )
    if outcome.ok:
        print(f"{outcome.case_id}\tintact\t{checked}")
        return 0
    print(f"{outcome.case_id}\tdiffers\t{checked}")
    print(f"error: case_differs: {outcome.problem}", file=sys.stderr)
    return 1


def _export(args: argparse.Namespace) -> int:
    with open_store(args.home) as store:
        store.export_case(_require(store, args.case).case_id, args.out)
    print(args.out)
    return 0


def _report(args: argparse.Namespace) -> int:
    from detector.report import render_case_pdf

    with open_store(args.home) as store:
        pdf = render_case_pdf(store, _require(store, args.case).case_id)
    args.out.write_bytes(pdf)
    print(args.out)
    return 0
