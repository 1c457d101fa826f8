"""`python -m detector calibration`: fit a model's calibration to a set, show one, and choose which is in force."""

from __future__ import annotations

import argparse
import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from detector.calibration.calibration import Calibration


def add_commands(commands: Any) -> None:
    """Add this module's command to the parser of `framewitness`."""
    parser = commands.add_parser(
        "calibration",
        help="turn scores with known truth into strength of evidence",
        description="A calibration set is a Parquet file of scores whose truth is known; a calibration is what one "
        "makes of a model's scores: a likelihood ratio within bounds, and how often the model errs.",
    )
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
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
    make = actions.add_parser("set", help="make a calibration set of a folder that `evaluate PATH --out` wrote")
    make.add_argument("evaluated", type=Path, help="folder with scores.parquet and metrics.json")
    make.add_argument("--name", required=True, help="what the set is called in conclusions and reports")
    make.add_argument("--provenance", required=True, help="where the files come from, and how their truth is known")
    make.add_argument("--out", type=Path, required=True, help="the set to write, a Parquet file")
    make.set_defaults(run_command=_make_set)
    show = actions.add_parser("show", help="print the calibrations in force")
    show.add_argument("models", nargs="*", metavar="MODEL", help="model ids (default: every model that has one)")
    show.set_defaults(run_command=_show)


def _make_set(args: argparse.Namespace) -> int:
    from detector.analysis.identity import model_digest
    from detector.calibration.sets import COLUMNS, CalibrationSet
    from detector.errors import CalibrationError
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
    found = CalibrationSet(args.name, args.provenance, made_by, scores[list(COLUMNS)])
    args.out.write_bytes(found.to_bytes())
    print(f"{args.out}: {scores['sha256'].nunique()} files, {len(scored)} models, SHA-256 {found.sha256}")
    return 0


def _fit(args: argparse.Namespace) -> int:
    from detector.analysis.identity import model_digest
    from detector.calibration.fitting import fit_calibration
    from detector.calibration.sets import CalibrationSet
    from detector.errors import CalibrationError
    from detector.registry import load_set

    of = CalibrationSet.read(args.set)
    args.out.mkdir(parents=True, exist_ok=True)
    for model in load_set(args.models or sorted(of.made_by)):
        card = model.card
        if card.model_id not in of.made_by:
            continue  # a member that was loaded with the ensemble
        if of.made_by[card.model_id] != model_digest(model):
            raise CalibrationError(
                f"The scores of {card.model_id} in {of.name} were made by other weights or inputs than those here. "
                "Score the set's files again with `evaluate`."
            )
        decision = card.thresholds
        found = fit_calibration(of, card.model_id, (decision.no_manipulation_logit, decision.likely_manipulated_logit))
        path = args.out / f"{card.model_id}.calibration.json"
        path.write_text(found.model_dump_json(indent=1) + "\n", encoding="utf-8")
        print(_line(found), file=sys.stdout)
    return 0


def _show(args: argparse.Namespace) -> int:
    from detector.registry import available_models, find_calibration

    for model_id in args.models or [card.model_id for card in available_models()]:
        found = find_calibration(model_id)
        if found is not None:
            print(_line(found))
            print(f"  {found.cap_text()}")
            for row in found.errors:
                print(
                    f"  {row.condition:15} {row.value:28} {row.false_alarms:3} of {row.n_real:3} genuine called, "
                    f"{row.misses:3} of {row.n_fake:3} manipulated missed"
                )
        elif args.models:
            print(f"{model_id}: no calibration")
    return 0


def _line(found: Calibration) -> str:
    return (
        f"{found.model_id}: {found.method} on {found.set_name} ({found.n_fake} manipulated, {found.n_real} genuine), "
        f"Cllr {found.cllr:.3f} (at the least {found.cllr_min:.3f}), ECE {found.ece:.3f}, ratios from "
        f"{math.exp(found.lowest):.2g} to {math.exp(found.highest):.2g}"
    )
