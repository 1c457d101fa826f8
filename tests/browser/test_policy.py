"""Every page works under the Content-Security-Policy that the server sends, and nothing opens to a stranger."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest

from detector.cases import CaseStore
from tests.browser import server
from tests.browser.test_whole_path import ARGUMENTS, named
from tests.pages import runs, seed

playwright_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

_PLAYABLE = """video => new Promise(done => {
    video.onloadedmetadata = () => done(video.videoWidth);
    video.onerror = () => done(video.error.message);
    video.preload = "metadata";
    video.load();
})"""

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, seed.Seeded]]:
    folder = tmp_path_factory.mktemp("policy")
    weights = folder / "weights"
    weights.mkdir()
    card = seed.write_model(weights)
    with CaseStore.open(folder / "home") as store:
        seeded = seed.fill(store, seed.write_clip(folder / "drift.mp4"), card)
        store.metadata.add_bookmark(seeded.exhibit.exhibit_id, track_id=None, pts=None, text="", author="A")
    runs.write_run(folder / "runs" / "a-run")
    with server.running(
        folder / "home", FRAMEWITNESS_WEIGHTS=str(weights), FRAMEWITNESS_RUNS=str(folder / "runs")
    ) as address:
        yield address, seeded


@pytest.fixture(scope="module")
def context(served: tuple[str, seed.Seeded]) -> Iterator[playwright_api.BrowserContext]:
    binary = server.chromium()
    if binary is None:
        pytest.skip("no Chromium found: install Debian's chromium or set CHROMIUM to a browser's path")
    with playwright_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=binary, args=ARGUMENTS)
        context = browser.new_context(base_url=served[0], viewport={"width": 1440, "height": 1000})
        context.add_cookies([named("A. Tester", served[0])])
        context.set_default_timeout(40_000)
        yield context
        browser.close()


def _matters(message: playwright_api.ConsoleMessage) -> bool:
    """Streamlit looks for its server below the page's own path first, and the browser remarks that it is not there."""
    return message.type in ("error", "warning") and "/_stcore/" not in message.location["url"]


def test_every_page_is_drawn_without_a_word_in_the_console(
    context: playwright_api.BrowserContext, served: tuple[str, seed.Seeded]
) -> None:
    _, seeded = served
    page = context.new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text) if _matters(message) else None)
    page.on("pageerror", lambda error: said.append(str(error)))
    for address, shown in (
        ("/analyse", "Start analysis"),
        (f"/cases?case={seeded.case.case_id}", "Seeded case"),
        ("/models", "Verify"),
        ("/training", "Transformer, run 1"),
        (f"/examine?record={seeded.record.record_id}", "drift.mp4"),
    ):
        page.goto(address)
        page.get_by_text(shown).first.wait_for()
        for tab in page.get_by_role("tab").all():
            tab.click()
        page.wait_for_timeout(1500)
    video = page.locator(".player video")
    video.wait_for()
    assert video.evaluate(_PLAYABLE) > 0
    assert said == []
    page.close()


def test_a_script_that_is_not_the_programs_own_does_not_run(
    context: playwright_api.BrowserContext, served: tuple[str, seed.Seeded]
) -> None:
    page = context.new_page()
    page.goto("/models")
    page.get_by_text("Verify").first.wait_for()
    page.evaluate(
        "() => { const script = document.createElement('script'); script.textContent = 'window.ran = 1';"
        " document.body.append(script); }"
    )
    assert page.evaluate("() => window.ran === undefined")
    page.close()


def test_the_evidence_opens_in_the_browser_it_was_shown_to_and_in_no_other(
    context: playwright_api.BrowserContext, served: tuple[str, seed.Seeded]
) -> None:
    address, seeded = served
    page = context.new_page()
    page.goto(f"/examine?record={seeded.record.record_id}")
    source = page.locator(".player video").get_attribute("src")
    assert source
    own = context.request.get(source, headers={"Range": "bytes=4-7"})
    assert (own.status, own.body()) == (206, b"ftyp")
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(address + source)
    assert refused.value.code == 404
    page.close()
    blank = context.new_page()
    for _ in range(60):
        if context.request.get(source).status == 404:
            break
        blank.wait_for_timeout(250)
    else:
        raise AssertionError("the address outlives the session it was given to")
    blank.close()


def test_the_programs_own_script_runs_and_keeps_the_examiners_name(
    context: playwright_api.BrowserContext, served: tuple[str, seed.Seeded]
) -> None:
    assert context.browser is not None
    stranger = context.browser.new_context(base_url=served[0])
    page = stranger.new_page()
    page.goto("/models")
    page.get_by_role("button", name="Who is working?").click()
    page.get_by_label("Your name").last.fill("B. Tester")
    page.get_by_role("button", name="Continue").last.click()
    page.wait_for_function("() => document.cookie.includes('framewitness_examiner=B.%20Tester')")
    cookies = {cookie["name"]: cookie for cookie in stranger.cookies()}
    assert cookies["framewitness_browser"]["httpOnly"] is True
    stranger.close()
