"""`python -m detector evaluate PATH`: what models are worth on a laboratory's own labelled files."""

from __future__ import annotations

import argparse
import io
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from detector import __version__
from detector.commands.console import plain
from detector.errors import SettingsError

if TYPE_CHECKING:
    from detector.measurement.score_set import SetFigures

PREDICTIONS: Final = "predictions.jsonl"
# Options of the other form, which measures against cards, as argparse has them with their defaults.
_OF_CARDS: Final = {
    "use": "all", "split": "test", "bank": None, "steadiness": 0, "clips": None, "write_cards": False, "runs": None,
    "levels": False,
}  # fmt: skip


def evaluate_files(args: argparse.Namespace) -> int:
    """Score the files of PATH with all the models and write metrics.json, scores.parquet, parts.parquet and report.html
    to --out.

    Raises SettingsError for a wrong use or a PATH without labelled files, ModelError as `load_set`.
    """
    from detector.measurement.score_set import measure_scores
    from detector.registry import available_models, default_model_ids, load_set
    from detector.report.evaluation_html import evaluation_html
    from detector.training.engine.device import training_device
    from detector.training.engine.progress import Progress, shown
    from detector.training.evaluation.own_files import read_own_files, score_own_files, score_parts
    from detector.training.evaluation.scoring import VIDEO_SETTINGS

    path, ids, out = _asked(args)
    own = read_own_files(path)
    if args.all:
        ids = [card.model_id for card in available_models()]
    models = load_set(ids or default_model_ids(), training_device(args.device))
    out.mkdir(parents=True, exist_ok=True)
    print(f"{len(own.table)} files, {len(models)} models; results in {plain(str(out))}", file=sys.stderr)
    store = args.predictions or out / PREDICTIONS
    with shown():
        scores = score_own_files(own, models, store, on_file=Progress("examining files"))
    parts = score_parts(scores, models, store)
    found = measure_scores(
        scores,
        {model.card.model_id: (model.card.weights_sha256, model.card.thresholds) for model in models},
        parts=parts,
        program=f"framewitness {__version__}",
        settings_sha256=VIDEO_SETTINGS.sha256,
    )
    for name, table in (("scores", scores), ("parts", parts)):
        content = io.BytesIO()
        table.to_parquet(content, index=False)
        _write(out / f"{name}.parquet", content.getvalue())
    _write(out / "report.html", evaluation_html(found, scores))
    _write(out / "metrics.json", found.as_json())  # last: where it is, the others are
    print(summary(found))
    return 0


def _asked(args: argparse.Namespace) -> tuple[Path, list[str], Path]:
    if not args.models:
        raise SettingsError("Name a folder or table of labelled files, or give --data FOLDER to measure against cards.")
    wrong = [name for name, default in _OF_CARDS.items() if getattr(args, name) != default]
    if wrong:
        options = ", ".join("--" + name.replace("_", "-") for name in wrong)
        raise SettingsError(f"{options}: only with --data, which measures models against their cards.")
    if args.all and len(args.models) > 1:
        raise SettingsError("Name models or give --all, not both.")
    if args.out is None:
        raise SettingsError("Give --out FOLDER for metrics.json, scores.parquet, parts.parquet and report.html.")
    if args.out.exists() and not args.out.is_dir():
        raise SettingsError(f"--out: {args.out} is a file; expected a folder.")
    return Path(args.models[0]), list(args.models[1:]), args.out


def _write(path: Path, content: bytes) -> None:
    """Whole or not at all."""
    partly = path.with_name(f".{path.name}.partly")
    partly.write_bytes(content)
    os.replace(partly, path)


def summary(found: SetFigures) -> str:
    """A line a model: files scored and not scored, AUC with its interval, found at 5 % false alarms, Cllr and ECE."""
    rows: list[tuple[str, ...]] = [("model", "scored", "not scored", "ROC-AUC", "found at 5 %", "Cllr", "ECE", "")]
    for model in found.models:
        left_out = f"{sum(model.not_scored.values())}"
        if (metrics := model.metrics) is None:
            rows.append((model.model, "too few", left_out, "-", "-", "-", "-", ""))
            continue
        interval = (model.intervals or {}).get("roc_auc")
        reach = "" if interval is None else f" ({interval[0]:.2f} to {interval[1]:.2f})"
        values = (
            f"{metrics.roc_auc:.2f}{reach}",
            *(f"{x:.2f}" for x in (metrics.tpr_at_fpr_5, metrics.cllr, metrics.ece)),
        )
        sizes = f"{metrics.n_real} + {metrics.n_fake}"
        rows.append((model.model, sizes, left_out, *values, "worse than chance" if model.inverted else ""))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)
    return "\n".join(line.rstrip() for line in lines)
