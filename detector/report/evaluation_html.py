"""An evaluation as one HTML file: self-contained and inert, as the case report is (see `detector.report.html`)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

import pandas as pd

from detector.measurement.score_set import Comparison, ModelFigures, SetFigures, Share, Slice
from detector.report.evaluation_plots import plots_of
from detector.report.html import data_uri, inert_page

_INVERTED: Final = "▼ worse than chance"
_NONE: Final = "–"
_WORDS: Final[dict[str, str]] = {
    "accuracy": "Accuracy",
    "balanced_accuracy": "Balanced accuracy",
    "f1": "F1",
    "precision": "Precision",
    "recall": "Recall (manipulated found)",
    "specificity": "Specificity (genuine passed)",
    "roc_auc": "ROC-AUC",
    "pr_auc": "PR-AUC (average precision)",
    "eer": "Equal error rate",
    "tpr_at_fpr_1": "Manipulated found at 1 % false alarms",
    "tpr_at_fpr_5": "Manipulated found at 5 % false alarms",
    "brier": "Brier score",
    "log_loss": "Log loss (nats)",
    "ece": "Expected calibration error (equal-mass bins)",
    "mce": "Maximum calibration error",
    "cllr": "Cllr (bits)",
    "cllr_min": "Cllr_min: discrimination (bits)",
    "cllr_cal": "Cllr_cal: calibration (bits)",
}


class ModelPart(NamedTuple):
    """What the template prints of a model: rows of text, and plots as (name, address)."""

    name: str
    anchor: str
    facts: list[tuple[str, str]]
    warning: str
    figures: list[tuple[str, str, str]]
    calls: list[tuple[str, ...]]
    plots: list[tuple[str, str]]
    parts: list[tuple[str, list[tuple[str, ...]]]]
    slices: list[tuple[str, list[tuple[str, ...]]]]
    not_scored: list[tuple[str, str]]


def evaluation_html(found: SetFigures, scores: pd.DataFrame) -> bytes:
    """The report of figures and the table of scores (`score_table.SCORE_COLUMNS`) that they are of; equal figures give
    equal bytes."""
    return inert_page(
        "evaluation.html.j2",
        facts_of_set=[
            ("Genuine files", f"{found.real}"),
            ("Manipulated files", f"{found.fake}"),
            ("Groups, each counted once in intervals", f"{found.groups}"),
            ("SHA-256 of the set", found.set_sha256),
            ("Made by", found.program),
            ("SHA-256 of the settings", found.settings_sha256),
        ],
        overview=[_overview(model) for model in found.models],
        comparisons=[_compared(row) for row in found.comparisons],
        models=[_part(number, model, scores) for number, model in enumerate(found.models, 1)],
    )


def _overview(model: ModelFigures) -> tuple[str, ...]:
    names = ("eer", "tpr_at_fpr_1", "tpr_at_fpr_5", "cllr", "cllr_min", "ece")
    values = {} if model.metrics is None else model.metrics.figures()
    scored = sum(share.rows for one in model.of("source") for share in (one.false_positives, one.true_positives))
    sizes = f"{scored}" if model.metrics is None else f"{model.metrics.n_real} + {model.metrics.n_fake}"
    left_out = f"{sum(model.not_scored.values())}"
    auc = _with_interval(values.get("roc_auc"), (model.intervals or {}).get("roc_auc"))
    rest = (_with_interval(values.get(name), None) for name in names)
    return (model.model, sizes, left_out, auc, *rest, _INVERTED if model.inverted else "")


def _with_interval(value: float | None, interval: tuple[float, float] | None) -> str:
    if value is None:
        return _NONE
    return f"{value:.3f}" if interval is None else f"{value:.3f} ({interval[0]:.3f} to {interval[1]:.3f})"


def _compared(row: Comparison) -> tuple[str, ...]:
    p_value = row.delong.p_value
    sure = _NONE if p_value is None else "< 0.001" if p_value < 0.001 else f"{p_value:.3f}"
    return (
        row.first,
        row.second,
        f"{row.n_real} + {row.n_fake}",
        f"{row.delong.auc_first:.3f}",
        f"{row.delong.auc_second:.3f}",
        _with_interval(row.by_group.difference, row.by_group.interval),
        sure,
    )


def _part(number: int, model: ModelFigures, scores: pd.DataFrame) -> ModelPart:
    rows = scores[scores["model"] == model.model]
    scored = rows[rows["logit"].notna()]
    plots: dict[str, bytes] = {}
    if model.metrics is not None:
        plots = plots_of(model, (scored["label"] == "fake").to_numpy(bool), scored["logit"].to_numpy(float))
    warning = ""
    if model.metrics is None:
        warning = "Too few files to measure: at least three genuine and three manipulated ones need a score."
    elif model.inverted:
        warning = f"{_INVERTED}: this model ranks manipulated files below genuine ones, and chance does not explain it."
    missing = rows[rows["logit"].isna()]
    return ModelPart(
        model.model,
        f"model-{number}",
        list(_facts(model)),
        warning,
        [(_WORDS[name], *_value_and_interval(model, name)) for name in _WORDS] if model.metrics else [],
        [
            tuple(map(str, (_label(c.label), c.likely_manipulated, c.inconclusive, c.no_manipulation_found)))
            for c in model.calls
        ],
        [(name, data_uri("plot.svg", content)) for name, content in plots.items()],
        [(title, rows) for title, rows in _parts(model) if len(rows) > 1],
        [
            (name, [_slice_row(one) for one in model.of(name)])
            for name in dict.fromkeys(s.dimension for s in model.slices)
            if name != "level"
        ],
        [(str(file), str(reason)) for file, reason in zip(missing["file"], missing["reason"], strict=True)],
    )


def _facts(model: ModelFigures) -> Iterator[tuple[str, str]]:
    yield "SHA-256 of the weights", model.weights_sha256
    if model.thresholds is not None:
        yield "Manipulated from a logit of", f"{model.thresholds.likely_manipulated_logit:g}"
        yield "Threshold set on", model.thresholds.basis
    if (metrics := model.metrics) is not None:
        yield "Scored", f"{metrics.n_real} genuine and {metrics.n_fake} manipulated files of {model.groups} groups"
        found = metrics.confusion
        yield (
            "Confusion",
            f"{found.true_positives} manipulated found, {found.false_negatives} missed; {found.true_negatives} genuine "
            f"passed, {found.false_positives} called manipulated",
        )


def _value_and_interval(model: ModelFigures, name: str) -> tuple[str, str]:
    value = None if model.metrics is None else model.metrics.figures()[name]
    interval = (model.intervals or {}).get(name)
    return _with_interval(value, None), _NONE if interval is None else f"{interval[0]:.3f} to {interval[1]:.3f}"


def _label(label: str) -> str:
    return "genuine" if label == "real" else "manipulated"


def _slice_row(one: Slice) -> tuple[str, ...]:
    against = " against all" if one.against_all else ""
    return (
        one.name,
        f"{one.groups}",
        _share(one.false_positives),
        _share(one.true_positives),
        f"{_with_interval(one.auc, one.interval)}{against}",
        _INVERTED if one.inverted else "",
    )


def _parts(model: ModelFigures) -> Iterator[tuple[str, list[tuple[str, ...]]]]:
    """Tables of what has every figure of its own: file, track and frame, and each data set."""
    yield "Per file, face track and frame", [_whole_row(one) for one in model.of("level")]
    yield "Per data set", [_whole_row(one) for one in model.of("source") if one.metrics is not None]


def _whole_row(one: Slice) -> tuple[str, ...]:
    figures = {} if one.metrics is None else one.metrics.figures()
    names = ("eer", "tpr_at_fpr_5", "cllr", "ece")
    return (
        one.name,
        f"{one.false_positives.rows} + {one.true_positives.rows}",
        f"{one.groups}",
        _with_interval(one.auc, one.interval),
        _share(one.false_positives),
        _share(one.true_positives),
        *(_with_interval(figures.get(name), None) for name in names),
    )


def _share(share: Share) -> str:
    return f"{share.hits} of {share.rows}: {_with_interval(share.value, share.interval)}" if share.rows else _NONE
