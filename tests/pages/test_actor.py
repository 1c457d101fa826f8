"""Who works here: asked for before anything is logged, and named in everything that is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from pages.parts.shared import scripts, services
from tests.pages.conftest import EXAMINER, HandMovedJobs, html_of
from tests.pages.seed import Seeded

OpenPage = Callable[..., AppTest]


def _log(case_id: str) -> list[tuple[str, str]]:
    return [(event.action, event.actor) for event in services.current().store.events(case_id)]


@pytest.mark.parametrize("page", ["cases", "examine"])
def test_nothing_is_shown_or_logged_before_there_is_a_name(open_page: OpenPage, seeded: Seeded, page: str) -> None:
    before = _log(seeded.case.case_id)
    app = open_page(page, who="", case=seeded.case.case_id, exhibit=seeded.exhibit.exhibit_id)
    assert not app.exception
    assert "Who is working here?" in html_of(app)
    assert seeded.exhibit.file_name not in html_of(app)
    assert not app.get("plotly_chart")
    assert _log(seeded.case.case_id) == before

    app.text_input(key="actor_name_page").set_value("  Grace\tHopper ")
    app.button(key="actor_set_page").click().run()
    assert "Who is working here?" not in html_of(app)
    assert seeded.exhibit.file_name in html_of(app)
    logged = _log(seeded.case.case_id)[len(before) :]
    assert logged
    assert {who for _, who in logged} == {"Grace Hopper"}


def test_a_blank_name_is_no_name(open_page: OpenPage, seeded: Seeded) -> None:
    app = open_page("examine", who="", exhibit=seeded.exhibit.exhibit_id)
    app.text_input(key="actor_name_page").set_value(" \u200b \n ")
    app.button(key="actor_set_page").click().run()
    assert "No name" in html_of(app)
    assert "Who is working here?" in html_of(app)


def test_analyse_starts_nothing_without_a_name(open_page: OpenPage, clip: Path) -> None:
    app = open_page("analyse", who="")
    app.segmented_control(key="analyse_source").set_value("Path on this machine").run()
    app.text_input(key="analyse_path_0").set_value(str(clip)).run()
    assert app.button(key="analyse_start").disabled
    assert "Give your name above first." in html_of(app)
    app.text_input(key="actor_name_page").set_value("Grace")
    app.button(key="actor_set_page").click().run()
    assert not app.button(key="analyse_start").disabled


def test_a_case_its_exhibit_and_its_job_are_in_the_log_under_the_name(
    open_page: OpenPage, jobs: HandMovedJobs, clip: Path
) -> None:
    app = open_page("analyse")
    app.segmented_control(key="analyse_source").set_value("Path on this machine").run()
    app.toggle(key="analyse_blind_new").set_value(True).run()
    app.text_input(key="analyse_path_0").set_value(str(clip)).run()
    app.button(key="analyse_start").click().run()
    assert not app.exception
    (summary,) = services.current().store.cases()
    assert (summary.case.examiner, summary.case.blind_first) == (EXAMINER, True)
    assert _log(summary.case.case_id) == [
        ("case_created", EXAMINER),
        ("blind_first_changed", EXAMINER),
        ("exhibit_added", EXAMINER),
    ]
    assert jobs.authors == [EXAMINER]


def test_the_name_can_be_changed_and_two_sessions_keep_their_own(open_page: OpenPage, seeded: Seeded) -> None:
    place = {"case": seeded.case.case_id}
    first, second = open_page("cases", who="Ada", **place), open_page("cases", who="Bea", **place)
    first.text_input(key="actor_name_head").set_value("Cyd")
    first.button(key="actor_set_head").click().run()
    for app in (first, second):
        app.button(key=f"star_{seeded.case.case_id}").click().run()
    assert services.current().store.case(seeded.case.case_id).favourite_of == ("Bea", "Cyd")


def test_what_a_page_shows_is_logged_once_in_a_while(open_page: OpenPage, seeded: Seeded) -> None:
    place = {"exhibit": seeded.exhibit.exhibit_id}
    app = open_page("examine", **place)
    app.run()
    open_page("examine", **place)
    open_page("cases", case=seeded.case.case_id)
    looks = [entry for entry in _log(seeded.case.case_id) if entry[0].endswith("_viewed")]
    assert looks == [("scores_viewed", EXAMINER), ("case_viewed", EXAMINER), ("scores_viewed", EXAMINER)]


def test_a_hostile_name_is_shown_as_text_and_leaves_the_script_alone(open_page: OpenPage, seeded: Seeded) -> None:
    name = "'</script><img src=x> **b** ;"
    app = open_page("examine", who=name, exhibit=seeded.exhibit.exhibit_id)
    assert "<img" not in html_of(app)
    bodies = [element.proto.body for element in app.get("html") if element.proto.unsafe_allow_javascript]
    (script,) = [body for body in bodies if "data-fw-cookie=" in body]
    assert script.endswith(f"<script>{scripts.SET_COOKIE}</script>")
    assert 'data-fw-cookie="framewitness_examiner=%27%3C%2Fscript%3E%3Cimg%20src%3Dx%3E' in script
    assert script.count("<") == 4
