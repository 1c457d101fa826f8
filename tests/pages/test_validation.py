"""The Validation page: records with their files and events, unfinished ones, and what is started."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from detector.cases.chain import STORE_CHAIN
from detector.errors import EvidenceError
from detector.validation.files import EVENT, FOLDER, Request, read_written, write_whole
from pages.parts.shared import services
from pages.parts.validation import records, running
from pages.validation import suite_path
from tests.pages.conftest import EXAMINER, html_of
from tests.validation.observed import observations, record, scores

# In place of Python: copies what the test prepared into the folder that --out names, or fails as a command does.
SCRIPT = """#!/bin/sh
if [ -d "$PREPARED" ]; then cp "$PREPARED"/* "$6"; else echo "error: settings_invalid: no such suite"; exit 2; fi
"""


def finished(folder: Path) -> Path:
    """A folder with a finished record, a supplied suite in it that ranks the wrong way round in one place."""
    folder.mkdir(parents=True)
    made = record(observations(supplied=scores([0.0] * 12, [1.0] * 12)))
    write_whole(folder / "validation.pdf", b"%PDF-made by hand")
    write_whole(folder / "validation.json", made.as_json())
    return folder


def begun(folder: Path) -> Path:
    folder.mkdir(parents=True)
    asked = Request(
        examiner="B. Other", begun_at=record().begun_at, criteria_sha256="1" * 64, code_sha256="2" * 64, libraries={}
    )
    write_whole(folder / "request.json", asked.model_dump_json().encode())
    return folder


@pytest.fixture
def python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "python"
    path.write_text(SCRIPT)
    path.chmod(0o755)
    monkeypatch.setattr(running.sys, "executable", str(path))


def done(making: running.Making) -> running.Making:
    making.wait(20)
    assert not making.active
    return making


def test_records_are_listed_with_their_event_and_those_that_are_unfinished_can_go_on(
    open_page: Callable[..., AppTest], opened: services.Services
) -> None:
    folder = finished(opened.home / FOLDER / "20261130T090000Z")
    begun(opened.home / FOLDER / "20261130T100000Z")
    page = open_page("validation")
    assert not page.exception
    shown = html_of(page)
    for part in ("Incomplete", "Worse than chance", "source · studio", "A. Tester", "not in the log", "B. Other"):
        assert part in shown, part
    assert read_written(folder).record_sha256 in shown
    assert [button.label for button in page.button if button.label == "Go on"]
    page.button(key="validation_log").click().run()
    (event,) = [one for one in opened.store.events(STORE_CHAIN) if one.action == EVENT]
    assert event.actor == EXAMINER
    assert f"event {event.sequence} of the store" in html_of(page)
    assert not [button.key for button in page.button if button.key == "validation_log"]


def test_what_was_made_is_put_on_record(
    opened: services.Services, python: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREPARED", str(finished(tmp_path / "prepared")))
    folder = opened.home / FOLDER / "20261130T110000Z"
    making = done(running.Making(opened.store, folder, supplied="", examiner="C. Third", language="en"))
    assert making.problem == ""
    (one,) = records.past(opened.store)
    assert one.event is not None
    assert one.event.actor == "C. Third"
    assert one.event.details["record_sha256"] == read_written(folder).record_sha256


def test_what_came_to_nothing_says_why(opened: services.Services, python: None, tmp_path: Path) -> None:
    folder = opened.home / FOLDER / "20261130T120000Z"
    making = done(running.Making(opened.store, folder, supplied="/gone", examiner="", language="en"))
    assert making.problem.startswith("settings_invalid: no such suite")
    assert not [event for event in opened.store.events(STORE_CHAIN) if event.action == EVENT]


def test_one_that_is_stopped_ends_at_once_and_another_does_not_start_meanwhile(
    opened: services.Services, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sleeper = tmp_path / "python"
    sleeper.write_text("#!/bin/sh\nexec sleep 60\n")
    sleeper.chmod(0o755)
    monkeypatch.setattr(running.sys, "executable", str(sleeper))
    folder = opened.home / FOLDER / "a"
    assert running.start(opened.store, folder, supplied="", examiner="", language="en")
    assert not running.start(opened.store, folder.with_name("b"), supplied="", examiner="", language="en")
    making = running.newest()
    assert making is not None
    began = time.monotonic()
    running.stop_all()
    assert not making.active
    assert time.monotonic() - began < 10
    assert "can go on" in making.problem


def test_a_suite_is_read_only_where_this_server_may_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "open").mkdir()
    monkeypatch.setenv("FRAMEWITNESS_EVIDENCE_ROOT", str(tmp_path / "open"))
    assert suite_path(" ") == ""
    assert suite_path(str(tmp_path / "open")) == str(tmp_path / "open")
    with pytest.raises(EvidenceError, match="beneath"):
        suite_path(str(tmp_path))
    with pytest.raises(EvidenceError, match="found nothing"):
        suite_path(str(tmp_path / "open" / "gone"))
