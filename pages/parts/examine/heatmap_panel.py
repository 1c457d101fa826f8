"""Heatmaps over a face: the places a model looked at (a class activation map), or those it says were changed (its
blend map).

All class activation maps of a video share one scale, so a weak frame looks weak; a blend map is a probability.
Cividis, because it reads the same in grey and with colour-vision deficiency.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from detector.analysis.kinds import heatmap_models
from detector.analysis.types import Analysis, ModelResult
from detector.errors import FramewitnessError
from detector.evidence import Frame
from detector.explain import CAM_METHOD, Heatmap, heat_layer, overlay
from detector.faces.types import CropSpec
from pages.parts.examine import frame_images
from pages.parts.shared import markup, services
from pages.parts.shared.readings import Readings

if TYPE_CHECKING:
    from detector.explain import HeatTest

CAM, BLEND = CAM_METHOD, "Blend map"
_BLEND_LAYER = "blend map"
PLAIN_CROP = CropSpec(size_px=256, margin=0.2)


def show(readings: Readings, frame: Frame, track_id: int, *, crop: Callable[[CropSpec], NDArray[np.uint8]]) -> None:
    """Crop and heatmap side by side. Where no heatmap can be made the crop still shows, with the reason; a map that
    explains no more than chance is folded away under a line that says so."""
    heatmap = _heatmap(readings, frame, track_id)
    test = None if heatmap is None else tested(readings.analysis, heatmap)
    plain, heat = st.columns(2, gap="small")
    with plain:
        image = crop(PLAIN_CROP) if heatmap is None else heatmap.crop
        st.image(frame_images.jpeg(image), width="stretch")
        markup.note("Face as the model received it." if heatmap else "Face, cropped for display.")
    if heatmap is None:
        return
    name = next(model.name for model in readings.analysis.models if model.model_id == heatmap.model_id)
    chance = test is not None and test.no_more_than_chance
    with heat:
        if chance:
            markup.empty("casino", "This map explains no more than chance", "It is folded away below.")
        else:
            _draw(heatmap, name)
    if heatmap.layer != _BLEND_LAYER and heatmap.raw.any():
        markup.note(_outcome(test))
    if chance:
        with st.expander("The map that explains no more than chance"):
            _draw(heatmap, name)
            _choose_opacity()
            _read(heatmap)
        return
    _choose_opacity()
    _read(heatmap)


def layer(readings: Readings, frame: Frame, track_id: int) -> bytes | None:
    """PNG with transparency to lay over the frame: the heatmap of the chosen face; None where there is none, or one
    that explains no more than chance."""
    heatmap = _heatmap(readings, frame, track_id, quiet=True) if (track_id, frame.pts) in readings.faces else None
    test = None if heatmap is None else tested(readings.analysis, heatmap)
    if heatmap is None or (test is not None and test.no_more_than_chance):
        return None
    height_px, width_px = frame.image.shape[:2]
    return frame_images.png(heat_layer(heatmap, width_px, height_px))


def opacity() -> float:
    """How much of the map shows over the face, 0 to 1, as chosen."""
    return float(st.session_state.get("heatmap_opacity", 50)) / 100


def _choose_opacity() -> None:
    st.slider(
        "Heatmap opacity, %",
        0,
        100,
        50,
        step=5,
        key="heatmap_opacity",
        persist_state="page",
        help="0 shows the face alone, 100 the map alone.",
    )


def _draw(heatmap: Heatmap, name: str) -> None:
    """The map over its crop, with the method, the model and the layer."""
    st.image(frame_images.jpeg(overlay(heatmap, opacity())), width="stretch")
    blended = heatmap.layer == _BLEND_LAYER
    what = BLEND if blended else heatmap.method
    markup.note(f"{what} of {name}{'' if blended else f', {heatmap.layer_words}'}.")


def _read(heatmap: Heatmap) -> None:
    """Its scale, and what it can mean."""
    if heatmap.layer == _BLEND_LAYER:
        markup.scale("0", "1, probability of having been changed at that place")
        markup.note(
            "It shows where the model sees blending or repainting. It was trained on known masks; it can be wrong."
        )
        return
    if heatmap.scale > 0:
        markup.scale("0", f"{heatmap.scale:.3g}, strongest in this file")
        if not heatmap.raw.any():
            markup.note("Nothing in this face moved the model towards “manipulated”, so the map is empty.")
    else:
        markup.note("No face sampled in this file moved the model towards “manipulated”, so the map is empty.")
    markup.note("It shows what moved the model's score, not what was altered.")


def tested(analysis: Analysis, heatmap: Heatmap) -> HeatTest | None:
    """The deletion test of a class activation map; None for a blend map, an empty map, or one that cannot be tested."""
    if heatmap.layer == _BLEND_LAYER or not heatmap.raw.any():
        return None
    result = next(model for model in analysis.models if model.model_id == heatmap.model_id)
    try:
        explainer = services.explainer(str(services.current().home))
        model = services.model(result.model_id, result.weights_sha256)
        return explainer.heat_test(analysis.evidence, analysis, model, heatmap)
    except (FramewitnessError, OSError):
        return None


def _outcome(test: HeatTest | None) -> str:
    """The deletion test in one sentence."""
    if test is None or not test.enough:
        return "Not tested: whether the score rests on the places that it marks is unknown."
    drawn = f"{len(test.drawn)} random fifths"
    if test.faithful:
        return (
            f"Tested: without its hottest fifth its output falls by {-test.marked:.2f}, more than without any of "
            f"{drawn} ({test.mean_drawn:+.2f} on average)."
        )
    return (
        f"Tested: without its hottest fifth its output changes by {test.marked:+.2f}, without one of {drawn} by "
        f"{test.mean_drawn:+.2f} on average and by {min(test.drawn):+.2f} at the lowest."
    )


def _heatmap(readings: Readings, frame: Frame, track_id: int, *, quiet: bool = False) -> Heatmap | None:
    result = _chosen_model(readings, track_id, frame.pts, quiet=quiet)
    if result is None:
        if not quiet:
            markup.note("No frame model scored this face, so there is no heatmap.")
        return None
    try:
        with st.spinner("Making the heatmap…", show_time=False):
            blended = st.session_state.get("heatmap_kind") == BLEND
            return make(readings.analysis, result, track_id, frame.pts, blended=blended)
    except (FramewitnessError, OSError) as error:
        if not quiet:
            markup.problem("No heatmap", str(error))
        return None


def make(analysis: Analysis, result: ModelResult, track_id: int, pts: int, *, blended: bool) -> Heatmap:
    """The heatmap of one model of an analysis on one face: with `blended` its blend map where it has one, else its
    class activation map. Raises FramewitnessError or OSError where there can be none."""
    explainer = services.explainer(str(services.current().home))
    place = (analysis.evidence, analysis, services.model(result.model_id, result.weights_sha256))
    found = explainer.blend_map(*place, track_id=track_id, pts=pts) if blended else None
    return found or explainer.heatmap(*place, track_id=track_id, pts=pts)


def _chosen_model(readings: Readings, track_id: int, pts: int, *, quiet: bool) -> ModelResult | None:
    """The frame model the user chose, else the one that scored the file highest: its reasons are asked for first."""
    scored = readings.scores.get((track_id, pts), {})
    offered = [model for model in heatmap_models(readings.analysis.models) if model.model_id in scored]
    if not offered:
        return None
    if not quiet:
        st.segmented_control(
            "Map",
            [CAM, BLEND],
            default=CAM,
            required=True,
            key="heatmap_kind",
            persist_state="page",
            label_visibility="collapsed",
            help=f"{CAM}: what moved the score. Blend map: where the model itself sees a change.",
        )
    if len(offered) == 1:
        return offered[0]
    names = {model.model_id: model.name for model in offered}
    if quiet:
        chosen = st.session_state.get("heatmap_model")
    else:
        chosen = st.selectbox(
            "Heatmap of", list(names), format_func=names.__getitem__, key="heatmap_model", persist_state="page"
        )
    return next((model for model in offered if model.model_id == chosen), offered[0])
