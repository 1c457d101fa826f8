"""`python -m detector annotate` and `contact-sheet`: pictures derived from an exhibit and its analysis."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from detector.commands.console import add_home, open_store, plain
from detector.commands.find_record import add_record, records_and_files
from detector.commands.interrupts import Interrupts
from detector.commands.meter import Meter
from detector.errors import SettingsError

if TYPE_CHECKING:
    from detector.cases import AnalysisRecord, CaseStore


def add_commands(commands: Any) -> None:
    """Add this module's commands to the parser of `framewitness`."""
    annotate = commands.add_parser(
        "annotate",
        help="write the video with boxes, scores and a time line drawn on it",
        description="Write an MP4, labelled as derived in every frame, that plays the exhibit with the boxes and "
        "scores of one analysis, a strip of all scores with a playhead and, on request, the heatmap beside it.",
    )
    annotate.add_argument("--heatmap", action="store_true", help="Grad-CAM beside the picture (takes much longer)")
    sheet = commands.add_parser(
        "contact-sheet",
        help="write the strongest faces with their heatmaps as one picture",
        description="Write a PNG, labelled as derived, of the strongest faces of one analysis.",
    )
    sheet.add_argument("--count", type=int, default=12, help="most faces on the sheet, up to 60 (default: 12)")
    sheet.add_argument("--no-heatmap", action="store_true", help="faces alone")
    for command, run, file in ((annotate, _annotate, "FILE.mp4"), (sheet, _contact_sheet, "FILE.png")):
        add_record(command, file)
        command.add_argument("--quiet", action="store_true", help="no progress on standard error")
        add_home(command)
        command.set_defaults(run_command=run)


def _annotate(args: argparse.Namespace) -> int:
    from detector.report.annotated_video import annotate_video, heatmap_model
    from detector.report.exchange import require_original

    with open_store(args.home, args.author) as store, Interrupts() as interrupts, interrupts.deferred():
        for record, out in records_and_files(store, args, ".mp4"):
            analysis, evidence = store.analysis(record.record_id), store.exhibit(record.exhibit_id).evidence
            require_original(evidence.file.path, evidence.file.sha256)
            with Meter(plain(out.name), args.quiet) as meter:
                made = annotate_video(
                    evidence,
                    analysis,
                    out,
                    heatmap_model=heatmap_model(analysis) if args.heatmap else None,
                    on_progress=meter.show,
                    cancelled=interrupts.asked,
                )
            _log(store, record, out, "annotated-video")
            print(made.statement, file=sys.stderr)
            print(out)
    return 0


def _contact_sheet(args: argparse.Namespace) -> int:
    from detector.explain import Explainer
    from detector.report.contact_sheet import MOST_FACES, contact_sheet
    from detector.report.exchange import require_original
    from detector.report.strongest import Illustrator

    if not 1 <= args.count <= MOST_FACES:
        raise SettingsError(f"--count is from 1 to {MOST_FACES}, not {args.count}.")
    with open_store(args.home, args.author) as store:
        illustrator = Illustrator(None if args.no_heatmap else Explainer(store.home / "heatmaps"), ())
        for record, out in records_and_files(store, args, ".png"):
            analysis, evidence = store.analysis(record.record_id), store.exhibit(record.exhibit_id).evidence
            require_original(evidence.file.path, evidence.file.sha256)
            out.write_bytes(contact_sheet(evidence, analysis, illustrator, count=args.count))
            _log(store, record, out, "contact-sheet")
            print(out)
    return 0


def _log(store: CaseStore, record: AnalysisRecord, path: Path, form: str) -> None:
    from detector.cases.codec import file_sha256
    from detector.report.exchange import log_export

    log_export(store, record.case_id, form, path.name, file_sha256(path), record_id=record.record_id)
