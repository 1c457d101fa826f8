"""Plain properties of pictures and files, for the leakage report: what can be measured without looking for fakes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from detector.errors import EvidenceError
from detector.evidence import FrameReader, StoredFile, examine

_FRAMES = 3


def describe_image(image: NDArray[np.uint8]) -> dict[str, float]:
    """(H, W, 3) uint8 RGB -> brightness (mean luma, 0..255), contrast (its deviation), saturation (mean, 0..255),
    sharpness (log of the Laplacian's variance), blockiness (steps across an 8-pixel grid against steps beside it)."""
    luma = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32)
    step = np.abs(np.diff(luma, axis=1)).mean(0)
    on_grid = np.arange(len(step)) % 8 == 7
    return {
        "brightness": float(luma.mean()),
        "contrast": float(luma.std()),
        "saturation": float(cv2.cvtColor(image, cv2.COLOR_RGB2HSV)[..., 1].mean()),
        "sharpness": float(np.log1p(cv2.Laplacian(luma, cv2.CV_32F).var())),
        "blockiness": float(step[on_grid].mean() / max(1e-6, step[~on_grid].mean())) if on_grid.any() else 1.0,
    }


def describe_images(images: NDArray[np.uint8]) -> pd.DataFrame:
    """(N, H, W, 3) -> a row of `describe_image` each."""
    return pd.DataFrame([describe_image(image) for image in images])


def describe_manifest(manifest: pd.DataFrame, data_root: Path, *, most: int = 1200, seed: int = 7) -> pd.DataFrame:
    """Properties of the files of a manifest, ready for `check_leakage`: `label`, `group`, `source`, `kind` as listed,
    the rest measured from the file and up to three of its frames. Unreadable files keep what is known of them.

    At most `most` files are read, drawn at random, as many of each label as can be.
    """
    rng = np.random.default_rng(seed)
    drawn = [
        rng.permutation(rows.index.to_numpy())[: max(most // 2, most - int((manifest["label"] != label).sum()))]
        for label, rows in manifest.groupby("label")
    ]
    columns = [name for name in ("label", "group", "source", "kind") if name in manifest]
    rows = []
    for record in manifest.loc[np.sort(np.concatenate(drawn))].to_dict("records"):
        row = {name: record[name] for name in columns}
        rows.append({**row, **_describe_file(data_root / str(record["file"]))})
    return pd.DataFrame(rows)


def _describe_file(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    row: dict[str, Any] = {"file_size_bytes": path.stat().st_size}
    try:
        # The hash is not looked at here, and hashing gigabytes for it would take as long as all the rest.
        evidence = examine(StoredFile("", "", path.stat().st_size, path.name, path))
        video = evidence.video
        row |= {"width": video.width, "height": video.height, "pixels": video.width * video.height}
        row |= {"codec": video.codec, "container": evidence.container.format_name, "pixel_format": video.pixel_format}
        rate = 1000.0
        if evidence.kind == "video":
            row |= {"frame_count": video.frame_count, "duration_s": video.duration_s, "frame_rate": video.average_fps}
            row |= {"bit_rate": evidence.container.bit_rate, "has_audio": "yes" if evidence.audio else "no"}
            rate = min(60.0, max(0.05, _FRAMES / max(video.duration_s, 0.1)))
        frames = [frame.image for frame in FrameReader(evidence, frames_per_second=rate, max_frames=_FRAMES)]
    except EvidenceError:
        return row
    if frames:
        row |= {str(name): value for name, value in describe_images(np.stack(frames)).mean().items()}
    return row
