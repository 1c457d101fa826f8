"""The words, icons and colours with which every page names a state, and how numbers are written.

Colours are Okabe and Ito's set, which people with colour-vision deficiency can tell apart (Okabe & Ito 2008); no state
is ever told by colour alone: each has an icon and a word. Where a page is light some of them are too pale, and where it
is dark some too deep: `tone` and `ink` keep the contrast of WCAG 2.2 (1.4.3 and 1.4.11) in both themes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import streamlit as st

from detector.analysis.agreement import Side
from detector.analysis.types import Label

_TRACKS = ("#56B4E9", "#E69F00", "#CC79A7", "#F0E442", "#009E73", "#0072B2", "#D55E00", "#7F7F7F")
# Another order, so that a model's line is seldom taken for a track of the same colour. On a light page the pale ones
# are deepened to 3:1, and as far apart for every kind of colour vision as the set itself.
_MODELS = {
    "dark": ("#009E73", "#CC79A7", "#0072B2", "#E69F00", "#56B4E9", "#D55E00", "#F0E442", "#7F7F7F"),
    "light": ("#009E73", "#9B5B7E", "#0072B2", "#442C00", "#1B4156", "#D55E00", "#5D5814", "#303030"),
}
# The colours of states as words and small icons, on a light page and on a dark one: 4.5:1 on either background.
INKS: Final[dict[str, tuple[str, str]]] = {
    "#0072B2": ("#0072B2", "#56B4E9"),
    "#E69F00": ("#8F6200", "#E69F00"),
    "#D55E00": ("#B75000", "#EC7F3C"),
    "#009E73": ("#007E5B", "#1FB387"),
    "#7F7F7F": ("#666666", "#9A9A9A"),
}
# Lines that others are read against: chance, a threshold, the edge of a mark.
REFERENCE: Final = "#808C98"


@dataclass(frozen=True, slots=True)
class LabelWords:
    """`icon` is a Material Symbols name; `limit` says in one sentence what the label does not prove, `limits` what is
    to be added to it."""

    word: str
    icon: str
    colour: str
    limit: str
    limits: str


LABELS: dict[Label, LabelWords] = {
    "likely_manipulated": LabelWords(
        "Likely manipulated",
        "report",
        "#D55E00",
        "It does not prove that the file was altered, by whom or to what end.",
        "Filters, make-up, heavy compression and re-recording can raise a model's score.",
    ),
    "no_manipulation_found": LabelWords(
        "No manipulation found",
        "search_check",
        "#0072B2",
        "It does not prove that the file is genuine.",
        "The models look at faces, and at what is around them only to judge a face by it; they know the kinds of "
        "manipulation that they were trained on. Context is not examined.",
    ),
    "inconclusive": LabelWords(
        "Inconclusive",
        "help",
        "#E69F00",
        "No finding is made, in either direction.",
        "A score, and a likelihood ratio where one is told, is of the models' response alone; the reasons say why no "
        "finding is drawn from it.",
    ),
    "not_examined": LabelWords(
        "No face scored",
        "block",
        "#7F7F7F",
        "This is a limit of the analysis, not a finding about the file.",
        "",
    ),
}


@dataclass(frozen=True, slots=True)
class SideWords:
    """A side of a model's own thresholds; `symbol` is Plotly's."""

    word: str
    icon: str
    colour: str
    symbol: str


SIDES: dict[Side, SideWords] = {
    "likely_manipulated": SideWords("likely manipulated", "report", "#D55E00", "triangle-up"),
    "undecided": SideWords("undecided", "help", "#E69F00", "circle-open"),
    "no_manipulation_found": SideWords("not found", "search_check", "#0072B2", "square"),
}

JOB_STATES: dict[str, tuple[str, str]] = {
    "queued": ("Queued", "hourglass_empty"),
    "paused": ("Paused", "pause_circle"),
    "running": ("Running", "autorenew"),
    "done": ("Done", "check_circle"),
    "failed": ("Failed", "error"),
    "cancelled": ("Cancelled", "cancel"),
}
RUN_STATES: dict[str, tuple[str, str]] = {
    "running": ("Running", "autorenew"),
    "silent": ("No news: stopped or stalled", "pause_circle"),
    "finished": ("Finished", "check_circle"),
}

# Priority of a model's analysis: word, icon, colour.
PRIORITIES: dict[str | None, tuple[str, str, str]] = {
    "HIGH": ("High", "priority_high", "#D55E00"),
    "MEDIUM": ("Medium", "drag_handle", "#E69F00"),
    "LOW": ("Low", "low_priority", "#0072B2"),
    None: ("Not judged", "help", "#7F7F7F"),
}


def theme() -> str:
    """Whether the page is drawn "light" or "dark"."""
    return "dark" if st.context.theme.type == "dark" else "light"


def tone(colour: str) -> str:
    """A state's colour for CSS, following the theme by itself; a colour that is none of them as it is."""
    return "light-dark({}, {})".format(*INKS[colour]) if colour in INKS else colour


def ink(colour: str) -> str:
    """A state's colour for a chart, in the theme that the page is drawn in."""
    return INKS[colour][theme() == "dark"] if colour in INKS else colour


def track_colour(track_index: int) -> str:
    """The colour of the n-th track of an analysis, counted from 0; repeats after eight. It is for boxes on pictures and
    for surfaces, not for lines."""
    return _TRACKS[track_index % len(_TRACKS)]


def model_colour(model_index: int) -> str:
    """The colour of the n-th model's line on the page as it is drawn, counted from 0; repeats after eight."""
    colours = _MODELS[theme()]
    return colours[model_index % len(colours)]


def score_text(score: float | None) -> str:
    """A score with three decimals; an en dash where there is none, because "unknown" is not a number."""
    return "–" if score is None or math.isnan(score) else f"{score:.3f}"


def clock(seconds: float) -> str:
    """A time in the file: 83.4567 -> "01:23.457"; hours appear where there are any."""
    milliseconds = round(abs(seconds) * 1000)
    minutes, rest = divmod(milliseconds, 60_000)
    hours, minutes = divmod(minutes, 60)
    sign = "-" if seconds < 0 else ""
    head = f"{hours}:{minutes:02d}" if hours else f"{minutes:02d}"
    return f"{sign}{head}:{rest // 1000:02d}.{rest % 1000:03d}"


def remaining_text(remaining_s: float | None) -> str:
    """The time left in words."""
    if remaining_s is None:
        return "Estimating the time left."
    if remaining_s < 60:
        return f"About {max(1, math.ceil(remaining_s))} s left."
    return f"About {math.ceil(remaining_s / 60)} min left."


def size_text(size_bytes: int) -> str:
    """Bytes in binary units, with the exact count: 1536 -> "1.5 KiB (1,536 bytes)"."""
    value, unit = float(size_bytes), "bytes"
    for larger in ("KiB", "MiB", "GiB", "TiB"):
        if value < 1024:
            break
        value, unit = value / 1024, larger
    return f"{size_bytes:,} bytes" if unit == "bytes" else f"{value:.1f} {unit} ({size_bytes:,} bytes)"
