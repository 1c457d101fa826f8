"""Drift: whether the scores and conditions of recent exhibits are still those of the calibration set."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from detector.calibration.calibration import Calibration
from detector.calibration.sets import CalibrationSet
from detector.cases import DriftReport, ModelDrift, ScoredFiles, Window, drift_of
from detector.cases.drift_log import DRIFT_MEASURED, RECENT, quantity_words
from detector.errors import CalibrationError, StoreError
from detector.measurement.drift import LARGE_PSI, MODERATE_PSI, Drift
from detector.registry import set_behind
from pages.parts.calibration import charts
from pages.parts.cases import custody_log
from pages.parts.shared import markup, services

_LAST = (50, 200, 1000)
_EVENTS = 50


def show(calibration: Calibration, who: str) -> None:
    """The recent exhibits that the model scored against the set of its calibration. What has drifted since it was last
    measured goes into the store's log, under the name of `who`."""
    markup.heading("Drift", "recent exhibits against the set")
    last = st.segmented_control(
        "Exhibits", _LAST, default=RECENT.last, required=True, format_func=lambda n: f"the {n:,} newest",
        key="calibration_drift_last", label_visibility="collapsed",
    )  # fmt: skip
    store = services.current().store
    window = Window(last=last)
    try:
        of = _set_of(calibration.set_sha256, calibration)
        with st.spinner("Reading the newest analyses…"):
            recent = store.scored_files(window)
        found = drift_of(calibration.model_id, calibration, of, recent)
        store.log_drift(DriftReport(window, recent.files, recent.left_out, (found,)), only_news=True, author=who)
    except (CalibrationError, StoreError) as error:
        markup.problem("Drift cannot be measured", str(error))
        return
    _say(found)
    if found.score.psi is not None:
        _show_figures(calibration, of, recent, found)
    markup.note(_explained(recent, found))
    if events := [event for event in store.events() if event.action == DRIFT_MEASURED]:
        with st.expander(f"Measurements on record: {len(events):,}", icon=":material/history:"):
            rows = custody_log.rows(events[: -_EVENTS - 1 : -1], {}, ())
            st.dataframe(rows, hide_index=True, width="stretch", key="calibration_drift_events")


@st.cache_resource(show_spinner=False, max_entries=4)
def _set_of(sha256: str, _calibration: Calibration) -> CalibrationSet:
    return set_behind(_calibration)


def _say(found: ModelDrift) -> None:
    if found.drifted:
        named = ", ".join(quantity_words(name) for name in found.drifted)
        markup.outcome(
            "trending_up", "#D55E00", f"Drift: {named}",
            "What comes in is no longer like the set, so its error rates may not hold. Record the truth of some of "
            "these files, and make a set of the closed cases (above).",
        )  # fmt: skip
    elif found.score.psi is None:
        markup.outcome("hourglass_empty", "var(--fw-faint)", "Not measured", f"Score: {found.score.reason}.")
    else:
        markup.outcome(
            "check_circle", "var(--fw-blue)", "No large drift",
            "No shift is large and more than chance gives. A small one may be missed.",
        )  # fmt: skip


def _show_figures(calibration: Calibration, of: CalibrationSet, recent: ScoredFiles, found: ModelDrift) -> None:
    rows = recent.table
    own = rows[(rows["model"] == found.model_id) & (rows["made_by"] == calibration.made_by)]
    low, high = calibration.thresholds
    left, right = st.columns([2, 3], gap="large")
    with left:
        figure = charts.recent_over_set(
            of.of(found.model_id)["logit"].to_numpy(float),
            own["logit"].to_numpy(float),
            [(low, "nothing found"), (high, "called")],
        )
        st.plotly_chart(figure, key="calibration_drift", config={"displayModeBar": False})
    with right:
        table = pd.DataFrame([_line(one) for one in (found.score, *found.conditions)])
        st.dataframe(table, hide_index=True, width="stretch")


def _line(found: Drift) -> dict[str, str]:
    def figure(value: float | None) -> str:
        return "–" if value is None else f"{value:.3f}"

    return {
        "Quantity": quantity_words(found.quantity),
        "Drift": found.reason or ("yes" if found.drifted else "no"),
        "PSI": figure(found.psi),
        "Usual reading": found.reading or "–",
        "PSI by chance below": figure(found.psi_by_chance),
        "KS": figure(found.ks),
        "KS p-value": "–" if found.ks_p is None else f"{found.ks_p:.2g}",
        "Recent / set": f"{found.n_recent:,} / {found.n_set:,}",
    }


def _explained(recent: ScoredFiles, found: ModelDrift) -> str:
    left_out = dict(recent.left_out)
    if found.other_weights:
        left_out["scored by other weights or inputs of this model"] = found.other_weights
    counted = "".join(f" Left out: {count:,} {reason}." for reason, count in left_out.items())
    return (
        f"Of {recent.files:,} files, each by its newest analysis.{counted} PSI: population stability index over "
        "deciles of the set, with half a file added to each; credit scoring reads "
        f"{MODERATE_PSI:g} as a moderate and {LARGE_PSI:g} as a large shift. It is called drift here where it is large "
        "and above what 95 of 100 samples of this size stay below without any. KS: two-sample Kolmogorov–Smirnov test. "
        "Scores also shift where cases hold another share of manipulated files than the set does: conditions that "
        "stayed speak for that."
    )
