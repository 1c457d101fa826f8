"""A frame model in training: label and blend map, and the losses that a config may add to them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from detector.models import build_network
from detector.training.engine.losses import consistency_loss, map_loss, supervised_contrastive_loss
from detector.training.engine.mixing import draw_cutmix, draw_mixup
from detector.training.engine.module import BinaryModule, StepOutput
from detector.training.engine.pretrained import start_from
from detector.training.frame.config import FrameConfig
from detector.training.frame.hard_negatives import HardSamples
from detector.training.frame.samples import Batch, Row

_PROJECTED = 128


class FrameModule(BinaryModule):
    """A frame model in training. `hard` takes note of each batch's losses where the config asks for hard samples."""

    def __init__(self, config: FrameConfig, hard: HardSamples[Row] | None = None) -> None:
        torch.manual_seed(config.fit.seed)
        network = build_network(config.architecture)
        if config.init:
            start_from(network, config.init)
        super().__init__(network.to(memory_format=torch.channels_last), config.fit)  # type: ignore[call-overload]
        self._map_weight, self._hard = config.map_weight, hard
        self.projector: nn.Module | None = None
        if config.fit.contrastive_weight:
            # Part of the training, not of the network: contrast is drawn on it and it is thrown away (Khosla et al.).
            width = int(network.feature_dim)  # type: ignore[arg-type]
            self.projector = nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, _PROJECTED))

    def step(self, batch: Batch) -> StepOutput:
        """The loss and the logits of one batch."""
        images, labels, masks, has_mask = batch.images, batch.labels, batch.masks, batch.has_mask
        mixed = self.training and bool(self.config.mixup_alpha or self.config.cutmix_alpha)
        if mixed and (self.projector is not None or self._hard is not None):
            # A mixture's loss says nothing of one sample, nor do its features: half of the batches are left to these.
            mixed = bool(torch.rand(()) < 0.5)
        if mixed:
            images, labels, masks, has_mask = self._mix(images, labels, masks, has_mask)
        output = self.network.forward_all(images)  # type: ignore[operator]
        loss = self.label_loss(output.logit, labels)
        if output.map_logit.numel():
            loss = loss + self._map_weight * map_loss(output.map_logit, masks, has_mask)
        if self.training:
            if self.config.consistency_weight:
                other = self.network.forward_all(second_view(images)).logit  # type: ignore[operator]
                loss = loss + self.config.consistency_weight * consistency_loss(torch.stack([output.logit, other]))
            if self.projector is not None and not mixed:
                contrast = supervised_contrastive_loss(self.projector(output.features), batch.labels)
                loss = loss + self.config.contrastive_weight * contrast
            if self._hard is not None and not mixed:
                self._note(self._hard, batch, output.logit)
        return StepOutput(loss, output.logit, labels, batch.groups)

    def _mix(self, images: Tensor, labels: Tensor, masks: Tensor, has_mask: Tensor) -> Sequence[Tensor]:
        """Mixup or CutMix, by a coin where both are asked for. A mask is known only where both parts' masks are."""
        mixup, cutmix = self.config.mixup_alpha, self.config.cutmix_alpha
        if mixup and not (cutmix and torch.rand(()) < 0.5):
            blend = draw_mixup(len(images), mixup)
            return blend.blend(images), blend.blend(labels), blend.blend(masks), has_mask * has_mask[blend.partner]
        paste = draw_cutmix(len(images), cutmix, cells=masks.shape[-1])
        known = has_mask * has_mask[paste.partner]
        return paste.blend(images), paste.blend_labels(labels), paste.blend(masks), known

    @staticmethod
    def _note(hard: HardSamples[Row], batch: Batch, logit: Tensor) -> None:
        losses = functional.binary_cross_entropy_with_logits(logit.detach(), batch.labels, reduction="none")
        rows = [
            Row(batch.images[i].detach().half().cpu(), batch.masks[i].cpu(), float(batch.has_mask[i]), group)
            for i, group in enumerate(batch.groups)
        ]
        hard.note(batch.names, losses.tolist(), [int(label) for label in batch.labels.tolist()], rows)


def second_view(images: Tensor) -> Tensor:
    """The same crops as a camera or a cut might have given them: mirrored, brightness and contrast a little off, a
    little noise; (B, 3, S, S) normalised -> the same shape."""
    spread = images.new_empty((len(images), 1, 1, 1))
    contrast = torch.empty_like(spread).uniform_(0.85, 1.15)
    brightness = torch.empty_like(spread).uniform_(-0.15, 0.15)
    return images.flip(3) * contrast + brightness + 0.02 * torch.randn_like(images)
