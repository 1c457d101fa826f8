"""What a calibration set makes of one model's scores: the calibrator, its bounds, and how often the model errs."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, ValidationError

from detector.calibration.calibrators import Calibrator, Method
from detector.calibration.familiar import FamiliarAppearance
from detector.calibration.likelihood import verbal
from detector.errors import CalibrationError
from detector.measurement.conditions import light_class, size_class
from detector.measurement.thresholds import FALSE_ALARM_SHARE, MISS_SHARE

Share = Annotated[FiniteFloat, Field(ge=0, le=1)]
Limit = Annotated[FiniteFloat, Field(gt=0, lt=1)]
Count = Annotated[int, Field(ge=0)]
_Ends = tuple[FiniteFloat, FiniteFloat]
_RESOLUTION_EDGES_PX: Final = (480, 720, 1080)
_BITS_EDGES: Final = (0.05, 0.15)


def _is_none(value: object) -> bool:
    return value is None


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class MethodTried(_Frozen):
    """A method's balanced log loss in nats, Cllr in bits and expected calibration error, cross-fitted by groups."""

    method: Method
    log_loss: FiniteFloat
    cllr: FiniteFloat
    ece: Share


class Policy(_Frozen):
    """The errors that a laboratory allows, as shares of a calibration set's clips: `false_alarms` of genuine ones that
    are called manipulated, `misses` of manipulated ones in which nothing is found."""

    false_alarms: Limit = FALSE_ALARM_SHARE
    misses: Limit = MISS_SHARE

    @classmethod
    def of(cls, false_alarms: float, misses: float) -> Self:
        """The policy with these limits. Raises CalibrationError for one that is not above 0 and below 1."""
        try:
            return cls(false_alarms=false_alarms, misses=misses)
        except ValidationError as error:
            raise CalibrationError(
                f"Expected limits above 0 and below 1, such as 0.05, found {false_alarms:g} for false alarms and "
                f"{misses:g} for misses."
            ) from error

    @property
    def words(self) -> str:
        """Both limits in a phrase."""
        return (
            f"at most {100 * self.false_alarms:.3g} % of the genuine clips are called manipulated, and in at most "
            f"{100 * self.misses:.3g} % of the manipulated ones nothing is found"
        )


class ErrorRow(_Frozen):
    """Errors at the model's thresholds among clips of one class of one condition ("all": of the whole set).

    `false_alarms` genuine clips called manipulated, `misses` manipulated ones in which nothing is found; the intervals
    (95 %, Clopper & Pearson, as many trials as groups) are of their shares, None without clips.
    """

    condition: str
    value: str
    n_real: Count
    n_fake: Count
    false_alarms: Count
    misses: Count
    false_alarm_interval: tuple[Share, Share] | None = None
    miss_interval: tuple[Share, Share] | None = None


class Calibration(_Frozen):
    """The scores of `model_id` calibrated on a set. `made_by` is the digest of all that makes those scores.

    `parameters` of the calibrator of `method`, and `draws` of it fitted to groups drawn again, for intervals; `tried`
    all methods. `cllr`, `cllr_min` (bits) and `ece` are of the chosen one, cross-fitted. `lowest` and `highest` are the
    natural log-likelihood ratios that the set supports (`likelihood.bounds`). `thresholds` (no manipulation, likely
    manipulated) are those that `errors` hold for: with a `policy` what its limits come to on the set, and then they
    decide in place of the card's; without one the card's. `threshold_intervals` are 95 % intervals, by clusters drawn
    again, of the thresholds that the limits come to on the set (without a policy: the default ones); None in older
    calibrations. `appearance`: what the faces of the set look like, None where it does not say or older ones did not.
    """

    form: Literal["framewitness.calibration/1"] = "framewitness.calibration/1"
    model_id: str
    made_by: str
    set_name: str
    set_sha256: str
    n_real: Count
    n_fake: Count
    sources: Count
    generators: Count
    method: Method
    parameters: tuple[FiniteFloat, ...]
    draws: tuple[tuple[FiniteFloat, ...], ...] = ()
    tried: tuple[MethodTried, ...]
    cllr: FiniteFloat
    cllr_min: FiniteFloat
    ece: Share
    lowest: Annotated[FiniteFloat, Field(le=0)]
    highest: Annotated[FiniteFloat, Field(ge=0)]
    thresholds: _Ends
    errors: tuple[ErrorRow, ...]
    # Left out of the JSON where there is none, so that the hash of an older calibration stays what it was.
    policy: Annotated[Policy | None, Field(exclude_if=_is_none)] = None
    threshold_intervals: Annotated[tuple[_Ends, _Ends] | None, Field(exclude_if=_is_none)] = None
    appearance: Annotated[FamiliarAppearance | None, Field(exclude_if=_is_none)] = None

    @property
    def sha256(self) -> str:
        """SHA-256 of its JSON."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()

    def strength(self, logit: float) -> Strength:
        """The strength of evidence of a score of this model, within what the set supports."""
        calibrator = Calibrator(self.method, self.parameters)
        unbounded = _at(calibrator, logit)
        spread = calibrator.spread(logit)
        if spread is None and self.draws:
            again = sorted(_at(Calibrator(self.method, draw), logit) for draw in self.draws)
            spread = again[int(0.025 * len(again))], again[math.ceil(0.975 * len(again)) - 1]
        low, high = spread or (unbounded, unbounded)
        return Strength(
            ratio=math.exp(self._bounded(unbounded)),
            interval=(math.exp(self._bounded(low)), math.exp(self._bounded(high))),
            capped=not self.lowest <= unbounded <= self.highest,
        )

    def cap_text(self) -> str:
        """The most that the set can support, in one sentence."""
        return (
            f"This set of {self.n_fake:,} manipulated and {self.n_real:,} genuine clips cannot support a ratio above "
            f"{math.exp(self.highest):.2g}, or below 1 in {math.exp(-self.lowest):.2g}."
        )

    def error_row(self, condition: str, value: str) -> ErrorRow | None:
        """The errors in one class of a condition; None where the set does not know the condition."""
        rows = [row for row in self.errors if row.condition == condition]
        if not rows:
            return None
        empty = ErrorRow(condition=condition, value=value, n_real=0, n_fake=0, false_alarms=0, misses=0)
        return next((row for row in rows if row.value == value), empty)

    def _bounded(self, log_ratio: float) -> float:
        return min(max(log_ratio, self.lowest), self.highest)

    @classmethod
    def read(cls, path: Path) -> Self:
        """The calibration in a JSON file. Raises CalibrationError for one that is none."""
        try:
            return cls.model_validate_json(path.read_bytes())
        except (OSError, ValidationError) as error:
            raise CalibrationError(f"{path.name} is no calibration: {type(error).__name__}.") from error


class Strength(_Frozen):
    """A likelihood ratio with its 95 % interval; `capped` where the set supports no more in that direction."""

    ratio: FiniteFloat
    interval: tuple[FiniteFloat, FiniteFloat]
    capped: bool

    @property
    def words(self) -> str:
        """The words of the verbal scale."""
        return verbal(self.ratio)


def _at(calibrator: Calibrator, logit: float) -> float:
    import numpy as np

    return float(calibrator(np.array([logit]))[0])


def condition_classes(facts: Mapping[str, Any]) -> dict[str, str]:
    """The class of each condition that is known of a clip; see `sets.CONDITIONS` for the facts."""
    found: dict[str, str] = {}
    for name, classify in _CLASSES.items():
        value = facts.get(name)
        if value is not None and not (isinstance(value, float) and math.isnan(value)):
            found[name] = classify(value)
    return found


def _resolution_class(short_side_px: float) -> str:
    return _steps(float(short_side_px), _RESOLUTION_EDGES_PX, "px")


def _bits_class(bits_per_pixel: float) -> str:
    return _steps(bits_per_pixel, _BITS_EDGES, "bits a pixel")


def _steps(value: float, edges: tuple[float, ...], unit: str) -> str:
    if value < edges[0]:
        return f"below {edges[0]:g} {unit}"
    below = [low for low in edges if low <= value]
    above = [high for high in edges if high > value]
    return f"{below[-1]:g} to {above[0]:g} {unit}" if above else f"{below[-1]:g} {unit} and more"


_CLASSES: Final[dict[str, Callable[[Any], str]]] = {
    "face_px": size_class,
    "exposure": light_class,
    "short_side_px": _resolution_class,
    "bits_per_pixel": _bits_class,
    "codec": str,
    "sound": lambda sound: "with sound" if sound else "without sound",
}
CONDITION_WORDS: Final = {
    "face_px": "face size",
    "exposure": "light on the face",
    "short_side_px": "resolution",
    "bits_per_pixel": "compression",
    "codec": "codec",
    "sound": "sound",
}
