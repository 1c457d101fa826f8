"""`python -m detector validate`: verify the method on this installation, for a laboratory's accreditation file."""

from __future__ import annotations

import argparse
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from detector.commands.console import add_home, open_store, plain

if TYPE_CHECKING:
    from detector.validation.files import Written


def add_commands(commands: Any) -> None:
    """Add this module's command to the parser of `framewitness`."""
    parser = commands.add_parser(
        "validate",
        help="verify the method on this installation and write a dated record",
        description="Hold this installation to the shipped criteria of acceptance: equal numbers twice and as shipped, "
        "weights, signatures and versions, figures on a synthesised suite and, where one is given, on a suite of your "
        "own beside each model's card and calibration. Ends with 0 where everything passed, else with 1.",
    )
    parser.add_argument(
        "--suite", type=Path, help="own labelled files: a folder with real and fake in it, or a CSV table"
    )
    parser.add_argument(
        "--out",
        type=Path,
        help="folder of the record; one that was interrupted goes on (default: a new one in the store)",
    )
    parser.add_argument("--examiner", default="", help="who verifies; stands in the record and in the log")
    parser.add_argument("--language", default="en", help="of the PDF: en, ar or es")
    parser.add_argument("--device", default="auto")
    parser.add_argument(
        "--no-log", action="store_true", help="make no event in the store's log: the store is not opened at all"
    )
    parser.add_argument(
        "--measure",
        type=Path,
        metavar="CRITERIA",
        help="instead measure anew what is expected, and write it into this file of criteria as their next version",
    )
    parser.add_argument("--parent", type=int, help=argparse.SUPPRESS)  # a server's process, with which this one ends
    add_home(parser)
    parser.set_defaults(run_command=_validate)


def _validate(args: argparse.Namespace) -> int:
    from detector.cases import default_home
    from detector.cases.chain import STORE_CHAIN
    from detector.evidence.limits import yield_processor
    from detector.jobs.parent import die_with_parent
    from detector.report.language import words_of
    from detector.training.engine.device import training_device
    from detector.validation.files import EVENT, FOLDER, event_of
    from detector.validation.run import measure_expected, validate

    if args.parent is not None:
        die_with_parent(args.parent)
        yield_processor()
    words_of(args.language)
    device = training_device(args.device)
    began = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
    out = args.out or (args.home or default_home()) / FOLDER / began
    if args.measure:
        newer = measure_expected(out, args.measure, device=device, told=_tell)
        print(f"{args.measure}: version {newer.version}, {newer.expected.clips} clips")
        return 0
    if not args.no_log:
        open_store(args.home).close()  # that another program has it open is said now, not after minutes
    written = validate(
        out,
        supplied=args.suite,
        examiner=args.examiner,
        language=args.language,
        device=device,
        told=_tell,
    )
    _print(written)
    if not args.no_log:
        with open_store(args.home) as store:
            store.log(STORE_CHAIN, EVENT, event_of(written), actor=args.examiner)
    return 0 if written.record.result == "pass" else 1


def _tell(doing: str, done: int, total: int) -> None:
    if done in (0, total) or done % 5 == 0:
        print(f"{doing}: {done} of {total}" if total > 1 else doing, file=sys.stderr, flush=True)


def _print(written: Written) -> None:
    record = written.record
    print(f"{record.result}: {plain(str(written.folder))}")
    for part in record.parts:
        print(
            f"  {part.verdict:11} {part.part.replace('_', ' ')}: {part.passed} met, {part.failed} not met, "
            f"{part.not_checked} not checked"
        )
    for row in record.criteria:
        if row.verdict != "pass":
            why = f" ({row.reason})" if row.reason else ""
            detail = f": {'; '.join(row.detail)}" if row.detail else ""
            print(f"    {row.verdict:11} {row.measure.replace('_', ' ')} {plain(row.subject)}{why}{plain(detail)}")
    print(f"  validation.json SHA-256 {written.record_sha256}")
