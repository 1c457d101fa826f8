"""Examine: small changes are asked for by a button that queues the analysis, watched, and shown where they are on
record."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from streamlit.testing.v1 import AppTest

from detector.analysis.types import Repeats, Sensitivity, Variant
from tests.pages.conftest import EXAMINER, HandMovedJobs, html_of
from tests.pages.seed import Seeded

OpenPage = Callable[..., AppTest]
FOUND = Sensitivity(
    0.2,
    0.8,
    (Variant("rescaled", 0.8, "likely_manipulated", flips=True), Variant("re_encoded", None, None, reason="<b>")),
)


def test_the_button_queues_the_same_analysis_and_its_result_is_found_and_drawn(
    open_page: OpenPage, seeded: Seeded, jobs: HandMovedJobs
) -> None:
    app = open_page("examine", tab="Models", record=seeded.record.record_id)
    app.button(key="sensitivity_ask").click().run()
    ((job_id, request),) = jobs.requests.items()
    assert (request.exhibit_id, request.model_ids) == (seeded.exhibit.exhibit_id, ("tiny",))
    assert request.settings == replace(seeded.analysis.settings, sensitivity=True)
    assert jobs.authors == [EXAMINER]
    assert not [button for button in app.button if button.key == "sensitivity_ask"]
    assert [button for button in app.button if button.key == f"cancel_{job_id}"]

    models = (replace(seeded.analysis.models[0], repeats=Repeats(1, 32, spread_reason="It has no dropout.")),)
    settled = replace(
        seeded.analysis, analysis_id="changed", settings=request.settings, sensitivity=FOUND, models=models
    )
    record = jobs.store.save_analysis(seeded.exhibit.exhibit_id, settled)
    jobs.change(job_id, state="done", record_id=record.record_id)
    app.run()
    assert not [button for button in app.button if button.key == "sensitivity_ask"]
    app.button(key="sensitivity_made").click().run()
    assert "made smaller, to three quarters" in html_of(app)

    shown = html_of(open_page("examine", tab="Models", record=record.record_id))
    assert "made smaller, to three quarters" in shown
    assert "flips it" in shown
    assert "&lt;b&gt;" in shown
    assert "No spread over passes with parts of the network off. It has no dropout." in shown
