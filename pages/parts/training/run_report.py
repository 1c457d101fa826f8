"""The report of a finished (or running) training run: outcome, confusion, groups, next steps, leakage."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from detector.measurement.wording import number_text, words
from pages.parts.shared import markup, measurement_table
from pages.parts.shared.markup import escaped
from pages.parts.training.run_files import Run

_MEASURES = ("validation_loss", "train_loss", "auc", "accuracy", "f1", "precision", "recall")


def show(run: Run) -> None:
    """Outcome at the left, confusion matrix at the right, then groups and what the figures suggest."""
    report, facts = run.report, run.facts
    if not report and not facts:
        markup.empty(
            "description", "No report", "This run has curves only: no run.json and no report.json lie beside them."
        )
        return
    with st.container(horizontal=True, gap="large"):
        with st.container(width=520):
            markup.heading("Outcome", run.state or str(report.get("status") or ""))
            markup.facts(outcome(run))
        with st.container(width=420):
            _show_confusion(report.get("confusion") or facts.get("confusion"))
            _show_roadmap(report.get("roadmap"))
    _show_groups(report.get("groups"))


def outcome(run: Run) -> list[tuple[str, str]]:
    """The run in rows: only what its files say."""
    both = {**run.facts, **run.report}
    rows = [
        (_titled(name), number_text(both[name]))
        for name in ("model_id", "kind", "epochs", "minutes", "stopped_because", "best_epoch", "parameters", "device")
        if both.get(name) is not None
    ]
    for name in _MEASURES:
        value = run.at_best(name)
        if value is not None:
            rows.append((f"{_titled(name)}, best epoch", f"{value:.4f}"))
    gap = run.report.get("gap")
    if isinstance(gap, Mapping) and isinstance(gap.get("loss"), (int, float)):
        rows.append(("Validation above training loss", f"{gap['loss']:+.4f}"))
    for name in ("started", "updated", "config_sha256"):
        if both.get(name):
            rows.append((_titled(name), str(both[name])))
    return rows


def _titled(name: str) -> str:
    return {"auc": "AUC", "config_sha256": "Config SHA-256", "f1": "F1"}.get(name, words(name).capitalize())


def _show_confusion(counts: Any) -> None:
    names = ("true_genuine", "false_manipulated", "false_genuine", "true_manipulated")
    if not isinstance(counts, Mapping) or not all(isinstance(counts.get(name), int) for name in names):
        return
    markup.heading("Confusion matrix", "validation, best epoch, called at logit 0")
    confusion([[counts[name] for name in names[:2]], [counts[name] for name in names[2:]]])


def confusion(table: list[list[int]]) -> None:
    """Truth by row, call by column; shaded by the share of the row."""
    rows = []
    for truth, counts in zip(("genuine", "manipulated"), table, strict=True):
        total = sum(counts)
        cells = "".join(
            f'<td style="--fw-share:{100 * count / total if total else 0:.0f}%"><b>{count:,}</b>'
            f'<span class="fw-note">{f"{100 * count / total:.0f} %" if total else "–"}</span></td>'
            for count in counts
        )
        rows.append(f'<tr><th scope="row">{truth}</th>{cells}</tr>')
    st.html(
        '<table class="fw-confusion" aria-label="Confusion matrix"><thead><tr><td></td>'
        '<th scope="col">called genuine</th>'
        f'<th scope="col">called manipulated</th></tr></thead><tbody>{"".join(rows)}</tbody></table>'
    )


def _show_groups(groups: Any) -> None:
    if not isinstance(groups, list):
        return
    rows = [
        row for group in groups if isinstance(group, Mapping) and (row := measurement_table.row_of(group)) is not None
    ]
    if rows:
        markup.heading("Groups", "validation, worst first · dashed: chance")
        measurement_table.show(rows)


def _show_roadmap(roadmap: Any) -> None:
    if not isinstance(roadmap, list) or not roadmap:
        return
    markup.heading("What the figures suggest")
    items = "".join(
        f"<li><b>{escaped(str(item.get('finding', '')))}</b> {escaped(str(item.get('measured', '')))}"
        f'<div class="fw-note">{escaped(str(item.get("suggestion", "")))}</div></li>'
        for item in roadmap
        if isinstance(item, Mapping)
    )
    st.html(f'<ul class="fw-bullets">{items}</ul>')


def show_leakage(run: Run) -> None:
    """Whether a plain property of the samples alone predicts their label."""
    leakage = run.leakage
    if not leakage:
        markup.empty(
            "policy", "No leakage report", "leakage.json is not there, so nothing is known of what the data give away."
        )
        return
    warnings = [str(text) for text in leakage.get("warnings") or []]
    counts = ", ".join(f"{_count(leakage, label)} {label}" for label in ("genuine", "manipulated"))
    about = f"{leakage.get('what', 'samples')}: {counts}"
    if not leakage.get("properties"):
        markup.problem("Not checked", f"{about}. No property could be measured: what they give away is not known.")
    elif warnings:
        markup.problem("A plain property predicts the label", f"{about}. " + " ".join(f"{text}." for text in warnings))
    elif not leakage.get("properties"):
        markup.problem(
            "Not checked", f"{about}. Not one property could be measured, so nothing is known of what they give away."
        )
    elif leakage.get("clean") is True:
        limit = number_text(leakage.get("warn_above_auc"))
        markup.outcome(
            "check_circle", "var(--fw-blue)", "No property alone predicts the label", f"{about}; limit AUC {limit}."
        )
    found = leakage.get("properties")
    rows = [item for item in found if isinstance(item, Mapping)] if isinstance(found, list) else []
    if rows:
        markup.heading("Each property alone, against the label", "95 % intervals · dashed: chance")
        measurement_table.show_properties(rows)
    absent = leakage.get("not_measured")
    if isinstance(absent, list) and absent:
        markup.heading("Not measured")
        markup.facts([(str(item.get("name")), str(item.get("reason"))) for item in absent if isinstance(item, Mapping)])


def _count(table: Mapping[str, Any], name: str) -> str:
    value = table.get(name)
    return f"{value:,}" if isinstance(value, int) else "an unknown number of"
