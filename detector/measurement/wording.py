"""Measured figures in words, the same on pages, at the command line and in documents."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from detector.measurement.results import DataPath, Measurement, Results

WORSE_THAN_CHANCE: Final = "worse than chance"
NOT_TOLD_FROM_CHANCE: Final = "not told from chance"
TOO_FEW: Final = "too few to judge"
NOT_MEASURED: Final = "–"

DEEPFAKE_VIDEOS: Final = "deepfake videos"
# What stands for a card, wherever one figure does: of each line the first that the card has, and what it is called.
_MAIN: Final[tuple[tuple[str, tuple[DataPath, ...]], ...]] = (
    (DEEPFAKE_VIDEOS, (("calibration_videos", "all"), ("cross_validated", "videos", "all"), ("videos", "all"))),
    ("pictures", (("cross_validated", "crops"), ("held_out_crops",))),
    ("shifted sound", (("unseen_people_by_folds", "auc_against_genuine", "shifted by 0.2 to 1.2 s", "logit"),)),
    ("synthesised clips", (("synthesised_clips", "model"),)),
)


def place(data: DataPath) -> str:
    """A path of names as people read it: "videos · per generator · wav2lip"."""
    return " · ".join(words(part) for part in data)


def words(name: str) -> str:
    """A key as people read it: "called_genuine" -> "called genuine"; a file's or a source's name stays as it is."""
    return name.replace("_", " ") if name.isidentifier() and not name.isupper() else name


def remark(row: Measurement) -> str:
    """The caution that a figure needs before it is taken for what it says; empty where it needs none."""
    if row.too_few:
        return TOO_FEW
    if row.worse_than_chance:
        return WORSE_THAN_CHANCE
    return NOT_TOLD_FROM_CHANCE if row.not_told_from_chance else ""


def value_text(row: Measurement, places: int = 2) -> str:
    """e.g. "0.51 (0.37 to 0.66)"; an en dash where it was not measured."""
    if row.value is None:
        return NOT_MEASURED
    interval = "" if row.interval is None else " ({:.{p}f} to {:.{p}f})".format(*row.interval, p=places)
    return f"{row.value:.{places}f}{interval}"


def sizes_text(row: Measurement) -> str:
    """e.g. "n 89 + 22", genuine and manipulated; empty where the card does not say."""
    known = [f"{count:,}" for count in (row.n_real, row.n_fake) if count is not None]
    return f"n {' + '.join(known)}" if known else ""


def figure_text(row: Measurement, name: str = "") -> str:
    """e.g. "videos · all: AUC 0.41 (0.28 to 0.49), worse than chance, n 89 + 22"."""
    what = "AUC" if row.what == "auc" else words(row.what)
    parts = (f"{what} {value_text(row)}", remark(row), sizes_text(row))
    return f"{name or place(row.data)}: {', '.join(filter(None, parts))}"


def main_rows(results: Results) -> dict[str, Measurement]:
    """The rows that stand for a card in a list, by name: videos, pictures, the model's own task; else the first."""
    known = {row.data: row for row in reversed(results.measurements) if row.value is not None and row.what == "auc"}
    found = {name: next((known[path] for path in paths if path in known), None) for name, paths in _MAIN}
    first = [row for row in results.measurements if row.value is not None][:1]
    return {name: row for name, row in found.items() if row is not None} or {place(row.data): row for row in first}


def number_text(value: object) -> str:
    """A value for the eye: floats with four significant digits, whole numbers grouped, nothing as an en dash."""
    if value is None:
        return NOT_MEASURED
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple | list):
        return ", ".join(number_text(item) for item in value)
    if isinstance(value, Mapping):
        return "; ".join(f"{words(str(name))} {number_text(item)}" for name, item in value.items())
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
