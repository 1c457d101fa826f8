"""What `evaluate --out` left in a folder, read for a comparison: every model's logit of every labelled file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from detector.errors import SettingsError
from detector.measurement.score_set import SetFigures
from detector.measurement.score_table import COUNTED_ONCE, parse_scores
from detector.measurement.thresholds import Thresholds
from pages.parts.shared import folders

VARIABLE: Final = "FRAMEWITNESS_EVALUATIONS"
SCORES: Final = "scores.parquet"
FIGURES: Final = "metrics.json"
_KEY = ["sha256", "file", "cut"]


class ScoresError(Exception):
    """A folder whose scores cannot be compared; the message says what was expected and found."""


@dataclass(frozen=True, slots=True, eq=False)
class ScoredSet:
    """`files`: a row a labelled file with sha256, file, fake (bool), group and generator ("" where nothing is said).
    `logits`: the same rows, a column a model, NaN where it has no score. `left_out`: files that were not to be read."""

    files: pd.DataFrame
    logits: pd.DataFrame
    left_out: int = 0

    @property
    def models(self) -> list[str]:
        """The models that scored any file, in the order of the table."""
        return [str(name) for name in self.logits if self.logits[name].notna().any()]

    def without(self, sha256: frozenset[str]) -> ScoredSet:
        """The set without files of these hashes."""
        kept = ~self.files["sha256"].isin(sha256).to_numpy()
        return ScoredSet(
            self.files[kept].reset_index(drop=True),
            self.logits[kept].reset_index(drop=True),
            self.left_out + int((~kept).sum()),
        )

    def common(self, models: Sequence[str]) -> ScoredSet:
        """The files that all of the models scored, and these models' logits."""
        logits = self.logits[list(models)]
        kept = logits.notna().all(axis=1).to_numpy()
        return ScoredSet(self.files[kept].reset_index(drop=True), logits[kept].reset_index(drop=True), self.left_out)

    def column(self, model: str) -> NDArray[np.float64]:
        """One model's logits (N,)."""
        return self.logits[model].to_numpy(float)

    @property
    def fake(self) -> NDArray[np.bool_]:
        """(N,) whether a file is a fake."""
        return self.files["fake"].to_numpy(bool)

    @property
    def groups(self) -> NDArray[np.str_]:
        """(N,) what counts as one case: the group, or the file itself where none is named."""
        named = self.files["group"].to_numpy(str)
        return np.where(named == "", self.files["sha256"].to_numpy(str), named)


def read(folder: Path) -> ScoredSet:
    """The scores in a folder that may be read. Raises ScoresError."""
    try:
        content = folders.read_bytes(folder / SCORES, VARIABLE)
    except OSError as error:
        raise ScoresError(
            f"{SCORES} in {folder} cannot be read: {error} python -m detector evaluate PATH --out FOLDER writes it."
        ) from error
    try:
        return _by_file(parse_scores(content, SCORES))
    except SettingsError as error:
        raise ScoresError(f"The scores in {folder} cannot be used: {error}") from error


def thresholds(folder: Path) -> dict[str, Thresholds]:
    """Each model's thresholds as the evaluation used them, by the folder's figures; none where it has none."""
    try:
        figures = SetFigures.read(folders.read_bytes(folder / FIGURES, VARIABLE))
    except (OSError, SettingsError):
        return {}
    return {one.model: one.thresholds for one in figures.models if one.thresholds is not None}


def _by_file(table: pd.DataFrame) -> ScoredSet:
    """What counts once is there once: rows of content that an earlier row has are left out."""
    table = table[(table["reason"] != COUNTED_ONCE).fillna(True)]
    texts = [*_KEY, "group", "generator"]
    table = table.assign(**{name: table[name].fillna("") for name in texts}).reset_index(drop=True)
    files = table.drop_duplicates(_KEY).reset_index(drop=True)
    wide = table.groupby([*_KEY, "model"], sort=False)["logit"].first().unstack("model")
    logits = wide.reindex(pd.MultiIndex.from_frame(files[_KEY]))[list(dict.fromkeys(table["model"]))]
    logits = logits.reset_index(drop=True)
    logits.columns.name = None
    facts = files.assign(fake=files["label"] == "fake")[["sha256", "file", "fake", "group", "generator"]]
    return ScoredSet(facts.astype({"fake": bool}), logits)
