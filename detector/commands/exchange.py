"""`python -m detector exchange`: a case, or one analysis, in a form for other programs and readers."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from detector.commands.console import add_author, add_home, open_store
from detector.commands.find_case import require_case
from detector.commands.find_record import require_record
from detector.errors import SettingsError


def add_commands(commands: Any) -> None:
    """Add this module's commands to the parser of `framewitness`."""
    from detector.cases.export_forms import CASE_FORMS, RECORD_FORMS

    forms = {form.key: form for form in (*CASE_FORMS, *RECORD_FORMS)}
    parser = commands.add_parser(
        "exchange",
        help="write a case as HTML, CASE/UCO, CSV or Parquet",
        description="Write a whole case, or with --record one analysis of it, in a form for other programs. The case's "
        "log says so. Of a case: html, case-uco, csv, parquet; of one analysis: csv, parquet, replay, "
        "replay-with-input, contact-sheet.",
        epilog=" ".join(f"{form.key}: {form.help}" for form in forms.values()),
    )
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("case", nargs="?", metavar="CASE", help="case id, reference or title")
    what.add_argument("--record", metavar="RECORD", help="record id, alone or as CASE/RECORD; or a case of one exhibit")
    parser.add_argument("--as", dest="form", choices=list(forms), required=True)
    parser.add_argument("--language", default="en", help="of the HTML report: en, ar or es (default: en)")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE")
    add_author(parser)
    add_home(parser)
    parser.set_defaults(run_command=_exchange)


def _exchange(args: argparse.Namespace) -> int:
    from detector.cases.export_forms import CASE_FORMS, RECORD_FORMS
    from detector.report.exchange import case_form, digest, log_export, record_form

    offered = RECORD_FORMS if args.record else CASE_FORMS
    if args.form not in [form.key for form in offered]:
        raise SettingsError(
            f"--as {args.form} is not offered of {'one analysis' if args.record else 'a whole case'}; choose from "
            f"{', '.join(form.key for form in offered)}."
        )
    with open_store(args.home, args.author) as store:
        if args.record:
            record = require_record(store, args.record)
            case_id, record_id = record.case_id, record.record_id
            content = record_form(store, record_id, args.form)
        else:
            case_id, record_id = require_case(store, args.case).case_id, ""
            content = case_form(store, case_id, args.form, language=args.language)
        args.out.write_bytes(content)
        log_export(store, case_id, args.form, args.out.name, digest(content), record_id=record_id)
    print(args.out)
    return 0
