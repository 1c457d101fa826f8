"""The frame network: shapes, determinism in evaluation, and that each head reaches the trunk."""

import pytest
import torch

from detector.models import FrameNet, HighPass, Trunk, build_network


@pytest.fixture(scope="module")
def network() -> FrameNet:
    torch.manual_seed(0)
    return FrameNet("resnet10t", width=32).eval()


def test_one_logit_a_crop_and_a_map_at_stride_eight(network: FrameNet) -> None:
    output = network.forward_all(torch.randn(3, 3, 96, 96))
    assert output.logit.shape == (3,)
    assert output.map_logit.shape == (3, 12, 12)


def test_forward_is_the_label_of_forward_all(network: FrameNet) -> None:
    crops = torch.randn(2, 3, 96, 96)
    torch.testing.assert_close(network(crops), network.forward_all(crops).logit)


def test_a_crop_scores_the_same_alone_and_in_a_batch(network: FrameNet) -> None:
    crops = torch.randn(4, 3, 96, 96)
    torch.testing.assert_close(network(crops)[2:3], network(crops[2:3]), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("head", ["logit", "map_logit"])
def test_each_head_sends_gradient_to_the_first_layer(head: str) -> None:
    network = FrameNet("resnet10t", width=32)
    getattr(network.forward_all(torch.randn(2, 3, 96, 96)), head).sum().backward()
    first = next(network.trunk.encoder.parameters())
    assert first.grad is not None
    assert first.grad.abs().max() > 0


def test_high_pass_of_a_flat_picture_is_zero_and_of_an_edge_is_not() -> None:
    flat = torch.full((1, 3, 8, 8), 0.7)
    assert HighPass()(flat)[:, 3:].abs().max() < 1e-6
    edge = flat.clone()
    edge[..., 4:] = 0
    assert HighPass()(edge)[:, 3:].abs().max() > 0.5


def test_a_trunk_without_the_asked_stride_is_refused() -> None:
    with pytest.raises(ValueError, match="64"):
        Trunk("resnet10t", (8, 64))


def test_without_early_pooling_the_strides_still_hold() -> None:
    options = {"channels": (16, 24, 32, 48), "stem_type": "deep", "stem_width": 8}
    trunk = Trunk("resnet18", (8, 16), options=options, high_pass=True, early_pool=False)
    features = trunk(torch.zeros(1, 3, 64, 64))
    assert [tuple(feature.shape) for feature in features] == [(1, 32, 8, 8), (1, 48, 4, 4)]
    assert trunk.channels == [32, 48]
    with pytest.raises(ValueError, match="no max-pooling"):
        Trunk("efficientnet_b0", (8, 16), early_pool=False)


@pytest.mark.parametrize("trunk", ["resnet18", "mobilenetv4_conv_small", "efficientnet_b0"])
def test_any_timm_trunk_fits(trunk: str) -> None:
    network = FrameNet(trunk, width=16).eval()
    assert network(torch.zeros(1, 3, 64, 64)).shape == (1,)


def test_unknown_architecture_and_argument_are_named() -> None:
    with pytest.raises(ValueError, match="oracle"):
        build_network({"kind": "oracle"})
    with pytest.raises(ValueError, match="wings"):
        build_network({"kind": "frame", "wings": 2})


@pytest.mark.parametrize("trunk", ["resnet10t", "tf_efficientnet_lite0", "mobilenetv4_conv_small"])
def test_the_layer_for_class_activation_maps_is_run_by_every_kind_of_trunk(trunk: str) -> None:
    network = FrameNet(trunk, width=16).eval()
    reached: list[tuple[int, ...]] = []
    network.cam_layer.register_forward_hook(lambda module, given, output: reached.append(tuple(output.shape)))
    with torch.inference_mode():
        network(torch.zeros(1, 3, 64, 64))
    assert [len(shape) for shape in reached] == [4]
