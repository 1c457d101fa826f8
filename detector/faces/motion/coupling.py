"""How parts of the face move together: jaw and cheeks with the mouth, the two sides, eyes with lids, brows and head.

On a living face muscles pull on neighbours unevenly and the eyes hold their aim while the head turns (the
vestibulo-ocular reflex); generated faces move more in one piece.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from detector.faces.motion import landmarks as rows
from detector.faces.motion.geometry import RATE_HZ, FaceMotion
from detector.faces.motion.statistics import Floats, correlation, log_ratio

_PAIRS: Final = (
    *(("opening", other) for other in ("jaw", "width", "upper_lip", "lower_lip", "protrusion")),
    ("width", "protrusion"),
    *(
        (f"{part}_right", f"{part}_left")
        for part in ("lid", "brow", "mouth_corner", "cheek", "cheek_x", "jaw", "jaw_x")
    ),
    *((f"{part}_right", f"{part}_left") for part in ("gaze", "gaze_y")),
    *(("opening", f"cheek_{side}") for side in ("right", "left")),
    *(("width", f"cheek_x_{side}") for side in ("right", "left")),
    *(("jaw", f"jaw_{side}") for side in ("right", "left")),
    ("opening", "nose"),
    ("upper_lip", "nose"),
    *((f"brow_{side}", f"lid_{side}") for side in ("right", "left")),
    *((f"gaze_y_{side}", f"lid_{side}") for side in ("right", "left")),
    *((part, "pitch") for part in ("opening", "jaw", "brow_right", "gaze_y_right", "lid_right")),
    *((part, "yaw") for part in ("gaze_right", "gaze_left", "mouth_x", "nose_x")),
    ("gaze_right", "roll"),
)
COUPLING_FEATURES: Final = (
    *(f"{first}_with_{second}" for first, second in _PAIRS),
    "gaze_gain_yaw",
    "gaze_gain_pitch",
    "vergence",
    "gaze_speed",
    "gaze_range_to_speed",
    "gaze_vertical",
    "gaze_with_turning",
    "vergence_range",
)


def coupling_features(motion: FaceMotion) -> list[float]:
    """`COUPLING_FEATURES` in that order: correlations of the changes from sample to sample; of the eyes their turning
    against the head's, and natural logarithms of amounts."""
    signals = _signals(motion)
    change = {name: np.diff(signal) for name, signal in signals.items()}
    return [*(correlation(change[first], change[second]) for first, second in _PAIRS), *_gaze(signals, change)]


def _gaze(signals: dict[str, Floats], change: dict[str, Floats]) -> list[float]:
    together = (change["gaze_right"] + change["gaze_left"]) / 2
    upward = (change["gaze_y_right"] + change["gaze_y_left"]) / 2
    apart = change["gaze_right"] - change["gaze_left"]
    turning = np.sqrt(sum(change[angle] ** 2 for angle in ("yaw", "pitch", "roll"))) * RATE_HZ
    return [
        _gain(together, change["yaw"]),
        _gain(upward, change["pitch"]),
        log_ratio(float(apart.std()), 2 * float(together.std())),
        float(np.log(together.std() + 1e-3)),
        log_ratio(float((signals["gaze_right"] + signals["gaze_left"]).std()), 2 * float(together.std())),
        log_ratio(float(upward.std()), float(together.std())),
        correlation(np.log(np.abs(together) + 1e-3), np.log(turning + 0.3)),
        float(np.log((signals["gaze_right"] - signals["gaze_left"]).std() + 1e-3)),
    ]


def _gain(eyes: Floats, head_deg: Floats) -> float:
    """Regression of the eyes' turning on the head's, drawn to 0 where the head is still."""
    return float(10 * (eyes * head_deg).mean() / ((head_deg**2).mean() + 0.02))


def _signals(motion: FaceMotion) -> dict[str, Floats]:
    """(N,) each: positions in eye distances down (`_x`: to the person's left), openings, angles in degrees."""
    x, y, z = (motion.shape[:, :, axis] for axis in range(3))

    def mean(plane: Floats, points: tuple[int, ...]) -> Floats:
        return np.asarray(plane[:, list(points)].mean(1), np.float64)

    found = {
        "opening": y[:, rows.LOWER_LIP_INNER] - y[:, rows.UPPER_LIP_INNER],
        "width": x[:, rows.LEFT_MOUTH_CORNER] - x[:, rows.RIGHT_MOUTH_CORNER],
        "jaw": mean(y, rows.CHIN),
        "upper_lip": mean(y, rows.UPPER_LIP),
        "lower_lip": mean(y, rows.LOWER_LIP),
        "protrusion": -mean(z, rows.LIPS_MIDDLE),
        "mouth_x": mean(x, tuple(rows.REGIONS["mouth"])),
        "nose": mean(y, rows.NOSE),
        "nose_x": mean(x, rows.NOSE),
        "mouth_corner_right": y[:, rows.RIGHT_MOUTH_CORNER],
        "mouth_corner_left": y[:, rows.LEFT_MOUTH_CORNER],
        "yaw": motion.pose_deg[:, 0],
        "pitch": motion.pose_deg[:, 1],
        "roll": motion.pose_deg[:, 2],
    }
    eyes = (
        ("right", rows.RIGHT_IRIS, rows.RIGHT_EYE_CORNER, rows.RIGHT_EYE_INNER),
        ("left", rows.LEFT_IRIS, rows.LEFT_EYE_INNER, rows.LEFT_EYE_CORNER),
    )
    for number, (side, iris, near, far) in enumerate(eyes):
        found[f"lid_{side}"] = mean(y, rows.LOWER_LIDS[number]) - mean(y, rows.UPPER_LIDS[number])
        found[f"brow_{side}"] = -mean(y, rows.BROWS[number])
        found[f"cheek_{side}"], found[f"cheek_x_{side}"] = mean(y, rows.CHEEKS[number]), mean(x, rows.CHEEKS[number])
        found[f"jaw_{side}"], found[f"jaw_x_{side}"] = mean(y, rows.JAW_LINE[number]), mean(x, rows.JAW_LINE[number])
        middle_x, middle_y = (x[:, near] + x[:, far]) / 2, (y[:, near] + y[:, far]) / 2
        found[f"gaze_{side}"] = (x[:, iris] - middle_x) / np.maximum(x[:, far] - x[:, near], 1e-3)
        found[f"gaze_y_{side}"] = y[:, iris] - middle_y
    return found
