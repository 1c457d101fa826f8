"""Putting a calibration set in force: fitted, kept in the home, and an event of the store's own log.

The event comes first and `in-force` (see `detector.calibration.in_force`) follows it, so that the log decides: a store
that was killed between the two puts the newest choice of its log in force when it is opened, and says so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

import duckdb

from detector.calibration.calibration import Calibration, Policy
from detector.calibration.in_force import (
    SHIPPED_NAME,
    Choice,
    LeftOut,
    choice_in_force,
    keep_set,
    kept_choice,
    put_in_force,
    sha256_in_force,
)
from detector.calibration.sets import CalibrationSet
from detector.cases.chain import STORE_CHAIN, append_event, read_events
from detector.cases.codec import file_sha256
from detector.cases.database import Database, utc_now
from detector.cases.entries import storable
from detector.cases.home import Layout
from detector.cases.types import Event
from detector.errors import CalibrationError, ModelError

CHOSEN: Final = "calibration_chosen"
PUT_BACK: Final = "calibration_put_back"
# Told the part done, 0 to 1, and the model that is being fitted.
Fitting = Callable[[float, str], None]


class CalibrationChoice:
    """Which calibration set is in force in one store. `author` is who chooses, by default who opened the store."""

    def __init__(self, database: Database, layout: Layout, actor: str) -> None:
        self._database = database
        self._layout = layout
        self._actor = actor

    def in_force(self) -> Choice | None:
        """The choice in force, None where what is shipped was never changed. Raises CalibrationError where it is
        missing or was changed."""
        return choice_in_force(self._layout.calibration)

    def use(self, of: CalibrationSet, policy: Policy, *, author: str = "", progress: Fitting | None = None) -> Choice:
        """Fit every model of the set whose weights are those here, keep that and put it in force: from the next
        analysis on its thresholds and likelihood ratios decide. Raises CalibrationError, and leaves what was in force,
        where no model of the set can be fitted or nothing can be written."""
        fitted, left_out = fit_models(of, policy, progress=progress)
        if not fitted:
            why = "; ".join(f"{one.name}: {one.reason}" for one in left_out) or "it has no scores"
            raise CalibrationError(f"No model can be calibrated on {of.name}: {why}")
        kept = keep_set(of, self._layout.calibration)
        choice = Choice(
            set_name=of.name,
            set_sha256=kept.stem,
            policy=policy,
            calibrations=fitted,
            left_out=left_out,
            chosen_by=self._who(author),
            chosen_at=utc_now(),
        )
        return self._put(choice)

    def use_shipped(self, *, author: str = "") -> Choice:
        """Put the calibrations shipped beside the weights in force again, with the thresholds of the cards."""
        return self._put(Choice.shipped(self._who(author), utc_now()))

    def changes(self) -> list[Event]:
        """Every change of the set in force that the store's log knows, oldest first."""
        with self._database.read() as cursor:
            return [event for event in read_events(cursor, STORE_CHAIN) if event.action in (CHOSEN, PUT_BACK)]

    def _who(self, author: str) -> str:
        return storable(author) or self._actor

    def _put(self, choice: Choice) -> Choice:
        folder = self._layout.calibration
        with self._database.held():
            choice.keep(folder)
            with self._database.read() as cursor:
                before = _logged(cursor)
            told = _change(None if before is None else _known(before, self._layout), choice)
            told["choice_sha256"] = {"before": before, "after": choice.sha256}
            self._database.write(lambda cursor: append_event(cursor, STORE_CHAIN, CHOSEN, choice.chosen_by, told))
            put_in_force(choice.sha256, folder)
        return choice


def fit_models(
    of: CalibrationSet,
    policy: Policy | None,
    model_ids: Sequence[str] | None = None,
    *,
    progress: Fitting | None = None,
) -> tuple[tuple[Calibration, ...], tuple[LeftOut, ...]]:
    """(the calibrations of a set's models, or of those named, by model id; those that cannot be calibrated on it, with
    the reason). Without a `policy` the thresholds are those of the cards."""
    from detector.calibration.fitting import fit_calibration
    from detector.registry import find_card

    names = sorted(of.made_by) if model_ids is None else list(model_ids)
    fitted, left_out = [], []
    for place, model_id in enumerate(names):
        if progress is not None:
            progress(place / len(names), model_id)
        try:
            if model_id in of.made_by and of.made_by[model_id] != digest_here(model_id):
                raise CalibrationError(
                    "its scores in the set were made by other weights or inputs than those here; score the set's files "
                    "again with `evaluate`"
                )
            decision = find_card(model_id).thresholds
            thresholds = (decision.no_manipulation_logit, decision.likely_manipulated_logit)
            fitted.append(fit_calibration(of, model_id, thresholds, policy))
        except (ModelError, CalibrationError) as error:
            left_out.append(LeftOut(name=model_id, reason=str(error)))
    return tuple(fitted), tuple(left_out)


def digest_here(model_id: str) -> str:
    """`detector.analysis.identity.model_digest` of the model as it is installed. Raises ModelError."""
    from detector.analysis.identity import card_digest
    from detector.registry import find_card, trunk_card

    card = find_card(model_id)
    return card_digest(card, trunk_card(card))


def choice_problem(events: Sequence[Event], layout: Layout) -> str | None:
    """What is wrong with the calibration in force, by what the store's log says, in one sentence; None where nothing
    is."""
    logged = _newest(events)
    try:
        found = sha256_in_force(layout.calibration)
        choice = None if found is None else kept_choice(found, layout.calibration)
    except CalibrationError as error:
        return str(error)
    if choice is not None and (wrong := _set_problem(choice, layout)):
        return wrong
    if found == logged:
        return None
    return (
        f"The calibration in force is {_named(found)}; by the log it is {_named(logged)}. Close every Framewitness of "
        "this store and open it again: what the log says is put back."
    )


def _set_problem(choice: Choice, layout: Layout) -> str | None:
    if choice.set_sha256 is None:
        return None
    path = layout.calibration / f"{choice.set_sha256}.parquet"
    try:
        found = file_sha256(path)
    except OSError as error:
        return f"The calibration set in force, {path.name}, cannot be read: {error.strerror}. Put it back."
    if found != choice.set_sha256:
        return f"The calibration set in force was changed: the SHA-256 of {path.name} is {found}. Choose the set again."
    return None


def put_right(database: Database, layout: Layout, actor: str) -> Iterator[str]:
    """At opening: put what the log says in force where something else is, with an event of its own; yields what
    happened, and what stands in the way."""
    with database.read() as cursor:
        logged = _logged(cursor)
    try:
        found: str | None = sha256_in_force(layout.calibration)
    except CalibrationError:
        found = ""
    if found == logged:
        return
    try:
        if logged is not None:
            kept_choice(logged, layout.calibration)
        put_in_force(logged, layout.calibration)
    except CalibrationError as error:
        yield f"The calibration that the log says is in force could not be put back. {error}"
        return
    told = {"choice_sha256": {"before": found, "after": logged}}
    database.write(lambda cursor: append_event(cursor, STORE_CHAIN, PUT_BACK, actor, told))
    yield (
        f"The calibration in force was {_named(found)} and not the one that the log says, as after a crash; "
        f"{_named(logged)} was put back."
    )


def _change(before: Choice | None, after: Choice) -> dict[str, Any]:
    """A change of the choice as events tell it."""

    def both(read: Callable[[Choice], object], otherwise: object = None) -> dict[str, object]:
        return {"before": otherwise if before is None else read(before), "after": read(after)}

    return {
        "set": both(lambda one: one.set_name, SHIPPED_NAME),
        "set_sha256": both(lambda one: one.set_sha256),
        "false_alarms": both(lambda one: one.policy and one.policy.false_alarms),
        "misses": both(lambda one: one.policy and one.policy.misses),
        "models": both(lambda one: [model.model_id for model in one.calibrations], []),
    }


def _known(sha256: str, layout: Layout) -> Choice | None:
    try:
        return kept_choice(sha256, layout.calibration)
    except CalibrationError:
        return None  # lost or changed: another one must be chosen to go on, and the event still names its hash


def _logged(cursor: duckdb.DuckDBPyConnection) -> str | None:
    return _newest(read_events(cursor, STORE_CHAIN))


def _newest(events: Sequence[Event]) -> str | None:
    """SHA-256 of the choice that is in force by a log, None where nothing was ever chosen."""
    told = (event.details["choice_sha256"]["after"] for event in reversed(events) if event.action == CHOSEN)
    return next((str(sha256) for sha256 in told), None)


def _named(sha256: str | None) -> str:
    return f"{sha256[:12]}…" if sha256 else "none that can be read" if sha256 == "" else SHIPPED_NAME
