"""Genuine and labelled faces cut once from the files of a manifest, kept as one memory-mapped array.

Building a bank runs the product's own face search on every picture, so training sees faces as analysis does.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from detector.errors import EvidenceError, SettingsError
from detector.evidence import Frame, FrameReader, StoredFile, examine, hash_file
from detector.faces import CropSpec, DetectedFace, FaceAnalyser, crop_box, crop_face
from detector.faces.types import Box
from detector.settings import AnalysisSettings
from detector.synthesis.types import FaceImage
from detector.training.data.splits import assign_splits
from detector.training.engine.progress import tracked

BANK_PX = 256
# Room around a face for synthesis to work in; pictures that are tight crops already keep their resolution instead.
WIDE_CROP = CropSpec(size_px=BANK_PX, margin=0.45)
TIGHT_CROP = CropSpec(size_px=BANK_PX, margin=0.1)
_TIGHT_SHARE = 0.7
_REQUIRED = {"file", "label", "kind", "use", "group", "source"}


@dataclass(frozen=True, slots=True)
class FaceBank:
    """`images` (N, 256, 256, 3) uint8 memory map; `landmarks` (N, 468, 2) float32 (NaN without a mesh); `table` one row
    a face: file, label, kind, use, group, source, manipulation, split."""

    images: NDArray[np.uint8]
    landmarks: NDArray[np.float32]
    table: pd.DataFrame

    @classmethod
    def open(cls, folder: Path) -> FaceBank:
        """Open a bank that was built. Raises SettingsError where there is none."""
        if not (folder / "table.parquet").is_file():
            raise SettingsError(
                f"No face bank in {folder}: training a frame model or specialists leaves one in RUN/bank."
            )
        return cls(
            np.load(folder / "images.npy", mmap_mode="r"),
            np.load(folder / "landmarks.npy"),
            pd.read_parquet(folder / "table.parquet"),
        )

    def face(self, index: int) -> FaceImage:
        """The face with that row number."""
        return FaceImage(np.asarray(self.images[index]), self.landmarks[index])

    @property
    def has_mesh(self) -> NDArray[np.bool_]:
        """(N,) bool: the faces whose mesh was found."""
        return ~np.isnan(self.landmarks[:, 0, 0])


def build_bank(data_root: Path, folder: Path, *, frames_per_video: int = 10) -> FaceBank:
    """Read `data_root/manifest.csv` and cut every face it names.

    Unreadable and faceless files are skipped and listed in `folder/skipped.csv`. Raises SettingsError where the
    manifest lacks a column or no file shows a face."""
    manifest = pd.read_csv(data_root / "manifest.csv", dtype=str).fillna("")
    missing = sorted(_REQUIRED - set(manifest.columns))
    if missing:
        raise SettingsError(f"{data_root / 'manifest.csv'} lacks the columns {', '.join(missing)}.")
    folder.mkdir(parents=True, exist_ok=True)
    images: list[NDArray[np.uint8]] = []
    landmarks: list[NDArray[np.float32]] = []
    rows: list[dict[str, str]] = []
    skipped: list[dict[str, str]] = []
    columns = [name for name in (*sorted(_REQUIRED), "manipulation", "identity", "split") if name in manifest.columns]
    with FaceAnalyser(AnalysisSettings(tile_faces=False)) as analyser:
        for record in tracked(manifest.to_dict("records"), "cutting faces"):
            row = {name: str(record[name]) for name in columns}
            try:
                found = list(_faces_of(data_root / row["file"], row["kind"], analyser, frames_per_video))
            except EvidenceError as error:
                skipped.append({**row, "why": str(error)})
                continue
            if not found:
                skipped.append({**row, "why": "no face found"})
            for image, face in found:
                spec = bank_crop(face.bbox_xyxy_px, image.shape)
                images.append(crop_face(image, face.bbox_xyxy_px, None, spec))
                landmarks.append(_into_crop(face, spec))
                rows.append(row)
    pd.DataFrame(skipped).to_csv(folder / "skipped.csv", index=False)
    if not images:
        raise SettingsError(f"{data_root / 'manifest.csv'}: no face was found in its {len(manifest)} files.")
    table = pd.DataFrame(rows)
    table["split"] = assign_splits(table)
    np.save(folder / "images.npy", np.stack(images))
    np.save(folder / "landmarks.npy", np.stack(landmarks))
    table.to_parquet(folder / "table.parquet")
    return FaceBank.open(folder)


def _faces_of(
    path: Path, kind: str, analyser: FaceAnalyser, frames_per_video: int
) -> Iterator[tuple[NDArray[np.uint8], DetectedFace]]:
    """The largest face of a still, or of frames spread over a video, each with the picture it lies in."""
    if kind == "image":
        bgr = cv2.imread(str(path), cv2.IMREAD_COLOR)
        if bgr is None:
            raise EvidenceError(f"{path.name} is not a readable picture.")
        image = cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB).astype(np.uint8)
        frames: Iterator[NDArray[np.uint8]] = iter([image])
    else:
        sha256, md5 = hash_file(path)
        evidence = examine(StoredFile(sha256, md5, path.stat().st_size, path.name, path))
        rate = min(60.0, max(0.1, frames_per_video / max(evidence.video.duration_s, 0.1)))
        frames = (frame.image for frame in FrameReader(evidence, frames_per_second=rate, max_frames=frames_per_video))
    for number, image in enumerate(frames):
        faces = analyser.analyse(Frame(number, number, float(number), number, image))
        if faces:
            yield image, max(faces, key=lambda face: face.quality.size_px)


def bank_crop(bbox_xyxy_px: Box, shape: tuple[int, ...]) -> CropSpec:
    """`TIGHT_CROP` where the face fills more than 70 % of the picture's shorter side, else `WIDE_CROP`."""
    side = max(bbox_xyxy_px[2] - bbox_xyxy_px[0], bbox_xyxy_px[3] - bbox_xyxy_px[1])
    return TIGHT_CROP if side > _TIGHT_SHARE * min(shape[:2]) else WIDE_CROP


def _into_crop(face: DetectedFace, spec: CropSpec) -> NDArray[np.float32]:
    if face.landmarks is None:
        return np.full((468, 2), np.nan, np.float32)
    x0, y0, x1, _ = crop_box(face.bbox_xyxy_px, spec)
    return ((face.landmarks[:, :2] - (x0, y0)) * (spec.size_px / (x1 - x0))).astype(np.float32)
