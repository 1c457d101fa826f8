"""`python -m detector cases drift | uncertain`: whether what comes in is still like the calibration sets, and which
files would teach most if their truth were known."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from detector.commands.console import add_home, open_store, plain
from detector.errors import SettingsError

if TYPE_CHECKING:
    from detector.calibration.calibration import Calibration
    from detector.calibration.sets import CalibrationSet
    from detector.cases import DriftReport, ModelDrift
    from detector.measurement.drift import Drift


def add_actions(actions: Any) -> None:
    """Add these actions to the parser of `framewitness cases`."""
    drift = actions.add_parser(
        "drift",
        help="scores and conditions of recent exhibits against the calibration sets in force",
        description="Compares the newest analysis of each recent file with the set that each model's calibration rests "
        "on: population stability index (over deciles of the set; usually read as moderate from 0.1, as large from "
        "0.25) and Kolmogorov-Smirnov test. The measurement becomes an event of the store's log.",
    )
    drift.add_argument("--since", type=_day, metavar="DATE", help="exhibits added on that day (UTC) or later")
    drift.add_argument("--last", type=int, metavar="N", help="the N newest exhibits (default: 200, without --since)")
    uncertain = actions.add_parser(
        "uncertain",
        help="the exhibits without recorded truth that the calibrations in force are least sure of",
        description="Lists the exhibits whose ground truth would teach most: posterior at even prior odds nearest to "
        "0.5, widest interval first among equals. Record what is known with `cases truth`.",
    )
    uncertain.add_argument("-n", type=int, default=20, metavar="N", help="how many (default: 20)")
    for action, run in ((drift, _drift), (uncertain, _uncertain)):
        action.add_argument("--format", choices=("json", "text"), default="text")
        add_home(action)
        action.set_defaults(run_command=run)


def _drift(args: argparse.Namespace) -> int:
    from detector.cases import DriftReport, Window, drift_of
    from detector.cases.drift_log import RECENT

    window = Window(args.since, args.last) if args.since or args.last is not None else RECENT
    calibrations = _calibrations()
    sets = _sets(calibrations)
    with open_store(args.home) as store:
        recent = store.scored_files(window)
        found = tuple(drift_of(name, one, sets[one.set_sha256], recent) for name, one in calibrations.items())
        report = DriftReport(window, recent.files, recent.left_out, found)
        store.log_drift(report)
    if args.format == "json":
        print(json.dumps(report.to_dict(), indent=2, ensure_ascii=False))
        return 0
    _tell_drift(report)
    return 0


def _tell_drift(report: DriftReport) -> None:
    print(f"{report.window.words}: {report.files} files{_left_out(report.left_out)}")
    if not report.models:
        print("No model has a calibration in force, so there is nothing to compare with.")
    for model in report.models:
        if model.other_weights:
            print(f"{model.model_id}\t{model.other_weights} files scored by other weights or inputs: not compared")
        # Where the score has too few files, no condition has enough.
        for one in (model.score, *(model.conditions if model.score.psi is not None else ())):
            print(_drift_line(model, one))


def _drift_line(model: ModelDrift, found: Drift) -> str:
    from detector.cases.drift_log import quantity_words

    head = f"{model.model_id}\t{quantity_words(found.quantity)}"
    if found.psi is None:
        return f"{head}\t{found.reason}"
    test = "" if found.ks is None else f"\tKS {found.ks:.3f}, p {found.ks_p:.2g}"
    verdict = "\tdrift" if found.drifted else ""
    return (
        f"{head}\tPSI {found.psi:.3f}, {found.reading} (by chance below {found.psi_by_chance:.3f}){test}"
        f"\t{found.n_recent} recent, {found.n_set} in {plain(model.set_name)}{verdict}"
    )


def _uncertain(args: argparse.Namespace) -> int:
    from detector.cases import Window, most_uncertain

    if args.n < 1:
        raise SettingsError(f"cases uncertain -n: expected a number of exhibits of 1 or more, found {args.n}.")
    calibrations = _calibrations()
    in_sets = [of.table["sha256"] for of in _sets(calibrations).values()]
    with open_store(args.home) as store:
        known = store.statements.files_with_truth().union(*in_sets)
        found = most_uncertain(store.scored_files(Window()), calibrations, known, args.n)
        for one in found.files:
            case, exhibit = store.case(one.case_id), store.exhibit(one.exhibit_id)
            if args.format == "json":
                names = {"case": case.reference, "exhibit": exhibit.reference, "file_name": exhibit.file_name}
                print(json.dumps({**asdict(one), **names}, ensure_ascii=False))
                continue
            print(
                f"{plain(case.reference)}\t{plain(exhibit.reference)}\t{one.exhibit_id}\t{plain(exhibit.file_name)}\t"
                f"uncertainty {one.uncertainty:.2f}, interval {one.interval_width:.2f} wide"
            )
    if args.format == "text":
        print(f"{len(found.files)} of {found.considered} files without recorded truth{_left_out(found.left_out)}")
    return 0


def _calibrations() -> dict[str, Calibration]:
    """The calibration in force of every model that has one."""
    from detector.registry import find_calibration

    found = {name: find_calibration(name) for name in _model_ids()}
    return {name: one for name, one in found.items() if one is not None}


def _model_ids() -> list[str]:
    from detector.registry import available_models

    return [card.model_id for card in available_models()]


def _sets(calibrations: Mapping[str, Calibration]) -> dict[str, CalibrationSet]:
    """The sets that they were fitted to, each once, by SHA-256. Raises CalibrationError where one is not at hand."""
    from detector.registry import set_behind

    behind = {one.set_sha256: one for one in calibrations.values()}
    return {sha256: set_behind(one) for sha256, one in behind.items()}


def _left_out(counts: Mapping[str, int]) -> str:
    return "".join(f"; {count} left out: {reason}" for reason, count in counts.items())


def _day(text: str) -> datetime:
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"expected a date such as 2026-01-31, found {text!r}") from error
