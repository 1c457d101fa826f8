"""The time axis that every chart of an exhibit shares, and what a click on one of their points means."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pages.parts.shared.readings import FaceKey, Readings

MARGIN = {"l": 70, "r": 70, "t": 4, "b": 4, "pad": 0}


def time_axis(readings: Readings) -> dict[str, Any]:
    """Range and behaviour of the axis, so that a moment stands at the same place in all of them."""
    video = readings.analysis.evidence.video
    ends = [video.duration_s, *(track.last_pts_s for track in readings.analysis.tracks)]
    end_s = max(ends) or 1.0
    return {
        "range": [-0.01 * end_s, 1.01 * end_s],
        "zeroline": False,
        "fixedrange": True,
        "automargin": False,
    }


def picked(event: Mapping[str, Any] | None) -> FaceKey | None:
    """The (track_id, pts) of the point that was clicked, or None where a click hit no face."""
    if not event:
        return None
    for point in event.get("selection", {}).get("points", []):
        data = point.get("customdata")
        if data is not None and len(data) >= 2:
            return int(data[0]), int(data[1])
    return None
