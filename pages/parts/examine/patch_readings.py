"""Where a model of patches looked, what each place said, and which family it reads a manipulated face as."""

from __future__ import annotations

from html import escape
from typing import Final

import streamlit as st

from detector.analysis.family import FAMILY_NAMES, FamilyStatement, family_statement, worst_track
from detector.analysis.types import Conclusion, ModelResult, sigmoid
from detector.faces.types import Place
from pages.parts.models import model_choice
from pages.parts.shared import markup, measurement_table
from pages.parts.shared.wording import score_text

PLACE_NAMES: Final[dict[Place, str]] = {
    "middle": "middle of the face",
    "left": "left cheek (as shown)",
    "right": "right cheek (as shown)",
}


def show(model: ModelResult, conclusion: Conclusion) -> None:
    """Nothing for a model that reads no patches, or where it scored no track."""
    track = worst_track(model)
    if track is None or not track.places:
        return
    markup.heading(f"Where {model.model_id} looked", f"track {track.track_id}, its highest · mean over the frames")
    rows = "".join(_row(PLACE_NAMES[reading.place], reading.logit) for reading in track.places)
    st.html(
        '<table class="fw-table fw-members"><thead><tr><th></th><th></th><th class="fw-num">score</th></tr></thead>'
        f"<tbody>{rows}</tbody></table>"
    )
    said = family_statement(model, conclusion, model_choice.card_of(model))
    if said is not None:
        _show_family(said)


def _row(name: str, logit: float) -> str:
    score = sigmoid(logit)
    return (
        f'<tr><th scope="row">{escape(name)}</th><td><div class="fw-gauge" role="img" aria-label="score {score:.3f}">'
        f'<b style="left:{100 * score:.1f}%;--fw-dot:var(--fw-blue)"></b></div></td>'
        f'<td class="fw-num">{score_text(score)}</td></tr>'
    )


def _show_family(said: FamilyStatement) -> None:
    named = ", ".join(f"{FAMILY_NAMES[one.family]} {one.probability:.2f}" for one in said.readings)
    first = FAMILY_NAMES[said.readings[0].family]
    markup.note(
        f"Should it be manipulated, it reads as: {named}. Of {said.read} manipulated clips left out of its training "
        f"that read as {first}, {said.right} were."
    )
    markup.heading("Families mistaken for each other", "clips left out of the training · rows: what they were")
    measurement_table.show_other(said.errors)
