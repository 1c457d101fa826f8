"""The glossary explains the same terms in every language, and pages take their explanations from it."""

from __future__ import annotations

import html

import pytest
import streamlit as st

from detector.report.glossary import glossary, meaning
from detector.report.language import LANGUAGES, words_of
from pages import glossary as page
from pages.parts.shared import markup


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_explains_the_same_terms_in_its_own_order(language: str) -> None:
    terms = glossary(words_of(language))
    assert {term.key for term in terms} == {term.key for term in glossary()}
    assert [term.word.casefold() for term in terms] == sorted(term.word.casefold() for term in terms)
    for term in terms:
        assert words_of(language)(f"glossary.{term.key}.text") == term.text
        assert term.text.endswith(".")


def test_the_page_and_the_names_of_facts_say_what_the_glossary_says(monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[str] = []
    monkeypatch.setattr(st, "html", shown.append)
    page.render()
    for term in glossary():
        assert html.escape(term.text) in shown[-1]
    markup.facts([("Score", "0.5"), ("Codec", "h264")])
    assert f'<abbr title="{html.escape(meaning("score"))}">Score</abbr>' in shown[-1]
    assert "<dt>Codec</dt>" in shown[-1]
