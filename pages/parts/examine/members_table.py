"""The members that an ensemble's result rests on: each member's score and its share, or why it was left out; and
which family of manipulation they speak for together."""

from __future__ import annotations

import streamlit as st

from detector.analysis.family import FAMILY_NAMES, FamilyStatement, family_statement
from detector.analysis.types import Conclusion, Member, ModelResult, sigmoid
from pages.parts.models import model_choice
from pages.parts.shared import markup, measurement_table
from pages.parts.shared.markup import escaped
from pages.parts.shared.wording import score_text


def show(ensemble: ModelResult, conclusion: Conclusion) -> None:
    """One row a member, the largest share first; those left out stand last with their reason. Below, the family, where
    it is to be told."""
    if not ensemble.members:
        return
    counted = [member for member in ensemble.members if member.logit is not None]
    left_out = [member for member in ensemble.members if member.logit is None]
    markup.heading(f"Members of {ensemble.model_id}", f"{len(counted)} of {len(ensemble.members)} had a score")
    rows = [_counted(member) for member in sorted(counted, key=lambda item: -(item.weight or 0.0))]
    rows += [_left_out(member) for member in left_out]
    st.html(
        '<table class="fw-table fw-members"><thead><tr><th></th><th></th><th class="fw-num">score</th>'
        f'<th class="fw-num">share</th></tr></thead><tbody>{"".join(rows)}</tbody></table>'
    )
    if (track_id := _rests_on(ensemble)) is not None:
        markup.note(
            f"A member's score here is of track {track_id}, on which the ensemble's rests; the same model's own score "
            "above is of the track on which it is highest itself."
        )
    if left_out:
        markup.note("A member without a score is left out; nothing is put in its place.")
    said = family_statement(ensemble, conclusion, model_choice.card_of(ensemble))
    if said is not None:
        _show_family(said)


def _rests_on(ensemble: ModelResult) -> int | None:
    """The track whose fused score is the file's; None where there is no other."""
    same = [track.track_id for track in ensemble.tracks if track.logit == ensemble.logit]
    return same[0] if same and len(ensemble.tracks) > 1 else None


def _name(member: Member) -> str:
    cue = f' <span class="fw-note">cue {escaped(member.cue)}</span>' if member.cue else ""
    return f'<th scope="row">{escaped(member.model_id)}{cue}</th>'


def _counted(member: Member) -> str:
    assert member.logit is not None
    score = sigmoid(member.logit)
    share = "–" if member.weight is None else f"{100 * member.weight:.0f} %"
    return (
        f'<tr>{_name(member)}<td><div class="fw-gauge" role="img" aria-label="score {score:.3f}">'
        f'<b style="left:{100 * score:.1f}%;--fw-dot:var(--fw-blue)"></b></div></td>'
        f'<td class="fw-num">{score_text(score)}</td><td class="fw-num">{share}</td></tr>'
    )


def _left_out(member: Member) -> str:
    return (
        f'<tr>{_name(member)}<td colspan="3" class="fw-note">{markup.icon("do_not_disturb_on")} left out: '
        f"{escaped(member.reason or 'no reason given')}</td></tr>"
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
