"""An analysis as rows: one per track, one per face seen, one per score, inserted in bulk through Arrow."""

from __future__ import annotations

from typing import Any

import duckdb
import pyarrow as pa

from detector.analysis.types import Analysis

_TYPES: dict[str, pa.DataType] = {
    "track_id": pa.int32(),
    "shot_index": pa.int32(),
    "face_count": pa.int32(),
    "frame_index": pa.int32(),
    "pts": pa.int64(),
    "model_id": pa.string(),
    "weights_sha256": pa.string(),
    "record_id": pa.string(),
    "source": pa.string(),
    "flags": pa.string(),
}


def insert_tables(cursor: duckdb.DuckDBPyConnection, record_id: str, analysis: Analysis) -> None:
    """Fill tracks, frames and scores inside the caller's transaction."""
    for table, found in (
        ("tracks", _tracks(analysis)),
        ("frames", _frames(analysis)),
        ("scores", _scores(analysis)),
    ):
        if found:
            _insert(cursor, table, record_id, found)


def _insert(cursor: duckdb.DuckDBPyConnection, table: str, record_id: str, found: list[dict[str, Any]]) -> None:
    columns = {name: pa.array([row[name] for row in found], type=_TYPES.get(name, pa.float64())) for name in found[0]}
    columns["record_id"] = pa.array([record_id] * len(found), type=pa.string())
    cursor.register("incoming", pa.table(columns))
    try:
        cursor.execute(f"INSERT INTO {table} BY NAME SELECT * FROM incoming")
    finally:
        cursor.unregister("incoming")


def _tracks(analysis: Analysis) -> list[dict[str, Any]]:
    return [
        {
            "track_id": track.track_id,
            "shot_index": track.shot_index,
            "first_pts_s": track.first_pts_s,
            "last_pts_s": track.last_pts_s,
            "face_count": len(track.faces),
        }
        for track in analysis.tracks
        if track.faces
    ]


def _frames(analysis: Analysis) -> list[dict[str, Any]]:
    found = []
    for track in analysis.tracks:
        for seen in track.faces:
            face, quality = seen.face, seen.face.quality
            x0, y0, x1, y1 = (float(edge) for edge in face.bbox_xyxy_px)
            found.append(
                {
                    "track_id": track.track_id,
                    "frame_index": seen.frame_index,
                    "pts": seen.pts,
                    "pts_s": seen.pts_s,
                    "x0_px": x0,
                    "y0_px": y0,
                    "x1_px": x1,
                    "y1_px": y1,
                    "detection_score": face.detection_score,
                    "source": face.source,
                    "size_px": quality.size_px,
                    "sharpness": quality.sharpness,
                    "exposure": quality.exposure,
                    "yaw_deg": quality.yaw_deg,
                    "pitch_deg": quality.pitch_deg,
                    "roll_deg": quality.roll_deg,
                    "mesh_fit": quality.mesh_fit,
                    "weight": quality.weight,
                    "flags": " ".join(quality.flags),
                }
            )
    return found


def _scores(analysis: Analysis) -> list[dict[str, Any]]:
    return [
        {
            "model_id": model.model_id,
            "weights_sha256": model.weights_sha256,
            "track_id": track.track_id,
            "frame_index": frame.frame_index,
            "pts": frame.pts,
            "pts_s": frame.pts_s,
            "logit": frame.logit,
            "score": frame.score,
            "weight": frame.weight,
        }
        for model in analysis.models
        for track in model.tracks
        for frame in track.frames
    ]
