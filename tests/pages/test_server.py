"""The server's own: one store for its lifetime, evidence streamed by hash, a configuration that keeps to itself."""

from __future__ import annotations

import hashlib
import tomllib
from pathlib import Path

import anyio
import pytest
from starlette.applications import Starlette
from starlette.routing import Route
from starlette.testclient import TestClient

import app as launcher
from detector.cases import CaseStore
from detector.errors import StoreError
from pages.parts.shared import media, services
from tests.pages.conftest import HandMovedJobs
from tests.pages.seed import Seeded

ROOT = Path(__file__).resolve().parents[2]


def test_the_lifespan_opens_the_store_once_and_lets_go_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "home"
    monkeypatch.setenv("FRAMEWITNESS_HOME", str(home))
    monkeypatch.setattr(services, "JobService", HandMovedJobs)

    async def serve() -> None:
        async with launcher.lifespan(launcher.app):
            assert services.current().home == home
            assert services.current().store is services.current().store
            with pytest.raises(RuntimeError, match="already open"):
                services.open_services(home)

    anyio.run(serve)
    assert not services.are_open()
    with pytest.raises(RuntimeError, match=r"streamlit run app\.py"):
        services.current()
    CaseStore.open(home).close()


def test_a_service_that_does_not_start_leaves_the_store_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken(HandMovedJobs):
        def start(self) -> None:
            raise StoreError("the worker cannot be started")

    monkeypatch.setattr(services, "JobService", Broken)
    with pytest.raises(StoreError):
        services.open_services(tmp_path / "home")
    assert not services.are_open()
    CaseStore.open(tmp_path / "home").close()


@pytest.fixture
def client() -> TestClient:
    routes = [Route("/healthz", launcher.health), Route("/evidence/{token}/{sha256}", media.serve)]
    return TestClient(Starlette(routes=routes))


def test_health_says_whether_the_store_is_open(client: TestClient, opened: services.Services) -> None:
    assert client.get("/healthz").json() == {"status": "ok"}
    services.close_services()
    assert client.get("/healthz").status_code == 503


def test_evidence_is_streamed_in_ranges_and_never_as_a_page(client: TestClient, seeded: Seeded) -> None:
    stored = seeded.exhibit.evidence.file
    whole = client.get(media.address(stored.sha256))
    assert whole.content == stored.path.read_bytes()
    assert whole.headers["content-type"] == "video/mp4"
    assert whole.headers["x-content-type-options"] == "nosniff"
    part = client.get(media.address(stored.sha256), headers={"Range": "bytes=100-199"})
    assert part.status_code == 206
    assert part.content == whole.content[100:200]


@pytest.mark.parametrize("sha256", ["0" * 64, "A" * 64, "..", "0" * 63])
def test_nothing_but_stored_evidence_is_served(client: TestClient, seeded: Seeded, sha256: str) -> None:
    assert client.get(media.address(sha256)).status_code == 404


def test_the_right_hash_with_a_wrong_token_is_refused(client: TestClient, seeded: Seeded) -> None:
    sha256 = seeded.exhibit.sha256
    assert client.get(f"/evidence/{'0' * 32}/{sha256}").status_code == 404
    assert client.get(f"/evidence/é/{sha256}").status_code == 404


def test_a_stored_page_posing_as_evidence_is_not_served(client: TestClient, opened: services.Services) -> None:
    body = b"<html><script>alert(1)</script></html>"
    sha256 = hashlib.sha256(body).hexdigest()
    path = opened.store.evidence_dir / sha256[:2] / sha256
    path.parent.mkdir(parents=True)
    path.write_bytes(body)
    assert client.get(media.address(sha256)).status_code == 404


def test_the_configuration_keeps_to_this_machine() -> None:
    config = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text())
    assert config["browser"]["gatherUsageStats"] is False
    assert config["server"]["address"] == "localhost"
    assert config["server"]["headless"] is True
    assert config["client"]["showErrorDetails"] == "none"
    assert config["server"]["fileWatcherType"] == "none"
    assert {"light", "dark"} <= set(config["theme"])
    assert "http" not in (ROOT / ".streamlit" / "config.toml").read_text()
