"""Losses of binary detectors: label and blend map."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def focal_loss(
    logit: Tensor, target: Tensor, *, alpha: float = 0.5, gamma: float = 2.0, positive_weight: float = 1.0
) -> Tensor:
    """Binary focal loss, mean over (B,), Lin et al., ICCV 2017. `target` in [0, 1] (soft labels allowed).

    alpha weighs the positive class (0.5 = even); gamma = 0 gives half the cross-entropy at alpha 0.5, so the result is
    multiplied by 2 to keep gamma = 0, alpha = 0.5 equal to plain cross-entropy. `positive_weight` multiplies the loss
    of manipulated samples, for sets with few of them.
    """
    cross_entropy = functional.binary_cross_entropy_with_logits(logit, target, reduction="none")
    probability = torch.sigmoid(logit)
    agreement = probability * target + (1 - probability) * (1 - target)
    weight = alpha * positive_weight * target + (1 - alpha) * (1 - target)
    return (2 * weight * (1 - agreement) ** gamma * cross_entropy).mean()


def smooth_labels(target: Tensor, amount: float) -> Tensor:
    """0/1 targets moved `amount`/2 towards each other."""
    return target * (1 - amount) + amount / 2


def map_loss(map_logit: Tensor, mask: Tensor, has_mask: Tensor) -> Tensor:
    """Cross-entropy between the blend map (B, h, w) and the true mask (B, h, w) in [0, 1], over the rows with a mask.

    Zero, still differentiable, where no row has one.
    """
    per_row = functional.binary_cross_entropy_with_logits(map_logit, mask, reduction="none").mean((1, 2))
    return (per_row * has_mask).sum() / has_mask.sum().clamp(min=1)


def consistency_loss(logit: Tensor, present: Tensor | None = None) -> Tensor:
    """Disagreement of scores of the same thing: (V, B) logits of V views of B samples, or of V frames of B clips.

    Mean squared distance of the scores from their mean over the views; `present` (V, B) bool leaves frames out.
    """
    score = torch.sigmoid(logit.float())
    weight = torch.ones_like(score) if present is None else present.float()
    count = weight.sum(0).clamp(min=1)
    mean = (score * weight).sum(0) / count
    return (((score - mean) ** 2 * weight).sum(0) / count).mean()


def supervised_contrastive_loss(features: Tensor, label: Tensor, temperature: float = 0.1) -> Tensor:
    """Pull samples of one label together, push the others away: `features` (N, D), `label` (N,) 0/1 -> ().

    The loss L_out of Khosla et al., NeurIPS 2020, over unit-length features; samples whose label no other has are left
    out. Zero, still differentiable, where that is all of them.
    """
    unit = functional.normalize(features.float(), dim=1)
    similarity = unit @ unit.T / temperature  # (N, N)
    itself = torch.eye(len(unit), dtype=torch.bool, device=unit.device)
    log_share = similarity - torch.logsumexp(similarity.masked_fill(itself, -torch.inf), dim=1, keepdim=True)
    alike = (label[:, None] == label[None, :]) & ~itself
    partners = alike.sum(1)
    per_sample = -(log_share * alike).sum(1) / partners.clamp(min=1)
    return (per_sample * (partners > 0)).sum() / (partners > 0).sum().clamp(min=1)
