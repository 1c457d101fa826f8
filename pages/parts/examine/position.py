"""The face that Examine stands at: the address names it, and buttons, charts and rows change it there."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from pages.parts.examine import timeline
from pages.parts.player import component
from pages.parts.shared import address
from pages.parts.shared.readings import FaceKey, Readings


def go(track_id: int, pts: int) -> None:
    """Make the address name this face, and the player go there."""
    component.lead()
    address.go(replace(address.read(), track=track_id, pts=pts))


def current(readings: Readings) -> FaceKey | None:
    """The face that the address names, made whole: a missing or unknown part is filled with the nearest there is."""
    named = address.read()
    first = readings.strongest()
    if first is None:
        return None
    track_id = named.track if named.track is not None and readings.track(named.track) else None
    if track_id is None and named.pts is None:
        return first
    if track_id is None:
        track_id = next(iter(readings.tracks_at(named.pts or 0)), first[0])
    if named.pts is None:
        return max((key for key in readings.faces if key[0] == track_id), key=lambda k: readings.combined_score(k) or 0)
    return track_id, named.pts


def clicked(key: str) -> None:
    """Go to the face that was clicked in the chart of this key; a click that hit none changes nothing."""
    face = timeline.picked(st.session_state.get(key))
    if face is not None:
        go(*face)


def step_to(readings: Readings, track_id: int, pts: int) -> None:
    """Keep to the track where it is present; otherwise go on with a face that is."""
    present = readings.tracks_at(pts)
    go(track_id if not present or track_id in present else present[0], pts)
