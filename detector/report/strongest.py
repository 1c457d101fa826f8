"""The strongest frames of an analysis: which they are, and their pictures, which are derived from the evidence for
display, small, and encoded the same way every time."""

from __future__ import annotations

import io
from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from detector.analysis.aggregate import USABLE_WEIGHT, deciding_tracks
from detector.analysis.kinds import kind_of
from detector.analysis.types import Analysis, FrameScore, sigmoid
from detector.analysis.voting import voting
from detector.errors import FramewitnessError, ModelError
from detector.evidence.types import Evidence
from detector.faces.types import Box, FaceTrack, TrackedFace
from detector.report.record import StrongFrame

if TYPE_CHECKING:
    from detector.explain import Explainer
    from detector.registry import LoadedModel

_FRAME_MAX_PX = (720, 480)
_CROP_MAX_PX = (256, 256)
_QUALITY = 82
_BOX_COLOUR, _BOX_EDGE = (230, 159, 0), (0, 0, 0)


def frame_picture(image: NDArray[np.uint8], bbox_xyxy_px: Box) -> bytes:
    """(H, W, 3) uint8 RGB frame -> JPEG of at most 720x480 with the face box drawn in orange on black."""
    picture = Image.fromarray(image)
    width = picture.width
    picture.thumbnail(_FRAME_MAX_PX, Image.Resampling.LANCZOS)
    scale = picture.width / width
    x0, y0, x1, y1 = (round(value * scale) for value in bbox_xyxy_px)
    draw = ImageDraw.Draw(picture)
    x1, y1 = max(x1, x0 + 1), max(y1, y0 + 1)
    line = max(3, picture.width // 180)
    draw.rectangle((x0 - line, y0 - line, x1 + line, y1 + line), outline=_BOX_EDGE, width=2 * line)
    draw.rectangle((x0 - line // 2, y0 - line // 2, x1 + line // 2, y1 + line // 2), outline=_BOX_COLOUR, width=line)
    return _jpeg(picture)


def boxed_frame(evidence: Evidence, pts: int, box_xyxy_px: Box) -> bytes | None:
    """The frame at `pts` with a box -> JPEG as of `frame_picture`; None where it does not decode."""
    from detector.evidence import frame_at

    try:
        return frame_picture(frame_at(evidence, pts).image, box_xyxy_px)
    except (FramewitnessError, OSError):
        return None


def neutral_picture(evidence: Evidence) -> bytes | None:
    """A frame a tenth into the presentation, which says nothing of scores -> JPEG of at most 720x480; None where no
    frame of the file can be read."""
    from detector.evidence import frame_at, frame_times

    try:
        times = frame_times(evidence)
        picture = Image.fromarray(frame_at(evidence, times[len(times) // 10] if times else 0).image)
    except (FramewitnessError, OSError):
        return None
    picture.thumbnail(_FRAME_MAX_PX, Image.Resampling.LANCZOS)
    return _jpeg(picture)


def face_picture(image: NDArray[np.uint8], bbox_xyxy_px: Box, margin: float = 0.2) -> bytes:
    """The square around a face, `margin` of its longer side added on each side, edge pixels replicated -> JPEG."""
    x0, y0, x1, y1 = bbox_xyxy_px
    half = max(x1 - x0, y1 - y0, 1.0) * (0.5 + margin)
    columns = np.clip(np.arange(round((x0 + x1) / 2 - half), round((x0 + x1) / 2 + half)), 0, image.shape[1] - 1)
    rows = np.clip(np.arange(round((y0 + y1) / 2 - half), round((y0 + y1) / 2 + half)), 0, image.shape[0] - 1)
    return crop_picture(image[np.ix_(rows, columns)])


def crop_picture(crop: NDArray[np.uint8]) -> bytes:
    """(S, S, 3) uint8 RGB crop -> JPEG of at most 256x256."""
    picture = Image.fromarray(np.ascontiguousarray(crop))
    picture.thumbnail(_CROP_MAX_PX, Image.Resampling.LANCZOS)
    return _jpeg(picture)


def _jpeg(picture: Image.Image) -> bytes:
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=_QUALITY, subsampling="4:4:4", optimize=True)
    return out.getvalue()


SPACING_S = 1.0
_OPACITY = 0.55


def strongest_frames(analysis: Analysis, *, count: int, spacing_s: float = SPACING_S) -> tuple[StrongFrame, ...]:
    """The `count` highest-scoring faces of the tracks that decide, `spacing_s` apart within a track, without pictures.

    Ranked by the mean logit over the models that decide and scored the face, as the conclusion is; faces too poor to
    weigh on it count only where there are no others. Numbered by rank. Each names the model whose heatmap is drawn: of
    the frame models, the one that scored the face highest.
    """
    faces = {(track.track_id, face.pts): face for track in deciding(analysis) for face in track.faces}
    scores: dict[tuple[int, int], list[tuple[FrameScore, str]]] = {}
    for model in voting(analysis.models):
        for track in model.tracks:
            for score in track.frames:
                scores.setdefault((track.track_id, score.pts), []).append((score, model.model_id))
    known = {key: values for key, values in scores.items() if key in faces}
    usable = {key: values for key, values in known.items() if values[0][0].weight >= USABLE_WEIGHT} or known
    ranked = sorted(usable.items(), key=lambda item: (-_mean_logit(item[1]), item[0][1], item[0][0]))
    chosen: list[StrongFrame] = []
    for (track_id, _), values in ranked:
        if len(chosen) == count:
            break
        at_s = values[0][0].pts_s
        if any(frame.track_id == track_id and abs(frame.pts_s - at_s) < spacing_s for frame in chosen):
            continue
        tracked = faces[track_id, values[0][0].pts]
        drawn = _drawn_model(analysis, track_id, tracked.pts) or max(values, key=lambda value: value[0].logit)[1]
        chosen.append(_strong_frame(len(chosen) + 1, track_id, tracked, values, drawn))
    return tuple(chosen)


def deciding(analysis: Analysis) -> tuple[FaceTrack, ...]:
    """The tracks that the conclusion rests on."""
    return deciding_tracks(analysis.tracks, analysis.settings, still=analysis.evidence.kind == "still")


def _drawn_model(analysis: Analysis, track_id: int, pts: int) -> str | None:
    """The frame model that scored this face highest; only frame models have heatmaps."""
    found = [
        (frame.logit, model.model_id)
        for model in analysis.models
        if kind_of(model).heatmaps
        for track in model.tracks
        if track.track_id == track_id
        for frame in track.frames
        if frame.pts == pts
    ]
    return max(found)[1] if found else None


def _mean_logit(values: list[tuple[FrameScore, str]]) -> float:
    return sum(score.logit for score, _ in values) / len(values)


def _strong_frame(
    number: int, track_id: int, tracked: TrackedFace, values: list[tuple[FrameScore, str]], drawn_model: str
) -> StrongFrame:
    return StrongFrame(
        number=number,
        track_id=track_id,
        frame_index=tracked.frame_index,
        pts=tracked.pts,
        pts_s=tracked.pts_s,
        bbox_xyxy_px=tracked.face.bbox_xyxy_px,
        score=sigmoid(_mean_logit(values)),
        model_id=drawn_model,
        weight=values[0][0].weight,
        flags=tracked.face.quality.flags,
    )


class Illustrator:
    """Draws strong frames. Whatever cannot be drawn is left out and said so in `missing`; none of it raises."""

    def __init__(self, explainer: Explainer | None, models: Iterable[LoadedModel]) -> None:
        self._explainer = explainer
        self._models: dict[str, LoadedModel | ModelError] = {model.card.model_id: model for model in models}

    def illustrate(
        self, evidence: Evidence, analysis: Analysis, frame: StrongFrame, *, original_problem: str | None
    ) -> StrongFrame:
        """`frame` with the pictures that can be made of it from the stored original."""
        if original_problem is not None:
            return replace(frame, missing=("No picture: the original is not available as recorded.",))
        from detector.evidence import frame_at

        try:
            decode = frame_at if self._explainer is None else self._explainer.frame  # which the heatmap needs again
            image = decode(evidence, frame.pts).image
        except (FramewitnessError, OSError) as error:
            return replace(frame, missing=(f"No picture: the frame does not decode ({error}).",))
        drawn = replace(
            frame,
            frame_jpeg=frame_picture(image, frame.bbox_xyxy_px),
            crop_jpeg=face_picture(image, frame.bbox_xyxy_px),
        )
        return self._with_heatmap(evidence, analysis, drawn)

    def _with_heatmap(self, evidence: Evidence, analysis: Analysis, frame: StrongFrame) -> StrongFrame:
        if self._explainer is None:
            return replace(frame, missing=("No heatmap was asked for.",))
        from detector.explain import overlay

        try:
            model = self._model(frame.model_id, analysis)
            heatmap = self._explainer.heatmap(evidence, analysis, model, track_id=frame.track_id, pts=frame.pts)
            test = self._explainer.heat_test(evidence, analysis, model, heatmap) if heatmap.scale > 0 else None
        except (FramewitnessError, OSError, RuntimeError) as error:
            return replace(frame, missing=(f"No heatmap: {error}",))
        with_crop = replace(frame, crop_jpeg=crop_picture(heatmap.crop))
        if test is None:
            return replace(with_crop, missing=("No heatmap: no sampled face moved the model towards “manipulated”.",))
        return replace(
            with_crop,
            overlay_jpeg=crop_picture(overlay(heatmap, _OPACITY)),
            heat_scale=heatmap.scale,
            heat_layer=heatmap.layer,
            heat_test=test if test.enough else None,
            missing=() if test.enough else ("The heatmap was not tested: it marks too little of this face.",),
        )

    def _model(self, model_id: str, analysis: Analysis) -> LoadedModel:
        """The model that scored this file: same name, same weights. Raises ModelError for anything else."""
        from detector.registry import load_model

        if model_id not in self._models:
            try:
                self._models[model_id] = load_model(model_id, runtime="torch")  # heatmaps need gradients
            except ModelError as error:
                self._models[model_id] = error  # one attempt a report: reading weights is slow
        model = self._models[model_id]
        if isinstance(model, ModelError):
            raise model
        used = next(result.weights_sha256 for result in analysis.models if result.model_id == model_id)
        if model.card.weights_sha256 != used:
            raise ModelError(
                f"the installed weights of {model_id} ({model.card.weights_sha256[:12]}…) are not those that scored "
                f"this file ({used[:12]}…)."
            )
        return model
