"""Arrays kept on disk under the SHA-256 of what they were made from.

As safetensors: NumPy's own files have a header that is read as Python source, and CPython 3.11's parser fails now and
then when threads use it at once (CPython gh-106905).
"""

from __future__ import annotations

import hashlib
import json
import os
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save


class ArrayCache:
    """Small named arrays per key. Readers see a whole entry or none; a damaged entry counts as none."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def load(self, key: Mapping[str, Any]) -> dict[str, NDArray[Any]] | None:
        """The arrays saved under the key; None where there are none that can be read."""
        try:
            return load(self._path(key).read_bytes())
        except (OSError, ValueError, SafetensorError):
            return None

    def save(self, key: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> None:
        """Keep arrays under the key, whole or not at all."""
        path = self._path(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_suffix(f".{uuid.uuid4().hex}.unfinished")
        try:
            unfinished.write_bytes(save({name: np.ascontiguousarray(array) for name, array in arrays.items()}))
            os.replace(unfinished, path)
        finally:
            unfinished.unlink(missing_ok=True)

    def _path(self, key: Mapping[str, Any]) -> Path:
        name = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()
        return self._folder / name[:2] / f"{name}.safetensors"
