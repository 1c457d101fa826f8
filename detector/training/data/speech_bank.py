"""Talking faces cut once from the videos of a manifest: mouth crops, lip measurements and sound, on one time line."""

from __future__ import annotations

import os
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from detector.errors import EvidenceError, SettingsError
from detector.evidence import FrameReader, StoredFile, examine, hash_file
from detector.evidence.audio import Sound, read_sound
from detector.evidence.types import Evidence
from detector.faces import FaceAnalyser, FaceTrack, Tracker
from detector.faces.backend import FaceBackend, default_backend
from detector.faces.follow import TrackSegment
from detector.faces.mouth import RATE_HZ, MouthTrack, follow_mouths
from detector.settings import AnalysisSettings
from detector.training.data.splits import assign_splits
from detector.training.engine.progress import tracked

_REQUIRED = {"file", "label", "kind", "use", "group", "source", "audio"}
_MOUTH = ("start_s", "crops", "lips", "seen", "eyes_px")
_SHORTEST_S = 0.9
LONGEST_S = 20.0
_MIN_SEEN = 0.8


@dataclass(frozen=True, slots=True, eq=False)
class TalkingClip:
    """One face with the sound of its file. `row` is the manifest's, `split` the group's."""

    file: str
    label: str
    group: str
    source: str
    split: str
    mouth: MouthTrack
    sound: Sound


def build_speech_bank(data_root: Path, folder: Path) -> tuple[TalkingClip, ...]:
    """Cut every video that `data_root/manifest.csv` marks with `audio` and open the bank; what is there is kept.

    Raises SettingsError where the manifest lacks a column or nothing in it speaks.
    """
    table = talking_rows(data_root)
    with closing(default_backend()) as backend:
        for record in tracked(table.to_dict("records"), "cutting talking faces"):
            store_clip(data_root, folder, str(record["file"]), backend)
    return open_speech_bank(data_root, folder)


def talking_rows(data_root: Path) -> pd.DataFrame:
    """Rows of the manifest that have sound, with their `split`."""
    manifest = pd.read_csv(data_root / "manifest.csv", dtype=str).fillna("")
    if missing := sorted(_REQUIRED - set(manifest.columns)):
        raise SettingsError(f"{data_root / 'manifest.csv'} lacks the columns {', '.join(missing)}.")
    manifest["split"] = assign_splits(manifest)
    table = manifest[(manifest["kind"] != "image") & (manifest["audio"] != "")]
    if table.empty:
        raise SettingsError(f"{data_root / 'manifest.csv'} marks no video with audio.")
    return table


def open_speech_bank(data_root: Path, folder: Path) -> tuple[TalkingClip, ...]:
    """The clips cut so far, in the manifest's order; a file with several talking faces gives several clips."""
    clips = []
    for row in talking_rows(data_root).to_dict("records"):
        path = _place(folder, row["file"])
        if not path.is_file():
            continue
        with np.load(path) as arrays:
            sound = Sound(arrays["samples"], float(arrays["sound_start_s"]))
            for number in range(int(arrays["tracks"])):
                part = {name: arrays[f"{name}{number}"] for name in _MOUTH}
                mouth = MouthTrack(
                    float(part["start_s"]), part["crops"], part["lips"], part["seen"], float(part["eyes_px"])
                )
                facts = {name: str(row[name]) for name in ("file", "label", "group", "source", "split")}
                clips.append(TalkingClip(**facts, mouth=mouth, sound=sound))
    return tuple(clips)


def store_clip(data_root: Path, folder: Path, file: str, backend: FaceBackend) -> None:
    """Cut one file into the bank unless it is there; a file that cannot be read or shows no face leaves no clips."""
    target = _place(folder, file)
    if target.is_file():
        return
    folder.mkdir(parents=True, exist_ok=True)
    path = data_root / file
    arrays: dict[str, NDArray[np.generic] | float | int] = {"tracks": 0}
    try:
        sha256, md5 = hash_file(path)
        evidence = examine(StoredFile(sha256, md5, path.stat().st_size, path.name, path))
        sound = read_sound(evidence)
        mouths = talking_mouths(evidence, backend) if sound is not None else []
    except EvidenceError:
        sound, mouths = None, []
    if sound is not None:
        arrays |= {"samples": sound.samples, "sound_start_s": sound.start_s, "tracks": len(mouths)}
    else:
        arrays |= {"samples": np.zeros(0, np.float32), "sound_start_s": 0.0}
    for number, mouth in enumerate(mouths):
        for name in _MOUTH:
            arrays[f"{name}{number}"] = getattr(mouth, name)
    partial = target.with_suffix(f".{os.getpid()}.partial")
    with partial.open("wb") as out:
        np.savez(out, **arrays)
    os.replace(partial, target)


def talking_mouths(evidence: Evidence, backend: FaceBackend) -> list[MouthTrack]:
    """The mouth of every face that is followed for 0.9 s, up to 20 s of it."""
    segments = [
        TrackSegment(track, track.first_pts_s, min(track.last_pts_s + 1 / RATE_HZ, track.first_pts_s + LONGEST_S))
        for track in face_tracks(evidence)
    ]
    long_enough = [one for one in segments if one.end_s - one.start_s >= _SHORTEST_S]
    return [mouth for mouth in follow_mouths(evidence, long_enough, backend) if mouth.seen.mean() >= _MIN_SEEN]


def face_tracks(evidence: Evidence) -> tuple[FaceTrack, ...]:
    """Faces through time, looked for often enough to follow them between."""
    tracker = Tracker()
    rate = max(2.0, 6.0 / max(0.5, evidence.video.duration_s))
    with (
        FaceAnalyser(AnalysisSettings(tile_faces=False)) as analyser,
        FrameReader(evidence, frames_per_second=rate, max_frames=900) as reader,
    ):
        for frame in reader:
            tracker.update(frame, analyser.analyse(frame))
    return tuple(tracker.finish())


def _place(folder: Path, file: str) -> Path:
    return folder / (file.replace("/", "__") + ".npz")
