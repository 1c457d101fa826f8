"""The network on patches: what it sees of them, what it ignores, and members that are averaged."""

from __future__ import annotations

import av
import numpy as np
import torch
from numpy.typing import NDArray

from detector.models import build_network
from detector.models.residual import ResidualNet, Residuals, video_planes


def patch(seed: int = 0, *, low: int = 60, high: int = 180, side: int = 32) -> torch.Tensor:
    rng = np.random.default_rng(seed)
    return torch.from_numpy(rng.integers(low, high, (2, 3, side, side), np.uint8))


def network(**options: object) -> ResidualNet:
    torch.manual_seed(0)
    return build_network({"kind": "residual", "widths": [8, 8], **options}).eval()  # type: ignore[return-value]


def to_rgb(y: NDArray[np.uint8], uv: NDArray[np.uint8]) -> NDArray[np.uint8]:
    height, width = y.shape
    flat = np.concatenate([y.ravel(), uv.ravel()]).reshape(height * 3 // 2, width)
    return av.VideoFrame.from_ndarray(flat, format="yuv420p").to_ndarray(format="rgb24")


def test_planes_are_those_of_the_video_that_a_frame_was_decoded_from() -> None:
    rng = np.random.default_rng(0)
    y, uv = rng.integers(70, 180, (32, 32), np.uint8), rng.integers(118, 138, (2, 16, 16), np.uint8)
    rgb = torch.from_numpy(to_rgb(y, uv)).permute(2, 0, 1)[None]
    planes = video_planes(rgb)[0].numpy()
    phases = np.stack([y[0::2, 0::2], y[0::2, 1::2], y[1::2, 0::2], y[1::2, 1::2]])
    np.testing.assert_allclose(planes[:4], phases, atol=2)
    np.testing.assert_allclose(planes[4:], uv, atol=2)
    assert np.corrcoef(planes[4:].ravel(), uv.ravel())[0, 1] > 0.99


def test_a_flat_patch_leaves_nothing_over() -> None:
    flat = video_planes(torch.full((1, 3, 32, 32), 99, dtype=torch.uint8))
    assert Residuals()(flat).shape == (1, 13, 16, 16)
    torch.testing.assert_close(Residuals()(flat), torch.zeros(1, 13, 16, 16), atol=1e-4, rtol=0)


def test_residuals_do_not_grow_with_the_amount_of_noise() -> None:
    noise = torch.randn(1, 6, 32, 32)
    weak, strong = (Residuals()(128 + amount * noise).std() for amount in (2.0, 6.0))
    assert 0.8 < strong / weak < 1.3


def test_brightness_says_nothing() -> None:
    net = network()
    torch.testing.assert_close(net(patch()), net(patch() + 20), atol=0.02, rtol=0.05)
    assert not torch.allclose(net(patch()), net(patch(1)), atol=1e-3)


def test_a_patch_of_another_size_is_read_alike() -> None:
    assert network()(patch(side=64)).shape == (2,)


def test_the_logit_of_several_members_is_the_mean_of_theirs() -> None:
    both = network(members=2)
    alone = [network(), network()]
    for one, member in zip(alone, both.members, strict=True):
        one.members[0].load_state_dict(member.state_dict())
    mean = torch.stack([one(patch()) for one in alone]).mean(0)
    torch.testing.assert_close(both(patch()), mean)
