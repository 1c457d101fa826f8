"""A page module run by itself must show nothing: only the router gives it a frame, a store and an address."""

from __future__ import annotations

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

PAGES = Path(__file__).resolve().parents[2] / "pages"
MODULES = sorted(path for path in PAGES.rglob("*.py") if path.name != "router.py")


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PAGES)))
def test_a_page_module_run_bare_shows_nothing(path: Path) -> None:
    app = AppTest.from_file(path, default_timeout=180).run()
    assert not app.exception
    assert len(app.main) == 0
    assert len(app.sidebar) == 0


def test_the_router_imported_under_another_name_draws_nothing() -> None:
    # A spawned worker imports the parent's main module as __mp_main__.
    import runpy

    runpy.run_path(str(PAGES / "router.py"), run_name="__mp_main__")
