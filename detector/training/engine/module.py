"""A network in training: the step, the loss of the label, the learning rate and the moving average of its weights."""

from __future__ import annotations

import math
from abc import abstractmethod
from typing import Any, NamedTuple

import lightning as L
import torch
from timm.utils import ModelEmaV3
from torch import Tensor, nn

from detector.training.engine.config import FitConfig
from detector.training.engine.losses import focal_loss, smooth_labels
from detector.training.engine.schedule import rate_share


class StepOutput(NamedTuple):
    """The outcome of a batch: `loss` scalar, `logit` (B,) of P(manipulated), `label` (B,) 0..1, `group` one for all
    or one a sample (source, generator, cue), by which metrics are told apart."""

    loss: Tensor
    logit: Tensor
    label: Tensor
    group: str | list[str] = ""


class BinaryModule(L.LightningModule):
    """A network in training. Subclasses implement `step`; `self.network` is the network in training mode while training
    and its moving average in evaluation mode while validating, so `step` is the same for both (`self.training` tells).

    Batches are tensors, lists, tuples, NamedTuples or dicts of them (frozen dataclasses Lightning refuses to move).
    """

    def __init__(self, network: nn.Module, config: FitConfig) -> None:
        super().__init__()
        self.network, self.config = network, config
        # The decay rises as (1 + step) / (10 + step): a short memory while the weights still move fast. In a tuple, so
        # that Lightning neither trains the average nor stores it as a part of this module.
        self._ema = (
            ModelEmaV3(
                network, config.ema_decay, use_warmup=True, warmup_gamma=9.0, warmup_power=1.0, update_after_step=-2
            ),
        )
        self.average.requires_grad_(False)
        self.history: list[dict[str, Any]] = []  # a row of metrics an epoch, kept in the checkpoint
        self.batches_an_epoch = 0  # 0 until known
        self._seen = 0
        self._aside: list[nn.Module] = []  # the trained network while its average is validated

    @property
    def average(self) -> nn.Module:
        """The network with averaged weights and buffers, in evaluation mode: what is validated and shipped."""
        return self._ema[0].module

    @abstractmethod
    def step(self, batch: Any) -> StepOutput:
        """Loss, logits and labels of one batch."""

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
        """Lightning's step; raises FloatingPointError where the loss is not finite."""
        output = self.step(batch)
        if not math.isfinite(float(output.loss.detach())):
            raise FloatingPointError(
                f"The loss is {float(output.loss.detach())} in epoch {self.current_epoch}: lower learning_rate."
            )
        return {"loss": output.loss, "output": StepOutput(*(_detached(part) for part in output))}

    def validation_step(self, batch: Any, batch_idx: int) -> dict[str, Any]:
        """Lightning's step, with the averaged weights."""
        output = self.step(batch)
        return {"output": StepOutput(*(_detached(part) for part in output))}

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """AdamW, with weight decay on matrices only."""
        trained = [parameter for parameter in self.parameters() if parameter.requires_grad]
        decayed = [parameter for parameter in trained if parameter.ndim > 1]
        plain = [parameter for parameter in trained if parameter.ndim <= 1]
        return torch.optim.AdamW(
            [{"params": decayed, "weight_decay": self.config.weight_decay}, {"params": plain, "weight_decay": 0.0}],
            lr=self.config.learning_rate,
        )

    def learning_rate(self, batch_idx: int) -> float:
        """The learning rate of a batch of this epoch."""
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
        """Put the averaged weights on the device."""
        self.average.to(self.device)

    def on_train_epoch_start(self) -> None:
        """Seed the epoch."""
        # Whatever an epoch draws depends on the seed and its number alone, so a resumed run draws the same.
        L.seed_everything((self.config.seed + 1_000_003 * self.current_epoch) % 2**32, verbose=False)

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        """Set the learning rate."""
        rate = self.learning_rate(batch_idx)
        for group in self.trainer.optimizers[0].param_groups:
            group["lr"] = rate

    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Take the weights into their average."""
        self._ema[0].update(self.network, self.global_step)
        self._seen = batch_idx + 1

    def on_validation_start(self) -> None:
        """Put the averaged weights in place of the trained ones."""
        self.batches_an_epoch = self._seen
        self._aside.append(self.network)
        self.network = self.average

    def on_validation_end(self) -> None:
        """Put the trained weights back."""
        self.network = self._aside.pop()

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep the averaged weights and the history as well."""
        checkpoint["average"] = self.average.state_dict()
        checkpoint["history"] = self.history
        checkpoint["batches_an_epoch"] = self.batches_an_epoch

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Take up what `on_save_checkpoint` kept."""
        self.average.load_state_dict(checkpoint["average"])
        self.history = checkpoint["history"]
        self.batches_an_epoch = checkpoint["batches_an_epoch"]


def _detached(part: Any) -> Any:
    return part.detach().float().cpu() if isinstance(part, Tensor) else part
