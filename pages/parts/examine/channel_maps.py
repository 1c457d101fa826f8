"""A specialist's named channels as maps over the face it saw: small multiples, one scale a channel and track."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import streamlit as st

from detector.analysis.types import CueResult, ModelResult
from detector.errors import FramewitnessError
from detector.evidence import Frame
from detector.explain import ChannelMaps
from detector.measurement.wording import number_text, words
from pages.parts.examine import channel_chart, heat_images
from pages.parts.examine.heat_images import Tile
from pages.parts.shared import markup, services
from pages.parts.shared.readings import Readings

_SCALE_FACES = 5
_SCALE_SHARES = (0.02, 0.98)  # a few places at the rim of a crop must not set the scale


def show(
    readings: Readings,
    model: ModelResult,
    result: CueResult,
    names: Sequence[str],
    frame: Frame | None,
    track_id: int,
) -> None:
    """A toggle; once on, the face and the named channels over it, for the frame shown."""
    markup.heading("Maps on this frame", "probabilities from 0 to 1, others from lowest to highest in this track")
    on = st.toggle("Draw the channels as maps", key="channels_as_maps", persist_state="page")
    if not on:
        return
    if frame is None or (track_id, frame.pts) not in readings.faces:
        markup.note(f"There is no examined face of track {track_id} in this frame.")
        return
    try:
        with st.spinner("Drawing the channels…", show_time=False):
            maps = _maps(readings, model, result, track_id, frame.pts)
            scales = _scales(
                readings.analysis.evidence.file.sha256,
                readings.analysis.settings.sha256,
                model.weights_sha256,
                result.cue,
                track_id,
                _readings=readings,
                _model=model,
                _result=result,
            )
    except (FramewitnessError, OSError) as error:
        markup.problem("No maps", str(error))
        return
    tiles = [Tile(heat_images.photo(maps.crop), "face", "as the model received it")]
    for name in names:
        low, high = channel_chart.bounds(result.cue, name) or scales[name]
        tiles.append(
            Tile(
                heat_images.heat(maps.named(name), low, high),
                words(name),
                f"{number_text(low)} to {number_text(high)}",
                channel_chart.meaning(result.cue, name),
            )
        )
    heat_images.show(tiles)
    markup.scale("low", "high")
    with st.expander("What the channels measure"):
        markup.facts([(words(name), channel_chart.meaning(result.cue, name) or "–") for name in names])


def _maps(readings: Readings, model: ModelResult, result: CueResult, track_id: int, pts: int) -> ChannelMaps:
    return services.explainer(str(services.current().home)).channels(
        readings.analysis.evidence,
        readings.analysis,
        services.model(model.model_id, model.weights_sha256),
        result.cue,
        track_id=track_id,
        pts=pts,
    )


@st.cache_resource(show_spinner=False, max_entries=32)
def _scales(
    sha256: str,
    settings_sha256: str,
    weights_sha256: str,
    cue: str,
    track_id: int,
    *,
    _readings: Readings,
    _model: ModelResult,
    _result: CueResult,
) -> dict[str, tuple[float, float]]:
    """Lowest and highest of each channel over up to five faces spread over the track, its rim left out."""
    every = [pts for track, pts in _readings.faces if track == track_id]
    rows = sorted({round(row) for row in np.linspace(0, len(every) - 1, min(_SCALE_FACES, len(every)))})
    found = [_maps(_readings, _model, _result, track_id, every[row]) for row in rows]
    stacked = np.stack([item.maps for item in found])  # (faces, channels, h, w)
    low, high = np.quantile(stacked, _SCALE_SHARES, axis=(0, 2, 3))
    return {name: (float(low[index]), float(high[index])) for index, name in enumerate(found[0].names)}
