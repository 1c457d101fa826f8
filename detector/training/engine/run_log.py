"""The files of a run, written after every epoch for those who look at it later.

Files in `run_dir`, all readable while the run goes on (each is replaced whole, never half-written):

- `metrics.csv`: a row an epoch: `epoch` (from 0), `train_loss`, `train_auc`, `validation_loss`, `auc`, `accuracy`,
  `f1`, `precision`, `recall`, `learning_rate` (at the epoch's end), `minutes` (since the run began), then for each
  validation group `auc:NAME` and `accuracy:NAME`. Empty where a value does not exist. Calls are made at logit 0. The
  AUC of a group with one label only is measured against all samples of the other label.
- `run.json`: `kind`, `model_id`, `title`, `config` (table), `config_sha256`, `status` ("running", "finished"),
  `stopped_because` (null while running), `started`, `updated` (ISO 8601, UTC), `device`, `epochs`, `steps` (of the
  optimiser), `best_epoch`, `best_validation_loss`, `minutes`, `parameters`, `counts` {"train": {"genuine",
  "manipulated", "batches"}, "validation": {"genuine", "manipulated", "groups": {NAME: {"genuine", "manipulated"}}}},
  `confusion` {"true_genuine", "false_manipulated", "false_genuine", "true_manipulated"} of the best epoch on the
  validation set, `versions`.
- `validation.csv`: `logit`, `label`, `group` of every validation sample, at the best epoch.
- `best.safetensors`: the averaged weights of the best epoch. `last.ckpt`: everything to go on from.
- `tensorboard/`: the numbers of `metrics.csv` for TensorBoard.

`leakage.json` and `report.json` beside them are described in `detector.training.data.leakage` and `.run_report`.
"""

from __future__ import annotations

import csv
import io
import json
import math
import os
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

import lightning as L
import numpy as np
import torch
from lightning.pytorch.callbacks import Callback
from safetensors.torch import load_file, save_file
from torch import Tensor

from detector.errors import SettingsError
from detector.measurement.metrics import binary_metrics
from detector.training.engine.config import FitConfig, table_sha256
from detector.training.engine.epoch_samples import EpochSamples
from detector.training.engine.progress import Progress, duration, log

if TYPE_CHECKING:
    from detector.training.engine.module import BinaryModule


Keep = Literal["loss", "auc", "last"]
KEPT: Final[Mapping[Keep, str]] = {
    "loss": "lower validation loss",
    "auc": "higher validation AUC",
    "last": "later epoch",
}


class RunLog(Callback):
    """Gathers an epoch's outputs, writes the run's files, decides when the run is over."""

    def __init__(
        self,
        module: BinaryModule,
        config: FitConfig,
        run_dir: Path,
        facts: Mapping[str, Any],
        *,
        resume: bool,
        keep: Keep = "loss",
    ) -> None:
        self._keep = keep
        self._module, self._config, self._run_dir = module, config, run_dir
        self._train, self._validation = EpochSamples(), EpochSamples()
        self._started = time.monotonic()
        self._before_s = 0.0
        table = asdict(config)
        self.facts: dict[str, Any] = {
            "config": table,
            "config_sha256": table_sha256(table),
            **facts,
            "kept_by": keep,
            "status": "running",
            "stopped_because": None,
            "started": _now(),
            "epochs": 0,
            "steps": 0,
            "best_epoch": None,
            "best_validation_loss": None,
            "minutes": 0.0,
            "parameters": sum(parameter.numel() for parameter in module.network.parameters()),
            "versions": {"torch": torch.__version__, "lightning": L.__version__},
        }
        self._take_over(resume)

    def _take_over(self, resume: bool) -> None:
        """Go on with the run in the folder, or clear it away."""
        path = self._run_dir / "run.json"
        if path.is_file() and resume and (self._run_dir / "last.ckpt").is_file():
            known = json.loads(path.read_text(encoding="utf-8"))
            if known["config_sha256"] != self.facts["config_sha256"]:
                raise SettingsError(f"{self._run_dir} holds a run with other settings: choose another folder for this.")
            here: dict[str, Any] = {name: self.facts[name] for name in ("device", "precision") if name in self.facts}
            self.facts = {**self.facts, **known, **here}
            self._before_s = known["minutes"] * 60
            return
        if os.environ.get("LOCAL_RANK", "0") != "0":  # one of several processes: the first one clears away
            return
        for name in ("run.json", "last.ckpt", "best.safetensors", "metrics.csv", "validation.csv", "leakage.json"):
            (self._run_dir / name).unlink(missing_ok=True)
        shutil.rmtree(self._run_dir / "tensorboard", ignore_errors=True)

    @property
    def epochs(self) -> int:
        """The number of epochs that are over."""
        return len(self._module.history)

    @property
    def elapsed_s(self) -> float:
        """Time spent in training, earlier parts of a resumed run included, s."""
        return self._before_s + time.monotonic() - self._started

    @property
    def over_budget(self) -> bool:
        """Whether the run's minutes are spent."""
        return self.elapsed_s / 60 >= self._config.budget_minutes

    @property
    def _budget_is_spent(self) -> str:
        return f"the budget of {self._config.budget_minutes:g} minutes is spent"

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Start the clock and write what is known of the run."""
        self._started = time.monotonic()
        if trainer.is_global_zero:
            self._write_facts()

    def on_train_epoch_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Start the epoch's samples and its progress."""
        self._train, self._validation = EpochSamples(), EpochSamples()
        self._progress = Progress(f"{self._name}: epoch {self.epochs + 1} of at most {self._config.max_epochs}")

    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Keep the batch's outcome."""
        self._train.add(outputs["output"])
        if trainer.is_global_zero and self._module.batches_an_epoch:
            self._progress(batch_idx + 1, self._module.batches_an_epoch)

    def on_validation_batch_end(
        self,
        trainer: L.Trainer,
        pl_module: L.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Keep the batch's outcome."""
        self._validation.add(outputs["output"])

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Write the epoch's row, keep the best weights, and stop where it is time to."""
        if not self._train.batches:  # resumed with the budget spent, or nothing to train on at all
            self._stop(trainer, self._budget_is_spent if self.over_budget else "there was no further batch")
            return
        if not self._validation.batches:
            raise SettingsError("fit: there is not one validation batch.")
        row = _row(
            self.epochs,
            self._train,
            self._validation,
            learning_rate=self._module.learning_rate(self._train.batches),
            minutes=self.elapsed_s / 60,
        )
        best = self._worth(row) > max(map(self._worth, self._module.history), default=-math.inf)
        self._module.history.append(row)
        self._judge(trainer, trainer.strategy.broadcast(row["minutes"] >= self._config.budget_minutes))
        if trainer.is_global_zero:
            if best:
                self._keep_best(row)
            self.facts.update(epochs=self.epochs, steps=trainer.global_step, minutes=row["minutes"])
            numbers = {name: value for name, value in row.items() if name != "epoch" and math.isfinite(value)}
            if trainer.logger:
                trainer.logger.log_metrics(numbers, step=row["epoch"])
            _write_metrics(self._run_dir, self._module.history)
            self._tell(row)
        partial = self._run_dir / ".last.partial"
        trainer.save_checkpoint(partial)
        if trainer.is_global_zero:
            os.replace(partial, self._run_dir / "last.ckpt")
            self._write_facts()

    @property
    def _name(self) -> str:
        return str(self.facts.get("model_id", self._run_dir.name))

    def _tell(self, row: Mapping[str, Any]) -> None:
        """A line for those who wait: how good the epoch was, and how long the run can still go on."""
        rest_s = self.elapsed_s / self.epochs * (self._config.max_epochs - self.epochs)
        left = duration(min(rest_s, 60 * self._config.budget_minutes - self.elapsed_s))
        log.info(
            "%s: epoch %d of at most %d, validation loss %.4f, AUC %.3f; %s",
            self._name, self.epochs, self._config.max_epochs, row["validation_loss"], row["auc"],
            self.facts["stopped_because"] or f"at most {left} left",
        )  # fmt: skip

    def _judge(self, trainer: L.Trainer, over_budget: bool) -> None:
        worth = [self._worth(row) for row in self._module.history]
        waited = len(worth) - 1 - int(np.argmax(worth))
        reason = None
        if over_budget:
            reason = self._budget_is_spent
        elif len(worth) >= self._config.max_epochs:
            reason = f"{self._config.max_epochs} epochs are over"
        elif len(worth) >= self._config.min_epochs and waited >= self._config.patience:
            reason = f"{waited} epochs brought no {KEPT[self._keep]}"
        if reason:
            self._stop(trainer, reason)

    def _worth(self, row: Mapping[str, Any]) -> float:
        """The worth by which an epoch is kept: the more the better."""
        if self._keep == "last":
            return float(row["epoch"])
        if self._keep == "loss":
            return -float(row["validation_loss"])
        return float(row["auc"]) if math.isfinite(row["auc"]) else -1.0

    def _stop(self, trainer: L.Trainer, reason: str) -> None:
        self.facts["stopped_because"] = reason
        trainer.should_stop = True

    def _keep_best(self, row: dict[str, Any]) -> None:
        self.facts.update(_kept(row, self._train, self._validation))
        state = self._module.average.state_dict()
        partial = self._run_dir / ".best.partial"
        save_file({key: value.detach().cpu().clone().contiguous() for key, value in state.items()}, partial)
        os.replace(partial, self._run_dir / "best.safetensors")
        _write_samples(self._run_dir, self._validation)

    def _write_facts(self) -> None:
        self.facts["updated"] = _now()
        _write(self._run_dir / "run.json", facts_json(self.facts))

    def finish(self) -> None:
        """Mark the run as over. Raises SettingsError where there was nothing to train on."""
        if self.facts["best_epoch"] is None:
            raise SettingsError("fit: there is not one training batch.")
        self.facts["status"] = "finished"
        self._write_facts()


def facts_json(facts: Mapping[str, Any]) -> str:
    """The text of `run.json`: numbers that are not finite, as an AUC of one label is none, become null."""
    return json.dumps(_finite(facts), indent=2, allow_nan=False) + "\n"


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _finite(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def write_single_fit(
    run_dir: Path, facts: Mapping[str, Any], train: EpochSamples, validation: EpochSamples, minutes: float
) -> None:
    """The files of a finished run, weights aside, of what is fitted in one go: as one epoch. `facts` may say otherwise
    why it stopped and after how many steps."""
    row = _row(0, train, validation, learning_rate=math.nan, minutes=minutes)
    _write_metrics(run_dir, [row])
    _write_samples(run_dir, validation)
    done = {"status": "finished", "stopped_because": "fitted in one go", "updated": _now(), "epochs": 1, "steps": 1}
    table = {**done, **facts, **_kept(row, train, validation), "minutes": minutes}
    _write(run_dir / "run.json", facts_json(table))


def _row(
    epoch: int, train: EpochSamples, validation: EpochSamples, *, learning_rate: float, minutes: float
) -> dict[str, Any]:
    """A row of `metrics.csv`."""
    return {
        "epoch": epoch,
        "train_loss": train.loss,
        "train_auc": binary_metrics(train.label, train.logit)["auc"],
        "validation_loss": validation.loss,
        **binary_metrics(validation.label, validation.logit),
        "learning_rate": learning_rate,
        "minutes": minutes,
        **validation.group_metrics(),
    }


def _kept(row: Mapping[str, Any], train: EpochSamples, validation: EpochSamples) -> dict[str, Any]:
    """The part of `run.json` that is about the epoch kept."""
    called, label = validation.logit >= 0, validation.label == 1
    return {
        "best_epoch": row["epoch"],
        "best_validation_loss": row["validation_loss"],
        "counts": {
            "train": {**train.counts(), "batches": train.batches},
            "validation": {**validation.counts(), "groups": validation.group_counts()},
        },
        "confusion": {
            "true_genuine": int((~called & ~label).sum()),
            "false_manipulated": int((called & ~label).sum()),
            "false_genuine": int((~called & label).sum()),
            "true_manipulated": int((called & label).sum()),
        },
    }


def _write_samples(run_dir: Path, validation: EpochSamples) -> None:
    rows = zip(validation.logit.tolist(), validation.label.tolist(), validation.group, strict=True)
    _write_table(run_dir / "validation.csv", ["logit", "label", "group"], [list(row) for row in rows])


def _write_metrics(run_dir: Path, history: Sequence[Mapping[str, Any]]) -> None:
    names = list(dict.fromkeys(name for row in history for name in row))
    rows = [[_shown(row.get(name, math.nan)) for name in names] for row in history]
    _write_table(run_dir / "metrics.csv", names, rows)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _shown(value: float) -> str:
    if isinstance(value, int):
        return str(value)
    return f"{value:.6g}" if math.isfinite(value) else ""


def _write(path: Path, text: str) -> None:
    partial = path.with_name(f".{path.name}.partial")
    partial.write_text(text, encoding="utf-8")
    os.replace(partial, path)


def _write_table(path: Path, names: list[str], rows: list[list[Any]]) -> None:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(names)
    writer.writerows(rows)
    _write(path, text.getvalue())


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
