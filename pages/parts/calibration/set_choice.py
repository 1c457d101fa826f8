"""Which calibration set is in force, since when and by whom; choosing another, and making one of closed cases."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import NamedTuple

import streamlit as st

from detector.calibration.calibration import Policy
from detector.calibration.in_force import SHIPPED_NAME, Choice, keep_set
from detector.calibration.sets import CalibrationSet
from detector.cases.calibration_cases import CaseSet
from detector.errors import CalibrationError, FramewitnessError
from detector.registry import CALIBRATIONS_VARIABLE, set_folders
from pages.parts.cases import custody_log
from pages.parts.models import model_choice
from pages.parts.shared import actor, markup, services

_SHIPPED = "As shipped, with the thresholds of the cards"
_UPLOAD = "A file of yours"
_KEPT, _MADE = "set_choice_kept", "set_of_cases_made"


class _Known(NamedTuple):
    path: Path
    of: CalibrationSet

    @property
    def title(self) -> str:
        clips = self.of.table["sha256"].nunique()
        return f"{self.of.name}: {clips:,} clips, {len(self.of.made_by)} models, SHA-256 {self.of.sha256[:12]}…"


def show() -> None:
    """The set in force in one line, and below it, folded, what changes it."""
    store = services.current().store
    try:
        markup.note(_in_force(store.calibration.in_force()))
    except CalibrationError as error:
        markup.problem("The calibration in force cannot be used", str(error))
    if kept := st.session_state.pop(_KEPT, None):
        markup.outcome("check_circle", "var(--fw-blue)", *kept)
    with st.expander("Choose the calibration set in force", icon=":material/rule_settings:"):
        _choose()
        markup.heading("A set of closed cases", "videos whose ground truth is recorded")
        _make_of_cases()
        changes = store.calibration.changes()
        if changes:
            markup.heading("Changes", "from the store's own log, which `cases verify --all` recomputes")
            rows = custody_log.rows(list(reversed(changes)), {}, ())
            widths = {"no.": 45, "time (UTC)": 140, "who": 115, "event": 190, "details": 640, "hash": 130}
            columns = {name: st.column_config.Column(name, width=width) for name, width in widths.items()}
            st.dataframe(rows, hide_index=True, key="set_choice_changes", column_config=columns)


def _in_force(choice: Choice | None) -> str:
    if choice is None:
        return "In force: the calibrations that came with the program, with the thresholds of the cards."
    by = f"since {choice.chosen_at:%Y-%m-%d %H:%M} UTC, chosen by {choice.chosen_by}"
    if choice.policy is None:
        return f"In force: the calibrations that came with the program, with the thresholds of the cards, {by}."
    models = ", ".join(model_choice.names_of([one.model_id for one in choice.calibrations]))
    said = f"In force: {choice.set_name} for {models}; {choice.policy.words}; {by}."
    if os.environ.get(CALIBRATIONS_VARIABLE):
        said += f" What {CALIBRATIONS_VARIABLE} names goes before it."
    left = "; ".join(f"{one.name}: {one.reason}" for one in choice.left_out)
    return f"{said} Without a calibration of this set: {left}." if left else said


def _known() -> dict[str, _Known]:
    found = {}
    for path in sorted(one for folder in set_folders() for one in folder.glob("*.parquet")):
        try:
            known = _Known(path, CalibrationSet.read(path))
        except CalibrationError as error:
            markup.note(str(error))
        else:
            found[known.title] = known
    return found


def _choose() -> None:
    known = _known()
    chosen = st.selectbox("Set", [_SHIPPED, *known, _UPLOAD], key="set_choice_set")
    given = (
        st.file_uploader("A calibration set (.parquet)", type="parquet", key="set_choice_file")
        if (chosen == _UPLOAD)
        else None
    )
    left, right = st.columns(2)
    with left:
        alarms = st.number_input(
            "Genuine clips called manipulated, at most %", 0.1, 50.0, 100 * Policy().false_alarms, 0.5,
            key="set_choice_alarms", disabled=chosen == _SHIPPED,
        )  # fmt: skip
    with right:
        misses = st.number_input(
            "Manipulated clips in which nothing is found, at most %", 0.1, 50.0, 100 * Policy().misses, 0.5,
            key="set_choice_misses", disabled=chosen == _SHIPPED,
        )  # fmt: skip
    markup.note(
        "Every model of the set whose weights are those here is fitted to it. From the next analysis on likelihood "
        "ratios, error rates and, where one model decides, the thresholds are the set's; what is on record stays."
    )
    who = actor.name()
    ready = bool(who) and (chosen != _UPLOAD or given is not None)
    if not who:
        markup.note("Say who you are (top right): the log names who puts a set in force.")
    if not st.button("Put in force", icon=":material/gavel:", key="set_choice_put", disabled=not ready):
        return
    try:
        if chosen == _SHIPPED:
            choice = services.current().store.calibration.use_shipped(author=who)
        else:
            of = known[chosen].of if chosen in known else _uploaded(given)
            choice = _fit(of, Policy.of(alarms / 100, misses / 100), who)
    except FramewitnessError as error:
        markup.problem("Nothing was changed", str(error))
        return
    name = choice.set_name if choice.set_name != SHIPPED_NAME else "what came with the program"
    st.session_state[_KEPT] = ("In force", f"From the next analysis on: {name}. The change is in the store's log.")
    st.rerun()


def _uploaded(given: object) -> CalibrationSet:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "set.parquet"
        path.write_bytes(given.getvalue())  # type: ignore[attr-defined]
        return CalibrationSet.read(path)


def _fit(of: CalibrationSet, policy: Policy, who: str) -> Choice:
    bar = st.progress(0.0, text="Fitting…")

    def progress(part: float, model_id: str) -> None:
        bar.progress(part, text=f"Fitting {markup.plain(model_id)}…")

    try:
        return services.current().store.calibration.use(of, policy, author=who, progress=progress)
    finally:
        bar.empty()


def _make_of_cases() -> None:
    with st.form("set_of_cases", border=False):
        name = st.text_input("Name of the set", key="set_of_cases_name", max_chars=80)
        text = st.text_input("Provenance: how is the truth known?", key="set_of_cases_provenance", max_chars=400)
        sent = st.form_submit_button("Make the set", icon=":material/dataset:", key="set_of_cases_send")
    if not sent:
        if made := st.session_state.get(_MADE):
            _show_made(made)
        return
    if not (who := actor.name()):
        markup.problem("Nothing was made", "Say who you are (top right): the log names who makes a set.")
        return
    store = services.current().store
    try:
        made = store.set_from_cases(name, text, author=who)
        keep_set(made.of, store.layout.calibration)
    except FramewitnessError as error:
        markup.problem("Nothing was made", str(error))
        return
    st.session_state[_MADE] = made
    st.rerun()  # so that it can be chosen above


def _show_made(made: CaseSet) -> None:
    markup.outcome(
        "dataset", "var(--fw-blue)", f"{made.of.name}: a set of {made.files:,} files", "It can be chosen above."
    )
    markup.bullets([f"Left out: {one.name}: {one.reason}" for one in made.left_out])
    st.download_button(
        "Download it", made.of.to_bytes(), f"{made.of.sha256[:12]}.parquet", on_click="ignore", key="set_of_cases_file"
    )
