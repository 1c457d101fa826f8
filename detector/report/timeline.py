"""The timeline figure: every frame score of every track over seconds, as SVG."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
from matplotlib import font_manager
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from detector.analysis.types import Analysis
from detector.faces.types import FaceTrack
from detector.report.lanes import (
    INK,
    LANE_GAP,
    MODEL_STYLES,
    MUTED,
    RULE,
    draw_mark,
    draw_others,
    draw_track,
    drawn_models,
    prepare_lane,
    share_lanes,
)
from detector.report.language import Words
from detector.report.printable import FONTS_DIR
from detector.report.wording import ENGLISH

if TYPE_CHECKING:
    from detector.registry import Thresholds

_MM = 1 / 25.4

STYLE: Any = {
    "svg.hashsalt": "framewitness",
    "svg.fonttype": "none",  # text stays text: searchable, and set in the report's own fonts
    "font.family": ["Noto Sans", "Noto Sans Arabic"],
    "font.size": 7.0,
    "text.parse_math": False,  # a model id is data
    "axes.linewidth": 0.5,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.major.width": 0.5,
    "ytick.major.width": 0.5,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.0,
    "hatch.linewidth": 0.4,
    "path.simplify": False,
}
_rc_lock = threading.Lock()  # matplotlib's settings are global to the process; pages draw from several threads
_fonts_added = False


def timeline_svg(
    analysis: Analysis,
    *,
    decisions: Mapping[str, Thresholds] | None = None,
    marks: Sequence[tuple[int, float, int]] = (),
    model_labels: Mapping[str, str] | None = None,
    width_mm: float = 174.0,
    max_lanes: int = 7,
    words: Words = ENGLISH,
) -> bytes:
    """One lane a track, score 0..1 over seconds; the same analysis gives the same bytes.

    `decisions` by model id draw the thresholds; `marks` are (track_id, pts_s, number) of frames shown elsewhere;
    `model_labels` by model id replace ids in the legend. Where a face was looked for and not found the lane is hatched
    and the line is broken; where it was found but not scored there is a tick at the foot of the lane. Time runs from
    left to right in every language.
    """
    with drawing(STYLE, words):
        return _draw(analysis, decisions or {}, marks, model_labels or {}, width_mm, max_lanes, words)


@contextmanager
def drawing(style: Any, words: Words) -> Iterator[None]:
    """Matplotlib with `style` and the report's fonts, one thread at a time.

    Joined letters become outlines: as text in an SVG they reach the PDF without the code points that PDF/A asks for.
    """
    outlines: Any = {"svg.fonttype": "path"} if words.direction == "rtl" else {}
    with _rc_lock, mpl.rc_context({**style, **outlines}):
        _add_fonts()
        yield


def _add_fonts() -> None:
    global _fonts_added
    if not _fonts_added:
        font_manager.fontManager.addfont(str(FONTS_DIR / "NotoSans-Regular.ttf"))
        font_manager.fontManager.addfont(str(FONTS_DIR / "NotoSans-Bold.ttf"))
        font_manager.fontManager.addfont(str(FONTS_DIR / "NotoSansArabic-Regular.ttf"))
        _fonts_added = True


def _draw(
    analysis: Analysis,
    decisions: Mapping[str, Thresholds],
    marks: Sequence[tuple[int, float, int]],
    labels: Mapping[str, str],
    width_mm: float,
    max_lanes: int,
    words: Words,
) -> bytes:
    lanes, others = share_lanes(analysis, max_lanes)
    count = len(lanes) + bool(others)
    lane_mm = 34.0 if count <= 1 else 22.0 if count <= 3 else 14.0 if count <= 5 else 10.5
    head_mm, foot_mm, left_mm, right_mm = 7.0, 10.5, 15.0, 34.0
    height_mm = head_mm + foot_mm + lane_mm * max(count, 1)
    figure = Figure(figsize=(width_mm * _MM, height_mm * _MM))
    FigureCanvasSVG(figure)
    axes = figure.subplots(max(count, 1), 1, sharex=True, squeeze=False)[:, 0]
    figure.subplots_adjust(
        left=left_mm / width_mm,
        right=1 - right_mm / width_mm,
        top=1 - head_mm / height_mm,
        bottom=foot_mm / height_mm,
        hspace=LANE_GAP if count > 3 else LANE_GAP / 2,
    )
    end_s = max([analysis.evidence.video.duration_s, *(track.last_pts_s for track in analysis.tracks)])
    for axis in axes[:count]:
        prepare_lane(axis, analysis, decisions, lane_mm, words, labelled=axis is axes[0])
    if others:
        draw_others(axes[-1], analysis, others, words)
    for axis, track in zip(axes, lanes, strict=False):
        draw_track(axis, analysis, track, words)
        for track_id, pts_s, number in marks:
            if track_id == track.track_id:
                draw_mark(axis, pts_s, number)
    if not count:
        axes[0].set_yticks([])
        axes[0].text(
            0.5,
            0.5,
            words("figure.no_face"),
            ha="center",
            va="center",
            color=MUTED,
            transform=axes[0].transAxes,
        )
    for axis in axes:
        for start_s in analysis.shot_starts_s[1:]:
            axis.axvline(start_s, color=MUTED, lw=0.5, ls=(0, (1, 2)), zorder=1)
        axis.spines[["top", "right"]].set_visible(False)
    axes[-1].set_xlim(0, end_s or 1.0)
    axes[-1].set_xlabel(words("figure.seconds"), labelpad=2)
    _draw_legend(figure, analysis, labels, lanes, width_mm, height_mm, left_mm, words)
    out = io.BytesIO()
    figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None})
    return out.getvalue()


def _draw_legend(
    figure: Figure,
    analysis: Analysis,
    labels: Mapping[str, str],
    lanes: Sequence[FaceTrack],
    width_mm: float,
    height_mm: float,
    left_mm: float,
    words: Words,
) -> None:
    handles: list[object] = []
    for index, model in enumerate(drawn_models(analysis)):
        colour, marker = MODEL_STYLES[index % len(MODEL_STYLES)]
        name = labels.get(model.model_id, model.model_id)
        handles.append(mpl.lines.Line2D([], [], color=colour, lw=0.8, marker=marker, ms=2.6, mew=0, label=name))
    if any(track.gaps_s for track in lanes):
        handles.append(
            Patch(facecolor="white", edgecolor=RULE, hatch="//////", lw=0.4, label=words("figure.face_not_found"))
        )
    if len(analysis.shot_starts_s) > 1:
        handles.append(mpl.lines.Line2D([], [], color=MUTED, lw=0.5, ls=(0, (1, 2)), label=words("figure.shot_change")))
    figure.legend(
        handles=handles,
        loc="upper left",
        bbox_to_anchor=(left_mm / width_mm, 1.0),
        ncol=6,
        frameon=False,
        fontsize=6.5,
        handlelength=2.0,
        columnspacing=1.6,
        borderaxespad=0.0,
        borderpad=0.0,
    )
