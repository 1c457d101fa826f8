"""The audio-visual network: what is not seen or heard changes nothing, and the true lag is found."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from detector.models import build_network
from detector.models.audiovisual import AudioVisualNet, window_starts

Inputs = tuple[Tensor, Tensor, Tensor, Tensor, Tensor]


def random_inputs(frames: int = 60, *, reach: int = 15, batch: int = 2, seed: int = 0) -> Inputs:
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape: int) -> Tensor:
        return torch.rand(batch, *shape, generator=generator)

    sound = frames + 2 * reach
    seen, heard = torch.ones(batch, frames, dtype=torch.bool), torch.ones(batch, sound, dtype=torch.bool)
    return draw(frames, 48, 48), draw(frames, 5), seen, draw(4 * sound, 64) * 6 - 6, heard


def network(exchange: bool) -> AudioVisualNet:
    torch.manual_seed(1)
    built = build_network({"kind": "audiovisual", "exchange": exchange, "width": 16})
    assert isinstance(built, AudioVisualNet)
    if built.exchange is not None:
        torch.nn.init.normal_(built.exchange.head.weight)
    return built.eval()


@pytest.mark.parametrize("exchange", [False, True])
def test_shapes(exchange: bool) -> None:
    net = network(exchange)
    output = net.forward_all(*random_inputs(100))
    assert output.logit.shape == (2,)
    assert output.sync.shape == (2, 3)
    assert output.lag_logits is not None
    assert output.lag_logits.shape == (2, 3, 31)
    assert torch.equal(net(*random_inputs(100)), output.logit)
    assert sum(parameter.numel() for parameter in AudioVisualNet().parameters()) < 3_000_000


@pytest.mark.parametrize("exchange", [False, True])
def test_what_is_not_seen_or_heard_changes_nothing(exchange: bool) -> None:
    net = network(exchange)
    mouth, lips, seen, mel, heard = random_inputs()
    seen[:, 20:30] = False
    heard[:, 50:60] = False
    before = net.forward_all(mouth, lips, seen, mel, heard)
    mouth, lips, mel = mouth.clone(), lips.clone(), mel.clone()
    mouth[:, 20:30], lips[:, 20:30], mel[:, 200:240] = 0.9, 7.0, 3.0
    after = net.forward_all(mouth, lips, seen, mel, heard)
    assert torch.allclose(before.logit, after.logit, atol=1e-5)
    assert torch.allclose(before.sync, after.sync, atol=1e-5)


@pytest.mark.parametrize("exchange", [False, True])
def test_padding_at_the_end_changes_nothing(exchange: bool) -> None:
    net = network(exchange)
    short = random_inputs()
    padded = tuple(
        torch.cat([part, torch.zeros_like(part[:, : 10 * (4 if part.shape[1] > 100 else 1)])], 1) for part in short
    )
    assert torch.allclose(net(*short), net(*padded), atol=1e-4)


def test_everything_learned_gets_a_gradient() -> None:
    net = network(exchange=True).train()
    output = net.forward_all(*random_inputs())
    (output.logit.sum() + output.sync.sum()).backward()
    decoders = {"exchange.lip_decoder", "exchange.mel_decoder"}  # read by the filling loss only
    without = [
        name
        for name, parameter in net.named_parameters()
        if parameter.grad is None and name.rpartition(".")[0] not in decoders
    ]
    assert without == []


@pytest.mark.parametrize("late", [-8, 0, 8])
def test_the_lag_of_the_sound_is_where_the_evidence_peaks(late: int) -> None:
    """One band loud when the first lip measure is large; the reader passes that band on."""
    net = network(exchange=False)
    mouth, lips, seen, mel, heard = random_inputs(75, batch=1)
    curve = torch.rand(75 + 30, generator=torch.Generator().manual_seed(3))
    lips[0, :, 0] = curve[15:90]
    mel = torch.zeros_like(mel)
    mel[0, :, :4] = torch.roll(curve, late).repeat_interleave(4)[:, None]
    with torch.no_grad():
        net.reader.weights.weight.zero_()
        net.reader.weights.weight[0, 0, net.reader.context // 2] = 1.0
        net.motion_scale.zero_()
        net.motion_scale[0] = 3.0
    output = net.forward_all(mouth, lips, seen, mel, heard)
    assert output.lag_logits is not None
    assert int(output.lag_logits[0, 0].argmax()) - net.reach == late
    assert (float(output.logit.detach()) > 0) == (late != 0)


def test_without_a_known_lag_near_zero_nothing_is_claimed() -> None:
    net = network(exchange=False)
    mouth, lips, seen, mel, heard = random_inputs(50, batch=1)
    heard[:, 5:60] = False
    heard[:, :] &= torch.arange(80)[None] >= 62
    output = net.forward_all(mouth, lips, seen, mel, heard)
    assert float(output.sync.detach()[0, 0]) == 0.0


def test_lengths_that_do_not_belong_together_are_refused() -> None:
    mouth, lips, seen, mel, heard = random_inputs()
    with pytest.raises(ValueError, match="expected 90 frames of sound beside 60"):
        network(exchange=False)(mouth, lips, seen, mel[:, 4:], heard)


@pytest.mark.parametrize(("count", "starts"), [(20, [0]), (50, [0]), (75, [0, 25]), (124, [0, 25, 50])])
def test_windows(count: int, starts: list[int]) -> None:
    assert list(window_starts(count, 50, 25)) == starts
