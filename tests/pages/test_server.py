"""The server's own: one store for its lifetime, evidence streamed by hash, a configuration that keeps to itself."""

from __future__ import annotations

import gc
import hashlib
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import anyio
import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocket, WebSocketDisconnect

import app as launcher
from detector.cases import CaseStore
from detector.errors import EvidenceError, StoreError
from pages.parts.shared import guard, media, scripts, services
from pages.parts.shared.guard import Guard
from tests.browser import server
from tests.pages.conftest import Browser, HandMovedJobs
from tests.pages.seed import Seeded

ROOT = Path(__file__).resolve().parents[2]


def test_the_lifespan_opens_the_store_once_and_lets_go_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "home"
    monkeypatch.setenv("FRAMEWITNESS_HOME", str(home))
    monkeypatch.setattr(services, "JobService", HandMovedJobs)
    left_alone = gc.get_freeze_count()

    async def serve() -> None:
        async with launcher.lifespan(launcher.app):
            assert gc.get_freeze_count() > left_alone  # no redraw goes through what was imported
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


def test_health_says_whether_the_store_is_open(client: TestClient, opened: services.Services) -> None:
    assert client.get("/healthz").json() == {"status": "ok"}
    services.close_services()
    assert client.get("/healthz").status_code == 503


def test_readiness_says_how_the_readers_of_files_are_limited(
    client: TestClient, opened: services.Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    on_linux = sys.platform == "linux"
    expected = {"status": "ok", "resources_limited": on_linux, "network_refused": on_linux}
    assert client.get("/readyz").json() == expected

    def fails() -> None:
        raise EvidenceError("No child starts.")

    monkeypatch.setattr(launcher, "warm_up", fails)
    assert client.get("/readyz").status_code == 503
    monkeypatch.undo()
    services.close_services()
    assert client.get("/readyz").status_code == 503


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


def test_the_address_of_evidence_lapses_half_an_hour_after_it_was_last_used(
    client: TestClient, browser: Browser, seeded: Seeded
) -> None:
    address = media.address(seeded.exhibit.sha256)
    for _ in range(3):
        browser.now_s += media.LIFETIME_S - 1
        assert client.get(address).status_code == 200
        assert media.address(seeded.exhibit.sha256) == address
    browser.now_s += media.LIFETIME_S + 1
    assert client.get(address).status_code == 404
    assert media.address(seeded.exhibit.sha256) != address


def test_the_address_of_evidence_is_of_use_to_its_own_session_and_browser_alone(
    client: TestClient, browser: Browser, seeded: Seeded
) -> None:
    address = media.address(seeded.exhibit.sha256)
    client.cookies.clear()
    assert client.get(address).status_code == 404
    client.cookies.set(media.BROWSER_COOKIE, "another")
    assert client.get(address).status_code == 404
    client.cookies.clear()
    client.cookies.set(media.BROWSER_COOKIE, browser.cookie)
    assert client.get(address).status_code == 200
    browser.live = False
    assert client.get(address).status_code == 404


def test_evidence_has_no_address_outside_of_a_session() -> None:
    with pytest.raises(RuntimeError, match="from a page"):
        media.address("0" * 64)


def test_every_answer_forbids_frames_guessing_and_foreign_scripts(client: TestClient) -> None:
    for path in ("/healthz", "/nowhere"):
        headers = client.get(path).headers
        policy = dict(part.split(" ", 1) for part in headers["content-security-policy"].split("; "))
        assert policy["default-src"] == policy["frame-ancestors"] == "'none'"
        assert "unsafe" not in policy["script-src"]
        assert policy["script-src"].count("sha256-") >= len(scripts.ALL) + 1  # Streamlit's own page has one
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        assert headers["referrer-policy"] == "same-origin"
        assert "camera=()" in headers["permissions-policy"]


def test_evidence_keeps_its_stricter_policy(client: TestClient, seeded: Seeded) -> None:
    assert client.get(media.address(seeded.exhibit.sha256)).headers["content-security-policy"].startswith("sandbox")


def test_a_browser_gets_its_secret_with_a_page_and_keeps_it(client: TestClient) -> None:
    client.cookies.clear()
    assert "set-cookie" not in client.get("/healthz").headers
    given = client.get("/healthz", headers={"Sec-Fetch-Dest": "document"}).headers["set-cookie"]
    assert given.startswith(f"{media.BROWSER_COOKIE}=")
    assert "HttpOnly" in given
    assert "SameSite=Strict" in given
    assert "set-cookie" not in client.get("/healthz", headers={"Sec-Fetch-Dest": "document"}).headers


@pytest.mark.parametrize("host", ["attacker.example:8501", "localhost.attacker.example", "", "[::1"])
def test_a_foreign_name_for_this_machine_is_not_answered(client: TestClient, host: str) -> None:
    answer = client.get("/healthz", headers={"Host": host})
    assert answer.status_code == 421
    assert "browser.serverAddress" in answer.text


@pytest.mark.parametrize("host", ["localhost:8501", "127.0.0.1:8501", "[::1]:8501", "LOCALHOST"])
def test_this_machines_own_names_are_answered(client: TestClient, opened: services.Services, host: str) -> None:
    assert client.get("/healthz", headers={"Host": host}).status_code == 200


def test_a_server_for_others_goes_by_the_name_that_it_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    options = {"server.address": "0.0.0.0", "browser.serverAddress": "localhost", "server.corsAllowedOrigins": []}
    monkeypatch.setattr(guard.st, "get_option", options.__getitem__)
    assert guard.is_served_host("lab.example")
    options["browser.serverAddress"] = "lab.example"
    assert guard.is_served_host("lab.example:8501")
    assert not guard.is_served_host("attacker.example:8501")
    options["server.corsAllowedOrigins"] = ["https://desk.example"]
    assert guard.is_served_host("desk.example")
    assert guard.is_served_origin("https://desk.example", "localhost:8501")
    assert not guard.is_served_origin("http://desk.example", "localhost:8501")


@pytest.mark.parametrize(
    ("origin", "welcome"),
    [
        ("http://localhost:8501", True),
        ("http://localhost:8502", False),
        ("http://127.0.0.1:8501", False),
        ("http://localhost", False),
        ("http://attacker.example", False),
        ("null", False),
        (None, False),
    ],
)
def test_a_websocket_opens_to_this_servers_own_pages_alone(origin: str | None, welcome: bool) -> None:
    async def stream(socket: WebSocket) -> None:
        await socket.accept()
        await socket.close()

    app = Starlette(routes=[WebSocketRoute("/_stcore/stream", stream)], middleware=[Middleware(Guard)])
    headers = {"Host": "localhost:8501", **({"Origin": origin} if origin else {})}
    client = TestClient(app, base_url="http://localhost:8501")
    if welcome:
        client.websocket_connect("/_stcore/stream", headers=headers).__enter__()
        return
    with pytest.raises(WebSocketDisconnect) as refused, client.websocket_connect("/_stcore/stream", headers=headers):
        pass
    assert refused.value.code == 1008


@pytest.mark.parametrize("base", ["", "lab"])
def test_pictures_are_for_browsers_with_a_page_open(base: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def stream(socket: WebSocket) -> None:
        await socket.accept()
        await socket.receive_text()

    def picture(_: Request) -> PlainTextResponse:
        return PlainTextResponse("a face")

    option = guard.st.get_option
    monkeypatch.setattr(guard.st, "get_option", lambda name: base if name == "server.baseUrlPath" else option(name))
    routes = [Route(f"{base and '/'}{base}/media/{{file_id}}", picture), WebSocketRoute("/_stcore/stream", stream)]
    client = TestClient(Starlette(routes=routes, middleware=[Middleware(Guard)]), base_url="http://localhost:8501")
    page = {"Host": "localhost:8501", "Origin": "http://localhost:8501"}
    ours, other = ({"Cookie": f"{media.BROWSER_COOKIE}={secret}"} for secret in ("ours", "other"))

    def status(headers: dict[str, str]) -> int:
        return client.get(f"{base and '/'}{base}/media/abc.png", headers=headers).status_code

    assert status(ours) == 404
    with client.websocket_connect("/_stcore/stream", headers={**page, **ours}) as first:
        with client.websocket_connect("/_stcore/stream", headers={**page, **ours}) as second:
            assert (status(ours), status(other), status({})) == (200, 404, 404)
            second.send_text("done")
        assert status(ours) == 200
        first.send_text("done")
    assert status(ours) == 404
    with client.websocket_connect("/_stcore/stream", headers=page) as nameless:
        assert status({}) == 404
        nameless.send_text("done")


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
    assert config["server"]["enableCORS"] is config["server"]["enableXsrfProtection"] is True
    assert config["server"]["corsAllowedOrigins"] == []
    assert config["client"]["showErrorDetails"] == "none"
    assert config["server"]["fileWatcherType"] == "none"
    assert {"light", "dark"} <= set(config["theme"])
    assert "http" not in (ROOT / ".streamlit" / "config.toml").read_text()


def test_a_store_that_cannot_be_opened_ends_the_server_with_the_reason_alone(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"no folder")
    command = [sys.executable, "-m", "streamlit", "run", "app.py", "--server.port", str(server.free_port())]
    environment = {**os.environ, "FRAMEWITNESS_HOME": str(tmp_path / "file" / "home")}
    run = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert run.returncode == StoreError.exit_status
    assert "Set FRAMEWITNESS_HOME to a folder you can write" in run.stderr
    assert "Traceback" not in run.stdout + run.stderr
