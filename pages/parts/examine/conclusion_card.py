"""The conclusion, with its reasons and with what it does not prove, and beside it what each model said."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import streamlit as st

from detector.analysis.types import Analysis, Moment, sigmoid
from detector.calibration.calibration import CONDITION_WORDS
from detector.registry import Thresholds
from detector.report.language import unmarked
from detector.report.lead import error_told, lead_text
from detector.report.sensitivity_payload import repeats_text
from detector.report.wording import ENGLISH
from pages.parts.shared import address, markup
from pages.parts.shared.markup import escaped
from pages.parts.shared.wording import LABELS, clock, model_colour, score_text

_JUMPS = 8


def show(analysis: Analysis) -> None:
    """The conclusion in one sentence; score, reasons and limits folded behind it; below, a button for each moment that
    a reason names. For use in a fragment."""
    words = LABELS[analysis.conclusion.label]
    sentence = escaped(unmarked(lead_text(analysis, ENGLISH))).replace(" %", "&nbsp;%")
    st.html(
        f'<section class="fw-card" style="--fw-accent:{words.colour}" aria-label="Conclusion">'
        f'<div class="fw-verdict">{markup.icon(words.icon)}'
        f"<p><b>{escaped(words.word)}</b> — {sentence}.</p></div>"
        f"<details><summary>Score, reasons, and what this does not prove</summary>{_behind(analysis)}</details>"
        "</section>"
    )
    _show_moments(analysis)


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
            f"The members' logits scatter by <b>{conclusion.member_spread:.2f}</b> about the ensemble's, weighted by "
            "their shares: how far the members disagree, and no margin of error."
        )
    reasons = "".join(f"<li>{escaped(reason.text)}</li>" for reason in conclusion.reasons)
    limits = escaped(f"{LABELS[conclusion.label].limits} {_of_the_sound(analysis)}")
    return (
        f"{''.join(f'<p>{one}</p>' for one in numbers)}<ul>{reasons}</ul>"
        f'<div class="fw-limits"><b>What this does not prove.</b> {limits}</div>'
    )


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
        for one in sorted(named.values(), key=lambda moment: (moment.pts, moment.track_id))[:_JUMPS]:
            st.button(
                f"{one.pts_s:.2f} s" + (f" · track {one.track_id}" if several else ""),
                icon=":material/frame_inspect:",
                key=f"moment_{one.track_id}_{one.pts}",
                type="tertiary",
                help=f"Show the frame at {clock(one.pts_s)} that the reasons speak of",
                on_click=_jump,
                args=(one,),
            )


def _jump(moment: Moment) -> None:
    address.go(replace(address.read(), track=moment.track_id, pts=moment.pts))


def show_models(analysis: Analysis, decisions: Mapping[str, Thresholds]) -> None:
    """One gauge a model, 0 to 1, with its two decision thresholds as ticks; a reason where there is no score."""
    rows = []
    for index, model in enumerate(analysis.models):
        name = f'<span title="weights {escaped(model.weights_sha256)}">{escaped(model.model_id)}</span>'
        if model.score is None:
            why = escaped(model.reason or "no score")
            rows.append(f'{name}<span class="fw-note">{why}</span><span class="fw-num">{score_text(None)}</span>')
            continue
        ticks = ""
        if model.model_id in decisions:
            decision = decisions[model.model_id]
            ticks = "".join(
                f'<i style="left:{100 * sigmoid(logit):.1f}%" title="{title} {sigmoid(logit):.3f}"></i>'
                for logit, title in (
                    (decision.no_manipulation_logit, "no manipulation found below"),
                    (decision.likely_manipulated_logit, "likely manipulated above"),
                )
            )
        dot = f'<b style="left:{100 * model.score:.1f}%;--fw-dot:{model_colour(index)}"></b>'
        rows.append(
            f'{name}<div class="fw-gauge" role="img" aria-label="score {model.score:.3f}">{ticks}{dot}</div>'
            f'<span class="fw-num">{score_text(model.score)}</span>'
        )
    st.html(f'<div class="fw-gauges">{"".join(rows)}</div>')
    for model in analysis.models:
        if said := unmarked(repeats_text(model, ENGLISH)):
            markup.note(f"{model.model_id}: {said}")
    if rows:
        markup.note(
            "Each model's score of the track on which it is highest, 0 to 1. Ticks: below the left one a model finds "
            "no manipulation, above the right one it calls the face likely manipulated; between them it does not "
            "decide."
        )
