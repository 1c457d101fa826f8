"""Genuine face clips, read once: the product's own face search on every frame, a fixed window around one face kept.

Everything that synthesis and the sequence models need of a genuine clip is here, so that manipulating it again, or
passing it through another trunk, needs no second search for faces.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from detector.errors import EvidenceError
from detector.evidence import Frame, FrameReader, StoredFile, examine, hash_file
from detector.faces import DetectedFace, FaceAnalyser
from detector.faces.types import Box
from detector.settings import AnalysisSettings
from detector.synthesis.clips import FaceClip
from detector.training.data.splits import assign_splits
from detector.training.engine.progress import tracked

DENSE_FPS, DENSE_FRAMES = 25.0, 72
SPARSE_FRAMES, SPARSE_FROM_S = 60, 6.0
FACE_PX = 224
_LEAST_FRAMES = 8
# Window kept while reading, then around the path of the face, both in sides of the face.
_REACH, _ROOM = 2.0, 0.4
_SAME_FACE_IOU = 0.3
_BEFORE = "-before"


@dataclass(frozen=True, slots=True)
class Reading:
    """One segment of one genuine clip. `number` 0 is dense (up to 25 frames a second), 1 spreads over a longer clip.

    `before` holds, of a segment that spreads, the frame just before each of `clip`, where the video has one."""

    clip: FaceClip
    file: str
    number: int
    group: str
    source: str
    split: str
    before: FaceClip | None = None

    @property
    def name(self) -> str:
        """The name of the clip: that of its file and its number there."""
        return f"{Path(self.file).stem[-60:]}.{self.number}"


def read_clips(data_root: Path, folder: Path, *, splits: Sequence[str] = ("train", "val")) -> list[str]:
    """Read every genuine video of `data_root/manifest.csv` in `splits` into `folder`; what is there already is kept.

    Returns a line for each video that gave nothing, with the reason. Reads no manipulated file and, unless asked,
    none of the test split.
    """
    manifest = pd.read_csv(data_root / "manifest.csv", dtype=str).fillna("")
    manifest["split"] = assign_splits(manifest)
    rows = manifest[(manifest["kind"] == "video") & (manifest["label"] == "real") & manifest["split"].isin(splits)]
    folder.mkdir(parents=True, exist_ok=True)
    failed = []
    places = [(folder / f"{Path(row['file']).stem[-60:]}.done", row) for row in rows.to_dict("records")]
    unread = [(done, row) for done, row in places if not done.is_file()]
    for done, row in tracked(unread, f"reading genuine clips of {', '.join(splits)}"):
        try:
            found = list(_readings_of(data_root / row["file"]))
        except EvidenceError as error:
            found = []
            failed.append(f"{row['file']}: {error}")
        for number, segment in found:
            facts = {key: str(row[key]) for key in ("file", "group", "source", "split")}
            _write(folder, Reading(segment.clip, number=number, before=segment.before, **facts))
        if not found:
            failed.append(f"{row['file']}: no face that stays for {_LEAST_FRAMES} frames")
        done.touch()
    return failed


def open_readings(folder: Path, split: str) -> Iterator[Reading]:
    """The readings of one split in a fixed order, one in memory at a time."""
    for path in sorted(folder.glob("*.json")):
        facts = json.loads(path.read_text(encoding="utf-8"))
        if facts["split"] == split:
            stem = path.with_suffix("")
            before = Path(f"{stem}{_BEFORE}")
            earlier = _read_clip(before) if Path(f"{before}.npz").is_file() else None
            yield Reading(_read_clip(stem), before=earlier, **facts)


def _read_clip(stem: Path) -> FaceClip:
    with np.load(f"{stem}.npz") as data:
        return FaceClip(np.load(f"{stem}.npy", mmap_mode="r"), data["landmarks"], data["times_s"])


def _write(folder: Path, reading: Reading) -> None:
    stem = folder / reading.name
    for name, clip in ((str(stem), reading.clip), (f"{stem}{_BEFORE}", reading.before)):
        if clip is not None:
            np.save(f"{name}.npy", clip.images)
            np.savez(f"{name}.npz", landmarks=clip.landmarks, times_s=clip.times_s)
    facts = {key: getattr(reading, key) for key in ("file", "number", "group", "source", "split")}
    partial = Path(f"{stem}.partial")
    partial.write_text(json.dumps(facts), encoding="utf-8")
    os.replace(partial, f"{stem}.json")


def _readings_of(path: Path) -> Iterator[tuple[int, FollowedSegment]]:
    sha256, md5 = hash_file(path)
    evidence = examine(StoredFile(sha256, md5, path.stat().st_size, path.name, path))
    duration_s = evidence.video.duration_s
    rates = [(DENSE_FPS, DENSE_FRAMES)]
    if duration_s > SPARSE_FROM_S:
        rates.append((max(2.0, SPARSE_FRAMES / duration_s), SPARSE_FRAMES))
    for number, (rate, count) in enumerate(rates):
        with (
            FrameReader(evidence, frames_per_second=rate, max_frames=100_000, with_before=number > 0) as reader,
            FaceAnalyser(AnalysisSettings(tile_faces=False)) as analyser,
        ):
            segment = follow_face(reader, analyser, count)
        if segment is not None:
            yield number, segment


class FollowedSegment(NamedTuple):
    """Frames of one face, and the frame just before each of them where every one has such."""

    clip: FaceClip
    before: FaceClip | None


def follow_face(frames: Iterable[Frame], analyser: FaceAnalyser, count: int) -> FollowedSegment | None:
    """The first segment of up to `count` frames in which one face stays in one shot and in reach of where it began.

    Segments shorter than `count` are passed over for a longer one later. Faces above 224 px are shrunk to it. None
    where no segment has eight frames.
    """
    best: _Path | None = None
    now: _Path | None = None
    for frame in frames:
        faces = analyser.analyse(frame)
        if now is not None and not now.take(frame, faces):
            best, now = _longer(best, now), None
        if now is None and faces and faces[0].landmarks is not None:
            now = _Path(frame, faces[0])
        if now is not None and frame.before is not None:
            now.take_before(frame.before, analyser.analyse(replace(frame, image=frame.before, before=None)))
        if now is not None and len(now.images) >= count:
            break
    best = _longer(best, now)
    return best.segment() if best is not None and len(best.images) >= _LEAST_FRAMES else None


class _Path:
    """Frames of one face, cut to a window around where it was first seen."""

    def __init__(self, frame: Frame, face: DetectedFace) -> None:
        self._box, self._shot = face.bbox_xyxy_px, frame.shot_index
        side = _side(self._box)
        centre = ((self._box[0] + self._box[2]) / 2, (self._box[1] + self._box[3]) / 2)
        height, width = frame.image.shape[:2]
        reach = (0.5 + _REACH) * side
        self._x0, self._x1 = max(0, round(centre[0] - reach)), min(width, round(centre[0] + reach))
        self._y0, self._y1 = max(0, round(centre[1] - reach)), min(height, round(centre[1] + reach))
        self._scale = min(1.0, FACE_PX / side)
        self.images: list[NDArray[np.uint8]] = []
        self.landmarks: list[NDArray[np.float32]] = []
        self.times_s: list[float] = []
        self._before: dict[int, tuple[NDArray[np.uint8], NDArray[np.float32]]] = {}  # by the number of the frame
        self.take(frame, (face,))

    def take(self, frame: Frame, faces: Sequence[DetectedFace]) -> bool:
        """False where the shot is over or the face is elsewhere; a frame that shows no face is left out."""
        if frame.shot_index != self._shot:
            return False
        if not faces:
            return True
        face = max(faces, key=lambda found: _iou(found.bbox_xyxy_px, self._box))
        if face.landmarks is None:
            return True
        x0, y0, x1, y1 = face.bbox_xyxy_px
        inside = x0 >= self._x0 - 2 and y0 >= self._y0 - 2 and x1 <= self._x1 + 2 and y1 <= self._y1 + 2
        if _iou(face.bbox_xyxy_px, self._box) < _SAME_FACE_IOU or (self.images and not inside):
            return False
        self._box = face.bbox_xyxy_px
        image, points = self._cut(frame.image, face.landmarks)
        self.images.append(image)
        self.landmarks.append(points)
        self.times_s.append(frame.pts_s)
        return True

    def take_before(self, image: NDArray[np.uint8], faces: Sequence[DetectedFace]) -> None:
        """The picture just before the frame taken last, where it shows the face."""
        face = max(faces, key=lambda found: _iou(found.bbox_xyxy_px, self._box), default=None)
        if face is not None and face.landmarks is not None and _iou(face.bbox_xyxy_px, self._box) > _SAME_FACE_IOU:
            self._before[len(self.images) - 1] = self._cut(image, face.landmarks)

    def _cut(
        self, image: NDArray[np.uint8], landmarks: NDArray[np.float32]
    ) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        window = image[self._y0 : self._y1, self._x0 : self._x1]
        if self._scale < 1:
            size = (round(window.shape[1] * self._scale), round(window.shape[0] * self._scale))
            window = cv2.resize(window, size, interpolation=cv2.INTER_AREA).astype(np.uint8)
        points = ((landmarks[:, :2] - (self._x0, self._y0)) * self._scale).astype(np.float32)
        return np.ascontiguousarray(window, np.uint8), points

    def segment(self) -> FollowedSegment:
        """Cut once more, to the path of the face and some room; even sides, as video codecs want them. Where most
        frames have one before them, those without are left out."""
        points = np.stack(self.landmarks)
        room = _ROOM * float(np.median(np.ptp(points, axis=1).max(1)))
        height, width = self.images[0].shape[:2]
        x0, y0 = (max(0, int(value)) for value in points.min((0, 1)) - room)
        x1, y1 = (int(value) for value in np.minimum(points.max((0, 1)) + room, (width, height)))
        x1, y1 = x0 + (x1 - x0) // 2 * 2, y0 + (y1 - y0) // 2 * 2
        paired = len(self._before) >= max(_LEAST_FRAMES, len(self.images) / 2)
        kept = sorted(self._before) if paired else range(len(self.images))
        times = np.array(self.times_s)[list(kept)]

        def clip(images: Sequence[NDArray[np.uint8]], landmarks: Sequence[NDArray[np.float32]]) -> FaceClip:
            cut = np.stack([image[y0:y1, x0:x1] for image in images])
            return FaceClip(cut, np.stack(landmarks) - np.array((x0, y0), np.float32), times - times[0])

        own = clip([self.images[number] for number in kept], [self.landmarks[number] for number in kept])
        return FollowedSegment(
            own, clip(*zip(*(self._before[number] for number in kept), strict=True)) if paired else None
        )


def _longer(first: _Path | None, second: _Path | None) -> _Path | None:
    if first is None or (second is not None and len(second.images) > len(first.images)):
        return second
    return first


def _side(box: Box) -> float:
    return max(box[2] - box[0], box[3] - box[1])


def _iou(a: Box, b: Box) -> float:
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    common = width * height
    return common / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - common)
