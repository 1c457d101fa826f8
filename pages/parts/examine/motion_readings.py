"""Which measures of a face's motion told most, with their values and where genuine clips lie."""

from __future__ import annotations

from detector.analysis.family import worst_track
from detector.analysis.motion_meaning import Evidence, evidence_of
from detector.analysis.types import ModelResult
from pages.parts.models import model_choice
from pages.parts.shared.markup import escaped


def table(model: ModelResult) -> str:
    """HTML; nothing for a model that judges by no measured features, or where it scored no track."""
    track = worst_track(model)
    if track is None or not track.contributions:
        return ""
    card = model_choice.card_of(model)
    told = [one for part in track.contributions if (one := evidence_of(part, card)) is not None]
    return (
        f'<p class="fw-note">What told it most on track {track.track_id}, its highest; mean over its windows.</p>'
        '<table class="fw-table"><thead><tr><th scope="col">measure</th><th scope="col" class="fw-num">here</th>'
        '<th scope="col" class="fw-num">genuine clips</th><th scope="col" class="fw-num">part of the result</th></tr>'
        f"</thead><tbody>{''.join(map(_row, told))}</tbody></table>"
        '<p class="fw-note">Parts above 0 speak for manipulation, parts below 0 against it, in log-odds; all others '
        "add up to the rest of the result. Genuine clips: the mean of those it was fitted to, one standard deviation "
        "either way. One measure alone proves nothing: about a third of genuine clips lie outside.</p>"
    )


def _row(one: Evidence) -> str:
    genuine = "not known" if one.genuine is None else f"{one.genuine[0]} to {one.genuine[1]}"
    way = "for" if one.logit > 0 else "against"
    return (
        f'<tr><th scope="row">{escaped(one.meaning.text)}<br><small>{escaped(one.meaning.unit)}</small></th>'
        f'<td class="fw-num">{escaped(one.value)}</td><td class="fw-num">{escaped(genuine)}</td>'
        f'<td class="fw-num">{one.logit:+.2f} {way}</td></tr>'
    )
