"""The settings of a run on residual patches."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import Field

from detector.analysis.types import Family
from detector.training.data.left_out import FoldConfig
from detector.training.engine.config import Count, FitConfig, Seed, Share, check_fields, read_yaml

FAMILIES: Final[tuple[Family, ...]] = ("swap", "animation", "whole")
"""Those that are fitted: lip-sync leaves the skin that is looked at to the camera."""


@dataclass(frozen=True)
class SpoilConfig:
    """Chances of what happens to a patch on its way to the viewer, the same for both labels: `tone`, `scale` and
    `noise` each by itself, then at most one of three ways to compress."""

    tone: Share = 0.3
    scale: Share = 0.2
    noise: Share = 0.15
    h264: Share = 0.5
    h265: Share = 0.05
    jpeg: Share = 0.15


@dataclass(frozen=True)
class ResidualConfig:
    """One network a seed, fitted one after another to every clip and shipped as one model; what that is worth is
    measured by one network a fold (of the first seed), which never saw the generators and sources left out.

    Each is fitted for `steps` optimiser steps, from which `fit.max_epochs` follows; the averaged weights of the last
    are kept, so that nothing is chosen on what is measured. Clips are drawn by `balance` (inverse regularisation of the
    overlap weights) and `source_power` (1: every clip alike, 0: every source alike).
    """

    model_id: str
    title: str
    folds: tuple[FoldConfig, ...]
    fit: FitConfig
    seeds: tuple[Seed, ...] = (7,)
    patch_px: Annotated[int, Field(ge=32, le=512)] = 128
    widths: tuple[Annotated[int, Field(ge=4, le=1024)], ...] = (16, 32, 64, 96)
    hold_at: Annotated[float, Field(ge=1, le=255)] = 12.0
    dropout: Annotated[float, Field(ge=0, le=0.9)] = 0.2
    steps: Annotated[int, Field(ge=1, le=10**7)] = 1000
    steps_per_epoch: Count = 100
    moments: Annotated[int, Field(ge=1, le=100)] = 7
    held_moments: Annotated[int, Field(ge=1, le=100)] = 3
    longest_s: Annotated[float, Field(ge=0.1, le=1000)] = 10.0
    balance: Annotated[float, Field(ge=1e-6, le=1e6)] = 1.0
    source_power: Share = 0.5
    spoil: SpoilConfig = field(default_factory=SpoilConfig)
    limits: tuple[str, ...] = ()
    licence: str = ""

    @property
    def architecture(self) -> dict[str, Any]:
        """The network that is shipped, as cards describe it."""
        return {
            "kind": "residual",
            "widths": list(self.widths),
            "members": len(self.seeds),
            "hold_at": self.hold_at,
            "dropout": self.dropout,
        }


def load_residual_config(path: Path) -> ResidualConfig:
    """Read and check a YAML file. Raises SettingsError listing every problem at once."""
    values = read_yaml(path)
    problems = []
    if isinstance(side := values.get("patch_px", 128), int) and side % 2:
        problems.append(f"patch_px: expected an even number, found {side}")
    seeds = values.get("seeds", [7])
    if isinstance(seeds, list) and (not seeds or len(set(seeds)) < len(seeds)):
        problems.append(f"seeds: expected one or more different numbers, found {seeds}")
    if not values.get("folds"):
        problems.append("folds: expected what to leave out, once a fold: without it nothing could be measured")
    fit, spoil = (values[name] if isinstance(values.get(name), Mapping) else {} for name in ("fit", "spoil"))
    if found := sorted({"max_epochs", "seed"} & fit.keys()):
        problems.append(f"fit: {' and '.join(found)} follow from steps and seeds, leave them out")
    ways = [spoil.get(name, getattr(SpoilConfig, name)) for name in ("h264", "h265", "jpeg")]
    if all(isinstance(way, int | float) for way in ways) and sum(ways) > 1:
        problems.append(f"spoil: expected h264, h265 and jpeg to be 1 together at most, found {sum(ways):g}")
    config = check_fields(ResidualConfig, values, path.name, problems=problems)
    return replace(config, fit=replace(config.fit, max_epochs=math.ceil(config.steps / config.steps_per_epoch)))
