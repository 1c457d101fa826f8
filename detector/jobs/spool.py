"""Finished work on its way from a worker to the store: a folder a job, there whole or not at all."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from detector.analysis import Analysis, analysis_from_dict, analysis_to_json, load_landmarks, save_landmarks
from detector.cases import MadeExport
from detector.cases.export_forms import LoggedExport
from detector.errors import StoreError

_ANALYSIS = "analysis.json"
_LANDMARKS = "landmarks.npz"
_MADE = "made.json"


@contextmanager
def whole_folder(spool_dir: Path, job_id: str) -> Iterator[Path]:
    """A folder to be filled, which the service finds once that is done, even after a crash between here and the message
    that says so. Raises StoreError, and leaves nothing, where it cannot be written."""
    unfinished = spool_dir / f".{job_id}-{os.getpid()}"
    shutil.rmtree(unfinished, ignore_errors=True)
    try:
        unfinished.mkdir(parents=True)
        yield unfinished
        shutil.rmtree(spool_dir / job_id, ignore_errors=True)
        unfinished.rename(spool_dir / job_id)
    except OSError as error:
        raise not_saved(error) from error
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def write_result(spool_dir: Path, job_id: str, analysis: Analysis) -> None:
    """Put the result of an analysis there. Raises StoreError, and leaves nothing, where it cannot be written."""
    with whole_folder(spool_dir, job_id) as folder:
        (folder / _ANALYSIS).write_text(analysis_to_json(analysis), encoding="utf-8")
        if any(seen.face.landmarks is not None for track in analysis.tracks for seen in track.faces):
            save_landmarks(analysis, folder / _LANDMARKS)


def not_saved(error: OSError) -> StoreError:
    """What is said where a result cannot be written, as on a full disk."""
    return StoreError(
        f"The result could not be saved ({error}). Make room on the disk of the case store, or let it be written to; "
        "then try again."
    )


def has_result(spool_dir: Path, job_id: str) -> bool:
    """Whether a finished analysis of the job lies in the spool."""
    return (spool_dir / job_id / _ANALYSIS).is_file()


def read_result(spool_dir: Path, job_id: str, stored_path: Path) -> Analysis:
    """Raises StoreError where the result cannot be read."""
    folder = spool_dir / job_id
    try:
        described = json.loads((folder / _ANALYSIS).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise StoreError(f"The result of job {job_id} cannot be read ({error}). Run the analysis again.") from error
    landmarks = load_landmarks(folder / _LANDMARKS) if (folder / _LANDMARKS).is_file() else None
    return analysis_from_dict(described, stored_path=stored_path, landmarks=landmarks)


def write_made(folder: Path, made: MadeExport) -> None:
    """Put what is told of an export beside its file in a folder of the spool."""
    (folder / _MADE).write_text(json.dumps(asdict(made)), encoding="utf-8")


def read_made(spool_dir: Path, job_id: str) -> MadeExport | None:
    """What a worker told of an export that it finished, None where there is none. Raises StoreError where it cannot be
    read."""
    path = spool_dir / job_id / _MADE
    if not path.is_file():
        return None
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        logged = tuple(LoggedExport(**one) for one in told.pop("logged"))
        return MadeExport(**{**told, "logged": logged, "shows": tuple(told["shows"])})
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise StoreError(f"What was made for the export {job_id} cannot be read ({error}). Try again.") from error


def copy_folder(spool_dir: Path, job_id: str) -> Path:
    """The folder of the copied record that an export is made from; it goes with `discard`."""
    return spool_dir / f".{job_id}-copy"


def discard(spool_dir: Path, job_id: str) -> None:
    """Remove what a job left, finished or not."""
    for folder in (spool_dir / job_id, *spool_dir.glob(f".{job_id}-*")):
        shutil.rmtree(folder, ignore_errors=True)


def job_ids(spool_dir: Path) -> set[str]:
    """The jobs that left something, finished or not."""
    return {entry.name.removeprefix(".").split("-")[0] for entry in spool_dir.iterdir()}
