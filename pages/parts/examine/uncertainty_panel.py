"""The steadiness of one face's score: equivalent views of it, and the network with parts of it switched off."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from detector.analysis.kinds import kind_of
from detector.analysis.types import ModelResult, sigmoid
from detector.errors import FramewitnessError
from detector.evidence import Frame
from pages.parts.shared import markup, services
from pages.parts.shared.markup import escaped
from pages.parts.shared.readings import Readings
from pages.parts.shared.wording import model_colour, score_text

if TYPE_CHECKING:
    from detector.explain.uncertainty import Spread, Uncertainty


def show(readings: Readings, frame: Frame, track_id: int) -> None:
    """A button a frame model that scored this face; measured only when asked for, since it costs many passes."""
    scored = readings.scores.get((track_id, frame.pts), {})
    offered = [model for model in readings.analysis.models if kind_of(model).heatmaps and model.model_id in scored]
    if not offered:
        markup.note("No model scored this face from a picture, so there is nothing to repeat.")
        return
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        asked = [
            model
            for model in offered
            if st.button(
                "How steady is this score?" if len(offered) == 1 else f"How steady is {markup.plain(model.name)}?",
                icon=":material/blur_on:",
                key=f"uncertainty_{model.model_id}",
                help="Scores the face again mirrored and cropped a little otherwise, and with dropout on.",
            )
        ]
    for model in asked:
        _measure(readings, model, track_id, frame.pts)


def _measure(readings: Readings, model: ModelResult, track_id: int, pts: int) -> None:
    try:
        with st.spinner("Scoring again…", show_time=False):
            found = services.explainer(str(services.current().home)).uncertainty(
                readings.analysis.evidence,
                readings.analysis,
                services.model(model.model_id, model.weights_sha256),
                track_id=track_id,
                pts=pts,
            )
    except (FramewitnessError, OSError) as error:
        markup.problem("The spread was not measured", str(error))
        return
    _draw(found, model_colour(readings.model_index(model.model_id)))


def _draw(found: Uncertainty, colour: str) -> None:
    plain = sigmoid(found.views.logits[0])
    rows = [_row("Views", "mirrored, moved, resized", found.views, colour)]
    if found.dropout is not None:
        rows.append(_row("Dropout", "parts of the label head off", found.dropout, colour))
    st.html(f'<div class="fw-gauges fw-spread">{"".join(rows)}</div>')
    cost = found.views.seconds / found.plain_seconds if found.plain_seconds > 0 else 0.0
    text = f"Each line is one scoring; as analysed it is {score_text(plain)}. The views took {cost:.0f} × one scoring"
    if found.dropout is None:
        text += "; this model has no dropout to vary"
    markup.note(f"{text}. A narrow spread says that the score is steady, not that it is right.")


def _row(name: str, how: str, spread: Spread, colour: str) -> str:
    scores = [sigmoid(logit) for logit in spread.logits]
    marks = "".join(f'<b style="left:{100 * score:.1f}%;--fw-dot:{colour}"></b>' for score in scores)
    text = f"{min(scores):.3f} to {max(scores):.3f}"
    return (
        f'<span>{escaped(name)}<span class="fw-note"> {escaped(how)}</span></span>'
        f'<div class="fw-gauge" role="img" aria-label="scores {text}">{marks}</div><span class="fw-num">{text}</span>'
    )
