"""`python -m detector report`: the PDF of a case, and the check of one."""

from __future__ import annotations

import argparse
import getpass
import json
import os
import sys
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from detector.commands.console import add_author, add_home, open_store, plain
from detector.commands.find_case import require_case
from detector.errors import SettingsError, StoreError

if TYPE_CHECKING:
    from detector.report.check import ReportCheck

# As in detector.report, which takes too long to load for a help text.
_FORMS = ("full", "short")
_MARKS = {True: "ok", False: "FAILED", None: "not checked"}


def add_commands(commands: Any) -> None:
    """Add this module's commands to the parser of `framewitness`."""
    parser = commands.add_parser("report", help="write the PDF of a case, or check one (exit status 1 where it fails)")
    parser.add_argument("case", nargs="?", help="case id, reference or title")
    parser.add_argument("--out", type=Path, metavar="FILE", help="where to write the PDF")
    parser.add_argument("--form", choices=_FORMS, default="full", help="short: two pages")
    parser.add_argument(
        "--exhibits",
        metavar="ID,...",
        help="cover these exhibits only, ids joined by commas (default: all of the case)",
    )
    parser.add_argument("--language", default="en", help="of the report: en, ar or es (default: en)")
    parser.add_argument(
        "--sign",
        type=Path,
        metavar="FILE.p12",
        help="sign with this PKCS#12 certificate; its passphrase is asked for, or read from "
        "FRAMEWITNESS_P12_PASSPHRASE",
    )
    parser.add_argument("--timestamp", metavar="URL", help="time-stamping authority (RFC 3161) to ask; default: none")
    parser.add_argument("--verify", type=Path, metavar="FILE.pdf", help="check a report instead of writing one")
    parser.add_argument("--trust", type=Path, action="append", default=[], metavar="FILE.pem", help="root certificate")
    parser.add_argument("--format", choices=("json", "text"), default="text")
    add_author(parser)
    add_home(parser)
    parser.set_defaults(run_command=_run)


def _run(args: argparse.Namespace) -> int:
    if args.verify is not None:
        if args.case is not None or args.sign is not None:
            raise SettingsError("report --verify checks a file: give it no case and nothing to sign with.")
        return _verify(args)
    if args.case is None or args.out is None:
        raise SettingsError("report needs a case and --out FILE, or --verify FILE.pdf.")
    if args.timestamp and args.sign is None:
        raise SettingsError("--timestamp stamps a signature: it needs --sign FILE.p12.")
    return _write(args)


def _write(args: argparse.Namespace) -> int:
    from detector.cases.time_authority import time_stamper
    from detector.report.issue import issue_report
    from detector.report.signing import load_signer

    signer = load_signer(args.sign, _passphrase()) if args.sign is not None else None
    stamper = time_stamper(args.timestamp) if args.timestamp else None
    with open_store(args.home, args.author) as store:
        case_id = require_case(store, args.case).case_id
        pdf = issue_report(
            store,
            case_id,
            file_name=args.out.name,
            form=args.form,
            language=args.language,
            exhibit_ids=None if args.exhibits is None else [one for one in args.exhibits.split(",") if one],
            signer=signer,
            stamper=stamper,
        )
        args.out.write_bytes(pdf)
    print(args.out)
    return 0


def _passphrase() -> bytes | None:
    """From the environment or a prompt, never from the command line, where every user of the machine could read it."""
    from detector.report.signing import PASSPHRASE_VARIABLE

    if (given := os.environ.get(PASSPHRASE_VARIABLE)) is not None:
        return given.encode() or None
    if not sys.stdin.isatty():
        raise SettingsError(f"There is no terminal to ask for the passphrase on. Set {PASSPHRASE_VARIABLE}.")
    return getpass.getpass("Passphrase of the certificate: ").encode() or None


def _verify(args: argparse.Namespace) -> int:
    from detector.cases.time_authority import read_roots
    from detector.report.check import check_report

    roots = read_roots(args.trust)
    pdf = args.verify.read_bytes()
    with ExitStack() as stack:
        store = None
        try:
            store = stack.enter_context(open_store(args.home)) if _has_store(args.home) else None
        except StoreError as error:
            print(f"warning: the case store is not compared with: {plain(str(error))}", file=sys.stderr)
        outcome = check_report(pdf, store=store, roots=roots)
    _tell(args.verify, outcome, args.format)
    return 0 if outcome.ok else 1


def _has_store(home: Path | None) -> bool:
    """Whether there is a store: checking a file must not make one."""
    from detector.cases import default_home

    return any((home or default_home()).glob("*.duckdb"))


def _tell(path: Path, outcome: ReportCheck, style: str) -> None:
    if style == "json":
        told = {**asdict(outcome), "ok": outcome.ok, "file": path.name}
        print(json.dumps(told, ensure_ascii=False))
        return
    for finding in outcome.findings:
        print(f"{_MARKS[finding.ok]}\t{finding.code}\t{plain(finding.text)}")
    print(f"{plain(path.name)}\t{'nothing found wrong' if outcome.ok else 'DIFFERS'}")
