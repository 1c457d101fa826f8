"""The report of a run: one to read and one to parse, with the next steps that its figures suggest.

`write_report(run_dir)` reads `metrics.csv`, `run.json`, `validation.csv` and `leakage.json` (see
`detector.training.engine.run_log`, `.leakage`) and writes `report.md`, `report/*.png`, and `report.json`:

    {"model_id", "title", "kind": text or null, "config_sha256": text, "status", "stopped_because": text or null,
     "epochs": n, "minutes": x,
     "best_epoch": n (the one kept, from 0), "best_validation_loss": x (there), "kept_by": "loss", "auc" or "last",
     "lowest_loss": {"epoch": n, "validation_loss": x},
     "at_best": {column of metrics.csv: value or null, …},
     "gap": {"loss": validation minus training loss at the best epoch, "auc": training minus validation AUC or null},
     "rise": {"auc_per_epoch": slope over the last third of the epochs or null, "still_rising": true or false},
     "confusion": {"true_genuine", "false_manipulated", "false_genuine", "true_manipulated"},
     "groups": [{"name", "auc": x or null, "auc_95": [low, high] or null, "accuracy", "genuine": n, "manipulated": n,
                 "inverted": whether it is worse than chance (`Measurement.worse_than_chance`)}, …]   worst first,
     "counts": as in run.json, "leakage": {"clean": …, "warnings": […]} or null,
     "roadmap": [{"finding": short name, "measured": text with the figures, "suggestion": text}, …],
     "plots": {"loss": "report/loss.png", "metrics": "report/metrics.png", "learning_rate": "report/learning_rate.png",
               "confusion": "report/confusion.png", "scores": "report/scores.png"}}

`confusion` counts validation samples at the best epoch, called manipulated at logit 0 and above.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd

from detector.errors import SettingsError
from detector.measurement.measures import against
from detector.measurement.wording import WORSE_THAN_CHANCE
from detector.training.engine.roadmap import next_steps

_MEASURES: Final = ("auc", "accuracy", "f1", "precision", "recall")


def write_report(run_dir: Path, *, plots: bool = True) -> dict[str, Any]:
    """Report on the run in `run_dir`, finished or going on; returns what `report.json` holds. Without `plots` none are
    drawn, and `plots` is empty.

    Raises SettingsError where no epoch is over yet.
    """
    if not (run_dir / "metrics.csv").is_file():
        raise SettingsError(f"No epoch is logged in {run_dir}: train first.")
    facts = json.loads((run_dir / "run.json").read_text(encoding="utf-8"))
    metrics = pd.read_csv(run_dir / "metrics.csv")
    # A model or config may call a group what it likes, "NA" too.
    samples = pd.read_csv(run_dir / "validation.csv", dtype={"group": str}, keep_default_na=False)
    found = run_dir / "leakage.json"
    leakage = json.loads(found.read_text(encoding="utf-8")) if found.is_file() else None
    report = summarise(facts, metrics, samples, leakage)
    report["plots"] = _drawn(metrics, samples, report, run_dir) if plots else {}
    (run_dir / "report.json").write_text(json.dumps(report, indent=2, allow_nan=False) + "\n", encoding="utf-8")
    (run_dir / "report.md").write_text(as_markdown(report), encoding="utf-8")
    return report


def summarise(
    facts: dict[str, Any], metrics: pd.DataFrame, samples: pd.DataFrame, leakage: dict[str, Any] | None
) -> dict[str, Any]:
    """The report without its plots, from the tables of a run."""
    best = metrics.loc[metrics["epoch"] == facts["best_epoch"]].iloc[0]
    lowest = metrics.sort_values("validation_loss").iloc[0]
    counts = facts["counts"]["validation"]["groups"]
    groups = [_group(name, best, counts[name], samples) for name in counts]
    report: dict[str, Any] = {
        **{name: facts.get(name) for name in ("model_id", "title", "kind", "config_sha256")},
        **{name: facts[name] for name in ("status", "stopped_because", "epochs", "minutes")},
        "best_epoch": facts["best_epoch"],
        "best_validation_loss": facts["best_validation_loss"],
        "kept_by": facts.get("kept_by", "loss"),
        "lowest_loss": {
            "epoch": int(lowest["epoch"]),
            "validation_loss": float(lowest["validation_loss"]),
        },
        "at_best": {str(name): _known(value) for name, value in best.items()},
        "gap": {
            "loss": float(best["validation_loss"] - best["train_loss"]),
            "auc": _known(best["train_auc"] - best["auc"]),
        },
        "rise": _rise(metrics),
        "confusion": facts["confusion"],
        "groups": sorted(groups, key=lambda row: math.inf if row["auc"] is None else row["auc"]),
        "counts": facts["counts"],
        "leakage": leakage and {"clean": leakage["clean"], "warnings": leakage["warnings"]},
    }
    report["roadmap"] = next_steps(report)
    return report


def _group(name: str, best: pd.Series, counts: dict[str, int], samples: pd.DataFrame) -> dict[str, Any]:
    """One validation group at the best epoch; where it holds one label only, it stands against all of the other."""
    own = samples[samples["group"] == name]
    if own["label"].nunique() == 1:
        own = pd.concat([own, samples[samples["label"] != own["label"].iloc[0]]])
    fake, real = (own.loc[own["label"] == label, "logit"].to_numpy(float) for label in (1, 0))
    row = against((name,), fake, real)
    return {
        "name": name,
        "auc": None if len(own) and row.too_few else _known(best.get(f"auc:{name}")),
        "auc_95": row.interval and list(row.interval),
        "accuracy": _known(best.get(f"accuracy:{name}")),
        **({"genuine": row.n_real, "manipulated": row.n_fake} if len(own) else counts),
        "inverted": row.worse_than_chance,
    }


def _rise(metrics: pd.DataFrame) -> dict[str, Any]:
    """Slope of the validation AUC over the last third of the epochs; rising where it is twice its standard error."""
    last = metrics.dropna(subset=["auc"]).tail(max(4, len(metrics) // 3))
    if len(last) < 4:
        return {"auc_per_epoch": None, "still_rising": False}
    (slope, _), covariance = np.polyfit(last["epoch"], last["auc"], 1, cov=True)
    return {
        "auc_per_epoch": float(slope),
        "still_rising": bool(slope > 2 * math.sqrt(covariance[0, 0]) and slope > 1e-4),
    }


def _known(value: Any) -> float | None:
    return None if value is None or not math.isfinite(value) else float(value)


def _kept(report: dict[str, Any]) -> str:
    lowest, best = report["lowest_loss"], report["at_best"]
    gap = f"training loss there {best['train_loss']:.4f}, a gap of {report['gap']['loss']:+.4f}."
    if report["kept_by"] == "loss":
        return f"**Best validation loss {lowest['validation_loss']:.4f} in epoch {lowest['epoch']}**; {gap}"
    why = "of highest validation AUC" if report["kept_by"] == "auc" else "the last"
    return (
        f"**Kept is epoch {report['best_epoch']}, {why}**; validation loss there "
        f"{report['best_validation_loss']:.4f}, {gap} Best validation loss {lowest['validation_loss']:.4f} in epoch "
        f"{lowest['epoch']}."
    )


def as_markdown(report: dict[str, Any]) -> str:
    """The report to read: what happened, how it was measured, what to do next."""
    best = report["at_best"]
    lines = [
        f"# Training report: {report['title'] or report['model_id'] or 'a run'}",
        "",
        f"Kind {report['kind'] or 'not named'}, config `{report['config_sha256'][:12]}`. "
        f"{report['epochs']} epochs in {report['minutes']:.1f} minutes; "
        f"{report['stopped_because'] or 'still going on'}.",
        "",
        _kept(report),
        "",
        "| measure | validation, best epoch |",
        "|---|---|",
        *(f"| {name} | {_shown(best[name])} |" for name in _MEASURES),
        "",
        "Calls are made at logit 0; training figures are of the network in training, with what training adds to it.",
        "",
    ]
    confusion = report["confusion"]
    lines += [
        "| | called genuine | called manipulated |",
        "|---|---|---|",
        f"| genuine | {confusion['true_genuine']} | {confusion['false_manipulated']} |",
        f"| manipulated | {confusion['false_genuine']} | {confusion['true_manipulated']} |",
        "",
    ]
    if report["groups"]:
        lines += [
            "## Groups, worst first",
            "",
            "| group | AUC | accuracy | genuine | manipulated |",
            "|---|---|---|---|---|",
        ]
        lines += [
            f"| {_cell(row['name'])}{f' ({WORSE_THAN_CHANCE})' if row['inverted'] else ''} | {_shown(row['auc'])} "
            f"| {_shown(row['accuracy'])} | {row['genuine']} | {row['manipulated']} |"
            for row in report["groups"]
        ]
        lines.append("")
    lines += ["## Leakage", ""]
    if report["leakage"] is None:
        lines.append("Not checked.")
    elif report["leakage"]["clean"]:
        lines.append("No plain property of the samples predicts the label alone.")
    else:
        lines += [f"- Warning: {text}" for text in report["leakage"]["warnings"]]
    lines += ["", "## What to do next", ""]
    lines += [f"- **{row['finding']}** ({row['measured']}): {row['suggestion']}" for row in report["roadmap"]]
    lines += ["", *(f"![{name}]({file})" for name, file in report["plots"].items()), ""]
    return "\n".join(lines)


def _shown(value: float | None) -> str:
    return "not measurable" if value is None else f"{value:.3f}"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _drawn(metrics: pd.DataFrame, samples: pd.DataFrame, report: dict[str, Any], run_dir: Path) -> dict[str, str]:
    from detector.training.engine.run_plots import draw_plots  # matplotlib takes a second to import

    return draw_plots(metrics, samples, report, run_dir)
