"""An examiner's way in a real browser: a name, a blind-first case, an opinion, the scores, a bookmark, a check."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tests.browser import server
from tests.browser.steps import ANALYSIS_LIMIT_MS, open_result
from tests.browser.test_whole_path import ARGUMENTS, SAMPLE

playwright_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[playwright_api.Page]:
    binary = server.chromium()
    if binary is None:
        pytest.skip("no Chromium found: install Debian's chromium or set CHROMIUM to a browser's path")
    home = tmp_path_factory.mktemp("blind") / "home"
    weights = server.small_models(home.parent / "weights")
    with server.running(home, FRAMEWITNESS_WEIGHTS=weights) as address, playwright_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=binary, args=ARGUMENTS)
        context = browser.new_context(base_url=address, viewport={"width": 1440, "height": 1000})
        page = context.new_page()
        page.set_default_timeout(90_000)
        yield page
        browser.close()


def test_an_opinion_then_the_scores_a_bookmark_and_a_verification(page: playwright_api.Page) -> None:
    received: list[str] = []
    page.on(
        "websocket",
        lambda socket: socket.on(
            "framereceived",
            lambda frame: received.append(frame if isinstance(frame, str) else frame.decode("utf-8", "replace")),
        ),
    )
    # Asked once for a name; the page by its own address, not the bare one.
    page.goto("/analyse")
    page.get_by_label("Your name").first.fill("Ada Byron")
    page.get_by_role("button", name="Continue").first.click()
    page.get_by_text("Who is working here?").wait_for(state="detached")
    assert not page.get_by_text("Page not found").count()
    page.get_by_text("Blind first: an opinion before scores").click()
    page.locator('input[type="file"]').set_input_files(SAMPLE)
    page.get_by_text(re.compile(r"astro.*\.mp4")).first.wait_for()
    start = page.get_by_role("button", name="Start analysis")
    page.wait_for_function("button => !button.disabled", arg=start.element_handle())
    start.click()
    page.get_by_role("link", name="Open in Examine").wait_for(timeout=ANALYSIS_LIMIT_MS)
    received.clear()
    open_result(page)

    # Held back: the frames can be looked at, nothing of the result has reached the browser.
    page.get_by_text("Scores held back until you record your opinion").wait_for()
    page.get_by_text(re.compile(r"Frame 1 of \d+")).wait_for()
    assert not page.locator(".js-plotly-plot").count()
    sent = "".join(received)
    assert "held back" in sent
    for word in ("logit", "Likely manipulated", "likely_manipulated", "Inconclusive", "Grad-CAM", "Conclusion"):
        assert word not in sent

    page.get_by_text("Cannot tell", exact=True).first.click()
    page.get_by_label("What I see that speaks for it").fill("A seam along the jaw.")
    page.evaluate("document.querySelector('.stMain').scrollTo({top: 200})")
    page.get_by_role("button", name="Record as the opinion of Ada Byron").click()
    page.get_by_label("Conclusion").filter(has_text="does not prove").wait_for()
    page.locator(".player .gutter .track").first.wait_for()
    # The verdict, at the top, is in view: what stood at the foot of the page before has not carried it along.
    page.locator(".st-key-plain_bookmark_frame").wait_for(state="detached")
    assert page.evaluate("document.querySelector('.stMain').scrollTop") < 200

    # A bookmark by its key, on the timeline and in the list; the name outlives a reload.
    page.get_by_text(re.compile("Grad-CAM of|explains no more than chance")).first.wait_for(timeout=ANALYSIS_LIMIT_MS)
    # The key belongs to the button of the view before for as long as that one is there.
    page.locator(".st-key-plain_bookmark_frame").wait_for(state="detached")
    page.keyboard.press("b")
    page.get_by_role("button", name="Bookmarked").wait_for()
    page.reload()
    page.get_by_role("button", name="Bookmark").first.wait_for()
    page.locator(".player .gutter").get_by_text("Marks").wait_for()
    page.get_by_role("tab", name="Opinions").click()
    page.get_by_text("blind: the log shows no scores of this file to the author before").wait_for()

    page.get_by_role("link", name="Case").filter(has_not_text="Cases").click()
    page.get_by_role("tab", name="Custody log").wait_for()
    page.get_by_role("button", name="verified_user Verify").or_(
        page.get_by_role("button", name="Verify", exact=True)
    ).first.click()
    page.get_by_text("Verified: everything agreed").wait_for()
