"""`python -m detector analyze`: the engine without a browser."""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from detector.commands.console import DEVICES, FileByFile, add_author, add_home, load_models, open_store, plain
from detector.commands.find_case import find_case
from detector.commands.forensics import lines_of
from detector.commands.interrupts import Interrupts
from detector.commands.meter import Meter
from detector.errors import EvidenceAlteredError, StoreError
from detector.settings import AnalysisSettings, home_at

if TYPE_CHECKING:
    from detector.analysis import Analysis
    from detector.cases import CaseStore
    from detector.evidence import StoredFile
    from detector.registry import LoadedModel


def add_commands(commands: Any) -> None:
    """Add this module's commands to the parser of `framewitness`."""
    parser = commands.add_parser(
        "analyze",
        help="examine files and print one JSON object a file",
        description="Examine each file and print one JSON object per line and file, in the order given. A file that "
        "cannot be examined prints nothing on standard output and one line on standard error; the others still run, "
        "and the exit status is that of the first that failed.",
    )
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE")
    parser.add_argument("--models", help="model ids, separated by commas (default: the default set, see `models list`)")
    parser.add_argument("--out", type=Path, metavar="DIR", help="also write each result, and its landmarks, here")
    parser.add_argument("--format", choices=("json", "text"), default="json")
    parser.add_argument("--case", metavar="NAME", help="record file and result in this case; it is made if missing")
    parser.add_argument("--device", choices=DEVICES, default="auto")
    parser.add_argument("--quiet", action="store_true", help="no progress on standard error")
    add_author(parser)
    add_home(parser)
    group = parser.add_argument_group("settings", "part of every result, with their SHA-256")
    for field in fields(AnalysisSettings):
        flag = f"--{field.name.replace('_', '-')}"
        if isinstance(field.default, bool):
            group.add_argument(flag, action=argparse.BooleanOptionalAction, default=field.default)
        else:
            group.add_argument(flag, type=type(field.default), default=field.default, help="default: %(default)s")
    parser.set_defaults(run_command=_analyze)


def _analyze(args: argparse.Namespace) -> int:
    settings = AnalysisSettings(**{field.name: getattr(args, field.name) for field in fields(AnalysisSettings)})
    with home_at(args.home):  # which calibration is in force is kept there
        models = load_models(args.models, args.device)
    each = FileByFile()
    with ExitStack() as closing:
        interrupts = closing.enter_context(Interrupts())
        if args.case:
            store = open_store(args.home, args.author)
            closing.callback(store.close)
            # What would refuse the result is found out before the work, not after it.
            known = find_case(store, args.case)
            if known is not None and known.status == "archived":
                raise StoreError(
                    f"The case {known.case_id} is archived. Reopen it with `cases archive --reopen` first."
                )
            session = _Session(models, settings, store.evidence_dir, args.quiet, store, args.case)
        else:
            folder = closing.enter_context(tempfile.TemporaryDirectory(prefix="framewitness-"))
            session = _Session(models, settings, Path(folder), args.quiet)
        for path in args.files:
            with each.of(path):
                analysis = session.examine(path, interrupts)
                if analysis is None:
                    continue
                _print_result(analysis, args.format)
                if args.out:
                    _write_result(analysis, args.out)
                if session.store is None:
                    analysis.evidence.file.path.unlink(missing_ok=True)
    return each.status


@dataclass(frozen=True)
class _Session:
    """The parts that every file of one command shares: models, settings, and where originals and results are kept."""

    models: tuple[LoadedModel, ...]
    settings: AnalysisSettings
    evidence_dir: Path
    quiet: bool
    store: CaseStore | None = None
    case_name: str = ""

    def examine(self, path: Path, interrupts: Interrupts) -> Analysis | None:
        """Ingest, analyse and, with a case, record one file; an interrupt leaves a whole record or none. With a case
        what is returned is what is on record; None where its scores wait for a blind opinion of who runs this."""
        from detector.analysis import analyze
        from detector.evidence import examine, unaltered

        with self._taken_in(path) as stored:
            try:
                with unaltered(stored):
                    evidence = examine(stored)
                    with interrupts.deferred(), Meter(plain(path.name), self.quiet) as meter:
                        analysis = analyze(
                            evidence, self.models, self.settings, on_progress=meter.show, cancelled=interrupts.asked
                        )
            except EvidenceAlteredError as error:
                if self.store is not None:
                    self.store.intake.report_altered(stored.sha256, error.found_sha256)
                raise
            if self.store is None:
                return analysis
            with interrupts.deferred():
                return self._record(self.store, path, analysis)

    def _taken_in(self, path: Path) -> AbstractContextManager[StoredFile]:
        """The stored copy of the file, gone again where it comes to no record."""
        from detector.evidence import ingest

        if self.store is not None:
            return self.store.intake.take_in(path)
        return nullcontext(ingest(path, self.evidence_dir))

    def _record(self, store: CaseStore, path: Path, analysis: Analysis) -> Analysis | None:
        """The analysis as it is kept. The case is made only now, so that work which came to nothing leaves no empty
        one."""
        case = find_case(store, self.case_name) or store.create_case(self.case_name)
        exhibit = store.add_exhibit(case.case_id, analysis.evidence)
        record = store.save_analysis(exhibit.exhibit_id, analysis, evidence_checked=True)
        store.similarity.fingerprint(exhibit.exhibit_id)
        print(f"{plain(path.name)}: recorded as {record.record_id} in case {case.case_id}", file=sys.stderr)
        if store.statements.scores_withheld(exhibit.exhibit_id, ""):
            print(
                f"{plain(path.name)}: the case is examined blind first: nothing is printed until {plain(store.actor)} "
                "has recorded an opinion (see `cases opinion`)",
                file=sys.stderr,
            )
            return None
        store.statements.record_view(
            case.case_id, exhibit_id=exhibit.exhibit_id, record_id=record.record_id, scores=True
        )
        return store.analysis(record.record_id)


def _print_result(analysis: Analysis, style: str) -> None:
    from detector.analysis import analysis_to_json

    if style == "json":
        print(analysis_to_json(analysis), flush=True)
        return
    conclusion = analysis.conclusion
    score = "no score" if conclusion.score is None else f"score {conclusion.score:.3f}"
    print(f"{plain(analysis.evidence.file.file_name)}: {conclusion.label.replace('_', ' ')} ({score})")
    print(f"  SHA-256 {analysis.evidence.file.sha256}")
    for reason in conclusion.reasons:
        print(f"  - {reason.text}")
    if analysis.forensics is not None:
        print("\n".join(lines_of(analysis.forensics, meanings=False)))


def _write_result(analysis: Analysis, folder: Path) -> None:
    """`<name>-<hash>.json`, and `….landmarks.npz` where faces carry a mesh."""
    from detector.analysis import analysis_to_json, save_landmarks

    folder.mkdir(parents=True, exist_ok=True)
    name = re.sub(r"[^A-Za-z0-9._-]+", "_", Path(analysis.evidence.file.file_name).stem).strip(".")[:80] or "evidence"
    base = folder / f"{name}-{analysis.evidence.file.sha256[:12]}"
    Path(f"{base}.json").write_text(analysis_to_json(analysis, indent=2) + "\n", encoding="utf-8")
    if any(tracked.face.landmarks is not None for track in analysis.tracks for tracked in track.faces):
        save_landmarks(analysis, Path(f"{base}.landmarks.npz"))
