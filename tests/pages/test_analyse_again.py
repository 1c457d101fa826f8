from __future__ import annotations

from collections.abc import Callable

import pytest
from streamlit.testing.v1 import AppTest

from detector.cases import JobRequest
from detector.settings import AnalysisSettings
from pages import router
from pages.parts.analyse import again
from pages.parts.shared import services
from tests.pages.conftest import EXAMINER, HandMovedJobs, html_of
from tests.pages.seed import Seeded

OpenPage = Callable[..., AppTest]


@pytest.fixture
def offered(open_page: OpenPage, seeded: Seeded, monkeypatch: pytest.MonkeyPatch) -> AppTest:
    """A page that offers nothing but this."""
    entry = router._PAGES["compare"]._replace(render=lambda: again.offer(seeded.exhibit, EXAMINER))
    monkeypatch.setitem(router._PAGES, "compare", entry)
    app = open_page("compare")
    assert not app.exception
    return app


def _redraw_open(app: AppTest, key: str) -> None:
    app.session_state[key] = True  # a browser says so with every run; AppTest does not
    app.run()


def test_a_stored_exhibit_is_analysed_again_without_an_upload(
    offered: AppTest, jobs: HandMovedJobs, seeded: Seeded
) -> None:
    key = f"again_{seeded.exhibit.exhibit_id}"
    assert not offered.number_input  # nothing is worked out before the popover is opened
    _redraw_open(offered, key)
    offered.number_input(key=f"{key}_fps").set_value(2.0)
    _redraw_open(offered, key)
    offered.button(key=f"{key}_start").click()
    _redraw_open(offered, key)
    assert not offered.exception
    (asked,) = jobs.requests.values()
    assert asked == JobRequest(seeded.exhibit.exhibit_id, ("tiny",), AnalysisSettings(frames_per_second=2.0))
    assert jobs.authors == [EXAMINER]
    assert seeded.exhibit.file_name in html_of(offered)  # in the queue, where it leads
    assert offered.button(key=f"cancel_{next(iter(jobs.requests))}")


def test_an_archived_case_gets_no_more_analyses(offered: AppTest, seeded: Seeded) -> None:
    def offers() -> list[str]:
        labels = [element.proto.popover.label for element in offered.run().get("popover")]
        return [label for label in labels if "again" in label]

    assert offers() == ["Analyse again with …"]
    services.current().store.metadata.archive(seeded.case.case_id, "closed for good")
    assert offers() == []
