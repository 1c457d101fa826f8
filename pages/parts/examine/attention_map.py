"""The frames that a sequence model compared with each other: its attention by layer and head, on request, and whether
the score rests on those that weighed most."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from detector.analysis.types import ModelResult
from detector.errors import FramewitnessError
from detector.report.wording import count
from pages.parts.examine import heat_images
from pages.parts.examine.heat_images import Tile
from pages.parts.shared import markup, services
from pages.parts.shared.readings import FaceKey, Readings
from pages.parts.shared.wording import clock

if TYPE_CHECKING:
    from detector.explain import FrameTest, TrackAttentionMaps

_SCALE_SHARE = 0.95  # of all cells, those within the colour scale


def show(readings: Readings, model: ModelResult, here: FaceKey) -> None:
    """A toggle; once on, one map a layer and head for the window of frames around the chosen face."""
    if not st.toggle("Layers and heads", key=f"attention_heads_{model.model_id}", persist_state="page"):
        return
    track_id, pts = here
    scored = {frame.pts for track in model.tracks if track.track_id == track_id for frame in track.frames}
    try:
        with st.spinner("Following the attention…", show_time=False):
            maps = services.explainer(str(services.current().home)).attention(
                readings.analysis.evidence,
                readings.analysis,
                services.model(model.model_id, model.weights_sha256),
                track_id,
                pts=pts if pts in scored else None,
            )
    except (FramewitnessError, OSError) as error:
        markup.problem("No attention maps", str(error))
        return
    _draw(maps)


def tell_test(readings: Readings, model: ModelResult, track_id: int, slot: DeltaGenerator) -> None:
    """Say in `slot`, in one sentence, whether the score rests on the frames that were attended to most."""
    with slot:
        try:
            with st.spinner("Testing the attention…", show_time=False):
                test = services.explainer(str(services.current().home)).attention_test(
                    readings.analysis.evidence,
                    readings.analysis,
                    services.model(model.model_id, model.weights_sha256),
                    track_id,
                )
        except (FramewitnessError, OSError) as error:
            markup.note(f"Not tested: {error}")
            return
        markup.note(_outcome(test))


def _outcome(test: FrameTest) -> str:
    frames = count(len(test.pts_s), "frame")
    span = f"{frames} from {clock(test.pts_s[0])} to {clock(test.pts_s[-1])}"
    if not test.enough:
        return f"Not tested: with {frames} there are too few ways to leave some out to tell attention from chance."
    fifth = f"the fifth that it attended to most of the {span}"
    drawn = f"{len(test.drawn)} random fifths"
    if test.faithful:
        return (
            f"Tested: without {fifth} the output changes by {test.marked:+.2f}, more than without any of {drawn} "
            f"(by {test.mean_moved:.2f} on average)."
        )
    most = max(test.drawn, key=abs)
    return (
        f"Tested: where it attended explains no more than chance. Without {fifth} the output changes by "
        f"{test.marked:+.2f}, without one of {drawn} by {test.mean_moved:.2f} on average, by {most:+.2f} at the most."
    )


def _draw(maps: TrackAttentionMaps) -> None:
    span = f"{count(len(maps.pts), 'frame')} from {clock(maps.pts_s[0])} to {clock(maps.pts_s[-1])}"
    if not len(maps.layers):
        markup.note(
            f"{span}. A recurrent model carries its state from frame to frame and has no layers of attention; how much "
            "each frame weighed is the lane above."
        )
        return
    # Most frames look a little at most others: were the scale to end at the one highest cell, all else would be black.
    top = float(np.quantile(maps.layers, _SCALE_SHARE))
    heat_images.show(
        [
            Tile(
                heat_images.heat(head, 0.0, top, smooth=False),
                f"layer {layer + 1} · head {number + 1}",
                f"most: {100 * float(head.max()):.0f} %",
                "each row is a frame that looks, each column a frame looked at",
            )
            for layer, heads in enumerate(maps.layers)
            for number, head in enumerate(heads)
        ],
        columns=maps.layers.shape[1],
    )
    markup.scale("0", f"{100 * top:.0f} % of a row or more")
    strongest = int(np.argmax(maps.rollout))
    markup.note(
        f"{span}. Rows look, columns are looked at; every row sums to 1. Followed through all layers, the frame at "
        f"{clock(maps.pts_s[strongest])} carried most, {100 * float(maps.rollout[strongest]):.0f} % "
        "(attention rollout)."
    )
