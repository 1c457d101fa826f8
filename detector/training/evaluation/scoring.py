"""One labelled file through models, as the product would run them: a record of what they said, to be kept."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple, TypeVar

import cv2
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from detector.analysis import Analysis, analyze
from detector.analysis.aggregate import deciding_tracks
from detector.analysis.identity import model_digest
from detector.analysis.kinds import kind_of
from detector.analysis.results import AT_THE_EDGE
from detector.analysis.strength import conditions_of
from detector.analysis.types import CueResult, ModelResult
from detector.errors import EvidenceError
from detector.evidence import Evidence, Frame, examine, frame_at, ingest
from detector.faces import CropSpec, DetectedFace, FaceAnalyser, crop_face
from detector.faces.crop import shows_enough
from detector.faces.types import FaceTrack
from detector.registry import FrameModel, LoadedModel, SpecialistsModel, expect
from detector.settings import AnalysisSettings
from detector.training.data.skin_tone import skin_ita_deg
from detector.training.data.video_cut import Columns, cut_columns
from detector.training.evaluation.prediction_store import (
    FORM,
    ClipFacts,
    ClipKey,
    ClipRecord,
    FileLogits,
    Prediction,
    TrackFrames,
)

VIDEO_SETTINGS: Final = AnalysisSettings(max_frames=60)
PICTURE_SETTINGS: Final = AnalysisSettings()
_NO_PICTURE, _NO_FACE = "The picture cannot be read.", "No face was found."
_ONLY_TRACK = 0  # of a picture
Seen = TypeVar("Seen")


class Asked(NamedTuple):
    """A file to be examined: its name in the manifest, where it lies, and the key its record is kept under; `unread`
    where its content could not be hashed, so that the key names the path."""

    file: str
    path: Path
    key: ClipKey
    unread: bool = False


def score_video(asked: Asked, models: Sequence[LoadedModel]) -> ClipRecord:
    """One video, or the columns of it that its key names, through the product's own pipeline. A file that cannot be
    examined has a problem and no prediction."""
    return score_and_look(asked, models, lambda *_: None)[0]


def score_and_look(
    asked: Asked, models: Sequence[LoadedModel], look: Callable[[Evidence, Evidence, Analysis], Seen]
) -> tuple[ClipRecord, Seen | None]:
    """As `score_video`, with what `look` makes of the whole file, of what was analysed of it, and of the analysis while
    both are there to be read; None for a file that cannot be examined."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        try:
            evidence = given = examine(ingest(asked.path, folder))
            if asked.key.cut is not None:
                cut = cut_columns(given.file.path, folder / "cut.mp4", Columns(*asked.key.cut))
                evidence = examine(ingest(cut, folder))
            analysis = analyze(evidence, models, VIDEO_SETTINGS)
            deciding = deciding_tracks(analysis.tracks, analysis.settings, still=evidence.kind == "still")
            facts = _facts(given, evidence, deciding).model_copy(update={"appearance": analysis.appearance})
            seen = look(given, evidence, analysis)
        except EvidenceError as error:
            return unexamined(asked, str(error)), None
    return _record(asked, facts, _predictions(analysis, models, deciding)), seen


def unexamined(asked: Asked, problem: str) -> ClipRecord:
    """The record of a file that could not be examined, for the reason that `problem` gives."""
    return _record(asked, ClipFacts(problem=problem), {})


def _record(asked: Asked, facts: ClipFacts, said: dict[str, Prediction]) -> ClipRecord:
    return ClipRecord(form=FORM, **asked.key._asdict(), file=asked.file, facts=facts, models=said)


def _facts(given: Evidence, evidence: Evidence, deciding: Sequence[FaceTrack]) -> ClipFacts:
    """`given` is the whole file, `evidence` what was analysed of it."""
    whole, seen = conditions_of(given, deciding), conditions_of(evidence, deciding)
    faces = [tracked for track in deciding for tracked in track.faces]
    best = max(faces, key=lambda tracked: (tracked.face.quality.weight, tracked.face.quality.size_px), default=None)
    return ClipFacts(
        size_px=seen["face_px"],
        exposure=seen["exposure"],
        sharpness=_rounded(seen["sharpness"]),
        ita_deg=None if best is None else skin_ita_deg(frame_at(evidence, best.pts).image, best.face),
        short_side_px=seen["short_side_px"],
        bits_per_pixel=_rounded(whole["bits_per_pixel"]),
        codec=whole["codec"],
        sound=seen["sound"],
        tracks={
            track.track_id: TrackFrames(
                pts_s=tuple(round(face.pts_s, 2) for face in track.faces),
                weight=tuple(round(float(face.face.quality.weight), 3) for face in track.faces),
            )
            for track in deciding
        },
    )


def _predictions(
    analysis: Analysis, models: Sequence[LoadedModel], deciding: Sequence[FaceTrack]
) -> dict[str, Prediction]:
    made_by = {model.card.model_id: model_digest(model) for model in models}
    return {
        result.model_id: Prediction(
            made_by=made_by[result.model_id],
            whole=_file_logits(result, deciding),
            cues={cue.cue: _file_logits(cue, deciding) for cue in result.specialists if kind_of(result).cue_scores},
            reason=result.reason,
        )
        for result in analysis.models
    }


def _file_logits(result: ModelResult | CueResult, deciding: Sequence[FaceTrack]) -> FileLogits:
    scores = {score.track_id: score for score in result.tracks}
    own = [(track, scores[track.track_id]) for track in deciding if track.track_id in scores]
    frames = {}
    for track, score in own:
        logits = {frame.pts: frame.logit for frame in score.frames}
        if logits:
            frames[track.track_id] = tuple(_rounded(logits.get(face.pts)) for face in track.faces)
    return FileLogits(logit=result.logit, tracks={track.track_id: score.logit for track, score in own}, frames=frames)


def _rounded(value: float | None) -> float | None:
    """Four significant digits; None where there is no finite value."""
    return None if value is None or not math.isfinite(value) else float(f"{value:.4g}")


def reads_pictures(model: LoadedModel) -> bool:
    """Whether the model scores a single face crop by itself."""
    return isinstance(model, FrameModel | SpecialistsModel)


def score_pictures(
    asked: Sequence[Asked], models: Sequence[LoadedModel], analyser: FaceAnalyser
) -> Iterator[ClipRecord]:
    """The largest face of each picture through every one of the models, which all read single crops. `analyser` has
    `PICTURE_SETTINGS`."""
    specs = dict.fromkeys(model.card.crop for model in models)
    found: list[tuple[Asked, ClipFacts]] = []
    crops: dict[CropSpec, list[NDArray[np.uint8]]] = {spec: [] for spec in specs}
    shown: dict[CropSpec, list[bool]] = {spec: [] for spec in specs}
    for number, one in enumerate(asked):
        image, face = _largest_face(one.path, number, analyser)
        if image is None or face is None:
            yield unexamined(one, _NO_PICTURE if image is None else _NO_FACE)
            continue
        found.append((one, _picture_facts(image, face)))
        for spec in specs:
            crops[spec].append(crop_face(image, face.bbox_xyxy_px, face.landmarks, spec))
            shown[spec].append(shows_enough(face.bbox_xyxy_px, image.shape, spec))
    if not found:
        return
    said: dict[str, list[Prediction]] = {}
    for model in models:
        spec = model.card.crop
        said[model.card.model_id] = list(_crop_predictions(model, np.stack(crops[spec]), shown[spec]))
    for number, (one, facts) in enumerate(found):
        yield _record(one, facts, {model_id: rows[number] for model_id, rows in said.items()})


def _picture_facts(image: NDArray[np.uint8], face: DetectedFace) -> ClipFacts:
    quality = face.quality
    return ClipFacts(
        size_px=quality.size_px,
        exposure=quality.exposure,
        ita_deg=skin_ita_deg(image, face),
        short_side_px=min(image.shape[:2]),
        sound=False,
        tracks={_ONLY_TRACK: TrackFrames(pts_s=(0.0,), weight=(round(float(quality.weight), 3),))},
    )


def _crop_predictions(model: LoadedModel, crops: NDArray[np.uint8], shown: Sequence[bool]) -> Iterator[Prediction]:
    """A prediction a crop (N, S, S, 3); none where too little of the face's surroundings is `shown`."""
    made_by = model_digest(model)
    cues: Mapping[str, NDArray[np.float32]] = {}
    if isinstance(model, SpecialistsModel):
        cues = {cue: scores.logits for cue, scores in model.specialists(crops).items()}
        logits = np.max(list(cues.values()), axis=0)
    else:
        logits = expect(model, FrameModel).score(crops)
    for number, enough in enumerate(shown):
        if not enough:
            yield Prediction(made_by=made_by, reason=AT_THE_EDGE)
            continue
        own = {cue: _picture_logit(values[number]) for cue, values in cues.items()}
        yield Prediction(made_by=made_by, whole=_picture_logit(logits[number]), cues=own)


def _picture_logit(value: np.float32) -> FileLogits:
    logit = float(value)
    return FileLogits(logit=logit, tracks={_ONLY_TRACK: logit}) if math.isfinite(logit) else FileLogits()


def labelled_faces(pictures: pd.DataFrame, data_root: Path) -> Iterator[tuple[NDArray[np.uint8], DetectedFace, bool]]:
    """The largest face of each picture with the picture it lies in and whether it is manipulated; those without one
    are left out."""
    with FaceAnalyser(PICTURE_SETTINGS) as analyser:
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
