"""Settings of an analysis, typed, frozen, validated and hashed into every result; and the folder of the record."""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Final

from detector.errors import SettingsError

HOME_VARIABLE = "FRAMEWITNESS_HOME"
RUNTIME_VARIABLE = "FRAMEWITNESS_RUNTIME"
RUNTIMES: Final = ("auto", "torch", "half", "onnxruntime", "openvino")
"""What may be asked to compute the networks; `auto` is ONNX Runtime on a CPU where it is installed, else
torch; on a card `half`, torch at half precision for each network that says the same so."""
LATER: Final = frozenset({"test_time_augmentation", "dropout_passes", "sensitivity"})
"""Settings that came after the first records, all of which are off by default."""


def default_home() -> Path:
    """The folder that holds every case: FRAMEWITNESS_HOME if set, else `framewitness` in the user's data folder
    (XDG Base Directory on Linux, Application Support on macOS, LOCALAPPDATA on Windows)."""
    if chosen := os.environ.get(HOME_VARIABLE):
        return Path(chosen).expanduser()
    if sys.platform == "win32":
        root = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        root = Path.home() / "Library" / "Application Support"
    else:
        root = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
    return root / "framewitness"


@contextmanager
def home_at(folder: Path | None) -> Iterator[None]:
    """Within the block, the default home is `folder`, for the whole process; nothing changes where that is None."""
    before = os.environ.get(HOME_VARIABLE)
    if folder is not None:
        os.environ[HOME_VARIABLE] = str(folder)
    try:
        yield
    finally:
        if before is None:
            os.environ.pop(HOME_VARIABLE, None)
        else:
            os.environ[HOME_VARIABLE] = before


@dataclass(frozen=True, slots=True)
class AnalysisSettings:
    """Settings of an analysis. Two analyses with equal settings, file and weights give equal numbers.

    Fields: `frames_per_second` frames examined per second of each shot, in (0, 120]; `max_frames` upper bound on
    examined frames (long files are sampled more sparsely, never cut off); `min_face_px` faces whose shorter side
    is below this are marked low quality; `min_frames` fewer scored frames than this in a video make the conclusion
    inconclusive; `tile_faces` search large frames again in overlapping tiles; `centre_crop_fallback` score the
    centre of frames in which no face was found (a conclusion that rests on it is at most inconclusive);
    `detection_threshold` minimum detector confidence, in [0, 1]; `max_faces` strongest faces kept per frame;
    `batch_size` crops per forward pass.

    Three cost time and are off unless asked for: `test_time_augmentation` scores the mirror image of each crop too and
    takes the mean of both logits; `dropout_passes` score each face that often with parts of a network switched off, for
    the spread of a track's logit (0 for none, else 2 to 256); `sensitivity` repeats the analysis on small changes of
    the file and of how it is examined (`detector.analysis.sensitivity`).
    """

    frames_per_second: float = 5.0
    max_frames: int = 900
    min_face_px: int = 48
    min_frames: int = 5
    tile_faces: bool = True
    centre_crop_fallback: bool = False
    detection_threshold: float = 0.5
    max_faces: int = 8
    batch_size: int = 32
    test_time_augmentation: bool = False
    dropout_passes: int = 0
    sensitivity: bool = False

    def __post_init__(self) -> None:
        limits = {
            "frames_per_second": (0.01, 120.0),
            "max_frames": (1, 100_000),
            "min_face_px": (8, 2_000),
            "min_frames": (1, 1_000),
            "detection_threshold": (0.0, 1.0),
            "max_faces": (1, 64),
            "batch_size": (1, 1_024),
            "dropout_passes": (0, 256),
        }
        problems = [
            f"{name} = {getattr(self, name)!r} is outside {low} to {high}"
            for name, (low, high) in limits.items()
            if not low <= getattr(self, name) <= high
        ]
        if self.dropout_passes == 1:
            problems.append("dropout_passes = 1 has no spread (0 for none, or at least 2)")
        if problems:
            raise SettingsError("Settings out of range: " + "; ".join(problems))

    def to_dict(self) -> dict[str, float | int | bool]:
        """The settings by name, as stored with an analysis; those of `LATER` only where they are on, so that settings
        from before are written, and hashed, as they were."""
        return {name: value for name, value in asdict(self).items() if value or name not in LATER}

    @classmethod
    def from_dict(cls, values: dict[str, object]) -> AnalysisSettings:
        """Build from a mapping; unknown names are an error (`sha256` is tolerated and ignored)."""
        known = {field.name for field in fields(cls)}
        unknown = sorted(set(values) - known - {"sha256"})
        if unknown:
            raise SettingsError(f"Unknown settings: {', '.join(unknown)}. Known: {', '.join(sorted(known))}.")
        return cls(**{name: value for name, value in values.items() if name in known})  # type: ignore[arg-type]

    @property
    def sha256(self) -> str:
        """SHA-256 (hex) of the settings as JSON with sorted keys."""
        return hashlib.sha256(json.dumps(self.to_dict(), sort_keys=True).encode()).hexdigest()
