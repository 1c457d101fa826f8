"""Taking a case or an analysis away from a page: what is offered, what it holds, and that the log names who took it."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import av
import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from detector.cases.export_forms import CASE_FORMS, RECORD_FORMS, Form
from detector.registry import ModelCard
from detector.replay import open_bundle
from pages.parts.cases import exchange, video_making
from pages.parts.shared import services
from tests.pages import seed
from tests.pages.conftest import EXAMINER, html_of

Makers = dict[str, Callable[[], bytes]]
OpenPage = Callable[..., AppTest]
NAME = "=cmd|'/C calc'!A0 <img src=x onerror=alert(1)>\u202e.mp4"


@pytest.fixture
def makers(monkeypatch: pytest.MonkeyPatch) -> Makers:
    """The exports behind each button of the page, by its form and file name."""
    found: Makers = {}

    def keep(form: Form, make: Callable[[], bytes], name: str, key: str) -> None:
        found[f"{form.key} {name}"] = make

    monkeypatch.setattr(exchange, "_button", keep)
    return found


@pytest.fixture
def hostile(opened: services.Services, clip: Path, card: ModelCard) -> seed.Seeded:
    seeded = seed.fill(opened.store, clip, card, file_name=NAME)
    opened.store.update_case(seeded.case.case_id, title=NAME, reference="../../=1+1")
    opened.store.add_note(seeded.case.case_id, f"note {NAME}")
    return seeded


def open_examine(open_page: OpenPage, seeded: seed.Seeded) -> AppTest:
    app = open_page("examine", exhibit=seeded.exhibit.exhibit_id, record=seeded.record.record_id)
    assert not app.exception
    return app


def test_every_form_of_an_analysis_is_made_and_logged(
    open_page: OpenPage, hostile: seed.Seeded, makers: Makers, opened: services.Services
) -> None:
    open_examine(open_page, hostile)
    assert {name.split()[0] for name in makers} == {form.key for form in RECORD_FORMS}
    made = {name.split()[0]: (name.split()[1], make()) for name, make in makers.items()}
    for name, _ in made.values():  # a name that no file system and no shell minds
        assert name.startswith("1-1-r")
    assert b"=cmd" in made["csv"][1]
    assert b",=cmd" not in made["csv"][1]
    assert made["parquet"][1].startswith(b"PAR1")
    with Image.open(io.BytesIO(made["contact-sheet"][1])) as sheet:
        assert "DERIVED" in sheet.info["Title"]
    for key, members in (("replay", 4), ("replay-with-input", 5)):
        with zipfile.ZipFile(io.BytesIO(made[key][1])) as bundle:
            assert len(bundle.namelist()) == members
            assert not any("cmd" in name for name in bundle.namelist())
    told = [event for event in opened.store.events(hostile.case.case_id) if event.action == "case_exported"]
    assert {event.details["form"] for event in told} == {form.key for form in RECORD_FORMS}
    assert {event.actor for event in told} == {EXAMINER}
    assert {event.details["record_id"] for event in told} == {hostile.record.record_id}
    assert opened.store.verify(hostile.case.case_id).ok


def test_every_form_of_a_case_is_made_and_logged(
    open_page: OpenPage, hostile: seed.Seeded, makers: Makers, opened: services.Services, tmp_path: Path
) -> None:
    app = open_page("cases", case=hostile.case.case_id)
    assert not app.exception
    made = {name.split()[0]: make() for name, make in makers.items()}
    assert set(made) == {form.key for form in CASE_FORMS}
    assert b"<img src=x" not in made["html"]
    assert b"&lt;img src=x onerror=alert(1)&gt;" in made["html"].replace(b"<wbr>", b"")
    graph = json.loads(made["case-uco"])["@graph"]
    assert any(NAME in str(node.get("uco-core:name")) for node in graph)
    assert b",=cmd" not in made["csv"]
    told = [event for event in opened.store.events(hostile.case.case_id) if event.action == "case_exported"]
    assert len(told) == len(CASE_FORMS)


def test_a_replay_bundle_from_the_page_is_whole(
    open_page: OpenPage, seeded: seed.Seeded, makers: Makers, tmp_path: Path
) -> None:
    open_examine(open_page, seeded)
    make = next(make for name, make in makers.items() if name.startswith("replay-with-input"))
    (tmp_path / "b.zip").write_bytes(make())
    assert open_bundle(tmp_path / "b.zip").sha256 == seeded.exhibit.sha256


def test_scores_that_wait_for_an_opinion_are_handed_out_in_no_form(
    open_page: OpenPage, seeded: seed.Seeded, makers: Makers, opened: services.Services
) -> None:
    opened.store.metadata.set_blind_first(seeded.case.case_id, True)
    open_page("examine", exhibit=seeded.exhibit.exhibit_id, record=seeded.record.record_id)
    assert makers == {}
    open_page("cases", case=seeded.case.case_id)
    made = {name.split()[0]: make() for name, make in makers.items()}
    assert made["csv"].count(b"\r\n") == 1
    score = f"{seeded.analysis.conclusion.score:.3f}".encode()
    assert score not in made["html"]
    assert repr(seeded.analysis.conclusion.score).encode() not in made["case-uco"]


@pytest.fixture
def finished() -> Iterator[None]:
    yield
    video_making.stop_all()


def test_an_annotated_video_is_made_once_and_kept(
    open_page: OpenPage, seeded: seed.Seeded, makers: Makers, opened: services.Services, finished: None
) -> None:
    app = open_examine(open_page, seeded)
    record_id = seeded.record.record_id
    app.button(f"video_make_{record_id}").click().run()
    making = video_making.find(opened.store, record_id, heatmap=False)
    assert making is not None
    making.wait(120)
    assert making.problem == ""
    app.run()
    make = next(make for name, make in makers.items() if name.startswith("annotated-video"))
    content = make()
    with av.open(io.BytesIO(content)) as container:
        assert seeded.exhibit.sha256 in container.metadata["comment"]
    event = opened.store.events(seeded.case.case_id)[-1]
    assert (event.details["form"], event.actor) == ("annotated-video", EXAMINER)
    assert "All 24 frames" in html_of(app)
    assert [path.suffix for path in (opened.home / "derived").iterdir()] == [".mp4"]


def test_a_video_that_cannot_be_made_says_why(
    open_page: OpenPage, seeded: seed.Seeded, opened: services.Services, finished: None
) -> None:
    path = seeded.exhibit.evidence.file.path
    path.chmod(0o600)
    path.write_bytes(b"changed")
    video_making.start(opened.store, seeded.record.record_id, heatmap=True)
    making = video_making.find(opened.store, seeded.record.record_id, heatmap=True)
    assert making is not None
    making.wait(120)
    assert "was changed" in making.problem
    assert not video_making.kept_path(opened.store, seeded.record.record_id, heatmap=True).exists()
