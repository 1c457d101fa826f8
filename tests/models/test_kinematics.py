"""The model of motion: a sum whose parts can be told, and outliers that are held back."""

from __future__ import annotations

import torch

from detector.models import KinematicsNet, build_network


def network() -> KinematicsNet:
    torch.manual_seed(0)
    net = build_network({"kind": "kinematics", "features": 4, "farthest": 2.0})
    assert isinstance(net, KinematicsNet)
    net.centre.copy_(torch.tensor([0.0, 1.0, 2.0, 3.0]))
    net.scale.copy_(torch.tensor([1.0, 2.0, 1.0, 1.0]))
    return net.eval()


def test_the_shares_of_the_features_and_the_bias_are_the_logit() -> None:
    net, windows = network(), torch.randn(5, 4)
    torch.testing.assert_close(net.shares(windows).sum(1) + net.read.bias, net(windows))
    assert net.shares(windows)[:, :3].std(0).min() > 0


def test_features_are_standardised_and_outliers_held_back() -> None:
    values = network().standardised(torch.tensor([[0.5, 3.0, 2.0, 900.0]]))
    assert values.tolist() == [[0.5, 1.0, 0.0, 2.0]]
