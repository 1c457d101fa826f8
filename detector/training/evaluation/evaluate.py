"""Measure models on files they were not fitted to: every model in one pass of each file, each against its own card."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from detector.errors import SettingsError
from detector.measurement.measures import measure_table, measure_videos
from detector.measurement.results import CUES_ON_VIDEOS, Measurement, Results, Table
from detector.measurement.thresholds import Thresholds
from detector.registry import FrameModel, LoadedModel, ModelCard, SpecialistsModel, load_set
from detector.training.data.facebank import FaceBank
from detector.training.data.pool import labelled_rows
from detector.training.evaluation.heldout import knows_groups, split_of
from detector.training.evaluation.pointing import pointing_game
from detector.training.evaluation.predictions import column_of, gather, problem_of
from detector.training.kinds import scores_pictures

TOLERANCE: Final = (
    0.005  # by which a repeated measurement may differ: thread order and library versions move last digits
)


@dataclass(frozen=True, slots=True)
class Evaluation:
    """One model's logits on labelled files. `pictures` and `videos`: tables with label, group, split, source,
    manipulation and conditions, and a column of logits a model and cue (see `predictions.column_of`). `own_data`: they
    are a laboratory's own, of which the model knows no group: measured whole, and no match for its card."""

    card: ModelCard
    pictures: pd.DataFrame
    videos: pd.DataFrame
    cues: tuple[str, ...] = ()
    pointing: dict[str, Any] | None = None
    steadiness: dict[str, Any] | None = None
    synthesised: Results | None = None
    own_data: bool = False

    def video_logits(self, cue: str | None = None) -> NDArray[np.float64]:
        """Logits of the videos, of one cue or of the model as a whole, NaN where there is none."""
        return _logits(self.videos, column_of(self.card.model_id, cue))

    def clips(self) -> list[dict[str, Any]]:
        """Every video: file, label, split, logit (None where there is none)."""
        logits = self.video_logits()
        facts = (self.videos[name].astype(str) for name in ("file", "label", "split"))
        return [
            {"file": file, "label": label, "split": split, "logit": float(logit) if math.isfinite(logit) else None}
            for file, label, split, logit in zip(*facts, logits, strict=True)
        ]

    def results(self, thresholds: Thresholds | None = None) -> Results:
        """The measured part of a card. Counts of calls are there where thresholds are given."""
        model_id = self.card.model_id
        found: list[Measurement | Table | Results] = []
        if scores_pictures(self.card.kind) and len(self.pictures):
            families = int(self.pictures["group"].nunique())
            logits = _logits(self.pictures, column_of(model_id))
            found.append(measure_table(("held_out_crops",), self.pictures, logits, families=families))
        videos = self.videos
        if (why := problem_of(model_id)) in videos:
            videos = videos.assign(problem=videos[why].fillna(videos.get("problem")))
        found.append(measure_videos(videos, self.video_logits(), thresholds))
        found += [row for cue in self.cues for row in self._cue(cue)]
        for name, values in (("pointing_game", self.pointing), ("steadiness", self.steadiness)):
            if values is not None:
                found.append(Table.of_values((name,), values))
        if self.synthesised is not None:
            found.append(self.synthesised.below("synthesised_clips"))
        return Results.joined(found)

    def _cue(self, cue: str) -> tuple[Measurement, Measurement]:
        """A specialist on whole manipulations, of which its own cue is at most a part."""
        held_out = self.videos[(self.videos["label"] == "fake") | (self.videos["split"] != "train")]
        crops, videos = (
            measure_table((CUES_ON_VIDEOS, cue, name), table, _logits(table, column_of(self.card.model_id, cue)))
            for name, table in (("held_out_crops", self.pictures), ("videos", held_out))
        )
        return crops, videos


def evaluate_models(
    model_ids: Sequence[str],
    data_root: Path,
    *,
    store: Path | None = None,
    split: str = "test",
    bank: FaceBank | None = None,
    device: str = "auto",
    on_file: Callable[[int, int, str], None] = lambda done, total, file: None,
) -> dict[str, Evaluation]:
    """All videos of `data_root/manifest.csv` and the labelled pictures of `split`, each file examined once with all
    models and those they build on; with a `bank`, the pointing game too. `store` keeps the logits between calls.

    Where a model knows no group of the manifest, these are a laboratory's own data, which it never saw: every picture
    counts, whatever `split` says.

    Raises SettingsError where a model's list of held-out groups is missing, ModelError as `load_set`.
    """
    models = load_set(model_ids, device)
    table = pd.read_csv(data_root / "manifest.csv", dtype=str).fillna("")
    splits = {model.card.model_id: splits_of(table["group"], model, models) for model in models}
    own = {model.card.model_id: is_own_data(table["group"], model, models) for model in models}
    pictures = {
        name: (table["kind"] == "image").to_numpy() if own[name] else labelled_rows(table) & (known == split).to_numpy()
        for name, known in splits.items()
    }
    wanted = (table["kind"] == "video").to_numpy()
    for model in models:
        if scores_pictures(model.kind):
            wanted = wanted | pictures[model.card.model_id]
    with tempfile.TemporaryDirectory() as folder:
        kept = store or Path(folder) / "predictions.jsonl"
        rows = gather(models, table[wanted], data_root, kept, on_file=on_file)
    evaluations = {}
    for model in models:
        name = model.card.model_id
        known = rows.assign(split=split if own[name] else splits[name][wanted].to_numpy())
        video = known["kind"] == "video"
        pointing = None
        if bank is not None and isinstance(model, FrameModel):
            pointing = pointing_game(model, bank, split=split)
        evaluations[name] = Evaluation(
            model.card,
            known[pictures[name][wanted]].reset_index(drop=True),
            known[video].reset_index(drop=True),
            tuple(model.channel_names) if isinstance(model, SpecialistsModel) else (),
            pointing,
            own_data=own[name],
        )
    return evaluations


def evaluate_model(model_id: str, data_root: Path, **options: Any) -> Evaluation:
    """One model, as `evaluate_models`."""
    return evaluate_models([model_id], data_root, **options)[model_id]


def splits_of(groups: pd.Series, model: LoadedModel, models: Sequence[LoadedModel]) -> pd.Series:
    """`train`, `val` or `test` of each group, as the model's run had it; for an ensemble and for what reads a trunk,
    "train" where any part saw it in training, "val" where any was chosen on it."""
    parts = sorted(_parts(model, models))
    if not parts:
        raise SettingsError(f"{model.card.model_id}: nothing says which groups it never saw.")
    together = np.stack([split_of(groups, part).to_numpy(str) for part in parts])  # (parts, groups)
    seen, chosen = (together == "train").any(axis=0), (together == "val").any(axis=0)
    return pd.Series(np.where(seen, "train", np.where(chosen, "val", "test")), index=groups.index)


def is_own_data(groups: pd.Series, model: LoadedModel, models: Sequence[LoadedModel]) -> bool:
    """Whether these are a laboratory's own data: no part of the model knows any of the groups."""
    return not any(knows_groups(groups, part) for part in _parts(model, models))


def _parts(model: LoadedModel, models: Sequence[LoadedModel]) -> set[str]:
    """The models with a list of held-out groups that this one is made of, or itself."""
    parts = set() if model.needs_members else {model.card.model_id}
    if model.trunk is not None:
        parts.add(model.trunk.card.model_id)
    members = {str(member["model_id"]) for member in model.card.inputs.get("members", ())}
    return parts.union(*(_parts(one, models) for one in models if one.card.model_id in members))


def differences(card: Results, measured: Results) -> list[str]:
    """Differences of measured numbers from a card's, one line each; what only one of them has is not compared, nor are
    times (`*_cost`), which are the machine's."""
    said, found = card.numbers(), measured.numbers()
    return [
        f"{name}: card {said[name]}, measured {found[name]}"
        for name in sorted(said.keys() & found.keys())
        if not name.endswith("_cost") and abs(said[name] - found[name]) > TOLERANCE
    ]


def _logits(table: pd.DataFrame, column: str) -> NDArray[np.float64]:
    return table[column].to_numpy(float) if column in table else np.full(len(table), np.nan)
