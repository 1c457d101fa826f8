"""An exhibit without anything a model said of it: its frames as they are, and the player. For opinions given blind, and
for exhibits that no analysis is there of."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from detector.cases import Case, Exhibit
from detector.errors import EvidenceError
from detector.evidence import Evidence, Frame
from pages.parts.examine import bookmarks, evidence_facts, frame_filters, frame_images, stepping
from pages.parts.shared import address, markup, statements, withholding
from pages.parts.shared.address import NOWHERE, Place
from pages.parts.shared.wording import clock

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
            statements.opinion_form(exhibit, who)
    with right:
        show_frames(case, exhibit, who)
        evidence_facts.show_player(exhibit.evidence)


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
    """The frame that the address names, as it is, with the ways to the others."""
    evidence = exhibit.evidence
    try:
        moments = frame_images.every_moment(exhibit.sha256, evidence)
        pts = here(exhibit).pts
        if pts is None:
            markup.note("The file has no frame that can be shown.")
            return
        markup.heading("Frame", f"{clock(float(pts * evidence.video.time_base))} · PTS {pts}")
        frame = _picture(evidence, pts)
    except (EvidenceError, OSError) as error:
        markup.problem("The frames cannot be shown", str(error))
        return
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        stepping.show(moments, pts, lambda to: address.go(replace(address.read(), pts=to)), view=_VIEW)
        if case.status != "archived":
            bookmarks.toggle(exhibit, who, None, pts, view=_VIEW)
    place = moments.index(pts)
    chosen = st.slider(
        "Frame", 1, max(2, len(moments)), place + 1, key=f"plain_frame_{exhibit.exhibit_id}_{pts}",
        label_visibility="collapsed",
    )  # fmt: skip
    if chosen - 1 != place and chosen <= len(moments):
        address.go(replace(address.read(), pts=moments[chosen - 1]))
        st.rerun(scope="fragment")
    markup.note(
        f"Frame {place + 1:,} of {len(moments):,} · PTS {pts} × {evidence.video.time_base} s. Derived: decoded "
        "exactly, scaled and re-encoded for display."
    )
    frame_filters.show(exhibit, frame, who)


def _picture(evidence: Evidence, pts: int) -> Frame:
    frame = frame_images.exact_frame(evidence.file.sha256, pts, evidence)
    height_px, width_px = frame.image.shape[:2]
    st.image(frame_images.with_boxes(frame.image, ()), width=frame_images.display_width_px(width_px, height_px))
    return frame
