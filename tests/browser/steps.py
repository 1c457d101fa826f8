"""Steps that several browser tests take."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Page

ANALYSIS_LIMIT_MS = 600_000


def analyse_sample(page: Page, label: str) -> None:
    """Have a shipped clip analysed from the start page, once. As in `open_result`, a click may go nowhere."""
    from playwright.sync_api import TimeoutError as PlaywrightTimeoutError

    for _ in range(5):
        page.get_by_role("button", name=f"Analyse the {label} clip").click()
        try:
            page.get_by_text(f"astronaut_{label}.mp4").first.wait_for(timeout=20_000)
        except PlaywrightTimeoutError:
            continue
        return
    raise AssertionError("the button of the sample does nothing")


def open_result(page: Page) -> None:
    """Wait for the one analysis to end and follow its link. A click that falls into a redrawing of the page goes
    nowhere; who sees nothing happen clicks again, and so does this."""
    from playwright.sync_api import TimeoutError as PlaywrightTimeoutError

    link = page.get_by_role("link", name="Open in Examine")
    link.wait_for(timeout=ANALYSIS_LIMIT_MS)
    assert link.count() == 1
    for _ in range(5):
        try:
            link.click(timeout=10_000)
            page.wait_for_url(re.compile("/examine"), timeout=20_000)
        except PlaywrightTimeoutError:
            if "/examine" not in page.url:
                continue
        return
    raise AssertionError("the link to the result leads nowhere")
