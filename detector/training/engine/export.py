"""The parts that exports share: the card without results, the weights beside it, the models it builds on."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, Protocol

import pandas as pd
import torch
from torch import Tensor, nn

from detector.errors import SettingsError
from detector.faces import CropSpec
from detector.measurement.results import Results
from detector.models import build_network
from detector.registry import ModelCard, Thresholds, find_card, save_weights, weights_dir
from detector.training.data.splits import assign_splits
from detector.training.engine.run_log import FinishedRun, read_run
from detector.training.evaluation.heldout import held_out_path

UNDECIDED: Final = Thresholds(1e3, -1e3, "not measured: every file is inconclusive")
SPLIT: Final = "by person, source clip or family; 20 % of groups kept for testing, 10 % for validation"


class Named(Protocol):
    """The settings of any kind that a card repeats."""

    @property
    def model_id(self) -> str:
        """The id of the model to export."""

    @property
    def title(self) -> str:
        """Its title, for people."""

    @property
    def architecture(self) -> dict[str, Any]:
        """Its network, as cards describe it."""

    @property
    def limits(self) -> tuple[str, ...]:
        """Its limits, a sentence each."""

    @property
    def licence(self) -> str:
        """The terms of its weights."""


def run_of(model_id: str, sha256: str, run_dir: Path, history: str) -> FinishedRun:
    """The run in `run_dir`. Raises SettingsError where a config of another hash made it and no `history` says why."""
    run = read_run(run_dir)
    if run.config_sha256 != sha256 and not history:
        raise SettingsError(
            f"{model_id}: the run was made with another config than the one given. Where settings were changed while "
            "it went on, say which with --history."
        )
    return run


def origin(run: FinishedRun, history: str) -> dict[str, Any]:
    """The run's part of a card's `training`."""
    return {"config_sha256": run.config_sha256, **({"history": history} if history else {})}


def draft_card(
    config: Named,
    kind: str,
    crop: CropSpec,
    training: dict[str, Any],
    *,
    architecture: dict[str, Any] | None = None,
    inputs: dict[str, Any] | None = None,
    thresholds: Thresholds = UNDECIDED,
    results: Results | None = None,
) -> ModelCard:
    """A card without weights; `architecture` is the config's unless another one came of it."""
    return ModelCard(
        model_id=config.model_id,
        title=config.title,
        kind=kind,
        architecture=architecture or config.architecture,
        crop=crop,
        weights_file=f"{config.model_id}.safetensors",
        weights_sha256="",
        parameters=0,
        thresholds=thresholds,
        training=training,
        results=results or Results(),
        limits=config.limits,
        licence=config.licence,
        inputs=inputs or {},
    )


def ship(card: ModelCard, weights: dict[str, Tensor], out: Path, *, dtype: torch.dtype = torch.float16) -> ModelCard:
    """Write weights and card into `out`; returns the card with their hash. The weights must fit the architecture."""
    network: nn.Module = build_network(card.architecture)
    network.load_state_dict(weights)
    shipped = replace(
        card,
        weights_sha256=save_weights(network, out / card.weights_file, dtype=dtype),
        parameters=sum(parameter.numel() for parameter in network.parameters()),
    )
    shipped.write(out / f"{card.model_id}.card.json")
    return shipped


def bring(model_ids: Sequence[str], out: Path) -> None:
    """Put models that another builds on beside it, with all they build on themselves."""
    source = weights_dir().resolve()
    if source == out.resolve():
        return
    for model_id in model_ids:
        card = find_card(model_id)
        bring([trunk] if (trunk := card.inputs.get("trunk")) else [], out)
        files = [source / f"{model_id}.card.json", source / card.weights_file, held_out_path(source, model_id)]
        for path in files:
            if path.is_file():
                shutil.copy2(path, out / path.name)


def split_manifest(data_root: Path) -> pd.DataFrame:
    """The manifest with the split of each file."""
    table = pd.read_csv(data_root / "manifest.csv", dtype=str).fillna("")
    return table.assign(split=assign_splits(table))
