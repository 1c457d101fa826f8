"""Fit ensembles: from members' logits on validation files to one logit, measured on people left out of each fit."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from pydantic import Field
from safetensors.torch import save_file
from sklearn.model_selection import StratifiedGroupKFold
from torch import nn

from detector.analysis.types import Family
from detector.errors import SettingsError
from detector.models.fusion import METHODS, Fusion, build_fusion
from detector.registry import find_card
from detector.synthesis.catalogue import KINDS
from detector.training.engine.config import Seed, Weight, check_fields, config_sha256, read_yaml
from detector.training.engine.run_log import facts_json
from detector.training.ensemble.families import family_rows, fit_families, read_families
from detector.training.ensemble.generators import balanced_weights, generator_folds, pool_facts
from detector.training.ensemble.rows import fitting_rows
from detector.training.evaluation.families_read import FAMILY
from detector.training.evaluation.predictions import POOL_FACTS, member_columns, member_logits

FOLDS: Final = 5
LEAST_ROWS: Final = 10
_STEPS = 200


@dataclass(frozen=True, slots=True)
class EnsembleConfig:
    """The members and how they are fused. `members`: tables with `model_id` and, for one specialist of several, `cue`
    ("TM" and "AV" name what the model is). A member with cue "AV" may only raise the result. Members of one `group`
    count as one, with their mean; below its middle a member's logit counts `leak` times, 0 to 1. `strength` is the L2
    penalty on what is learned; `hidden` units of the stacker's hidden layer, 0 for none. `synthesised` names
    manipulations that are made of the genuine validation clips and fitted on beside what the manifest holds.

    With `pool` "extended" the fit is on videos alone: those of real generators that are there to train on, and the
    manifest's validation videos; folds leave out generators and genuine sources. A member that was itself fitted to
    that pool names `folds`, a table of its out-of-fold logits in the folder of runs (see `rows.replace_by_folds`).
    `families` are those of manipulation that are told apart by the members' logits; none by default."""

    model_id: str
    title: str
    members: tuple[dict[str, Any], ...]
    method: str = "stacking"
    hidden: Annotated[int, Field(ge=0, le=64)] = 0
    strength: Weight = 0.02
    seed: Seed = 7
    synthesised: tuple[str, ...] = ()
    pool: Literal["", "extended"] = ""
    families: tuple[Family, ...] = ()
    limits: tuple[str, ...] = field(default_factory=tuple)
    licence: str = ""

    @property
    def architecture(self) -> dict[str, Any]:
        """The ensemble, as cards describe it."""
        one_sided = [index for index, member in enumerate(self.members) if member.get("cue") == "AV"]
        table = {"kind": "ensemble", "method": self.method, "members": len(self.members), "one_sided": one_sided}
        names = [member.get("group", member) for member in self.members]
        numbers = [names.index(name) for name in names]
        groups = [sorted(set(numbers)).index(number) for number in numbers]
        leaks = [float(member.get("leak", 1.0)) for member in self.members]
        extra = {
            "leaks": leaks if min(leaks) < 1 else [],
            "groups": groups if len(set(groups)) < len(groups) else [],
            "hidden": self.hidden,
            "families": len(self.families),
        }
        return {**table, **{name: value for name, value in extra.items() if value}}


def load_ensemble_config(path: Path) -> EnsembleConfig:
    """Read and check a YAML file. Raises SettingsError listing every problem at once."""
    values = read_yaml(path)
    members = values.get("members")
    problems = []
    if not isinstance(members, list) or not members or not all(isinstance(one, dict) for one in members):
        problems.append(f"members: expected a list of tables with model_id and cue, found {members!r}")
    else:
        for number, one in enumerate(members):
            said = one.get("model_id"), one.get("folds", ""), one.get("group", "")
            known = set(one) <= {"model_id", "cue", "folds", "group", "leak"}
            leak = one.get("leak", 1.0)
            if not known or not all(isinstance(text, str) for text in said) or not _is_share(leak):
                problems.append(
                    f"members[{number}]: expected model_id and perhaps cue, folds, group, leak; found {one!r}"
                )
    kinds = values.get("synthesised", [])
    if isinstance(kinds, list) and (unknown := [kind for kind in kinds if kind not in KINDS]):
        problems.append(f"synthesised: unknown manipulations {', '.join(map(repr, unknown))}")
    if (method := values.get("method", "stacking")) not in METHODS:
        problems.append(f"method: expected one of {', '.join(map(repr, METHODS))}, found {method!r}")
    families = values.get("families", [])
    if families and isinstance(families, list) and (len(families) < 2 or len(set(map(str, families))) < len(families)):
        problems.append(f"families: expected two or more different ones, found {families!r}")
    if families and values.get("pool") != "extended":
        problems.append("families: only with pool: extended, whose clips name theirs")
    return check_fields(EnsembleConfig, values, path.name, problems=problems)


def _is_share(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1


def fit_fusion(config: EnsembleConfig, table: pd.DataFrame) -> Fusion:
    """Fit on predictions: rows with `label`, `kind`, `split` and the members' logits. Pictures and videos, genuine and
    manipulated, count alike whatever their numbers, and so do synthesised clips; rows of a pool of real generators
    count as `generators.balanced_weights` says.

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
    weights = balanced_weights(table[known]) if config.pool else _cell_weights(table[known])
    options = {key: value for key, value in config.architecture.items() if key != "kind"}
    torch.manual_seed(config.seed)
    fusion = build_fusion(**options)
    _standardise(fusion, logits[known], present[known], labels[known], weights)
    _fit(fusion, logits[known], present[known], labels[known], weights, config.strength)
    if config.families:
        fit_families(fusion, config, table[known])
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
    """Weighted cross-entropy with an L2 penalty on all but the bias, by L-BFGS. The families' layer has its own fit."""
    values = torch.from_numpy(np.where(present, logits, 0.0)).float()
    there, truth = torch.from_numpy(present), torch.from_numpy(labels).float()
    with torch.no_grad():
        usable = torch.isfinite(fusion(values, there))
    share = torch.from_numpy(weights).float()[usable]
    fitted = {name: value for name, value in fusion.named_parameters() if not name.startswith("family.")}
    penalised = [parameter for name, parameter in fitted.items() if name.rpartition(".")[2] != "bias"]
    optimiser = torch.optim.LBFGS(fitted.values(), max_iter=_STEPS, line_search_fn="strong_wolfe", tolerance_grad=1e-7)

    def closure() -> torch.Tensor:
        optimiser.zero_grad()
        logit = fusion(values[usable], there[usable])
        loss = nn.functional.binary_cross_entropy_with_logits(logit, truth[usable], reduction="none")
        total = (loss * share).sum() / share.sum()
        total = total + strength * sum((parameter**2).sum() for parameter in penalised)
        total.backward()
        return total

    optimiser.step(closure)


def cross_validated(config: EnsembleConfig, table: pd.DataFrame, *, folds: int = FOLDS) -> pd.DataFrame:
    """The table with each row's fused `logit` from a fit that saw nobody of its group, and in a pool of real generators
    neither its generator nor its source; NaN where it has no member. Of the same fits the log-probabilities of the
    families, as `read_families` gives them."""
    fused = np.full(len(table), np.nan)
    families = np.full((len(table), len(config.families)), np.nan)
    labels = (table["label"] == "fake").to_numpy()
    for rest, apart in generator_folds(table, folds, config.seed) if config.pool else _folds(config, table, folds):
        if len(set(labels[rest])) == 2:
            fusion = fit_fusion(config, table.iloc[rest])
            fused[apart] = fuse(fusion, config, table.iloc[apart])
            if config.families:
                families[apart] = read_families(fusion, config, table.iloc[apart], fitted=table.iloc[rest])
    names = [f"{FAMILY}{name}" for name in config.families]
    return table.assign(logit=fused, **dict(zip(names, families.T, strict=True)))


def _folds(
    config: EnsembleConfig, table: pd.DataFrame, folds: int
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    cells = table["kind"].str.cat(table["label"], sep="/")
    split = StratifiedGroupKFold(folds, shuffle=True, random_state=config.seed)
    yield from split.split(table, cells, groups=table["group"])


def fuse(fusion: Fusion, config: EnsembleConfig, table: pd.DataFrame) -> NDArray[np.float64]:
    """Fused logits (N,) of the members' columns of a table."""
    logits, present = member_logits(table, list(config.members))
    with torch.inference_mode():
        values = torch.from_numpy(np.where(present, logits, 0.0)).float()
        return fusion(values, torch.from_numpy(present)).double().numpy()


def train_ensemble(config_path: Path, data_root: Path, run_dir: Path, device: str) -> None:
    """The recipe: every member's logits on the validation files, the fit, `run_dir/best.safetensors`, `validation.csv`
    with cross-validated logits, and `run.json`. Beside `run_dir`, shared by all ensembles, `predictions.jsonl` keeps
    the logits, and `clips` the synthesised clips where the config asks for any. Raises SettingsError where there is no
    clip of a family that is to be told apart."""
    config = load_ensemble_config(config_path)
    run_dir.mkdir(parents=True, exist_ok=True)
    table = fitting_rows(config, data_root, run_dir, device)
    if missing := sorted(set(config.families) - set(family_rows(config, table)["family"])):
        raise SettingsError(f"families: no clip to fit on is of {', '.join(missing)}.")
    started_s = time.monotonic()
    fusion = fit_fusion(config, table)
    save_file({key: value.contiguous() for key, value in fusion.state_dict().items()}, run_dir / "best.safetensors")
    crossed = cross_validated(config, table)
    kept = ["file", "kind", "label", "group", "source", "manipulation", "split", "logit"]
    if config.pool:
        kept += [*POOL_FACTS, *dict.fromkeys(member_columns(config.members))]
        kept += [f"{FAMILY}{name}" for name in config.families]
    crossed[kept].to_csv(run_dir / "validation.csv", index=False)
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
        **({"pool": pool_facts(crossed, config.members)} if config.pool else {}),
    }
    (run_dir / "run.json").write_text(facts_json(facts), encoding="utf-8")


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
