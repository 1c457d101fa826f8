"""Steps that several browser tests take."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Page

ANALYSIS_LIMIT_MS = 600_000


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
