"""Windows of motion of labelled clips, measured as in an analysis and kept in a table."""

from __future__ import annotations

import os
import tempfile
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from detector.analysis.kinds.kinematics import WHY_NONE
from detector.errors import EvidenceError, SettingsError
from detector.evidence import Evidence, FrameReader, StoredFile, examine, hash_file
from detector.faces import FaceAnalyser, FaceTrack, Tracker
from detector.faces.backend import FaceBackend, default_backend
from detector.faces.motion import FEATURES, watch_motion
from detector.settings import AnalysisSettings
from detector.training.data.video_cut import Columns, cut_columns
from detector.training.engine.progress import log, tracked
from detector.training.kinematics.config import KinematicsConfig
from detector.training.kinematics.nuisances import NUISANCES, nuisances_of

COLUMNS: Final = ["id", "missing", "start_s", *FEATURES, *NUISANCES]
_KEPT_EVERY: Final = 10  # clips; a run that is stopped loses no more than these


@dataclass(frozen=True, slots=True)
class MotionClip:
    """A clip: `windows` (N, F) as measured and `nuisances` (K,), their mean over the windows; `label` 1 where it is
    manipulated; `source` as `FoldConfig` names it."""

    id: str
    label: int
    family: str
    source: str
    group: str
    windows: NDArray[np.float64] = field(repr=False)
    nuisances: NDArray[np.float64] = field(repr=False)


def measure_clips(rows: pd.DataFrame, data_root: Path, config: KinematicsConfig, cache: Path) -> pd.DataFrame:
    """The windows of the clips of `rows` (`id`, `file`, `crop_x0`, `crop_x1`): a row each with `COLUMNS`, or one row
    with the reason in `missing` for a clip that has none.

    What the Parquet file `cache` holds is not measured again, and it is written as the work goes on; one that was
    measured by other features is begun anew.
    """
    known = pd.read_parquet(cache) if cache.is_file() else pd.DataFrame(columns=COLUMNS)
    if list(known.columns) != COLUMNS:
        known = pd.DataFrame(columns=COLUMNS)
    missing = rows[~rows["id"].isin(known["id"])].to_dict("records")
    if missing:
        cache.parent.mkdir(parents=True, exist_ok=True)
        with closing(default_backend(refined=True)) as backend, FaceAnalyser(_SEARCH) as search:
            for number, row in enumerate(tracked(missing, "measuring how faces move"), start=1):
                found = pd.DataFrame(_measured(row, data_root, config, backend, search), columns=COLUMNS)
                known = found if known.empty else pd.concat([known, found], ignore_index=True)
                if number % _KEPT_EVERY == 0 or number == len(missing):
                    _write(known, cache)
    return known[known["id"].isin(rows["id"])].reset_index(drop=True)


_SEARCH: Final = AnalysisSettings(tile_faces=False)


def _write(table: pd.DataFrame, path: Path) -> None:
    partial = path.with_name(f".{path.name}.partial")
    table.to_parquet(partial)
    os.replace(partial, path)


def _measured(
    row: dict[Any, Any], data_root: Path, config: KinematicsConfig, backend: FaceBackend, search: FaceAnalyser
) -> list[list[Any]]:
    nothing = [np.nan] * (len(COLUMNS) - 2)
    try:
        with tempfile.TemporaryDirectory() as folder:
            path, columns = data_root / row["file"], Columns.read(row["crop_x0"], row["crop_x1"])
            if columns is not None:
                path = cut_columns(path, Path(folder) / "half.mp4", columns)
            evidence = _examined(path)
            track = main_track(evidence, config, search)
            if track is None:
                return [[row["id"], WHY_NONE["no_face"], *nothing]]
            (measured,) = watch_motion(evidence, [track], backend)
            if measured.missing is not None:
                return [[row["id"], WHY_NONE[measured.missing], *nothing]]
            return [
                [row["id"], "", window.start_s, *window.features, *nuisances_of(window, evidence.video)]
                for window in measured.windows
            ]
    except (EvidenceError, SettingsError, OSError, ValueError) as error:
        log.warning("%s is left out: %s", row["id"], error)
        return [[row["id"], str(error), *nothing]]


def _examined(path: Path) -> Evidence:
    sha256, md5 = hash_file(path)
    return examine(StoredFile(sha256, md5, path.stat().st_size, path.name, path))


def main_track(evidence: Evidence, config: KinematicsConfig, search: FaceAnalyser) -> FaceTrack | None:
    """The track with the most face in it, widths added up over its sightings, of the clip's first seconds."""
    tracker = Tracker()
    with FrameReader(evidence, frames_per_second=config.search_fps, max_frames=100_000) as frames:
        first_s: float | None = None  # cuts of longer videos may start late
        for frame in frames:
            first_s = frame.pts_s if first_s is None else first_s
            if frame.pts_s - first_s > config.longest_s:
                break
            tracker.update(frame, search.analyse(frame))
    return max(tracker.finish(), key=_face_seen, default=None)


def _face_seen(track: FaceTrack) -> float:
    boxes = np.array([seen.face.bbox_xyxy_px for seen in track.faces])
    return float((boxes[:, 2] - boxes[:, 0]).sum())


def clips_of(rows: pd.DataFrame, table: pd.DataFrame) -> list[MotionClip]:
    """The clips of `rows` (as `usable_rows` gives them) that have a window in `table`, in the order of the rows."""
    windows = dict(iter(table[table["missing"] == ""].groupby("id")))
    return [
        MotionClip(
            id=row["id"],
            label=int(row["label"] == "fake"),
            family=row["family"],
            source=row["source"],
            group=row["group"],
            windows=windows[row["id"]][list(FEATURES)].to_numpy(float),
            nuisances=windows[row["id"]][list(NUISANCES)].to_numpy(float).mean(0),
        )
        for row in rows.to_dict("records")
        if row["id"] in windows
    ]
