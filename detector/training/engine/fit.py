"""One way to train every detector: Lightning drives, a `BinaryModule` says what a step is, `RunLog` when it is over.

`run_dir` then holds `last.ckpt` (resume), `best.safetensors` (averaged weights of the epoch of lowest validation loss),
and what `detector.training.engine.run_log` writes: `metrics.csv`, `validation.csv`, `run.json`, `tensorboard/`.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sized
from pathlib import Path
from typing import Any, Literal, NamedTuple

import lightning as L
import torch
from lightning.pytorch.loggers import TensorBoardLogger
from safetensors.torch import load_file

from detector.errors import SettingsError
from detector.training.data.batch_properties import check_batches
from detector.training.data.leakage import LeakageReport
from detector.training.engine.config import FitConfig
from detector.training.engine.device import emulates_bfloat16, training_device
from detector.training.engine.module import BinaryModule
from detector.training.engine.run_log import Keep, RunLog, finished_run
from detector.training.engine.run_report import write_report


class FitResult(NamedTuple):
    """`best_epoch` counts from 0; `epochs` is how many were run, over all resumptions, in `minutes`."""

    best_epoch: int
    best_validation_loss: float
    epochs: int
    minutes: float
    log_path: Path


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
    plots is written at the end (`detector.training.engine.run_report`). `device` "auto", "cpu", "cuda" or "cuda:1".
    `keep` "loss" keeps the epoch of lowest validation loss, "auc" that of highest validation AUC, for networks whose
    logits are balanced afterwards, and `patience` waits for the same; "last" keeps the last one, whatever it measures.
    Raises SettingsError where `run_dir` holds a run with other settings, the device is absent or the batches run out at
    once; FloatingPointError where the loss is no longer finite.
    """
    if module.config != config:
        raise SettingsError("fit: the module was built with another FitConfig than the one given.")
    _quieten()
    torch.set_flush_denormal(True)  # from-scratch training slows down manyfold on denormals
    L.seed_everything(config.seed, verbose=False)
    run_dir.mkdir(parents=True, exist_ok=True)
    device = training_device(device)
    kind, _, number = device.partition(":")
    ran_on = {"device": device, "precision": precision_of(config, kind)}
    log = RunLog(module, config, run_dir, {**(facts or {}), **ran_on}, resume=resume, keep=keep)
    if not finished_run(run_dir):
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
        shared = _Share(train, log, config.devices)
        trainer.fit(module, shared, _Plain(validation), ckpt_path=last if last.is_file() else None)
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


class _Plain:
    """Any iterable as Lightning takes it: a bare list would be several data sets to it."""

    def __init__(self, batches: Iterable[Any]) -> None:
        self._batches = batches

    def __iter__(self) -> Iterator[Any]:
        return iter(self._batches)


class _Share:
    """The part for one of `devices` processes of an iterable of batches: every n-th, the same count for each."""

    def __init__(self, batches: Iterable[Any], log: RunLog, devices: int) -> None:
        self._batches, self._log, self._devices = batches, log, devices

    def __iter__(self) -> Iterator[Any]:
        if hasattr(self._batches, "set_epoch"):
            self._batches.set_epoch(self._log.epochs)
        if self._devices == 1:
            for batch in self._batches:
                if self._log.over_budget:
                    return
                yield batch
            return
        rank = torch.distributed.get_rank()
        waiting: list[Any] = []
        for batch in self._batches:
            waiting.append(batch)
            if len(waiting) == self._devices:
                yield waiting[rank]
                waiting = []
