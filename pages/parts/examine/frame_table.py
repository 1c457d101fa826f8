"""Every examined face as a row; choosing a row shows its frame."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from pages.parts.shared.readings import FaceKey, Readings
from pages.parts.shared.wording import clock


def table(readings: Readings) -> pd.DataFrame:
    """One row a face, in order of time. Scores are in [0, 1], missing where a model did not score the face."""
    rows = []
    for (track_id, pts), tracked in sorted(readings.faces.items(), key=lambda item: (item[0][1], item[0][0])):
        quality = tracked.face.quality
        row: dict[str, object] = {
            "track": track_id,
            "frame": tracked.frame_index,
            "PTS": pts,
            "time": clock(tracked.pts_s),
        }
        for model in readings.analysis.models:
            frame = readings.scores.get((track_id, pts), {}).get(model.model_id)
            row[model.model_id] = None if frame is None else frame.score
        row |= {
            "weight": quality.weight,
            "face px": round(quality.size_px),
            "detector": tracked.face.detection_score,
            "flags": ", ".join(quality.flags),
        }
        rows.append(row)
    return pd.DataFrame(rows)


def show(readings: Readings, key: str) -> FaceKey | None:
    """The table; returns the face whose row was just chosen, or None."""
    frame = table(readings)
    scores = {model.model_id: _bar(model.model_id) for model in readings.analysis.models}
    event = st.dataframe(
        frame,
        key=key,
        hide_index=True,
        height=min(420, 38 + 35 * max(1, len(frame))),
        on_select="rerun",
        selection_mode="single-row",
        column_config={
            **scores,
            "weight": st.column_config.NumberColumn("weight", format="%.2f", help="Share in the track's score, 0 to 1"),
            "detector": st.column_config.NumberColumn("detector", format="%.2f", help="The face detector's confidence"),
        },
    )
    chosen = event["selection"]["rows"]
    if not chosen or chosen[0] >= len(frame):
        return None
    row = frame.iloc[chosen[0]]
    return int(row["track"]), int(row["PTS"])


def _bar(model_id: str) -> Any:
    return st.column_config.ProgressColumn(model_id, format="%.3f", min_value=0.0, max_value=1.0)
