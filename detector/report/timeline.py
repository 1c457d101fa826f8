"""The timeline figure: every frame score of every track over seconds, as SVG."""

from __future__ import annotations

import io
import threading
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import matplotlib as mpl
from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from detector.analysis.types import Analysis, FrameScore, sigmoid
from detector.faces.types import FaceTrack
from detector.report.printable import FONTS_DIR

if TYPE_CHECKING:
    from detector.registry.card import Decision

# Okabe and Ito's palette, with a marker each so that colour is never alone.
MODEL_STYLES = (
    ("#0072B2", "o"),
    ("#D55E00", "s"),
    ("#009E73", "^"),
    ("#CC79A7", "D"),
    ("#E69F00", "v"),
    ("#56B4E9", "P"),
)
_INK, _MUTED, _RULE, _BAND = "#1A1F26", "#5B6570", "#C9D0D6", "#EEF1F4"
_MM = 1 / 25.4
_MAX_DOTS = 400  # beyond this the line alone is drawn: dots would merge into a bar

_STYLE = {
    "svg.hashsalt": "framewitness",
    "svg.fonttype": "none",  # text stays text: searchable, and set in the report's own fonts
    "font.family": ["Noto Sans"],
    "font.size": 7.0,
    "text.parse_math": False,  # a model id is data
    "axes.linewidth": 0.5,
    "axes.edgecolor": _MUTED,
    "axes.labelcolor": _INK,
    "xtick.color": _MUTED,
    "ytick.color": _MUTED,
    "xtick.major.width": 0.5,
    "ytick.major.width": 0.5,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.0,
    "hatch.linewidth": 0.4,
    "path.simplify": False,
}
_rc_lock = threading.Lock()  # matplotlib's settings are global to the process; pages draw from several threads
_fonts_added = False


def lanes_drawn(analysis: Analysis, max_lanes: int) -> tuple[FaceTrack, ...]:
    """The tracks that get a lane, by id: all of them, or the `max_lanes` of highest score where there are more."""
    best: dict[int, float] = {}
    for model in analysis.models:
        for track in model.tracks:
            best[track.track_id] = max(best.get(track.track_id, float("-inf")), track.logit)
    ranked = sorted(analysis.tracks, key=lambda track: (-best.get(track.track_id, float("-inf")), track.track_id))
    return tuple(sorted(ranked[:max_lanes], key=lambda track: track.track_id))


def timeline_svg(
    analysis: Analysis,
    *,
    decisions: Mapping[str, Decision] | None = None,
    marks: Sequence[tuple[int, float, int]] = (),
    model_labels: Mapping[str, str] | None = None,
    width_mm: float = 174.0,
    max_lanes: int = 8,
) -> bytes:
    """One lane a track, score 0..1 over seconds; the same analysis gives the same bytes.

    `decisions` by model id draw the thresholds; `marks` are (track_id, pts_s, number) of frames shown elsewhere;
    `model_labels` by model id replace ids in the legend. Where a face was looked for and not found the lane is hatched
    and the line is broken; where it was found but not scored there is a tick at the foot of the lane.
    """
    with _rc_lock, mpl.rc_context(_STYLE):
        _add_fonts()
        return _draw(analysis, decisions or {}, marks, model_labels or {}, width_mm, max_lanes)


def _add_fonts() -> None:
    global _fonts_added
    if not _fonts_added:
        font_manager.fontManager.addfont(str(FONTS_DIR / "NotoSans-Regular.ttf"))
        font_manager.fontManager.addfont(str(FONTS_DIR / "NotoSans-Bold.ttf"))
        _fonts_added = True


def _draw(
    analysis: Analysis,
    decisions: Mapping[str, Decision],
    marks: Sequence[tuple[int, float, int]],
    labels: Mapping[str, str],
    width_mm: float,
    max_lanes: int,
) -> bytes:
    lanes = lanes_drawn(analysis, max_lanes)
    lane_mm = 34.0 if len(lanes) <= 1 else 22.0 if len(lanes) <= 3 else 15.0
    head_mm, foot_mm, left_mm, right_mm = 7.0, 9.0, 15.0, 34.0
    height_mm = head_mm + foot_mm + lane_mm * max(len(lanes), 1)
    figure = Figure(figsize=(width_mm * _MM, height_mm * _MM))
    FigureCanvasSVG(figure)
    axes = figure.subplots(max(len(lanes), 1), 1, sharex=True, squeeze=False)[:, 0]
    figure.subplots_adjust(
        left=left_mm / width_mm,
        right=1 - right_mm / width_mm,
        top=1 - head_mm / height_mm,
        bottom=foot_mm / height_mm,
        hspace=0.16,
    )
    end_s = max([analysis.evidence.video.duration_s, *(track.last_pts_s for track in lanes)])
    for axis, track in zip(axes, lanes, strict=False):
        _draw_lane(axis, analysis, track, decisions, first=axis is axes[0])
        for track_id, pts_s, number in marks:
            if track_id == track.track_id:
                _draw_mark(axis, pts_s, number)
    if not lanes:
        axes[0].set_yticks([])
        axes[0].text(0.5, 0.5, "No face was found in the examined frames", ha="center", va="center", color=_MUTED, transform=axes[0].transAxes)
    for axis in axes:
        for start_s in analysis.shot_starts_s[1:]:
            axis.axvline(start_s, color=_MUTED, lw=0.5, ls=(0, (1, 2)), zorder=1)
        axis.spines[["top", "right"]].set_visible(False)
    axes[-1].set_xlim(0, end_s or 1.0)
    axes[-1].set_xlabel("seconds from the start of the file", labelpad=2)
    _draw_legend(figure, analysis, labels, lanes, width_mm, height_mm, left_mm)
    out = io.BytesIO()
    figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None})
    return out.getvalue()


def _draw_lane(
    axis: Axes, analysis: Analysis, track: FaceTrack, decisions: Mapping[str, Decision], *, first: bool
) -> None:
    axis.set_ylim(-0.04, 1.04)
    axis.set_yticks([0, 0.5, 1], ["0", "0.5", "1"])
    axis.set_ylabel(f"Track {track.track_id}", labelpad=3, color=_INK)
    axis.axhline(0.5, color=_RULE, lw=0.4, zorder=0)
    for start_s, end_s in track.gaps_s:
        axis.axvspan(start_s, end_s, facecolor="white", edgecolor=_RULE, hatch="//////", lw=0, zorder=0.6)
    _draw_thresholds(axis, analysis, decisions, labelled=first)
    scored: set[int] = set()
    for index, model in enumerate(analysis.models):
        colour, marker = MODEL_STYLES[index % len(MODEL_STYLES)]
        faces = next((item.frames for item in model.tracks if item.track_id == track.track_id), ())
        scored.update(face.pts for face in faces)
        for run in _runs(faces, track.gaps_s):
            axis.plot(
                [face.pts_s for face in run],
                [face.score for face in run],
                color=colour,
                lw=0.8,
                marker=marker if len(faces) <= _MAX_DOTS or len(run) == 1 else "",
                ms=2.0,
                mew=0,
                solid_joinstyle="round",
                zorder=3,
                clip_on=False,
            )
    unscored = [face.pts_s for face in track.faces if face.pts not in scored]
    if unscored:
        axis.plot(unscored, [-0.02] * len(unscored), ls="", marker="|", ms=3, mew=0.5, color=_MUTED, zorder=2)


def _runs(faces: Sequence[FrameScore], gaps_s: Sequence[tuple[float, float]]) -> list[list[FrameScore]]:
    """Scores between which no gap lies: a line across a gap would claim something about it."""
    runs: list[list[FrameScore]] = []
    for face in faces:
        before = runs[-1][-1].pts_s if runs else None
        if before is not None and not any(before <= start and end <= face.pts_s for start, end in gaps_s):
            runs[-1].append(face)
        else:
            runs.append([face])
    return runs


def _draw_thresholds(
    axis: Axes, analysis: Analysis, decisions: Mapping[str, Decision], *, labelled: bool
) -> None:
    used = [
        (index, sigmoid(decision.no_manipulation_logit), sigmoid(decision.likely_manipulated_logit))
        for index, model in enumerate(analysis.models)
        if (decision := decisions.get(model.model_id)) is not None
    ]
    same = len({(low, high) for _, low, high in used}) == 1
    for index, low, high in used[:1] if same else used:
        colour = _MUTED if same else MODEL_STYLES[index % len(MODEL_STYLES)][0]
        if same:
            axis.axhspan(low, high, color=_BAND, lw=0, zorder=0.5)
        for level in (low, high):
            axis.axhline(level, color=colour, lw=0.45, ls=(0, (5, 3)), zorder=1.5)
        if labelled and same:
            _label_thresholds(axis, low, high)
    if labelled and used and not same:
        axis.text(1.01, 0.5, "dashed: each\nmodel's thresholds", transform=axis.transAxes, va="center", fontsize=6, color=_MUTED)


def _label_thresholds(axis: Axes, low: float, high: float) -> None:
    # Close thresholds would print over each other: keep the two labels a line apart, whichever way the data lie.
    apart = max(high - low, 0.34)
    middle = min(max((low + high) / 2, apart / 2), 1 - apart / 2)
    where = axis.get_yaxis_transform()
    for level, words in ((high, f"from {high:.2f} likely manipulated"), (low, f"to {low:.2f} none found")):
        y = middle + (apart / 2 if level == high else -apart / 2)
        axis.text(1.012, y, words, transform=where, va="center", fontsize=6, color=_INK)
    axis.text(1.012, middle, "between: inconclusive", transform=where, va="center", fontsize=6, color=_MUTED)


def _draw_mark(axis: Axes, pts_s: float, number: int) -> None:
    axis.plot([pts_s, pts_s], [-0.04, 1.04], color=_MUTED, lw=0.35, ls=(0, (1, 1.5)), zorder=2)
    axis.annotate(
        str(number),
        (pts_s, 1.04),
        xytext=(0, 2.6),
        textcoords="offset points",
        ha="center",
        va="center",
        fontsize=5.5,
        color="white",
        annotation_clip=False,
        bbox={"boxstyle": "circle,pad=0.18", "facecolor": _INK, "edgecolor": "none"},
        zorder=5,
    )


def _draw_legend(
    figure: Figure,
    analysis: Analysis,
    labels: Mapping[str, str],
    lanes: Sequence[FaceTrack],
    width_mm: float,
    height_mm: float,
    left_mm: float,
) -> None:
    handles: list[object] = []
    for index, model in enumerate(analysis.models):
        colour, marker = MODEL_STYLES[index % len(MODEL_STYLES)]
        name = labels.get(model.model_id, model.model_id)
        handles.append(mpl.lines.Line2D([], [], color=colour, lw=0.8, marker=marker, ms=2.6, mew=0, label=name))
    if any(track.gaps_s for track in lanes):
        handles.append(Patch(facecolor="white", edgecolor=_RULE, hatch="//////", lw=0.4, label="face not found"))
    if len(analysis.shot_starts_s) > 1:
        handles.append(mpl.lines.Line2D([], [], color=_MUTED, lw=0.5, ls=(0, (1, 2)), label="shot change"))
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
