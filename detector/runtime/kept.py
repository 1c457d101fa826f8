"""Converted networks on disk: each in a folder of its own below the home, with its SHA-256 and the check it passed.

A folder appears whole or not at all: it is written beside its place and renamed into it. Of two processes that convert
the same network at once the second finds the place taken and goes on with its own copy.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from detector.settings import default_home

MOST_KEPT: Final = 24
"""Networks that are kept; of more, those that were not used for longest are removed."""
_ABANDONED_S: Final = 86_400  # what a process left half written when it was killed
_NETWORK, _NOTE = "network.onnx", "check.json"


def runtime_folder() -> Path:
    """Where converted networks are kept: `runtime` in the home."""
    return default_home() / "runtime"


def read_kept(key: str) -> bytes | None:
    """The network kept under `key`, marked as used; None where there is none, or it is not as it was written."""
    place = runtime_folder() / key
    try:
        note = json.loads((place / _NOTE).read_text(encoding="utf-8"))
        onnx = (place / _NETWORK).read_bytes()
        if note["sha256"] != hashlib.sha256(onnx).hexdigest():
            return None
    except (OSError, ValueError, KeyError, TypeError):
        return None
    with contextlib.suppress(OSError):  # a home that is read only serves all the same
        os.utime(place)
    return onnx


def keep(key: str, onnx: bytes, *, furthest: float, made_of: str) -> None:
    """Keep a network that passed its check, in place of one under `key` that `read_kept` refuses; `furthest` its
    largest difference of a logit, `made_of` what it was made of, in words. Raises OSError where it cannot be written.
    """
    folder = runtime_folder()
    folder.mkdir(parents=True, exist_ok=True)
    note = {"sha256": hashlib.sha256(onnx).hexdigest(), "largest_logit_difference": furthest, "made_of": made_of}
    unfinished = Path(tempfile.mkdtemp(prefix=".", dir=folder))
    try:
        (unfinished / _NETWORK).write_bytes(onnx)
        (unfinished / _NOTE).write_text(json.dumps(note, indent=1), encoding="utf-8")
        if (folder / key).exists() and read_kept(key) is None:
            os.replace(folder / key, Path(tempfile.mkdtemp(prefix=".", dir=folder)))
        os.rename(unfinished, folder / key)
    except OSError:
        if read_kept(key) is None:  # else another process was first
            raise
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    _tidy(folder)


def _tidy(folder: Path) -> None:
    """Remove all but the `MOST_KEPT` networks that were used last, and what was abandoned a day ago."""
    used: list[tuple[float, Path]] = []
    for place in folder.iterdir():
        with contextlib.suppress(OSError):  # another process may tidy too
            used.append((place.stat().st_mtime, place))
    kept = sorted((one for one in used if not one[1].name.startswith(".")), reverse=True)
    unfinished = (one for one in used if one[1].name.startswith(".") and one[0] < time.time() - _ABANDONED_S)
    _remove(place for _, place in (*kept[MOST_KEPT:], *unfinished))


def _remove(places: Iterable[Path]) -> None:
    for place in places:
        shutil.rmtree(place, ignore_errors=True)
