"""One way to train every detector: Lightning drives, this module says what a step, an epoch and a run are.

A recipe (frame, sequence, specialists, audio-visual) subclasses `BinaryModule`, implements `step`, and calls `fit`.
`run_dir` then holds `last.ckpt` (resume), `best.safetensors` (averaged weights of the epoch of lowest validation loss),
and what `detector.training.engine.run_log` writes: `metrics.csv`, `validation.csv`, `run.json`, `tensorboard/`.
"""

from __future__ import annotations

import logging
import math
import warnings
from abc import abstractmethod
from collections.abc import Iterable, Mapping, Sized
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

import lightning as L
import torch
from lightning.pytorch.loggers import TensorBoardLogger
from safetensors.torch import load_file
from torch import Tensor, nn

from detector.errors import SettingsError
from detector.training.data.batch_properties import check_batches
from detector.training.data.leakage import LeakageReport
from detector.training.engine.config import Limits
from detector.training.engine.ema import Ema
from detector.training.engine.feeding import Plain, Share
from detector.training.engine.finished import finished_run
from detector.training.engine.losses import focal_loss, smooth_labels
from detector.training.engine.precision import emulates_bfloat16
from detector.training.engine.run_log import Keep, RunLog
from detector.training.engine.run_report import write_report
from detector.training.engine.schedule import Schedule, rate_share


@dataclass(frozen=True)
class FitConfig:
    """How a network is fitted, whatever it is.

    A run ends after `max_epochs`, after `budget_minutes`, or once `patience` epochs brought no lower validation loss,
    but not before `min_epochs` (the budget ends it even then). `focal_gamma` 0 and `focal_alpha` 0.5 make plain
    cross-entropy. Mixing, consistency and contrast are used by the recipes that name them.
    """

    max_epochs: int = 60
    min_epochs: int = 10
    patience: int = 5
    budget_minutes: float = 60.0
    batch_size: int = 64
    learning_rate: float = 1e-3
    schedule: Schedule = "cosine_restarts"
    restart_epochs: int = 10
    warmup_steps: int = 50
    weight_decay: float = 0.01
    clip_norm: float = 1.0
    ema_decay: float = 0.995
    focal_alpha: float = 0.5
    focal_gamma: float = 2.0
    label_smoothing: float = 0.0
    positive_weight: float = 1.0
    mixup_alpha: float = 0.0
    cutmix_alpha: float = 0.0
    consistency_weight: float = 0.0
    contrastive_weight: float = 0.0
    bf16: bool = False
    seed: int = 7
    devices: int = 1


FIT_LIMITS: Final[Limits] = {
    "max_epochs": (1, 10**6), "min_epochs": (0, 10**6), "patience": (1, 10**6), "budget_minutes": (0.001, 10**6),
    "batch_size": (2, 4096), "learning_rate": (1e-7, 1), "restart_epochs": (1, 10**6), "warmup_steps": (0, 10**6),
    "weight_decay": (0, 1), "clip_norm": (0.01, 100), "ema_decay": (0, 0.99999), "focal_alpha": (0, 1),
    "focal_gamma": (0, 10), "label_smoothing": (0, 0.5), "positive_weight": (0.01, 100), "mixup_alpha": (0, 10),
    "cutmix_alpha": (0, 10), "consistency_weight": (0, 100), "contrastive_weight": (0, 100), "seed": (0, 2**31),
    "devices": (1, 64),
}  # fmt: skip


class StepOutput(NamedTuple):
    """What a batch gave: `loss` scalar, `logit` (B,) of P(manipulated), `label` (B,) 0..1, `group` one name for all or
    one a sample (source, generator, cue), by which metrics are told apart."""

    loss: Tensor
    logit: Tensor
    label: Tensor
    group: str | list[str] = ""


class FitResult(NamedTuple):
    """`best_epoch` counts from 0; `epochs` is how many were run, over all resumptions, in `minutes`."""

    best_epoch: int
    best_validation_loss: float
    epochs: int
    minutes: float
    log_path: Path


class BinaryModule(L.LightningModule):
    """A network in training. Subclasses implement `step`; `self.network` is the network in training mode while training
    and its moving average in evaluation mode while validating, so `step` is the same for both (`self.training` tells).

    Batches are tensors, lists, tuples, NamedTuples or dicts of them (frozen dataclasses Lightning refuses to move).
    """

    def __init__(self, network: nn.Module, config: FitConfig) -> None:
        super().__init__()
        self.network, self.config = network, config
        self.average = Ema(network, config.ema_decay)
        self.history: list[dict[str, Any]] = []  # a row of metrics an epoch, kept in the checkpoint
        self.batches_an_epoch = 0  # 0 until known
        self._seen = 0
        self._aside: list[nn.Module] = []  # the trained network while its average is validated

    @abstractmethod
    def step(self, batch: Any) -> StepOutput:
        """What a recipe makes of one batch."""

    def label_loss(self, logit: Tensor, label: Tensor) -> Tensor:
        """The configured loss of the label: focal or cross-entropy, smoothed, weighted. (B,), (B,) in [0, 1] -> ()."""
        config = self.config
        return focal_loss(
            logit.float(),
            smooth_labels(label.float(), config.label_smoothing),
            alpha=config.focal_alpha,
            gamma=config.focal_gamma,
            positive_weight=config.positive_weight,
        )

    def training_step(self, batch: Any, batch_idx: int) -> dict[str, Any]:
        output = self.step(batch)
        if not math.isfinite(float(output.loss.detach())):
            raise FloatingPointError(
                f"The loss is {float(output.loss.detach())} in epoch {self.current_epoch}: lower learning_rate."
            )
        return {"loss": output.loss, "output": StepOutput(*(_detached(part) for part in output))}

    def validation_step(self, batch: Any, batch_idx: int) -> dict[str, Any]:
        output = self.step(batch)
        return {"output": StepOutput(*(_detached(part) for part in output))}

    def configure_optimizers(self) -> torch.optim.Optimizer:
        trained = [parameter for parameter in self.parameters() if parameter.requires_grad]
        decayed = [parameter for parameter in trained if parameter.ndim > 1]
        plain = [parameter for parameter in trained if parameter.ndim <= 1]
        return torch.optim.AdamW(
            [{"params": decayed, "weight_decay": self.config.weight_decay}, {"params": plain, "weight_decay": 0.0}],
            lr=self.config.learning_rate,
        )

    def learning_rate(self, batch_idx: int) -> float:
        config, epoch = self.config, self.current_epoch
        part = min(1.0, batch_idx / self.batches_an_epoch) if self.batches_an_epoch else 0.0
        # The clock counts at the start of epochs only: within its budget, a run does not depend on how fast it went.
        spent = self.history[-1]["minutes"] / config.budget_minutes if self.history else 0.0
        return config.learning_rate * rate_share(
            config.schedule,
            step=self.global_step,
            warmup_steps=config.warmup_steps,
            epoch=epoch + part,
            done=max(epoch / config.max_epochs, spent) + part / config.max_epochs,
            restart_epochs=config.restart_epochs,
            validation_losses=[row["validation_loss"] for row in self.history],
            plateau_patience=max(1, config.patience // 2),
        )

    def on_fit_start(self) -> None:
        self.average.network.to(self.device)

    def on_train_epoch_start(self) -> None:
        # Whatever an epoch draws depends on the seed and its number alone, so a resumed run draws the same.
        L.seed_everything((self.config.seed + 1_000_003 * self.current_epoch) % 2**32, verbose=False)

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        rate = self.learning_rate(batch_idx)
        for group in self.trainer.optimizers[0].param_groups:
            group["lr"] = rate

    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:
        self.average.update(self.network, self.global_step)
        self._seen = batch_idx + 1

    def on_validation_start(self) -> None:
        self.batches_an_epoch = self._seen
        self._aside.append(self.network)
        self.network = self.average.network

    def on_validation_end(self) -> None:
        self.network = self._aside.pop()

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["average"] = self.average.network.state_dict()
        checkpoint["history"] = self.history
        checkpoint["batches_an_epoch"] = self.batches_an_epoch

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self.average.network.load_state_dict(checkpoint["average"])
        self.history = checkpoint["history"]
        self.batches_an_epoch = checkpoint["batches_an_epoch"]


def _detached(part: Any) -> Any:
    return part.detach().float().cpu() if isinstance(part, Tensor) else part


def fit(
    module: BinaryModule,
    train: Iterable[Any],
    validation: Iterable[Any],
    config: FitConfig,
    run_dir: Path,
    *,
    device: str = "cpu",
    resume: bool = True,
    facts: Mapping[str, Any] | None = None,
    leakage: LeakageReport | None = None,
    keep: Keep = "loss",
) -> FitResult:
    """Train `module` until `config` says it is over; its network then holds the best epoch's averaged weights.

    `train` and `validation` are iterated once an epoch; `train.set_epoch(number)` is called first where there is one.
    With `resume` an interrupted run goes on where it stopped and a finished one is only loaded. `facts` (the recipe's
    config and its hash, counts) go into `run.json`, `leakage` into `leakage.json`; without it the first training
    samples are measured, where batches say what they hold (`detector.training.data.batch_properties`). A report without
    plots is written at the end (`detector.training.engine.run_report`). `device` "cpu", "cuda" or "cuda:1".
    `keep` "loss" keeps the epoch of lowest validation loss, "auc" that of highest validation AUC, for networks whose
    logits are balanced afterwards; `patience` waits for the same.
    Raises SettingsError where `run_dir` holds a run with other settings, the device is absent or the batches run out at
    once; FloatingPointError where the loss is no longer finite.
    """
    if module.config != config:
        raise SettingsError("fit: the module was built with another FitConfig than the one given.")
    _quieten()
    torch.set_flush_denormal(True)  # from-scratch training slows down manyfold on denormals
    L.seed_everything(config.seed, verbose=False)
    run_dir.mkdir(parents=True, exist_ok=True)
    kind, _, number = device.partition(":")
    ran_on = {"device": device, "precision": precision_of(config, kind)}
    log = RunLog(module, config, run_dir, {**(facts or {}), **ran_on}, resume=resume, keep=keep)
    if not finished_run(run_dir):
        if kind == "cuda" and not torch.cuda.is_available():
            raise SettingsError("There is no CUDA device here: train with --device cpu.")
        many = config.devices > 1
        trainer = L.Trainer(
            accelerator="cpu" if kind == "cpu" else "gpu",
            devices=[int(number)] if number and not many else config.devices,
            strategy="ddp_find_unused_parameters_true" if many else "auto",
            use_distributed_sampler=False,
            precision=precision_of(config, kind),
            max_epochs=config.max_epochs,
            gradient_clip_val=config.clip_norm,
            logger=TensorBoardLogger(run_dir, name="tensorboard", version=""),
            callbacks=[log],
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            num_sanity_val_steps=0,
            log_every_n_steps=10**9,
            default_root_dir=run_dir,
        )
        if isinstance(train, Sized):
            module.batches_an_epoch = len(train) // config.devices
        last = run_dir / "last.ckpt"
        if trainer.is_global_zero and not last.is_file():
            found = leakage or check_batches(train)
            if found is not None:
                found.write(run_dir)
        shared = Share(train, log, config.devices)
        trainer.fit(module, shared, Plain(validation), ckpt_path=last if last.is_file() else None)
        if trainer.is_global_zero:
            log.finish()
            write_report(run_dir, plots=False)
        trainer.strategy.barrier()
    module.network.load_state_dict(load_file(run_dir / "best.safetensors"))
    done = finished_run(run_dir)
    assert done is not None
    return FitResult(
        done["best_epoch"], done["best_validation_loss"], done["epochs"], done["minutes"], run_dir / "metrics.csv"
    )


def precision_of(config: FitConfig, kind: str) -> Literal["bf16-mixed", "32-true"]:
    """Lightning's name of what is computed in: bfloat16 where it is asked for and not merely emulated."""
    return "bf16-mixed" if config.bf16 and not emulates_bfloat16(kind) else "32-true"


def _quieten() -> None:
    """No tips, no table of hardware, no advice on loader workers: a run says what it did in its files."""
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
    for about in (".*does not have many workers.*", ".*GPU available but not used.*", ".*treespec, LeafSpec.*"):
        warnings.filterwarnings("ignore", about)
