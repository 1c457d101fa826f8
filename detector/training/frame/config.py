"""The settings of a frame model's run."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import Field

from detector.training.engine.config import (
    Count,
    FitConfig,
    Share,
    Weight,
    check_fields,
    read_yaml,
    table_sha256,
)
from detector.training.engine.pretrained import start_problem


@dataclass(frozen=True, slots=True)
class FrameConfig:
    """The network, its crops, its samples and its fit.

    `model_id` names the result; `architecture` is the card's table; `input_px`, `margin`, `mean`, `std` fix the crop,
    `least_inside` the share of it that must lie in the picture for a face to be scored.
    A run ends after `steps` optimiser steps, from which `fit.max_epochs` follows, or by `fit`, whichever comes first.
    `init` names openly licensed weights the trunk starts from (`detector.training.engine.pretrained`), "" for none.
    `labelled_share` of each batch are crops with a label but no mask, the rest pseudo-fake pairs, `clip_share` of them
    frames of genuine videos and their twins; `hard_share` of it are replaced by samples of high loss seen before. With
    `fit.mixup_alpha` or `fit.cutmix_alpha` beside `hard_share` or `fit.contrastive_weight`, every second batch on
    average is left unmixed: neither the loss of a mixture nor its features say anything of one sample.
    The first `coarse_shards` of the pool hold coarse fakes; `writers` processes fill it.
    """

    model_id: str
    title: str
    architecture: dict[str, Any]
    fit: FitConfig
    init: str = ""
    input_px: Annotated[int, Field(ge=32, le=1024)] = 144
    margin: Share = 0.12
    mean: tuple[float, float, float] = (0.5, 0.5, 0.5)
    std: tuple[float, float, float] = (0.25, 0.25, 0.25)
    steps: Annotated[int, Field(ge=1, le=10**7)] = 6000
    labelled_share: Share = 0.375
    resynthesis_share: Share = 0.3
    resynthesiser_minutes: Annotated[float, Field(ge=0.01, le=10**4)] = 3.0
    steps_per_epoch: Count = 150
    map_weight: Weight = 3.0
    shard_pairs: Annotated[int, Field(ge=1, le=10**5)] = 640
    shard_labelled: Annotated[int, Field(ge=0, le=10**5)] = 768
    coarse_shards: Annotated[int, Field(ge=0, le=10**5)] = 8
    keep_shards: Annotated[int, Field(ge=1, le=10**5)] = 24
    limits: tuple[str, ...] = field(default_factory=tuple)
    licence: str = ""
    hard_share: Annotated[float, Field(ge=0, le=0.5)] = 0.0
    clip_share: Share = 0.0
    least_inside: Share = 0.0
    writers: Annotated[int, Field(ge=1, le=256)] = 1

    @property
    def sha256(self) -> str:
        """Hash of the settings as version 0.1 took it, which knew no table `fit`: its runs go on under it."""
        table = {**asdict(self), **asdict(self.fit)}
        usual = {item.name: item.default for item in fields(self)} | asdict(_FIT_0_1)
        return table_sha256(
            {key: table[key] for key in table.keys() - {"fit", "max_epochs"} if table[key] != usual[key]}
        )


# The defaults of version 0.1, whose configs had the settings of the fit among the others.
_FIT_0_1: Final = FitConfig(
    patience=20,
    budget_minutes=90.0,
    schedule="cosine",
    warmup_steps=200,
    weight_decay=0.02,
    ema_decay=0.998,
    focal_gamma=0.0,
    label_smoothing=0.05,
    bf16=True,
)


def load_config(path: Path) -> FrameConfig:
    """Read and check a YAML file. Raises SettingsError listing every problem at once."""
    return check_config(read_yaml(path), path.name)


def check_config(values: Mapping[str, Any], name: str = "config") -> FrameConfig:
    """A config from a table, or from the table without `fit` that version 0.1 read. Raises SettingsError as above."""
    problems = []
    flat = ({item.name for item in fields(FitConfig)} - {"max_epochs"}) & values.keys()
    fit = values.get("fit", {**asdict(_FIT_0_1), **{key: values[key] for key in flat}})
    if "fit" in values:
        problems = [f"{key}: belongs into the table fit" for key in sorted(flat)]
        if isinstance(fit, Mapping) and "max_epochs" in fit:
            problems.append("fit.max_epochs: follows from steps and steps_per_epoch, leave it out")
    values = {**{key: value for key, value in values.items() if key not in flat}, "fit": fit}
    if isinstance(side := values.get("input_px", 144), int) and side % 16:
        problems.append(f"input_px: expected a multiple of 16, found {side}")
    table = values.get("architecture")
    if isinstance(table, dict) and "kind" not in table:
        problems.append(f"architecture: expected a table with a kind, found {table!r}")
    config = check_fields(FrameConfig, values, name, problems=[*problems, start_problem(values.get("init", ""))])
    return replace(config, fit=replace(config.fit, max_epochs=math.ceil(config.steps / config.steps_per_epoch)))
