"""A model's two thresholds, from the clips it was measured on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from detector.errors import SettingsError
from detector.measurement.thresholds import (
    FALSE_ALARM_SHARE,
    MISS_SHARE,
    calling_threshold,
    clearing_threshold,
    rounded_thresholds,
)
from detector.registry import Thresholds

LEAST_CLIPS: Final = 10
LEAST_HELD_OUT: Final = 20
Clip = dict[str, Any]
NEVER: Final = -1e3  # a lower threshold that no clip reaches


def choose_thresholds(
    clips: list[Clip], *, also: Mapping[str, list[Clip]] | None = None, one_sided: bool = False
) -> Thresholds:
    """Thresholds from scored clips (rows with `label` real or fake, `logit`, None where unscored, and perhaps `split`).

    The upper one lets at most 5 % of genuine clips pass it, of all of them and, where there are twenty or more, of
    those of people the model never saw; to the lower one fall at most 10 % of manipulated clips. Where the two would
    cross, the lower one is put just under the upper one, so that the upper promise holds. Of further sets of clips,
    `also` by what they are called, each with ten scored genuine ones or more keeps the upper promise by itself,
    and the lower one is that of the manipulated clips of all sets together. A `one_sided` model never says that nothing
    was found, and needs no manipulated clips.
    Raises SettingsError with fewer than ten scored clips of a label that is needed among `clips`.
    """
    real, fake = (_logits(clips, label) for label in ("real", "fake"))
    if len(real) < LEAST_CLIPS or (len(fake) < LEAST_CLIPS and not one_sided):
        raise SettingsError(
            f"Thresholds need at least {LEAST_CLIPS} scored clips of each label, found {len(real)} genuine and "
            f"{len(fake)} manipulated."
        )
    others = {name: rows for name, rows in (also or {}).items() if len(_logits(rows, "real")) >= LEAST_CLIPS}
    upper = max(_upper(rows) for rows in (clips, *others.values()))
    fakes = np.concatenate([_logits(rows, "fake") for rows in (clips, *others.values())])
    seen = f"{len(real)} genuine clips ({len(_held_out(clips))} of them held out) and {len(fake)} manipulated clips of "
    basis = "; ".join([f"{seen}the validation data", *(f"{name}: {_sizes(rows)}" for name, rows in others.items())])
    each = " of each" if others else ""
    basis += f": at most {FALSE_ALARM_SHARE:.0%} of the genuine ones{each} reach the upper threshold"
    if one_sided:
        return Thresholds(rounded_thresholds(upper, upper)[1], NEVER, f"{basis}; it never says that nothing was found")
    lower, upper = rounded_thresholds(clearing_threshold(fakes, MISS_SHARE, upper), upper)
    together = " of all together" if others else ""
    basis += f", at most {MISS_SHARE:.0%} of the manipulated ones{together} fall to the lower one"
    return Thresholds(upper, lower, basis)


def _upper(clips: list[Clip]) -> float:
    held_out = _held_out(clips)
    everybody = calling_threshold(_logits(clips, "real"), FALSE_ALARM_SHARE)
    return (
        max(everybody, calling_threshold(held_out, FALSE_ALARM_SHARE)) if len(held_out) >= LEAST_HELD_OUT else everybody
    )


def _held_out(clips: list[Clip]) -> NDArray[np.float64]:
    return _logits([row for row in clips if row.get("split", "train") != "train"], "real")


def _sizes(clips: list[Clip]) -> str:
    return f"{len(_logits(clips, 'real'))} and {len(_logits(clips, 'fake'))}"


def _logits(clips: list[Clip], label: str) -> NDArray[np.float64]:
    return np.array([row["logit"] for row in clips if row["label"] == label and row["logit"] is not None], float)
