"""Where a model of patches looked, and what each place said."""

from __future__ import annotations

from typing import Final

from detector.analysis.family import worst_track
from detector.analysis.types import ModelResult, sigmoid
from detector.faces.types import Place
from pages.parts.shared.markup import escaped
from pages.parts.shared.wording import score_text

PLACE_NAMES: Final[dict[Place, str]] = {
    "middle": "middle of the face",
    "left": "left cheek (as shown)",
    "right": "right cheek (as shown)",
}


def table(model: ModelResult) -> str:
    """HTML; nothing for a model that reads no patches, or where it scored no track."""
    track = worst_track(model)
    if track is None or not track.places:
        return ""
    rows = "".join(_row(PLACE_NAMES[reading.place], reading.logit) for reading in track.places)
    return (
        f'<p class="fw-note">Where it looked on track {track.track_id}, its highest; mean over the frames.</p>'
        '<table class="fw-table"><thead><tr><th scope="col">place</th><th></th>'
        f'<th scope="col" class="fw-num">score</th></tr></thead><tbody>{rows}</tbody></table>'
    )


def _row(name: str, logit: float) -> str:
    score = sigmoid(logit)
    return (
        f'<tr><th scope="row">{escaped(name)}</th><td><div class="fw-gauge" role="img" aria-label="score {score:.3f}">'
        f'<b style="left:{100 * score:.1f}%;--fw-dot:var(--fw-blue)"></b></div></td>'
        f'<td class="fw-num">{score_text(score)}</td></tr>'
    )
