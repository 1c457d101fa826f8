"""The parts of the Analyses page: models side by side, one model, the clips, the roadmap, two runs."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from detector.analysis.types import Cue
from detector.measurement.results import Measurement
from detector.measurement.wording import NOT_MEASURED, number_text, words
from detector.training.analyses.documents import PARTS, Contrast, Figure, ModelAnalysis, Recommendation, Roadmap
from pages.parts.analyses import charts
from pages.parts.analyses.analysis_files import Analyses
from pages.parts.shared import markup, measurement_table
from pages.parts.shared.markup import escaped
from pages.parts.shared.wording import PRIORITIES

_PLOT = {"displayModeBar": False}
_MISCALLED = 12
_GROUPED = 1000
_UNITS = ("deg", "k", "s", "px")


def show_overview(found: Analyses) -> None:
    """Priorities, accuracies, bias and findings of all cues there are."""
    models = list(found.models.values())
    _show_models(found)
    with st.container(horizontal=True, gap="large"):
        with st.container(width=600):
            markup.heading("Accuracy", "95 % intervals · dashed: limits of HIGH and MEDIUM")
            st.plotly_chart(charts.accuracies(models), key="analyses_accuracy", config=_PLOT)
        with st.container(width=600):
            markup.heading("Bias", "accuracy on genuine minus on manipulated clips · dashed: 30 points")
            st.plotly_chart(charts.biases(models), key="analyses_bias", config=_PLOT)
    if found.summary is not None:
        markup.heading("Findings")
        markup.bullets(found.summary.findings)
        if found.summary.recommendations:
            markup.heading("What presses most", f"of {len(found.summary.recommendations)}, the first of each model")
            first: dict[Cue, Recommendation] = {}
            for row in found.summary.recommendations:
                first.setdefault(row.cue, row)
            _recommended(list(first.values()), with_cue=True)


def _show_models(found: Analyses) -> None:
    weights = {one.cue: one.ensemble_weight for one in found.comprehensive.models} if found.comprehensive else {}
    rows = []
    for cue, one in found.models.items():
        cells = [one.accuracy.overall, one.accuracy.real, one.accuracy.fake]
        numbers = "".join(_cell(_percent(cell), cell) for cell in cells)
        weight = weights.get(cue)
        rows.append(
            f'<tr><th scope="row"><b>{escaped(cue)}</b> {escaped(one.title)}'
            f'<div class="fw-note">{escaped(one.model_id)}</div></th><td>{_priority(one)}</td>{numbers}'
            f"{_cell(_points(one.bias_points), one.bias_points)}"
            f"{_cell(_number(one.accuracy.auc, 2), one.accuracy.auc)}"
            f"{_cell(_percent(one.mean_confidence), one.mean_confidence)}"
            f"{_cell(_percent(one.consistency), one.consistency)}"
            f"{_cell(_number(weight, 2), weight) if weight else '<td></td>'}</tr>"
        )
    heads = ("all clips", "genuine", "manipulated", "bias, points", "AUC", "confidence", "consistency", "vote's weight")
    head = "".join(f'<th scope="col" class="fw-num">{name}</th>' for name in heads)
    st.html(
        markup.scrolling(
            '<table class="fw-table" aria-label="Specialists"><thead><tr><td></td><th scope="col">priority</th>'
            f"{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>",
            "Specialists",
        )
    )
    markup.note("A dash is a figure that these clips do not allow; its cell says why when the pointer rests on it.")


def _priority(one: ModelAnalysis) -> str:
    word, icon, colour = PRIORITIES[one.priority.level]
    reasons = escaped("; ".join(one.priority.reasons))
    return (
        f'<span class="fw-state">{markup.icon(icon, colour)} {escaped(word)}</span><div class="fw-note">{reasons}</div>'
    )


def _cell(text: str, figure: Figure) -> str:
    why = figure.reason or f"n {figure.n}"
    return f'<td class="fw-num" title="{escaped(why)}">{escaped(text)}</td>'


def _percent(figure: Figure) -> str:
    return NOT_MEASURED if figure.value is None else f"{figure.value:.1%}"


def _points(figure: Figure) -> str:
    return NOT_MEASURED if figure.value is None else f"{figure.value:+.1f}"


def _number(figure: Figure | None, places: int) -> str:
    return NOT_MEASURED if figure is None or figure.value is None else f"{figure.value:.{places}f}"


def show_model(found: Analyses) -> None:
    """One cue in full: its figures, what it measures on genuine and manipulated clips, and what follows."""
    cue = st.segmented_control(
        "Specialist", list(found.models), default=next(iter(found.models)), required=True, key="analyses_cue"
    )
    one = found.models[cue or next(iter(found.models))]
    word, icon, colour = PRIORITIES[one.priority.level]
    markup.outcome(icon, colour, f"{one.title}: priority {word.lower()}", "; ".join(one.priority.reasons))
    with st.container(horizontal=True, gap="large"):
        with st.container(width=440):
            markup.heading("Figures", f"{one.scored} clips with a score")
            markup.facts(_figures(one))
            if one.unscored:
                markup.heading("Clips without a score")
                markup.facts((f"{count}", reason) for reason, count in one.unscored.items())
        with st.container(width=760):
            markup.heading("What the rules recommend")
            _show_recommendations(one)
    markup.heading("What the cue measures", "genuine beside manipulated clips; AUC of the measure alone")
    _contrasts(one.measurements)
    markup.heading("Video characteristics", "of the clips with a score")
    _contrasts(one.video_characteristics)
    if one.channels:
        with st.expander(f"The specialist's own {len(one.channels)} channels"):
            _contrasts(one.channels)
    if one.miscalled:
        more = len(one.miscalled) - _MISCALLED
        markup.heading("Called wrongly", f"{len(one.miscalled)}, the surest first")
        rows = [
            (row.file, ["genuine" if row.label == "real" else "manipulated", f"{row.score:.3f}"])
            for row in one.miscalled[:_MISCALLED]
        ]
        measurement_table.show_text("", ["in truth", "score"], rows)
        if more > 0:
            markup.note(f"{more} more are in the file.")


def _figures(one: ModelAnalysis) -> list[tuple[str, str]]:
    shares = (("Accuracy", "overall"), ("on genuine", "real"), ("on manipulated", "fake"), ("balanced", "balanced"))
    rows = [(name, _with_interval(getattr(one.accuracy, field))) for name, field in shares]
    auc = one.accuracy.auc
    interval = "" if auc.interval is None else f" ({auc.interval[0]:.2f} to {auc.interval[1]:.2f})"
    return [
        *rows,
        ("AUC", f"{_number(auc, 2)}{interval}"),
        ("Bias", f"{_points(one.bias_points)} points"),
        ("Mean confidence", _percent(one.mean_confidence)),
        ("Consistency over frames", one.consistency.reason or _percent(one.consistency)),
        ("All called", {"real": "genuine", "fake": "manipulated"}.get(one.called_all or "", "no, both occur")),
        ("Model", one.model_id),
    ]


def _with_interval(figure: Figure) -> str:
    if figure.value is None:
        return figure.reason or NOT_MEASURED
    interval = "" if figure.interval is None else " ({:.0%} to {:.0%})".format(*figure.interval)
    return f"{figure.value:.1%}{interval}, n {figure.n}"


def _show_recommendations(one: ModelAnalysis) -> None:
    if not one.recommendations.all():
        markup.note("No rule applies to these figures.")
    for part in PARTS:
        rows = getattr(one.recommendations, part)
        if rows:
            markup.heading(words(part).capitalize())
            _recommended(rows, with_cue=False)


def _recommended(rows: Sequence[Recommendation], *, with_cue: bool) -> None:
    items = "".join(
        f"<li>{f'<b>{escaped(row.cue)}</b> ' if with_cue else ''}{escaped(row.text)}"
        f'<div class="fw-note">{escaped(row.because)} · rule {escaped(words(row.rule))}</div></li>'
        for row in rows
    )
    st.html(f'<ul class="fw-bullets">{items}</ul>')


def _contrasts(rows: Sequence[Contrast]) -> None:
    body = []
    for row in rows:
        unit = f" ({row.unit})" if row.unit else ""
        auc = Measurement((row.name,), row.auc.value, n_real=row.real_mean.n, n_fake=row.fake_mean.n)
        bar = measurement_table.interval_bar(auc)
        body.append(
            f'<tr><th scope="row">{escaped(_named(row))}<div class="fw-note">{escaped(row.meaning + unit)}</div>'
            f"</th>{_cell(_value(row.real_mean), row.real_mean)}{_cell(_value(row.fake_mean), row.fake_mean)}"
            f'<td><div class="fw-measure" title="{escaped(row.auc.reason or "")}">{bar}<span>{_number(row.auc, 2)}'
            "</span></div></td></tr>"
        )
    means = "".join(f'<th scope="col" class="fw-num">{label}, mean</th>' for label in ("genuine", "manipulated"))
    head = f'<td></td>{means}<th scope="col">AUC</th>'
    st.html(
        markup.scrolling(
            f'<table class="fw-table" aria-label="Measures"><thead><tr>{head}</tr></thead>'
            f"<tbody>{''.join(body)}</tbody></table>",
            "Measures",
        )
    )


def _value(figure: Figure) -> str:
    large = figure.value is not None and abs(figure.value) >= _GROUPED
    return f"{figure.value:,.0f}" if large else number_text(figure.value)


def _named(row: Contrast) -> str:
    """A measure's name without the unit it ends in, which stands beside its meaning."""
    stem, _, end = row.name.rpartition("_")
    return words(stem if stem and end in _UNITS else row.name)


def show_clips(found: Analyses) -> None:
    """The clips behind the figures: how many, their characteristics, where cues agree, what all miss."""
    counts = found.data.clips
    with st.container(horizontal=True, gap="large"):
        with st.container(width=520):
            markup.heading("Clips")
            markup.facts(
                [
                    ("Genuine", str(counts.real)),
                    ("Manipulated", str(counts.fake)),
                    ("Left out", f"{counts.left_out}, which a model was fitted to"),
                    ("Could not be examined", str(len(counts.problems))),
                    ("List, SHA-256", found.data.list_sha256),
                ],
                mono=("List, SHA-256",),
            )
            if counts.problems:
                markup.bullets(f"{file}: {why}" for file, why in counts.problems.items())
        with st.container(width=680):
            whole = found.comprehensive
            if whole is None:
                markup.empty("join", "No comparison", "comprehensive_model_analysis.json is not in this folder.")
            else:
                markup.heading("Agreement", "share of clips that two cues call alike")
                markup.facts(
                    (f"{row.cue} and {row.other}", row.share.reason or f"{_percent(row.share)}, n {row.share.n}")
                    for row in whole.agreement
                )
    if found.comprehensive is not None:
        markup.heading("Video characteristics", "of all clips")
        _contrasts(found.comprehensive.video_characteristics)
        if found.comprehensive.missed_by_all:
            markup.heading("Called wrongly by every cue with a score", str(len(found.comprehensive.missed_by_all)))
            markup.bullets(found.comprehensive.missed_by_all)


def show_roadmap(roadmap: Roadmap | None) -> None:
    """The five phases with their steps, each beside the finding it rests on."""
    if roadmap is None:
        markup.empty("route", "No roadmap", "training_roadmap.json is not in this folder: analyses run writes it.")
        return
    for number, phase in enumerate(roadmap.phases, 1):
        markup.heading(f"{number} · {phase.title}", f"{len(phase.steps)} steps" if phase.steps else "")
        if not phase.steps:
            markup.note(phase.reason or "")
            continue
        rows = "".join(
            f'<tr><th scope="row"><b>{escaped(step.cue or "all")}</b> {escaped(step.finding)}</th>'
            f"<td>{escaped(step.measured)}</td><td>{escaped(step.action)}</td></tr>"
            for step in phase.steps
        )
        st.html(
            markup.scrolling(
                '<table class="fw-table fw-wide" aria-label="Steps"><thead><tr><th scope="col">finding</th>'
                f'<th scope="col">measured</th><th scope="col">to do</th></tr></thead><tbody>{rows}</tbody></table>',
                "Steps",
            )
        )


def show_beside(found: Analyses, other: Analyses) -> None:
    """The same cues in two runs, with the difference of each figure."""
    if found.data.list_sha256 != other.data.list_sha256:
        markup.problem(
            "Not the same clips",
            f"This run has {found.data.clips.examined} clips, the other {other.data.clips.examined}, and the lists "
            "differ: differences may be those of the clips.",
        )
    shared = [cue for cue in found.models if cue in other.models]
    if not shared:
        markup.empty("compare", "Nothing in common", "The two folders have no specialist in common.")
        return
    pairs = [(found.models[cue], other.models[cue]) for cue in shared]
    markup.heading("Balanced accuracy", "hollow: the other run · filled: this run · dotted: chance")
    st.plotly_chart(
        charts.beside([one for one, _ in pairs], [one for _, one in pairs]), key="analyses_beside", config=_PLOT
    )
    titles = ["accuracy", "genuine", "manipulated", "bias, points", "AUC", "priority"]
    rows = [
        (
            f"{one.cue} · {one.title}",
            [
                *(
                    _change(getattr(before.accuracy, field), getattr(one.accuracy, field), scale=100, unit=" %")
                    for field in ("overall", "real", "fake")
                ),
                _change(before.bias_points, one.bias_points),
                _change(before.accuracy.auc, one.accuracy.auc, places=2),
                f"{PRIORITIES[before.priority.level][0]} → {PRIORITIES[one.priority.level][0]}",
            ],
        )
        for one, before in pairs
    ]
    measurement_table.show_text("the other run → this run", titles, rows)
    markup.note("A difference within the intervals of either run cannot be told from luck.")


def _change(before: Figure, after: Figure, *, scale: float = 1, places: int = 1, unit: str = "") -> str:
    if before.value is None or after.value is None:
        known = [
            NOT_MEASURED if one.value is None else f"{scale * one.value:.{places}f}{unit}" for one in (before, after)
        ]
        return " → ".join(known)
    old, new = scale * before.value, scale * after.value
    return f"{old:.{places}f} → {new:.{places}f}{unit} ({new - old:+.{places}f})"
