"""Sequence networks: padding changes nothing, time is seconds, attention is a distribution, every weight learns."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from detector.models.hybrid import HybridNet
from detector.models.recurrent import RecurrentNet
from detector.models.sequence import TransformerNet, seconds_encoding

FEATURES, HEADS = 12, 2
SMALL: dict[str, Any] = {
    "transformer": lambda **more: TransformerNet(FEATURES, width=16, layers=2, heads=HEADS, **more),
    "lstm": lambda **more: RecurrentNet(FEATURES, hidden=8, **more),
    "gru": lambda **more: RecurrentNet(FEATURES, hidden=8, cell="gru", projection=6, **more),
    "hybrid": lambda **more: HybridNet(FEATURES, projection=16, hidden=8, **more),
    "hybrid-dual": lambda **more: HybridNet(FEATURES, projection=16, hidden=8, variant="dual", **more),
    "hybrid-cross": lambda **more: HybridNet(FEATURES, projection=16, hidden=8, variant="cross", heads=HEADS, **more),
}


@pytest.fixture(params=sorted(SMALL))
def network(request: pytest.FixtureRequest) -> nn.Module:
    torch.manual_seed(0)
    network = SMALL[request.param](witness=4)
    network.reader.fit(torch.randn(FEATURES), torch.rand(FEATURES) + 0.5)
    return network.eval()


def clip(frames: int = 7, batch: int = 2) -> tuple[Tensor, Tensor, Tensor]:
    torch.manual_seed(1)
    times_s = torch.arange(frames).expand(batch, frames) * 0.2
    return torch.randn(batch, frames, FEATURES), times_s, torch.ones(batch, frames, dtype=torch.bool)


@pytest.mark.parametrize("places", [(7, 8, 9), (0, 1, 2), (2, 5, 9)], ids=["behind", "in front", "in between"])
def test_padding_changes_no_output_wherever_it_lies(network: Any, places: tuple[int, ...]) -> None:
    features, times_s, present = clip()
    alone = network.forward_all(features, times_s, present)
    kept = [index for index in range(10) if index not in places]
    padded = [torch.full((2, 10, FEATURES), 1e4), torch.full((2, 10), -3.0), torch.zeros(2, 10, dtype=torch.bool)]
    for whole, part in zip(padded, (features, times_s, present), strict=True):
        whole[:, kept] = part
    output = network.forward_all(*padded)
    close = {"atol": 1e-6, "rtol": 1e-5}
    torch.testing.assert_close(output.logit, alone.logit, **close)
    torch.testing.assert_close(output.frame_logit[:, kept], alone.frame_logit, **close)
    torch.testing.assert_close(output.pooling[:, kept], alone.pooling, **close)
    assert output.pooling[:, list(places)].abs().max() == 0
    assert output.frame_logit[:, list(places)].abs().max() == 0
    for longer, shorter in zip(output.attention, alone.attention, strict=True):
        torch.testing.assert_close(longer[:, :, kept][..., kept], shorter, **close)
        assert longer[..., list(places)].abs().max() == 0


def test_garbage_in_padding_is_never_read(network: Any) -> None:
    features, times_s, present = clip()
    present = present.clone()
    present[0, 4:] = False
    expected = network.forward_all(features, times_s, present).logit
    features, times_s = features.clone(), times_s.clone()
    features[0, 4:], times_s[0, 4:] = torch.nan, torch.nan
    assert torch.equal(network.forward_all(features, times_s, present).logit, expected)


def test_outputs_depend_on_seconds_and_not_on_the_index(network: Any) -> None:
    features, times_s, present = clip()
    output = network.forward_all(features, times_s, present)
    slower = network.forward_all(features, times_s * 3, present)
    assert (output.logit - slower.logit).abs().max() > 1e-5
    later = network.forward_all(features, times_s + 100, present)
    torch.testing.assert_close(later.logit, output.logit, atol=1e-5, rtol=1e-4)
    shuffled = torch.tensor([3, 0, 6, 1, 5, 2, 4])
    mixed = network.forward_all(features[:, shuffled], times_s[:, shuffled], present)
    torch.testing.assert_close(mixed.logit, output.logit, atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(mixed.frame_logit, output.frame_logit[:, shuffled], atol=1e-6, rtol=1e-5)


def test_a_clip_sampled_more_sparsely_reads_as_its_own_frames_do(network: Any) -> None:
    features, times_s, present = clip(frames=8)
    every_second = present.clone()
    every_second[:, 1::2] = False
    masked = network.forward_all(features, times_s, every_second)
    taken = network.forward_all(features[:, ::2], times_s[:, ::2], present[:, ::2])
    torch.testing.assert_close(masked.logit, taken.logit, atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(masked.frame_logit[:, ::2], taken.frame_logit, atol=1e-6, rtol=1e-5)


def test_attention_rows_and_pooling_sum_to_one(network: Any) -> None:
    features, times_s, present = clip()
    present = present.clone()
    present[1, 2:5] = False
    output = network.forward_all(features, times_s, present)
    torch.testing.assert_close(output.pooling.sum(1), torch.ones(2))
    for weights in output.attention:
        assert weights.shape == (2, HEADS, 7, 7)
        torch.testing.assert_close(weights.sum(-1), torch.ones(2, HEADS, 7))
    layers = 2 if isinstance(network, TransformerNet) else int(getattr(network, "cross", None) is not None)
    assert len(output.attention) == layers


def test_gradient_reaches_every_parameter_and_no_witness(network: Any) -> None:
    network.train()
    output = network.forward_all(*clip())
    (output.logit.sum() + output.frame_logit.square().sum()).backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().max() > 0, name
    assert not any("witness" in name for name, _ in network.named_parameters())


def test_a_clip_scores_the_same_alone_and_in_a_batch(network: Any) -> None:
    features, times_s, present = clip(batch=3)
    together = network(features, times_s, present)
    torch.testing.assert_close(together[1:2], network(features[1:2], times_s[1:2], present[1:2]), atol=1e-6, rtol=1e-5)


def test_weights_reload_bit_equal(network: Any, tmp_path: Path) -> None:
    save_file(network.state_dict(), tmp_path / "weights.safetensors")
    other = _like(network)
    other.load_state_dict(load_file(tmp_path / "weights.safetensors"))
    assert torch.equal(other.eval()(*clip()), network(*clip()))


def _like(network: nn.Module) -> nn.Module:
    for make in SMALL.values():
        other = make(witness=4)
        if {k: v.shape for k, v in other.state_dict().items()} == {k: v.shape for k, v in network.state_dict().items()}:
            return other
    raise AssertionError("no such network")


def test_the_witness_is_the_frame_models_own_label_head() -> None:
    head = nn.Sequential(nn.Dropout(0.3), nn.Linear(FEATURES, 4), nn.ReLU(), nn.Dropout(0.3), nn.Linear(4, 1)).eval()
    network = SMALL["transformer"](witness=4).eval()
    network.reader.take_witness(head)
    features, times_s, present = clip()
    before = network.forward_all(features, times_s, present).frame_logit
    network.heads.gain.data[1] += 1
    torch.testing.assert_close(
        network.forward_all(features, times_s, present).frame_logit - before, head(features).squeeze(2)
    )
    with pytest.raises(ValueError, match="label head"):
        network.reader.take_witness(nn.Linear(FEATURES, 1))


def test_features_that_never_vary_are_ignored() -> None:
    network = SMALL["lstm"](channels=("level",)).eval()
    network.reader.fit(torch.zeros(FEATURES), torch.tensor([0.0] + [1.0] * (FEATURES - 1)))
    features, times_s, present = clip()
    other = features.clone()
    other[..., 0] = 1e3
    assert torch.equal(network(other, times_s, present), network(features, times_s, present))


def test_defaults_are_the_documented_sizes() -> None:
    transformer, lstm, hybrid = TransformerNet(), RecurrentNet(), HybridNet()
    assert len(transformer.layers) == 4
    assert transformer.pool.score[0].in_features == 256
    assert lstm.recurrence.cells.input_size == 512 * 4 + 2
    assert (lstm.recurrence.cells.hidden_size, lstm.recurrence.cells.num_layers) == (256, 2)
    sizes = [layer.weight.shape for layer in hybrid.heads.clip if isinstance(layer, nn.Linear)]
    assert [tuple(size) for size in sizes] == [(256, 1024), (128, 256), (1, 128)]


def test_wrong_shapes_options_and_empty_clips_are_refused() -> None:
    features, times_s, present = clip()
    network = SMALL["hybrid"]()
    with pytest.raises(ValueError, match=r"\(B, T\)"):
        network(features, times_s[:, :3], present)
    with pytest.raises(ValueError, match="at least one present frame"):
        network(features, times_s, torch.zeros_like(present))
    with pytest.raises(ValueError, match="variant"):
        HybridNet(variant="triple")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="cell"):
        RecurrentNet(cell="rnn")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="channels"):
        TransformerNet(channels=("colour",))


def test_seconds_encoding_tells_a_twenty_fifth_of_a_second_apart() -> None:
    encoded = seconds_encoding(torch.tensor([[0.0, 0.04, 30.0]]), 32)[0]
    assert (encoded[0] - encoded[1]).abs().max() > 0.5
    assert (encoded[0] - encoded[2]).abs().max() > 0.5


def test_without_deep_features_the_trunk_is_heard_through_its_witness_alone() -> None:
    network = TransformerNet(FEATURES, width=16, layers=1, heads=2, witness=4, looks=3, deep=False).eval()
    features, times_s, present = clip()
    network.reader.fit(torch.zeros(FEATURES), torch.ones(FEATURES))
    assert network.reader.mean.shape == (3,)
    plain = network(features, times_s, present)
    other = features.clone()
    other[..., -3:] += 1
    assert not torch.allclose(network(other, times_s, present), plain)  # what is not the trunk's is read
    other = features.clone()
    other[..., :-3] += torch.randn(FEATURES - 3)
    assert not torch.allclose(network(other, times_s, present), plain)  # and so is what the witness says
    for layer in network.reader.witness:
        if isinstance(layer, nn.Linear):
            layer.weight.zero_()
    torch.testing.assert_close(network(other, times_s, present), network(features, times_s, present))
    with pytest.raises(ValueError, match="something to read"):
        TransformerNet(FEATURES, deep=False)
