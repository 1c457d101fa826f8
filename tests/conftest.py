"""Files with slow tests come first, so that processes which take whole files end at about the same time."""

from __future__ import annotations

import atexit
import gc
import sys
from collections.abc import Iterator

import pytest

from detector.settings import HOME_VARIABLE, RUNTIME_VARIABLE


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


def pytest_collection_finish() -> None:
    """Every run of a Streamlit script and every analysis ends with a whole garbage collection, which takes longer than
    many a test while it looks through all that the imported libraries keep. That it need not look through any more."""
    gc.collect()
    gc.freeze()
    atexit.register(gc.unfreeze)


@pytest.fixture(scope="session", autouse=True)
def a_home_of_their_own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A calibration set that whoever runs the tests has put in force changes none of them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(HOME_VARIABLE, str(tmp_path_factory.mktemp("home")))
        yield


@pytest.fixture(scope="session", autouse=True)
def networks_run_by_torch() -> Iterator[None]:
    """Converting each small network that a test makes would take longer than the test; tests of the runtime, and of
    what is told of it, ask for theirs by name."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(RUNTIME_VARIABLE, "torch")
        yield


@pytest.fixture(autouse=True)
def main_module_stays() -> Iterator[None]:
    """Streamlit's AppTest leaves its script as the main module, which processes that a later test starts would run."""
    before = sys.modules["__main__"]
    yield
    sys.modules["__main__"] = before
