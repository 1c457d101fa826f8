"""What a finished run says of itself, and what it has to ship."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors.torch import load_file
from torch import Tensor

from detector.errors import SettingsError


def finished_run(run_dir: Path) -> dict[str, Any] | None:
    """The facts of a finished run, None where there is none or it goes on."""
    path = run_dir / "run.json"
    if not path.is_file():
        return None
    facts: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return facts if facts["status"] == "finished" else None


class FinishedRun(NamedTuple):
    """`weights` as a state dict of the network, `steps` optimiser steps in `minutes`."""

    weights: dict[str, Tensor]
    config_sha256: str
    steps: int
    minutes: float


def read_run(run_dir: Path) -> FinishedRun:
    """The averaged weights in `run_dir`: of the best epoch so far, or of a run's own `checkpoint.pt` from before runs
    kept a best epoch. Raises SettingsError where there is neither."""
    best, facts_file, checkpoint = (run_dir / name for name in ("best.safetensors", "run.json", "checkpoint.pt"))
    if best.is_file() and facts_file.is_file():
        facts = json.loads(facts_file.read_text(encoding="utf-8"))
        return FinishedRun(load_file(best), facts["config_sha256"], facts["steps"], round(facts["minutes"], 1))
    if checkpoint.is_file():
        state = torch.load(checkpoint, map_location="cpu", weights_only=True)
        return FinishedRun(state["ema"], state["config_sha256"], state["step"], round(state["elapsed_s"] / 60, 1))
    raise SettingsError(f"No weights in {run_dir}: train first.")
