"""Views, with who was shown what, put into the custody log: once in a while, not at every redraw of a page."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

import streamlit as st

from detector.cases.statement_repository import VIEW_REPEAT
from pages.parts.shared import services

_KEY = "looks"


def record(
    who: str, case_id: str, *, exhibit_id: str | None = None, record_id: str | None = None, scores: bool = False
) -> None:
    """Say that `who` is shown a case, an exhibit of it or, with `scores`, what models said. Raises StoreError."""
    recent: dict[tuple[object, ...], datetime] = st.session_state.setdefault(_KEY, {})
    seen, now = (who, case_id, exhibit_id, record_id, scores), datetime.now(UTC)
    if seen in recent and now - recent[seen] < VIEW_REPEAT:
        return
    services.current().store.statements.record_view(
        case_id, exhibit_id=exhibit_id, record_id=record_id, scores=scores, author=who
    )
    recent[seen] = now


def record_list(who: str, exhibits: Mapping[str, str]) -> None:
    """Say that a list tells `who` what models said of exhibits, each (exhibit id -> case id). Raises StoreError."""
    recent: dict[tuple[object, ...], datetime] = st.session_state.setdefault(_KEY, {})
    now = datetime.now(UTC)
    seen = {exhibit: (who, case, exhibit, None, True) for exhibit, case in exhibits.items()}
    new = [one for one, key in seen.items() if key not in recent or now - recent[key] >= VIEW_REPEAT]
    services.current().store.statements.record_scores_shown(new, author=who)
    recent.update({seen[one]: now for one in new})
