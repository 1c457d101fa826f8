"""Several runs of one architecture averaged into one network: a model soup (Wortsman et al., ICML 2022).

Runs that went on from the same weights with other samples, seeds or learning rates end in one basin. The mean of their
weights is often better on new faces than any of them, and costs nothing when used.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from detector.errors import SettingsError
from detector.registry import find_card, load_weights
from detector.training.engine.pretrained import MODEL
from detector.training.engine.run_log import FinishedRun, facts_json, read_run


def average_runs(sources: Sequence[str], run_dir: Path) -> None:
    """Write the mean of the weights of `sources` into `run_dir`, from where `export` ships it: each the folder of a run
    or "model:" and the id of a model of the registry.

    `run_dir` also receives `run.json`: the first run's with `averaged` naming the sources, steps and minutes added up.
    Raises SettingsError for fewer than two sources, none of them a run, or weights of another architecture.
    """
    runs = {source: read_run(Path(source)) for source in sources if not source.startswith(MODEL)}
    if len(sources) < 2 or not runs:
        raise SettingsError("Averaging needs at least two sources, one of them the folder of a run.")
    weights = [
        runs[source].weights if source in runs else load_weights(source.removeprefix(MODEL)) for source in sources
    ]
    mean = _mean(weights, sources)
    facts: dict[str, Any] = json.loads((Path(next(iter(runs))) / "run.json").read_text(encoding="utf-8"))
    facts |= {
        "status": "finished",
        "stopped_because": "averaged from other runs",
        "averaged": [_name(source, runs.get(source)) for source in sources],
        "steps": sum(run.steps for run in runs.values()),
        "minutes": round(sum(run.minutes for run in runs.values()), 1),
    }
    run_dir.mkdir(parents=True, exist_ok=True)
    save_file(mean, run_dir / "best.safetensors")
    (run_dir / "run.json").write_text(facts_json(facts), encoding="utf-8")


def _name(source: str, run: FinishedRun | None) -> str:
    """The name of a source in `run.json`: by its weights' hash or its config's, for folders are renamed."""
    if run is None:
        return f"{source} {find_card(source.removeprefix(MODEL)).weights_sha256[:12]}"
    return f"{Path(source).name} {run.config_sha256[:12]}"


def _mean(weights: Sequence[dict[str, Tensor]], sources: Sequence[str]) -> dict[str, Tensor]:
    first, *others = weights
    for source, other in zip(sources[1:], others, strict=True):
        if {key: value.shape for key, value in other.items()} != {key: value.shape for key, value in first.items()}:
            raise SettingsError(f"{source} holds weights of another architecture than {sources[0]}.")
    return {
        key: torch.stack([one[key].float() for one in weights]).mean(0) if value.is_floating_point() else value
        for key, value in first.items()
    }
