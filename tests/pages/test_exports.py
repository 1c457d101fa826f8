"""Exports from the pages: what is offered, what each holds, and that the log names who asked."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import av
import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from detector.cases import Export, ExportRequest
from detector.cases.export_forms import CASE_EXPORTS, RECORD_EXPORTS, export_name
from detector.registry import ModelCard
from detector.replay import open_bundle
from pages.parts.shared import services
from tests.pages import seed
from tests.pages.conftest import EXAMINER, HandMovedJobs, html_of

OpenPage = Callable[..., AppTest]
NAME = "=cmd|'/C calc'!A0 <img src=x onerror=alert(1)>\u202e.mp4"
SLOW = {"report-full", "report-short", "annotated-video-heatmap"}  # of which other tests tell


@pytest.fixture
def hostile(opened: services.Services, clip: Path, card: ModelCard) -> seed.Seeded:
    seeded = seed.fill(opened.store, clip, card, file_name=NAME)
    opened.store.update_case(seeded.case.case_id, title=NAME, reference="../../=1+1")
    opened.store.add_note(seeded.case.case_id, f"note {NAME}")
    return seeded


def made(jobs: HandMovedJobs, *requests: ExportRequest, who: str = EXAMINER) -> dict[str, tuple[Export, bytes]]:
    """The exports asked for, by form, and what their files hold."""
    for request in requests:
        jobs.exports.ask(request, author=who)
    store, found = jobs.store, jobs.exports.queue.make_all()
    return {one.request.form: (one, store.exports.path(one).read_bytes() if one.kept else b"") for one in found}


def test_every_form_of_an_analysis_is_made_and_logged(hostile: seed.Seeded, jobs: HandMovedJobs) -> None:
    case_id, record_id = hostile.case.case_id, hostile.record.record_id
    forms = set(RECORD_EXPORTS) - SLOW
    files = made(jobs, *(ExportRequest(case_id, form, record_id) for form in sorted(forms)))
    assert [one.message for one, _ in files.values() if one.state != "done"] == []
    for one, _ in files.values():  # a name that no file system and no shell minds
        assert one.file_name.startswith("1-1-r")
    assert b"=cmd" in files["csv"][1]
    assert b",=cmd" not in files["csv"][1]
    assert files["parquet"][1].startswith(b"PAR1")
    assert json.loads(files["json"][1])["analysis_id"] == hostile.analysis.analysis_id
    with Image.open(io.BytesIO(files["contact-sheet"][1])) as sheet:
        assert "DERIVED" in sheet.info["Title"]
    for key, members in (("replay", 4), ("replay-with-input", 5)):
        with zipfile.ZipFile(io.BytesIO(files[key][1])) as bundle:
            assert len(bundle.namelist()) == members
            assert not any("cmd" in name for name in bundle.namelist())
    assert open_bundle(jobs.store.exports.path(files["replay-with-input"][0])).sha256 == hostile.exhibit.sha256
    with av.open(io.BytesIO(files["annotated-video"][1])) as container:
        assert hostile.exhibit.sha256 in container.metadata["comment"]
    assert "All 24 frames" in files["annotated-video"][0].message
    told = [event for event in jobs.store.events(case_id) if event.action == "case_exported"]
    assert {event.details["form"]: event.details["sha256"] for event in told} == {
        form: one.sha256 for form, (one, _) in files.items()
    }
    assert {(event.actor, event.details["record_id"]) for event in told} == {(EXAMINER, record_id)}
    assert jobs.store.verify(case_id).ok


def test_every_form_of_a_case_is_made_and_logged(hostile: seed.Seeded, jobs: HandMovedJobs) -> None:
    case_id = hostile.case.case_id
    files = made(jobs, *(ExportRequest(case_id, form) for form in sorted({*CASE_EXPORTS} - {"report-full"})))
    assert [one.message for one, _ in files.values() if one.state != "done"] == []
    html, graph = files["html"][1], json.loads(files["case-uco"][1])["@graph"]
    assert b"<img src=x" not in html
    assert b"&lt;img src=x onerror=alert(1)&gt;" in html.replace(b"<wbr>", b"")
    assert any(NAME in str(node.get("uco-core:name")) for node in graph)
    assert b",=cmd" not in files["csv"][1]
    assert files["report-short"][1].startswith(b"%PDF")
    with zipfile.ZipFile(io.BytesIO(files["bundle"][1])) as bundle:
        texts = [bundle.read(name) for name in bundle.namelist() if name.endswith(".json")]
    assert any(hostile.exhibit.sha256.encode() in text for text in texts)
    told = [e for e in jobs.store.events(case_id) if e.action in ("case_exported", "report_rendered")]
    assert {event.details["sha256"] for event in told} == {one.sha256 for one, _ in files.values()}
    assert {event.actor for event in told} == {EXAMINER}
    assert all(one.shows == (hostile.exhibit.exhibit_id,) for one, _ in files.values())


def test_scores_that_wait_for_an_opinion_are_left_out(seeded: seed.Seeded, jobs: HandMovedJobs) -> None:
    case_id = seeded.case.case_id
    jobs.store.metadata.set_blind_first(case_id, True)
    files = made(jobs, *(ExportRequest(case_id, form) for form in ("csv", "html", "case-uco")))
    assert files["csv"][1].count(b"\r\n") == 1
    score = f"{seeded.analysis.conclusion.score:.3f}".encode()
    assert score not in files["html"][1]
    assert repr(seeded.analysis.conclusion.score).encode() not in files["case-uco"][1]
    assert all(one.shows == () for one, _ in files.values())
    assert jobs.store.statements.scores_opened_by(seeded.exhibit.exhibit_id) == ()


def test_an_original_that_was_changed_is_drawn_from_in_no_export(seeded: seed.Seeded, jobs: HandMovedJobs) -> None:
    path = seeded.exhibit.evidence.file.path
    path.chmod(0o600)
    path.write_bytes(b"changed")
    request = ExportRequest(seeded.case.case_id, "annotated-video", seeded.record.record_id)
    export, _ = made(jobs, request)["annotated-video"]
    assert export.state == "failed"
    assert "was changed" in export.message


def test_the_page_lists_what_was_made_with_its_hash_and_what_failed_with_its_reason(
    open_page: OpenPage, seeded: seed.Seeded, jobs: HandMovedJobs
) -> None:
    case_id = seeded.case.case_id
    app = open_page("cases", case=case_id)
    app.selectbox(key=f"export_form_{case_id}").set_value("csv").run()
    app.button(key=f"export_do_{case_id}").click().run()
    (waiting,) = jobs.exports.find(case_id)
    assert app.button(key=f"cancel_all_{waiting.job_id}")
    jobs.store.exports.claim()
    jobs.store.exports.fail(waiting.job_id, "store_error", "The disk <b>is</b> full.")
    app.run()
    assert "The disk &lt;b&gt;is&lt;/b&gt; full." in html_of(app)
    app.button(key=f"retry_all_{waiting.job_id}").click().run()
    (export,) = jobs.exports.queue.make_all()
    app.run()
    assert not app.exception
    assert export.sha256 in html_of(app)
    assert EXAMINER in html_of(app)
    assert [one.proto.label for one in app.get("download_button")] == ["Download"]
    app.button(key=f"remove_all_{export.job_id}").click().run()
    assert "Removed" in html_of(app)
    assert not app.get("download_button")


def test_signing_and_the_report_are_one_click_and_the_signed_report_stays(
    open_page: OpenPage, seeded: seed.Seeded, jobs: HandMovedJobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    case_id = seeded.case.case_id
    app = open_page("cases", case=case_id)
    app.button(key=f"sign_report_{case_id}").click().run()
    assert not app.exception
    (asked,) = jobs.exports.find(case_id)
    assert asked.request == ExportRequest(case_id, "report-full")
    monkeypatch.setattr("detector.report.issue.typeset", lambda *_, **__: b"%PDF a report")
    (report,) = jobs.exports.queue.make_all()
    assert report.signed
    app.run()
    # Both where it was signed and among all exports; nowhere to be removed.
    assert {one.proto.label for one in app.get("download_button")} == {"Download"}
    assert len(app.get("download_button")) == 2
    assert not [one for one in app.button if str(one.key).startswith("remove_")]


def test_names_of_files_are_safe() -> None:
    names = {
        "FW-2026-0001": "FW-2026-0001.csv",
        "../../etc/passwd\n": "etc-passwd.csv",
        "…": "case.csv",
    }
    assert {reference: export_name(ExportRequest("c", "csv"), reference) for reference in names} == names
