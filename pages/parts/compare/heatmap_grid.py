"""One face of one frame as every model saw it: heatmaps in a grid, and for models without one the reason."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from detector.analysis.agreement import ScoredFaces, side
from detector.analysis.kinds import kind_of
from detector.errors import FramewitnessError
from detector.explain import overlay
from detector.faces import crop_face
from pages.parts.compare.results import Said
from pages.parts.examine import frame_images, frame_view, heatmap_panel
from pages.parts.examine.frame_images import DrawnBox
from pages.parts.shared import markup
from pages.parts.shared.readings import FaceKey, Readings
from pages.parts.shared.wording import SIDES, score_text, track_colour

_TILE_PX, _FRAME_PX = 196, 270


def show(
    readings: Readings, names: Sequence[str], said: Sequence[Said], faces: Sequence[ScoredFaces], here: FaceKey
) -> None:
    """The frame, the face, and one tile a model with a heatmap of it; below, what the others say, and why they have
    none. `readings` are those of the analysis that `here` names a face of."""
    track_id, pts = here
    frame = frame_view.decode(readings, pts)
    if frame is None:
        return
    tracked = readings.faces.get(here)
    drawn = [place for place, one in enumerate(said) if kind_of(one.result).heatmaps and here in faces[place].scores]
    if drawn and tracked is not None:
        _choose_map()
    without: list[tuple[str, str]] = []
    with st.container(horizontal=True, gap="small"):
        with st.container(width=_FRAME_PX, gap="small"):
            boxes = [
                DrawnBox(
                    readings.faces[other, pts].face.bbox_xyxy_px,
                    track_colour(readings.track_index(other)),
                    f"Track {other}",
                    other == track_id,
                )
                for other in readings.tracks_at(pts)
            ]
            st.image(frame_images.with_boxes(frame.image, boxes), width="stretch")
            markup.note("The frame, scaled for display.")
        if tracked is not None:
            with st.container(width=_TILE_PX, gap="small"):
                face = tracked.face
                crop = crop_face(frame.image, face.bbox_xyxy_px, face.landmarks, heatmap_panel.PLAIN_CROP)
                st.image(frame_images.jpeg(crop), width="stretch")
                markup.note("The face, cropped for display.")
        for place, (name, one) in enumerate(zip(names, said, strict=True)):
            reason = _tile(name, one, faces[place], here) if place in drawn else _why_none(one, faces[place], here)
            if reason:
                without.append((name, f"{_reading(faces[place], here)} · {reason}"))
    if drawn and tracked is not None:
        markup.scale("0", "each model's own scale: its strongest in this file, or 1 for a blend map")
    if without:
        markup.heading("Without a heatmap of this face")
        markup.facts(without)


def _choose_map() -> None:
    with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
        st.segmented_control(
            "Map",
            [heatmap_panel.CAM, heatmap_panel.BLEND],
            default=heatmap_panel.CAM,
            required=True,
            key="compare_map",
            persist_state="page",
            label_visibility="collapsed",
            help=f"{heatmap_panel.CAM}: what moved the score. Blend map: where the model itself sees a change; a model "
            f"without one shows its {heatmap_panel.CAM}.",
        )
        st.slider("Opacity, %", 0, 100, 50, step=5, key="compare_opacity", persist_state="page", width=240)
        st.toggle("Also maps that explain no more than chance", key="compare_chance", persist_state="page")


def _tile(name: str, said: Said, faces: ScoredFaces, here: FaceKey) -> str:
    """Draw the model's tile; the reason where that cannot be done."""
    blended = st.session_state.get("compare_map") == heatmap_panel.BLEND
    opacity = float(st.session_state.get("compare_opacity", 50)) / 100
    try:
        with st.spinner("Making the heatmap…", show_time=False):
            heatmap = heatmap_panel.make(said.analysis, said.result, faces.own_track(here), here[1], blended=blended)
            test = heatmap_panel.tested(said.analysis, heatmap)
    except (FramewitnessError, OSError) as error:
        return str(error)
    chance = test is not None and test.no_more_than_chance
    if chance and not st.session_state.get("compare_chance"):
        return (
            "Its map explains no more than chance: without its hottest fifth the score falls no further than without "
            "random ones."
        )
    with st.container(width=_TILE_PX, gap="small"):
        st.image(frame_images.jpeg(overlay(heatmap, opacity)), width="stretch")
        empty = " · no sampled face moved it" if heatmap.scale <= 0 else ""
        remark = " · no more than chance" if chance else " · passes the deletion test" if test and test.faithful else ""
        markup.stated(name, "", f"{_reading(faces, here)} · {heatmap.layer_words}{empty}{remark}")
    return ""


def _reading(faces: ScoredFaces, here: FaceKey) -> str:
    frame = faces.scores.get(here)
    if frame is None:
        return "no score here"
    words = "" if faces.thresholds is None else f" · {SIDES[side(frame.logit, faces.thresholds)].word}"
    return f"score {score_text(frame.score)}{words}"


def _why_none(said: Said, faces: ScoredFaces, here: FaceKey) -> str:
    kind = kind_of(said.result)
    if not kind.heatmaps:
        return f"{kind.title}: it has no layer that maps a single face. Examine shows what it goes by."
    return "It did not score this face."
