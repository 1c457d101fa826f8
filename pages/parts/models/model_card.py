"""One model's card as an examiner reads it: first how good it is and where it fails, then what was measured, how it is
built and what it was trained on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Final

import streamlit as st

from detector.analysis.kinds import kind_of
from detector.analysis.kinds.diagram import Diagram
from detector.analysis.types import sigmoid
from detector.errors import FramewitnessError
from detector.measurement.results import DataPath, Measurement, Results
from detector.measurement.wording import figure_text, main_rows, number_text, place, value_text, words
from detector.registry import (
    ModelCard,
    Standing,
    Thresholds,
    available_models,
    standing,
    weights_dir,
)
from pages.parts.models import block_diagram, reliability_chart
from pages.parts.shared import markup, measurement_table, services
from pages.parts.shared.wording import size_text

_DRAWING_PX = 460
_LONG_TABLE, _SMALL_PX = 16, 330
STANDINGS: Mapping[Standing, str] = {
    "shipped": "Card, weights and held-out scores are those shipped with the program, by its signed list.",
    "changed": "Its card, weights or held-out scores are not those shipped under this name. Restore them, or give a "
    "model of your own a name of its own.",
    "own": "Your own model: it is not among those shipped with the program, so nobody has vouched for its card.",
    "unsigned": "The signed list of the models shipped with the program is missing or damaged. Restore SHA256SUMS and "
    "SHA256SUMS.minisig.",
}
_NOT_CALIBRATED = (
    "Not calibrated. Its scores order faces from less to more suspicious; they are not probabilities, and a score of "
    "0.8 does not mean that 8 in 10 such faces are manipulated."
)
_NEVER = 100.0  # logits that no model reaches: a threshold there is none


def show_summary(card: ModelCard) -> None:
    """What an examiner has to know before anything else: how good it is, on what, and its limits."""
    rows = [replace(row, data=(name,), counts={}, rates={}) for name, row in main_rows(card.results).items()]
    markup.heading("How good it is", "95 % intervals · dashed: chance")
    if rows:
        measurement_table.show(rows)
        markup.note(
            "AUC: of a manipulated and a genuine sample, how often the manipulated one has the higher score; 0.5 is "
            "chance. On other kinds of data it may be another: see Results."
        )
    else:
        _show_unmeasured()
    if not _calibrated(card):
        markup.note(_NOT_CALIBRATED)
    left, right = st.columns([1, 1], gap="large")
    with left:
        _show_limits(card)
    with right:
        markup.heading("Its thresholds", "scores, 0 to 1")
        markup.facts(_decision(card.thresholds))


def show_results(card: ModelCard) -> None:
    """All that was measured, and what the scores are worth."""
    _show_results(card.results)
    _show_calibration(card)


def show_architecture(card: ModelCard) -> None:
    """How it is built, drawn, beside its facts."""
    with st.container(horizontal=True, gap="large"):
        with st.container(width=_DRAWING_PX + 10):
            markup.heading("Architecture")
            drawn = _named(kind_of(card).diagram(card, _shares(card)))
            dark = st.context.theme.type == "dark"
            markup.drawing(block_diagram.svg(drawn, dark=dark, width_px=_DRAWING_PX), drawn.in_words())
        with st.container(width="stretch", key=f"model_facts_{card.model_id}"):
            _show_facts(card)


def _named(drawn: Diagram) -> Diagram:
    """The drawing with the names of other models in place of their ids."""
    names = {one.model_id: one.name for one in available_models()}
    return replace(drawn, blocks=tuple(replace(one, title=names.get(one.title, one.title)) for one in drawn.blocks))


def standing_marks(card: ModelCard) -> list[tuple[str, str, str]]:
    """Icon, colour and word where a model is not known to be one shipped with the program."""
    return {
        "shipped": [],
        "own": [("person", "var(--fw-faint)", "own")],
        "changed": [("warning", "var(--fw-accent)", "changed")],
        "unsigned": [("warning", "var(--fw-accent)", "list not signed")],
    }[standing(card)]


def file_size(card: ModelCard) -> int | None:
    """Bytes of the weights file, None where it is missing."""
    path = weights_dir() / card.weights_file
    return path.stat().st_size if path.is_file() else None


def _show_facts(card: ModelCard) -> None:
    markup.heading("Facts")
    size, thresholds = file_size(card), card.thresholds
    limits = [thresholds.no_manipulation_logit, thresholds.likely_manipulated_logit]
    rows = [
        ("Model", card.title),
        ("Id", card.model_id),
        ("Kind", kind_of(card).title),
        ("Comes from", STANDINGS[standing(card)]),
        ("Parameters", f"{card.parameters:,}"),
        ("Input", kind_of(card).input_text(card)),
        ("Thresholds, as logits", " and ".join(f"{limit:+.2f}" for limit in limits if abs(limit) < _NEVER) or "none"),
        ("Weights", card.weights_file),
        ("File size", "missing" if size is None else size_text(size)),
        ("Weights SHA-256", card.weights_sha256),
        ("Licence", card.licence),
    ]
    markup.facts(rows, mono=("Id", "Weights", "Weights SHA-256"))


def _decision(thresholds: Thresholds) -> list[tuple[str, str]]:
    return [
        ("Likely manipulated from", _threshold(thresholds.likely_manipulated_logit)),
        ("No manipulation found to", _threshold(thresholds.no_manipulation_logit)),
        *_within_tracks(thresholds),
        ("Thresholds set on", thresholds.basis),
    ]


def _within_tracks(thresholds: Thresholds) -> list[tuple[str, str]]:
    """The levels for parts of a track, where the card has them."""
    levels = {
        "A second or more of a track likely manipulated from": thresholds.run_logit,
        "Moments to look at from": thresholds.peak_logit,
    }
    rows = [(name, _threshold(logit)) for name, logit in levels.items() if logit is not None]
    return rows + ([("These set on", thresholds.within_track_basis)] if thresholds.within_track_basis else [])


def _threshold(logit: float) -> str:
    if abs(logit) >= _NEVER:
        return "never: the model does not say so"
    return f"{sigmoid(logit):.3f}"


def _show_limits(card: ModelCard) -> None:
    if card.limits:
        markup.heading("Limits")
        markup.bullets(card.limits)


def _show_results(results: Results) -> None:
    if not results:
        markup.heading("Results")
        _show_unmeasured()
        return
    for path, rows in results.groups().items():
        with _section(f"Results · {place(path)}" if path else "Results", len(rows), "95 % intervals · dashed: chance"):
            measurement_table.show(rows, below=len(path))
    small = [table for table in results.tables if len(table.rows) <= _LONG_TABLE and len(table.columns) < 3]
    with st.container(horizontal=True, gap="medium"):
        for table in small:
            with st.container(width=_SMALL_PX):
                markup.heading(place(table.data))
                measurement_table.show_other(table)
    for table in (table for table in results.tables if table not in small):
        with _section(f"Results · {place(table.data)}", len(table.rows), ""):
            measurement_table.show_other(table)
    for path, facts in _facts(results).items():
        markup.heading(f"How it was measured · {place(path)}" if path else "How it was measured")
        markup.facts(facts)


def _show_unmeasured() -> None:
    markup.empty("straighten", "Nothing measured", "This card carries no results, so nothing is known of its errors.")


def _facts(results: Results) -> dict[DataPath, list[tuple[str, str]]]:
    """Facts, and measured shares that are no AUC, by where they stand."""
    grouped: dict[DataPath, list[tuple[str, str]]] = {}
    for row in results.measurements:
        if row.what not in ("auc", "ece"):
            grouped.setdefault(row.data, []).append((words(row.what), value_text(row)))
    for fact in results.facts:
        text = f"{number_text(fact.value)} {fact.unit}".rstrip()
        grouped.setdefault(fact.data[:-1], []).append((words(fact.data[-1]), text))
    return grouped


@contextmanager
def _section(title: str, rows: int, aside: str) -> Iterator[None]:
    """A heading for a short table; a long one stays folded until it is asked for."""
    if rows > _LONG_TABLE:
        with st.expander(f"{markup.plain(title)}: {rows} rows"):
            yield
        return
    markup.heading(title, aside)
    yield


def _show_calibration(card: ModelCard) -> None:
    markup.heading("Calibration", "does a score of 0.8 mean 8 in 10?")
    found = _calibrated(card)
    if not found:
        markup.note(_NOT_CALIBRATED)
        return
    shown = sorted(found, key=lambda row: row.data[0] != "cross_validated")
    _draw_calibration(card, shown[:2])
    if len(shown) > 2:
        with st.expander(f"Calibration on other data: {len(shown) - 2}"):
            _draw_calibration(card, shown[2:])
    markup.note(
        "Points on the dashed line mean what they say; above it more was manipulated than the score tells, below it "
        "less. Genuine and manipulated weigh alike, however many there were of each. Larger points rest on more cases."
    )


def _calibrated(card: ModelCard) -> list[Measurement]:
    return [row for row in card.results.measurements if row.calibration is not None]


def _draw_calibration(card: ModelCard, found: Sequence[Measurement]) -> None:
    with st.container(horizontal=True, gap="large"):
        for row in found:
            if row.calibration is None:
                continue
            on = place(row.data)
            with st.container(width=440):
                markup.heading(on)
                st.plotly_chart(
                    reliability_chart.figure(row.calibration),
                    key=f"reliability_{card.model_id}_{on}",
                    width="content",
                    config={"displayModeBar": False},
                )
                markup.facts([("Expected calibration error", number_text(row.calibration.ece))])


def show_training(card: ModelCard) -> None:
    """What it was trained on, and how."""
    if not card.training:
        markup.empty("monitoring", "Nothing told", "This card does not say what the model was trained on.")
        return
    markup.heading("Training")
    counted = {name: value for name, value in card.training.items() if "_by_" in name and _is_counts(value)}
    loose = {name: value for name, value in card.training.items() if name not in counted}
    with st.container(horizontal=True, gap="large"):
        with st.container(width=520):
            markup.facts(markup.flatten(loose))
        with st.container(width=430):
            for name, values in counted.items():
                measurement_table.show_counts(words(name), values)


def _is_counts(value: Any) -> bool:
    return isinstance(value, Mapping) and bool(value) and all(isinstance(item, int) for item in value.values())


def _shares(card: ModelCard) -> tuple[float, ...]:
    """An ensemble's shares with every member present and undecided, those aside that may only raise its result; empty
    where they cannot be had."""
    if card.inputs.get("method") == "noisy_or":  # whoever is loudest has the share: it is another in each file
        return ()
    members = card.inputs.get("members", [])
    if not members:
        return ()
    import numpy as np

    from detector.registry import EnsembleModel, expect

    try:
        model = services.model(card.model_id, card.weights_sha256)
        present = np.ones((1, len(members)), bool)
        present[:, list(card.architecture.get("one_sided", ()))] = False
        shares = expect(model, EnsembleModel).fuse(np.zeros((1, len(members))), present)[1][0]
    except FramewitnessError:
        return ()
    return tuple(float(share) for share in shares)


def headline(card: ModelCard) -> str:
    """The figures that stand for the card, each with its data and size, or that there are none."""
    rows = main_rows(card.results)
    return " · ".join(figure_text(row, name) for name, row in rows.items()) or "nothing measured"


# By their names, the first for who reads no more.
PARTS: Final[Mapping[str, Callable[[ModelCard], None]]] = {
    "Summary": show_summary,
    "Results": show_results,
    "Architecture": show_architecture,
    "Training": show_training,
}
