"""The player on Examine: an exhibit with what its record says, or the file alone."""

from __future__ import annotations

from collections.abc import Sequence

from detector.cases import Exhibit
from pages.parts.examine import bookmarks, frame_view, heatmap_panel
from pages.parts.player import component
from pages.parts.player.component import Heat, Shown
from pages.parts.shared.readings import FaceKey, Readings


def show_record(readings: Readings, record_id: str, exhibit: Exhibit, here: FaceKey | None) -> None:
    """The player with scores, segments and the marks on frames, at the face `here`; where no face was found, with the
    marks alone."""
    component.show(
        exhibit,
        record_id=record_id,
        track=None if here is None else here[0],
        pts=None if here is None else here[1],
        marks=_marks(exhibit),
        heatmaps=here is not None,
        heat=_heat(readings, here) if here is not None and component.heat_wanted() else None,
    )


def show_file(exhibit: Exhibit, pts: int) -> None:
    """The player without anything that a model said, at the frame of `pts`."""
    component.show(exhibit, record_id=None, track=None, pts=pts, marks=_marks(exhibit))


def _marks(exhibit: Exhibit) -> Sequence[Shown]:
    return [Shown(mark.kind, mark.author, mark.text, mark.pts, mark.track_id) for mark in bookmarks.on_frames(exhibit)]


def _heat(readings: Readings, here: FaceKey) -> Heat:
    """The heatmap that is chosen beside the face, over the whole frame."""
    track_id, pts = here
    if here not in readings.faces:
        return Heat(track_id, pts, None, "No heatmap here: they are made of the examined frames of the chosen face.")
    frame = frame_view.decode(readings, pts)
    png = None if frame is None else heatmap_panel.layer(readings, frame, track_id)
    return Heat(track_id, pts, png, "No heatmap here that explains more than chance." if png is None else "")
