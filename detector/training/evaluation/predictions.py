"""Models' logits on labelled files, one row a file: gathered once, measured and fitted from as often as wanted.

Every model runs once on each file, whenever it is first asked for; what was said before is read from a store
(`detector.training.evaluation.prediction_store`), so that an interrupted gathering goes on where it stopped and a model
that is added runs alone. Ensembles never run: their logits are fused from those of their members.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from detector.analysis.identity import model_digest
from detector.analysis.kinds.ensemble import NO_MEMBER
from detector.analysis.results import NO_FACE
from detector.errors import FramewitnessError, describe_fault
from detector.faces import FaceAnalyser
from detector.registry import EnsembleModel, LoadedModel, SpecialistsModel, file_sha256
from detector.training.data.video_cut import Columns
from detector.training.evaluation.prediction_store import (
    ClipFacts,
    ClipKey,
    ClipRecord,
    FileLogits,
    Prediction,
    PredictionStore,
)
from detector.training.evaluation.scoring import (
    PICTURE_SETTINGS,
    VIDEO_SETTINGS,
    Asked,
    reads_pictures,
    score_pictures,
    score_video,
    unexamined,
)

FACTS: Final = ("file", "kind", "label", "group", "source", "manipulation")
POOL_FACTS: Final = ("pool", "use", "family", "generator", "crop_x0", "crop_x1")
"""Columns of a manifest that are kept beside the facts where they are there."""
_MEASURED: Final = (
    "problem", "size_px", "exposure", "sharpness", "ita_deg", "short_side_px", "bits_per_pixel", "codec", "sound",
    "frames_scored", "appearance",
)  # fmt: skip
_PICTURES_AT_ONCE = 32

Wanted = Mapping[str, NDArray[np.bool_]]


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
    wanted: Wanted | None = None,
    on_file: Callable[[int, int, str], None] = lambda done, total, file: None,
) -> pd.DataFrame:
    """A row of logits for each of `files` (columns of `FACTS`; `POOL_FACTS` where there are any), kept in `store` (JSON
    lines) and read from there where the same weights and settings made them of the same content, whatever the file is
    called. `wanted` says by model which rows it is asked for, all where it does not name the model.

    Adds `sha256` of the file (None where it cannot be read), `size_px`, `exposure`, `sharpness`, `ita_deg` of the face
    that was scored, `short_side_px`, `bits_per_pixel`, `codec`, `sound`, `frames_scored` of the clip, `problem`, why
    nothing could be examined, and `problem_of` each model without a logit. A file that cannot be examined has no logit,
    never a made-up one; nor has a video at which the program stumbles, which is examined again the next time. With
    `crop_x0` and `crop_x1`, the clip is those columns of the file. Raises SettingsError for columns that are none.
    """
    asked = [asked_of(row, data_root) for _, row in files.iterrows()]
    stills = [kind == "image" for kind in files["kind"]]
    rows = _rows_asked(models, len(asked), wanted or {})
    known = _Known(PredictionStore(store), models)
    known.complete(asked, stills, rows, on_file)
    facts = files[[*FACTS, *(name for name in POOL_FACTS if name in files)]].reset_index(drop=True)
    facts["sha256"] = [None if one.unread else one.key.content for one in asked]
    measured = [[getattr(known.facts(one.key), name) for name in _MEASURED] for one in asked]
    said: dict[str, Any] = {}
    for model in sorted(models, key=lambda one: isinstance(one, EnsembleModel)):
        keys = [one.key if here else None for one, here in zip(asked, rows[_id(model)], strict=True)]
        columns = known.fused(model, keys) if isinstance(model, EnsembleModel) else known.columns(model, keys)
        said |= columns
    return pd.concat(
        [facts, pd.DataFrame(measured, columns=list(_MEASURED)), pd.DataFrame(said, index=facts.index)], axis=1
    )


def _id(model: LoadedModel) -> str:
    return model.card.model_id


def asked_of(row: pd.Series, data_root: Path) -> Asked:
    """The clip that a row of a manifest asks for. Raises SettingsError for columns that are none."""
    path = data_root / row["file"]
    settings = PICTURE_SETTINGS if row["kind"] == "image" else VIDEO_SETTINGS
    cut = Columns.read(str(row.get("crop_x0", "")), str(row.get("crop_x1", "")))
    content = _content(path)
    return Asked(
        row["file"], path, ClipKey(content or str(path), cut and (cut.x0, cut.x1), settings.sha256), content is None
    )


def _content(path: Path) -> str | None:
    """SHA-256 of a file, None where it cannot be read; why not is found out when it is examined."""
    try:
        return file_sha256(path) if path.is_file() else None
    except OSError:
        return None


def _rows_asked(models: Sequence[LoadedModel], count: int, wanted: Wanted) -> dict[str, NDArray[np.bool_]]:
    """The rows of each model: those it is wanted for, and those of the ensembles that it is a member of."""
    rows = {_id(model): wanted.get(_id(model), np.ones(count, bool)) for model in models}
    for model in models:
        for member in model.card.inputs.get("members", ()):
            if (name := str(member["model_id"])) in rows:
                rows[name] = rows[name] | rows[_id(model)]
    return rows


class _Known:
    """What is kept of these models, and the means to learn the rest."""

    def __init__(self, kept: PredictionStore, models: Sequence[LoadedModel]) -> None:
        self._kept = kept
        self._single = [model for model in models if not isinstance(model, EnsembleModel)]
        self._made_by = {_id(model): model_digest(model) for model in self._single}

    def facts(self, key: ClipKey) -> ClipFacts:
        return self._kept.facts(key) or ClipFacts()

    def complete(
        self,
        asked: Sequence[Asked],
        stills: Sequence[bool],
        rows: Wanted,
        on_file: Callable[[int, int, str], None],
    ) -> None:
        """Ask every model what it was not asked before; rows of the same content are one clip."""
        clips: dict[ClipKey, tuple[Asked, bool, dict[str, LoadedModel]]] = {}
        for number, (one, still) in enumerate(zip(asked, stills, strict=True)):
            own = clips.setdefault(one.key, (one, still, {}))[2]
            own |= {_id(model): model for model in self._single if rows[_id(model)][number]}
        work = [(one, still, new) for one, still, own in clips.values() if (new := self._new(one.key, own, still))]
        for done, (record, lasting) in enumerate(_records(work), 1):
            self._kept.add(record, lasting=lasting)
            on_file(done, len(work), record.file)
        for one, still, own in clips.values():
            # Where faces were found otherwise than before, what was said before is void: once more.
            void = not still and self._kept.problem(one.key) is None
            if void and (lost := self._new(one.key, own, still)):
                self._kept.add(score_video(one, lost))

    def _new(self, key: ClipKey, models: Mapping[str, LoadedModel], still: bool) -> list[LoadedModel]:
        """The models that can say something of the clip and have not."""
        if self.facts(key).problem is not None:
            return []
        able = [model for model in models.values() if reads_pictures(model) or not still]
        return [model for model in able if self._said(key, _id(model)) is None]

    def _said(self, key: ClipKey | None, model_id: str) -> Prediction | None:
        return None if key is None else self._kept.prediction(key, model_id, self._made_by[model_id])

    def columns(self, model: LoadedModel, keys: Sequence[ClipKey | None]) -> dict[str, Any]:
        """A model's columns: its logits, those of its cues, and why there are none."""
        said = [self._said(key, _id(model)) for key in keys]
        columns: dict[str, Any] = {column_of(_id(model)): _floats(one.whole if one else None for one in said)}
        for cue in model.channel_names if isinstance(model, SpecialistsModel) else ():
            columns[column_of(_id(model), cue)] = _floats(one.cues.get(cue) if one else None for one in said)
        columns[problem_of(_id(model))] = [
            one.reason if one else key and self._kept.problem(key) for one, key in zip(said, keys, strict=True)
        ]
        return columns

    def fused(self, model: EnsembleModel, keys: Sequence[ClipKey | None]) -> dict[str, Any]:
        """An ensemble's columns, fused as the pipeline does (`detector.analysis.kinds.ensemble`): a logit a deciding
        track from those of the members there, and of the file that of the worst track."""
        members = model.card.inputs["members"]
        owners: list[int] = []
        table: list[list[float]] = []
        for number, key in enumerate(keys):
            if key is not None:
                said = [self._member_tracks(key, member) for member in members]
                tracks = self.facts(key).tracks
                owners += [number] * len(tracks)
                table += [[own.get(track, np.nan) for own in said] for track in tracks]
        worst = np.full(len(keys), -np.inf)
        if table:
            logits = np.array(table)
            fused = model.fuse(logits, np.isfinite(logits))[0].astype(float)
            np.maximum.at(worst, owners, np.where(np.isfinite(fused), fused, -np.inf))
        known = np.isfinite(worst)
        reasons = [None if done or key is None else self._why_none(key) for done, key in zip(known, keys, strict=True)]
        return {column_of(_id(model)): np.where(known, worst, np.nan), problem_of(_id(model)): reasons}

    def _why_none(self, key: ClipKey) -> str:
        facts = self.facts(key)
        return facts.problem or (NO_MEMBER if facts.tracks else NO_FACE)

    def _member_tracks(self, key: ClipKey, member: Mapping[str, Any]) -> Mapping[int, float]:
        """The logits of a member by deciding track; none where it has none."""
        said, cue = self._said(key, str(member["model_id"])), own_cue(member)
        if said is None:
            return {}
        return said.whole.tracks if cue is None else said.cues.get(cue, FileLogits()).tracks


def _records(work: Sequence[tuple[Asked, bool, list[LoadedModel]]]) -> Iterator[tuple[ClipRecord, bool]]:
    """Each with whether it lasts."""
    for one, still, models in work:
        if not still:
            yield _video_record(one, models)
    pictures = [(one, models) for one, still, models in work if still]
    if not pictures:
        return
    with FaceAnalyser(PICTURE_SETTINGS) as analyser:
        for start in range(0, len(pictures), _PICTURES_AT_ONCE):
            batch = pictures[start : start + _PICTURES_AT_ONCE]
            together = {_id(model): model for _, models in batch for model in models}
            for record in score_pictures([one for one, _ in batch], list(together.values()), analyser):
                yield record, True


def _video_record(one: Asked, models: Sequence[LoadedModel]) -> tuple[ClipRecord, bool]:
    """A fault of the program at one file does not stop the next, and is not held against the file for good."""
    try:
        return score_video(one, models), True
    except (FramewitnessError, OSError):
        raise
    except Exception as error:
        return unexamined(one, describe_fault(error)), False


def _floats(logits: Iterable[FileLogits | None]) -> NDArray[np.float64]:
    return np.array([np.nan if one is None or one.logit is None else one.logit for one in logits], float)


def own_cue(member: Mapping[str, Any]) -> str | None:
    """The cue of a member that is one of several specialists of its model; a temporal or audio-visual model's only cue
    is the model's own logit."""
    cue = member.get("cue")
    return None if cue in ("TM", "AV") else cue


def member_columns(members: Sequence[Mapping[str, Any]]) -> list[str]:
    """The columns of an ensemble's members."""
    return [column_of(member["model_id"], own_cue(member)) for member in members]


def member_logits(
    table: pd.DataFrame, members: Sequence[Mapping[str, Any]]
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """(rows, M) logits of an ensemble's members, NaN where absent, and (rows, M) where they are present."""
    columns = [
        pd.to_numeric(table[name], errors="coerce").to_numpy(float) if name in table else np.full(len(table), np.nan)
        for name in member_columns(members)
    ]
    logits = np.stack(columns, axis=1)
    return logits, np.isfinite(logits)
