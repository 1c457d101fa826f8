"""What is drawn on the player, or given by numbers, becomes an annotation with its words, and can be changed."""

from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest

from detector.errors import StoreError
from pages.parts.examine.annotations import on_player, place_of
from pages.parts.shared import services
from tests.pages.conftest import EXAMINER, html_of
from tests.pages.seed import Seeded


def test_what_is_drawn_is_kept_in_order_and_within_the_frame(seeded: Seeded) -> None:
    width = seeded.exhibit.evidence.video.width
    box = {"kind": "box", "pts": 7.0, "end_pts": None, "box_xyxy": [width + 9, 20, 10, 5], "track": None}
    place = place_of(seeded.exhibit, box)
    assert (place.pts, place.end_pts, place.track_id) == (7, None, None)
    assert place.box_xyxy_px == (10.0, 5.0, float(width), 20.0)
    backwards = {"kind": "interval", "pts": 900, "end_pts": 300, "box_xyxy": None, "track": 2}
    place = place_of(seeded.exhibit, backwards)
    assert (place.pts, place.end_pts, place.track_id, place.box_xyxy_px) == (300, 900, 2, None)
    for broken in ({}, {**box, "box_xyxy": [1, 2]}, {**backwards, "end_pts": None}, {**box, "pts": "x"}):
        with pytest.raises(StoreError, match="Draw it again"):
            place_of(seeded.exhibit, broken)


def test_the_words_of_what_was_drawn_are_asked_for(opened: services.Services, seeded: Seeded) -> None:
    def script(exhibit_id: str, who: str) -> None:
        from pages.parts.examine.annotations import ask
        from pages.parts.shared import services

        drawn = {"kind": "box", "pts": 512, "box_xyxy": [10, 20, 60, 90], "track": 1}
        ask(services.current().store.exhibit(exhibit_id), who, drawn)

    given = {"exhibit_id": seeded.exhibit.exhibit_id, "who": EXAMINER}
    app = AppTest.from_function(script, kwargs=given, default_timeout=180).run()
    app.button(key="note_words_save").click().run()
    assert "needs some text" in html_of(app)
    app.text_area(key="note_words_text").set_value("The <chin>").run()
    app.button(key="note_words_save").click().run()
    (note,) = on_player(seeded.exhibit)
    assert (note.text, note.author, note.track_id, note.pts) == ("The <chin>", EXAMINER, 1, 512)
    assert note.box_xyxy_px == (10.0, 20.0, 60.0, 90.0)


def test_an_interval_is_annotated_by_numbers_and_withdrawn(opened: services.Services, seeded: Seeded) -> None:
    def script(exhibit_id: str, who: str) -> None:
        from pages.parts.examine import notes
        from pages.parts.shared import services

        store = services.current().store
        exhibit = store.exhibit(exhibit_id)
        notes.show(store.case(exhibit.case_id), who, {exhibit_id: exhibit}, exhibit=exhibit)

    key = f"annotate_0_{seeded.exhibit.exhibit_id}"
    given = {"exhibit_id": seeded.exhibit.exhibit_id, "who": EXAMINER}
    app = AppTest.from_function(script, kwargs=given, default_timeout=180).run()
    app.number_input(key=f"{key}_From (s)").set_value(0.1)
    app.text_area(key=f"{key}_text").set_value("It flickers")
    app.button(key=f"{key}_send").click().run()
    assert "An interval ends after it begins" in html_of(app)
    assert app.text_area(key=f"{key}_text").value == "It flickers"
    app.number_input(key=f"{key}_To (s)").set_value(0.4)
    app.button(key=f"{key}_send").click().run()
    (note,) = on_player(seeded.exhibit)
    base = seeded.exhibit.evidence.video.time_base
    assert (float(note.pts * base), float(note.end_pts * base)) == pytest.approx((0.1, 0.4), abs=0.001)
    assert "on the time from 00:00.100 to 00:00.400" in html_of(app)
    assert app.text_area(key=key.replace("_0_", "_1_") + "_text").value == ""
    app.button(key=f"withdraw_{note.note_id}").click().run()
    assert on_player(seeded.exhibit) == ()
    assert "It flickers" in html_of(app)
    assert [expander.label for expander in app.expander][-1] == "Earlier words and withdrawn notes (1)"
