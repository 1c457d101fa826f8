"""Calibration sets: scores of files whose truth is known, with the conditions they were made under and no pictures."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from detector.errors import CalibrationError

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

FORM: Final = "framewitness.calibration-set/1"
FACTS: Final = ("sha256", "label", "source", "group", "generator", "family")
CONDITIONS: Final = ("face_px", "short_side_px", "bits_per_pixel", "exposure", "codec", "frames_scored", "sound")
COLUMNS: Final = (*FACTS, "model", "logit", *CONDITIONS)
APPEARANCE: Final = "appearance"
"""One row a file and model: the file's SHA-256, "real" or "fake", where it comes from, who is in it (`group`), what
made it; the model and its logit, None where it had none; the shorter side of the deciding face and of the picture in
pixels, bits a pixel, mean luma of the face (0..1), codec, examined faces, whether there is a sound stream. A set may
hold `APPEARANCE` besides: of a file the mean over the deciding faces of `detector.models.appearance`, None where it is
not known."""
_NUMBERS: Final = ("face_px", "short_side_px", "bits_per_pixel", "exposure", "frames_scored")
_KINDS: Final = (
    "numbers for logit and measured conditions, true or false for sound, lists of numbers for appearance, and text "
    "otherwise"
)
_KEY: Final = b"framewitness"
_MOST_ROWS: Final = 1_000_000


@dataclass(frozen=True, slots=True, eq=False)
class CalibrationSet:
    """`table` with the columns of `COLUMNS` and perhaps `APPEARANCE`; `made_by`: of each model a digest of all that
    makes its scores, so that they are never held against those of other weights. `sha256` of the set as it is
    written."""

    name: str
    provenance: str
    made_by: Mapping[str, str]
    table: pd.DataFrame

    def of(self, model_id: str) -> pd.DataFrame:
        """The rows that have a logit of this model."""
        import pandas as pd

        rows = self.table[self.table["model"] == model_id]
        return rows[np.isfinite(pd.to_numeric(rows["logit"]))].reset_index(drop=True)

    def appearances_of(self, model_id: str) -> list[tuple[float, ...] | None]:
        """What the faces of each of a model's rows look like, None where the set does not say."""
        rows = self.of(model_id)
        if APPEARANCE not in rows:
            return [None] * len(rows)
        return [None if one is None else tuple(map(float, one)) for one in rows[APPEARANCE]]

    @property
    def sha256(self) -> str:
        """SHA-256 of `to_bytes`."""
        return hashlib.sha256(self.to_bytes()).hexdigest()

    def to_bytes(self) -> bytes:
        """The set as a Parquet file; equal sets give equal bytes."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        about = {"form": FORM, "name": self.name, "provenance": self.provenance, "made_by": dict(self.made_by)}
        further = [APPEARANCE] if APPEARANCE in self.table and self.table[APPEARANCE].notna().any() else []
        found = pa.Table.from_pandas(self.table[[*COLUMNS, *further]], preserve_index=False)
        buffer = io.BytesIO()
        written = found.replace_schema_metadata({_KEY: json.dumps(about, sort_keys=True).encode()})
        pq.write_table(written, buffer, compression="zstd")
        return buffer.getvalue()

    def write(self, path: Path) -> None:
        """Write the set as a Parquet file."""
        path.write_bytes(self.to_bytes())

    @classmethod
    def read(cls, path: Path) -> CalibrationSet:
        """The set in a file. Raises CalibrationError for one that is none."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            with pq.ParquetFile(path) as parquet:
                if parquet.metadata.num_rows > _MOST_ROWS:
                    raise CalibrationError(
                        f"{path.name} has {parquet.metadata.num_rows:,} rows; a set has at most {_MOST_ROWS:,}."
                    )
                found = parquet.read()
            about: dict[str, Any] = json.loads((found.schema.metadata or {})[_KEY])
            if about["form"] != FORM:
                raise CalibrationError(f"Expected {path.name} to be of the form {FORM}, found {about['form']}.")
            further = [APPEARANCE] if APPEARANCE in found.column_names else []
            table = found.to_pandas()[[*COLUMNS, *further]]
            made = cls(str(about["name"]), str(about["provenance"]), dict(about["made_by"]), table)
        except (OSError, ValueError, KeyError, TypeError, pa.ArrowException) as error:
            raise CalibrationError(
                f"Expected {path.name} to be a calibration set, found another file ({type(error).__name__})."
            ) from error
        if not set(table["label"]) <= {"real", "fake"}:
            raise CalibrationError(f"Expected the labels of {path.name} to be real or fake.")
        if wrong := [name for name in (*COLUMNS, *further) if not _holds(found.schema.field(name).type, name)]:
            raise CalibrationError(f"Expected {path.name} to hold {_KINDS}; these columns do not: {', '.join(wrong)}.")
        return made


def _holds(found: pa.DataType, name: str) -> bool:
    import pyarrow as pa

    if pa.types.is_null(found):
        return True
    if name == APPEARANCE:
        return bool(pa.types.is_list(found) and pa.types.is_floating(found.value_type))
    if name == "sound":
        return bool(pa.types.is_boolean(found))
    if name == "logit" or name in _NUMBERS:
        return bool(pa.types.is_floating(found) or pa.types.is_integer(found))
    return bool(pa.types.is_string(found) or pa.types.is_large_string(found))


def find_set(sha256: str, folders: Iterable[Path]) -> CalibrationSet:
    """The set with that hash among the Parquet files of `folders`. Raises CalibrationError where none is."""
    for path in sorted(one for folder in folders for one in folder.glob("*.parquet")):
        if hashlib.sha256(path.read_bytes()).hexdigest() == sha256:
            return CalibrationSet.read(path)
    raise CalibrationError(
        f"The calibration set with the SHA-256 {sha256[:16]}… is not at hand; its scores are needed."
    )
