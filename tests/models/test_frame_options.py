"""The parts of a frame model: trunks, heads, attention, frequency branch, with or without the blend map."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from scipy.fft import dctn

from detector.models import FrameNet, build_network
from detector.models.attention import Cbam
from detector.models.frequency import FrequencyBranch, dct_filters
from detector.registry import ModelCard

WEIGHTS = Path(__file__).parents[2] / "assets" / "weights"
TINY = {"width": 16, "dropout": 0.0}


@pytest.mark.parametrize("trunk", ["resnet50", "efficientnet_b2", "legacy_xception", "mobilenetv4_conv_small"])
def test_more_trunks_fit_without_a_blend_map(trunk: str) -> None:
    network = FrameNet(trunk, strides=(16, 32), blend_map=False, **TINY).eval()
    output = network.forward_all(torch.zeros(1, 3, 64, 64))
    assert output.logit.shape == (1,)
    assert output.map_logit.shape == (1, 0, 0)
    assert output.features.shape == (1, network.feature_dim)


@pytest.mark.parametrize("frequency", [None, "fft", "dct"])
@pytest.mark.parametrize("head", ["plain", "mlp"])
def test_options_combine_and_every_part_learns(head: str, frequency: str | None) -> None:
    torch.manual_seed(0)
    network = FrameNet("resnet10t", head=head, frequency=frequency, attention=True, **TINY)
    output = network.forward_all(torch.randn(4, 3, 64, 64))
    assert output.features.shape == (4, network.feature_dim)
    (output.logit * torch.tensor([1.0, -1.0, 0.5, 2.0])).sum().backward()
    still = [name for name, parameter in network.named_parameters() if parameter.grad is None]
    assert not still


def test_the_two_way_head_is_as_described() -> None:
    network = FrameNet("resnet10t", head="mlp", **TINY).eval()
    kinds = [type(layer).__name__ for layer in network.label_head]
    assert kinds == ["Dropout", "Linear", "ReLU", "BatchNorm1d", "Dropout", "Linear"]
    assert (network.label_head[0].p, network.label_head[1].out_features, network.label_head[4].p) == (0.5, 512, 0.3)
    output = network.forward_all(torch.randn(3, 3, 64, 64))
    both = network.label_head(output.features)
    torch.testing.assert_close(torch.softmax(both, 1)[:, 1], torch.sigmoid(output.logit))


def test_unknown_options_are_refused() -> None:
    for wrong in ({"head": "wide"}, {"frequency": "wavelet"}, {"strides": (16, 32)}):
        with pytest.raises(ValueError, match="expected"):
            FrameNet("resnet10t", **{**TINY, **wrong})


def test_block_filters_are_the_discrete_cosine_transform() -> None:
    block = torch.randn(8, 8)
    ours = torch.nn.functional.conv2d(block.view(1, 1, 8, 8), dct_filters()).view(8, 8)
    torch.testing.assert_close(ours, torch.from_numpy(dctn(block.numpy(), norm="ortho")), atol=1e-5, rtol=1e-4)


def test_the_spectrum_shows_a_fine_grid_that_hardly_changes_pixels() -> None:
    torch.manual_seed(0)
    smooth = torch.nn.functional.avg_pool2d(torch.randn(1, 3, 72, 72), 9, stride=1)
    grid = smooth.clone()
    grid[..., ::4] += 0.1  # what up-sampling by four leaves
    branch = FrequencyBranch("fft")
    rise = (branch.spectrum(grid) - branch.spectrum(smooth))[0, 0]
    assert rise.max() > 10 * rise.median().abs()
    blocks = FrequencyBranch("dct")
    assert (blocks.spectrum(grid) - blocks.spectrum(smooth)).abs().max() > 1


def test_the_spectrum_is_the_same_within_half_precision_code() -> None:
    crops = torch.randn(2, 3, 64, 64)
    for kind in ("fft", "dct"):
        branch = FrequencyBranch(kind)
        with torch.autocast("cpu", torch.bfloat16):
            inside = branch.spectrum(crops)
        assert torch.equal(inside, branch.spectrum(crops))


def test_attention_weighs_and_never_enlarges() -> None:
    x = torch.rand(2, 32, 5, 7)
    weighed = Cbam(32)(x)
    assert weighed.shape == x.shape
    assert (weighed <= x).all()


@pytest.mark.parametrize("path", sorted(WEIGHTS.glob("frame-*.card.json")), ids=lambda path: path.name.split(".")[0])
def test_shipped_weights_still_fit_key_by_key(path: Path) -> None:
    card = ModelCard.read(path)
    network = build_network(card.architecture)
    network.load_state_dict(load_file(WEIGHTS / card.weights_file), strict=True)
