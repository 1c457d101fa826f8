"""Training runs: what was trained in a folder of this machine, how it went, what its data gave away."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import streamlit as st

from detector.evidence.text import revealed
from pages.parts.shared import address, markup, measurement_table
from pages.parts.shared.wording import RUN_STATES
from pages.parts.training import run_charts, run_files, run_report
from pages.parts.training.run_files import Run, RunsError

_PLOT_CONFIG = {"displayModeBar": False}


def render() -> None:
    """Show the page: the runs in a folder of this machine."""
    text = _choose_folder()
    if not text:
        markup.empty(
            "monitoring",
            "No folder of training runs",
            f"Type the path of a folder above, or start the program with {run_files.VARIABLE} set to one. "
            "python -m detector train writes such runs.",
        )
        return
    try:
        folder = run_files.open_folder(text)
        names = run_files.list_runs(folder)
    except RunsError as error:
        markup.problem("These runs cannot be shown", str(error))
        return
    runs = _read(folder, names)
    if not runs:
        return
    wanted = address.read().run
    shown = runs.get(wanted or "") or next(iter(runs.values()))
    left, right = st.columns([2, 6], gap="large")
    with left.container(key="run_list"):
        markup.heading("Runs", f"{len(runs)}, newest first")
        for name, run in runs.items():
            _show_line(name, run, chosen=run is shown)
    with right:
        if wanted is not None and wanted not in runs:
            markup.problem("There is no such run", f"{wanted} is not in this folder; {shown.name} is shown instead.")
        _show_run(shown, runs)


def _choose_folder() -> str:
    """The folder typed in, else the address's, else the environment's."""
    known = address.read().runs or run_files.named_folder()
    if "training_folder" not in st.session_state:
        st.session_state["training_folder"] = known
    return st.text_input(
        "Folder of training runs",
        key="training_folder",
        placeholder="/path/to/runs",
        icon=":material/folder:",
        on_change=lambda: address.go(replace(address.read(), runs=st.session_state["training_folder"], run=None)),
    ).strip()


def _read(folder: Path, names: list[str]) -> dict[str, Run]:
    runs = {}
    for name in names:
        try:
            runs[name] = run_files.read(folder, name)
        except RunsError as error:
            markup.problem(f"{name} is left out", str(error))
    return runs


def _show_line(name: str, run: Run, *, chosen: bool) -> None:
    with st.container(border=True, gap=None, key=f"run_line_{name}"):
        st.button(
            markup.plain(run.name),
            key=f"open_run_{name}",
            type="tertiary",
            icon=":material/arrow_right:" if chosen else ":material/show_chart:",
            on_click=lambda: address.go(replace(address.read(), run=name)),
        )
        state = RUN_STATES.get(run.state)
        if state is not None:
            markup.states([(state[1], "var(--fw-blue)", state[0])])
        if run.title != run.name:
            markup.note(run.title)
        markup.note(_in_brief(run))


def _in_brief(run: Run) -> str:
    parts = [f"{len(run.columns[run.axis])} rows" if run.axis != "epoch" else f"{len(run.columns['epoch'])} epochs"]
    if (minutes := run.last("minutes")) is not None:
        parts.append(f"{minutes:.0f} min")
    if (auc := run.at_best("auc")) is not None:
        parts.append(f"AUC {auc:.3f} at its best epoch")
    if run.leakage.get("warnings"):
        parts.append("leakage warning")
    return " · ".join(parts)


def _show_run(run: Run, runs: dict[str, Run]) -> None:
    markup.title(run.title, str(run.folder))
    for problem in run.problems:
        markup.problem("A file of this run cannot be read", problem)
    curves, report, leakage, config, compare = st.tabs(["Curves", "Report", "Leakage", "Config", "Compare"])
    with curves:
        _show_curves(run)
    with report:
        run_report.show(run)
    with leakage:
        run_report.show_leakage(run)
    with config:
        if run.config_text:
            st.code(run.config_text, language="yaml")
        else:
            markup.empty("tune", "No config", "Neither a YAML file nor a run.json with one lies in the run's folder.")
    with compare:
        _compare(run, runs)


def _show_curves(run: Run) -> None:
    panels = run_charts.panels(run)
    for start in range(0, len(panels), 2):
        for column, panel in zip(st.columns(2, gap="medium"), panels[start : start + 2], strict=False):
            with column:
                markup.heading(panel.title)
                st.plotly_chart(
                    run_charts.of_run(run, panel), key=f"curve_{run.name}_{panel.title}", config=_PLOT_CONFIG
                )


def _compare(run: Run, runs: dict[str, Run]) -> None:
    others = {name: other for name, other in runs.items() if other is not run}
    if not others:
        markup.empty("compare", "Nothing to compare with", "This folder holds one run only.")
        return
    chosen = st.multiselect(
        "Compare with",
        list(others),
        default=_likest(run, others),
        format_func=revealed,
        key=f"training_compare_{run.name}",
    )
    compared = [run, *(others[name] for name in chosen)]
    columns = [name for panel in run_charts.panels(run) for name in panel.columns]
    shared = [name for name in columns if all(name in other.columns for other in compared)]
    with st.container(horizontal=True, vertical_alignment="bottom"):
        offered = shared or columns
        preferred = next((name for name in ("auc", "validation_loss", "loss") if name in offered), offered[0])
        column = st.selectbox(
            "Curve",
            offered,
            index=offered.index(preferred),
            format_func=run_charts.label,
            key="training_curve",
            width=280,
        )
        timed = all("minutes" in other.columns for other in compared)
        alike = all(other.axis == run.axis for other in compared)
        offered_axes = [run.axis] * (alike or not timed) + ["minutes"] * timed
        over = st.segmented_control("Over", offered_axes, default=offered_axes[0], required=True, key="training_over")
    st.plotly_chart(run_charts.of_runs(compared, column, over=over), key=f"compared_{run.name}", config=_PLOT_CONFIG)
    rows = {name: dict(run_report.outcome(other)) for name, other in zip(_names(compared), compared, strict=True)}
    facts = list(dict.fromkeys(fact for row in rows.values() for fact in row))
    measurement_table.show_text(
        "", list(rows), [(fact, [row.get(fact, "–") for row in rows.values()]) for fact in facts]
    )
    markup.note("Two runs can be compared on a figure only where they were validated on the same samples.")


def _likest(run: Run, others: dict[str, Run]) -> list[str]:
    """The other run that logs the most of the same columns."""
    return [max(others, key=lambda name: len(run.columns.keys() & others[name].columns.keys()))]


def _names(runs: list[Run]) -> list[str]:
    return [run.name if [other.name for other in runs].count(run.name) == 1 else str(run.folder) for run in runs]
