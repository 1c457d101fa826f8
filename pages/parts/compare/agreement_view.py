"""How far models agree on one exhibit: every pair in a matrix, and the moments where they differ most."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from detector.analysis.agreement import Disagreement, ScoredFaces, agree, disagreements, side
from pages.parts.examine import position
from pages.parts.shared import markup
from pages.parts.shared.markup import escaped
from pages.parts.shared.readings import FaceKey
from pages.parts.shared.wording import SIDES, clock, score_text


def show_matrix(names: Sequence[str], faces: Sequence[ScoredFaces]) -> None:
    """Every pair of models: the share of faces on the same side of their thresholds, rank correlation, how many."""
    markup.heading("Agreement, all tracks", "share of faces on the same side of each model's own thresholds")
    head = "".join(f'<th scope="col">{escaped(name)}</th>' for name in names[1:])
    rows = []
    for row, name in enumerate(names[:-1]):
        cells = []
        for column in range(1, len(names)):
            cells.append(_cell(faces[row], faces[column]) if column > row else '<td style="background:none"></td>')
        rows.append(f'<tr><th scope="row">{escaped(name)}</th>{"".join(cells)}</tr>')
    st.html(
        markup.scrolling(
            f'<table class="fw-confusion" aria-label="Agreement"><thead><tr><td></td>{head}</tr></thead>'
            f"<tbody>{''.join(rows)}</tbody></table>",
            "Agreement",
        )
    )
    markup.note(
        "Three sides: likely manipulated, undecided, not found. rho: Spearman's rank correlation of the scores, -1 to "
        "1. Agreement is not truth: models that were trained on the same data err together."
    )


def _cell(one: ScoredFaces, other: ScoredFaces) -> str:
    found = agree(one, other)
    if not found.faces:
        return '<td style="--fw-share:0%"><b>–</b><span class="fw-note">no face in common</span></td>'
    share = "–" if found.same_side is None else f"{100 * found.same_side:.0f} %"
    rho = "rho –" if found.rank_correlation is None else f"rho {found.rank_correlation:+.2f}"
    return (
        f'<td style="--fw-share:{100 * (found.same_side or 0):.0f}%"><b>{share}</b>'
        f'<span class="fw-note">{rho} · {found.faces:,} face{"" if found.faces == 1 else "s"}</span></td>'
    )


def show_disagreements(names: Sequence[str], faces: Sequence[ScoredFaces], here: FaceKey) -> None:
    """A button a moment that leads to its frame, with the two models that are furthest apart. For use in a fragment."""
    markup.heading("Where they differ most")
    found = disagreements(faces)
    if not found:
        known = sum(one.thresholds is not None and bool(one.scores) for one in faces)
        markup.note(
            "No examined face lies on different sides of two models' thresholds."
            if known > 1
            else "Fewer than two of these models have scores of single frames and thresholds at hand. Choose others, "
            "or install the weights that the analysis was made with."
        )
        return
    for one in found:
        _show_moment(one, names, faces, chosen=(one.track_id, one.pts) == here)


def _show_moment(one: Disagreement, names: Sequence[str], faces: Sequence[ScoredFaces], *, chosen: bool) -> None:
    with st.container(border=True, gap=None, key=f"differ_line_{one.track_id}_{one.pts}"):
        st.button(
            f"{clock(one.pts_s)} · track {one.track_id}",
            key=f"differ_{one.track_id}_{one.pts}",
            type="tertiary",
            icon=":material/arrow_right:" if chosen else ":material/frame_inspect:",
            help="Show this frame in the grid",
            on_click=position.go,
            args=(one.track_id, one.pts),
        )
        for place in (one.highest, one.lowest):
            frame, limits = faces[place].scores[one.track_id, one.pts], faces[place].thresholds
            assert limits is not None
            words = SIDES[side(frame.logit, limits)]
            markup.states([(words.icon, words.colour, f"{names[place]} {score_text(frame.score)}, {words.word}")])
