"""Training runs as the product writes them, small: for the pages' tests."""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path

import numpy as np
import pandas as pd

from detector.training.data.leakage import check_leakage
from detector.training.engine.run_report import summarise


def write_run(folder: Path, *, epochs: int = 14, seed: int = 1, leaky: bool = False) -> Path:
    """A finished run with curves, facts, report and leakage findings; `leaky` makes duration give the label away."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(seed)
    rows = [
        {
            "epoch": epoch,
            "train_loss": 0.7 * math.exp(-epoch / 8) + 0.05,
            "train_auc": 1 - 0.5 * math.exp(-epoch / 5),
            "validation_loss": 0.62 * math.exp(-epoch / 7) + 0.14 + max(0, epoch - 9) * 0.012,
            "accuracy": 0.85 - 0.3 * math.exp(-epoch / 5),
            "f1": 0.84 - 0.3 * math.exp(-epoch / 5),
            "precision": 0.88 - 0.3 * math.exp(-epoch / 5),
            "recall": 0.80 - 0.3 * math.exp(-epoch / 5),
            "auc": 0.92 - 0.42 * math.exp(-epoch / (4 + seed)) + rng.normal(0, 0.004),
            "learning_rate": 1e-3 * 0.5 * (1 + math.cos(math.pi * (epoch % 10) / 10)) + 1e-6,
            "minutes": 1.5 * (epoch + 1),
            "auc:swap": 0.95 - 0.4 * math.exp(-epoch / 5),
            "accuracy:swap": 0.9 - 0.3 * math.exp(-epoch / 5),
            "auc:mouth": 0.43 + 0.002 * epoch,
            "accuracy:mouth": 0.5,
        }
        for epoch in range(epochs)
    ]
    with (folder / "metrics.csv").open("w", newline="") as out:
        writer = csv.DictWriter(out, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    best = min(rows, key=lambda row: row["validation_loss"])
    counts = {"genuine": 120, "manipulated": 120}
    facts = {
        "kind": "sequence", "model_id": f"transformer-{seed}", "title": f"Transformer, run {seed}",
        "config": {"kind": "sequence", "fit": {"max_epochs": 60, "seed": seed}}, "config_sha256": "ab" * 32,
        "status": "finished", "stopped_because": "5 epochs brought no lower validation loss",
        "started": "2026-01-02T03:04:05+00:00", "updated": "2026-01-02T03:30:05+00:00", "device": "cpu",
        "epochs": epochs, "best_epoch": best["epoch"], "best_validation_loss": best["validation_loss"],
        "minutes": 1.5 * epochs, "parameters": 1_234_567,
        "counts": {"train": {**counts, "batches": 40}, "validation": {**counts, "groups": {
            "swap": {"genuine": 0, "manipulated": 60}, "mouth": {"genuine": 0, "manipulated": 60}}}},
        "confusion": {"true_genuine": 104, "false_manipulated": 16, "false_genuine": 25, "true_manipulated": 95},
        "versions": {"torch": "2", "lightning": "2"},
    }  # fmt: skip
    (folder / "run.json").write_text(json.dumps(facts))
    label = np.repeat([0, 1], 60)
    table = pd.DataFrame(
        {
            "label": label,
            "duration_s": rng.normal(8 + 4 * label * leaky, 1.0),
            "sharpness": rng.normal(100, 20, 120),
            "codec": "h264",
        }
    )
    check_leakage(table, what="training mix").write(folder)
    leakage = json.loads((folder / "leakage.json").read_text())
    samples = pd.DataFrame(
        {
            "logit": np.r_[rng.normal(0, 1, 120), rng.normal(2, 1, 60), rng.normal(-2, 1, 60)],
            "label": np.repeat([0, 1], 120),
            "group": np.repeat(["", "swap", "mouth"], [120, 60, 60]),
        }
    )
    (folder / "report.json").write_text(json.dumps(summarise(facts, pd.DataFrame(rows), samples, leakage)))
    return folder


def write_old_run(folder: Path) -> Path:
    """A run of the first program: curves by step and nothing else."""
    folder.mkdir(parents=True)
    lines = ["step,minutes,learning_rate,loss,pairs_auc,pairs_f1,labelled_auc,labelled_f1"]
    lines += [f"{100 * n},{1.9 * n},0.001,{2.2 / n:.4f},{0.5 + n / 50},0.5,{0.5 + n / 60},0.4" for n in range(1, 9)]
    (folder / "log.csv").write_text("\n".join(lines) + "\n")
    return folder
