"""A loaded network made faster says the same."""

import sys

import pytest
import torch
from threadpoolctl import threadpool_info
from torch import Tensor, nn

from detector.models import build_network
from detector.registry.optimise import folded, keep_freed_memory, limit_blas_threads


def _settled(network: nn.Module, side_px: int) -> nn.Module:
    """In evaluation mode, with the statistics and scales that training would have left."""
    torch.manual_seed(1)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.uniform_(module.bias, -0.5, 0.5)
    for _ in range(3):
        network(torch.randn(4, 3, side_px, side_px))
    return network.eval()


def _norms(network: nn.Module) -> int:
    return sum(isinstance(module, nn.BatchNorm2d) for module in network.modules())


@pytest.mark.parametrize("trunk", ["resnet10t", "resnet18", "tf_efficientnet_lite0", "mobilenetv4_conv_small"])
def test_norms_go_into_their_convolutions_and_the_answer_stays(trunk: str) -> None:
    network = _settled(build_network({"kind": "frame", "trunk": trunk, "width": 16}), 64)
    quick = folded(network, 64)
    # What is left is the norm before the pyramid's first ReLU, which follows a sum.
    assert _norms(quick) < 0.2 * _norms(network)
    x = torch.rand(3, 3, 64, 64)
    with torch.inference_mode():
        torch.testing.assert_close(quick(x), network(x), atol=1e-4, rtol=1e-4)


def test_the_network_given_keeps_its_norms() -> None:
    network = _settled(build_network({"kind": "frame", "trunk": "resnet10t", "width": 16}), 64)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    folded(network, 64)
    after = network.state_dict()
    assert list(after) == list(before)
    assert all(torch.equal(after[name], value) for name, value in before.items())


class _OutOfOrder(nn.Module):
    """Runs its norm elsewhere than where it stands."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 3, 3)
        self.norm = nn.BatchNorm2d(3)
        self.second = nn.Conv2d(3, 3, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(self.second(self.first(x).square())).mean((1, 2, 3))


def test_a_norm_that_runs_elsewhere_is_left_alone() -> None:
    network = _settled(_OutOfOrder(), 16)
    assert folded(network, 16) is network


@pytest.mark.skipif(sys.platform != "linux", reason="speaks to glibc's allocator")
def test_the_allocator_listens() -> None:
    assert keep_freed_memory()


def test_linear_algebra_beside_the_networks_takes_one_thread() -> None:
    threads = torch.get_num_threads()
    limit_blas_threads()
    pools = [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]
    assert pools
    assert set(pools) == {1}
    assert torch.get_num_threads() == threads
