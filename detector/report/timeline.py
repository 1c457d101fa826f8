"""The timeline figure: every frame score of every track over seconds, as SVG; which track gets a lane, which models are
drawn, and what stands in a lane."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from detector.analysis.kinds import kind_of
from detector.analysis.types import Analysis, FrameScore, ModelResult, sigmoid
from detector.analysis.voting import voting
from detector.faces.types import FaceTrack
from detector.report.language import Words
from detector.report.printable import FONTS_DIR
from detector.report.strongest import deciding
from detector.report.wording import ENGLISH

if TYPE_CHECKING:
    from detector.registry import Thresholds

# Okabe and Ito's palette, with a marker each so that colour is never alone.
MODEL_STYLES = (
    ("#0072B2", "o"),
    ("#D55E00", "s"),
    ("#009E73", "^"),
    ("#CC79A7", "D"),
    ("#E69F00", "v"),
    ("#56B4E9", "P"),
)
INK, MUTED, RULE, BAND = "#1A1F26", "#5B6570", "#C9D0D6", "#EEF1F4"
MOST_DRAWN = 4
LANE_GAP = 0.32  # of a lane's height
_MAX_DOTS = 400  # beyond this the line alone is drawn: dots would merge into a bar
_MAX_POINTS = 1_200  # of one line; the page shows no more than about one for each third of a point


def drawn_models(analysis: Analysis) -> list[ModelResult]:
    """The models whose frame scores are drawn and listed: all where they are few; else the ensembles, the frame models
    and the temporal specialist, whose scores the others' would hide."""
    with_frames = [model for model in analysis.models if kind_of(model).frame_scores]
    if len(with_frames) <= MOST_DRAWN:
        return with_frames
    ranks = [
        0 if kind_of(model).fuses else 1 if kind_of(model).heatmaps else 2 if _is_temporal(model) else 3
        for model in with_frames
    ]
    kept = sorted(range(len(with_frames)), key=lambda index: (ranks[index], index))[:MOST_DRAWN]
    return [with_frames[index] for index in sorted(kept)]


def _is_temporal(model: ModelResult) -> bool:
    return any(cue.cue == "TM" for cue in model.specialists)


def ranked_tracks(analysis: Analysis) -> list[FaceTrack]:
    """All tracks: those that decide first, then by score, highest first."""
    best: dict[int, float] = {}
    for model in voting(analysis.models):
        for track in model.tracks:
            best[track.track_id] = max(best.get(track.track_id, float("-inf")), track.logit)
    first = {track.track_id for track in deciding(analysis)}

    def order(track: FaceTrack) -> tuple[bool, float, int]:
        return track.track_id not in first, -best.get(track.track_id, float("-inf")), track.track_id

    return sorted(analysis.tracks, key=order)


def share_lanes(analysis: Analysis, max_lanes: int) -> tuple[list[FaceTrack], list[FaceTrack]]:
    """Tracks with a lane of their own, and those that share the last one: the short ones, and what is too many."""
    first = {track.track_id for track in deciding(analysis)}
    ranked = ranked_tracks(analysis)
    own = [t for t in ranked if t.track_id in first or len(t.faces) >= analysis.settings.min_frames][:max_lanes]
    kept = {track.track_id for track in own}
    others = [track for track in ranked if track.track_id not in kept]
    if len(others) == 1:
        own, others = own + others, []
    return sorted(own, key=lambda track: track.track_id), others


def thinned_lanes(analysis: Analysis) -> bool:
    """True where a line of the figure stands for more scores than it has points."""
    return any(len(track.frames) > _MAX_POINTS for model in drawn_models(analysis) for track in model.tracks)


def thinned(faces: Sequence[FrameScore], most: int = _MAX_POINTS) -> Sequence[FrameScore]:
    """At most `most` of the scores: the lowest and the highest of each of equally many segments, in order of time, so
    that no peak is lost. The first and the last are always among them."""
    if len(faces) <= most:
        return faces
    segments = most // 2 - 1
    kept = {0, len(faces) - 1}
    for number in range(segments):
        start, end = number * len(faces) // segments, (number + 1) * len(faces) // segments
        kept.add(min(range(start, end), key=lambda index: faces[index].logit))
        kept.add(max(range(start, end), key=lambda index: faces[index].logit))
    return [faces[index] for index in sorted(kept)]


def prepare_lane(
    axis: Axes,
    analysis: Analysis,
    decisions: Mapping[str, Thresholds],
    lane_mm: float,
    words: Words,
    *,
    labelled: bool,
) -> None:
    """The scale 0..1 and the thresholds, with their words beside the lane where `labelled`."""
    axis.set_ylim(-0.04, 1.04)
    axis.set_yticks([0, 0.5, 1], ["0", "0.5" if lane_mm > 12 else "", "1"])
    axis.axhline(0.5, color=RULE, lw=0.4, zorder=0)
    if used := _thresholds(analysis, decisions):
        _draw_thresholds(axis, used, lane_mm, words, labelled=labelled)


def draw_others(axis: Axes, analysis: Analysis, others: Sequence[FaceTrack], words: Words) -> None:
    """The scores of several tracks as dots in one lane."""
    axis.set_ylabel(words.plain("figure.others", count=len(others)), labelpad=3, color=MUTED)
    ids = {track.track_id for track in others}
    for index, model in enumerate(drawn_models(analysis)):
        colour, marker = MODEL_STYLES[index % len(MODEL_STYLES)]
        faces = [face for track in model.tracks if track.track_id in ids for face in thinned(track.frames)]
        axis.plot(
            [face.pts_s for face in faces],
            [face.score for face in faces],
            ls="",
            color=colour,
            marker=marker,
            ms=2.2,
            mew=0,
            zorder=3,
            clip_on=False,
        )


def draw_track(axis: Axes, analysis: Analysis, track: FaceTrack, words: Words) -> None:
    """The scores of one track as lines, its gaps hatched, its unscored faces as ticks."""
    axis.set_ylabel(words.plain("figure.track", number=track.track_id), labelpad=3, color=INK)
    for start_s, end_s in track.gaps_s:
        axis.axvspan(start_s, end_s, facecolor="white", edgecolor=RULE, hatch="//////", lw=0, zorder=0.6)
    scored: set[int] = set()
    for index, model in enumerate(drawn_models(analysis)):
        colour, marker = MODEL_STYLES[index % len(MODEL_STYLES)]
        faces = next((item.frames for item in model.tracks if item.track_id == track.track_id), ())
        scored.update(face.pts for face in faces)
        for run in _runs(thinned(faces), track.gaps_s):
            axis.plot(
                [face.pts_s for face in run],
                [face.score for face in run],
                color=colour,
                lw=0.8,
                marker=marker if len(faces) <= _MAX_DOTS or len(run) == 1 else "",
                ms=2.0 if len(run) > 1 else 3.0,
                mew=0,
                solid_joinstyle="round",
                zorder=3,
                clip_on=False,
            )
    unscored = [face.pts_s for face in track.faces if face.pts not in scored]
    if unscored:
        axis.plot(unscored, [-0.02] * len(unscored), ls="", marker="|", ms=3, mew=0.5, color=MUTED, zorder=2)


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


def _thresholds(analysis: Analysis, decisions: Mapping[str, Thresholds]) -> list[tuple[int, float, float]]:
    """(index of the drawn model, lower score, upper score) of each that decides and whose thresholds are known."""
    voters = {model.model_id for model in voting(analysis.models)}
    return [
        (index, sigmoid(decision.no_manipulation_logit), sigmoid(decision.likely_manipulated_logit))
        for index, model in enumerate(drawn_models(analysis))
        if model.model_id in voters and (decision := decisions.get(model.model_id)) is not None
    ]


def _draw_thresholds(
    axis: Axes, used: list[tuple[int, float, float]], lane_mm: float, words: Words, *, labelled: bool
) -> None:
    _, low, high = used[0]
    same = len({levels[1:] for levels in used}) == 1
    if same:
        axis.axhspan(low, high, color=BAND, lw=0, zorder=0.5)
    for index, *levels in used[:1] if same else used:
        colour = MUTED if same else MODEL_STYLES[index % len(MODEL_STYLES)][0]
        for level in levels:
            axis.axhline(level, color=colour, lw=0.45, ls=(0, (5, 3)), zorder=1.5)
    if labelled and same:
        _label_thresholds(axis, low, high, lane_mm, words)
    elif labelled:
        note = words("figure.each_model")
        axis.text(1.012, 0.5, note, transform=axis.transAxes, va="center", fontsize=6, color=MUTED)


def _label_thresholds(axis: Axes, low: float, high: float, lane_mm: float, words: Words) -> None:
    # Three lines of type need 5.6 mm between the outer two, however close the thresholds lie.
    apart = max(high - low, 5.6 / (lane_mm / (1.08 + LANE_GAP)))
    middle = min(max((low + high) / 2, apart / 2), 1 - apart / 2)
    where = axis.get_yaxis_transform()
    for y, note, colour in (
        (middle + apart / 2, words.plain("figure.from", value=f"{high:.2f}"), INK),
        (middle, words("figure.between"), MUTED),
        (middle - apart / 2, words.plain("figure.to", value=f"{low:.2f}"), INK),
    ):
        axis.text(1.012, y, note, transform=where, va="center", fontsize=6, color=colour)


def draw_mark(axis: Axes, pts_s: float, number: int) -> None:
    """The number of a frame that is shown elsewhere, on a line at its time."""
    axis.plot([pts_s, pts_s], [-0.04, 1.04], color=MUTED, lw=0.35, ls=(0, (1, 1.5)), zorder=2)
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
        bbox={"boxstyle": "circle,pad=0.18", "facecolor": INK, "edgecolor": "none"},
        zorder=5,
    )


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
