"""The Calibration page: what the shipped scores are worth, and what a prior makes of one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from detector.registry import find_calibration
from pages import calibration
from pages.parts.shared import services
from tests.pages.conftest import EXAMINER, html_of

Open = Callable[..., AppTest]


@pytest.fixture(autouse=True)
def shipped_models(open_page: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FRAMEWITNESS_WEIGHTS", raising=False)


def test_the_shipped_calibration_of_the_default_ensemble_is_shown_with_its_limits(open_page: Open) -> None:
    app = open_page("calibration")
    assert not app.exception
    found = find_calibration("ensemble-default")
    assert found is not None
    shown = html_of(app)
    assert found.set_sha256[:16] in shown
    assert found.cap_text() in shown
    assert f"{found.errors[0].false_alarms} of {found.n_real}" in app.dataframe[-1].value.iloc[0].to_string()
    assert len(app.get("plotly_chart")) == 7
    assert "at most 5 % of the genuine clips" in shown
    app.button(key="set_choice_put").click().run()
    assert not app.exception
    event = services.current().store.events()[-1]
    assert (event.action, event.actor) == ("calibration_chosen", EXAMINER)
    assert f"chosen by {EXAMINER}" in html_of(app)


def test_a_prior_and_a_score_make_a_posterior_that_is_kept_nowhere(open_page: Open) -> None:
    app = open_page("calibration")
    app.slider(key="calibration_score").set_value(0.73).run()
    even = html_of(app)
    app.slider(key="calibration_prior").set_value(10).run()
    assert not app.exception
    found = find_calibration("ensemble-default")
    assert found is not None
    ratio = found.strength(0.9946).ratio  # the logit of 0.73
    assert f"{ratio / (1 + ratio):.0%}" in even
    assert f"{ratio / 9 / (1 + ratio / 9):.0%}" in html_of(app)


def test_without_any_calibration_the_page_says_what_to_do(open_page: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pages.calibration.find_calibration", lambda _: None)
    app = open_page("calibration")
    assert "No model is calibrated" in html_of(app)
    assert not app.button(key="set_choice_put").disabled


def test_a_set_that_is_gone_leaves_the_figures_and_says_so(
    open_page: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calibration._scores.clear()
    monkeypatch.setattr("detector.registry.catalogue.SHIPPED_SETS", tmp_path)
    app = open_page("calibration")
    assert not app.exception
    assert "is not at hand" in html_of(app)
    assert not app.get("plotly_chart")
