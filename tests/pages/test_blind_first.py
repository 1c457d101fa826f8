"""Opinions before scores: what is held back is in nothing that the page sends, until an opinion is recorded."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from streamlit.testing.v1 import AppTest

from detector.errors import StoreError
from detector.evidence import frame_times
from pages.parts.shared import services
from pages.parts.shared.wording import LABELS
from tests.pages.conftest import EXAMINER, html_of, player_of
from tests.pages.seed import Seeded

OpenPage = Callable[..., AppTest]


@pytest.fixture
def blind(seeded: Seeded) -> Seeded:
    services.current().store.metadata.set_blind_first(seeded.case.case_id, True, author="Lead")
    return seeded


def everything_sent(app: AppTest) -> str:
    """Every message that drew the page, and its address."""
    found: list[str] = []

    def walk(block: object) -> None:
        for child in getattr(block, "children", {}).values():
            if proto := getattr(child, "proto", None):
                found.append(str(proto))
            walk(child)

    walk(app._tree)
    return "\n".join([*found, str(dict(app.query_params))])


def tells_scores(app: AppTest, seeded: Seeded) -> list[str]:
    """The parts of the analysis that can be found in all that the page sent."""
    sent = everything_sent(app)
    numbers = {
        f"{seeded.analysis.conclusion.score:.3f}",
        "logit",
        LABELS[seeded.record.label].word,
        seeded.record.label,
    }
    numbers |= {f"{frame.score:.3f}" for model in seeded.analysis.models for t in model.tracks for frame in t.frames}
    return sorted(found for found in numbers if re.search(rf"(?<![\w.]){re.escape(found)}(?![\w])", sent))


def test_the_measure_finds_scores_where_they_are_shown(open_page: OpenPage, seeded: Seeded) -> None:
    place = {"exhibit": seeded.exhibit.exhibit_id, "record": seeded.record.record_id}
    told = tells_scores(open_page("examine", **place), seeded)
    assert len(told) >= 4
    assert f"{seeded.analysis.conclusion.score:.3f}" in told


@pytest.mark.parametrize("page", ["examine", "recent", "cases", "list"])
def test_nothing_of_the_scores_is_sent_before_an_opinion(open_page: OpenPage, blind: Seeded, page: str) -> None:
    place = {
        "examine": {"exhibit": blind.exhibit.exhibit_id, "record": blind.record.record_id, "track": 1, "pts": 0},
        "recent": {},
        "cases": {"case": blind.case.case_id},
        "list": {},
    }[page]
    app = open_page({"recent": "examine", "list": "cases"}.get(page, page), **place)
    assert not app.exception
    assert "drift.mp4" in everything_sent(app) or page == "list"
    # The filter of the list of cases offers every conclusion there is, whatever the cases hold.
    offered = {LABELS["inconclusive"].word, "inconclusive"} if page in ("cases", "list") else set()
    assert set(tells_scores(app, blind)) <= offered
    assert "Inconclusive" not in html_of(app)
    assert not app.get("plotly_chart")
    assert "Compare models" not in everything_sent(app)
    offered_forms = {form for box in app.selectbox if str(box.key).startswith("export_form_") for form in box.options}
    assert not offered_forms & {"Case bundle", "Analysis, JSON"}
    opened = services.current().store.statements.scores_opened_by(blind.exhibit.exhibit_id)
    assert opened == ()


def test_the_filter_does_not_tell_a_conclusion_that_is_held_back(open_page: OpenPage, blind: Seeded) -> None:
    app = open_page("cases")
    app.multiselect(key="cases_labels").set_value([blind.record.label]).run()
    assert "No case matches" in html_of(app)


def test_after_an_opinion_everything_shows_and_the_opinion_counts_as_blind(open_page: OpenPage, blind: Seeded) -> None:
    app = open_page("examine", tab="Opinions", exhibit=blind.exhibit.exhibit_id)
    key = f"opinion_{blind.exhibit.exhibit_id}_0"
    app.button(key=f"{key}_send").click().run()
    assert "Choose one of the three" in html_of(app)
    app.radio(key=f"{key}_verdict").set_value("manipulated")
    app.text_area(key=f"{key}_text").set_value("The <jaw> flickers.")
    app.button(key=f"{key}_send").click().run()
    assert not app.exception
    assert 'aria-label="Conclusion"' in html_of(app)
    assert f"{blind.analysis.conclusion.score:.3f}" in tells_scores(app, blind)
    shown = html_of(app)
    assert "The &lt;jaw&gt; flickers." in shown
    assert "blind: the log shows no scores" in shown
    (opinion,) = services.current().store.statements.opinions(blind.case.case_id)
    assert (opinion.author, opinion.verdict, opinion.blind) == (EXAMINER, "manipulated", True)
    actions = [event.action for event in services.current().store.events(blind.case.case_id)]
    assert actions[-3:] == ["exhibit_viewed", "opinion_given", "scores_viewed"]


def test_another_persons_opinion_shows_neither_scores_nor_itself(open_page: OpenPage, blind: Seeded) -> None:
    services.current().store.statements.give_opinion(blind.exhibit.exhibit_id, "genuine", "no seam", author="Ada")
    app = open_page("examine", exhibit=blind.exhibit.exhibit_id)
    assert tells_scores(app, blind) == []
    assert "One opinion of another is shown once you have recorded yours." in html_of(app)
    assert "no seam" not in everything_sent(app)


def test_an_opinion_after_scores_is_said_to_be_one(open_page: OpenPage, seeded: Seeded) -> None:
    app = open_page("examine", tab="Opinions", exhibit=seeded.exhibit.exhibit_id)
    key = f"opinion_{seeded.exhibit.exhibit_id}_0"
    app.radio(key=f"{key}_verdict").set_value("genuine")
    app.button(key=f"{key}_send").click().run()
    assert "after the author was shown scores" in html_of(app)


def test_frames_can_be_looked_at_marked_and_noted_meanwhile(open_page: OpenPage, blind: Seeded) -> None:
    second = frame_times(blind.exhibit.evidence)[1]
    app = open_page("examine", exhibit=blind.exhibit.exhibit_id, pts=second)
    told = player_of(app)
    assert (told["here"], told["readings"], told["heat"]) == ({"track": None, "pts": second}, None, None)
    app.button(key="plain_bookmark_frame").click().run()
    scope = blind.exhibit.exhibit_id
    app.text_area(key=f"note_text_{scope}").set_value("seam")
    app.button(key=f"note_send_{scope}").click().run()
    assert not app.exception
    (mark,) = services.current().store.metadata.bookmarks(blind.case.case_id)
    (note,) = services.current().store.notes(blind.case.case_id)
    assert mark.pts == note.pts == second
    assert mark.track_id is None
    assert "seam" in [element.value for element in app.text]


def test_a_case_made_blind_meanwhile_stops_showing_scores(open_page: OpenPage, seeded: Seeded) -> None:
    app = open_page("examine", exhibit=seeded.exhibit.exhibit_id)
    services.current().store.metadata.set_blind_first(seeded.case.case_id, True)
    app.run()
    assert tells_scores(app, seeded) == []


def test_an_exhibit_without_an_analysis_can_be_looked_at(open_page: OpenPage, opened: services.Services, clip) -> None:
    from detector.evidence import examine, ingest

    case = opened.store.create_case("Waiting")
    exhibit = opened.store.add_exhibit(case.case_id, examine(ingest(clip, opened.store.evidence_dir)))
    app = open_page("examine", exhibit=exhibit.exhibit_id)
    assert not app.exception
    assert "Not analysed yet" in html_of(app)
    app.radio(key=f"opinion_{exhibit.exhibit_id}_0_verdict").set_value("genuine")
    app.button(key=f"opinion_{exhibit.exhibit_id}_0_send").click().run()
    assert "before anything was analysed" in html_of(app)


def test_ground_truth_is_recorded_with_its_source(open_page: OpenPage, seeded: Seeded) -> None:
    app = open_page("examine", tab="Opinions", exhibit=seeded.exhibit.exhibit_id)
    key = f"truth_{seeded.exhibit.exhibit_id}"
    app.radio(key=f"{key}_truth").set_value("manipulated")
    app.button(key=f"{key}_send").click().run()
    assert "needs its source" in html_of(app)
    app.radio(key=f"{key}_truth").set_value("manipulated")
    app.text_input(key=f"{key}_source").set_value("confession")
    app.text_input(key=f"{key}_method").set_value("face swap")
    app.button(key=f"{key}_send").click().run()
    (truth,) = services.current().store.statements.truths(seeded.case.case_id)
    assert (truth.truth, truth.source, truth.method, truth.author) == (
        "manipulated",
        "confession",
        "face swap",
        EXAMINER,
    )
    assert "confession" in html_of(app)


def test_an_error_of_the_store_is_told_in_words(
    open_page: OpenPage, blind: Seeded, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = open_page("examine", exhibit=blind.exhibit.exhibit_id)

    def refuse(*_: object, **__: object) -> None:
        raise StoreError("The disk is <full>.")

    monkeypatch.setattr(services.current().store.statements, "give_opinion", refuse)
    app.radio(key=f"opinion_{blind.exhibit.exhibit_id}_0_verdict").set_value("genuine")
    app.button(key=f"opinion_{blind.exhibit.exhibit_id}_0_send").click().run()
    assert "The opinion was not recorded" in html_of(app)
    assert "The disk is &lt;full&gt;." in html_of(app)
    assert tells_scores(app, blind) == []
