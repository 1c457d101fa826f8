"""The jobs that a browser session asked for. The address names the newest of them, for a reload of the page."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

_JOBS = "analyse_jobs"
_PARAM = "jobs"
_IN_ADDRESS = 20


def remember(job_ids: Sequence[str]) -> None:
    """Put jobs at the head of the session's list."""
    st.session_state[_JOBS] = list(dict.fromkeys([*job_ids, *listed()]))


def listed() -> list[str]:
    """The session's jobs, the newest first; in a new session those that the address names."""
    kept: list[str] = st.session_state.get(_JOBS, [])
    return kept or [job_id for job_id in st.query_params.get(_PARAM, "").split(",") if job_id]


def params() -> dict[str, str]:
    """What the address of the queue says of the list; nothing where that is empty."""
    newest = ",".join(listed()[:_IN_ADDRESS])
    return {_PARAM: newest} if newest else {}


def put_in_address() -> None:
    """Have the address of the page being drawn name the list."""
    if st.query_params.get(_PARAM, "") != params().get(_PARAM, ""):
        st.query_params.update(params())
