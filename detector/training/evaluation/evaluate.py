"""Measure models on files they were not fitted to: every model in one pass of each file, each against its own card."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from detector.errors import SettingsError
from detector.measurement.measures import measure_table, measure_videos
from detector.measurement.pooled import measure_pool
from detector.measurement.results import CUES_ON_VIDEOS, PER_CUE, Measurement, Results, Table
from detector.measurement.thresholds import Thresholds
from detector.registry import FrameModel, LoadedModel, ModelCard, SpecialistsModel, load_set
from detector.training.data.facebank import FaceBank
from detector.training.data.manifest import EXTENDED, read_manifest
from detector.training.data.pool import labelled_rows
from detector.training.evaluation.heldout import fitted_to, knows_groups, split_of
from detector.training.evaluation.pointing import pointing_game
from detector.training.evaluation.predictions import column_of, gather, problem_of
from detector.training.kinds import scores_pictures

TOLERANCE: Final = (
    0.005  # by which a repeated measurement may differ: thread order and library versions move last digits
)
USES: Final = ("all", "validation", "train", "calibration")
CALIBRATION, EXTENDED_TRAIN = "calibration_videos", "extended_train_videos"


@dataclass(frozen=True, slots=True)
class Evaluation:
    """One model's logits on labelled files. `pictures` and `videos`: tables with label, group, split, source,
    manipulation and conditions, and a column of logits a model and cue (see `predictions.column_of`). `pools`: tables
    of videos of the extended pool that the model never saw, by the name they have in a card. `own_data`: the files are
    a laboratory's own, of which the model knows no group: measured whole, and no match for its card."""

    card: ModelCard
    pictures: pd.DataFrame
    videos: pd.DataFrame
    cues: tuple[str, ...] = ()
    pointing: dict[str, Any] | None = None
    steadiness: dict[str, Any] | None = None
    synthesised: Results | None = None
    pools: Mapping[str, pd.DataFrame] = field(default_factory=dict)
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
        """The measured part of a card, of what there are files of. Counts of calls are there where thresholds are
        given."""
        model_id = self.card.model_id
        found: list[Measurement | Table | Results] = []
        if scores_pictures(self.card.kind) and len(self.pictures):
            families = int(self.pictures["group"].nunique())
            logits = _logits(self.pictures, column_of(model_id))
            found.append(measure_table(("held_out_crops",), self.pictures, logits, families=families))
        if len(self.videos) or not self.pools:
            found.append(measure_videos(self._with_reasons(self.videos), self.video_logits(), thresholds))
            found += [row for cue in self.cues for row in self._cue(cue)]
        for name, table in self.pools.items():
            pool = self._with_reasons(table)
            found.append(measure_pool(pool, _logits(pool, column_of(model_id)), thresholds).below(name))
            for cue in self.cues:
                of_cue = measure_pool(pool, _logits(pool, column_of(model_id, cue)), None)
                found.append(of_cue.below(cue).below(PER_CUE).below(name))
        for name, values in (("pointing_game", self.pointing), ("steadiness", self.steadiness)):
            if values is not None:
                found.append(Table.of_values((name,), values))
        if self.synthesised is not None:
            found.append(self.synthesised.below("synthesised_clips"))
        return Results.joined(found)

    def _with_reasons(self, videos: pd.DataFrame) -> pd.DataFrame:
        """The videos, each with the reason why this model in particular has no logit of it."""
        if (why := problem_of(self.card.model_id)) in videos:
            return videos.assign(problem=videos[why].fillna(videos.get("problem")))
        return videos

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
    use: str = "all",
    store: Path | None = None,
    split: str = "test",
    bank: FaceBank | None = None,
    device: str = "auto",
    on_file: Callable[[int, int, str], None] = lambda done, total, file: None,
) -> dict[str, Evaluation]:
    """All videos of `data_root/manifest.csv`, the labelled pictures of `split`, and what a model was not fitted to of
    an extended pool, where there is one (`detector.training.data.manifest`); each file examined once with all models
    and those they build on. With a `bank`, the pointing game too. `store` keeps the logits between calls. `use` is one
    of `USES`: the folder's own manifest alone ("validation"), those rows of the extended pool, or all.

    Where a model knows no group of the manifest, these are a laboratory's own data, which it never saw: every picture
    counts, whatever `split` says.

    Raises SettingsError where a model's list of held-out groups is missing or `use` leaves no file, ModelError as
    `load_set`.
    """
    models = load_set(model_ids, device)
    table = rows_of(use, read_manifest(data_root, extended=use != "validation"))
    extended = (table["pool"] == EXTENDED).to_numpy()
    splits = {model.card.model_id: splits_of(table, model, models) for model in models}
    here = table["group"][~extended]
    own = {model.card.model_id: len(here) > 0 and is_own_data(here, model, models) for model in models}
    labelled, still = labelled_rows(table), (table["kind"] == "image").to_numpy()
    pictures = {
        name: ~extended & (still if own[name] else labelled & (known == split).to_numpy())
        for name, known in splits.items()
    }
    videos = ~still & ~extended
    pools = {model.card.model_id: _unseen_pools(table, splits[model.card.model_id], model, models) for model in models}
    wanted = {
        name: videos | (pictures[name] if scores_pictures(model.kind) else False) | np.any([*pools[name].values()], 0)
        for model in models
        if (name := model.card.model_id)
    }
    asked = np.any([*wanted.values()], 0)
    with tempfile.TemporaryDirectory() as folder:
        kept = store or Path(folder) / "predictions.jsonl"
        rows_wanted = {name: mask[asked] for name, mask in wanted.items()}
        rows = gather(models, table[asked], data_root, kept, wanted=rows_wanted, on_file=on_file)
    evaluations = {}
    for model in models:
        name = model.card.model_id
        known = rows.assign(split=split if own[name] else splits[name][asked].to_numpy())
        pointing = None
        if bank is not None and isinstance(model, FrameModel):
            pointing = pointing_game(model, bank, split=split)
        evaluations[name] = Evaluation(
            model.card,
            known[pictures[name][asked]].reset_index(drop=True),
            known[videos[asked]].reset_index(drop=True),
            tuple(model.channel_names) if isinstance(model, SpecialistsModel) else (),
            pointing,
            pools={part: known[mask[asked]].reset_index(drop=True) for part, mask in pools[name].items() if mask.any()},
            own_data=own[name],
        )
    return evaluations


def rows_of(use: str, table: pd.DataFrame) -> pd.DataFrame:
    """The rows of a manifest that one of `USES` names. Raises SettingsError for another use, or one without rows."""
    extended = table["pool"] == EXTENDED
    chosen = {"all": extended | ~extended, "validation": ~extended}.get(use, extended & (table["use"] == use))
    if use not in USES or not chosen.any():
        raise SettingsError(f"The data folder has no files for {use}; expected one of {', '.join(USES)}.")
    return table[chosen].reset_index(drop=True)


def _unseen_pools(
    table: pd.DataFrame, splits: pd.Series, model: LoadedModel, models: Sequence[LoadedModel]
) -> dict[str, NDArray[np.bool_]]:
    """The rows of each part of the extended pool that the model is measured on, by the part's name in cards: those for
    calibration, and those to train on where no part of the model was fitted to any of them."""
    extended = (table["pool"] == EXTENDED).to_numpy()
    use = {name: extended & (table["use"] == name).to_numpy() for name in ("calibration", "train")}
    seen = fitted_to_extended(model, models)
    return {CALIBRATION: use["calibration"], EXTENDED_TRAIN: use["train"] & (not seen) & (splits == "test").to_numpy()}


def evaluate_model(model_id: str, data_root: Path, **options: Any) -> Evaluation:
    """One model, as `evaluate_models`."""
    return evaluate_models([model_id], data_root, **options)[model_id]


def splits_of(rows: pd.DataFrame, model: LoadedModel, models: Sequence[LoadedModel]) -> pd.Series:
    """`train`, `val` or `test` of each row's group, as the model's run had it (see `heldout.split_of`); for an ensemble
    and for what reads a trunk, "train" where any part saw it in training, "val" where any was chosen on it."""
    parts = sorted(_parts(model, models))
    if not parts:
        raise SettingsError(f"{model.card.model_id}: nothing says which groups it never saw.")
    together = np.stack([split_of(rows, part).to_numpy(str) for part in parts])  # (parts, rows)
    seen, chosen = (together == "train").any(axis=0), (together == "val").any(axis=0)
    return pd.Series(np.where(seen, "train", np.where(chosen, "val", "test")), index=rows.index)


def fitted_to_extended(model: LoadedModel, models: Sequence[LoadedModel]) -> bool:
    """Whether any part of the model, or an ensemble's own fit, had rows of the extended pool to train on."""
    own = EXTENDED in model.card.training.get("pools", ())
    return own or any(fitted_to(part, EXTENDED) for part in _parts(model, models))


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
