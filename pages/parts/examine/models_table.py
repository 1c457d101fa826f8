"""What each model said of the file, in one table: its score between its thresholds, the track that it stands for, its
share of the ensemble's result, and why it has no score where it has none. Rows open to what a model went by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import streamlit as st

from detector.analysis.cue_meaning import CUE_MEANINGS
from detector.analysis.family import FAMILY_NAMES, FamilyStatement, family_statement, worst_track
from detector.analysis.types import Analysis, Conclusion, Member, ModelResult, sigmoid
from detector.measurement.results import Table
from detector.registry import Thresholds
from detector.report.language import unmarked
from detector.report.sensitivity_payload import repeats_text
from detector.report.wording import ENGLISH
from pages.parts.examine import motion_readings, patch_readings
from pages.parts.models import model_choice
from pages.parts.shared import markup, measurement_table
from pages.parts.shared.markup import escaped
from pages.parts.shared.wording import score_text

_BY_SELF, _WITHOUT_VOTE = "decides", "no vote"


@dataclass(frozen=True, slots=True)
class Row:
    """One model, or one specialist of a model that an ensemble counts by itself. `score` (0..1) is of `track_id`, on
    which it is highest; `counted` (0..1) is what the ensemble's result rests on, at the share `share` (0..1). Without
    an ensemble `share` is None. A row without a score has a `reason`."""

    name: str
    model_id: str
    score: float | None
    track_id: int | None
    reason: str | None
    result: ModelResult | None
    share: float | None = None
    counted: float | None = None
    fuses: bool = False
    votes: bool = False


def rows_of(analysis: Analysis) -> list[Row]:
    """The ensemble first, then its members by their share, then what has no vote; within each those without a score
    last. Without an ensemble the models in their own order."""
    ensemble = next((model for model in analysis.models if model.members), None)
    members = ensemble.members if ensemble is not None else ()
    rows = [_of_model(model, members, fuses=model is ensemble) for model in analysis.models]
    own = {row.model_id for row in rows if row.votes}
    results = {model.model_id: model for model in analysis.models}
    rows += [_of_member(member, results.get(member.model_id)) for member in members if member.model_id not in own]
    if ensemble is None:
        return rows
    return sorted(rows, key=lambda row: (not row.fuses, not row.votes, row.score is None, -(row.share or 0.0)))


def _of_model(model: ModelResult, members: tuple[Member, ...], *, fuses: bool) -> Row:
    """A model, joined with the one member that it is; a model of several specialists stands beside its members."""
    same = [member for member in members if member.model_id == model.model_id]
    track = worst_track(model)
    row = Row(
        model.name,
        model.model_id,
        model.score,
        track.track_id if track is not None else None,
        None if model.score is not None else model.reason or "no reason given",
        model,
        fuses=fuses,
    )
    if len(same) != 1 or len(model.specialists) > 1:
        return row
    (member,) = same
    return Row(
        row.name, row.model_id, row.score, row.track_id, row.reason or member.reason, model,
        member.weight, None if member.logit is None else sigmoid(member.logit), votes=True,
    )  # fmt: skip


def _of_member(member: Member, result: ModelResult | None) -> Row:
    """A member that has no row as a model: a specialist of several, or a model whose own result was not kept."""
    name = result.name if result is not None else member.model_id
    if member.cue is not None:
        name = f"{name} · {CUE_MEANINGS[member.cue].title}"
    score = None if member.logit is None else sigmoid(member.logit)
    reason = None if score is not None else member.reason or "no reason given"
    return Row(name, member.model_id, score, None, reason, None, member.weight, score, votes=True)


def show_short(analysis: Analysis, decisions: Mapping[str, Thresholds]) -> None:
    """A line a model: name, gauge, score, share. Why one has no score stands in its tooltip and in the whole table."""
    rows = rows_of(analysis)
    fused = any(row.fuses for row in rows)
    body = "".join(
        f'<tr>{_name(row)}{_gauge(row, decisions)}<td class="fw-num">{score_text(row.score)}</td>'
        + (f'<td class="fw-num">{_share(row)}</td>' if fused else "")
        + "</tr>"
        for row in rows
    )
    st.html(f'<table class="fw-table fw-models fw-short">{_head(fused, None)}<tbody>{body}</tbody></table>')


def show(analysis: Analysis, decisions: Mapping[str, Thresholds]) -> None:
    """The whole table, with what each model went by; below it how often the family that was read was right."""
    rows = rows_of(analysis)
    fused = any(row.fuses for row in rows)
    several = len(analysis.tracks) > 1
    rests_on = _rests_on(analysis)
    apart = several and any(_apart(row) for row in rows)
    columns = 3 + fused + apart + several
    body = []
    for row in rows:
        cells = _name(row)
        if row.score is None:
            why = escaped(row.reason or "no reason given")
            span = columns - 1 - fused
            cells += f'<td colspan="{span}" class="fw-note">{markup.icon("do_not_disturb_on")} {why}</td>'
        else:
            cells += f'{_gauge(row, decisions)}<td class="fw-num">{score_text(row.score)}</td>'
            if several:
                cells += f'<td class="fw-num">{"–" if row.track_id is None else row.track_id}</td>'
            if apart:
                cells += f'<td class="fw-num">{score_text(row.counted)}</td>'
        if fused:
            cells += f'<td class="fw-num">{_share(row)}</td>'
        body.append(f"<tr>{cells}</tr>")
        if row.result is not None and (behind := _behind(row.result, analysis.conclusion)):
            title = f"What {escaped(row.name)} went by"
            body.append(
                f'<tr class="fw-behind"><td colspan="{columns}"><details><summary>{title}</summary>{behind}</details>'
                "</td></tr>"
            )
    head = _head(fused, (rests_on if apart else None), several=several, apart=apart)
    st.html(
        f'<div class="fw-scroll"><table class="fw-table fw-models">{head}<tbody>{"".join(body)}</tbody></table></div>'
    )
    if any(row.score is not None for row in rows):
        markup.note(_legend(several=several, rests_on=rests_on if apart else None, fused=fused))
    for model in analysis.models:
        said = family_statement(model, analysis.conclusion, model_choice.card_of(model))
        if said is not None:
            markup.heading("Families mistaken for each other", "clips left out of the training · rows: what they were")
            measurement_table.show_other(_named(said.errors))


def _named(errors: Table) -> Table:
    """The table with families by their names."""
    names = {str(family): name for family, name in FAMILY_NAMES.items()}
    rows = tuple((names.get(name, name), cells) for name, cells in errors.rows)
    return replace(errors, columns=tuple(names.get(name, name) for name in errors.columns), rows=rows)


def _head(fused: bool, rests_on: int | None, *, several: bool = False, apart: bool = False) -> str:
    heads = ["score"]
    if several:
        heads.append("track")
    if apart:
        heads.append("counted" if rests_on is None else f"on track {rests_on}")
    if fused:
        heads.append("share")
    cells = "".join(f'<th scope="col" class="fw-num">{name}</th>' for name in heads)
    return f'<thead><tr><th scope="col">model</th><th></th>{cells}</tr></thead>'


def _legend(*, several: bool, rests_on: int | None, fused: bool) -> str:
    text = (
        "Scores go from 0 to 1. Ticks: below the left one a model finds no manipulation, above the right one it calls "
        "the face likely manipulated; between them it does not decide."
    )
    if several:
        text += " A score is of the track on which the model is highest."
    if rests_on is not None:
        text += (
            f" The ensemble's result rests on track {rests_on}: a member's score there, which it counts, can be other "
            "than the member's own highest."
        )
    if fused:
        text += " A model without a score is left out; nothing is put in its place."
    return text


def _rests_on(analysis: Analysis) -> int | None:
    """The track whose fused score is the file's; None without an ensemble that has one."""
    found = next((worst_track(model) for model in analysis.models if model.members), None)
    return None if found is None else found.track_id


def _apart(row: Row) -> bool:
    """Whether the ensemble counts another score of the model than its own highest."""
    return None not in (row.score, row.counted) and score_text(row.score) != score_text(row.counted)


def _name(row: Row) -> str:
    about = row.model_id
    if row.result is not None:
        about += f" · weights {row.result.weights_sha256[:12]}"
    if row.reason:
        about += f" · {row.reason}"
    strong = " class=fw-fuses" if row.fuses else ""
    return f'<th scope="row"{strong} title="{escaped(about)}">{escaped(row.name)}</th>'


def _share(row: Row) -> str:
    if row.fuses:
        return "–" if row.score is None else _BY_SELF
    if not row.votes:
        return f'<span class="fw-note">{_WITHOUT_VOTE}</span>'
    return "–" if row.share is None else f"{100 * row.share:.0f} %"


def _gauge(row: Row, decisions: Mapping[str, Thresholds]) -> str:
    if row.score is None:
        return f'<td class="fw-note">{markup.icon("do_not_disturb_on")} no score</td>'
    ticks = ""
    decision = decisions.get(row.model_id) if row.result is not None else None
    if decision is not None:
        ticks = "".join(
            f'<i style="left:{100 * sigmoid(logit):.1f}%" title="{title} {sigmoid(logit):.3f}"></i>'
            for logit, title in (
                (decision.no_manipulation_logit, "no manipulation found below"),
                (decision.likely_manipulated_logit, "likely manipulated above"),
            )
        )
    return (
        f'<td><div class="fw-gauge" role="img" aria-label="score {row.score:.3f}">{ticks}'
        f'<b style="left:{100 * row.score:.1f}%;--fw-dot:var(--fw-blue)"></b></div></td>'
    )


def _behind(model: ModelResult, conclusion: Conclusion) -> str:
    """What a row opens to; empty where there is nothing more to say of the model."""
    parts = [patch_readings.table(model), motion_readings.table(model)]
    said = family_statement(model, conclusion, model_choice.card_of(model))
    if said is not None:
        parts.append(f'<p class="fw-note">{escaped(_family_text(said))}</p>')
    if repeated := unmarked(repeats_text(model, ENGLISH)):
        parts.append(f'<p class="fw-note">{escaped(repeated)}</p>')
    return "".join(parts)


def _family_text(said: FamilyStatement) -> str:
    named = ", ".join(f"{FAMILY_NAMES[one.family]} {one.probability:.2f}" for one in said.readings)
    first = FAMILY_NAMES[said.readings[0].family]
    return (
        f"Should it be manipulated, it reads as: {named}. Of {said.read} manipulated clips left out of its training "
        f"that read as {first}, {said.right} were."
    )
