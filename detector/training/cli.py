"""`python -m detector train`, `export` and `evaluate`."""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import sys
import time
from pathlib import Path

from detector.training.config import TrainConfig, load_config
from detector.training.facebank import FaceBank, build_bank
from detector.training.frame import FrameTrainer
from detector.training.pool import SampleMaker, keep_filling, shard_paths
from detector.training.resynthesis import fit_all, load_all


def add_commands(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    train = subparsers.add_parser("train", help="train a frame model from a YAML config")
    train.add_argument("config", type=Path, help="training config, e.g. assets/configs/frame-thin-resnet18.yaml")
    train.add_argument("--data", type=Path, required=True, help="folder with manifest.csv and the files it names")
    train.add_argument("--run", type=Path, required=True, help="folder of this run; an interrupted run resumes from it")
    train.add_argument("--device", default="cpu")
    train.set_defaults(run_command=_train)
    evaluate = subparsers.add_parser("evaluate", help="measure a model on the files of a manifest")
    evaluate.add_argument("model", help="model id")
    evaluate.add_argument("--data", type=Path, required=True, help="folder with manifest.csv and the files it names")
    evaluate.add_argument("--out", type=Path, help="write the report here as JSON instead of standard output")
    evaluate.set_defaults(run_command=_evaluate)
    export = subparsers.add_parser("export", help="turn a finished run into weights with a measured card")
    export.add_argument("config", type=Path, help="the run's training config")
    export.add_argument("--data", type=Path, required=True, help="folder with manifest.csv and the files it names")
    export.add_argument("--run", type=Path, required=True, help="folder of the run")
    export.add_argument("--out", type=Path, required=True, help="folder for weights and card")
    export.set_defaults(run_command=_export)


def _fill(bank_dir: Path, networks_dir: Path, pool: Path, config: TrainConfig) -> None:
    maker = SampleMaker(
        FaceBank.open(bank_dir),
        "train",
        config.margin,
        config.input_px,
        seed=config.seed,
        resynthesisers=load_all(networks_dir),
        resynthesis_share=config.resynthesis_share,
    )
    keep_filling(
        maker,
        pool,
        pairs=config.shard_pairs,
        labelled=config.shard_labelled,
        coarse_shards=config.coarse_shards,
        keep=config.keep_shards,
    )


def _train(args: argparse.Namespace) -> int:
    config = load_config(args.config)
    bank_dir, networks_dir, pool = args.run / "bank", args.run / "resynthesisers", args.run / "pool"
    if not (bank_dir / "table.parquet").is_file():
        print("cutting faces …", file=sys.stderr)
        build_bank(args.data, bank_dir)
    bank = FaceBank.open(bank_dir)
    fit_all(bank, networks_dir, minutes=config.resynthesiser_minutes)
    validation = SampleMaker(bank, "val", config.margin, config.input_px, seed=config.seed + 1).shard(
        0, pairs=min(400, config.shard_pairs), labelled=min(800, config.shard_labelled)
    )
    # Spawned and daemonic: it ends with this process and shares no threads with it.
    writer = multiprocessing.get_context("spawn").Process(
        target=_fill, args=(bank_dir, networks_dir, pool, config), daemon=True
    )
    writer.start()
    while len(shard_paths(pool)) < 2:
        if not writer.is_alive():
            print("the sample writer stopped; see its message above", file=sys.stderr)
            return 1
        time.sleep(1)
    trainer = FrameTrainer(config, args.run, args.device)
    try:
        trainer.run(pool, validation)
    finally:
        writer.terminate()
    print(
        f"trained {trainer.step} steps in {trainer.elapsed_s / 60:.1f} min; log and checkpoint in {args.run}",
        file=sys.stderr,
    )
    return 0


def _export(args: argparse.Namespace) -> int:
    from detector.training.evaluate import evaluate_model
    from detector.training.export import export_run, measure_run

    config = load_config(args.config)
    card = export_run(config, args.run, FaceBank.open(args.run / "bank").table, args.out)
    os.environ["FRAMEWITNESS_WEIGHTS"] = str(args.out.resolve())
    measure_run(card, args.out, evaluate_model(card.model_id, args.data))
    print(f"{card.model_id}: weights {card.weights_sha256} and measured card in {args.out}", file=sys.stderr)
    return 0


def _evaluate(args: argparse.Namespace) -> int:
    from detector.training.evaluate import evaluate_model

    report = json.dumps(evaluate_model(args.model, args.data), indent=2)
    if args.out:
        args.out.write_text(report + "\n", encoding="utf-8")
    else:
        print(report)
    return 0
