"""The custody log of a case as a table: who did or opened what, when, and the hash that binds each row to the last."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import streamlit as st

from detector.cases import Case, Event
from detector.cases.chain import PASSIVE_ACTIONS
from detector.evidence.text import revealed
from pages.parts.shared import case_words, markup, services, withholding

_HASH = re.compile(r"[0-9a-f]{32,}")
_ALL, _CHANGES, _LOOKS = "All", "Changes", "Looks and copies"
_ROW_PX, _HEAD_PX, _MOST_ROWS = 31, 34, 16
# Digests, ids and settings: of use to `verify` and the analysis's own page alone; a bundle has them all.
_LEFT_OUT = {"record", "settings", "head", "job_id", "export_id", "record_id", "md5"}
_OF_SCORES = {"label", "score", "verdict"}


def show(case: Case) -> None:
    """The head, then the rows, newest first."""
    store = services.current().store
    events = store.events(case.case_id)
    if not events:
        markup.problem("This case has no log", "Verify it, and compare with a backup.")
        return
    head = store.head(case.case_id)
    markup.facts(
        [
            ("Head of the log", head.event_hash),
            ("Stands for", f"{head.sequence:,} events, the last at {head.at:%Y-%m-%d %H:%M:%S} UTC"),
        ],
        mono=("Head of the log",),
    )
    kind = st.segmented_control(
        "Events", [_ALL, _CHANGES, _LOOKS], default=_ALL, required=True, key=f"log_kind_{case.case_id}"
    )
    shown = [
        event for event in reversed(events) if kind == _ALL or (event.action in PASSIVE_ACTIONS) == (kind == _LOOKS)
    ]
    names = {exhibit.exhibit_id: exhibit.reference for exhibit in store.exhibits(case.case_id)}
    hidden = withholding.withheld_in_log(case)
    st.dataframe(
        rows(shown, names, hidden),
        hide_index=True,
        key=f"log_{case.case_id}",
        height=_HEAD_PX + _ROW_PX * min(_MOST_ROWS, max(1, len(shown))),
        column_config={
            "no.": st.column_config.NumberColumn("no.", width=45),
            "time (UTC)": st.column_config.TextColumn("time (UTC)", width=140),
            "who": st.column_config.TextColumn("who", width=115),
            "event": st.column_config.TextColumn("event", width=150),
            "details": st.column_config.TextColumn("details", width=360),
            "hash": st.column_config.TextColumn("hash", width=130),
        },
    )
    markup.note(
        "Each row's hash covers the row and the hash of the row before, so the head stands for all of it. Compare it "
        "with the head printed in earlier reports."
    )


def rows(events: Sequence[Event], names: Mapping[str, str], hidden: Collection[str]) -> list[dict[str, object]]:
    """A row an event. `names` says what each exhibit is called; of the exhibits in `hidden` no score is told."""
    return [
        {
            "no.": event.sequence,
            "time (UTC)": f"{event.at:%Y-%m-%d %H:%M:%S}",
            "who": revealed(event.actor),
            "event": case_words.event(event.action),
            "details": revealed(_details(event.details, names, hidden)),
            "hash": event.event_hash,
        }
        for event in events
    ]


def _details(details: Mapping[str, Any], names: Mapping[str, str], hidden: Collection[str]) -> str:
    secret = _OF_SCORES if details.get("exhibit_id") in hidden else set()
    parts: list[str] = []
    for name, value in details.items():
        if name in _LEFT_OUT or name in secret or value in (None, "", []):
            continue
        if name == "exhibit_id":
            parts.insert(0, names.get(str(value), str(value)))
        elif isinstance(value, Mapping):
            if {"before", "after"} <= set(value):
                parts.append(f"{_words(name)}: {_value(value['before'])} → {_value(value['after'])}")
        else:
            parts.append(f"{_words(name)}: {_value(value)}")
    return " · ".join(parts)


def _words(name: str) -> str:
    return name.removesuffix("_ids").removesuffix("_id").replace("_", " ")


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, (list, tuple)):
        return ", ".join(str(item) for item in value) or "none"
    if value in (None, ""):
        return "none"
    return _HASH.sub(lambda found: f"{found[0][:12]}…", str(value))
