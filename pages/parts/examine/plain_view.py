"""An exhibit without anything a model said of it: its frames as they are, in the player. For opinions given blind, and
for exhibits that no analysis is there of."""

from __future__ import annotations

import streamlit as st

from detector.cases import Case, Exhibit
from detector.errors import EvidenceError
from pages.parts.examine import bookmarks, frame_filters, frame_images, player_place
from pages.parts.shared import address, markup, statements, withholding
from pages.parts.shared.address import NOWHERE, Place

_VIEW = "plain_"


def show(case: Case, exhibit: Exhibit, who: str, *, withheld: bool) -> None:
    """The form for an opinion at the left, the frames at the right."""
    left, right = st.columns([5, 8], gap="medium")
    with left:
        if withheld:
            markup.outcome(
                "visibility_off",
                "var(--fw-faint)",
                withholding.WORDS,
                "This case asks for opinions before scores. Look at the frames and the file, then record what you "
                "think; the conclusion, scores and heatmaps show right after, and the opinion says whether you had "
                "been shown any before.",
            )
        else:
            markup.empty("hourglass_empty", "Not analysed yet", "Its analysis may be queued or running: see Analyse.")
        markup.heading("Your opinion")
        statements.show_opinions(exhibit)
        if case.status == "archived":
            markup.note("The case is archived; reopen it to record an opinion.")
        else:
            statements.opinion_form(exhibit, who, then=bookmarks.to_top if withheld else lambda: None)
    with right:
        show_frames(case, exhibit, who)


def here(exhibit: Exhibit) -> Place:
    """The frame shown: the one that the address names, or the nearest there is; nowhere where none can be read."""
    try:
        moments = frame_images.every_moment(exhibit.sha256, exhibit.evidence)
    except (EvidenceError, OSError):
        return NOWHERE
    asked = address.read().pts
    if not moments:
        return NOWHERE
    return Place(pts=moments[0] if asked is None else min(moments, key=lambda pts: abs(pts - asked)))


@st.fragment
def show_frames(case: Case, exhibit: Exhibit, who: str) -> None:
    """The player at the frame that the address names, without anything that a model said."""
    evidence = exhibit.evidence
    try:
        moments = frame_images.every_moment(exhibit.sha256, evidence)
        pts = here(exhibit).pts
        if pts is None:
            markup.note("The file has no frame that can be shown.")
            return
        frame = frame_images.exact_frame(exhibit.sha256, pts, evidence)
    except (EvidenceError, OSError) as error:
        markup.problem("The frames cannot be shown", str(error))
        return
    player_place.show_file(exhibit, who, pts)
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        if case.status != "archived":
            bookmarks.toggle(exhibit, who, None, pts, view=_VIEW)
        markup.note(
            f"Frame {moments.index(pts) + 1:,} of {len(moments):,} · PTS {pts}. "
            "Derived: decoded exactly, scaled and re-encoded for display."
        )
    frame_filters.show(exhibit, frame, who)
