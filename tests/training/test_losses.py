"""Losses agree with their definitions and respect what is unknown."""

import pytest
import torch
from torch.nn import functional

from detector.training.losses import focal_loss, map_loss, smooth_labels


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
