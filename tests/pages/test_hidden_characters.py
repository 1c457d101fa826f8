"""Names and words from outside that would deceive the eye are spelled out on the pages, as in reports."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from streamlit.testing.v1 import AppTest

from detector.registry import ModelCard
from pages.parts.shared import services
from tests.pages import seed
from tests.pages.conftest import html_of

NAME = "invoice\u202egpj\u200b.mp4"
SPELLED = "invoice‹U+202E›gpj‹U+200B›.mp4"


def test_no_page_shows_a_name_as_other_than_it_is(
    open_page: Callable[..., AppTest], opened: services.Services, clip: Path, card: ModelCard
) -> None:
    seeded = seed.fill(opened.store, clip, card, file_name=NAME)
    case_id = seeded.case.case_id
    opened.store.update_case(case_id, title=f"Case {NAME}", reference=NAME)
    opened.store.add_note(case_id, f"Note\n{NAME}", author=NAME)
    opened.store.metadata.set_tags(case_id, [NAME])
    for page, address in (("cases", {"case": case_id}), ("examine", {"record": seeded.record.record_id})):
        app = open_page(page, **address)
        assert not app.exception
        assert SPELLED in html_of(app)
        labels = [button.label for button in app.button] + [
            option for box in [*app.selectbox, *app.multiselect] for option in box.options
        ]
        tables = [str(frame.value.to_dict()) for frame in app.dataframe]
        for shown in [html_of(app), *labels, *tables, *(text.value for text in app.text)]:
            assert "\u202e" not in shown
            assert "\u200b" not in shown
    assert f"Note\n{SPELLED}" in [text.value for text in open_page("cases", case=case_id).text]
