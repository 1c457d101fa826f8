"""What `evaluate --out` left in a folder, read for a comparison: every model's logit of every labelled file."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from detector.errors import SettingsError
from detector.measurement.score_set import SetFigures
from detector.measurement.thresholds import Thresholds
from pages.parts.shared import folders

VARIABLE: Final = "FRAMEWITNESS_EVALUATIONS"
SCORES: Final = "scores.parquet"
FIGURES: Final = "metrics.json"
_NEEDED = ("sha256", "file", "label", "model", "logit")
_OPTIONAL = ("cut", "group", "generator", "reason")
_MOST_ROWS = 1_000_000


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
        table = _table(content)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise ScoresError(f"{SCORES} in {folder} is no table of scores: {error}") from error
    return _by_file(table)


def thresholds(folder: Path) -> dict[str, Thresholds]:
    """Each model's thresholds as the evaluation used them, by the folder's figures; none where it has none."""
    try:
        figures = SetFigures.read(folders.read_bytes(folder / FIGURES, VARIABLE))
    except (OSError, SettingsError):
        return {}
    return {one.model: one.thresholds for one in figures.models if one.thresholds is not None}


def _table(content: bytes) -> pd.DataFrame:
    """The columns that are needed, in their types. Raises ValueError for a table that is another."""
    parquet = pq.ParquetFile(io.BytesIO(content))
    there = parquet.schema_arrow.names
    if missing := [name for name in _NEEDED if name not in there]:
        raise ValueError(f"it lacks the columns {', '.join(missing)}.")
    if parquet.metadata.num_rows > _MOST_ROWS:
        raise ValueError(f"it has {parquet.metadata.num_rows:,} rows; at most {_MOST_ROWS:,} are read.")
    table = parquet.read([name for name in (*_NEEDED, *_OPTIONAL) if name in there]).to_pandas()
    texts = [name for name in (*_NEEDED[:4], *_OPTIONAL) if name in table]
    table[texts] = table[texts].astype("string").fillna("")
    for name in _OPTIONAL:
        if name not in table:
            table[name] = ""
    table["logit"] = pd.to_numeric(table["logit"]).astype("Float64").astype(float)
    if not table["label"].isin(["real", "fake"]).all():
        raise ValueError("it has labels other than real and fake.")
    if np.isinf(table["logit"]).any():
        raise ValueError("it has logits that are not finite.")
    key = ["sha256", "file", "cut", "model"]
    if table.duplicated(key).any():
        raise ValueError("it names one file and model twice.")
    return table


def _by_file(table: pd.DataFrame) -> ScoredSet:
    keys = ["sha256", "file", "cut"]
    files = table.drop_duplicates(keys).reset_index(drop=True)
    wide = table.pivot(index=keys, columns="model", values="logit")
    logits = wide.reindex(pd.MultiIndex.from_frame(files[keys]))[list(dict.fromkeys(table["model"]))]
    logits = logits.reset_index(drop=True)
    logits.columns.name = None
    facts = files.assign(fake=files["label"] == "fake")[["sha256", "file", "fake", "group", "generator"]]
    return ScoredSet(facts.astype({"fake": bool}), logits)
