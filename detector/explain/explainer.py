"""Heatmaps, blend maps, channels, attention and uncertainty on request, each made once."""

from __future__ import annotations

import hashlib
import math
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from detector.analysis.types import Analysis, FrameScore
from detector.errors import ModelError, StoreError
from detector.evidence.types import Evidence, Frame
from detector.explain.attention import TrackAttentionMaps, attention_of, window_features, window_rows
from detector.explain.cache import ArrayCache
from detector.explain.channels import ChannelMaps
from detector.explain.faithfulness import FrameTest, HeatTest, drop_test, hide_test
from detector.explain.overlay import Heatmap
from detector.faces import crop_box, crop_face
from detector.faces.types import Box, CropSpec, TrackedFace
from detector.registry import FrameModel, LoadedModel, SequenceModel, SpecialistsModel, expect

if TYPE_CHECKING:
    from collections.abc import Callable

    from detector.explain.uncertainty import Uncertainty

SCALE_FACES = 12
_LAYOUT = 1  # raise when what an entry holds, or how it is computed, changes
# Corners of the eyes in the 468-point mesh, as `crop_face` uses them; "right" is the person's right.
_RIGHT_EYE, _LEFT_EYE = (33, 133), (362, 263)


class _Window(NamedTuple):
    """A window of a track before a sequence model: its frames, the model's input over them when asked, and the key of
    what is kept about it."""

    model: SequenceModel
    frames: list[FrameScore]
    features: Callable[[], NDArray[np.float32]]
    key: dict[str, Any]


class Explainer:
    """Explanations of an analysis, cached on disk under `cache_dir`; only uncertainty, which has a cost to show, is
    measured each time. Safe to share between threads and processes."""

    def __init__(
        self,
        cache_dir: Path,
        *,
        frame_at: Callable[[Evidence, int], Frame] | None = None,
        frame_before: Callable[[Evidence, int], Frame | None] | None = None,
    ) -> None:
        self._cache = ArrayCache(cache_dir)
        self._frame_at, self._frame_before = frame_at, frame_before
        self._newest: tuple[str, Frame] | None = None

    def frame(self, evidence: Evidence, pts: int) -> Frame:
        """The frame at exactly `pts`; the one that was asked for last is decoded once. Raises EvidenceError where it
        does not decode."""
        from detector.evidence import frame_at

        kept = self._newest  # one look, since other threads may put another there
        if kept is not None and (kept[0], kept[1].pts) == (evidence.file.sha256, pts):
            return kept[1]
        found = (self._frame_at or frame_at)(evidence, pts)
        self._newest = evidence.file.sha256, found
        return found

    def heatmap(
        self, evidence: Evidence, analysis: Analysis, model: LoadedModel, *, track_id: int, pts: int
    ) -> Heatmap:
        """The class activation map of one face for one model, on the scale of the whole video.

        Raises StoreError where the analysis holds no such face, was made of another file, or lacks the landmarks that
        the model's crop needs; EvidenceError where the frame no longer decodes; ModelError for a model without a layer
        to explain.
        """
        tracked = _find(evidence, analysis, track_id, pts)
        entry = self._entry(evidence, analysis, model, track_id, tracked)
        scale = self.scale(evidence, analysis, model)
        return _heatmap(model, tracked, entry["raw"], entry["crop"], scale, _layer_name(model))

    def heat_test(self, evidence: Evidence, analysis: Analysis, model: LoadedModel, heatmap: Heatmap) -> HeatTest:
        """Whether that heatmap of `heatmap` marks what the score rests on: the deletion test (`hide_test`), kept like
        the map. Raises ModelError for a model that is no frame model."""
        frame_model = expect(model, FrameModel)

        def make() -> dict[str, NDArray[Any]]:
            test = hide_test(frame_model, heatmap)
            return {"marked": np.array(test.marked), "drawn": np.array(test.drawn)}

        made_of = {name: _sha256(array) for name, array in (("raw", heatmap.raw), ("crop", heatmap.crop))}
        entry = self._kept({**self._key(evidence, analysis, model), "what": "deletion test", **made_of}, make)
        return HeatTest(float(entry["marked"]), tuple(entry["drawn"].tolist()))

    def blend_map(
        self, evidence: Evidence, analysis: Analysis, model: LoadedModel, *, track_id: int, pts: int
    ) -> Heatmap | None:
        """The blend map of a frame model, where it says that a face was changed: probabilities, on a scale of 1. None
        for a model without one. Raises as `heatmap`."""
        tracked = _find(evidence, analysis, track_id, pts)

        def make() -> dict[str, NDArray[Any]]:
            crop = self._crop(evidence, tracked, model)
            found = model.blend_map(crop[None]) if isinstance(model, FrameModel) else None
            return {"crop": crop, "map": np.zeros((0, 0), np.float32) if found is None else found[0]}

        entry = self._kept(self._face_key(evidence, analysis, model, track_id, tracked) | {"what": "blend map"}, make)
        if not entry["map"].size:
            return None
        size_px = model.card.crop.size_px
        raw = cv2.resize(entry["map"], (size_px, size_px), interpolation=cv2.INTER_LINEAR)
        return _heatmap(model, tracked, np.asarray(raw, np.float32), entry["crop"], 1.0, "blend map")

    def channels(
        self, evidence: Evidence, analysis: Analysis, model: LoadedModel, cue: str, *, track_id: int, pts: int
    ) -> ChannelMaps:
        """The named channels of one cue of a specialists model on one face. Raises as `heatmap`, and ModelError for a
        model or cue that has none."""
        specialists = expect(model, SpecialistsModel)
        names = specialists.channel_names.get(cue)
        if names is None:
            raise ModelError(
                f"{model.card.model_id} has no cue {cue!r}; it has {', '.join(specialists.channel_names)}."
            )
        tracked = _find(evidence, analysis, track_id, pts)

        def make() -> dict[str, NDArray[Any]]:
            crop = self._crop(evidence, tracked, model)
            return {"crop": crop, **{name: maps[0] for name, maps in specialists.channels(crop[None]).items()}}

        entry = self._kept(self._face_key(evidence, analysis, model, track_id, tracked) | {"what": "channels"}, make)
        spec = model.card.crop
        return ChannelMaps(
            cue,
            names,
            entry[cue],
            entry["crop"],
            crop_box(tracked.face.bbox_xyxy_px, spec),
            _turn_deg(tracked, spec),
            model.card.model_id,
        )

    def attention(
        self, evidence: Evidence, analysis: Analysis, model: LoadedModel, track_id: int, *, pts: int | None = None
    ) -> TrackAttentionMaps:
        """Attention per layer and head of a sequence model, over the window of the track that `pts` lies in the middle
        of, or that weighed most. Raises as `heatmap`, and StoreError where the model did not score the track."""
        window = self._window(evidence, analysis, model, track_id, pts)

        def make() -> dict[str, NDArray[Any]]:
            maps = attention_of(window.model, window.frames, window.features())
            return {"layers": maps.layers, "pooling": maps.pooling}

        entry = self._kept({**window.key, "what": "attention"}, make)
        times = (tuple(frame.pts for frame in window.frames), tuple(frame.pts_s for frame in window.frames))
        return TrackAttentionMaps(*times, entry["layers"], entry["pooling"], model.card.model_id)

    def attention_test(self, evidence: Evidence, analysis: Analysis, model: LoadedModel, track_id: int) -> FrameTest:
        """Whether a sequence model's score rests on the frames that weighed most, over the window of the track that
        weighed most: the deletion test (`drop_test`), kept like the maps. Raises as `attention`."""
        window = self._window(evidence, analysis, model, track_id, None)
        pts_s = np.array([frame.pts_s for frame in window.frames])

        def make() -> dict[str, NDArray[Any]]:
            features = window.features()
            pooling = attention_of(window.model, window.frames, features).pooling
            test = drop_test(window.model, features, pts_s, pooling)
            return {"marked": np.array(test.marked), "drawn": np.array(test.drawn)}

        entry = self._kept({**window.key, "what": "attention deletion test"}, make)
        return FrameTest(float(entry["marked"]), tuple(entry["drawn"].tolist()), tuple(pts_s.tolist()))

    def uncertainty(
        self, evidence: Evidence, analysis: Analysis, model: LoadedModel, *, track_id: int, pts: int
    ) -> Uncertainty:
        """Spread of a face's logit under small changes of the crop and under dropout, with what that cost. Raises
        as `heatmap`, and ModelError for a model that scores no single crops."""
        from detector.explain.uncertainty import uncertainty_of

        tracked = _find(evidence, analysis, track_id, pts)
        image = self.frame(evidence, pts).image
        landmarks = tracked.face.landmarks

        def cut(box: Box) -> NDArray[np.uint8]:
            return crop_face(image, box, landmarks, model.card.crop)

        return uncertainty_of(model, cut, tracked.face.bbox_xyxy_px)

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

        def make() -> dict[str, NDArray[Any]]:
            from detector.explain.cam import raw_cam  # grad-cam takes seconds to import

            crop = self._crop(evidence, tracked, model)
            return {"raw": raw_cam(model, crop), "crop": crop}

        return self._kept(self._face_key(evidence, analysis, model, track_id, tracked), make)

    def _kept(self, key: dict[str, Any], make: Callable[[], dict[str, NDArray[Any]]]) -> dict[str, NDArray[Any]]:
        """The entry of the cache, or what `make` gives, which is then kept. A damaged entry is made again."""
        kept = self._cache.load(key)
        if kept is not None and len(kept) > 1:
            return kept
        made = make()
        self._cache.save(key, made)
        return made

    def _crop(self, evidence: Evidence, tracked: TrackedFace, model: LoadedModel) -> NDArray[np.uint8]:
        """The crop of one face that the model saw."""
        spec = model.card.crop
        if spec.alignment == "eyes" and tracked.face.landmarks is None and "no_mesh" not in tracked.face.quality.flags:
            raise StoreError(
                f"{model.card.model_id} levels the eyes of its crops, but this analysis was read without its landmarks."
                " Read it with them."
            )
        frame = self.frame(evidence, tracked.pts)
        return crop_face(frame.image, tracked.face.bbox_xyxy_px, tracked.face.landmarks, spec)

    def _crop_before(
        self, evidence: Evidence, analysis: Analysis, tracked: TrackedFace, model: LoadedModel
    ) -> NDArray[np.uint8] | None:
        """The same place in the frame just before; None where there is none in the same shot."""
        from detector.evidence import frame_before

        earlier = (self._frame_before or frame_before)(evidence, tracked.pts)
        if earlier is None or any(earlier.pts_s < start_s <= tracked.pts_s for start_s in analysis.shot_starts_s):
            return None
        return crop_face(earlier.image, tracked.face.bbox_xyxy_px, tracked.face.landmarks, model.card.crop)

    def _window(
        self, evidence: Evidence, analysis: Analysis, model: LoadedModel, track_id: int, pts: int | None
    ) -> _Window:
        """The window of a track as `attention` describes it. Raises StoreError where the model did not score it."""
        _same_file(evidence, analysis)
        score = next(
            (
                track
                for result in analysis.models
                if result.model_id == model.card.model_id
                for track in result.tracks
                if track.track_id == track_id
            ),
            None,
        )
        if score is None or not isinstance(model, SequenceModel) or model.trunk is None:
            raise StoreError(f"{model.card.model_id} scored no track {track_id} over time in this analysis.")
        trunk = model.trunk
        if pts is not None and pts not in [frame.pts for frame in score.frames]:
            raise StoreError(f"{model.card.model_id} scored no face of track {track_id} at PTS {pts}.")
        rows = window_rows(score, int(model.card.inputs["frames"]), pts)
        frames = [score.frames[row] for row in rows]

        def crop_at(at: int) -> NDArray[np.uint8]:
            return self._crop(evidence, _find(evidence, analysis, track_id, at), trunk)

        def just_before(at: int) -> NDArray[np.uint8] | None:
            return self._crop_before(evidence, analysis, _find(evidence, analysis, track_id, at), trunk)

        def features() -> NDArray[np.float32]:
            return window_features(model, score, rows, crop_at, just_before, analysis.settings.batch_size)

        key = {"trunk": trunk.card.weights_sha256, "track": track_id, "window": [frame.pts for frame in frames]}
        return _Window(model, frames, features, {**self._key(evidence, analysis, model), **key})

    def _face_key(
        self, evidence: Evidence, analysis: Analysis, model: LoadedModel, track_id: int, tracked: TrackedFace
    ) -> dict[str, Any]:
        face = {"track": track_id, "pts": tracked.pts, "bbox": list(tracked.face.bbox_xyxy_px)}
        return {**self._key(evidence, analysis, model), **face}

    def _key(self, evidence: Evidence, analysis: Analysis, model: LoadedModel) -> dict[str, Any]:
        return {
            "layout": _LAYOUT,
            "sha256": evidence.file.sha256,
            "settings": analysis.settings.sha256,
            "model": model.card.model_id,
            "weights": model.card.weights_sha256,
            "crop": asdict(model.card.crop),
        }


def _same_file(evidence: Evidence, analysis: Analysis) -> None:
    made_of, given = analysis.evidence.file.sha256, evidence.file.sha256
    if made_of != given:
        raise StoreError(f"The analysis is of file {made_of[:12]}…, not {given[:12]}….")


def _find(evidence: Evidence, analysis: Analysis, track_id: int, pts: int) -> TrackedFace:
    _same_file(evidence, analysis)
    for track in analysis.tracks:
        if track.track_id == track_id:
            for tracked in track.faces:
                if tracked.pts == pts:
                    return tracked
    raise StoreError(f"The analysis has no face of track {track_id} at PTS {pts}.")


def _heatmap(
    model: LoadedModel,
    tracked: TrackedFace,
    raw: NDArray[np.float32],
    crop: NDArray[np.uint8],
    scale: float,
    layer: str,
) -> Heatmap:
    spec = model.card.crop
    box = crop_box(tracked.face.bbox_xyxy_px, spec)
    return Heatmap(raw, crop, box, _turn_deg(tracked, spec), scale, model.card.model_id, layer)


def _sha256(array: NDArray[Any]) -> str:
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()


def _fingerprint(faces: list[tuple[int, TrackedFace]]) -> list[list[float]]:
    return [[track_id, tracked.pts, *tracked.face.bbox_xyxy_px] for track_id, tracked in faces]


def _turn_deg(tracked: TrackedFace, spec: CropSpec) -> float:
    """The angle in degrees by which `crop_face` turned the picture, counter-clockwise on screen positive."""
    landmarks = tracked.face.landmarks
    if spec.alignment != "eyes" or landmarks is None:
        return 0.0
    right, left = (landmarks[list(rows), :2].mean(axis=0) for rows in (_RIGHT_EYE, _LEFT_EYE))
    return math.degrees(math.atan2(float(left[1] - right[1]), float(left[0] - right[0])))


def _layer_name(model: LoadedModel) -> str:
    """The dotted name of the layer that is explained, e.g. "trunk.encoder.layer3"."""
    layer = model.cam_layer
    return next((name for name, module in model.network.named_modules() if module is layer), type(layer).__name__)
