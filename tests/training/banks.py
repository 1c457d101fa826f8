"""A small bank for tests: one face in several tints, half of it labelled manipulated with a visible patch."""

from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from detector.training.data.facebank import FaceBank
from tests.synthesis.faces import face_image


def small_bank(folder: Path, faces: int = 12) -> FaceBank:
    """`faces` genuine photographs and as many labelled crops, half genuine, half manipulated, in one split."""
    face = face_image()
    rng = np.random.default_rng(0)
    images, rows = [], []
    for number in range(2 * faces):
        image = np.clip(face.image * rng.uniform(0.7, 1.1, 3), 0, 255).astype(np.uint8)
        labelled, fake = number >= faces, number >= faces and number % 2 == 1
        if fake:
            image[80:150, 90:160] = cv2.GaussianBlur(image[80:150, 90:160], (0, 0), 4)
        images.append(image)
        rows.append(
            {
                "file": f"{number}.png",
                "label": "fake" if fake else "real",
                "kind": "image",
                "use": "train",
                "group": str(number),
                "source": "labelled" if labelled else "photos",
                "split": "train",
            }
        )
    folder.mkdir(parents=True)
    np.save(folder / "images.npy", np.stack(images))
    np.save(folder / "landmarks.npy", np.repeat(face.landmarks[None], 2 * faces, 0))
    pd.DataFrame(rows).to_parquet(folder / "table.parquet")
    return FaceBank.open(folder)
