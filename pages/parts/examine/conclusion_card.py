"""The conclusion, with its reasons and with what it does not prove, and beside it what each model said."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import streamlit as st

from detector.analysis.types import Analysis, Moment, sigmoid
from detector.calibration.likelihood import verbal
from detector.registry import Thresholds
from pages.parts.shared import address, markup
from pages.parts.shared.markup import escaped
from pages.parts.shared.wording import LABELS, clock, model_colour, score_text

_JUMPS = 8


def show(analysis: Analysis) -> None:
    """Label (icon, word, colour), score, reasons and limits; below, a button for each moment that a reason names. For
    use in a fragment."""
    conclusion = analysis.conclusion
    words = LABELS[conclusion.label]
    reasons = "".join(f"<li>{escaped(reason.text)}</li>" for reason in conclusion.reasons)
    score = ""
    if conclusion.score is not None:
        basis = "the model's own" if conclusion.calibrated else "not calibrated"
        score = (
            f'<span class="fw-score">{score_text(conclusion.score)}'
            f'<span class="fw-sub">score, 0 to 1 · {basis}</span></span>'
        )
    strength = ""
    if conclusion.likelihood_ratio is not None and conclusion.interval is not None:
        low, high = conclusion.interval
        strength = (
            f"<p><b>Likelihood ratio {conclusion.likelihood_ratio:.2g}</b> (95 %: {low:.2g} to {high:.2g}), "
            f"{verbal(conclusion.likelihood_ratio)}</p>"
        )
    st.html(
        f'<section class="fw-card" style="--fw-accent:{words.colour}" aria-label="Conclusion">'
        f'<div class="fw-verdict">{markup.icon(words.icon)}<span>{escaped(words.word)}</span>{score}</div>'
        f"{strength}<ul>{reasons}</ul>"
        f'<div class="fw-limits"><b>What this does not prove.</b> {escaped(words.limits)}</div></section>'
    )
    _show_moments(analysis)


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
    if rows:
        markup.note(
            "Score of the worst track, 0 to 1. Ticks: below the left one a model finds no manipulation, above the "
            "right one it calls the face likely manipulated; between them it does not decide."
        )
