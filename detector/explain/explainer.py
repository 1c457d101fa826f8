"""Heatmaps on request, each made once."""

from __future__ import annotations

import math
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from detector.analysis.types import Analysis
from detector.errors import StoreError
from detector.evidence.types import Evidence, Frame
from detector.explain.cache import ArrayCache
from detector.explain.overlay import Heatmap
from detector.faces.types import CropSpec, TrackedFace

if TYPE_CHECKING:
    from collections.abc import Callable

    from detector.registry import LoadedModel

SCALE_FACES = 12
_LAYOUT = 1  # raise when what an entry holds, or how it is computed, changes
# Corners of the eyes in the 468-point mesh, as `crop_face` uses them; "right" is the person's right.
_RIGHT_EYE, _LEFT_EYE = (33, 133), (362, 263)


class Explainer:
    """Grad-CAM heatmaps, cached on disk under `cache_dir`. Safe to share between threads and processes."""

    def __init__(self, cache_dir: Path, *, frame_at: Callable[[Evidence, int], Frame] | None = None) -> None:
        self._cache = ArrayCache(cache_dir)
        self._frame_at = frame_at

    def heatmap(
        self, evidence: Evidence, analysis: Analysis, model: LoadedModel, *, track_id: int, pts: int
    ) -> Heatmap:
        """The heatmap of one face for one model, on the scale of the whole video.

        Raises StoreError where the analysis holds no such face, was made of another file, or lacks the landmarks that
        the model's crop needs; EvidenceError where the frame no longer decodes.
        """
        if analysis.evidence.file.sha256 != evidence.file.sha256:
            raise StoreError(
                f"The analysis is of file {analysis.evidence.file.sha256[:12]}…, not {evidence.file.sha256[:12]}…."
            )
        tracked = _find(analysis, track_id, pts)
        entry = self._entry(evidence, analysis, model, track_id, tracked)
        from detector.faces import crop_box

        return Heatmap(
            raw=entry["raw"],
            crop=entry["crop"],
            crop_box_xyxy_px=crop_box(tracked.face.bbox_xyxy_px, model.card.crop),
            turn_deg=_turn_deg(tracked, model.card.crop),
            scale=self.scale(evidence, analysis, model),
            model_id=model.card.model_id,
            layer=_layer_name(model),
        )

    def scale(self, evidence: Evidence, analysis: Analysis, model: LoadedModel) -> float:
        """The raw magnitude that is drawn hottest in every map of this video and model.

        It is the highest value in the maps of up to 12 faces, evenly spread over all tracked faces in the order of
        track and time; 0 only where none of them moved the model towards "manipulated".
        """
        faces = [(track.track_id, tracked) for track in analysis.tracks for tracked in track.faces]
        key = {**self._key(evidence, analysis, model), "scale_of": _fingerprint(faces)}
        kept = self._cache.load(key)
        if kept is not None and "scale" in kept:
            return float(kept["scale"])
        rows = sorted({round(row) for row in np.linspace(0, len(faces) - 1, min(SCALE_FACES, len(faces)))})
        peaks = [float(self._entry(evidence, analysis, model, *faces[row])["raw"].max()) for row in rows]
        self._cache.save(key, {"scale": np.array(max(peaks), dtype=np.float64)})
        return max(peaks)

    def _entry(
        self, evidence: Evidence, analysis: Analysis, model: LoadedModel, track_id: int, tracked: TrackedFace
    ) -> dict[str, NDArray[Any]]:
        """`raw` and `crop` of one face, from the cache or made now."""
        key = {
            **self._key(evidence, analysis, model),
            "track": track_id,
            "pts": tracked.pts,
            "bbox": list(tracked.face.bbox_xyxy_px),
        }
        kept = self._cache.load(key)
        if kept is not None and {"raw", "crop"} <= set(kept):
            return kept
        spec = model.card.crop
        if spec.alignment == "eyes" and tracked.face.landmarks is None and "no_mesh" not in tracked.face.quality.flags:
            raise StoreError(
                f"{model.card.model_id} levels the eyes of its crops, but this analysis was read without its landmarks."
                " Read it with them."
            )
        from detector.explain.gradcam import raw_gradcam  # torch and grad-cam take seconds to import
        from detector.faces import crop_face

        frame = self._frame(evidence, tracked.pts)
        crop = crop_face(frame.image, tracked.face.bbox_xyxy_px, tracked.face.landmarks, spec)
        made: dict[str, NDArray[Any]] = {"raw": raw_gradcam(model, crop), "crop": crop}
        self._cache.save(key, made)
        return made

    def _frame(self, evidence: Evidence, pts: int) -> Frame:
        if self._frame_at is not None:
            return self._frame_at(evidence, pts)
        from detector.evidence import frame_at

        return frame_at(evidence, pts)

    def _key(self, evidence: Evidence, analysis: Analysis, model: LoadedModel) -> dict[str, Any]:
        return {
            "layout": _LAYOUT,
            "sha256": evidence.file.sha256,
            "settings": analysis.settings.sha256,
            "model": model.card.model_id,
            "weights": model.card.weights_sha256,
            "crop": asdict(model.card.crop),
        }


def _find(analysis: Analysis, track_id: int, pts: int) -> TrackedFace:
    for track in analysis.tracks:
        if track.track_id == track_id:
            for tracked in track.faces:
                if tracked.pts == pts:
                    return tracked
    raise StoreError(f"The analysis has no face of track {track_id} at PTS {pts}.")


def _fingerprint(faces: list[tuple[int, TrackedFace]]) -> list[list[float]]:
    return [[track_id, tracked.pts, *tracked.face.bbox_xyxy_px] for track_id, tracked in faces]


def _turn_deg(tracked: TrackedFace, spec: CropSpec) -> float:
    """How far `crop_face` turned the picture, counter-clockwise on screen positive."""
    landmarks = tracked.face.landmarks
    if spec.alignment != "eyes" or landmarks is None:
        return 0.0
    right, left = (landmarks[list(rows), :2].mean(axis=0) for rows in (_RIGHT_EYE, _LEFT_EYE))
    return math.degrees(math.atan2(float(left[1] - right[1]), float(left[0] - right[0])))


def _layer_name(model: LoadedModel) -> str:
    """The dotted name of the layer that is explained, e.g. "trunk.encoder.layer3"."""
    layer = model.cam_layer
    return next((name for name, module in model.network.named_modules() if module is layer), type(layer).__name__)
