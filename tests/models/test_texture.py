"""The texture model: readable weights on measured pairs, absent pairs never read."""

import pytest
import torch

from detector.models import build_network
from detector.models.texture import TextureNet


def network() -> TextureNet:
    torch.manual_seed(0)
    net = build_network({"kind": "texture", "measures": 4, "lengths": [0], "likenesses": [1, 2], "hidden": 3})
    assert isinstance(net, TextureNet)
    return net.eval()


def test_a_face_scores_the_mean_of_its_pairs_and_padding_never_changes_it() -> None:
    net = network()
    pairs = torch.rand(2, 5, 4)
    present = torch.tensor([[True] * 5, [True, True, False, False, False]])
    logits = net(pairs, present)
    torch.testing.assert_close(logits[0], net.pair_logits(pairs[0]).mean())
    torch.testing.assert_close(logits[1], net.pair_logits(pairs[1, :2]).mean())
    pairs[1, 2:] = float("nan")
    torch.testing.assert_close(net(pairs, present), logits)


def test_lengths_and_likenesses_are_stretched_and_the_rest_is_left() -> None:
    net = network()
    values = net.stretched(torch.tensor([[1.0, 0.9, -2.0, 7.0]]))[0]
    assert values[0] == pytest.approx(0.001, abs=1e-4)
    assert values[1] == pytest.approx(1.472, abs=1e-3)
    assert torch.isfinite(values).all()
    assert values[3] == 7


def test_numbers_beyond_the_measures_are_refused() -> None:
    with pytest.raises(ValueError, match="4 measures"):
        TextureNet(4, lengths=[4], likenesses=[])
