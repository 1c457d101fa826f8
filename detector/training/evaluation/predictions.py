"""Models' logits on labelled files, one row a file: gathered once, measured and fitted from as often as wanted.

Every model runs in the one analysis of a video, through the product's own pipeline; pictures are searched for faces and
cut once. Rows are written as they are made, so that an interrupted gathering goes on where it stopped.
"""

from __future__ import annotations

import json
import math
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import cv2
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from detector.analysis import Analysis, analyze
from detector.analysis.aggregate import deciding_tracks
from detector.analysis.kinds import kind_of
from detector.errors import EvidenceError
from detector.evidence import Evidence, Frame, examine, frame_at, ingest
from detector.faces import CropSpec, DetectedFace, FaceAnalyser, crop_face
from detector.faces.crop import shows_enough
from detector.registry import EnsembleModel, FrameModel, LoadedModel, SpecialistsModel, file_sha256
from detector.settings import AnalysisSettings
from detector.training.data.skin_tone import skin_ita_deg

VIDEO_SETTINGS: Final = AnalysisSettings(max_frames=60)
FACTS: Final = ("file", "kind", "label", "group", "source", "manipulation")
_PICTURES_AT_ONCE = 32


def column_of(model_id: str, cue: str | None = None) -> str:
    """The column that holds a model's logits, or those of one of its cues; NaN where there is none."""
    return f"logit:{model_id}" if cue is None else f"logit:{model_id}/{cue}"


def problem_of(model_id: str) -> str:
    """The column that says why a model has no logit of a file."""
    return f"problem:{model_id}"


def gather(
    models: Sequence[LoadedModel],
    files: pd.DataFrame,
    data_root: Path,
    store: Path,
    *,
    on_file: Callable[[int, int, str], None] = lambda done, total, file: None,
) -> pd.DataFrame:
    """A row of logits for each of `files` (columns of `FACTS`), kept in `store` (JSON lines) and read from there where
    the same weights made them of the same content, whatever the file is called.

    Adds `size_px`, `exposure`, `ita_deg` of the face that was scored, `called` (the conclusion's label, videos only),
    `problem`, why there is no score, and `problem_of` each model that has none of its own.
    A file that cannot be examined has no logit, never a made-up one.
    """
    heading = {"models": sorted([model.card.model_id, model.card.weights_sha256] for model in models)}
    kept = _read(store, heading)
    if not kept:
        store.write_text(json.dumps(heading) + "\n", encoding="utf-8")
    content = {file: _content(data_root / file) for file in files["file"]}
    missing = files[[content[file] not in kept for file in files["file"]]]
    with store.open("a", encoding="utf-8") as out:
        for number, row in enumerate(_rows(models, missing, data_root)):
            row = {"content": content[row["file"]], **row}
            kept[row["content"]] = row
            out.write(json.dumps(row, allow_nan=False) + "\n")
            out.flush()
            on_file(number + 1, len(missing), row["file"])
    facts = files[list(FACTS)].reset_index(drop=True)
    said = pd.DataFrame([kept[content[file]] for file in facts["file"]]).drop(columns=["content", "file"])
    for model in models:
        for column in _columns(model):
            said[column] = pd.to_numeric(said[column], errors="coerce") if column in said else np.nan
    return pd.concat([facts, said], axis=1)


def _columns(model: LoadedModel) -> list[str]:
    cues = tuple(model.channel_names) if isinstance(model, SpecialistsModel) else ()
    return [column_of(model.card.model_id), *(column_of(model.card.model_id, cue) for cue in cues)]


def _content(path: Path) -> str:
    """The key that predictions are kept under: the file's SHA-256, or its path where there is nothing to read."""
    return file_sha256(path) if path.is_file() else str(path)


def _read(store: Path, heading: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Kept rows by content; those of version 0.1, which only had names, are left out."""
    if not store.is_file():
        return {}
    lines = store.read_text(encoding="utf-8").splitlines()
    if not lines or json.loads(lines[0]) != heading:
        return {}
    rows = {}
    for line in lines[1:]:
        try:
            row = json.loads(line)
        except ValueError:  # cut off in the middle of the last write
            continue
        if "content" in row:
            rows[row["content"]] = row
    return rows


def _rows(models: Sequence[LoadedModel], files: pd.DataFrame, data_root: Path) -> Iterator[dict[str, Any]]:
    for file in files.loc[files["kind"] == "video", "file"]:
        yield {"file": file, **_video(models, data_root / file)}
    yield from _pictures(models, list(files.loc[files["kind"] == "image", "file"]), data_root)


def _video(models: Sequence[LoadedModel], path: Path) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        try:
            evidence = examine(ingest(path, Path(folder)))
            analysis = analyze(evidence, models, VIDEO_SETTINGS)
            conditions = _conditions_of(analysis, evidence)
        except EvidenceError as error:
            return {"problem": str(error)}
    row: dict[str, Any] = {**conditions, "called": analysis.conclusion.label, "seconds": analysis.timings["total"]}
    for result in analysis.models:
        row[column_of(result.model_id)] = result.logit
        if result.logit is None:
            row[problem_of(result.model_id)] = result.reason
        if kind_of(result).cue_scores:
            row |= {column_of(result.model_id, cue.cue): cue.logit for cue in result.specialists}
    if analysis.conclusion.score is None:
        row["problem"] = analysis.conclusion.reasons[0].text
    return row


def _conditions_of(analysis: Analysis, evidence: Evidence) -> dict[str, Any]:
    deciding = deciding_tracks(analysis.tracks, analysis.settings, still=False)
    faces = [tracked for track in deciding for tracked in track.faces]
    if not faces:
        return {}
    best = max(faces, key=lambda tracked: (tracked.face.quality.weight, tracked.face.quality.size_px))
    size = float(np.median([tracked.face.quality.size_px for tracked in faces]))
    exposure = float(np.median([tracked.face.quality.exposure for tracked in faces]))
    return {
        "size_px": size,
        "exposure": exposure,
        "ita_deg": skin_ita_deg(frame_at(evidence, best.pts).image, best.face),
    }


def _pictures(models: Sequence[LoadedModel], files: list[str], data_root: Path) -> Iterator[dict[str, Any]]:
    """The largest face of each picture through every model that reads single crops, in batches."""
    specs = dict.fromkeys(model.card.crop for model in models if model.reads_crops)
    with FaceAnalyser(AnalysisSettings()) as analyser:
        for start in range(0, len(files), _PICTURES_AT_ONCE):
            rows: list[dict[str, Any]] = []
            crops: dict[CropSpec, list[NDArray[np.uint8]]] = {spec: [] for spec in specs}
            shown: dict[CropSpec, list[bool]] = {spec: [] for spec in specs}
            for number, file in enumerate(files[start : start + _PICTURES_AT_ONCE], start):
                image, face = _largest_face(data_root / file, number, analyser)
                rows.append({"file": file})
                if image is None or face is None:
                    rows[-1]["problem"] = "The picture cannot be read." if image is None else "No face was found."
                    continue
                quality = face.quality
                rows[-1] |= {"size_px": quality.size_px, "exposure": quality.exposure}
                rows[-1]["ita_deg"] = skin_ita_deg(image, face)
                for spec in specs:
                    crops[spec].append(crop_face(image, face.bbox_xyxy_px, face.landmarks, spec))
                    shown[spec].append(shows_enough(face.bbox_xyxy_px, image.shape, spec))
            found = [row for row in rows if "problem" not in row]
            if found:
                cut = {spec: Cut(np.stack(crops[spec]), np.array(shown[spec])) for spec in specs}
                _score_crops(models, cut, found)
            yield from rows


def labelled_faces(pictures: pd.DataFrame, data_root: Path) -> Iterator[tuple[NDArray[np.uint8], DetectedFace, bool]]:
    """The largest face of each picture with the picture it lies in and whether it is manipulated; those without one
    are left out."""
    with FaceAnalyser(AnalysisSettings()) as analyser:
        for number, (file, label) in enumerate(zip(pictures["file"], pictures["label"], strict=True)):
            image, face = _largest_face(data_root / file, number, analyser)
            if image is not None and face is not None:
                yield image, face, label == "fake"


def _largest_face(
    path: Path, number: int, analyser: FaceAnalyser
) -> tuple[NDArray[np.uint8] | None, DetectedFace | None]:
    read = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if read is None:
        return None, None
    image = cv2.cvtColor(read, cv2.COLOR_BGR2RGB).astype(np.uint8)
    faces = analyser.analyse(Frame(number, number, float(number), number, image))
    return image, max(faces, key=lambda face: face.quality.size_px, default=None)


class Cut(NamedTuple):
    """`crops` (N, S, S, 3) uint8, and which of them `show` (N,) enough of the face's surroundings to be scored."""

    crops: NDArray[np.uint8]
    show: NDArray[np.bool_]

    def where_shown(self, logits: NDArray[np.float32]) -> NDArray[np.float32]:
        """The logits, NaN where too little of the face lies in the picture."""
        return np.where(self.show, logits, np.float32(np.nan))


def _score_crops(models: Sequence[LoadedModel], cut: dict[CropSpec, Cut], rows: list[dict[str, Any]]) -> None:
    """Adds the logits of single crops to `rows`; models that need time or sound have none."""
    for model in models:
        name = model.card.model_id
        if isinstance(model, FrameModel):
            own = cut[model.card.crop]
            _add(rows, column_of(name), own.where_shown(model.score(own.crops)))
        elif isinstance(model, SpecialistsModel):
            own = cut[model.card.crop]
            cues = {cue: own.where_shown(scores.logits) for cue, scores in model.specialists(own.crops).items()}
            for cue, logits in cues.items():
                _add(rows, column_of(name, cue), logits)
            _add(rows, column_of(name), np.max(list(cues.values()), axis=0))
    for model in models:
        if isinstance(model, EnsembleModel):
            _add(rows, column_of(model.card.model_id), fuse_table(model, pd.DataFrame(rows)))


def _add(rows: list[dict[str, Any]], column: str, logits: Iterable[float]) -> None:
    for row, logit in zip(rows, logits, strict=True):
        row[column] = float(logit) if math.isfinite(logit) else None


def member_columns(members: Sequence[dict[str, Any]]) -> list[str]:
    """The columns of an ensemble's members. A temporal or audio-visual model's only cue is the model's own logit."""
    return [
        column_of(member["model_id"], None if member.get("cue") in ("TM", "AV") else member.get("cue"))
        for member in members
    ]


def member_logits(
    table: pd.DataFrame, members: Sequence[dict[str, Any]]
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """(rows, M) logits of an ensemble's members, NaN where absent, and (rows, M) where they are present."""
    columns = [
        pd.to_numeric(table[name], errors="coerce").to_numpy(float) if name in table else np.full(len(table), np.nan)
        for name in member_columns(members)
    ]
    logits = np.stack(columns, axis=1)
    return logits, np.isfinite(logits)


def fuse_table(model: EnsembleModel, table: pd.DataFrame) -> NDArray[np.float32]:
    """An ensemble's logits of a table of its members' logits; NaN where it has none."""
    return model.fuse(*member_logits(table, model.card.inputs["members"]))[0]
