"""The player on Examine: an exhibit with what its record says, or the file alone."""

from __future__ import annotations

from detector.cases import Exhibit
from pages.parts.examine import bookmarks, frame_view, heatmap_panel
from pages.parts.examine.annotations import ask, on_player
from pages.parts.player import component
from pages.parts.player.component import Heat, Shown
from pages.parts.shared import services
from pages.parts.shared.readings import FaceKey, Readings


def show_record(readings: Readings, record_id: str, exhibit: Exhibit, who: str, here: FaceKey) -> None:
    """The player with scores, segments and the marks on frames, at the face `here`. `who` annotates. For use in a
    fragment."""
    _show(
        exhibit,
        who,
        record_id=record_id,
        track=here[0],
        pts=here[1],
        heat=_heat(readings, here) if component.heat_wanted() else Heat(*here, None),
    )


def show_file(exhibit: Exhibit, who: str, pts: int) -> None:
    """The player without anything that a model said, at the frame of `pts`. For use in a fragment."""
    _show(exhibit, who, pts=pts)


def _show(
    exhibit: Exhibit,
    who: str,
    *,
    pts: int,
    record_id: str | None = None,
    track: int | None = None,
    heat: Heat | None = None,
) -> None:
    gesture = component.show(
        exhibit,
        record_id=record_id,
        track=track,
        pts=pts,
        marks=bookmarks.on_frames(exhibit),
        annotations=[
            Shown("Annotation", one.author, one.text, one.pts, one.track_id, one.end_pts, one.box_xyxy_px)
            for one in on_player(exhibit)
            if one.pts is not None
        ],
        may_annotate=services.current().store.case(exhibit.case_id).status != "archived",
        heat=heat,
    )
    if gesture is not None:
        ask(exhibit, who, gesture)


def _heat(readings: Readings, here: FaceKey) -> Heat:
    """The heatmap that is chosen beside the face, over the whole frame."""
    track_id, pts = here
    if here not in readings.faces:
        return Heat(
            track_id, pts, None, note="No heatmap here: they are made of the examined frames of the chosen face."
        )
    frame = frame_view.decode(readings, pts)
    png = None if frame is None else heatmap_panel.layer(readings, frame, track_id)
    return Heat(
        track_id, pts, png, heatmap_panel.opacity(), "" if png else "No heatmap here that explains more than chance."
    )
