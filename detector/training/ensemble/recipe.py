"""Fit ensembles: from members' logits on validation files to one logit, measured on people left out of each fit."""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Final

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from pydantic import Field
from safetensors.torch import save_file
from sklearn.model_selection import StratifiedGroupKFold
from torch import nn

from detector.errors import SettingsError
from detector.models.fusion import METHODS, Fusion, build_fusion
from detector.registry import find_card, load_set
from detector.synthesis.catalogue import KINDS
from detector.synthesis.reconstruction import load_reconstruction_networks
from detector.training.data.pool import labelled_rows
from detector.training.data.synthesised import write_twins
from detector.training.engine.config import Seed, Weight, check_fields, config_sha256, read_yaml
from detector.training.engine.progress import Progress
from detector.training.engine.run_log import facts_json
from detector.training.evaluation.evaluate import splits_of
from detector.training.evaluation.predictions import gather, member_logits

FOLDS: Final = 5
LEAST_ROWS: Final = 10
_STEPS = 200


@dataclass(frozen=True, slots=True)
class EnsembleConfig:
    """The members and how they are fused. `members`: tables with `model_id` and, for one specialist of several, `cue`
    ("TM" and "AV" name what the model is). A member with cue "AV" may only raise the result. `strength` is the L2
    penalty on what is learned; `hidden` units of the stacker's hidden layer, 0 for none. `synthesised` names
    manipulations that are made of the genuine validation clips and fitted on beside what the manifest holds."""

    model_id: str
    title: str
    members: tuple[dict[str, Any], ...]
    method: str = "stacking"
    hidden: Annotated[int, Field(ge=0, le=64)] = 0
    strength: Weight = 0.02
    seed: Seed = 7
    synthesised: tuple[str, ...] = ()
    limits: tuple[str, ...] = field(default_factory=tuple)
    licence: str = ""

    @property
    def architecture(self) -> dict[str, Any]:
        """The ensemble, as cards describe it."""
        one_sided = [index for index, member in enumerate(self.members) if member.get("cue") == "AV"]
        table = {"kind": "ensemble", "method": self.method, "members": len(self.members), "one_sided": one_sided}
        return {**table, "hidden": self.hidden} if self.hidden else table


def load_ensemble_config(path: Path) -> EnsembleConfig:
    """Read and check a YAML file. Raises SettingsError listing every problem at once."""
    values = read_yaml(path)
    members = values.get("members")
    problems = []
    if not isinstance(members, list) or not members or not all(isinstance(one, dict) for one in members):
        problems.append(f"members: expected a list of tables with model_id and cue, found {members!r}")
    else:
        for number, one in enumerate(members):
            if set(one) - {"model_id", "cue"} or not isinstance(one.get("model_id"), str):
                problems.append(f"members[{number}]: expected model_id and perhaps cue, found {one!r}")
    kinds = values.get("synthesised", [])
    if isinstance(kinds, list) and (unknown := [kind for kind in kinds if kind not in KINDS]):
        problems.append(f"synthesised: unknown manipulations {', '.join(map(repr, unknown))}")
    if (method := values.get("method", "stacking")) not in METHODS:
        problems.append(f"method: expected one of {', '.join(map(repr, METHODS))}, found {method!r}")
    return check_fields(EnsembleConfig, values, path.name, problems=problems)


def fit_fusion(config: EnsembleConfig, table: pd.DataFrame) -> Fusion:
    """Fit on predictions: rows with `label`, `kind`, `split` and the members' logits. Pictures and videos, genuine and
    manipulated, count alike whatever their numbers, and so do synthesised clips.

    Raises SettingsError where a row is not of the validation split, or too few have a member's logit.
    """
    if other := sorted(set(table["split"]) - {"val"}):
        raise SettingsError(
            f"{config.model_id}: ensembles are fitted on validation predictions only, found rows of {', '.join(other)}."
        )
    logits, present = member_logits(table, list(config.members))
    known = present.any(axis=1)
    labels = (table["label"] == "fake").to_numpy()
    if min((known & labels).sum(), (known & ~labels).sum()) < LEAST_ROWS:
        raise SettingsError(f"{config.model_id}: fewer than {LEAST_ROWS} scored rows of either label to fit on.")
    weights = _cell_weights(table[known])
    options = {key: value for key, value in config.architecture.items() if key != "kind"}
    torch.manual_seed(config.seed)
    fusion = build_fusion(**options)
    _standardise(fusion, logits[known], present[known], labels[known], weights)
    _fit(fusion, logits[known], present[known], labels[known], weights, config.strength)
    return fusion.eval().requires_grad_(False)


def _cell_weights(table: pd.DataFrame) -> NDArray[np.float64]:
    cells = table["kind"].str.cat(table["label"], sep="/")
    weights = cells.map(1.0 / cells.value_counts()).to_numpy(float)
    return weights / weights.sum()


def _standardise(
    fusion: Fusion,
    logits: NDArray[np.float64],
    present: NDArray[np.bool_],
    labels: NDArray[np.bool_],
    weights: NDArray[np.float64],
) -> None:
    """`centre`: midway between the means of genuine and manipulated rows; `scale`: the spread within the labels."""
    for index in range(logits.shape[1]):
        there = present[:, index]
        means, spreads = [], []
        for label in (False, True):
            chosen = there & (labels == label)
            if not chosen.any():
                continue
            mean = np.average(logits[chosen, index], weights=weights[chosen])
            means.append(mean)
            spreads.append(np.average((logits[chosen, index] - mean) ** 2, weights=weights[chosen]))
        if means:
            fusion.centre[index] = float(np.mean(means))
            fusion.scale[index] = max(1e-3, float(np.sqrt(np.mean(spreads))))


def _fit(
    fusion: Fusion,
    logits: NDArray[np.float64],
    present: NDArray[np.bool_],
    labels: NDArray[np.bool_],
    weights: NDArray[np.float64],
    strength: float,
) -> None:
    """Weighted cross-entropy with an L2 penalty on all but the bias, by L-BFGS."""
    values = torch.from_numpy(np.where(present, logits, 0.0)).float()
    there, truth = torch.from_numpy(present), torch.from_numpy(labels).float()
    with torch.no_grad():
        usable = torch.isfinite(fusion(values, there))
    share = torch.from_numpy(weights).float()[usable]
    penalised = [parameter for name, parameter in fusion.named_parameters() if name.rpartition(".")[2] != "bias"]
    optimiser = torch.optim.LBFGS(
        fusion.parameters(), max_iter=_STEPS, line_search_fn="strong_wolfe", tolerance_grad=1e-7
    )

    def closure() -> torch.Tensor:
        optimiser.zero_grad()
        logit = fusion(values[usable], there[usable])
        loss = nn.functional.binary_cross_entropy_with_logits(logit, truth[usable], reduction="none")
        total = (loss * share).sum() / share.sum()
        total = total + strength * sum((parameter**2).sum() for parameter in penalised)
        total.backward()
        return total

    optimiser.step(closure)


def cross_validated(config: EnsembleConfig, table: pd.DataFrame, *, folds: int = FOLDS) -> NDArray[np.float64]:
    """Each row's fused logit from a fit that saw nobody of its group; NaN where it has no member."""
    fused = np.full(len(table), np.nan)
    labels = (table["label"] == "fake").to_numpy()
    cells = table["kind"].str.cat(table["label"], sep="/")
    split = StratifiedGroupKFold(folds, shuffle=True, random_state=config.seed)
    for rest, apart in split.split(table, cells, groups=table["group"]):
        if len(set(labels[rest])) == 2:
            fused[apart] = fuse(fit_fusion(config, table.iloc[rest]), config, table.iloc[apart])
    return fused


def fuse(fusion: Fusion, config: EnsembleConfig, table: pd.DataFrame) -> NDArray[np.float64]:
    """Fused logits (N,) of the members' columns of a table."""
    logits, present = member_logits(table, list(config.members))
    with torch.inference_mode():
        values = torch.from_numpy(np.where(present, logits, 0.0)).float()
        return fusion(values, torch.from_numpy(present)).double().numpy()


def train_ensemble(config_path: Path, data_root: Path, run_dir: Path, device: str) -> None:
    """The recipe: every member's logits on the validation files, the fit, `run_dir/best.safetensors`, `validation.csv`
    with cross-validated logits, and `run.json`. Beside `run_dir`, shared by all ensembles, `predictions.jsonl` keeps
    the logits, and `clips` the synthesised clips where the config asks for any."""
    config = load_ensemble_config(config_path)
    run_dir.mkdir(parents=True, exist_ok=True)
    table = validation_predictions(config, data_root, run_dir, device)
    started_s = time.monotonic()
    fusion = fit_fusion(config, table)
    save_file({key: value.contiguous() for key, value in fusion.state_dict().items()}, run_dir / "best.safetensors")
    rows = table[["file", "kind", "label", "group", "source", "manipulation", "split"]]
    rows.assign(logit=cross_validated(config, table)).to_csv(run_dir / "validation.csv", index=False)
    counts = table["kind"].str.cat(table["label"], sep="/").value_counts()
    facts = {
        "kind": "ensemble",
        "model_id": config.model_id,
        "title": config.title,
        "config": {"method": config.method, "members": list(config.members), "strength": config.strength},
        "config_sha256": config_sha256(config),
        "members": pinned_members(config),
        "status": "finished",
        "steps": _STEPS,
        "minutes": (time.monotonic() - started_s) / 60,
        "rows": {str(name): int(count) for name, count in counts.items()},
        "folds": FOLDS,
    }
    (run_dir / "run.json").write_text(facts_json(facts), encoding="utf-8")


def validation_predictions(config: EnsembleConfig, data_root: Path, run_dir: Path, device: str) -> pd.DataFrame:
    """The members' logits on videos and labelled pictures of people in every member's validation split, and on clips
    synthesised from theirs (`kind` "synthesised")."""
    models = load_set([member["model_id"] for member in config.members], device)
    table = pd.read_csv(data_root / "manifest.csv", dtype=str).fillna("")
    every = np.stack([splits_of(table, model, models).to_numpy(str) for model in models])
    chosen = (every == "val").all(axis=0) & ((table["kind"] == "video").to_numpy() | labelled_rows(table))
    store = run_dir.parent / "predictions.jsonl"
    rows = [gather(models, table[chosen], data_root, store, on_file=Progress("examining files"))]
    if config.synthesised:
        clips = run_dir.parent / "clips"
        real = table[chosen & ((table["kind"] == "video") & (table["label"] == "real")).to_numpy()]
        networks = load_reconstruction_networks(clips / "repainters")
        name = hashlib.sha256(" ".join(config.synthesised).encode()).hexdigest()[:8]
        twins = write_twins(real, data_root, clips / f"synthesised-{name}", config.synthesised, networks)
        said = gather(models, twins, data_root, store, on_file=Progress("examining twins"))
        rows.append(said.assign(kind="synthesised"))
    return pd.concat(rows, ignore_index=True).assign(split="val")


def pinned_members(config: EnsembleConfig) -> list[dict[str, Any]]:
    """The members with the weights they are fitted to, as a card names them."""
    return [
        {
            "model_id": member["model_id"],
            "cue": member.get("cue"),
            "weights_sha256": find_card(member["model_id"]).weights_sha256,
        }
        for member in config.members
    ]
