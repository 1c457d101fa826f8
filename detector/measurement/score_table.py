"""Scores of labelled files as a table: what an evaluation writes, and whoever measures or calibrates on it reads."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from detector.errors import SettingsError

SCORE_COLUMNS: Final[dict[str, str]] = {
    "sha256": "string",
    "file": "string",
    "cut": "string",
    "label": "string",
    "source": "string",
    "group": "string",
    "family": "string",
    "generator": "string",
    "model": "string",
    "logit": "float64",
    "reason": "string",
    "face_px": "float64",
    "short_side_px": "Int64",
    "bits_per_pixel": "float64",
    "codec": "string",
    "brightness": "float64",
    "sharpness": "float64",
    "frames_scored": "Int64",
    "sound": "boolean",
    "appearance": "object",
}
"""Columns with their pandas types: a row a file and model.

`sha256` of the file; `cut` the columns of its picture that were examined, e.g. "0-640", "" for all; `label` real or
fake; `source`, `group` (what counts once), `family` and `generator` as the table of files says, "" where it says
nothing; `logit` natural log-odds of "fake", missing where `reason` says why; `face_px` median shorter side of the
deciding faces; `short_side_px` of the picture, and its `codec`; `brightness` mean luma of the faces, 0..1; `sharpness`
variance of their Laplacian; `frames_scored` faces that counted; `sound` whether there is a sound stream;
`appearance` how the faces look on average (`detector.models.appearance`), a list of numbers, missing where no network
kept it, as in older tables."""

PART_COLUMNS: Final[dict[str, str]] = {
    **{name: SCORE_COLUMNS[name] for name in ("sha256", "file", "cut", "label", "source", "group", "family")},
    **{"generator": "string", "model": "string", "level": "string", "track": "Int64", "pts_s": "float64"},
    "logit": "float64",
}
"""Columns of a table of what lies within files, a row a model and part: what the file is, as in `SCORE_COLUMNS`;
`level` "track" for a face track as a whole, "frame" for one face of it, at `pts_s` seconds; the `track`'s number in the
file; `logit` of the part, never missing, of a face to four significant digits. Every part bears its file's label."""

COUNTED_ONCE: Final = "The same content was there before; it counts once."
"""The reason of a file whose content an earlier row has."""


_MOST_ROWS: Final = 1_000_000


def score_table(table: pd.DataFrame) -> pd.DataFrame:
    """The table with these columns alone, in their types. Raises SettingsError for a column that is missing or is
    another's, a label that is none, a logit that is not finite, a row with neither logit nor reason, or with both, and
    two logits of one file and model."""
    table = table if "appearance" in table else table.assign(appearance=None)
    if missing := [name for name in SCORE_COLUMNS if name not in table]:
        raise SettingsError(f"A table of scores lacks the columns {', '.join(missing)}.")
    try:
        typed = table[list(SCORE_COLUMNS)].astype(SCORE_COLUMNS).reset_index(drop=True)
    except (TypeError, ValueError) as error:
        raise SettingsError(f"A table of scores has a column of another type: {error}") from None
    if not typed["label"].isin(["real", "fake"]).all():
        raise SettingsError("A table of scores has labels other than real and fake.")
    if np.isinf(typed["logit"]).any():
        raise SettingsError("A table of scores has logits that are not finite.")
    if (typed["logit"].isna() == typed["reason"].isna()).any():
        raise SettingsError("A table of scores needs either a logit or a reason in each row.")
    if typed[typed["logit"].notna()].duplicated(["sha256", "file", "cut", "model"]).any():
        raise SettingsError("A table of scores names one file and model twice.")
    return typed


def read_scores(path: Path) -> pd.DataFrame:
    """A Parquet file of scores. Raises SettingsError as `parse_scores`, and where it cannot be read."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise SettingsError(f"{path} cannot be read as a Parquet table of scores: {error}") from None
    return parse_scores(content, str(path))


def parse_scores(content: bytes, name: str) -> pd.DataFrame:
    """The scores in a Parquet file's content; `name` is what errors call it. Raises SettingsError as `score_table`, for
    what is no Parquet table, and for more than a million rows."""
    try:
        parquet = pq.ParquetFile(io.BytesIO(content))
        if parquet.metadata.num_rows > _MOST_ROWS:
            raise SettingsError(f"{name} has {parquet.metadata.num_rows:,} rows; at most {_MOST_ROWS:,} are read.")
        table = parquet.read([name for name in SCORE_COLUMNS if name in parquet.schema_arrow.names]).to_pandas()
    except (pa.ArrowException, OSError, ValueError) as error:
        raise SettingsError(f"{name} cannot be read as a Parquet table of scores: {error}") from None
    return score_table(table)
