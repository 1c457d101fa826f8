"""Find every face of a frame, fit a mesh to each and say how usable it is."""

from __future__ import annotations

from dataclasses import replace
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from detector.evidence.types import Frame
from detector.faces.backend import FaceBackend, default_backend
from detector.faces.mesh import MeshFit, fit_mesh
from detector.faces.quality import LOWEST_WEIGHT, measure_quality
from detector.faces.search import (
    Candidate,
    Turn,
    around,
    detect_in_windows,
    detect_overall,
    detect_widened,
    look_turned,
    merge,
    missed,
    same_face,
    tiles,
)
from detector.faces.types import Box, DetectedFace
from detector.settings import AnalysisSettings

# A mesh fits from this on. On 1,500 detections in 110 clips those on faces fitted above 0.38 and most others below
# 0.1; only where the detector hardly believed itself did a few meshes on leaves and hair reach 0.67.
_MESH_FITS = 0.3
_SCORES, _FITS_AT_SCORES = (0.5, 0.75), (0.75, _MESH_FITS)
# What no mesh confirms must convince the detector alone: more than its recommended 0.6 where the whole frame
# shows it, and more again in a tile, where skin-coloured blobs, fists and ears reach 0.73.
_ALONE_IN_FRAME, _ALONE_IN_TILE = 0.65, 0.75
# When nothing was found, weaker answers count if the mesh fits well.
_WEAK_SCORE_SHARE, _WEAK_FLOOR, _WEAK_FIT = 0.6, 0.25, 0.75
# The costly searches are repeated after this much video while faces are followed, sooner where there is none, and at
# once when one is missed or a shot begins.
_SEARCH_AGAIN_S, _SEARCH_EMPTY_AGAIN_S = 2.0, 1.0
# From the detector's square (side s) to the mesh's hull: medians over 700 faces with a good mesh, as shares of s.
_HULL_WIDTH, _HULL_HEIGHT, _HULL_DOWN = 0.85, 1.03, -0.015
_CENTRE_SHARE = 0.6
# Hulls hug the face, so two heads side by side hardly overlap in them.
_DOUBLE_IOU = 0.2


class FaceAnalyser:
    """Faces of frames. A context manager; one instance belongs to one thread and one file, frames in order.

    Every frame is searched whole; in overlapping squares, and where it is large in small tiles, at the first frame of
    a shot, every two seconds of video (every second where there is no face), and whenever a face of the frame before
    is missed. Between those, faces are looked for where they were: in the squares that hold one, and, of small ones,
    in a window around each. So a newcomer whom the whole frame shows is found at once, any other within two seconds.
    A frame without a face that a mesh confirms is
    searched again with a border around it, for weaker answers, and, at the same moments as the tiles, in finer tiles
    and turned by 90, 270 and 180 degrees; a turn that worked is tried every time from then on. The result depends on
    the frames of this file only.

    `backend` replaces MediaPipe; it is closed with the analyser.
    """

    def __init__(self, settings: AnalysisSettings, *, backend: FaceBackend | None = None) -> None:
        self._settings = settings
        self._backend: FaceBackend = backend if backend is not None else default_backend()
        self._shot_index: int | None = None
        self._searched_s = 0.0
        self._last_boxes: tuple[Box, ...] = ()
        self._turn: Turn = 0

    def __enter__(self) -> FaceAnalyser:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Free the detector."""
        self._backend.close()

    def analyse(self, frame: Frame) -> tuple[DetectedFace, ...]:
        """Faces of one frame, largest and surest first, at most `max_faces`; empty where there is none.

        With `centre_crop_fallback` a frame without a face gives its centre instead, with source "centre_crop" and
        the flag "fallback".
        """
        image = frame.image
        thorough = self._is_search_due(frame)
        floor = max(_WEAK_FLOOR, _WEAK_SCORE_SHARE * self._settings.detection_threshold)
        candidates = detect_overall(
            self._backend,
            image,
            floor,
            with_squares=self._settings.tile_faces,
            known=() if thorough else self._last_boxes,
            sure=self._settings.detection_threshold,
        )
        if self._settings.tile_faces:
            candidates, thorough = self._look_closer(image, candidates, floor, thorough)
        faces = self._confirm(image, candidates)
        if not any(face.landmarks is not None for face in faces):
            faces = self._search_again(image, candidates, faces, floor, thorough)
        if thorough:
            self._searched_s = frame.pts_s
        faces = sorted(faces, key=lambda face: (-face.detection_score * face.quality.size_px, face.bbox_xyxy_px))
        kept = tuple(faces[: self._settings.max_faces])
        self._last_boxes = tuple(face.bbox_xyxy_px for face in kept)
        if not kept and self._settings.centre_crop_fallback:
            return (self._centre(image),)
        return kept

    def _is_search_due(self, frame: Frame) -> bool:
        new_shot = frame.shot_index != self._shot_index
        if new_shot:
            self._shot_index = frame.shot_index
            self._last_boxes = ()
        elapsed_s = frame.pts_s - self._searched_s
        again_s = _SEARCH_AGAIN_S if self._last_boxes else _SEARCH_EMPTY_AGAIN_S
        return new_shot or elapsed_s < 0.0 or elapsed_s >= again_s

    def _look_closer(
        self, image: NDArray[np.uint8], candidates: list[Candidate], floor: float, thorough: bool
    ) -> tuple[list[Candidate], bool]:
        """Small faces of a large frame; also says whether that became a search of all tiles."""
        height, width = image.shape[:2]
        grid = tiles(width, height)
        if not grid:
            return candidates, thorough
        if not thorough:
            sure = self._settings.detection_threshold
            windows = [around(box, width, height) for box in missed(self._last_boxes, candidates, sure)]
            candidates = candidates + detect_in_windows(self._backend, image, windows, floor)
            thorough = bool(missed(self._last_boxes, candidates, sure))
        if thorough:
            candidates = candidates + detect_in_windows(self._backend, image, grid, floor)
        return candidates, thorough

    def _confirm(self, image: NDArray[np.uint8], candidates: list[Candidate]) -> list[DetectedFace]:
        """Candidates at or above the threshold that a mesh confirms or that convince without one."""
        threshold = self._settings.detection_threshold
        faces: list[DetectedFace] = []
        for candidate in merge([item for item in candidates if item.detection.score >= threshold]):
            mesh = fit_mesh(self._backend, image, candidate.detection)
            score = candidate.detection.score
            alone = _ALONE_IN_FRAME if candidate.source == "frame" else _ALONE_IN_TILE
            if (mesh is not None and mesh.fit >= float(np.interp(score, _SCORES, _FITS_AT_SCORES))) or score >= alone:
                faces.append(self._face(image, candidate, mesh))
        return _without_doubles(faces)

    def _search_again(
        self,
        image: NDArray[np.uint8],
        candidates: list[Candidate],
        faces: list[DetectedFace],
        floor: float,
        thorough: bool,
    ) -> list[DetectedFace]:
        """With a border, in finer tiles, weaker answers, then turned; `faces` themselves where nothing is better."""
        more = detect_widened(self._backend, image, floor)
        if thorough and self._settings.tile_faces:
            more += detect_in_windows(self._backend, image, tiles(image.shape[1], image.shape[0], fine=True), floor)
        confirmed = [face for face in self._confirm(image, more) if face.landmarks is not None]
        if confirmed:
            return _without_doubles(confirmed + faces)
        candidates = candidates + more
        confirmed = self._confirm_weak(image, candidates)
        if confirmed:
            return _without_doubles(confirmed + faces)
        turns: tuple[Turn, ...] = (90, 270, 180) if thorough else ()
        if self._turn:
            turns = (self._turn, *(turn for turn in turns if turn != self._turn))
        for turn in turns:
            confirmed = self._confirm_weak(image, look_turned(self._backend, image, turn, floor))
            if confirmed:
                self._turn = turn
                return _without_doubles(confirmed + faces)
        return faces

    def _confirm_weak(self, image: NDArray[np.uint8], candidates: list[Candidate]) -> list[DetectedFace]:
        """Candidates of any score whose mesh fits well."""
        faces = []
        for candidate in merge(candidates)[: 2 * self._settings.max_faces]:
            mesh = fit_mesh(self._backend, image, candidate.detection)
            if mesh is not None and mesh.fit >= _WEAK_FIT:
                faces.append(self._face(image, candidate, mesh))
        return faces

    def _face(self, image: NDArray[np.uint8], candidate: Candidate, mesh: MeshFit | None) -> DetectedFace:
        fitting = mesh if mesh is not None and mesh.fit >= _MESH_FITS else None
        box = fitting.hull_xyxy_px if fitting is not None else _like_hull(candidate.detection.bbox_xyxy_px)
        return DetectedFace(
            bbox_xyxy_px=box,
            detection_score=candidate.detection.score,
            landmarks=fitting.points if fitting is not None else None,
            quality=measure_quality(image, box, fitting, mesh.fit if mesh is not None else None, self._settings),
            source=candidate.source,
        )

    def _centre(self, image: NDArray[np.uint8]) -> DetectedFace:
        height, width = image.shape[:2]
        half = _CENTRE_SHARE * min(width, height) / 2.0
        box = (width / 2.0 - half, height / 2.0 - half, width / 2.0 + half, height / 2.0 + half)
        quality = measure_quality(image, box, None, None, self._settings)
        return DetectedFace(
            bbox_xyxy_px=box,
            detection_score=0.0,
            landmarks=None,
            quality=replace(quality, weight=LOWEST_WEIGHT, flags=(*quality.flags, "fallback")),
            source="centre_crop",
        )


def _without_doubles(faces: list[DetectedFace]) -> list[DetectedFace]:
    """Two detections of one head often end in the same mesh; the one whose mesh fits better stays."""
    kept: list[DetectedFace] = []
    for face in sorted(faces, key=lambda item: (-(item.quality.mesh_fit or 0.0), -item.detection_score)):
        if not any(same_face(face.bbox_xyxy_px, other.bbox_xyxy_px, min_iou=_DOUBLE_IOU) for other in kept):
            kept.append(face)
    return kept


def _like_hull(box: Box) -> Box:
    """The detector's box in the proportions of a mesh's hull, so that crops with and without a mesh look alike."""
    x0, y0, x1, y1 = box
    width, height = x1 - x0, y1 - y0
    centre_x, centre_y = (x0 + x1) / 2.0, (y0 + y1) / 2.0 + _HULL_DOWN * height
    half_width, half_height = _HULL_WIDTH * width / 2.0, _HULL_HEIGHT * height / 2.0
    return (centre_x - half_width, centre_y - half_height, centre_x + half_width, centre_y + half_height)
