"""The specialists' network: what its named channels measure, in their units, and that cues rest on them alone."""

import itertools
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from skimage import data
from torch import Tensor

from detector.models import build_network
from detector.models.specialists import CHANNELS, SPECIALISTS, SpecialistsNet, evidence_channels
from detector.models.specialists.signals import signals_of, smoothed

SIZE = 192
FIXTURES = Path(__file__).parents[1] / "fixtures"


@pytest.fixture(scope="module")
def network() -> SpecialistsNet:
    torch.manual_seed(0)
    return SpecialistsNet("resnet10t", width=16, head_width=8).eval()


def crop(pixels: np.ndarray) -> Tensor:
    """(S, S, 3) grey levels -> a normalised crop."""
    return (torch.from_numpy(np.asarray(pixels, np.float32)).permute(2, 0, 1)[None] / 255 - 0.5) / 0.5


def grey(plane: np.ndarray) -> np.ndarray:
    return np.repeat(np.asarray(plane, np.float32)[..., None], 3, 2)


def photo() -> np.ndarray:
    return cv2.resize(data.astronaut()[:400, 40:440], (SIZE, SIZE), interpolation=cv2.INTER_AREA)


def read(network: SpecialistsNet, cue: str, channel: str, pixels: np.ndarray) -> np.ndarray:
    """One channel's map of one picture."""
    with torch.inference_mode():
        channels = network.forward_all(crop(pixels))[cue].channels
    return channels[0, list(CHANNELS[cue]).index(channel)].numpy()


def test_cues_modules_and_counts_are_as_documented() -> None:
    assert {cue: len(names) for cue, names in CHANNELS.items()} == {"BG": 44, "CM": 40, "RR": 24, "LL": 24}
    assert list(SPECIALISTS["BG"]) == ["bg_texture", "lighting_detector", "shadow_checker", "color_temp"]
    assert list(SPECIALISTS["CM"]) == [
        "specialist_dct_analyzer",
        "specialist_quant_detector",
        "specialist_block_checker",
        "specialist_compression_estimator",
    ]
    names = [name for channels in CHANNELS.values() for name in channels]
    assert len(set(names)) == len(names)
    assert all(name == name.lower() and name.isidentifier() for name in names)
    assert all(meaning.strip() for channels in CHANNELS.values() for meaning in channels.values())


def test_every_cue_gives_a_logit_a_map_and_its_channels(network: SpecialistsNet) -> None:
    outputs = network.forward_all(torch.randn(2, 3, 96, 96))
    assert list(outputs) == list(network.cues) == ["BG", "CM", "RR", "LL"]
    for cue, output in outputs.items():
        assert output.logit.shape == (2,)
        assert output.map_logit.shape == (2, 12, 12)
        assert output.channels.shape == (2, len(network.channel_names[cue]), 12, 12)
        assert torch.isfinite(output.channels).all()


def test_forward_is_the_labels_in_the_order_of_cues_alone_or_in_a_batch(network: SpecialistsNet) -> None:
    crops = torch.rand(3, 3, 96, 96) * 2 - 1
    together = network(crops)
    outputs = network.forward_all(crops)
    for index, cue in enumerate(network.cues):
        torch.testing.assert_close(together[:, index], outputs[cue].logit)
    torch.testing.assert_close(network(crops[1:2]), together[1:2], atol=1e-4, rtol=1e-4)


def test_a_mirrored_network_says_the_same_of_a_picture_and_its_mirror_image() -> None:
    torch.manual_seed(0)
    network = SpecialistsNet("resnet10t", width=16, head_width=8, mirrored=True).eval()
    x = torch.randn(2, 3, 96, 96)
    with torch.inference_mode():
        plain, turned = network.forward_all(x), network.forward_all(x.flip(-1))
        network.mirrored = False
        alone = network.forward_all(x)
    for cue in network.cues:
        torch.testing.assert_close(plain[cue].logit, turned[cue].logit)
        torch.testing.assert_close(plain[cue].map_logit, turned[cue].map_logit.flip(-1))
        assert torch.equal(plain[cue].channels, alone[cue].channels)
        assert not torch.allclose(plain[cue].logit, alone[cue].logit)


MODULES = {name: module for modules in SPECIALISTS.values() for name, module in modules.items()}


@pytest.fixture(scope="module")
def portrait() -> Tensor:
    """(1, 3, 96, 96) in 0..1."""
    pixels = cv2.resize(data.astronaut()[40:264, 110:334], (96, 96), interpolation=cv2.INTER_AREA)
    return torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 255


@pytest.mark.parametrize("name", MODULES)
def test_measurements_stay_what_the_shipped_weights_were_fitted_to(name: str, portrait: Tensor) -> None:
    # Computed in double precision by the formulas written out, as they were when the weights were fitted.
    with np.load(FIXTURES / "specialist-channels.npz") as kept:
        expected = torch.from_numpy(kept[name])
    measured = MODULES[name](8).measure(signals_of(portrait))[0]
    torch.testing.assert_close(measured, expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("name", MODULES)
def test_a_mirror_image_measures_as_if_it_had_been_measured_itself(name: str, portrait: Tensor) -> None:
    module, signals = MODULES[name](8), signals_of(portrait)
    turned = module.measure_mirrored(signals, module.measure(signals))
    torch.testing.assert_close(turned, module.measure(signals_of(portrait.flip(-1))), atol=1e-4, rtol=1e-4)


def test_spread_of_light_is_exact_in_a_flat_bright_place() -> None:
    bright = signals_of(torch.full((1, 3, 64, 64), 1.0))
    assert bright.variance.max() < 1e-6
    dark = list(MODULES["dark_channel"].MEASURED).index("dark_contrast")
    expected = np.log(0.5) - np.log(255 + 2)  # the floor of the standard deviation is half a grey level
    contrast = MODULES["dark_channel"](8).measure(bright)[0, dark]
    np.testing.assert_allclose(contrast.numpy(), expected, atol=1e-5)


def test_every_parameter_that_is_shipped_takes_part() -> None:
    network = SpecialistsNet(width=16, head_width=8)
    outputs = network.forward_all(torch.rand(4, 3, 96, 96) * 2 - 1)
    torch.stack([output.logit.sum() + output.map_logit.sum() for output in outputs.values()]).sum().backward()
    idle = [name for name, value in network.named_parameters() if value.grad is None]
    assert idle == []
    assert next(network.trunk.encoder.parameters()).grad.abs().max() > 0


@pytest.mark.parametrize(("trunk", "strides"), [("efficientnet_b0", (8, 16)), ("resnet18", (8, 16))])
def test_other_trunks_and_strides_fit(trunk: str, strides: tuple[int, ...]) -> None:
    built = build_network({"kind": "specialists", "trunk": trunk, "strides": strides, "width": 16, "head_width": 8})
    assert built.eval()(torch.zeros(1, 3, 64, 64)).shape == (1, 4)


def test_channels_are_in_physical_units_whatever_the_normalisation(network: SpecialistsNet) -> None:
    other = SpecialistsNet("resnet10t", width=16, head_width=8, mean=(0.4, 0.5, 0.6), std=(0.2, 0.25, 0.3)).eval()
    pixels = torch.rand(1, 3, 64, 64)
    mean, std = torch.tensor([0.4, 0.5, 0.6]).view(1, 3, 1, 1), torch.tensor([0.2, 0.25, 0.3]).view(1, 3, 1, 1)
    one = network.forward_all((pixels - 0.5) / 0.5)["LL"].channels[:, :5]
    two = other.forward_all((pixels - mean) / std)["LL"].channels[:, :5]
    torch.testing.assert_close(one, two, atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize("sigma", [2.0, 6.0])
def test_noise_level_is_read_in_grey_levels(network: SpecialistsNet, sigma: float) -> None:
    plane = 120 + np.random.default_rng(0).normal(0, sigma, (SIZE, SIZE))
    assert np.exp(read(network, "LL", "noise_sigma", grey(plane))).mean() == pytest.approx(sigma, rel=0.15)


def test_a_noisy_face_stands_out_from_quiet_surroundings(network: SpecialistsNet) -> None:
    plane = 120 + np.random.default_rng(0).normal(0, 1, (SIZE, SIZE))
    plane[60:132, 60:132] += np.random.default_rng(1).normal(0, 6, (72, 72))
    step = read(network, "LL", "noise_sigma_step", grey(plane))
    assert step[11:13, 11:13].min() > 1.0
    assert abs(step[:4]).max() < 0.5


def test_colour_temperature_is_the_log_ratio_of_red_to_blue(network: SpecialistsNet) -> None:
    pixels = np.broadcast_to(np.float32([160, 120, 80]), (SIZE, SIZE, 3))
    warmth = read(network, "BG", "color_temp_warmth", pixels)
    np.testing.assert_allclose(warmth, np.log((160 + 2) / (80 + 2)), atol=0.01)


def test_light_that_grows_to_the_right_has_a_slope_across_and_none_down(network: SpecialistsNet) -> None:
    plane = 40 * np.exp(np.linspace(0, 1.5, SIZE))[None].repeat(SIZE, 0)
    assert read(network, "BG", "lighting_slope_x", grey(plane))[8:16, 8:16].mean() == pytest.approx(1.5, rel=0.1)
    assert abs(read(network, "BG", "lighting_slope_y", grey(plane))).max() < 0.05


def recompressed(pixels: np.ndarray, quality: int) -> np.ndarray:
    _, coded = cv2.imencode(".jpg", pixels[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    return cv2.imdecode(coded, cv2.IMREAD_COLOR)[..., ::-1]


@pytest.mark.parametrize("period", [8.0, 6.0])
def test_block_borders_are_found_also_after_the_crop_was_resampled(network: SpecialistsNet, period: float) -> None:
    size = round(SIZE * 8 / period)
    large = cv2.resize(photo(), (size, size), interpolation=cv2.INTER_CUBIC)
    coded = cv2.resize(recompressed(large, 10), (SIZE, SIZE), interpolation=cv2.INTER_AREA)
    plain = cv2.resize(large, (SIZE, SIZE), interpolation=cv2.INTER_AREA)
    before = read(network, "CM", "block_strength_x", plain).mean()
    assert read(network, "CM", "block_strength_x", coded).mean() > 1.5 * before


@pytest.mark.parametrize(
    "channel", ["quant_dead_zone", "quant_shift_gain", "block_strength_x", "compression_flat_share"]
)
def test_harder_compression_reads_higher(network: SpecialistsNet, channel: str) -> None:
    values = [read(network, "CM", channel, recompressed(photo(), quality)).mean() for quality in (95, 40, 10)]
    assert values == sorted(values)


def test_lost_resolution_lowers_the_bandwidth_ratio_where_it_was_lost(network: SpecialistsNet) -> None:
    sharp = photo()
    soft = cv2.resize(cv2.resize(sharp, (64, 64), interpolation=cv2.INTER_AREA), (SIZE, SIZE))
    mixed = sharp.copy()
    mixed[64:128, 64:128] = soft[64:128, 64:128]
    change = read(network, "RR", "bandwidth_ratio", mixed) - read(network, "RR", "bandwidth_ratio", sharp)
    assert change[9:15, 9:15].mean() < -0.5
    assert abs(change[:6]).max() < 1e-4


def test_interpolation_leaves_its_period(network: SpecialistsNet) -> None:
    noise = np.random.default_rng(0).uniform(40, 220, (SIZE * 2 // 3, SIZE * 2 // 3)).astype(np.float32)
    enlarged = cv2.resize(noise, (SIZE, SIZE), interpolation=cv2.INTER_LINEAR)
    plain = np.random.default_rng(1).uniform(40, 220, (SIZE, SIZE))
    strength = [read(network, "RR", "resampling_period_x", grey(plane)).mean() for plane in (plain, enlarged)]
    assert strength[1] > 3 * strength[0]
    assert read(network, "RR", "resampling_period_px", grey(enlarged)).mean() == pytest.approx(3.0, abs=0.2)


def test_a_cue_rests_on_its_named_channels_alone(network: SpecialistsNet, monkeypatch: pytest.MonkeyPatch) -> None:
    crops = torch.rand(2, 3, 64, 64) * 2 - 1
    fixed = {cue: output.channels for cue, output in network.forward_all(crops).items()}
    head = network.heads["RR"]
    kinds = SPECIALISTS["RR"]
    parts = dict(zip(kinds, fixed["RR"].split([len(kind.channels()) for kind in kinds.values()], dim=1), strict=True))
    before = network.forward_all(crops)["RR"].logit
    for name, part in parts.items():
        monkeypatch.setattr(head.witnesses[name], "forward", lambda *_, part=part, **__: part)
    after = network.forward_all(torch.rand(2, 3, 64, 64) * 2 - 1)["RR"].logit  # other pictures, the same channels
    torch.testing.assert_close(after, before)


def test_each_module_has_one_evidence_channel_by_name() -> None:
    for cue, modules in SPECIALISTS.items():
        names = list(CHANNELS[cue])
        places = evidence_channels(cue)
        assert list(places) == list(modules)
        assert all(names[place.channel] == f"{modules[name].PREFIX}_evidence" for name, place in places.items())


def test_wrong_options_are_named() -> None:
    with pytest.raises(ValueError, match="cues"):
        SpecialistsNet("resnet10t", cues=("BG", "XX"))
    with pytest.raises(ValueError, match="strides"):
        SpecialistsNet("resnet10t", strides=(16,))


@pytest.mark.parametrize("shape", [(2, 3, 12, 10), (1, 1, 24, 24)])
@pytest.mark.parametrize("size", [3, 5, 7])
def test_smoothing_is_the_mean_of_what_is_there(shape: tuple[int, ...], size: int) -> None:
    plane, reach = torch.rand(shape), size // 2
    height, width = shape[2:]
    expected = torch.empty(shape)
    for y, x in itertools.product(range(height), range(width)):
        rows, columns = slice(max(0, y - reach), y + reach + 1), slice(max(0, x - reach), x + reach + 1)
        expected[:, :, y, x] = plane[:, :, rows, columns].mean((2, 3))
    torch.testing.assert_close(smoothed(plane, size), expected)
