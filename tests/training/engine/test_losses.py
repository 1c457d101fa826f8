"""Losses agree with their definitions and respect what is unknown."""

import pytest
import torch
from torch.nn import functional

from detector.training.engine.losses import (
    consistency_loss,
    focal_loss,
    map_loss,
    smooth_labels,
    supervised_contrastive_loss,
)


def test_focal_loss_without_focus_is_cross_entropy() -> None:
    logit, target = torch.randn(32), torch.randint(0, 2, (32,)).float()
    expected = functional.binary_cross_entropy_with_logits(logit, target)
    torch.testing.assert_close(focal_loss(logit, target, gamma=0.0), expected)


def test_focus_discounts_easy_examples_more_than_hard_ones() -> None:
    easy, hard, truth = torch.tensor([4.0]), torch.tensor([-4.0]), torch.tensor([1.0])
    ratio = [focal_loss(x, truth, gamma=2.0) / focal_loss(x, truth, gamma=0.0) for x in (easy, hard)]
    assert ratio[0] < 0.01
    assert ratio[1] > 0.9


def test_smoothing_moves_labels_inwards() -> None:
    torch.testing.assert_close(smooth_labels(torch.tensor([0.0, 1.0]), 0.1), torch.tensor([0.05, 0.95]))


def test_rows_without_a_mask_do_not_count() -> None:
    map_logit, mask = torch.randn(3, 4, 4), torch.rand(3, 4, 4)
    known = torch.tensor([1.0, 1.0, 0.0])
    torch.testing.assert_close(map_loss(map_logit, mask, known), map_loss(map_logit[:2], mask[:2], torch.ones(2)))
    changed = mask.clone()
    changed[2] = 1 - changed[2]
    torch.testing.assert_close(map_loss(map_logit, mask, known), map_loss(map_logit, changed, known))


def test_no_mask_at_all_is_zero_and_differentiable() -> None:
    map_logit = torch.randn(2, 4, 4, requires_grad=True)
    loss = map_loss(map_logit, torch.zeros(2, 4, 4), torch.zeros(2))
    loss.backward()
    assert loss.item() == pytest.approx(0)
    assert map_logit.grad is not None


def test_positive_weight_weighs_manipulated_samples() -> None:
    logit, target = torch.tensor([0.0, 0.0]), torch.tensor([0.0, 1.0])
    even = focal_loss(logit, target, gamma=0.0)
    assert focal_loss(logit, target, gamma=0.0, positive_weight=3.0) == pytest.approx(2 * even.item())


def test_consistency_is_zero_for_equal_views_and_ignores_absent_frames() -> None:
    same = torch.tensor([[1.0, -2.0], [1.0, -2.0]])
    assert consistency_loss(same).item() == pytest.approx(0)
    apart = torch.tensor([[5.0, 0.0], [-5.0, 0.0]])
    assert consistency_loss(apart).item() > 0.1
    absent = torch.tensor([[True, True], [False, True]])
    assert consistency_loss(apart, absent).item() == pytest.approx(0)


def test_the_contrastive_loss_agrees_with_its_definition() -> None:
    torch.manual_seed(0)
    features, label = torch.randn(6, 5), torch.tensor([0, 0, 1, 1, 1, 0])
    unit = functional.normalize(features, dim=1)
    total = 0.0
    for i in range(6):
        others = [a for a in range(6) if a != i]
        alike = [p for p in others if label[p] == label[i]]
        below = torch.stack([(unit[i] @ unit[a] / 0.1).exp() for a in others]).sum()
        total += -sum(((unit[i] @ unit[p] / 0.1).exp() / below).log() for p in alike).item() / len(alike)
    assert supervised_contrastive_loss(features, label).item() == pytest.approx(total / 6, rel=1e-4)


def test_the_contrastive_loss_falls_as_labels_part_and_survives_lone_samples() -> None:
    label = torch.tensor([0, 0, 1, 1])
    parted = torch.tensor([[1.0, 0.0], [1.0, 0.1], [-1.0, 0.0], [-1.0, 0.1]])
    assert supervised_contrastive_loss(parted, label) < supervised_contrastive_loss(parted[[0, 2, 1, 3]], label)
    lone = torch.randn(2, 3, requires_grad=True)
    loss = supervised_contrastive_loss(lone, torch.tensor([0, 1]))
    loss.backward()
    assert loss.item() == 0
    assert torch.isfinite(lone.grad).all()
