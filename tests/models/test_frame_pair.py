"""The network over pairs of frames: what it sees, where it is silent, and its word in a sequence model's logits."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from detector.faces import temporal as faces_change
from detector.faces.temporal import PAIR_PLANES, frame_pair
from detector.models import build_network
from detector.models.frame_pair import FLOW_STEPS, INPUTS, FramePairNet, mirrored
from detector.registry.loaded import pair_logits

FEATURES = 12


def pictures(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return tuple(rng.integers(60, 190, (64, 64, 3), dtype=np.uint8) for _ in range(2))  # type: ignore[return-value]


def test_a_pair_gives_one_finite_logit_and_differs_with_the_earlier_frame() -> None:
    torch.manual_seed(0)
    network = FramePairNet(width=8).eval()
    before, now = pictures()
    pairs = torch.from_numpy(np.stack([frame_pair(before, now), frame_pair(now, now)]))
    assert network.inputs(pairs).shape == (2, INPUTS, 64, 64)
    logits = network(pairs)
    assert logits.shape == (2,)
    assert logits.isfinite().all()
    assert logits[0] != logits[1]


def test_colours_and_levels_are_not_seen() -> None:
    before, now = pictures()
    pair = frame_pair(before, now)
    lighter = pair.copy()
    lighter[..., :9] += 40  # all three pictures alike
    network = FramePairNet(width=8)
    torch.testing.assert_close(*(network.inputs(torch.from_numpy(one[None])) for one in (pair, lighter)))
    assert FLOW_STEPS == faces_change.FLOW_STEPS, "the flow is read in the unit it is written in"


def test_a_mirror_image_is_judged_alike() -> None:
    torch.manual_seed(0)
    network = FramePairNet(width=8).eval()
    before, now = pictures()
    seen = network.inputs(torch.from_numpy(frame_pair(before, now)[None]))
    pair = frame_pair(before, now)
    flipped = pair[:, ::-1].copy()
    flipped[..., 9] = 256 - flipped[..., 9].astype(int)  # the flow's x turns round
    torch.testing.assert_close(mirrored(seen), network.inputs(torch.from_numpy(flipped[None])))
    assert network.judge(seen) != network.judge(mirrored(seen))
    torch.testing.assert_close(*(network(torch.from_numpy(one[None])) for one in (pair, flipped)))


def test_nothing_is_said_of_a_frame_without_one_before_it() -> None:
    network = FramePairNet(width=8).eval()
    before, now = pictures()
    pairs = np.stack([frame_pair(None, now), frame_pair(before, now), frame_pair(None, now), frame_pair(now, before)])
    logits = pair_logits(network, pairs, batch_size=3)
    np.testing.assert_array_equal(np.isnan(logits), [True, False, True, False])
    alone = network(torch.from_numpy(pairs[[1, 3]])).detach().numpy()
    np.testing.assert_allclose(logits[[1, 3]], alone, atol=1e-5)
    assert np.isnan(pair_logits(network, pairs[[0, 2]])).all()
    assert pair_logits(network, np.zeros((0, 64, 64, PAIR_PLANES), np.uint8)).shape == (0,)
    with pytest.raises(ValueError, match="evaluation"):
        pair_logits(network.train(), pairs)


@pytest.fixture
def network() -> Any:
    torch.manual_seed(0)
    table = {"kind": "transformer", "features": FEATURES, "width": 16, "layers": 1, "heads": 2, "change": {"width": 4}}
    return build_network(table).eval()


def clip(change: list[float], frames: int = 5) -> tuple[Tensor, Tensor, Tensor]:
    torch.manual_seed(1)
    features = torch.cat([torch.randn(1, frames, FEATURES), torch.tensor(change)[None, :, None]], dim=2)
    return features, torch.arange(frames)[None] * 0.2, torch.ones(1, frames, dtype=torch.bool)


def test_its_word_is_added_to_the_logits_in_proportion_to_the_gain(network: Any) -> None:
    told = [torch.nan, 1.0, 2.0, 3.0, torch.nan]
    features, times_s, present = clip(told)
    without = network.forward_all(features, times_s, present)
    torch.testing.assert_close(network.forward_all(*clip([0.0] * 5)).logit, without.logit)  # the gain is 0 at first
    network.change_gain.fill_(0.5)
    output = network.forward_all(features, times_s, present)
    torch.testing.assert_close(output.logit, without.logit + 0.5 * 2.5)  # the higher half of three: 2 and 3
    added = torch.tensor([[2.0, 1.0, 2.0, 3.0, 2.0]])  # the mean where a frame has no pair
    torch.testing.assert_close(output.frame_logit, without.frame_logit + 0.5 * added)
    silent = network.forward_all(*clip([torch.nan] * 5))
    torch.testing.assert_close(silent.logit, without.logit)


def test_its_word_follows_its_frame_through_order_and_padding(network: Any) -> None:
    network.change_gain.fill_(1.0)
    features, times_s, present = clip([torch.nan, 1.0, -2.0, 3.0, 0.5])
    alone = network.forward_all(features, times_s, present)
    places = torch.tensor([6, 1, 4, 0, 3])  # of the frames among eight, out of order
    padded = [torch.full((1, 8, FEATURES + 1), 1e4), torch.full((1, 8), -3.0), torch.zeros(1, 8, dtype=torch.bool)]
    for whole, part in zip(padded, (features, times_s, present), strict=True):
        whole[:, places] = part
    output = network.forward_all(*padded)
    torch.testing.assert_close(output.logit, alone.logit)
    torch.testing.assert_close(output.frame_logit[:, places], alone.frame_logit)


def test_its_weights_travel_with_the_sequence_model_and_no_optimiser_moves_them(network: Any) -> None:
    state = network.state_dict()
    assert "change_gain" in state
    assert any(key.startswith("change.stem") for key in state)
    assert not any(parameter.requires_grad for parameter in network.change.parameters())
