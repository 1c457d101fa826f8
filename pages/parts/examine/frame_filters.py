"""Filters of the whole frame beside the frame itself: what an examiner looks through before and beside any model."""

from __future__ import annotations

import numpy as np
import streamlit as st
from numpy.typing import NDArray
from PIL import Image

from detector.cases import Exhibit
from detector.errors import FramewitnessError
from detector.evidence import Frame
from detector.evidence.picture_filters import FILTERS, Filtered, PictureFilter, Value, apply_filter
from pages.parts.examine import frame_images
from pages.parts.shared import markup, services

_WHOLE = "whole frame"
_ZOOMS = {_WHOLE: 0, "1 ×": 1, "2 ×": 2, "4 ×": 4}
_SPLIT, _BLEND = "Split", "Blend"


@st.fragment
def show(exhibit: Exhibit, frame: Frame, who: str) -> None:
    """The frame through a filter that is chosen, against the frame as it is; `who` may take it away as PNG. Nothing is
    computed before one is chosen. A fragment: its sliders redraw nothing else."""
    markup.heading("Filters of the whole frame", "no score and no finding · derived pictures")
    name = st.selectbox(
        "Filter",
        list(FILTERS),
        index=None,
        format_func=lambda key: FILTERS[key].title,
        placeholder="Choose a filter",
        key="filter",
        persist_state="page",
        label_visibility="collapsed",
    )
    if name is None:
        return
    chosen = FILTERS[name]
    values = _choose_values(chosen)
    try:
        filtered = _filtered(exhibit.sha256, frame.pts, name, values, frame.image)
    except FramewitnessError as error:
        markup.problem("This frame cannot be filtered", str(error))
        return
    _draw(frame.image, filtered.picture, chosen)
    st.download_button(
        "Filtered PNG",
        lambda: issue(exhibit, frame, name, values, who),
        file_name=_file_name(exhibit, frame, name),
        mime="image/png",
        icon=":material/download:",
        key="filter_png",
        on_click="ignore",
        help="The whole filtered frame, lossless, labelled as derived. The case's log keeps its SHA-256.",
    )
    told = [("Measured", filtered.reading)] if filtered.reading else []
    markup.facts([*told, ("It shows", chosen.shows), ("It cannot show", chosen.cannot_show)])


def _choose_values(chosen: PictureFilter) -> tuple[Value, ...]:
    """A widget an option: words in a list, numbers on a slider."""
    found: list[Value] = []
    for column, option in zip(st.columns(len(chosen.options)), chosen.options, strict=True):
        title = option.title.capitalize() if option.title.islower() else option.title
        key = f"filter_{chosen.name}_{option.title}"
        with column:
            if isinstance(option.usual, str):
                at = option.values.index(option.usual)
                found.append(st.selectbox(title, option.values, index=at, key=key, persist_state="page"))
            else:
                label = f"{title}, {option.unit}"
                found.append(st.select_slider(label, option.values, option.usual, key=key, persist_state="page"))
    return tuple(found)


@st.cache_resource(show_spinner="Filtering the frame…", max_entries=4)
def _filtered(sha256: str, pts: int, name: str, values: tuple[Value, ...], _image: NDArray[np.uint8]) -> Filtered:
    """The frame of this file at `pts` through a filter: the key says which, for pixels are hashed by samples."""
    return apply_filter(_image, name, values)


def issue(exhibit: Exhibit, frame: Frame, name: str, values: tuple[Value, ...], who: str) -> bytes:
    """The PNG to take away, which goes into the case's log (`issue_filtered_frame`)."""
    from detector.report.filtered_frame import issue_filtered_frame  # seconds of imports, for a click

    file_name = _file_name(exhibit, frame, name)
    return issue_filtered_frame(services.current().store, exhibit, frame, name, values, file_name=file_name, actor=who)


def _file_name(exhibit: Exhibit, frame: Frame, name: str) -> str:
    return f"{exhibit.sha256[:12]}-pts-{frame.pts}-{name}-derived.png"


def _draw(image: NDArray[np.uint8], filtered: NDArray[np.uint8], chosen: PictureFilter) -> None:
    """Both pictures as one, split or blended where the slider stands, whole or at the frame's own pixels."""
    how_column, share_column, zoom_column = st.columns([2, 3, 3], vertical_alignment="bottom")
    with how_column:
        how = st.segmented_control(
            "Against the frame", [_SPLIT, _BLEND], default=_SPLIT, required=True, key="filter_how", persist_state="page"
        )
    with share_column:
        share = st.slider(
            "Filter, %",
            0,
            100,
            50,
            step=5,
            key="filter_share",
            persist_state="page",
            help="0 shows the frame alone, 100 the filter alone.",
        )
    with zoom_column:
        zoom = _ZOOMS[st.select_slider("Zoom", list(_ZOOMS), _WHOLE, key="filter_zoom", persist_state="page")]
    left_share, top_share = _choose_place() if zoom else (0.5, 0.5)
    before, after = (part(one, zoom, left_share, top_share) for one in (image, filtered))
    shown = (split if how == _SPLIT else blend)(before, after, share / 100)
    st.image(frame_images.jpeg(shown), width=shown.shape[1])
    sides = "left of the line the frame, right of it the filter" if how == _SPLIT else "the filter over the frame"
    below = sides if 0 < share < 100 else "the filter alone" if share else "the frame alone"
    markup.note(f"Derived: {chosen.title}, {below}; scaled and re-encoded for display.")


def _choose_place() -> tuple[float, float]:
    across, down = st.columns(2)
    with across:
        left = st.slider("Part across, %", 0, 100, 50, key="filter_left", persist_state="page")
    with down:
        top = st.slider("Part down, %", 0, 100, 50, key="filter_top", persist_state="page")
    return left / 100, top / 100


def part(image: NDArray[np.uint8], zoom: int, left_share: float, top_share: float) -> NDArray[np.uint8]:
    """What is shown of (H, W, 3) uint8: with `zoom` 0 all of it at the size of `display_width_px`; else as much as fits
    there with each pixel drawn `zoom` x `zoom`, from the top left (shares 0) to the bottom right (1)."""
    height_px, width_px = image.shape[:2]
    wide_px = frame_images.display_width_px(width_px, height_px)
    high_px = max(1, round(height_px * wide_px / width_px))
    if not zoom:
        return np.asarray(Image.fromarray(image).resize((wide_px, high_px), Image.Resampling.BILINEAR))
    wide, high = min(width_px, wide_px // zoom), min(height_px, high_px // zoom)
    left, top = round(left_share * (width_px - wide)), round(top_share * (height_px - high))
    cut = image[top : top + high, left : left + wide]
    return cut.repeat(zoom, axis=0).repeat(zoom, axis=1)


def split(image: NDArray[np.uint8], filtered: NDArray[np.uint8], share: float) -> NDArray[np.uint8]:
    """The frame at the left and the filter over the right `share` (0..1) of it, with a line between; both (H, W, 3)."""
    at = round((1 - share) * image.shape[1])
    shown = np.concatenate([image[:, :at], filtered[:, at:]], axis=1)
    if 0 < at < image.shape[1]:
        shown[:, max(0, at - 1) : at + 1] = 255
    return shown


def blend(image: NDArray[np.uint8], filtered: NDArray[np.uint8], share: float) -> NDArray[np.uint8]:
    """The filter over the frame at an opacity of `share` (0..1); both (H, W, 3)."""
    return np.asarray(Image.blend(Image.fromarray(image), Image.fromarray(filtered), share))
