"""Every model that ever examined one exhibit, and a table of what each said."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import streamlit as st

from detector.analysis.agreement import side
from detector.analysis.kinds import kind_of
from detector.analysis.types import Analysis, ModelResult
from detector.cases import AnalysisRecord
from detector.errors import StoreError
from detector.registry import Thresholds
from pages.parts.models import model_choice
from pages.parts.shared import services
from pages.parts.shared.markup import escaped
from pages.parts.shared.wording import SIDES, model_colour, score_text

_FIRST_SHOWN = 6


@dataclass(frozen=True, slots=True)
class Said:
    """One model's result in one analysis of the exhibit."""

    record: AnalysisRecord
    analysis: Analysis
    result: ModelResult
    decision: Thresholds | None

    @property
    def call(self) -> str:
        """The outcome that the model's own thresholds give its score; nothing where they are not at hand."""
        if self.result.logit is None or self.decision is None:
            return ""
        return SIDES[side(self.result.logit, self.decision)].word


def opening(names: Mapping[str, Said]) -> list[str]:
    """The names that a comparison opens with."""
    return model_choice.preselected({name: said.result.model_id for name, said in names.items()}, _FIRST_SHOWN)


def gather(exhibit_id: str) -> list[Said]:
    """The results of every model in every analysis of the exhibit, the newest analysis first."""
    open_services = services.current()
    records = open_services.store.analyses(exhibit_id=exhibit_id)
    found = []
    for record in sorted(records, key=lambda item: item.record_id, reverse=True):
        try:
            analysis = services.analysis(str(open_services.home), record.record_id)
        except StoreError:
            continue  # the record list says why it cannot be opened
        decisions = model_choice.decisions(analysis)
        found += [Said(record, analysis, result, decisions.get(result.model_id)) for result in analysis.models]
    return found


def names_of(everything: Sequence[Said]) -> list[str]:
    """Unlike each other: the model alone of the newest analysis, of older ones with its time; two analyses of one
    minute differ in the last letters of their ids, two models of one name by their own ids."""
    newest = max(said.record.record_id for said in everything)
    named = Counter((said.record.record_id, said.result.name) for said in everything)
    found = []
    for said in everything:
        record, result = said.record, said.result
        name = result.name if named[record.record_id, result.name] == 1 else f"{result.name} ({result.model_id})"
        if record.record_id != newest:
            name += f" · {record.created_at:%Y-%m-%d %H:%M} · …{record.record_id[-4:]}"
        found.append(name)
    return found


def show_table(shown: Sequence[Said]) -> None:
    """A row a model and analysis: its score, what its thresholds make of it, its tracks, when, with which weights."""
    rows = []
    for index, said in enumerate(shown):
        result = said.result
        score = '<span class="fw-note">' + escaped(result.reason or "no score") + "</span>"
        if result.score is not None:
            score = (
                f'<div class="fw-gauge" role="img" aria-label="score {result.score:.3f}">'
                f'<b style="left:{100 * result.score:.1f}%;--fw-dot:{model_colour(index)}"></b></div>'
            )
        tracks = ", ".join(f"{track.track_id}: {score_text(track.score)}" for track in result.tracks)
        rows.append(
            f'<tr><th scope="row" title="{escaped(result.model_id)}">{escaped(result.name)}'
            f'<div class="fw-note">{escaped(kind_of(result).title)}</div></th>'
            f"<td>{score}</td>"
            f'<td class="fw-num">{score_text(result.score)}</td><td>{escaped(said.call or "–")}</td>'
            f'<td class="fw-note">{escaped(tracks or "–")}</td>'
            f'<td class="fw-note">{said.record.created_at:%Y-%m-%d %H:%M} UTC</td>'
            f'<td class="fw-mono">{escaped(result.weights_sha256[:12])}</td></tr>'
        )
    heads = ("model", "", "score", "by its thresholds", "tracks", "analysed", "weights")
    head = "".join(f"<th{' class=fw-num' if name == 'score' else ''}>{name}</th>" for name in heads)
    st.html(
        f'<div class="fw-scroll"><table class="fw-table"><thead><tr>{head}</tr></thead><tbody>{"".join(rows)}</tbody>'
        "</table></div>"
    )
