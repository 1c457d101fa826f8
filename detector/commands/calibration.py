"""`python -m detector calibration`: fit a model's calibration to a set, show one, and choose which is in force."""

from __future__ import annotations

import argparse
import math
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from detector.commands.console import add_home, open_store, plain
from detector.errors import CalibrationError, SettingsError

if TYPE_CHECKING:
    from detector.calibration.calibration import Calibration, Policy
    from detector.calibration.in_force import Choice, LeftOut

_SHIPPED = "shipped"


def add_commands(commands: Any) -> None:
    """Add this module's command to the parser of `framewitness`."""
    parser = commands.add_parser(
        "calibration",
        help="turn scores with known truth into strength of evidence",
        description="A calibration set is a Parquet file of scores whose truth is known; a calibration is what one "
        "makes of a model's scores: a likelihood ratio within bounds, and how often the model errs.",
    )
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    use = actions.add_parser(
        "use",
        help="put a set in force, with thresholds by the laboratory's limits, and into the log who did so",
        description="Fits every model of the set whose weights are those here. From the next analysis on likelihood "
        "ratios, error rates and thresholds are the set's.",
    )
    use.add_argument(
        "set", metavar="SET", help="calibration set (Parquet), or `shipped` for what came with the program"
    )
    use.add_argument("--author", default="", help="who chooses it (default: the user of this system)")
    use.set_defaults(run_command=_use)
    fit = actions.add_parser("fit", help="fit every model of a set, or those named, and write MODEL.calibration.json")
    fit.add_argument("set", type=Path, help="calibration set")
    fit.add_argument("models", nargs="*", metavar="MODEL", help="model ids (default: all of the set)")
    fit.add_argument(
        "--out",
        type=Path,
        required=True,
        help="folder for the calibrations; FRAMEWITNESS_CALIBRATIONS names the folder whose calibrations are in force",
    )
    fit.set_defaults(run_command=_fit)
    for action in (use, fit):
        limits = action.add_argument_group("limits", "thresholds follow from them; without any, `fit` keeps the cards'")
        limits.add_argument(
            "--false-alarms", type=float, metavar="SHARE", help="of genuine clips called manipulated (default: 0.05)"
        )
        limits.add_argument(
            "--misses", type=float, metavar="SHARE", help="of manipulated clips, nothing found (default: 0.1)"
        )
    make = actions.add_parser(
        "set", help="make a calibration set of a folder that `evaluate PATH --out` wrote, or of closed cases"
    )
    make.add_argument("evaluated", type=Path, nargs="?", help="folder with scores.parquet and metrics.json")
    make.add_argument(
        "--from-cases", action="store_true", help="of analyses in closed cases whose ground truth is recorded instead"
    )
    make.add_argument("--name", required=True, help="what the set is called in conclusions and reports")
    make.add_argument("--provenance", required=True, help="where the files come from, and how their truth is known")
    make.add_argument("--out", type=Path, required=True, help="the set to write, a Parquet file")
    make.add_argument("--author", default="", help="who makes it of cases (default: the user of this system)")
    make.set_defaults(run_command=_make_set)
    show = actions.add_parser("show", help="print which set is in force, since when and by whom, and the calibrations")
    show.add_argument("models", nargs="*", metavar="MODEL", help="model ids (default: every model that has one)")
    show.set_defaults(run_command=_show)
    for action in (use, make, show):
        add_home(action)


def _use(args: argparse.Namespace) -> int:
    from detector.calibration.calibration import Policy
    from detector.calibration.sets import CalibrationSet
    from detector.registry import CALIBRATIONS_VARIABLE, SHIPPED_SET

    policy = _policy(args)
    with open_store(args.home) as store:
        if args.set == _SHIPPED and policy is None:
            choice = store.calibration.use_shipped(author=args.author)
        else:
            of = CalibrationSet.read(SHIPPED_SET if args.set == _SHIPPED else Path(args.set))
            choice = store.calibration.use(of, policy or Policy(), author=args.author)
    if os.environ.get(CALIBRATIONS_VARIABLE):
        print(f"warning: what {CALIBRATIONS_VARIABLE} names goes before this choice", file=sys.stderr)
    for found in choice.calibrations:
        print(_line(found))
        print(f"  {_thresholds_line(found)}")
    _tell_left_out(choice.left_out)
    print(_in_force_line(choice))
    return 0


def _make_set(args: argparse.Namespace) -> int:
    if args.from_cases == (args.evaluated is not None):
        raise SettingsError("calibration set needs a folder that `evaluate` wrote, or --from-cases, not both.")
    return _set_from_cases(args) if args.from_cases else _set_from_evaluation(args)


def _set_from_cases(args: argparse.Namespace) -> int:
    with open_store(args.home) as store:
        made = store.set_from_cases(args.name, args.provenance, author=args.author)
    args.out.write_bytes(made.of.to_bytes())
    _tell_left_out(made.left_out)
    print(f"{args.out}: {made.files} files, {len(made.of.made_by)} models, SHA-256 {made.of.sha256}")
    return 0


def _set_from_evaluation(args: argparse.Namespace) -> int:
    from detector.analysis.identity import model_digest
    from detector.calibration.sets import APPEARANCE, COLUMNS, CalibrationSet
    from detector.measurement.score_set import SetFigures
    from detector.measurement.score_table import read_scores
    from detector.registry import load_set

    scores = read_scores(args.evaluated / "scores.parquet").rename(columns={"brightness": "exposure"})
    figures = SetFigures.read((args.evaluated / "metrics.json").read_bytes())
    scored = {one.model: one.weights_sha256 for one in figures.models}
    models = {model.card.model_id: model for model in load_set(scored)}
    if other := [name for name, weights in scored.items() if models[name].card.weights_sha256 != weights]:
        raise CalibrationError(f"The weights of {', '.join(other)} are not those that were evaluated. Evaluate again.")
    # A file that names no person stands for itself.
    scores["group"] = scores["group"].mask(scores["group"] == "", scores["sha256"])
    for name in ("source", "generator", "family", "codec"):
        scores[name] = scores[name].mask(scores[name] == "")
    made_by = {name: model_digest(models[name]) for name in scored}
    found = CalibrationSet(args.name, args.provenance, made_by, scores[[*COLUMNS, APPEARANCE]])
    args.out.write_bytes(found.to_bytes())
    print(f"{args.out}: {scores['sha256'].nunique()} files, {len(scored)} models, SHA-256 {found.sha256}")
    return 0


def _fit(args: argparse.Namespace) -> int:
    from detector.calibration.sets import CalibrationSet
    from detector.cases.calibration_choice import fit_models

    of = CalibrationSet.read(args.set)
    fitted, left_out = fit_models(of, _policy(args), args.models or None)
    if left_out:
        raise CalibrationError("; ".join(f"{one.name}: {one.reason}" for one in left_out))
    args.out.mkdir(parents=True, exist_ok=True)
    for found in fitted:
        path = args.out / f"{found.model_id}.calibration.json"
        path.write_text(found.model_dump_json(indent=1) + "\n", encoding="utf-8")
        print(_line(found))
    return 0


def _policy(args: argparse.Namespace) -> Policy | None:
    """The limits that were given, with the default for one that was not; None where neither was."""
    from detector.calibration.calibration import Policy

    given = {"false_alarms": args.false_alarms, "misses": args.misses}
    chosen = {name: value for name, value in given.items() if value is not None}
    return Policy.of(**{**Policy().model_dump(), **chosen}) if chosen else None


def _show(args: argparse.Namespace) -> int:
    from detector.calibration.in_force import CALIBRATION_FOLDER, choice_in_force
    from detector.registry import CALIBRATIONS_VARIABLE, available_models, find_calibration
    from detector.settings import default_home, home_at

    with home_at(args.home):
        if own := os.environ.get(CALIBRATIONS_VARIABLE):
            print(f"Before all others: those in {plain(own)} ({CALIBRATIONS_VARIABLE})")
        print(_in_force_line(choice_in_force(default_home() / CALIBRATION_FOLDER)))
        for model_id in args.models or [card.model_id for card in available_models()]:
            found = find_calibration(model_id)
            if found is not None:
                _tell(found)
            elif args.models:
                print(f"{model_id}: no calibration")
    return 0


def _tell(found: Calibration) -> None:
    print(_line(found))
    print(f"  {found.cap_text()}")
    print(f"  {_thresholds_line(found)}")
    for row in found.errors:
        print(
            f"  {row.condition:15} {row.value:28} {row.false_alarms:3} of {row.n_real:3} genuine called, "
            f"{row.misses:3} of {row.n_fake:3} manipulated missed"
        )


def _in_force_line(choice: Choice | None) -> str:
    if choice is None:
        return "In force: shipped, since the program was installed"
    by = f"since {choice.chosen_at:%Y-%m-%d %H:%M} UTC, chosen by {plain(choice.chosen_by)}"
    if choice.policy is None:
        return f"In force: {plain(choice.set_name)}, {by}"
    return (
        f"In force: {plain(choice.set_name)} (SHA-256 {choice.set_sha256}) for "
        f"{', '.join(one.model_id for one in choice.calibrations)}; {choice.policy.words}; {by}"
    )


def _thresholds_line(found: Calibration) -> str:
    basis = "of the card" if found.policy is None else f"by policy ({found.policy.words})"
    ends = found.threshold_intervals or (None, None)
    low, high = (
        f"{value:+.3f}" + ("" if spread is None else f" (95 % by these limits: {spread[0]:+.3f} to {spread[1]:+.3f})")
        for value, spread in zip(found.thresholds, ends, strict=True)
    )
    return f"Thresholds {basis}: manipulated from a logit of {high}, nothing found to {low}"


def _tell_left_out(left_out: Sequence[LeftOut]) -> None:
    for one in left_out:
        print(f"left out: {plain(one.name)}: {plain(one.reason)}", file=sys.stderr)


def _line(found: Calibration) -> str:
    return (
        f"{found.model_id}: {found.method} on {found.set_name} ({found.n_fake} manipulated, {found.n_real} genuine), "
        f"Cllr {found.cllr:.3f} (at the least {found.cllr_min:.3f}), ECE {found.ece:.3f}, ratios from "
        f"{math.exp(found.lowest):.2g} to {math.exp(found.highest):.2g}"
    )
