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
from detector.registry import FrameModel, LoadedModel, ModelCard, SpecialistsModel, Thresholds, load_set
from detector.training.data.facebank import FaceBank
from detector.training.data.pool import labelled_rows
from detector.training.evaluation.heldout import split_of
from detector.training.evaluation.pointing import pointing_game
from detector.training.evaluation.predictions import column_of, gather

READS_CROPS: Final = ("frame", "specialists", "ensemble")
TOLERANCE: Final = (
    0.005  # by which a repeated measurement may differ: thread order and library versions move last digits
)


@dataclass(frozen=True, slots=True)
class Evaluation:
    """One model's logits on labelled files. `pictures` and `videos`: tables with label, group, split, source,
    manipulation and conditions, and a column of logits a model and cue (see `predictions.column_of`)."""

    card: ModelCard
    pictures: pd.DataFrame
    videos: pd.DataFrame
    cues: tuple[str, ...] = ()
    pointing: dict[str, Any] | None = None
    steadiness: dict[str, Any] | None = None
    synthesised: dict[str, Any] | None = None

    def video_logits(self, cue: str | None = None) -> NDArray[np.float64]:
        return _logits(self.videos, column_of(self.card.model_id, cue))

    def clips(self) -> list[dict[str, Any]]:
        """Every video: file, label, split, logit (None where there is none)."""
        logits = self.video_logits()
        facts = (self.videos[name].astype(str) for name in ("file", "label", "split"))
        return [
            {"file": file, "label": label, "split": split, "logit": float(logit) if math.isfinite(logit) else None}
            for file, label, split, logit in zip(*facts, logits, strict=True)
        ]

    def results(self, decision: Thresholds | None = None) -> dict[str, Any]:
        """The measured part of a card. Counts of calls are there where thresholds are given."""
        found: dict[str, Any] = {}
        if self.card.kind in READS_CROPS and len(self.pictures):
            logits = _logits(self.pictures, column_of(self.card.model_id))
            measured = measure_table(self.pictures, logits)
            found["held_out_crops"] = {**measured, "families": int(self.pictures["group"].nunique())}
        found["videos"] = measure_videos(self.videos, self.video_logits(), decision)
        if self.cues:
            found["cues_on_whole_manipulations"] = {cue: self._cue(cue) for cue in self.cues}
        if self.pointing is not None:
            found["pointing_game"] = self.pointing
        if self.steadiness is not None:
            found["steadiness"] = self.steadiness
        if self.synthesised is not None:
            found["synthesised_clips"] = self.synthesised
        return found

    def _cue(self, cue: str) -> dict[str, Any]:
        """A specialist on whole manipulations, of which its own cue is at most a part."""
        crops = measure_table(self.pictures, _logits(self.pictures, column_of(self.card.model_id, cue)))
        held_out = self.videos[(self.videos["label"] == "fake") | (self.videos["split"] != "train")]
        videos = measure_table(held_out, _logits(held_out, column_of(self.card.model_id, cue)))
        return {"held_out_crops": crops, "videos": videos}


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

    Raises SettingsError where a model's list of held-out groups is missing, ModelError as `load_set`.
    """
    models = load_set(model_ids, device)
    table = pd.read_csv(data_root / "manifest.csv", dtype=str).fillna("")
    splits = {model.card.model_id: splits_of(table["group"], model, models) for model in models}
    wanted = (table["kind"] == "video").to_numpy()
    for model in models:
        if model.kind in READS_CROPS:
            own = (splits[model.card.model_id] == split).to_numpy()
            wanted = wanted | (labelled_rows(table) & own)
    with tempfile.TemporaryDirectory() as folder:
        kept = store or Path(folder) / "predictions.jsonl"
        rows = gather(models, table[wanted], data_root, kept, on_file=on_file)
    evaluations = {}
    for model in models:
        known = rows.assign(split=splits[model.card.model_id][wanted].to_numpy())
        video = known["kind"] == "video"
        pointing = None
        if bank is not None and isinstance(model, FrameModel):
            pointing = pointing_game(model, bank, split=split)
        evaluations[model.card.model_id] = Evaluation(
            model.card,
            known[~video & (known["split"] == split)].reset_index(drop=True),
            known[video].reset_index(drop=True),
            tuple(model.channel_names) if isinstance(model, SpecialistsModel) else (),
            pointing,
        )
    return evaluations


def evaluate_model(model_id: str, data_root: Path, **options: Any) -> Evaluation:
    """One model, as `evaluate_models`."""
    return evaluate_models([model_id], data_root, **options)[model_id]


def splits_of(groups: pd.Series, model: LoadedModel, models: Sequence[LoadedModel]) -> pd.Series:
    """`train`, `val` or `test` of each group, as the model's run had it; for an ensemble and for what reads a trunk,
    "train" where any part saw it in training, "val" where any was chosen on it."""
    parts = [model.card.model_id] if model.kind != "ensemble" else []
    if model.trunk is not None:
        parts.append(model.trunk.card.model_id)
    members = {str(member["model_id"]) for member in model.card.inputs.get("members", ())}
    every = [split_of(groups, part) for part in parts]
    every += [splits_of(groups, one, models) for one in models if one.card.model_id in members]
    if not every:
        raise SettingsError(f"{model.card.model_id}: nothing says which groups it never saw.")
    together = np.stack([split.to_numpy(str) for split in every])  # (parts, groups)
    seen, chosen = (together == "train").any(axis=0), (together == "val").any(axis=0)
    return pd.Series(np.where(seen, "train", np.where(chosen, "val", "test")), index=groups.index)


def differences(card: dict[str, Any], measured: dict[str, Any], place: str = "") -> list[str]:
    """Where measured numbers are not those of a card, one line each; what only one of them has is not compared, nor are
    times (`*_cost`), which are the machine's."""
    lines = []
    for key in card.keys() & measured.keys():
        if key.endswith("_cost"):
            continue
        said, found, where = card[key], measured[key], f"{place}{key}"
        if isinstance(said, dict) and isinstance(found, dict):
            lines += differences(said, found, f"{where}.")
        elif _differ(said, found):
            lines.append(f"{where}: card {said}, measured {found}")
    return sorted(lines)


def _differ(said: Any, found: Any) -> bool:
    if isinstance(said, list) and isinstance(found, list):
        return len(said) != len(found) or any(_differ(a, b) for a, b in zip(said, found, strict=True))
    numbers = isinstance(said, int | float) and isinstance(found, int | float)
    if numbers and not isinstance(said, bool):
        return abs(said - found) > TOLERANCE
    return isinstance(said, int | float | bool) and said != found


def _logits(table: pd.DataFrame, column: str) -> NDArray[np.float64]:
    return table[column].to_numpy(float) if column in table else np.full(len(table), np.nan)
