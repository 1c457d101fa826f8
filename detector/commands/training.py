"""`python -m detector train`, `average`, `leakage` and `baselines`."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path

from detector.errors import SettingsError
from detector.training.kinds import kind_of


def add_commands(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add this module's commands to the parser of `framewitness`."""
    train = subparsers.add_parser("train", help="train a model of any kind from a YAML config")
    train.add_argument("config", type=Path, help="training config, e.g. assets/configs/frame-thin-resnet18.yaml")
    train.add_argument("--data", type=Path, required=True, help="folder with manifest.csv and the files it names")
    train.add_argument("--run", type=Path, required=True, help="folder of this run; an interrupted run resumes from it")
    train.add_argument("--device", default="cpu", help="auto, cpu, cuda or cuda:N (default: cpu)")
    train.add_argument(
        "--check-leakage",
        action="store_true",
        help="train nothing: measure the files' plain properties against their labels, into the run's folder",
    )
    train.add_argument(
        "--folds",
        type=int,
        default=0,
        metavar="K",
        help="train K times, each time without a part of the people, and measure on those: RUN/folds.json",
    )
    train.set_defaults(run_command=_train)
    average = subparsers.add_parser(
        "average",
        help="average the weights of several runs into one",
        description="Average the weights of runs that went on from the same weights; ship the result with `export`.",
    )
    average.add_argument("sources", nargs="+", metavar="SOURCE", help="folder of a run, or model:ID of a shipped model")
    average.add_argument("--run", type=Path, required=True, help="folder that receives the averaged run")
    average.set_defaults(run_command=_average)
    leakage = subparsers.add_parser("leakage", help="does a plain property of the files give their label away?")
    leakage.add_argument("--data", type=Path, required=True, help="folder with manifest.csv and the files it names")
    leakage.add_argument("--kind", choices=("all", "image", "video"), default="all")
    leakage.add_argument("--files", type=int, default=1200, help="how many files to read at most")
    leakage.add_argument("--out", type=Path, help="write leakage.json and leakage.txt into this folder")
    leakage.set_defaults(run_command=_leakage)
    baselines = subparsers.add_parser(
        "baselines",
        help="frame models beside classical detectors fitted to the same crops",
        description="Fit classical detectors to the labelled training pictures of a face bank, and measure them and "
        "frame models on the same crops of people never seen.",
    )
    baselines.add_argument(
        "models", nargs="*", metavar="MODEL", help="frame models (default: those of the default set)"
    )
    baselines.add_argument("--data", type=Path, required=True, help="folder with manifest.csv and the files it names")
    baselines.add_argument(
        "--bank", type=Path, required=True, help="face bank of a training run; made where there is none"
    )
    baselines.add_argument("--split", choices=("val", "test"), default="test")
    baselines.add_argument("--out", type=Path, help="write the report here as JSON")
    baselines.add_argument("--write-cards", action="store_true", help="put the comparison into the models' cards")
    baselines.add_argument("--device", default="auto")
    baselines.set_defaults(run_command=_baselines)


def _train(args: argparse.Namespace) -> int:
    from detector.training.engine.device import training_device
    from detector.training.engine.progress import shown
    from detector.training.engine.run_log import finished_run
    from detector.training.engine.run_report import write_report

    kind, args.device = kind_of(args.config), training_device(args.device)
    if args.check_leakage:
        return _report_leakage(args.data, "all", 1200, args.run)
    with shown():
        if args.folds:
            return _train_folds(args)
        kind.train(args.config, args.data, args.run, args.device)
    facts = finished_run(args.run)
    if facts is not None and (args.run / "metrics.csv").is_file():  # an ensemble is fitted without epochs
        write_report(args.run)
        print(
            f"trained {facts['epochs']} epochs in {facts['minutes']:.1f} min; kept epoch {facts['best_epoch']}, of "
            f"validation loss {facts['best_validation_loss']:.4f}; report in {args.run}",
            file=sys.stderr,
        )
    return 0


def _average(args: argparse.Namespace) -> int:
    from detector.training.engine.weight_averaging import average_runs

    average_runs(args.sources, args.run)
    print(f"the mean of {len(args.sources)} networks is in {args.run}; measure it before it ships", file=sys.stderr)
    return 0


def _train_folds(args: argparse.Namespace) -> int:
    from detector.training.engine.folds import train_folds

    if args.folds < 2:
        raise SettingsError(f"--folds: expected at least 2, found {args.folds}.")
    report = train_folds(args.config, args.data, args.run, args.device, args.folds)
    print(f"AUC on people left out: mean {report['auc_mean']}, spread {report['auc_std']}, of {args.folds} folds")
    return 0


def _leakage(args: argparse.Namespace) -> int:
    return _report_leakage(args.data, args.kind, args.files, args.out)


def _baselines(args: argparse.Namespace) -> int:
    from detector.measurement.wording import figure_text
    from detector.registry import FrameModel, default_model_ids, load_set, weights_dir
    from detector.training.data.facebank import FaceBank, build_bank
    from detector.training.engine.device import training_device
    from detector.training.engine.progress import shown
    from detector.training.evaluation.baselines import compare_baselines

    asked = load_set(args.models or default_model_ids(), training_device(args.device))
    models = [model for model in asked if isinstance(model, FrameModel)]
    made = (args.bank / "table.parquet").is_file()
    with shown():
        bank = FaceBank.open(args.bank) if made else build_bank(args.data, args.bank)
        found = compare_baselines(models, bank, split=args.split)
    if args.out:
        args.out.write_text(json.dumps(found.as_json(), indent=2, allow_nan=False) + "\n", encoding="utf-8")
    if args.write_cards:
        for model in models:
            card = replace(model.card, results=model.card.results.updated(found.below("beside_baselines")))
            card.write(weights_dir() / f"{card.model_id}.card.json")
    for row in found.measurements:
        print(figure_text(row))
    return 0


def _report_leakage(data_root: Path, kind: str, files: int, out: Path | None) -> int:
    import pandas as pd

    from detector.training.data.leakage import check_leakage
    from detector.training.data.properties import describe_manifest

    manifest = pd.read_csv(data_root / "manifest.csv", dtype=str).fillna("")
    if kind != "all":
        manifest = manifest[manifest["kind"] == kind]
    if set(manifest["label"]) != {"real", "fake"}:
        raise SettingsError(f"{data_root / 'manifest.csv'}: a leakage report needs files labelled real and fake.")
    table = describe_manifest(manifest, data_root, most=files)
    report = check_leakage(table, what=f"files of {data_root.name}")
    if out:
        report.write(out)
    print(report.text(), end="")
    return 0
