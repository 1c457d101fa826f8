"""Meaning of the measured features of a face's motion in plain words, with their units."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from detector.analysis.types import Contribution
from detector.faces.motion import FEATURES
from detector.registry import ModelCard

Scale = Literal["as it is", "logarithm"]


@dataclass(frozen=True, slots=True)
class FeatureMeaning:
    """`text` says what is measured and `unit` in what; of a feature on a `scale` of logarithms people read the number
    whose logarithm it is."""

    text: str
    unit: str
    scale: Scale = "as it is"

    def shown(self, value: float) -> str:
        """The number that people read."""
        number = math.exp(value) if self.scale == "logarithm" else value
        return f"{number:.2g}" if abs(number) < 0.1 else f"{number:.2f}"


@dataclass(frozen=True, slots=True)
class Evidence:
    """A contribution in words: `genuine` is from one standard deviation below the mean of genuine clips to one
    above it, None where the card does not say."""

    meaning: FeatureMeaning
    value: str
    genuine: tuple[str, str] | None
    logit: float


def evidence_of(part: Contribution, card: ModelCard | None) -> Evidence | None:
    """None for a feature that this program does not know."""
    meaning = MEANINGS.get(part.name)
    if meaning is None:
        return None
    return Evidence(meaning, meaning.shown(part.value), _genuine(part.name, meaning, card), part.logit)


def _genuine(name: str, meaning: FeatureMeaning, card: ModelCard | None) -> tuple[str, str] | None:
    inputs: Mapping[str, list[Any]] = {} if card is None else card.inputs
    if name not in inputs.get("features", ()) or not {"genuine_mean", "genuine_std"} <= inputs.keys():
        return None
    index = inputs["features"].index(name)
    mean, std = inputs["genuine_mean"][index], inputs["genuine_std"][index]
    return meaning.shown(mean - std), meaning.shown(mean + std)


_ALIKE, _TIMES, _SHARE = "correlation, −1 to 1", "times", "share, 0 to 1"
_ANGLES: Final = {"yaw": "turning", "pitch": "nodding", "roll": "tilting"}
_SHIFTS: Final = {"right": "shift sideways", "down": "shift up and down", "size": "shift to and from the camera"}
_REGIONS: Final = {
    "mouth": "mouth", "lids": "eyelids", "brows": "eyebrows", "cheeks": "cheeks", "jaw": "jaw", "nose": "nose",
    "sides": "edges of the face", "forehead": "forehead", "bridge": "bridge of the nose",
}  # fmt: skip
_MOVING: Final = {
    "opening": "opening of the mouth", "width": "width of the mouth", "upper_lip": "upper lip",
    "lower_lip": "lower lip", "protrusion": "lips forward", "jaw": "chin", "nose": "nose",
    "mouth_x": "mouth sideways", "nose_x": "nose sideways", "lid": "opening of the eye", "brow": "eyebrow",
    "mouth_corner": "corner of the mouth", "cheek": "cheek", "cheek_x": "cheek sideways", "jaw_x": "jaw sideways",
    "gaze": "gaze sideways", "gaze_y": "gaze up and down",
    **{name: f"{word} of the head" for name, word in _ANGLES.items()},
}  # fmt: skip


def _moving(name: str) -> str:
    for side in ("right", "left"):
        part = name.removesuffix(f"_{side}")
        if part != name:
            return f"{'line of the jaw' if part == 'jaw' else _MOVING[part]} ({side})"
    return _MOVING[name]


def _together(name: str) -> FeatureMeaning:
    first, second = name.split("_with_")
    return FeatureMeaning(f"How alike these move: {_moving(first)}; {_moving(second)}", _ALIKE)


_HEAD: Final = {
    "head_acceleration_to_speed": FeatureMeaning(
        "How abruptly the head's turning changes: acceleration against speed", "1/s", "logarithm"
    ),
    "head_jerk_to_acceleration": FeatureMeaning(
        "How abruptly the head's acceleration changes: jerk against acceleration", "1/s", "logarithm"
    ),
    "head_shift_acceleration_to_speed": FeatureMeaning(
        "How abruptly the head's shifting changes: acceleration against speed", "1/s", "logarithm"
    ),
    "head_shift_to_turning": FeatureMeaning(
        "How much the head shifts against how much it turns",
        "hundredths of an eye distance a degree",
        "logarithm",
    ),
    **{
        f"head_share_{angle}": FeatureMeaning(
            f"{word.capitalize()} as a part of the head's turning", _TIMES, "logarithm"
        )
        for angle, word in _ANGLES.items()
    },
    "head_range_to_path": FeatureMeaning(
        "How far the head turns in all against the way it goes there and back", _TIMES, "logarithm"
    ),
    "head_shift_range_to_path": FeatureMeaning(
        "How far the head shifts in all against the way it goes there and back", _TIMES, "logarithm"
    ),
    "head_bursts": FeatureMeaning(
        "How unevenly the head's turning is spread over time, 1: evenly", _TIMES, "logarithm"
    ),
    **{
        f"head_{first}_{second}": FeatureMeaning(
            f"How alike the head's {_ANGLES[first]} and {_ANGLES[second]} are, whichever way", "correlation, 0 to 1"
        )
        for first, second in (("yaw", "roll"), ("yaw", "pitch"), ("pitch", "roll"))
    },
    **{
        f"head_{angle}_{shift}": FeatureMeaning(
            f"How alike the head's {_ANGLES[angle]} and its {_SHIFTS[shift]} are", _ALIKE
        )
        for angle, shift in (("yaw", "right"), ("pitch", "down"), ("roll", "right"), ("pitch", "size"))
    },
    "head_down_size": FeatureMeaning(f"How alike the head's {_SHIFTS['down']} and its {_SHIFTS['size']} are", _ALIKE),
    **{
        f"head_{shift}_by_turning": FeatureMeaning(f"How much of the head's {word} follows from its turning", _SHARE)
        for shift, word in _SHIFTS.items()
    },
}
_PARTS: Final = {
    **{
        f"{region}_amount": FeatureMeaning(
            f"How much this moves against the whole face: {word}", _TIMES, "logarithm"
        )
        for region, word in _REGIONS.items()
    },
    **{
        f"{region}_depth": FeatureMeaning(
            f"Motion to and from the camera against motion in the picture: {word}", _TIMES, "logarithm"
        )
        for region, word in _REGIONS.items()
    },
    "face_to_head": FeatureMeaning(
        "How fast the face moves on the head against how fast the head turns", "hundredths of an eye distance a degree",
        "logarithm",
    ),
    "face_amount": FeatureMeaning("How much the face moves on the head", "eye distances", "logarithm"),
    "face_speed": FeatureMeaning("How fast the face moves on the head", "eye distances in 0.08 s", "logarithm"),
}  # fmt: skip
_GAZE: Final = {
    "gaze_gain_yaw": FeatureMeaning(
        "How the eyes turn with the head sideways; below 0 they hold their aim", "tenths of an eye's width a degree"
    ),
    "gaze_gain_pitch": FeatureMeaning(
        "How the eyes turn up and down as the head nods", "tenths of an eye distance a degree"
    ),
    "vergence": FeatureMeaning("How much the eyes turn apart against how much they turn as one", _TIMES, "logarithm"),
    "gaze_speed": FeatureMeaning("How fast the eyes turn sideways", "eye widths in 0.08 s", "logarithm"),
    "gaze_range_to_speed": FeatureMeaning(
        "How far the eyes look aside against how fast they turn", _TIMES, "logarithm"
    ),
    "gaze_vertical": FeatureMeaning("How much the eyes turn up and down against sideways", _TIMES, "logarithm"),
    "gaze_with_turning": FeatureMeaning("How much the eyes turn when the head turns", _ALIKE),
    "vergence_range": FeatureMeaning("How much the eyes squint or part", "eye widths", "logarithm"),
}
_LIGHT: Final = {
    "flicker": FeatureMeaning("Flicker of the face's light", "of its brightness", "logarithm"),
    "flicker_to_change": FeatureMeaning("Flicker against all change of the face's light", _TIMES, "logarithm"),
    **{
        f"{place}_detail_change": FeatureMeaning(
            f"How unlike fine detail is 0.08 s later: {place}", "1.02 − correlation", "logarithm"
        )
        for place in ("forehead", "nose", "mouth", "eyes")
    },
    **{
        f"{place}_detail_unsteadiness": FeatureMeaning(
            f"How much the amount of fine detail varies: {place}", "of its mean", "logarithm"
        )
        for place in ("forehead", "nose", "mouth", "eyes")
    },
}
_OWN: Final = {**_HEAD, **_PARTS, **_GAZE, **_LIGHT}
MEANINGS: Final[dict[str, FeatureMeaning]] = {
    name: _OWN[name] if name in _OWN else _together(name) for name in FEATURES
}
"""Of each of `FEATURES`."""
