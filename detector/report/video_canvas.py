"""The faces and scores of any moment of a video, and the frame of the annotated video drawn from them.

Faces were looked for in sampled frames only. Between two of them a face's place is interpolated, for at most a second
and never across a gap of its track; its score is that of the sampled frame before it. Both are marked as such.

DERIVED - not evidence | SHA-256 of the source | analysis
the frame with boxes   | the last examined frame under its heatmap
time, frame, PTS       | what the boxes and scores are
the strip: score 0..1 of every track over the whole file, with a playhead
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from detector.analysis.types import Analysis, sigmoid
from detector.analysis.voting import voting
from detector.faces.types import Box, FaceTrack
from detector.report.printable import FONTS_DIR

LONGEST_BRIDGE_S = 1.0


@dataclass(frozen=True, slots=True)
class FaceNow:
    """A face at one moment. `score` in [0, 1] is the mean over the models that decide (sigmoid of the mean logit), None
    where none of them scored it; `examined` is false where the place is interpolated and the score held."""

    track_id: int
    bbox_xyxy_px: Box
    score: float | None
    examined: bool


@dataclass(frozen=True, slots=True)
class Curve:
    """The scores of one track over time, for the strip below the picture: (seconds, score in [0, 1])."""

    track_id: int
    points: tuple[tuple[float, float], ...]


class Moments:
    """Looks up faces by time stamp."""

    def __init__(self, analysis: Analysis) -> None:
        self._scores = decisive_scores(analysis)
        self._tracks = [(track, [seen.pts for seen in track.faces]) for track in analysis.tracks if track.faces]
        self.examined_pts = frozenset(pts for _, times in self._tracks for pts in times)
        self.curves = tuple(self._curve(track) for track, _ in self._tracks)

    def at(self, pts: int, pts_s: float) -> tuple[FaceNow, ...]:
        """The faces at one frame, in the order of the tracks."""
        found = (self._face(track, times, pts, pts_s) for track, times in self._tracks)
        return tuple(face for face in found if face is not None)

    def _face(self, track: FaceTrack, times: list[int], pts: int, pts_s: float) -> FaceNow | None:
        index = bisect_right(times, pts) - 1
        if index < 0:
            return None
        before = track.faces[index]
        score = self._scores.get((track.track_id, before.pts))
        if before.pts == pts:
            return FaceNow(track.track_id, before.face.bbox_xyxy_px, score, True)
        if index + 1 == len(times):
            return None
        after = track.faces[index + 1]
        span_s = after.pts_s - before.pts_s
        if span_s > LONGEST_BRIDGE_S or any(start < after.pts_s and before.pts_s < end for start, end in track.gaps_s):
            return None
        share = (pts_s - before.pts_s) / span_s
        pairs = zip(before.face.bbox_xyxy_px, after.face.bbox_xyxy_px, strict=True)
        left, top, right, bottom = (one + share * (other - one) for one, other in pairs)
        return FaceNow(track.track_id, (left, top, right, bottom), score, False)

    def _curve(self, track: FaceTrack) -> Curve:
        scored = ((seen.pts_s, self._scores.get((track.track_id, seen.pts))) for seen in track.faces)
        return Curve(track.track_id, tuple((pts_s, score) for pts_s, score in scored if score is not None))


def decisive_scores(analysis: Analysis) -> Mapping[tuple[int, int], float]:
    """(track, PTS) -> the mean over the models that decide, as in the report: sigmoid of the mean logit."""
    logits: dict[tuple[int, int], list[float]] = {}
    for model in voting(analysis.models):
        for track in model.tracks:
            for frame in track.frames:
                logits.setdefault((track.track_id, frame.pts), []).append(frame.logit)
    return {key: sigmoid(sum(values) / len(values)) for key, values in logits.items()}


LABEL = "DERIVED — not evidence"
# Okabe and Ito's palette without black; a number stands beside every colour.
TRACK_COLOURS = (
    (230, 159, 0),
    (86, 180, 233),
    (0, 158, 115),
    (240, 228, 66),
    (0, 114, 178),
    (213, 94, 0),
    (204, 121, 167),
)
_INK, _PAPER, _MUTED, _RULE = (255, 255, 255), (16, 20, 24), (170, 178, 186), (70, 78, 86)
_LABEL_PAPER = (94, 22, 22)
_BAND_PX, _LINE_PX, _STRIP_PX, _MARGIN_PX = 46, 24, 96, 64
_LEAST_WIDTH_PX = 640
_MOST_ZOOM = 4.0


@dataclass(frozen=True, slots=True)
class Layout:
    """Sizes in pixels. `picture` is (width, height) of one panel, `zoom` its scale over the frame; all even, as the
    video's pixel format wants."""

    width: int
    height: int
    picture: tuple[int, int]
    zoom: float
    panels: int

    @classmethod
    def of(cls, frame_width: int, frame_height: int, *, heatmap: bool) -> Layout:
        """For a frame of the given displayed size: large frames are scaled down, small ones up to four times."""
        most_width, most_height = (640, 640) if heatmap else (1280, 720)
        zoom = min(most_width / frame_width, most_height / frame_height, _MOST_ZOOM)
        # Between readable and full size the pixels are left as they are.
        zoom = min(zoom, max(1.0, 480 / max(frame_width, frame_height)))
        picture = (_even(frame_width * zoom), _even(frame_height * zoom))
        panels = 2 if heatmap else 1
        width = max(_LEAST_WIDTH_PX, panels * picture[0])
        return cls(width, _BAND_PX + picture[1] + _LINE_PX + _STRIP_PX, picture, zoom, panels)

    def panel_left(self, index: int) -> int:
        """The left edge of a panel, px."""
        free = self.width - self.panels * self.picture[0]
        return free // (self.panels + 1) * (index + 1) + self.picture[0] * index


class Canvas:
    """Draws frames of one video. What does not change is drawn once; `strip_span_s` is what the strip covers."""

    def __init__(
        self, layout: Layout, *, sha256: str, analysis_id: str, curves: Sequence[Curve], span_s: tuple[float, float]
    ) -> None:
        self._layout = layout
        self._span_s = span_s
        self._colours = {curve.track_id: colour_of(index) for index, curve in enumerate(curves)}
        still = Image.new("RGB", (layout.width, layout.height), _PAPER)
        _draw_label(ImageDraw.Draw(still), layout.width, sha256, analysis_id)
        self._strip_top = _BAND_PX + layout.picture[1] + _LINE_PX
        self._draw_strip(ImageDraw.Draw(still), curves)
        self._still = np.asarray(still)

    def frame(
        self,
        image: NDArray[np.uint8],
        faces: Sequence[FaceNow],
        *,
        pts_s: float,
        told: str,
        beside: NDArray[np.uint8] | None = None,
        beside_told: str = "",
    ) -> NDArray[np.uint8]:
        """One picture (H, W, 3) uint8. `image` is the displayed frame (h, w, 3); `beside` fills the second panel."""
        canvas = self._still.copy()
        picture = self._with_faces(self._scaled(image), faces)
        self._put(canvas, picture, 0)
        if self._layout.panels == 2:
            empty = np.full((self._layout.picture[1], self._layout.picture[0], 3), _PAPER, np.uint8)
            self._put(canvas, empty if beside is None else self._scaled(beside), 1)
        top = _BAND_PX + self._layout.picture[1]
        lines = Image.fromarray(canvas[top : top + _LINE_PX])
        draw = ImageDraw.Draw(lines)
        draw.text((8, _LINE_PX // 2), told, font=font(13), fill=_INK, anchor="lm")
        if beside_told:
            draw.text((self._layout.width - 8, _LINE_PX // 2), beside_told, font=font(12), fill=_MUTED, anchor="rm")
        canvas[top : top + _LINE_PX] = np.asarray(lines)
        at = round(self._x(pts_s))
        canvas[self._strip_top : self._strip_top + _STRIP_PX - 16, at : at + 2] = _INK
        return canvas

    def _scaled(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        size = self._layout.picture
        if (image.shape[1], image.shape[0]) == size:
            return image.copy()
        way = cv2.INTER_AREA if self._layout.zoom < 1 else cv2.INTER_LINEAR
        return np.asarray(cv2.resize(image, size, interpolation=way), dtype=np.uint8)

    def _put(self, canvas: NDArray[np.uint8], picture: NDArray[np.uint8], panel: int) -> None:
        left = self._layout.panel_left(panel)
        canvas[_BAND_PX : _BAND_PX + picture.shape[0], left : left + picture.shape[1]] = picture

    def _with_faces(self, picture: NDArray[np.uint8], faces: Sequence[FaceNow]) -> NDArray[np.uint8]:
        if not faces:
            return picture
        drawn = Image.fromarray(picture)
        draw = ImageDraw.Draw(drawn)
        for face in faces:
            draw_face(draw, face, self._layout.zoom, self._colours.get(face.track_id, _INK), drawn.size)
        return np.asarray(drawn)

    def _draw_strip(self, draw: ImageDraw.ImageDraw, curves: Sequence[Curve]) -> None:
        right = self._layout.width - 12
        for level in (0.0, 0.5, 1.0):
            y = self._y(level)
            draw.line((_MARGIN_PX, y, right, y), fill=_RULE)
            draw.text((_MARGIN_PX - 6, y), f"{level:g}", font=font(11), fill=_MUTED, anchor="rm")
        draw.text((6, self._y(0.5)), "score", font=font(10), fill=_MUTED, anchor="lm")
        start_s, end_s = self._span_s
        for share, anchor in ((0.0, "ls"), (0.5, "ms"), (1.0, "rs")):
            at_s = start_s + share * (end_s - start_s)
            y = self._strip_top + _STRIP_PX - 4
            draw.text((self._x(at_s), y), f"{at_s:.2f} s", font=font(11), fill=_MUTED, anchor=anchor)
        for curve in curves:
            colour = self._colours[curve.track_id]
            for pts_s, score in curve.points:
                x, y = self._x(pts_s), self._y(score)
                draw.ellipse((x - 2, y - 2, x + 2, y + 2), fill=colour)

    def _x(self, pts_s: float) -> float:
        start_s, end_s = self._span_s
        share = (pts_s - start_s) / (end_s - start_s) if end_s > start_s else 0.0
        return _MARGIN_PX + min(1.0, max(0.0, share)) * (self._layout.width - 12 - _MARGIN_PX - 2)

    def _y(self, score: float) -> float:
        return self._strip_top + 6 + (1 - score) * (_STRIP_PX - 30)


def draw_face(
    draw: ImageDraw.ImageDraw, face: FaceNow, zoom: float, colour: tuple[int, int, int], size: tuple[int, int]
) -> None:
    """A face's box and label; thick where the frame was examined, thin where the place is interpolated."""
    left, top, right, bottom = (value * zoom for value in face.bbox_xyxy_px)
    right, bottom = max(right, left + 1), max(bottom, top + 1)
    line = 3 if face.examined else 1
    draw.rectangle((left - 1, top - 1, right + 1, bottom + 1), outline=(0, 0, 0), width=line + 2)
    draw.rectangle((left, top, right, bottom), outline=colour, width=line)
    score = "no score" if face.score is None else f"{face.score:.2f}"
    words = f"track {face.track_id}: {score}{'' if face.examined else ' (held)'}"
    width = draw.textlength(words, font=font(13)) + 8
    x = min(max(0.0, left), max(0.0, size[0] - width))
    y = top - 20 if top >= 20 else min(bottom + 2, size[1] - 18)
    draw.rectangle((x, y, x + width, y + 18), fill=_PAPER)
    draw.text((x + 4, y + 9), words, font=font(13), fill=_INK, anchor="lm")


def colour_of(index: int) -> tuple[int, int, int]:
    """The colour of the n-th track."""
    return TRACK_COLOURS[index % len(TRACK_COLOURS)]


@cache
def font(size_px: int, *, bold: bool = False) -> ImageFont.FreeTypeFont:
    """The report's own letters, for pictures."""
    return ImageFont.truetype(str(FONTS_DIR / f"NotoSans-{'Bold' if bold else 'Regular'}.ttf"), size_px)


def _draw_label(draw: ImageDraw.ImageDraw, width: int, sha256: str, analysis_id: str) -> None:
    draw.rectangle((0, 0, width, _BAND_PX), fill=_LABEL_PAPER)
    draw.text((8, 13), LABEL, font=font(17, bold=True), fill=_INK, anchor="lm")
    draw.text((width - 8, 13), f"analysis {analysis_id}", font=font(11), fill=_INK, anchor="rm")
    draw.text((8, 34), f"drawn from the file with SHA-256 {sha256}", font=font(11), fill=_INK, anchor="lm")


def _even(value: float) -> int:
    return max(2, 2 * round(value / 2))
