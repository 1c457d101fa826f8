"""Every face of an analysis with every score, as one long table: CSV for a spreadsheet, Parquet for a program.

One row a face and score: a face that four models scored has four rows, a face that none scored has one, without a
model. A specialists model has a row a cue. Times, boxes and quality are repeated in each row, so that a row stands
alone.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from detector.analysis.types import Analysis, FrameScore, TrackScore, sigmoid
from detector.cases.export import csv_cell
from detector.faces.types import TrackedFace

SCHEMA: Final = pa.schema(
    [
        ("exhibit", pa.string()),
        ("file_name", pa.string()),
        ("sha256", pa.string()),
        ("record_id", pa.string()),
        ("analysis_id", pa.string()),
        ("track_id", pa.int64()),
        ("shot_index", pa.int64()),
        ("frame_index", pa.int64()),
        ("pts", pa.int64()),
        ("pts_s", pa.float64()),
        ("left_px", pa.float64()),
        ("top_px", pa.float64()),
        ("right_px", pa.float64()),
        ("bottom_px", pa.float64()),
        ("detection_score", pa.float64()),
        ("source", pa.string()),
        ("quality_weight", pa.float64()),
        ("size_px", pa.float64()),
        ("sharpness", pa.float64()),
        ("exposure", pa.float64()),
        ("yaw_deg", pa.float64()),
        ("pitch_deg", pa.float64()),
        ("roll_deg", pa.float64()),
        ("mesh_fit", pa.float64()),
        ("quality_flags", pa.string()),
        ("model_id", pa.string()),
        ("model_kind", pa.string()),
        ("cue", pa.string()),
        ("weights_sha256", pa.string()),
        ("logit", pa.float64()),
        ("score", pa.float64()),
    ]
)
# White space before a sign does not stop every spreadsheet, and East Asian ones read full-width signs too.
_SIGNS = "=+-@\uff1d\uff0b\uff0d\uff20"


@dataclass(frozen=True, slots=True)
class NamedAnalysis:
    """An analysis with the names it goes by in its case; both may be empty outside of one."""

    analysis: Analysis
    exhibit: str = ""
    record_id: str = ""


def frame_table(analyses: Iterable[NamedAnalysis]) -> pa.Table:
    """The rows of all the analyses, in order of analysis, track, time and model; columns as in `SCHEMA`."""
    columns: dict[str, list[Any]] = {name: [] for name in SCHEMA.names}
    for named in analyses:
        for row in _rows(named):
            for name, values in columns.items():
                values.append(row.get(name))
    return pa.table(columns, schema=SCHEMA)


def table_csv(table: pa.Table) -> bytes:
    """RFC 4180, UTF-8: numbers in full, nothing where there is no value; text that a spreadsheet could run as a formula
    begins with an apostrophe (OWASP, "CSV Injection")."""
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, lineterminator="\r\n")
    writer.writerow(table.column_names)
    for batch in table.to_batches(max_chunksize=5_000):
        columns = [column.to_pylist() for column in batch.columns]
        writer.writerows([_cell(value) for value in row] for row in zip(*columns, strict=True))
    return stream.getvalue().encode()


def table_parquet(table: pa.Table) -> bytes:
    """Parquet with the same columns, and text exactly as it is: nothing reads it as a formula."""
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd")
    return bytes(sink.getvalue())


def _cell(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    text = value.replace("\0", "\N{REPLACEMENT CHARACTER}")  # ends a cell, or the file, for some readers
    return f"'{text}" if text.lstrip().startswith(tuple(_SIGNS)) else csv_cell(text)


def _rows(named: NamedAnalysis) -> Iterator[dict[str, Any]]:
    analysis, file = named.analysis, named.analysis.evidence.file
    about = {
        "exhibit": _text(named.exhibit),
        "file_name": _text(file.file_name),
        "sha256": file.sha256,
        "record_id": _text(named.record_id),
        "analysis_id": _text(analysis.analysis_id),
    }
    scores = _scores(analysis)
    for track in analysis.tracks:
        for seen in track.faces:
            face = {**about, "track_id": track.track_id, "shot_index": track.shot_index, **_face(seen)}
            for said in scores.get((track.track_id, seen.pts), [{}]):
                yield {**face, **said}


def _scores(analysis: Analysis) -> dict[tuple[int, int], list[dict[str, Any]]]:
    """What was said of each face, by (track, PTS): a row a model, or a row a cue where the model is specialists."""
    found: dict[tuple[int, int], list[dict[str, Any]]] = {}
    for model in analysis.models:
        about = {"model_id": _text(model.model_id), "model_kind": model.kind, "weights_sha256": model.weights_sha256}
        parts: list[tuple[str | None, tuple[TrackScore, ...]]] = [(None, model.tracks)]
        if model.kind == "specialists":
            parts = [(cue.cue, cue.tracks) for cue in model.specialists]
        for cue, tracks in parts:
            for track in tracks:
                for frame in track.frames:
                    said = {**about, "cue": cue, **_score(frame)}
                    found.setdefault((track.track_id, frame.pts), []).append(said)
    return found


def _score(frame: FrameScore) -> dict[str, float]:
    return {"logit": frame.logit, "score": sigmoid(frame.logit)}


def _face(seen: TrackedFace) -> dict[str, Any]:
    left, top, right, bottom = seen.face.bbox_xyxy_px
    quality = seen.face.quality
    return {
        "frame_index": seen.frame_index,
        "pts": seen.pts,
        "pts_s": seen.pts_s,
        "left_px": left,
        "top_px": top,
        "right_px": right,
        "bottom_px": bottom,
        "detection_score": seen.face.detection_score,
        "source": seen.face.source,
        "quality_weight": quality.weight,
        "size_px": quality.size_px,
        "sharpness": quality.sharpness,
        "exposure": quality.exposure,
        "yaw_deg": quality.yaw_deg,
        "pitch_deg": quality.pitch_deg,
        "roll_deg": quality.roll_deg,
        "mesh_fit": quality.mesh_fit,
        "quality_flags": _text(" ".join(quality.flags)),
    }


def _text(value: str) -> str:
    """File names may hold bytes that are no text: they stay visible as escapes."""
    return value.encode("utf-8", "backslashreplace").decode("utf-8")
