"""An analysis as tables: one row schema for the case store, CSV, Parquet, the PDF's attachments and the pages.

    TRACKS   a row a track in which a face was seen
    FRAMES   a row a face seen
    SCORES   a row a model and face scored

A column is one line here: its name, which carries the unit, its type, and where its value comes from.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq

from detector.analysis.kinds import kind_of
from detector.analysis.types import Analysis, FrameScore, ModelResult, TrackScore
from detector.evidence.text import revealed
from detector.faces.types import FaceTrack, TrackedFace

Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class NamedAnalysis:
    """An analysis with the names it goes by in its case; both may be empty outside of one."""

    analysis: Analysis
    exhibit: str = ""
    record_id: str = ""


@dataclass(frozen=True, slots=True)
class FaceRow:
    """The source of a row of `FRAMES`."""

    track: FaceTrack
    seen: TrackedFace


@dataclass(frozen=True, slots=True)
class ScoreRow:
    """The source of a row of `SCORES`; `cue` where it is one cue's score and not the model's."""

    model: ModelResult
    cue: str | None
    track_id: int
    frame: FrameScore


@dataclass(frozen=True, slots=True)
class Column(Generic[Row]):
    """One column. `stored` is False where the case store, whose columns are fixed, holds the value elsewhere or not."""

    name: str
    type: pa.DataType
    value: Callable[[Row], Any]
    stored: bool = True


ABOUT: tuple[Column[NamedAnalysis], ...] = (
    Column("exhibit", pa.string(), lambda named: named.exhibit),
    Column("file_name", pa.string(), lambda named: named.analysis.evidence.file.file_name),
    Column("sha256", pa.string(), lambda named: named.analysis.evidence.file.sha256),
    Column("record_id", pa.string(), lambda named: named.record_id),
    Column("analysis_id", pa.string(), lambda named: named.analysis.analysis_id),
)
TRACKS: tuple[Column[FaceTrack], ...] = (
    Column("track_id", pa.int64(), lambda track: track.track_id),
    Column("shot_index", pa.int64(), lambda track: track.shot_index),
    Column("first_pts_s", pa.float64(), lambda track: track.first_pts_s),
    Column("last_pts_s", pa.float64(), lambda track: track.last_pts_s),
    Column("face_count", pa.int64(), lambda track: len(track.faces)),
)
FRAMES: tuple[Column[FaceRow], ...] = (
    Column("track_id", pa.int64(), lambda row: row.track.track_id),
    Column("shot_index", pa.int64(), lambda row: row.track.shot_index, stored=False),
    Column("frame_index", pa.int64(), lambda row: row.seen.frame_index),
    Column("pts", pa.int64(), lambda row: row.seen.pts),
    Column("pts_s", pa.float64(), lambda row: row.seen.pts_s),
    Column("x0_px", pa.float64(), lambda row: row.seen.face.bbox_xyxy_px[0]),
    Column("y0_px", pa.float64(), lambda row: row.seen.face.bbox_xyxy_px[1]),
    Column("x1_px", pa.float64(), lambda row: row.seen.face.bbox_xyxy_px[2]),
    Column("y1_px", pa.float64(), lambda row: row.seen.face.bbox_xyxy_px[3]),
    Column("detection_score", pa.float64(), lambda row: row.seen.face.detection_score),
    Column("source", pa.string(), lambda row: row.seen.face.source),
    Column("size_px", pa.float64(), lambda row: row.seen.face.quality.size_px),
    Column("sharpness", pa.float64(), lambda row: row.seen.face.quality.sharpness),
    Column("exposure", pa.float64(), lambda row: row.seen.face.quality.exposure),
    Column("yaw_deg", pa.float64(), lambda row: row.seen.face.quality.yaw_deg),
    Column("pitch_deg", pa.float64(), lambda row: row.seen.face.quality.pitch_deg),
    Column("roll_deg", pa.float64(), lambda row: row.seen.face.quality.roll_deg),
    Column("mesh_fit", pa.float64(), lambda row: row.seen.face.quality.mesh_fit),
    Column("weight", pa.float64(), lambda row: row.seen.face.quality.weight),
    Column("flags", pa.string(), lambda row: " ".join(row.seen.face.quality.flags)),
)
SCORES: tuple[Column[ScoreRow], ...] = (
    Column("model_id", pa.string(), lambda row: row.model.model_id),
    Column("model_kind", pa.string(), lambda row: row.model.kind, stored=False),
    Column("cue", pa.string(), lambda row: row.cue, stored=False),
    Column("weights_sha256", pa.string(), lambda row: row.model.weights_sha256),
    Column("track_id", pa.int64(), lambda row: row.track_id),
    Column("frame_index", pa.int64(), lambda row: row.frame.frame_index),
    Column("pts", pa.int64(), lambda row: row.frame.pts),
    Column("pts_s", pa.float64(), lambda row: row.frame.pts_s),
    Column("logit", pa.float64(), lambda row: row.frame.logit),
    Column("score", pa.float64(), lambda row: row.frame.score),
    Column("weight", pa.float64(), lambda row: row.frame.weight),
)
# White space before a sign does not stop every spreadsheet, and East Asian ones read full-width signs too.
_SIGNS: Final = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")


def tracks_table(analysis: Analysis) -> pa.Table:
    """Columns as in `TRACKS`, in order of track."""
    return _table(TRACKS, (track for track in analysis.tracks if track.faces))


def frames_table(analysis: Analysis) -> pa.Table:
    """Columns as in `FRAMES`, in order of track and time."""
    return _table(FRAMES, _faces(analysis))


def scores_table(analysis: Analysis) -> pa.Table:
    """Columns as in `SCORES`, in order of model, track and time: what each model says, not its single cues."""
    return _table(SCORES, (row for model in analysis.models for row in _said(model)))


def named_scores_table(analyses: Iterable[NamedAnalysis]) -> pa.Table:
    """`scores_table` of all the analyses, one after the other, each row with the names of its analysis (`ABOUT`)."""
    told = [(named, row) for named in analyses for model in named.analysis.models for row in _said(model)]
    return _beside(_table(ABOUT, (named for named, _ in told)), _table(SCORES, (row for _, row in told)))


def wide_table(analyses: Iterable[NamedAnalysis]) -> pa.Table:
    """Every face with every score, in order of analysis, track, time and model: `ABOUT`, `FRAMES` and what `SCORES`
    adds to them, so that a row stands alone.

    A face that four models scored has four rows, one that none scored has one, with nothing in the columns of
    `SCORES`. A specialists model has a row a cue.
    """
    told: list[tuple[NamedAnalysis, FaceRow, ScoreRow | None]] = []
    for named in analyses:
        said: dict[tuple[int, int], list[ScoreRow | None]] = {}
        for row in (row for model in named.analysis.models for row in _said(model, by_cue=True)):
            said.setdefault((row.track_id, row.frame.pts), []).append(row)
        for face in _faces(named.analysis):
            told += [(named, face, row) for row in said.get((face.track.track_id, face.seen.pts), [None])]
    of_the_face = {column.name for column in FRAMES}
    return _beside(
        _table(ABOUT, (named for named, _, _ in told)),
        _table(FRAMES, (face for _, face, _ in told)),
        _table([column for column in SCORES if column.name not in of_the_face], (row for _, _, row in told)),
    )


def table_csv(table: pa.Table) -> bytes:
    """RFC 4180, UTF-8, the columns' names first: numbers in full, nothing where there is no value, text as `csv_cell`
    leaves it."""
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, lineterminator="\r\n")
    writer.writerow(table.column_names)
    for batch in table.to_batches(max_chunksize=5_000):
        columns = [column.to_pylist() for column in batch.columns]
        writer.writerows([csv_cell(value) for value in row] for row in zip(*columns, strict=True))
    return stream.getvalue().encode()


def csv_cell(value: object) -> object:
    """A cell that no spreadsheet runs: text that one could read as a formula begins with an apostrophe (OWASP, "CSV
    Injection"), and what cannot be seen is spelled out. Numbers stay as they are, negative ones too."""
    if not isinstance(value, str):
        return value
    text = revealed(value, lines=True)
    runs = text.lstrip().startswith(_SIGNS) or text.startswith(("\t", "\r", "\n"))
    return f"'{text}" if runs else text


def table_parquet(table: pa.Table) -> bytes:
    """Parquet with the same columns, and text exactly as it is: nothing reads it as a formula."""
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd")
    return bytes(sink.getvalue())


def _faces(analysis: Analysis) -> Iterator[FaceRow]:
    return (FaceRow(track, seen) for track in analysis.tracks for seen in track.faces)


def _said(model: ModelResult, *, by_cue: bool = False) -> Iterator[ScoreRow]:
    """A model's score of each face; with `by_cue` a specialists model's cues in place of the whole."""
    parts: list[tuple[str | None, tuple[TrackScore, ...]]] = [(None, model.tracks)]
    if by_cue and kind_of(model).cue_scores:
        parts = [(cue.cue, cue.tracks) for cue in model.specialists]
    for cue, tracks in parts:
        for track in tracks:
            for frame in track.frames:
                yield ScoreRow(model, cue, track.track_id, frame)


def _table(columns: Sequence[Column[Row]], rows: Iterable[Row | None]) -> pa.Table:
    """A row each; None in every column where there is no row to take the value from."""
    found = list(rows)
    return pa.table(
        {
            column.name: pa.array(
                [None if row is None else _encodable(column.value(row)) for row in found], type=column.type
            )
            for column in columns
        }
    )


def _beside(*parts: pa.Table) -> pa.Table:
    """Tables of as many rows each as one with all their columns."""
    return pa.table(
        [column for part in parts for column in part.columns],
        names=[name for part in parts for name in part.column_names],
    )


def _encodable(value: object) -> object:
    """File names may hold bytes that are no text: they stay visible as escapes."""
    return value.encode("utf-8", "backslashreplace").decode() if isinstance(value, str) else value
