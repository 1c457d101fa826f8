"""Content-named files beside the database: a file's name is its SHA-256, so equal content is kept once."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any, Literal

import numpy as np

from detector.analysis import Analysis, analysis_from_dict, analysis_to_json, load_landmarks, save_landmarks
from detector.cases.codec import file_sha256
from detector.cases.types import Artefact
from detector.errors import StoreError

_SUFFIXES: dict[str, str] = {"analysis": ".json", "landmarks": ".npz"}


def keep_analysis(folder: Path, analysis: Analysis) -> tuple[Artefact, ...]:
    """Write the analysis as JSON and, where faces carry a mesh, their landmarks as npz. Nothing partial is left."""
    with _scratch(folder, ".json") as scratch:
        scratch.write_text(analysis_to_json(analysis), encoding="utf-8")
        kept = [_keep(folder, scratch, "analysis")]
    if any(seen.face.landmarks is not None for track in analysis.tracks for seen in track.faces):
        with _scratch(folder, ".npz") as scratch:
            save_landmarks(analysis, scratch)
            shape, dtype = _main_array(scratch)
            kept.append(_keep(folder, scratch, "landmarks", shape, dtype))
    return tuple(kept)


def load_analysis(files: Sequence[Artefact], stored_path: Path) -> Analysis:
    """Read back what `keep_analysis` wrote. Raises StoreError where a file is missing or is not what was written."""
    by_kind = {kept.kind: kept for kept in files}
    if "analysis" not in by_kind:
        raise StoreError("The record names no file of its analysis. Verify the case, and restore it from a backup.")
    for kept in files:
        _check(kept)
    landmarks = load_landmarks(by_kind["landmarks"].path) if "landmarks" in by_kind else None
    text = by_kind["analysis"].path.read_text(encoding="utf-8")
    return analysis_from_dict(json.loads(text), stored_path=stored_path, landmarks=landmarks)


def artefact_path(folder: Path, sha256: str, kind: str) -> Path:
    """The place of a kind of artefact with that SHA-256 (hex) below `folder`."""
    return folder / sha256[:2] / f"{sha256}{_SUFFIXES[kind]}"


def artefact_from_row(folder: Path, row: dict[str, Any], shape: tuple[int, ...]) -> Artefact:
    """An artefact from its row of the database, its path below `folder`."""
    return Artefact(
        kind=row["kind"],
        path=folder / row["path"],
        sha256=row["sha256"],
        size_bytes=row["size_bytes"],
        shape=shape,
        dtype=row["dtype"],
    )


def _check(kept: Artefact) -> None:
    try:
        found = file_sha256(kept.path)
    except OSError as error:
        raise StoreError(f"The saved {kept.kind} cannot be read ({error}). Run the analysis again.") from error
    if found != kept.sha256:
        raise StoreError(
            f"The saved {kept.kind} {kept.path} was changed since it was written (SHA-256 {found}). It is not shown; "
            "verify the case, restore the file from a backup or run the analysis again."
        )


@contextmanager
def _scratch(folder: Path, suffix: str) -> Iterator[Path]:
    """A file to write before its name is known; gone afterwards unless it was kept."""
    with NamedTemporaryFile(dir=folder, prefix=".writing-", suffix=suffix, delete=False) as stream:
        path = Path(stream.name)
    try:
        yield path
    finally:
        path.unlink(missing_ok=True)


def _keep(
    folder: Path, scratch: Path, kind: Literal["analysis", "landmarks"], shape: tuple[int, ...] = (), dtype: str = ""
) -> Artefact:
    with scratch.open("rb+") as stream:
        # The database row must never outlive the bytes it names.
        os.fsync(stream.fileno())
    sha256 = file_sha256(scratch)
    size_bytes = scratch.stat().st_size
    target = artefact_path(folder, sha256, kind)
    target.parent.mkdir(exist_ok=True)
    scratch.replace(target)
    return Artefact(kind=kind, path=target, sha256=sha256, size_bytes=size_bytes, shape=shape, dtype=dtype)


def _main_array(path: Path) -> tuple[tuple[int, ...], str]:
    with np.load(path, allow_pickle=False) as arrays:
        largest = max((arrays[name] for name in arrays.files), key=lambda array: array.nbytes)
        return largest.shape, str(largest.dtype)
