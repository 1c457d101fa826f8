"""Models side by side on a data set whose truth is known: figures, a paired test, a scatter, differing videos."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path

import pandas as pd
import streamlit as st

from detector.errors import ModelError
from detector.measurement.binary import BinaryMetrics, intervals, measure_binary
from detector.measurement.metrics import rank_auc
from detector.measurement.paired import AucComparison, PairedDifference, delong, paired_bootstrap
from detector.measurement.results import LEAST_FOR_AUC
from detector.measurement.thresholds import Thresholds
from pages.parts.compare import differing_files, score_files, score_scatter
from pages.parts.compare.score_files import ScoredSet, ScoresError
from pages.parts.models import model_choice
from pages.parts.shared import actor, address, folders, markup, measurement_table, services, withholding
from pages.parts.shared.address import Place
from pages.parts.shared.folders import FolderError

_PLOT_CONFIG = {"displayModeBar": False, "scrollZoom": False}
_FIRST_SHOWN = 4
_WIDE = 0.9  # of the files that the model with the most scores scored
_FIGURES = {
    "roc_auc": "ROC-AUC",
    "pr_auc": "PR-AUC",
    "balanced_accuracy": "balanced accuracy",
    "recall": "recall",
    "specificity": "specificity",
    "eer": "equal error rate",
    "tpr_at_fpr_5": "found at 5 % false alarms",
    "brier": "Brier score",
    "cllr": "Cllr, bits",
}
_FITTED = {"ece": "ECE", "mce": "MCE", "cllr_min": "Cllr_min, bits", "cllr_cal": "Cllr_cal, bits"}


def show() -> None:
    """Let the user name a folder and models, and show what two or more of them did on the files all of them scored."""
    text = _choose_folder()
    if not text:
        markup.empty(
            "dataset",
            "No evaluation is chosen",
            "Type the folder that python -m detector evaluate PATH --out FOLDER wrote, or start the program with "
            f"{score_files.VARIABLE} set to it.",
        )
        return
    try:
        folder = folders.open_folder(text, score_files.VARIABLE, "an evaluation")
        scored = score_files.read(folder).without(services.current().store.statements.withheld_files(actor.name()))
    except (FolderError, ScoresError) as error:
        markup.problem("These scores cannot be compared", str(error))
        return
    if scored.left_out:
        markup.outcome(
            "visibility_off",
            "var(--fw-faint)",
            withholding.WORDS,
            f"{scored.left_out} of the files are exhibits of blind-first cases on which you have given no opinion; "
            "they are left out.",
        )
    models = scored.models
    if len(models) < 2:
        markup.empty(
            "compare", "Fewer than two models have scores", "Evaluate the same files with more than one model."
        )
        return
    chosen = st.multiselect(
        "Models",
        models,
        default=opening(scored),
        key=f"compare_set_models_{folder}",
    )
    if len(chosen) < 2:
        markup.empty("compare", "Choose two models or more", "Pick them in the list above.")
        return
    _compare(scored, chosen, _thresholds(chosen, folder))


def opening(scored: ScoredSet) -> list[str]:
    """The models to begin with: what one of them did not score counts for none, so those that say nothing of many files
    wait until they are asked for."""
    counts = scored.logits[scored.models].notna().sum()
    wide = [name for name in scored.models if counts[name] >= _WIDE * counts.max()]
    models = wide if len(wide) > 1 else scored.models
    return model_choice.preselected({name: name for name in models}, _FIRST_SHOWN)


def _choose_folder() -> str:
    """The folder typed in, else the address's, else the environment's."""
    key = "compare_folder"
    if key not in st.session_state:
        st.session_state[key] = address.read().evaluation or folders.named_folder(score_files.VARIABLE)
    return st.text_input(
        "Folder of an evaluation",
        key=key,
        placeholder="/path/to/evaluation",
        icon=":material/folder:",
        on_change=lambda: address.go(Place(evaluation=st.session_state[key])),
    ).strip()


def _compare(scored: ScoredSet, models: Sequence[str], limits: Mapping[str, Thresholds]) -> None:
    common = scored.common(models)
    fakes, real = int(common.fake.sum()), int((~common.fake).sum())
    markup.heading("Figures", f"{real} genuine and {fakes} manipulated files that all of them scored")
    left = len(scored.files) - len(common.files)
    if left:
        own = ", ".join(f"{name} {int(scored.logits[name].notna().sum())}" for name in models)
        markup.note(f"{left} of {len(scored.files)} files lack a score of one of them and count for none: {own}.")
    if min(fakes, real) < LEAST_FOR_AUC:
        markup.empty(
            "groups",
            "Too few files to measure",
            f"Expected {LEAST_FOR_AUC} of either label that every chosen model scored. Choose other models, or "
            "evaluate more files.",
        )
        return
    _show_figures(common, models, limits)
    _show_pairs(common, models)
    _show_scatter(common, models, limits)


def _thresholds(models: Sequence[str], folder: Path) -> dict[str, Thresholds]:
    """As the evaluation used them; of the installed cards by those names where it does not say."""
    used = score_files.thresholds(folder)
    try:
        known = {card.model_id: card.thresholds for card in model_choice.cards()}
    except ModelError as error:
        markup.problem("The installed models cannot be listed", str(error))
        known = {}
    known |= used
    return {name: known[name] for name in models if name in known}


def _show_figures(common: ScoredSet, models: Sequence[str], limits: Mapping[str, Thresholds]) -> None:
    with st.spinner("Drawing the intervals…"):
        measured = [
            _measured(
                tuple(common.fake.tolist()),
                tuple(common.column(name).tolist()),
                tuple(common.groups.tolist()),
                limits[name].likely_manipulated_logit if name in limits else 0.0,
            )
            for name in models
        ]
    rows = [
        (words, [_figure(getattr(found, name), spans.get(name)) for found, spans in measured])
        for name, words in (_FIGURES | _FITTED).items()
    ]
    measurement_table.show_text("", list(models), rows)
    unknown = [name for name in models if name not in limits]
    markup.note(
        f"With 95 % intervals by bootstrap over {len(set(common.groups.tolist()))} groups. Balanced accuracy, recall "
        "and specificity: called manipulated from each model's own threshold on"
        + (f" (score 0.5 for {', '.join(unknown)}, not installed)" if unknown else "")
        + ". Cllr, Brier and ECE take logits for natural log-likelihood ratios and scores for probabilities."
    )


def _figure(value: float | None, interval: tuple[float, float] | None) -> str:
    if value is None:
        return "–"
    return f"{value:.3f}" + ("" if interval is None else f" ({interval[0]:.2f} to {interval[1]:.2f})")


@st.cache_data(show_spinner=False, max_entries=50)
def _measured(
    fake: tuple[bool, ...], logits: tuple[float, ...], groups: tuple[str, ...], threshold_logit: float
) -> tuple[BinaryMetrics, Mapping[str, tuple[float, float] | None]]:
    found = measure_binary(fake, logits, threshold_logit=threshold_logit)
    return found, intervals(fake, logits, groups, figures=tuple(_FIGURES), threshold_logit=threshold_logit)


def _show_pairs(common: ScoredSet, models: Sequence[str]) -> None:
    markup.heading("Paired tests", "ROC-AUC of the first less that of the second, on the same files")
    rows = []
    for first, second in combinations(models, 2):
        test, by_group = _paired(
            tuple(common.fake.tolist()),
            tuple(common.column(first).tolist()),
            tuple(common.column(second).tolist()),
            tuple(common.groups.tolist()),
        )
        rows.append((f"{first} less {second}", [*_told(test, by_group), _verdict(first, second, by_group)]))
    measurement_table.show_text("", ["difference, bootstrap by group", "DeLong's test", "what follows"], rows)
    markup.note(
        "The bootstrap draws whole groups again, the same for both; DeLong's test takes files for independent. With "
        "many pairs one in twenty differs by chance."
    )


@st.cache_data(show_spinner=False, max_entries=200)
def _paired(
    fake: tuple[bool, ...], first: tuple[float, ...], second: tuple[float, ...], groups: tuple[str, ...]
) -> tuple[AucComparison, PairedDifference]:
    drawn = paired_bootstrap(
        fake,
        first,
        second,
        pd.Series(groups).to_numpy(str),
        lambda labels, logits: rank_auc(labels.astype(int), logits),
    )
    return delong(fake, first, second), drawn


def _told(test: AucComparison, by_group: PairedDifference) -> list[str]:
    span = "no interval: too few groups"
    if by_group.interval is not None:
        span = f"{by_group.interval[0]:+.3f} to {by_group.interval[1]:+.3f}"
    p_value = "no variance to test by" if test.p_value is None else f"p = {test.p_value:.2g}"
    return [f"{by_group.difference:+.3f} ({span})", p_value]


def _verdict(first: str, second: str, by_group: PairedDifference) -> str:
    if by_group.interval is None or by_group.interval[0] <= 0 <= by_group.interval[1]:
        return "not told apart"
    return f"{first if by_group.difference > 0 else second} ranks better"


def _show_scatter(common: ScoredSet, models: Sequence[str], limits: Mapping[str, Thresholds]) -> None:
    markup.heading("Two models, file by file", "logits · lines: each model's own thresholds")
    left, right = st.columns(2, gap="small")
    first = left.selectbox("Across", list(models), key="compare_across")
    others = [name for name in models if name != first]
    second = right.selectbox("Upwards", others, key=f"compare_upwards_{first}")
    chart, table = st.columns([2, 3], gap="medium")
    with chart:
        st.plotly_chart(score_scatter.figure(common, first, second, limits), key="compare_scatter", config=_PLOT_CONFIG)
    with table:
        differing_files.show(common, first, second, limits)
