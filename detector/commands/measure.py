"""`python -m detector evaluate` and `export`: what models are worth on labelled files, and weights with a card."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from detector.commands.evaluate_files import evaluate_files
from detector.errors import SettingsError
from detector.measurement.wording import number_text, value_text

if TYPE_CHECKING:
    import pandas as pd

    from detector.measurement.results import Measurement, Results
    from detector.training.evaluation.evaluate import Evaluation

_LEAST_FACES = 20  # of each label, or as many as are asked for


def add_commands(commands: Any) -> None:
    """Add this module's commands to the parser of `framewitness`."""
    evaluate = commands.add_parser(
        "evaluate",
        help="measure models on labelled files",
        usage="%(prog)s PATH [MODEL ...] --out FOLDER [options]\n       %(prog)s [MODEL ...] --data FOLDER [options]",
        description="With PATH, a folder with real and fake in it (or manifest.csv), or a CSV table with path and "
        "label: measure models on your own files and write metrics.json, scores.parquet and report.html. With --data: "
        "measure models on the files of a manifest, and report where their figures differ from their cards. Every file "
        "is examined once with all the models named, and with those they build on.",
    )
    evaluate.add_argument(
        "models",
        nargs="*",
        metavar="PATH or MODEL",
        help="PATH without --data, then model ids (default: the default set)",
    )
    evaluate.add_argument("--all", action="store_true", help="every model there is")
    evaluate.add_argument("--data", type=Path, help="folder with manifest.csv and the files it names")
    evaluate.add_argument(
        "--use",
        choices=("all", "validation", "train", "calibration"),
        default="all",
        help="the folder's own manifest (validation), the rows of its extended pool to train on or for calibration, or "
        "all that a model was not fitted to (default)",
    )
    evaluate.add_argument("--split", choices=("val", "test"), default="test", help="of the pictures (default: test)")
    evaluate.add_argument("--bank", type=Path, help="face bank of a training run: adds the pointing game")
    evaluate.add_argument(
        "--steadiness",
        type=int,
        default=0,
        metavar="N",
        help="on N labelled pictures, what averaging over views and dropout gains and costs",
    )
    evaluate.add_argument(
        "--clips",
        type=Path,
        help="folder of clips of a training run: adds what sequence models make of clips synthesised from people kept "
        "apart",
    )
    evaluate.add_argument(
        "--predictions",
        type=Path,
        help="keep every file's logits here, and go on from them (with PATH: predictions.jsonl in the folder)",
    )
    evaluate.add_argument(
        "--out",
        type=Path,
        help="with PATH the folder for the results; with --data the file for the report as JSON; a table goes to "
        "standard output",
    )
    evaluate.add_argument("--write-cards", action="store_true", help="put results and thresholds into the cards")
    evaluate.add_argument(
        "--runs",
        type=Path,
        help="folder of runs: an ensemble's thresholds hold for RUNS/MODEL/validation.csv as well, its cross-validated "
        "logits",
    )
    evaluate.add_argument(
        "--levels",
        action="store_true",
        help="with --write-cards and --predictions: also set the levels from which moments within a track count by "
        "themselves, of the ensembles and the temporal models they rest on",
    )
    evaluate.add_argument("--device", default="auto")
    evaluate.set_defaults(run_command=_evaluate)
    export = commands.add_parser("export", help="turn a finished run into weights with a measured card")
    export.add_argument("config", type=Path, help="the run's training config")
    export.add_argument("--data", type=Path, required=True, help="folder with manifest.csv and the files it names")
    export.add_argument("--run", type=Path, required=True, help="folder of the run")
    export.add_argument("--out", type=Path, required=True, help="folder for weights and card")
    export.add_argument("--history", default="", help="what was changed while the run went on, for the card")
    export.add_argument("--unmeasured", action="store_true", help="leave measuring to `evaluate --write-cards`")
    export.add_argument("--device", default="auto", help="for measuring: auto, cpu, cuda or cuda:N")
    export.set_defaults(run_command=_export)


def _evaluate(args: argparse.Namespace) -> int:
    return evaluate_files(args) if args.data is None else _against_cards(args)


def _against_cards(args: argparse.Namespace) -> int:
    from detector.registry import available_models, default_model_ids, weights_dir
    from detector.training.data.facebank import FaceBank
    from detector.training.engine.device import training_device
    from detector.training.engine.progress import Progress, shown
    from detector.training.evaluation.cards import write_levels, write_measured
    from detector.training.evaluation.evaluate import evaluate_models

    args.device = training_device(args.device)
    if args.all and args.models:
        raise SettingsError("Name models or give --all, not both.")
    if args.levels and not (args.write_cards and args.predictions):
        raise SettingsError("--levels needs --write-cards and --predictions, which holds the frames' scores.")
    ids = [card.model_id for card in available_models()] if args.all else args.models or default_model_ids()
    with shown():
        found = evaluate_models(
            ids,
            args.data,
            use=args.use,
            store=args.predictions,
            split=args.split,
            bank=FaceBank.open(args.bank) if args.bank else None,
            device=args.device,
            on_file=Progress("examining files"),
        )
        if args.steadiness:
            found = {
                name: _with_steadiness(one, args.data, args.steadiness, args.device) for name, one in found.items()
            }
        if args.clips:
            found = {name: _with_clips(one, args.data, args.clips) for name, one in found.items()}
    measured = {model_id: one.results(one.card.thresholds) for model_id, one in found.items()}
    report = {model_id: _described(evaluation, measured[model_id]) for model_id, evaluation in found.items()}
    text = json.dumps(report, indent=2, allow_nan=False)
    if args.out:
        args.out.write_text(text + "\n", encoding="utf-8")
    print(_table(found.values(), measured) if args.out else text)
    for model_id, one in report.items():
        print(f"{model_id}: {_compared(one['differs_from_card'])}", file=sys.stderr)
    if args.write_cards:
        for model_id, evaluation in found.items():
            crossed = _cross_validated(evaluation, args.runs / model_id) if args.runs else None
            write_measured(evaluation, weights_dir(), validation=crossed)
        if args.levels:
            write_levels(found, args.data, args.predictions, weights_dir(), device=args.device)
    return 0


def _compared(differing: list[str] | None) -> str:
    if differing is None:
        return "data of your own, of which it was fitted to nothing: measured whole, not compared with its card"
    return "; ".join(differing) if differing else "as its card says"


def _cross_validated(evaluation: Evaluation, run: Path) -> pd.DataFrame | None:
    """Logits that an ensemble's run gives people whom each of its fits left out; None where there are none."""
    import pandas as pd

    from detector.registry import loaded_class

    path = run / "validation.csv"
    fitted = loaded_class(evaluation.card.kind).needs_members
    return pd.read_csv(path) if fitted and path.is_file() else None


def _described(evaluation: Evaluation, results: Results) -> dict[str, Any]:
    from detector.training.evaluation.evaluate import differences

    return {
        "kind": evaluation.card.kind,
        "weights_sha256": evaluation.card.weights_sha256,
        "results": results.as_json(),
        "differs_from_card": None if evaluation.own_data else differences(evaluation.card.results, results),
        "clips": evaluation.clips(),
    }


def _with_steadiness(evaluation: Evaluation, data_root: Path, count: int, device: str) -> Evaluation:
    """Measured on frame models only, since the others score no single pictures, on pictures that they score, and not on
    a handful: a model that needs more around a face than labelled pictures show is left out."""
    from detector.explain.steadiness import measure_steadiness
    from detector.registry import FrameModel, load_model, loaded_class
    from detector.training.evaluation.predictions import column_of
    from detector.training.evaluation.scoring import labelled_faces

    scored = evaluation.pictures.dropna(subset=column_of(evaluation.card.model_id))
    each = max(1, count // 2)
    fewest = min((scored["label"] == label).sum() for label in ("real", "fake"))
    if not issubclass(loaded_class(evaluation.card.kind), FrameModel) or fewest < min(each, _LEAST_FACES):
        return evaluation
    chosen = scored.groupby("label").sample(frac=1, random_state=0)
    chosen = chosen.groupby("label").head(each)
    measured = measure_steadiness(load_model(evaluation.card.model_id, device), labelled_faces(chosen, data_root))
    return replace(evaluation, steadiness=measured)


def _with_clips(evaluation: Evaluation, data_root: Path, clips: Path) -> Evaluation:
    from detector.registry import SequenceModel, expect, load_model, loaded_class

    if not issubclass(loaded_class(evaluation.card.kind), SequenceModel):
        return evaluation
    from detector.training.sequence.report import measure_shipped

    model = expect(load_model(evaluation.card.model_id, "cpu"), SequenceModel)
    return replace(evaluation, synthesised=measure_shipped(model, data_root, clips))


def _table(evaluations: Iterable[Evaluation], measured: Mapping[str, Results]) -> str:
    """One line a model: picture and video AUC, the weakest generator, false alarms among genuine videos; of the clips
    kept for calibration the AUC and how many fakes one threshold finds at 5 % false alarms."""
    heads = ("model", "kind", "pictures", "videos", "held-out videos", "weakest generator", "false alarms")
    rows = [(*heads, "calibration", "found at 5 %")]
    for evaluation in evaluations:
        results = measured[evaluation.card.model_id]
        known = [row for row in results.under("videos", "per_generator").measurements if row.value is not None]
        weakest = min(known, key=lambda row: row.value or 0.0, default=None)
        rows.append(
            (
                evaluation.card.model_id,
                evaluation.card.kind,
                _auc(results.find("held_out_crops")),
                _auc(results.find("videos", "all")),
                _auc(results.find("videos", "held_out_genuine")),
                f"{_auc(weakest)} {weakest.data[-1][:32]}" if weakest else "-",
                _false_alarms(results),
                _auc(pooled := results.find("calibration_videos", "all")),
                "-" if pooled is None else number_text(pooled.rates.get("found_at_5_percent_false_alarms")),
            )
        )
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)


def _false_alarms(results: Results) -> str:
    if not results.under("videos", "called"):
        return "-"
    calls = results.table("videos", "called")
    return f"{calls.cell('called_genuine', 'likely_manipulated')} of {calls.cell('called_genuine', 'clips')}"


def _auc(row: Measurement | None) -> str:
    return "-" if row is None or row.value is None else value_text(row, places=3)


def _export(args: argparse.Namespace) -> int:
    from detector.registry import models_in
    from detector.training.engine.device import training_device
    from detector.training.engine.progress import Progress, shown
    from detector.training.evaluation.cards import write_measured
    from detector.training.evaluation.evaluate import evaluate_model
    from detector.training.kinds import export_run

    device = training_device(args.device)
    with shown():
        card = export_run(args.config, args.data, args.run, args.out, history=args.history)
        if not args.unmeasured:
            progress = Progress("examining files")
            with models_in(args.out):
                evaluation = evaluate_model(card.model_id, args.data, use="validation", device=device, on_file=progress)
            write_measured(evaluation, args.out, validation=_cross_validated(evaluation, args.run))
    print(f"{card.model_id}: weights {card.weights_sha256} and card in {args.out}", file=sys.stderr)
    return 0
