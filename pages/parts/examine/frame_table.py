"""Every examined face as a row; choosing a row shows its frame."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from detector.analysis.tables import frames_table
from detector.analysis.types import ModelResult
from pages.parts.shared import markup
from pages.parts.shared.readings import FaceKey, Readings
from pages.parts.shared.wording import clock

_BEFORE_SCORES = ("time", "track_id", "frame_index", "pts", "pts_s")
_AFTER_SCORES = ("weight", "size_px", "detection_score", "flags")


def table(readings: Readings) -> pd.DataFrame:
    """One row a face, in order of time: what the frame table of every export holds, and each model's score in [0, 1],
    missing where a model did not score the face."""
    rows = frames_table(readings.analysis).to_pandas().sort_values(["pts", "track_id"], ignore_index=True)
    others = [name for name in rows.columns if name not in (*_BEFORE_SCORES, *_AFTER_SCORES)]
    rows["time"] = [clock(pts_s) for pts_s in rows["pts_s"]]
    models = [model.model_id for model in readings.with_frame_scores()]
    said = [readings.scores.get(key, {}) for key in zip(rows["track_id"], rows["pts"], strict=True)]
    for name in models:
        rows[name] = [found[name].score if name in found else None for found in said]
    return rows[[*_BEFORE_SCORES, *models, *_AFTER_SCORES, *others]]


def show(readings: Readings, key: str) -> FaceKey | None:
    """The table; returns the face whose row was just chosen, or None."""
    frame, models = table(readings), readings.with_frame_scores()
    scores = {model.model_id: _bar(model) for model in models}
    event = st.dataframe(
        frame,
        key=key,
        hide_index=True,
        height=min(420, 38 + 35 * max(1, len(frame))),
        on_select="rerun",
        selection_mode="single-row",
        column_config={
            **scores,
            "track_id": "track",
            "frame_index": st.column_config.NumberColumn("frame", help="Number of the frame in the file, from 0"),
            "pts": st.column_config.NumberColumn("PTS", help="Time stamp in ticks of the file's time base"),
            "pts_s": st.column_config.NumberColumn("seconds", format="%.3f"),
            "weight": st.column_config.NumberColumn(format="%.2f", help="Share in the track's score, 0 to 1"),
            "size_px": st.column_config.NumberColumn("face, px", format="%.0f"),
            "detection_score": st.column_config.NumberColumn(
                "detector", format="%.2f", help="The face detector's confidence"
            ),
        },
    )
    chosen = event["selection"]["rows"]
    if not chosen or chosen[0] >= len(frame):
        return None
    row = frame.iloc[chosen[0]]
    return int(row["track_id"]), int(row["pts"])


def _bar(model: ModelResult) -> Any:
    return st.column_config.ProgressColumn(
        model.name, format="%.3f", min_value=0.0, max_value=1.0, help=markup.plain(model.model_id)
    )
