"""A fresh home for each test, a real store in it, and jobs that the test moves by hand."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import Route
from starlette.testclient import TestClient
from streamlit.components.v2 import manifest_scanner
from streamlit.testing.v1 import AppTest

from detector.cases import CaseStore, Export, Job, JobRequest
from detector.errors import StoreError
from detector.jobs import ExportService, spool
from detector.jobs.export_maker import ExportMaker
from detector.jobs.work import ExportWork
from detector.registry import ModelCard, find_card
from pages.parts.player import routes as player_routes
from pages.parts.shared import media, services
from pages.parts.shared.guard import Guard
from tests.pages import family, seed

EXAMINER = "A. Tester"


class HandMovedExports:
    """Stands in for the worker that makes exports: `make_all` makes those that wait, here and now."""

    def __init__(self, store: CaseStore) -> None:
        self.store = store

    def wake(self) -> None: ...

    def cancel(self, job_id: str) -> None:
        self.store.exports.cancel(job_id)

    def live(self, export: Export) -> Export:
        return export

    def make_all(self) -> list[Export]:
        """Make what waits, by the code of the worker; what comes of each, in the order of asking."""
        work, made = ExportWork(self.store), []
        while (export := work.claim()) is not None:
            try:
                with spool.whole_folder(self.store.layout.spool, export.job_id) as folder:
                    ExportMaker()(work.task(export), folder, lambda _: None, lambda: False)
                work.import_result(export)
            except StoreError as error:
                work.fail(export, error.code, str(error))
            spool.discard(self.store.layout.spool, export.job_id)
            made.append(self.store.exports.get(export.job_id))
        return made


class HandMovedJobs:
    """Stands in for the job service: keeps what was asked for; `change` plays the worker."""

    def __init__(self, store: CaseStore) -> None:
        self.store = store
        self.requests: dict[str, JobRequest] = {}
        self.authors: list[str] = []
        self.table: dict[str, Job] = {}
        self.exports = ExportService(store, HandMovedExports(store))  # type: ignore[arg-type]

    def start(self) -> None: ...

    def stop(self) -> None: ...

    def submit(self, request: JobRequest, *, author: str = "") -> str:
        job_id = f"j{len(self.table):09d}"
        self.requests[job_id] = request
        self.authors.append(author)
        self.table[job_id] = Job(
            job_id=job_id,
            case_id=self.store.exhibit(request.exhibit_id).case_id,
            exhibit_id=request.exhibit_id,
            model_ids=request.model_ids,
            settings=request.settings,
            state="queued",
            created_at=datetime.now(UTC),
        )
        return job_id

    def change(self, job_id: str, **values: object) -> None:
        self.table[job_id] = replace(self.table[job_id], **values)  # type: ignore[arg-type]

    def cancel(self, job_id: str) -> None:
        self.change(job_id, state="cancelled")

    def again(self, job_id: str, *, author: str = "") -> str:
        job = self.table[job_id]
        return self.submit(JobRequest(job.exhibit_id, job.model_ids, job.settings), author=author)

    def pause(self, job_ids: list[str], *, author: str = "") -> None:
        for job_id in job_ids:
            self.change(job_id, state="paused")

    def resume(self, job_ids: list[str], *, author: str = "") -> None:
        for job_id in job_ids:
            self.change(job_id, state="queued")

    def recent(self, limit: int) -> list[Job]:
        return list(self.table.values())[::-1][:limit]

    def job(self, job_id: str) -> Job:
        if job_id not in self.table:
            raise StoreError(f"There is no job {job_id!r}.")
        return self.table[job_id]

    def jobs(self, active_only: bool = False) -> list[Job]:
        return [job for job in self.table.values() if job.active or not active_only]


@pytest.fixture(scope="session", autouse=True)
def installed_components() -> Iterator[None]:
    """A server looks through every installed package for components once, at its start; AppTest would for each page."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(manifest_scanner, "scan_component_manifests", cache(manifest_scanner.scan_component_manifests))
        yield


@pytest.fixture(scope="session")
def weights_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("weights")


@pytest.fixture(scope="session")
def card(weights_folder: Path) -> ModelCard:
    return seed.write_model(weights_folder)


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return seed.write_clip(tmp_path_factory.mktemp("clip") / "drift.mp4")


@pytest.fixture
def opened(
    tmp_path: Path, card: ModelCard, weights_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[services.Services]:
    monkeypatch.setenv("FRAMEWITNESS_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("FRAMEWITNESS_WEIGHTS", str(weights_folder))
    monkeypatch.setattr(services, "JobService", HandMovedJobs)
    yield services.open_services(tmp_path / "home")
    services.close_services()


@pytest.fixture(scope="session")
def family_folder(tmp_path_factory: pytest.TempPathFactory, weights_folder: Path, card: ModelCard) -> Path:
    """A weights folder with one untrained model of each kind."""
    folder = tmp_path_factory.mktemp("family") / "weights"
    shutil.copytree(weights_folder, folder)
    family.write_models(folder, card)
    return folder


@pytest.fixture
def cards(tmp_path: Path, family_folder: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, ModelCard]:
    """Those models, in a folder that the test may damage and that the pages read."""
    folder = tmp_path / "weights"
    shutil.copytree(family_folder, folder)
    monkeypatch.setenv("FRAMEWITNESS_WEIGHTS", str(folder))
    return {name: find_card(model_id) for name, model_id in family.IDS.items()}


@pytest.fixture
def jobs(opened: services.Services) -> HandMovedJobs:
    assert isinstance(opened.jobs, HandMovedJobs)
    return opened.jobs


@pytest.fixture
def seeded(opened: services.Services, clip: Path, card: ModelCard) -> seed.Seeded:
    return seed.fill(opened.store, clip, card)


class Browser:
    """What a page and the route know of one browser: its session, its cookie, the time."""

    def __init__(self) -> None:
        self.session_id, self.cookie, self.now_s = "a session", "a browser's secret", 1000.0
        self.live, self.who = True, EXAMINER


@pytest.fixture
def browser(monkeypatch: pytest.MonkeyPatch) -> Browser:
    browser = Browser()
    monkeypatch.setattr(media, "get_script_run_ctx", lambda: browser)
    monkeypatch.setattr(media, "_browser", lambda: browser.cookie)
    monkeypatch.setattr(media.actor, "name", lambda: browser.who)
    monkeypatch.setattr(media, "_is_live", lambda session_id: browser.live and session_id == browser.session_id)
    monkeypatch.setattr(media.time, "monotonic", lambda: browser.now_s)
    monkeypatch.setattr(media, "_grants", {})
    return browser


@pytest.fixture
def client(browser: Browser) -> TestClient:
    """That browser, and the server's own routes behind its guard."""
    import app as launcher

    checks = [Route("/healthz", launcher.health), Route("/readyz", launcher.readiness)]
    served = Starlette(routes=[*checks, *player_routes.ROUTES], middleware=[Middleware(Guard)])
    return TestClient(served, base_url="http://localhost:8501", cookies={media.BROWSER_COOKIE: browser.cookie})


@pytest.fixture
def open_page(opened: services.Services) -> Callable[..., AppTest]:
    """Open one page as a browser would, with its address's parameters, under a name chosen before unless told not;
    Examine at one of its tabs."""

    def open_(page: str, *, who: str = EXAMINER, tab: str = "", **params: object) -> AppTest:
        def script(first: str) -> None:
            from pages.router import main

            main(first)  # type: ignore[arg-type]

        app = AppTest.from_function(script, kwargs={"first": page}, default_timeout=180)
        if who:
            app.session_state["actor"] = who
        if tab:
            app.session_state["examine_tab"] = tab
        for name, value in params.items():
            app.query_params[name] = str(value)
        return app.run()

    return open_


def html_of(app: AppTest) -> str:
    """All HTML that the page shows, styles and the pages' own scripts left out."""
    shown = [element.proto for element in app.get("html") if not element.proto.unsafe_allow_javascript]
    return "\n".join(element.body for element in shown if "<style>" not in element.body)


def player_of(app: AppTest) -> dict[str, Any]:
    """What the page gives the one player that it shows."""
    (player,) = app.get("bidi_component")
    return json.loads(player.proto.json or player.proto.mixed.json)
