"""Genuine footage that a user gives: a video or a still, with its face in every frame."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from skimage import data

from detector.errors import EvidenceError
from detector.evidence import Frame, FrameReader, StoredFile, examine, hash_file
from detector.evidence.audio import Sound, read_sound
from detector.evidence.types import Evidence
from detector.faces import DetectedFace, FaceAnalyser
from detector.faces.search import iou
from detector.settings import AnalysisSettings
from detector.synthesis.animate import still_clip
from detector.synthesis.clips import FaceClip
from detector.synthesis.types import FaceImage

MAX_PX = 720
_MAX_FPS = 30.0
_LONGEST_GAP_S = 0.3
_SAME_FACE_IOU = 0.3
_LEAST_FRAMES = 8


@dataclass(frozen=True, slots=True)
class Source:
    """`clip` whole frames, longer side at most 720 px; `sound` beside it, starting with it, or None; `portrait` the
    still it was made from, or None; `name` and `sha256` of the file."""

    name: str
    sha256: str
    clip: FaceClip
    sound: Sound | None = None
    portrait: FaceImage | None = None

    @property
    def fps(self) -> float:
        """Pictures a second, from the median of their distances."""
        return round(float(1 / np.median(np.diff(self.clip.times_s))), 3)


def read_source(path: Path | None, *, seconds: float, size_px: int = 480, seed: int = 0) -> Source:
    """The first `seconds` of a video in which one face stays in one shot, or a still under a moving camera (square,
    `size_px`); without a path scikit-image's portrait of Eileen Collins.

    Raises EvidenceError for files that do not decode, or without a face that a mesh fits in eight frames on end.
    """
    if path is None:
        image = np.ascontiguousarray(data.astronaut())
        return _still("astronaut", image, "", seconds=seconds, size_px=size_px, seed=seed)
    sha256, md5 = hash_file(path)
    evidence = examine(StoredFile(sha256, md5, path.stat().st_size, path.name, path))
    if evidence.kind == "still":
        image = next(iter(FrameReader(evidence, frames_per_second=1, max_frames=1))).image
        return _still(path.stem, image, sha256, seconds=seconds, size_px=size_px, seed=seed)
    clip, start_s = _followed(evidence, seconds)
    sound = read_sound(evidence, start_s, start_s + clip.duration_s)
    return Source(path.stem, sha256, clip, None if sound is None else Sound(sound.samples, 0.0))


def _still(name: str, image: NDArray[np.uint8], sha256: str, *, seconds: float, size_px: int, seed: int) -> Source:
    with FaceAnalyser(AnalysisSettings()) as analyser:
        faces = [face for face in analyser.analyse(Frame(0, 0, 0.0, 0, image)) if face.landmarks is not None]
    if not faces:
        raise EvidenceError(f"Expected a face that a mesh fits in {name!r}, found none. Use a larger, frontal face.")
    portrait = FaceImage(image, _points(max(faces, key=lambda found: found.quality.size_px)))
    clip = still_clip(portrait, seconds=seconds, size_px=size_px, seed=seed)
    return Source(name, sha256, clip, portrait=portrait)


def _points(face: DetectedFace) -> NDArray[np.float32]:
    assert face.landmarks is not None
    return np.ascontiguousarray(face.landmarks[:, :2], np.float32)


def _followed(evidence: Evidence, seconds: float) -> tuple[FaceClip, float]:
    """The first segment of one face that is as long as asked for, else the longest; with the time it starts at."""
    best: list[tuple[Frame, NDArray[np.float32] | None]] = []
    with FaceAnalyser(AnalysisSettings(tile_faces=False)) as analyser:
        for segment in _segments(evidence, analyser, seconds):
            if len(segment) > len(best):
                best = segment
            if best[-1][0].pts_s - best[0][0].pts_s >= seconds - 0.1:
                break
    if len(best) < _LEAST_FRAMES:
        raise EvidenceError(
            f"Expected one face over {_LEAST_FRAMES} frames on end in {evidence.file.file_name}, found none."
        )
    times = np.array([frame.pts_s for frame, _ in best])
    known = np.array([number for number, (_, points) in enumerate(best) if points is not None])
    meshes = np.stack([points for _, points in best if points is not None]).reshape(len(known), -1)
    filled = np.stack([np.interp(times, times[known], column) for column in meshes.T], 1).reshape(-1, 468, 2)
    scale = min(1.0, MAX_PX / max(best[0][0].image.shape[:2]))
    height, width = (round(side * scale / 2) * 2 for side in best[0][0].image.shape[:2])
    images = [cv2.resize(frame.image, (width, height), interpolation=cv2.INTER_AREA) for frame, _ in best]
    factor = np.array([width, height]) / best[0][0].image.shape[1::-1]
    clip = FaceClip(np.stack(images).astype(np.uint8), (filled * factor).astype(np.float32), times - times[0])
    return clip, float(times[0])


def _segments(
    evidence: Evidence, analyser: FaceAnalyser, seconds: float
) -> Iterator[list[tuple[Frame, NDArray[np.float32] | None]]]:
    """Runs of frames with one face, each frame with its mesh or, for a moment, without."""
    run: list[tuple[Frame, NDArray[np.float32] | None]] = []
    box: tuple[float, float, float, float] | None = None
    seen_s = 0.0
    with FrameReader(evidence, frames_per_second=_MAX_FPS, max_frames=100_000) as reader:
        for frame in reader:
            faces = [face for face in analyser.analyse(frame) if face.landmarks is not None]
            near = [face for face in faces if box is None or iou(face.bbox_xyxy_px, box) > _SAME_FACE_IOU]
            over = bool(run) and (
                frame.shot_index != run[0][0].shot_index
                or frame.pts_s - run[0][0].pts_s >= seconds
                or (not near and frame.pts_s - seen_s > _LONGEST_GAP_S)
            )
            if over:
                yield _trimmed(run)
                run, box, near = [], None, faces
            if near:
                face = max(near, key=lambda found: found.quality.size_px)
                box, seen_s = face.bbox_xyxy_px, frame.pts_s
                run.append((frame, _points(face)))
            elif run:
                run.append((frame, None))
    if run:
        yield _trimmed(run)


def _trimmed(
    run: list[tuple[Frame, NDArray[np.float32] | None]],
) -> list[tuple[Frame, NDArray[np.float32] | None]]:
    """Up to the last frame that has a mesh."""
    while run and run[-1][1] is None:
        run.pop()
    return run
