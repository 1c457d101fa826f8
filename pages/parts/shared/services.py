"""The case store, the job service and the explainer that every page of this server shares.

`app.py`'s lifespan opens and closes them; pages ask for `current()`. Nothing that belongs to one browser session lives
here: that is in `st.session_state` and in the address.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st

from detector.cases import CaseStore
from detector.errors import StoreError
from detector.jobs import JobService
from pages.parts.validation import running

if TYPE_CHECKING:
    from detector.analysis.types import Analysis
    from detector.explain import Explainer
    from detector.registry import LoadedModel


@dataclass(frozen=True, slots=True)
class Services:
    """The store and the jobs that all sessions share."""

    home: Path
    store: CaseStore
    jobs: JobService


_lock = threading.Lock()
_current: Services | None = None


def open_services(home: Path) -> Services:
    """Open the store under `home` and start the worker. Raises StoreError where the store cannot be opened."""
    global _current
    with _lock:
        if _current is not None:
            raise RuntimeError("The services are already open in this process.")
        store = CaseStore.open(home)
        jobs = JobService(store)
        try:
            jobs.start()
        except BaseException:
            store.close()
            raise
        _current = Services(home=home, store=store, jobs=jobs)
        return _current


def close_services() -> None:
    """Stop the worker, then close the store. Safe to call when nothing is open."""
    global _current
    with _lock:
        if _current is None:
            return
        closing, _current = _current, None
        try:
            running.stop_all()
            closing.jobs.stop()
        finally:
            closing.store.close()


def are_open() -> bool:
    """Whether the services are open."""
    return _current is not None


def current() -> Services:
    """The open services. Raises RuntimeError where a page is run without the server that owns them."""
    if _current is None:
        raise RuntimeError("No case store is open: start the app with `streamlit run app.py`.")
    return _current


@st.cache_resource(show_spinner=False, max_entries=8)
def analysis(home: str, record_id: str) -> Analysis:
    """A saved analysis. Records never change, so each is read from the store once. Raises StoreError if it is gone."""
    return current().store.analysis(record_id)


def differences(record_id: str) -> tuple[str, ...]:
    """Reasons why an analysis need not agree with the one before it of its exhibit; none for the first, and where
    either cannot be read: opening it says why."""
    try:
        return _differences(str(current().home), record_id)
    except StoreError:
        return ()


@st.cache_data(show_spinner=False, max_entries=500)
def _differences(home: str, record_id: str) -> tuple[str, ...]:
    return current().store.differences(record_id) or ()


@st.cache_resource(show_spinner=False)
def explainer(home: str) -> Explainer:
    """The explainer of a store, which keeps heatmaps on disk; one a process."""
    from detector.explain import Explainer  # torch takes seconds to import; only heatmaps need it

    return Explainer(Path(home) / "heatmaps")


@st.cache_resource(show_spinner=False, max_entries=4)
def model(model_id: str, weights_sha256: str) -> LoadedModel:
    """A loaded model, for heatmaps. `weights_sha256` keeps an analysis from being explained with other weights.

    Raises ModelNotFoundError, or WeightsRefusedError where the weights at hand are not the ones asked for.
    """
    from detector.errors import WeightsRefusedError
    from detector.registry import load_model

    loaded = load_model(model_id, runtime="torch")  # heatmaps need gradients, and a page waits for no conversion
    if loaded.card.weights_sha256 != weights_sha256:
        raise WeightsRefusedError(
            f"This analysis was made with weights {weights_sha256[:12]}… of {model_id}; the weights now installed are "
            f"{loaded.card.weights_sha256[:12]}…. Run the analysis again to see heatmaps."
        )
    return loaded
