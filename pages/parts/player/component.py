"""The player as Streamlit draws it: its files, what it is given at each run, and what it answers.

Given (`data`, small, at each run of the page):
    key, kind ("video" or "still"), size (width and height of a decoded frame in px), duration_s, time_base (numerator
    and denominator of seconds a tick);
    frame, times, readings, video: addresses of `routes` and `media`; readings and video null where there are none;
    why_not: a sentence on why the browser is not asked to play the file;
    here (track, pts): the place that the page shows, and turn, which counts what else led there;
    marks (kind, author, text, track, pts) and annotations (the same, with end_pts and box_xyxy, null where none);
    may_annotate; heat: null where there are no heatmaps, else on, track, pts, png and opacity, or a note on why there
    is none.
What is large comes once from `routes`, keyed on record and session (`payload`).

Answered (triggers, each a run of the fragment that the player is in):
    rested (track, pts): the playhead stands still on a frame of the file; never while it plays;
    annotated (kind "box" or "interval", pts, end_pts, box_xyxy in px of the decoded frame, track): a gesture;
    heat: whether heatmaps are wanted.

The files are served by Streamlit and not sent as text, since text would be run from a `blob:` address, which the
Content-Security-Policy refuses.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, TypeGuard

import streamlit as st
from streamlit.components.v2.get_bidi_component_manager import get_bidi_component_manager
from streamlit.components.v2.manifest_scanner import ComponentConfig, ComponentManifest

from detector.cases import Exhibit
from detector.evidence import Evidence
from detector.faces.types import Box
from pages.parts.shared import address, media

HEAT_KEY = "player_heat"
_PACKAGE, _NAME = "framewitness", "player"
_FOLDER = Path(__file__).parent
_CSS = (_FOLDER / "assets" / "player.css").read_text(encoding="utf-8")
TURN = "player_turn"
_NOT_FOR_BROWSERS = (
    "No browser plays this kind of file. Every frame can be stepped to, decoded by the program itself, without sound."
)


@dataclass(frozen=True, slots=True)
class Shown:
    """A mark on the time axis: `kind` and `author` in words. `end_pts` for an interval, `box_xyxy` for a place in the
    picture, in px of the decoded frame."""

    kind: str
    author: str
    text: str
    pts: int
    track: int | None = None
    end_pts: int | None = None
    box_xyxy: Box | None = None


@dataclass(frozen=True, slots=True)
class Heat:
    """A heatmap of the face of `track` at `pts`: PNG with transparency, of the whole frame, drawn with
    `opacity`; None where there is none,
    for the reason in `note`."""

    track: int
    pts: int
    png: bytes | None
    opacity: float = 0.5
    note: str = ""


def show(
    exhibit: Exhibit,
    *,
    record_id: str | None,
    track: int | None,
    pts: int | None,
    marks: Sequence[Shown] = (),
    annotations: Sequence[Shown] = (),
    may_annotate: bool = False,
    heat: Heat | None = None,
) -> Mapping[str, Any] | None:
    """The player of an exhibit, at the place given; with `record_id` what that record says of it. Where it comes to
    rest, it puts the place in the address. `heat` is None where heatmaps are not to be asked for. Returns what was just
    drawn on it, once, as the browser says it (`annotated` above)."""
    key = f"player_{record_id or exhibit.exhibit_id}"
    evidence = exhibit.evidence
    video, why_not = stream_of(evidence)
    base = f"{media.address(exhibit.sha256)}/{exhibit.exhibit_id}"
    data = {
        "key": key,
        "kind": evidence.kind,
        "size": (evidence.video.width, evidence.video.height),
        "duration_s": evidence.video.duration_s,
        "time_base": evidence.video.time_base.as_integer_ratio(),
        "frame": f"{base}/frame",
        "times": f"{base}/times",
        "readings": f"{base}/readings/{record_id}" if record_id else None,
        "video": video,
        "why_not": why_not,
        "here": {"track": track, "pts": pts},
        "turn": st.session_state.get(TURN, 0),
        "marks": [asdict(mark) for mark in marks],
        "annotations": [asdict(mark) for mark in annotations],
        "may_annotate": may_annotate,
        "heat": None if heat is None else _heat_data(heat),
    }
    answer = _component()(
        key=key,
        data=data,
        on_rested_change=lambda: follow(st.session_state[key]),
        on_annotated_change=lambda: None,
        on_heat_change=lambda: _turn_heat(st.session_state[key]),
    )
    gesture = answer.get("annotated")
    return gesture if isinstance(gesture, Mapping) else None


def heat_wanted() -> bool:
    """Whether the examiner wants heatmaps over the picture."""
    return bool(st.session_state.get(HEAT_KEY))


def lead() -> None:
    """Say that the page leads the player to the place in the address, though it may have stood there before."""
    st.session_state[TURN] = st.session_state.get(TURN, 0) + 1


def place_of(value: object) -> tuple[int | None, int] | None:
    """(track, PTS) of what the browser says of the playhead; None where it is neither."""
    if not isinstance(value, Mapping):
        return None
    track, pts = value.get("track"), value.get("pts")
    if not _is_whole(pts) or not (track is None or _is_whole(track)):
        return None
    return track, pts


def stream_of(evidence: Evidence) -> tuple[str | None, str | None]:
    """(the address for the browser's own player, None), or (None, why there is none)."""
    if evidence.kind != "video":
        return None, None
    path = evidence.file.path
    if not path.is_file():
        return None, "The stored file is gone: verify the case, and obtain the file again."
    if media.media_type(path) is None:
        return None, _NOT_FOR_BROWSERS
    return media.address(evidence.file.sha256), None


def follow(state: Mapping[str, Any]) -> None:
    """Put the place at which the playhead came to rest, if that is what the browser says, in the address."""
    place = place_of(state.get("rested"))
    if place is not None:
        here = address.read()
        track, pts = place
        address.go(replace(here, track=here.track if track is None else track, pts=pts))


def _component() -> Any:
    """The component, made known to the server at hand: once a server, and once a test's."""
    manager, name = get_bidi_component_manager(), f"{_PACKAGE}.{_NAME}"
    if manager.get_component_asset_root(name) is None:
        manifest = ComponentManifest(_PACKAGE, "1", [ComponentConfig(_NAME, "assets")])
        manager.register_from_manifest(manifest, _FOLDER)
    return st.components.v2.component(name, js="player.js", css=_CSS)


def _turn_heat(state: Mapping[str, Any]) -> None:
    st.session_state[HEAT_KEY] = bool(state.get("heat"))


def _heat_data(heat: Heat) -> dict[str, Any]:
    png = None if heat.png is None else f"data:image/png;base64,{base64.b64encode(heat.png).decode()}"
    return {
        "on": heat_wanted(),
        "track": heat.track,
        "pts": heat.pts,
        "png": png,
        "opacity": heat.opacity,
        "note": heat.note,
    }


def _is_whole(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)
