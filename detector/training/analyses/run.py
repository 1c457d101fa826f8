"""From a folder of labelled clips to the nine files: what is examined, with which models, and what is written."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import pandas as pd
from pydantic import BaseModel

from detector.analysis.cue_meaning import CUE_MEANINGS
from detector.analysis.kinds import kind_named
from detector.analysis.types import Cue
from detector.errors import EvidenceError, SettingsError
from detector.registry import LoadedModel, SpecialistsModel, load_set
from detector.training.analyses.clips import Asking, examine_clips
from detector.training.analyses.documents import FILE_OF, ClipCounts, DataFacts, ModelAnalysis
from detector.training.analyses.figures import LabelledClip, characteristics, cue_figures
from detector.training.analyses.rules import judge, recommend
from detector.training.analyses.summary import comprehensive, overall, roadmap
from detector.training.data.manifest import read_manifest
from detector.training.evaluation.evaluate import is_own_data, rows_of, splits_of
from detector.training.evaluation.predictions import asked_of

CUES: Final[tuple[Cue, ...]] = ("BG", "CM", "AV", "RR", "LL", "TM")
DEFAULT_MODELS: Final[Mapping[Cue, str]] = {
    "BG": "specialists-lite0",
    "CM": "specialists-lite0",
    "AV": "audiovisual-avff",
    "RR": "specialists-lite0",
    "LL": "specialists-lite0",
    "TM": "transformer-lite0",
}
KEPT: Final = "clips.jsonl"


@dataclass(frozen=True, slots=True)
class Request:
    """`cues` to analyse with the model of each, on the clips of `data_root` that `use` names (as `evaluate`), into
    `out`; what was examined is kept in `kept`, by default `clips.jsonl` there."""

    data_root: Path
    out: Path
    cues: tuple[Cue, ...] = CUES
    models: Mapping[Cue, str] = field(default_factory=lambda: DEFAULT_MODELS)
    use: str = "validation"
    kept: Path | None = None
    device: str = "auto"


def write_analyses(
    request: Request, *, on_file: Callable[[int, int, str], None] = lambda done, total, file: None
) -> list[Path]:
    """Examine what has not been examined, and write a file a cue; with all six cues also the comparison, the summary
    and the roadmap. A file that is there already is replaced as a whole.

    Clips that any of the models was fitted to are left out, unless the folder is a laboratory's own, of which the
    models know nothing. Raises SettingsError for a folder without usable clips or a model that does not read its cue,
    EvidenceError where no clip can be examined, ModelError as `load_set`.
    """
    loaded = load_set(dict.fromkeys(request.models[cue] for cue in request.cues), request.device)
    asking = _asking(request, loaded)
    rows, left_out = _held_out(request, loaded)
    if rows.empty:
        raise SettingsError(
            f"{request.data_root} has no labelled video for {request.use} that the models were not fitted to "
            f"({left_out} were). Add clips of other people to its manifest.csv, with label, kind and group."
        )
    _writable(request.out)
    asked = [asked_of(row, request.data_root) for _, row in rows.iterrows()]
    found = examine_clips(asked, asking, request.kept or request.out / KEPT, on_file=on_file)
    reasons = [one.problem for one in found]
    if all(reasons):
        raise EvidenceError(
            f"None of {len(found)} clips could be examined, so nothing was written. First: {reasons[0]}"
        )
    clips = [
        LabelledClip(one.file, label == "fake", group, one.key.content, seen)
        for one, label, group, seen in zip(asked, rows["label"], rows["group"], found, strict=True)
    ]
    data = _data_facts(request, clips, left_out)
    traits = characteristics(clips)
    by_id = {model.card.model_id: model for model in loaded}
    cards = {cue: by_id[request.models[cue]].card for cue in request.cues}
    analyses = [analysis_of(cue, card.model_id, card.weights_sha256, clips, data) for cue, card in cards.items()]
    documents: dict[str, BaseModel] = {FILE_OF[one.cue]: one for one in analyses}
    if set(request.cues) == set(CUES):
        whole = comprehensive(analyses, clips, traits, data)
        documents |= {
            "comprehensive_model_analysis.json": whole,
            "overall_analysis_summary.json": overall(analyses, whole, traits, data),
            "training_roadmap.json": roadmap(analyses, whole, traits, data),
        }
    return [_write(request.out / name, document) for name, document in documents.items()]


def _asking(request: Request, loaded: Sequence[LoadedModel]) -> list[Asking]:
    """Each model with its cues. Raises SettingsError for one that does not read a cue it is named for."""
    asking = []
    for model in loaded:
        cues = tuple(cue for cue in request.cues if request.models[cue] == model.card.model_id)
        if isinstance(model, SpecialistsModel):
            readable = set(model.channel_names)
        else:
            readable = {str(kind_named(model.kind).cue(model.card))}
        if wrong := [cue for cue in cues if cue not in readable]:
            raise SettingsError(
                f"{model.card.model_id} does not read {', '.join(wrong)}; it reads "
                f"{', '.join(sorted(readable))}. Name another model for it."
            )
        if cues:
            asking.append(Asking(model, cues))
    return asking


def _held_out(request: Request, loaded: Sequence[LoadedModel]) -> tuple[pd.DataFrame, int]:
    """The videos that none of the models was fitted to, and how many were left out."""
    table = rows_of(request.use, read_manifest(request.data_root, extended=request.use != "validation"))
    videos = table[(table["kind"] == "video") & table["label"].isin(("real", "fake"))].reset_index(drop=True)
    if videos.empty:
        raise SettingsError(f"{request.data_root} has no labelled video for {request.use}; expected kind video.")
    named = {request.models[cue] for cue in request.cues}
    seen = pd.Series(False, index=videos.index)
    for model in loaded:
        if model.card.model_id in named and not is_own_data(videos["group"], model, loaded):
            seen |= splits_of(videos, model, loaded) == "train"
    return videos[~seen].reset_index(drop=True), int(seen.sum())


def _data_facts(request: Request, clips: Sequence[LabelledClip], left_out: int) -> DataFacts:
    listed = sorted(f"{clip.content} {'fake' if clip.fake else 'real'}" for clip in clips)
    fakes = sum(clip.fake for clip in clips)
    return DataFacts(
        folder=request.data_root.resolve().name,
        use=request.use,
        clips=ClipCounts(
            real=len(clips) - fakes,
            fake=fakes,
            examined=len(clips),
            left_out=left_out,
            problems={clip.file: clip.found.problem for clip in clips if clip.found.problem is not None},
        ),
        list_sha256=hashlib.sha256("\n".join(listed).encode()).hexdigest(),
    )


def analysis_of(
    cue: Cue, model_id: str, weights_sha256: str, clips: Sequence[LabelledClip], data: DataFacts
) -> ModelAnalysis:
    """The analysis of one cue, from what was examined of the clips."""
    figures = cue_figures(cue, clips)
    scored = characteristics([clip for clip in clips if clip.on(cue).logit is not None])
    return ModelAnalysis(
        cue=cue,
        title=CUE_MEANINGS[cue].title,
        model_id=model_id,
        weights_sha256=weights_sha256,
        data=data,
        scored=figures.scored,
        unscored=figures.unscored,
        accuracy=figures.accuracy,
        bias_points=figures.bias_points,
        called_all=figures.called_all,
        mean_confidence=figures.mean_confidence,
        consistency=figures.consistency,
        priority=judge(figures),
        measurements=figures.measurements,
        channels=figures.channels,
        video_characteristics=scored,
        miscalled=figures.miscalled,
        recommendations=recommend(cue, figures, scored),
    )


def _writable(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SettingsError(f"{folder} cannot be made ({error.strerror}). Name another folder with --out.") from error


def _write(path: Path, document: BaseModel) -> Path:
    partial = path.with_name(path.name + ".partial")
    partial.write_text(document.model_dump_json(indent=2) + "\n", encoding="utf-8")
    os.replace(partial, path)
    return path
