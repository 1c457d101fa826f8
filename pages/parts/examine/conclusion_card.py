"""The conclusion: label, strength on its scale, and what it does not prove; the times to look at; reasons behind."""

from __future__ import annotations

import streamlit as st

from detector.analysis.types import Analysis, Moment
from detector.calibration.calibration import CONDITION_WORDS
from detector.calibration.likelihood import NO_SUPPORT, VERBAL_SCALE, verbal
from detector.report.language import unmarked
from detector.report.lead import error_told, lead_text
from detector.report.wording import ENGLISH
from pages.parts.examine import position
from pages.parts.shared import markup
from pages.parts.shared.markup import escaped
from pages.parts.shared.wording import LABELS, clock, score_text, tone

_JUMPS = 8
_STEPS = tuple(words.removesuffix(" support") for _, words in reversed(VERBAL_SCALE))


def show(analysis: Analysis) -> None:
    """The conclusion in one sentence, its strength on the scale, what it does not prove; score, reasons and limits
    folded behind it; below, a button for each moment that a reason names. For use in a fragment."""
    label = analysis.conclusion.label
    words = LABELS[label]
    sentence = escaped(unmarked(lead_text(analysis, ENGLISH))).replace(" %", "&nbsp;%")
    st.html(
        f'<section class="fw-card" style="--fw-accent:{tone(words.colour)}" aria-label="Conclusion">'
        f'<div class="fw-verdict">{markup.icon(words.icon)}'
        f"<p><b>{escaped(words.word)}</b> — {sentence}.</p></div>"
        f'{_scale(analysis)}<p class="fw-limit">{escaped(words.limit)}</p>'
        f"<details><summary>Score, reasons, and what this does not prove</summary>{_behind(analysis)}</details>"
        "</section>"
    )
    _show_moments(analysis)


def _scale(analysis: Analysis) -> str:
    """The likelihood ratio on the verbal scale of ENFSI (2015), six steps each way; nothing where none is told."""
    ratio = analysis.conclusion.likelihood_ratio
    if ratio is None:
        return ""
    strength = verbal(ratio)
    step = 0 if strength == NO_SUPPORT else _STEPS.index(strength.removesuffix(" support")) + 1
    at = step if ratio >= 1 else -step
    side = "manipulated" if ratio >= 1 else "genuine"
    said = strength if at == 0 else f"{strength} for {side}, step {step} of {len(_STEPS)}"
    cells = "".join(
        f'<i title="{_step_words(cell)}"{" class=fw-here" if cell == at else ""}></i>'
        for cell in range(-len(_STEPS), len(_STEPS) + 1)
    )
    return (
        f'<div class="fw-strength"><span>genuine</span>'
        f'<div role="img" aria-label="{said} (scale of ENFSI 2015)">{cells}</div><span>manipulated</span></div>'
        f'<p class="fw-strength-words">{said} · scale of ENFSI 2015</p>'
    )


def _step_words(cell: int) -> str:
    if cell == 0:
        return NO_SUPPORT
    return f"{_STEPS[abs(cell) - 1]} support for {'manipulated' if cell > 0 else 'genuine'}"


def _behind(analysis: Analysis) -> str:
    """The score, the likelihood ratio, whose error rate is told, the reasons, and the limits of the label."""
    conclusion = analysis.conclusion
    numbers = []
    if conclusion.score is not None:
        basis = "the model's own" if conclusion.calibrated else "not calibrated"
        numbers.append(
            f'Score <b class="fw-score">{score_text(conclusion.score)}</b> <span class="fw-sub">0 to 1 · {basis}</span>'
        )
    if conclusion.likelihood_ratio is not None and conclusion.interval is not None:
        low, high = conclusion.interval
        numbers.append(
            f"Likelihood ratio <b>{conclusion.likelihood_ratio:.2g}</b> "
            f'<span class="fw-sub">95 %: {low:.2g} to {high:.2g}</span>'
        )
    row = error_told(analysis)
    if row is not None and row.condition != "all":
        like = f"{CONDITION_WORDS[row.condition]} {row.value}, where the models err most"
        numbers.append(f'Clips like this one <span class="fw-sub">{escaped(like)}</span>')
    if conclusion.member_spread is not None:
        numbers.append(
            f"Disagreement of the members <b>{conclusion.member_spread:.2f}</b> spread of their raw outputs about the "
            "ensemble's, weighted by their shares; no margin of error"
        )
    reasons = "".join(f"<li>{escaped(reason.text)}</li>" for reason in conclusion.reasons)
    limits = escaped(f"{LABELS[conclusion.label].limits} {_of_the_sound(analysis)}".strip())
    behind = f'<div class="fw-limits"><b>What this does not prove.</b> {limits}</div>' if limits else ""
    return f"{''.join(f'<p>{one}</p>' for one in numbers)}<ul>{reasons}</ul>{behind}"


def _of_the_sound(analysis: Analysis) -> str:
    """How much of the sound was examined; empty where there is none."""
    if analysis.evidence.audio is None or analysis.conclusion.score is None:
        return ""
    if any(window.logit is not None for model in analysis.models for window in model.sync):
        return "Of the sound only its fit to the lips was examined, not who speaks or what is said."
    return "The sound was not examined."


def _show_moments(analysis: Analysis) -> None:
    """Buttons that lead to the frames that reasons speak of, in order of time."""
    named = {(one.track_id, one.pts): one for reason in analysis.conclusion.reasons for one in reason.moments[:_JUMPS]}
    if not named:
        return
    several = len(analysis.tracks) > 1
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="moments"):
        st.html('<span class="fw-note">Look at</span>', width="content")
        for one in sorted(named.values(), key=lambda moment: (moment.pts, moment.track_id))[:_JUMPS]:
            st.button(
                f"{one.pts_s:.2f} s" + (f" · track {one.track_id}" if several else ""),
                key=f"moment_{one.track_id}_{one.pts}",
                help=f"Show the frame at {clock(one.pts_s)} that the reasons speak of",
                on_click=_jump,
                args=(one,),
            )


def _jump(moment: Moment) -> None:
    position.go(moment.track_id, moment.pts)
