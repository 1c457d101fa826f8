"""Calibration: what a model's scores are worth, on the set whose truth is known and that is in force."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from detector.analysis.types import sigmoid
from detector.calibration.calibration import CONDITION_WORDS, Calibration, ErrorRow, Policy
from detector.calibration.likelihood import PROPOSITIONS, verbal
from detector.calibration.sets import CalibrationSet, find_set
from detector.errors import CalibrationError, ModelError, StoreError
from detector.evidence.text import revealed
from detector.registry import find_calibration, set_folders
from pages.parts.calibration import charts, drift_panel, labelling, set_choice
from pages.parts.models import model_choice
from pages.parts.shared import actor, address, markup, navigation
from pages.parts.shared.address import Place


def render() -> None:
    """Show the page: the calibration in force of the chosen model."""
    try:
        names = {card.model_id: card.name for card in model_choice.cards()}
        found = {model_id: one for model_id in names if (one := find_calibration(model_id))}
        default = model_choice.default_ids()
    except (ModelError, CalibrationError) as error:
        markup.problem("The calibrations cannot be read", str(error))
        set_choice.show()
        return
    if not found:
        markup.empty("straighten", "No model is calibrated", "docs/command-line.md says how to fit a calibration.")
        set_choice.show()
        return
    place = address.read()
    if place.exhibit is not None:
        _label(place.exhibit, found)
        return
    wanted = place.model
    first = next((model_id for model_id in (wanted, *default) if model_id in found), next(iter(found)))
    about, choice = st.columns([5, 3], vertical_alignment="bottom")
    with choice:
        chosen = st.selectbox(
            "Model",
            list(found),
            index=list(found).index(first),
            format_func=lambda model_id: revealed(names[model_id]),
            key="calibration_model",
        )
    if chosen != first:
        address.go(replace(address.read(), model=chosen))
    calibration = found[chosen]
    with about:
        markup.title(
            "Calibration",
            f"{names[chosen]} on {calibration.set_name}: {calibration.n_fake:,} manipulated clips of "
            f"{calibration.generators} generators, {calibration.n_real:,} genuine ones of "
            f"{calibration.sources} sources",
        )
    _show_summary(calibration)
    set_choice.show()
    try:
        of, rows, ratios = _scores(calibration.set_sha256, calibration.model_id, calibration.method)
    except CalibrationError as error:
        markup.problem("The scores behind this calibration are not at hand", str(error))
        return
    markup.note(of)
    _show_charts(calibration, rows, ratios)
    _show_errors(calibration)
    drift_panel.show(calibration, actor.name())
    labelling.show_list(found)


def _label(exhibit_id: str, found: Mapping[str, Calibration]) -> None:
    try:
        labelling.show(exhibit_id, found)
    except StoreError as error:
        markup.problem("This file cannot be labelled", str(error))
        navigation.link("calibration", "Calibration", Place(), icon=":material/straighten:")


@st.cache_data(show_spinner="Fitting without each cluster in turn…", max_entries=16)
def _scores(sha256: str, model_id: str, method: str) -> tuple[str, pd.DataFrame, np.ndarray]:
    """The provenance of a set, its rows of a model, and their cross-fitted log-likelihood ratios."""
    of: CalibrationSet = find_set(sha256, set_folders())
    rows = of.of(model_id)
    from detector.calibration.fitting import cross_fitted

    return of.provenance, rows, cross_fitted(rows, method)  # type: ignore[arg-type]


def _show_summary(calibration: Calibration) -> None:
    left, right = st.columns([3, 2], gap="large")
    with left:
        markup.facts(
            [
                (
                    "Calibrator",
                    f"{calibration.method.replace('_', '-')}, chosen of {len(calibration.tried)} by log loss",
                ),
                (
                    "Cllr",
                    f"{calibration.cllr:.3f} bits, of which {calibration.cllr - calibration.cllr_min:.3f} calibration",
                ),
                ("Expected calibration error", f"{calibration.ece:.3f}"),
                ("Set", f"{calibration.set_name}, SHA-256 {calibration.set_sha256[:16]}…"),
                *_thresholds(calibration),
            ]
        )
        markup.note(f"Cross-fitted: no clip is judged by what saw its generator or source. {calibration.cap_text()}")
        with st.expander("All calibrators that were tried"):
            table = pd.DataFrame([one.model_dump() for one in calibration.tried])
            st.dataframe(table, hide_index=True, width="stretch")
    with right:
        _show_prior(calibration)


def _thresholds(calibration: Calibration) -> list[tuple[str, str]]:
    """What decides, as scores: the limits and the thresholds, with their intervals where they are known."""
    ends = calibration.threshold_intervals or (None, None)
    low, high = (
        f"{sigmoid(value):.3f}"
        + ("" if spread is None else f" (95 % by these limits: {sigmoid(spread[0]):.3f} to {sigmoid(spread[1]):.3f})")
        for value, spread in zip(calibration.thresholds, ends, strict=True)
    )
    policy = calibration.policy or Policy()
    whose = (
        "the card's, set by these limits on more than this set" if calibration.policy is None else "of the laboratory"
    )
    return [
        ("Limits", f"{policy.words} ({whose})"),
        ("Called manipulated from", high),
        ("Nothing found to", low),
    ]


def _show_prior(calibration: Calibration) -> None:
    """A score and a prior in, a posterior out; neither is kept."""
    markup.heading("What a score means to you")
    low, high = calibration.thresholds
    score = st.slider("Score of the model", 0.01, 0.99, round(sigmoid(high), 2), 0.01, key="calibration_score")
    prior = st.slider("Your prior: probability of manipulation before the score, %", 1, 99, 50, key="calibration_prior")
    from scipy.special import expit, logit

    strength = calibration.strength(float(logit(score)))
    posterior = expit(logit(prior / 100) + math.log(strength.ratio))
    markup.facts(
        [
            (
                "Likelihood ratio",
                f"{strength.ratio:.2g} (95 %: {strength.interval[0]:.2g} to {strength.interval[1]:.2g})",
            ),
            ("In words", verbal(strength.ratio)),
            ("Posterior", f"{posterior:.0%}"),
        ]
    )
    markup.note(
        f"The propositions: that {PROPOSITIONS[0]}; and that {PROPOSITIONS[1]}. The prior is yours alone: it is never "
        f"stored and stands in no report. The thresholds in force are {sigmoid(low):.2f} and {sigmoid(high):.2f}."
    )


def _show_charts(calibration: Calibration, rows: pd.DataFrame, ratios: np.ndarray) -> None:
    fake = (rows["label"] == "fake").to_numpy()
    logits = rows["logit"].to_numpy(float)
    low, high = calibration.thresholds
    at_set_odds = ratios + math.log(fake.sum() / (~fake).sum())
    marks = [(low, "nothing found"), (high, "called")]
    drawn: list[tuple[str, go.Figure, str]] = [
        (
            "Reliability",
            charts.reliability(fake, at_set_odds),
            "At the odds of the set. Counts stand beside the points.",
        ),
        ("Scores by class", charts.histograms(fake, logits, "logit", marks), "The two thresholds are marked."),
        ("Tippett", charts.tippett(fake, ratios), "Right of 0 speaks for manipulation, left of it against."),
        ("ROC", charts.roc(fake, logits), "The diagonal is chance."),
        ("Precision and recall", charts.precision_recall(fake, logits), "The dashed line is chance."),
        ("DET", charts.det(fake, logits), "Normal-quantile axes: a straight line is a pair of normal distributions."),
        (
            "Risk and coverage",
            charts.risk_coverage(fake, ratios, _in_force(fake, logits, low, high)),
            "Decided by the likelihood ratio; what is nearest to 1 is left undecided first. The mark: what the two "
            "thresholds decide, and how often wrongly.",
        ),
    ]
    for start in range(0, len(drawn), 2):
        for column, (title, figure, said) in zip(st.columns(2, gap="large"), drawn[start : start + 2], strict=False):
            with column:
                markup.heading(title)
                st.plotly_chart(figure, key=f"calibration_{title}", config={"displayModeBar": False})
                markup.note(said)


def _in_force(fake: np.ndarray, logits: np.ndarray, low: float, high: float) -> tuple[float, float]:
    """(share of the clips that the thresholds decide, share of errors among these)."""
    called, cleared = logits >= high, logits <= low
    decided = int((called | cleared).sum())
    wrong = int((called & ~fake).sum() + (cleared & fake).sum())
    return decided / len(logits), wrong / max(1, decided)


def _show_errors(calibration: Calibration) -> None:
    markup.heading("Errors by condition", "at the thresholds in force, with 95 % intervals")
    table = pd.DataFrame([_error_line(row) for row in calibration.errors])
    st.dataframe(table, hide_index=True, width="stretch")
    markup.note(
        "A file in a class without clips of both labels is outside what was calibrated; its conclusion is inconclusive "
        f"at the most.{_unlike(calibration)}"
    )


def _unlike(calibration: Calibration) -> str:
    known = calibration.appearance
    if known is None:
        return ""
    return (
        f" So is that of a file whose faces look unlike the set's: at a distance above {known.farthest:.2f}, within "
        f"which {known.inside:.1%} of its {known.files:,} files lie."
    )


def _error_line(row: ErrorRow) -> dict[str, str]:
    def share(hits: int, count: int, interval: tuple[float, float] | None) -> str:
        return "–" if interval is None else f"{hits} of {count} ({interval[0]:.0%} to {interval[1]:.0%})"

    return {
        "Condition": CONDITION_WORDS.get(row.condition, "the whole set"),
        "Class": "" if row.condition == "all" else row.value,
        "Genuine clips called manipulated": share(row.false_alarms, row.n_real, row.false_alarm_interval),
        "Manipulated clips, nothing found": share(row.misses, row.n_fake, row.miss_interval),
    }
