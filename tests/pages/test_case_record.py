"""Keeping a case on the Cases page: finding it, describing it, marking it, signing, archiving, moving it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from detector.cases import CaseStore
from detector.report.exchange import log_export
from pages.parts.cases import custody_log
from pages.parts.examine import seen_before
from pages.parts.shared import markup, services
from tests.pages import seed
from tests.pages.conftest import EXAMINER, html_of, player_of
from tests.pages.seed import Seeded

OpenPage = Callable[..., AppTest]


def _listed(app: AppTest) -> list[str]:
    return [button.key.removeprefix("open_") for button in app.button if button.key and button.key.startswith("open_")]


def test_filters_narrow_the_list_and_can_be_cleared(open_page: OpenPage, opened: services.Services) -> None:
    store = opened.store
    ids = [store.create_case(f"Case {n}", examiner="Ada" if n else "Bea").case_id for n in range(3)]
    store.metadata.set_tags(ids[1], ["urgent"])
    store.metadata.archive(ids[2], "retention")
    store.metadata.set_favourite(ids[0], True, author=EXAMINER)
    app = open_page("cases")
    assert set(_listed(app)) == set(ids[:2])
    app.multiselect(key="cases_tags").set_value(["urgent"]).run()
    assert _listed(app) == [ids[1]]
    app.button(key="cases_clear").click().run()
    app.selectbox(key="cases_examiner").set_value("Bea").run()
    assert _listed(app) == [ids[0]]
    app.button(key="cases_clear").click().run()
    app.toggle(key="cases_mine").set_value(True).run()
    assert _listed(app) == [ids[0]]
    app.button(key="cases_clear").click().run()
    app.date_input(key="cases_until").set_value(date(2020, 1, 1)).run()
    assert "No case matches" in html_of(app)
    app.button(key="cases_clear").click().run()
    assert set(_listed(app)) == set(ids[:2])


def test_a_search_shows_the_text_in_which_it_found_the_words(open_page: OpenPage, seeded: Seeded) -> None:
    services.current().store.add_note(seeded.case.case_id, "The <b>épaule</b> moves oddly")
    app = open_page("cases")
    app.text_input(key="cases_search").set_value("epaule").run()
    assert _listed(app) == [seeded.case.case_id]
    assert "note: “The &lt;b&gt;épaule&lt;/b&gt; moves oddly”" in html_of(app)


def test_a_case_is_made_edited_archived_with_a_reason_and_reopened(
    open_page: OpenPage, opened: services.Services
) -> None:
    app = open_page("cases")
    app.text_input(key="new_title").set_value("Voice mail")
    app.toggle(key="new_blind").set_value(True)
    app.button(key="new_send").click().run()
    (summary,) = opened.store.cases()
    case = summary.case
    assert (case.title, case.examiner, case.blind_first) == ("Voice mail", EXAMINER, True)

    key = next(box.key for box in app.text_input if box.key and box.key.endswith("_reference") and "edit_" in box.key)
    key = key.removesuffix("_reference")
    app.text_input(key=f"{key}_reference").set_value("LAB-7")
    app.selectbox(key=f"{key}_status").set_value("in_review")
    app.toggle(key=f"{key}_blind").set_value(False)
    app.button(key=f"{key}_save").click().run()
    case = opened.store.case(case.case_id)
    assert (case.reference, case.status, case.blind_first) == ("LAB-7", "in_review", False)

    app.button(key=f"archive_do_{case.case_id}").click().run()
    assert "A reason is needed" in html_of(app)
    app.text_input(key=f"archive_reason_{case.case_id}").set_value("retention <over>")
    app.button(key=f"archive_do_{case.case_id}").click().run()
    assert "Reason: retention &lt;over&gt;." in html_of(app)
    assert opened.store.case(case.case_id).status == "archived"
    app = open_page("cases", case=case.case_id)
    assert not [button for button in app.button if button.label == "Add note"]
    app.text_input(key=f"reopen_reason_{case.case_id}").set_value("appeal")
    app.button(key=f"reopen_do_{case.case_id}").click().run()
    assert opened.store.case(case.case_id).status == "open"
    assert {event.actor for event in opened.store.events(case.case_id)} == {EXAMINER}


def test_an_exhibit_is_described_and_a_taken_reference_is_refused(
    open_page: OpenPage, seeded: Seeded, tmp_path: Path
) -> None:
    from detector.evidence import examine, ingest

    store = services.current().store
    other = seed.write_clip(tmp_path / "other.mp4", seconds=0.5)
    second = store.add_exhibit(seeded.case.case_id, examine(ingest(other, store.evidence_dir)))
    for exhibit, problem in ((seeded.exhibit, ""), (second, "Another exhibit of the case has the reference")):
        app = open_page("cases", case=seeded.case.case_id, exhibit=exhibit.exhibit_id)
        key = f"describe_{exhibit.exhibit_id}"
        app.text_input(key=f"{key}_reference").set_value("A/1")
        app.text_input(key=f"{key}_text").set_value("phone <of> the witness")
        app.button(key=f"{key}_save").click().run()
        assert problem in html_of(app)
    assert [exhibit.reference for exhibit in store.exhibits(seeded.case.case_id)] == ["A/1", "E2"]
    assert "phone &lt;of&gt; the witness" in html_of(open_page("cases", case=seeded.case.case_id))


def test_an_exhibit_in_the_wrong_case_is_filed_in_another_from_its_details(open_page: OpenPage, seeded: Seeded) -> None:
    store, exhibit_id = services.current().store, seeded.exhibit.exhibit_id
    other = store.create_case("The right one")
    app = open_page("cases", case=seeded.case.case_id, exhibit=exhibit_id)
    app.selectbox(key=f"refile_{exhibit_id}_to").set_value(other.case_id)
    app.button(key=f"refile_{exhibit_id}_do").click().run()
    assert "A reason is needed" in html_of(app)
    app.text_input(key=f"refile_{exhibit_id}_reason").set_value("handed in for <that>")
    app.button(key=f"refile_{exhibit_id}_do").click().run()
    assert not app.exception
    assert store.exhibit(exhibit_id).case_id == other.case_id
    assert app.query_params["case"] in (other.case_id, [other.case_id])
    (gone,) = store.refilings(seeded.case.case_id)
    assert (gone.author, gone.reason) == (EXAMINER, "handed in for <that>")
    assert "handed in for &lt;that&gt;" in html_of(open_page("cases", case=seeded.case.case_id))


def test_two_people_sign_and_the_same_person_cannot_sign_twice(open_page: OpenPage, seeded: Seeded) -> None:
    case_id = seeded.case.case_id
    first = open_page("cases", who="Ada", case=case_id)
    first.button(key=f"sign_do_{case_id}").click().run()
    assert "Signed by the examiner" in html_of(first)
    first.segmented_control(key=f"sign_role_{case_id}").set_value("second_examiner").run()
    first.button(key=f"sign_do_{case_id}").click().run()
    assert "must be another person" in html_of(first)
    second = open_page("cases", who="Bea", case=case_id)
    second.button(key=f"sign_do_{case_id}").click().run()
    assert "Signed by two people" in html_of(second)
    services.current().store.add_note(case_id, "afterthought")
    assert "The case was changed after it was signed" in html_of(second.run())


def test_bookmarks_are_set_listed_shown_on_the_timeline_and_taken_away(open_page: OpenPage, seeded: Seeded) -> None:
    face = seeded.analysis.tracks[0].faces[4]
    app = open_page("examine", tab="Notes", exhibit=seeded.exhibit.exhibit_id, track=1, pts=face.pts)
    app.button(key="bookmark_frame").click().run()
    app.text_input(key=f"mark_{seeded.exhibit.exhibit_id}_text").set_value("<i>seam</i>")
    app.button(key=f"mark_{seeded.exhibit.exhibit_id}_send").click().run()
    marks = services.current().store.metadata.bookmarks(seeded.case.case_id)
    assert [(mark.track_id, mark.pts, mark.text, mark.author) for mark in marks] == [
        (1, face.pts, "", EXAMINER),
        (1, face.pts, "<i>seam</i>", EXAMINER),
    ]
    shown = player_of(app)["marks"]
    assert [(mark["kind"], mark["pts"], mark["text"]) for mark in shown] == [
        ("Bookmark", face.pts, ""),
        ("Bookmark", face.pts, "<i>seam</i>"),
    ]
    app.query_params["pts"] = "0"
    app.button(key=f"jump_{marks[1].bookmark_id}").click().run()
    assert app.query_params["pts"] in ([str(face.pts)], str(face.pts))
    app.button(key=f"unmark_{marks[0].bookmark_id}").click().run()
    assert [mark.text for mark in services.current().store.metadata.bookmarks(seeded.case.case_id)] == ["<i>seam</i>"]


def test_seen_before_tells_of_the_same_file_by_itself_and_leads_to_it(
    open_page: OpenPage, seeded: Seeded, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = services.current().store
    older = store.create_case("Older matter")
    again = store.add_exhibit(older.case_id, seeded.exhibit.evidence)
    told: list[str] = []
    monkeypatch.setattr(markup, "states", lambda items: told.extend(word for _, _, word in items))
    seen_before.banner(seeded.exhibit)
    monkeypatch.undo()
    assert told == [f"Seen before: the same file in {older.reference} (drift.mp4). More under Seen before."]
    app = open_page("examine", tab="Seen before", exhibit=seeded.exhibit.exhibit_id)
    app.button(key=f"seen_before_{seeded.exhibit.exhibit_id}_ask").click().run()
    assert not app.exception
    assert "byte for byte" in html_of(app)
    assert "One exhibit has no frame hashes yet" in html_of(app)
    app.button(key=f"seen_before_{seeded.exhibit.exhibit_id}_missing").click().run()
    assert "frames alike" in html_of(app)
    assert "no frame hashes yet" not in html_of(app)
    next(one for one in app.button if str(one.key).endswith(f"_open_{again.exhibit_id}")).click().run()
    assert app.query_params["exhibit"] in (again.exhibit_id, [again.exhibit_id])


def test_a_bundle_is_taken_into_another_store(open_page: OpenPage, seeded: Seeded, tmp_path: Path) -> None:
    content = services.current().store.export_case(seeded.case.case_id, tmp_path / "case.zip").read_bytes()
    services.close_services()
    services.open_services(tmp_path / "elsewhere")
    app = open_page("cases")
    app.file_uploader(key="import_file").upload("case.zip", content, "application/zip").run()
    app.button(key="import_do").click().run()
    assert not app.exception
    assert "Seeded case" in html_of(app)
    store: CaseStore = services.current().store
    assert ("case_imported", EXAMINER) in [(e.action, e.actor) for e in store.events(seeded.case.case_id)]


def test_exports_count_as_shown_where_they_hold_the_scores(seeded: Seeded) -> None:
    store = services.current().store
    store.metadata.set_blind_first(seeded.case.case_id, True)
    log_export(store, seeded.case.case_id, "html", "case.html", "ab" * 32, actor=EXAMINER)
    assert store.statements.scores_opened_by(seeded.exhibit.exhibit_id) == ()
    store.statements.give_opinion(seeded.exhibit.exhibit_id, "genuine", author=EXAMINER)
    log_export(store, seeded.case.case_id, "html", "case.html", "ab" * 32, actor=EXAMINER)
    assert store.statements.scores_opened_by(seeded.exhibit.exhibit_id) == (EXAMINER,)


def test_the_store_is_backed_up_and_verified_from_the_page(open_page: OpenPage, seeded: Seeded, tmp_path: Path) -> None:
    app = open_page("cases")
    app.text_input(key="backup_folder").set_value(str(tmp_path / "copy")).run()
    app.button(key="backup_do").click().run()
    assert (tmp_path / "copy" / "backup.json").is_file()
    app.button(key="backup_do").click().run()
    assert "needs an empty folder" in html_of(app)
    app.button(key="verify_all").click().run()
    assert "Verified: everything agrees" in html_of(app)
    seeded.exhibit.evidence.file.path.unlink()
    app.button(key="verify_all").click().run()
    assert "evidence file of exhibit" in html_of(app)


def test_a_log_row_tells_what_changed_and_no_score_that_is_held_back(seeded: Seeded) -> None:
    store = services.current().store
    store.update_case(seeded.case.case_id, title="New")
    events, exhibit_id = store.events(seeded.case.case_id), seeded.exhibit.exhibit_id
    told = [row["details"] for row in custody_log.rows(events, {exhibit_id: "E1"}, ())]
    kept = [row["details"] for row in custody_log.rows(events, {exhibit_id: "E1"}, {exhibit_id})]
    assert "title: Seeded case → New" in told
    assert any("label: inconclusive · score: 0." in str(line) for line in told)
    assert not any("inconclusive" in str(line) or "score" in str(line) for line in kept)
