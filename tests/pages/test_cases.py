from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from detector.cases import timestamps
from pages.parts.cases import exhibit_grid
from pages.parts.shared import services, thumbnails
from tests.cases.authority import Authority
from tests.cases.records import make_analysis, make_evidence
from tests.pages.conftest import html_of
from tests.pages.seed import Seeded
from tests.report.certificates import make_chain

OpenPage = Callable[..., AppTest]


def test_an_empty_store_says_what_to_do(open_page: OpenPage) -> None:
    app = open_page("cases")
    assert not app.exception
    assert "No cases yet" in html_of(app)
    assert app.button(key="new_send").label == "Create the case"


def test_a_case_opens_with_its_exhibits_and_analyses(open_page: OpenPage, seeded: Seeded) -> None:
    app = open_page("cases")
    app.button(key=f"open_{seeded.case.case_id}").click().run()
    assert not app.exception
    assert app.query_params["case"] in ([seeded.case.case_id], seeded.case.case_id)
    shown = html_of(app)
    for part in ("Seeded case", "A. Nalyst", "drift.mp4", "Inconclusive", "Waiting for an opinion", "00:02.000"):
        assert part in shown
    assert shown.count('src="data:image/jpeg;base64,') == 2  # in the case's line and in the exhibit's row
    assert any(f"exhibit={seeded.exhibit.exhibit_id}" in link.proto.query_string for link in app.get("page_link"))
    app.button(key=f"exhibits_{seeded.case.case_id}_details_{seeded.exhibit.exhibit_id}").click().run()
    assert app.query_params["exhibit"] in ([seeded.exhibit.exhibit_id], seeded.exhibit.exhibit_id)
    assert seeded.exhibit.sha256 in html_of(app)
    assert any(f"record={seeded.record.record_id}" in link.proto.query_string for link in app.get("page_link"))


def test_search_finds_by_file_name_and_says_when_nothing_matches(open_page: OpenPage, seeded: Seeded) -> None:
    services.current().store.create_case("Another matter")
    app = open_page("cases")
    app.text_input(key="cases_search").set_value("drift").run()
    assert [button.key for button in app.button if button.key and button.key.startswith("open_")] == [
        f"open_{seeded.case.case_id}"
    ]
    app.text_input(key="cases_search").set_value("zebra").run()
    assert "No case matches" in html_of(app)


def test_the_exhibits_of_all_cases_are_sorted_filtered_and_grouped_by_verdict(
    open_page: OpenPage, opened: services.Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(thumbnails, "picture", lambda *_: None)  # these files cannot be read
    monkeypatch.setattr(exhibit_grid, "PER_PAGE", 3)
    monkeypatch.setattr(exhibit_grid, "_FEW", 1)
    store = opened.store
    for number, label in enumerate(["inconclusive", "inconclusive", "likely_manipulated", "inconclusive"]):
        case = store.create_case(f"Case {number}", examiner=f"Examiner {number}")
        exhibit = store.add_exhibit(case.case_id, make_evidence(store.evidence_dir, f"clip {number}".encode()))
        analysis = make_analysis(exhibit.evidence)
        conclusion = replace(analysis.conclusion, label=label)
        store.save_analysis(exhibit.exhibit_id, replace(analysis, conclusion=conclusion))
    app = open_page("cases")
    app.segmented_control(key="cases_view").set_value("All exhibits").run()

    def rows() -> list[str]:
        return [button.key for button in app.button if str(button.key).startswith("every_exhibit_details_")]

    assert not app.exception
    assert len(rows()) == 3
    app.button(key="every_exhibit_next").click().run()
    assert len(rows()) == 1
    app.toggle(key="every_exhibit_grouped").set_value(True).run()
    shown = html_of(app)
    assert shown.index("1 exhibit<") < shown.index("3 exhibits<")
    app.pills(key="every_exhibit_findings").set_value(["likely_manipulated"]).run()
    assert len(rows()) == 1
    app.text_input(key="every_exhibit_words").set_value("no such name").run()
    assert "No exhibit matches" in html_of(app)


def test_long_lists_come_in_pages(open_page: OpenPage, opened: services.Services) -> None:
    for number in range(27):
        opened.store.create_case(f"Case number {number}")
    app = open_page("cases")
    opened_keys = [button for button in app.button if button.key and button.key.startswith("open_")]
    assert len(opened_keys) == 20
    app.button(key="cases_next").click().run()
    assert len([button for button in app.button if button.key and button.key.startswith("open_")]) == 7


def test_verify_tells_when_the_evidence_was_altered(open_page: OpenPage, seeded: Seeded) -> None:
    app = open_page("cases", case=seeded.case.case_id)
    app.button(key="cases_verify").click().run()
    assert "Verified:" in html_of(app)

    stored = seeded.exhibit.evidence.file.path
    stored.chmod(0o600)
    with stored.open("ab") as file:
        file.write(b"x")
    app.button(key="cases_verify").click().run()
    assert "The record does not verify" in html_of(app)


def test_time_stamps_are_told_and_so_is_an_authority_that_gives_none(
    open_page: OpenPage, seeded: Seeded, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = services.current().store
    authority = Authority(make_chain(tmp_path))
    monkeypatch.setenv("FRAMEWITNESS_TSA", authority.url)
    store.timestamp()
    authority.close()
    store.create_case("grown since")
    monkeypatch.setenv("FRAMEWITNESS_TSA", "http://127.0.0.1:1/")
    monkeypatch.setattr(timestamps, "_EVERY", timedelta(0))
    store.timestamps._next_look_s = 0.0
    store.create_case("and once more")
    store.timestamps.wait()
    app = open_page("cases", case=seeded.case.case_id)
    assert "The logs were not time-stamped." in html_of(app)
    app.button(key="cases_verify").click().run()
    assert "was time-stamped" in html_of(app)


def test_a_finding_waits_on_the_page_for_words(open_page: OpenPage, seeded: Seeded) -> None:
    store, case_id = services.current().store, seeded.case.case_id
    store.intake.report_altered(seeded.exhibit.sha256, "0" * 64)
    app = open_page("cases", case=case_id)
    assert "changed behind the program&#x27;s back" in html_of(app)
    app.button(key="finding_case_send").click().run()
    assert "needs words" in html_of(app)
    app.text_area(key="finding_case_text").set_value("A failing disk.")
    app.button(key="finding_case_send").click().run()
    assert "changed behind" not in html_of(open_page("cases", case=case_id))
    assert store.findings(case_id)[0].acknowledgement == "A failing disk."
    assert store.verify(case_id).ok


def test_the_log_and_the_notes_of_the_case_are_shown(open_page: OpenPage, seeded: Seeded) -> None:
    services.current().store.add_note(seeded.case.case_id, "For the file", author="C")
    app = open_page("cases", case=seeded.case.case_id)
    assert "For the file" in [element.value for element in app.text]
    log = app.dataframe[0].value
    assert list(log["event"])[-2:] == ["Exhibit added", "Case created"]


def test_an_unknown_case_is_answered_in_words(open_page: OpenPage, opened: services.Services) -> None:
    app = open_page("cases", case="cnothing")
    assert not app.exception
    assert "This case cannot be opened" in html_of(app)


def test_a_hostile_title_is_shown_as_text(open_page: OpenPage, opened: services.Services) -> None:
    case = opened.store.create_case("<script>alert(1)</script> **x** [a](b)")
    app = open_page("cases", case=case.case_id)
    label = app.button(key=f"open_{case.case_id}").label
    assert r"\<script\>" in label
    assert r"\*\*x\*\*" in label
    assert r"\[a\]\(b\)" in label
    assert "<script" not in html_of(app)
