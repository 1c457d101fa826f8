"""A genuine face for synthesis tests: the astronaut with a schematic mesh, so that no detector is needed."""

import numpy as np
from skimage import data

from detector.synthesis.regions import REGIONS
from detector.synthesis.types import FaceImage


def face_image() -> FaceImage:
    """A 256-px crop around the astronaut's face; landmarks spread over an ellipse, lips and eyes where they belong."""
    image = np.ascontiguousarray(data.astronaut()[20:276, 100:356])
    rng = np.random.default_rng(0)
    angle, radius = rng.uniform(0, 2 * np.pi, 468), np.sqrt(rng.uniform(0, 0.8, 468))
    landmarks = np.stack([124 + 48 * radius * np.cos(angle), 100 + 58 * radius * np.sin(angle)], 1)
    oval = np.linspace(0, 2 * np.pi, len(REGIONS["face"]), endpoint=False)
    landmarks[list(REGIONS["face"])] = np.stack([124 + 48 * np.sin(oval), 100 - 58 * np.cos(oval)], 1)
    lips = list(REGIONS["mouth"])
    landmarks[lips] = (124, 132) + rng.uniform(-1, 1, (len(lips), 2)) * (18, 8)
    return FaceImage(image, landmarks.astype(np.float32))
