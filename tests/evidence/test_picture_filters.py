"""Whole-frame filters on pictures whose truth is known."""

from __future__ import annotations

import re

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from skimage.data import astronaut

from detector.errors import EvidenceError, OversizedError, SettingsError
from detector.evidence.picture_filters import FILTERS, apply_filter

Picture = NDArray[np.uint8]
PASTE = (slice(64, 128), slice(96, 160))


def coded(image: Picture, quality: int) -> Picture:
    """The picture after one more JPEG compression, as software at large makes it (4:2:0)."""
    _, data = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.ascontiguousarray(cv2.imdecode(data, cv2.IMREAD_COLOR)[..., ::-1])


def inside_and_outside(picture: Picture) -> tuple[float, float]:
    """Mean of a filter's picture in the pasted part, and in all the rest of it but its surroundings."""
    around = np.ones(picture.shape[:2], bool)
    around[40:152, 72:184] = False
    return float(picture[PASTE].mean()), float(picture[around].mean())


@pytest.fixture(scope="module")
def photo() -> Picture:
    return np.ascontiguousarray(astronaut()[:256, 128:384])


def noise(shape: tuple[int, ...], level: float, seed: int = 0) -> NDArray[np.float64]:
    return np.random.default_rng(seed).normal(0, level, shape)


def grey(values: NDArray[np.float64]) -> Picture:
    return np.repeat(np.clip(np.rint(values), 0, 255).astype(np.uint8)[..., None], 3, axis=2)


def test_a_pasted_part_of_another_quality_lights_up_in_the_error_level() -> None:
    scene = np.clip(np.rint(128 + noise((256, 256, 3), 20)), 0, 255).astype(np.uint8)
    often = scene
    for _ in range(4):
        often = coded(often, 70)
    pasted = often.copy()
    pasted[PASTE] = scene[PASTE]
    inside, outside = inside_and_outside(apply_filter(pasted, "error-level", (70, 5)).picture)
    assert inside > 2 * outside
    inside, outside = inside_and_outside(apply_filter(often, "error-level", (70, 5)).picture)
    assert inside == pytest.approx(outside, rel=0.2)


def test_the_error_level_is_the_difference_amplified(photo: Picture) -> None:
    weak, strong = (apply_filter(photo, "error-level", (90, gain)).picture for gain in (1, 5))
    np.testing.assert_array_equal(strong, np.minimum(weak.astype(int) * 5, 255))
    assert weak.any()


@pytest.mark.parametrize(("left", "top"), [(0, 0), (3, 0), (5, 6)])
def test_the_grid_of_a_cropped_jpeg_is_found_where_it_is(photo: Picture, left: int, top: int) -> None:
    cropped = coded(photo, 40)[top:, left:]
    reading = apply_filter(cropped, "blocking").reading
    assert f"columns {-left % 8} + 8n (" in reading
    assert f"rows {-top % 8} + 8n (" in reading


def test_a_part_whose_grid_is_shifted_by_3_px_is_dark_in_the_frames_grid_and_bright_in_another(photo: Picture) -> None:
    scene = coded(photo, 30)
    pasted = scene.copy()
    pasted[64:160, 96:192] = coded(photo, 30)[64:160, 93:189]
    own = apply_filter(pasted, "blocking", ("the frame's own", 40, 3)).picture[80:144, 112:176].mean()
    before = apply_filter(scene, "blocking", ("the frame's own", 40, 3)).picture[80:144, 112:176].mean()
    another = apply_filter(pasted, "blocking", ("another", 40, 3)).picture[80:144, 112:176].mean()
    before_another = apply_filter(scene, "blocking", ("another", 40, 3)).picture[80:144, 112:176].mean()
    assert own < before - 10
    assert another > before_another + 10


def test_a_picture_that_was_never_coded_in_blocks_has_no_grid() -> None:
    reading = apply_filter(grey(128 + noise((512, 512), 12)), "blocking").reading
    ratios = [float(found) for found in re.findall(r"\((\d\.\d\d) times", reading)]
    assert ratios == pytest.approx([1.0, 1.0], abs=0.1)


def test_channels_are_those_of_opencv(photo: Picture) -> None:
    luma, cr, cb = cv2.split(cv2.cvtColor(photo, cv2.COLOR_RGB2YCrCb))
    hue, saturation, value = cv2.split(cv2.cvtColor(photo, cv2.COLOR_RGB2HSV_FULL))
    red, green, blue = cv2.split(photo)
    wanted = {"Red": red, "Green": green, "Blue": blue, "Y′": luma, "Cb": cb, "Cr": cr}
    wanted |= {"Hue": hue, "Saturation": saturation, "Value": value}
    assert tuple(wanted) == FILTERS["channel"].options[0].values
    for channel, plane in wanted.items():
        shown = apply_filter(photo, "channel", (channel,)).picture
        np.testing.assert_array_equal(shown, np.repeat(plane[..., None], 3, axis=2))


@pytest.mark.parametrize("name", ["noise", "sensor-noise"])
def test_a_part_without_the_noise_of_its_surroundings_is_flat(name: str) -> None:
    slope = np.linspace(60, 180, 256)[None].repeat(256, axis=0)
    picture = slope + noise((256, 256), 5)
    picture[PASTE] = slope[PASTE]
    shown = apply_filter(grey(picture), name).picture[..., 0].astype(float)
    assert shown[:48].std() > 3 * shown[80:112, 112:144].std()
    assert np.median(shown) == pytest.approx(128, abs=1)
    even = apply_filter(np.full((64, 64, 3), 90, np.uint8), name).picture
    np.testing.assert_array_equal(even, np.full((64, 64, 3), 128, np.uint8))


def test_what_is_the_same_along_a_whole_row_or_column_is_no_sensor_noise() -> None:
    grain = noise((200, 200), 2)
    lines = noise((200, 1), 6, seed=1) + noise((1, 200), 6, seed=2)
    plain, striped = (
        apply_filter(grey(128 + part), "sensor-noise", (7, 1)).picture[..., 0].astype(float)
        for part in (grain, grain + lines)
    )
    assert np.abs(striped.mean(axis=1) - 128).max() < 0.2
    assert np.abs(striped.mean(axis=0) - 128).max() < 0.2
    assert striped.std() < 2 * plain.std()
    median = apply_filter(grey(128 + grain + lines), "noise", (7, 1)).picture[..., 0].astype(float)
    assert np.abs(median.mean(axis=1) - 128).max() > 2


def test_the_gradient_of_a_slope_is_its_steepness_and_its_direction() -> None:
    across = grey(np.arange(64.0)[None].repeat(64, axis=0) * 2)
    for image, (red, green) in ((across, (148, 128)), (across.transpose(1, 0, 2), (128, 148))):
        shown = apply_filter(np.ascontiguousarray(image), "gradient", ("both", 10)).picture[8:-8, 8:-8]
        np.testing.assert_array_equal(shown, np.broadcast_to(np.array([red, green, 20], np.uint8), shown.shape))
    for direction, level in (("across", 148), ("down", 128), ("size", 20)):
        assert (apply_filter(across, "gradient", (direction, 10)).picture[8:-8, 8:-8] == level).all()


@pytest.mark.parametrize("name", FILTERS)
def test_a_filter_gives_a_picture_of_the_same_size_and_leaves_its_own_alone(photo: Picture, name: str) -> None:
    odd = photo[:101, :135]  # no whole number of blocks, and no contiguous memory
    before = odd.copy()
    first, second = (apply_filter(odd, name).picture for _ in range(2))
    assert (first.shape, first.dtype) == (odd.shape, np.uint8)
    assert not np.shares_memory(first, photo)
    assert first.std() > 1
    np.testing.assert_array_equal(first, second)
    np.testing.assert_array_equal(odd, before)


def test_every_value_that_is_offered_works_and_changes_the_picture(photo: Picture) -> None:
    small = coded(photo, 40)[::2, ::2]
    for name, chosen in FILTERS.items():
        for place, option in enumerate(chosen.options):
            assert option.usual in option.values
            made = {
                apply_filter(small, name, (*chosen.usual[:place], value, *chosen.usual[place + 1 :])).picture.tobytes()
                for value in option.values
            }
            assert len(made) == len(option.values), (name, option.title)


def test_the_settings_of_a_filter_are_said_in_words() -> None:
    assert FILTERS["error-level"].setting_text((90, 10)) == "JPEG quality 90 %, amplified 10 times"
    assert FILTERS["channel"].setting_text(("Cb",)) == "channel Cb"


def test_the_sensor_like_noise_says_that_it_identifies_no_camera() -> None:
    assert "identifies no camera" in FILTERS["sensor-noise"].cannot_show


def test_what_cannot_be_filtered_is_refused_with_what_to_do(photo: Picture) -> None:
    with pytest.raises(SettingsError, match="choose one of error-level"):
        apply_filter(photo, "magic")
    with pytest.raises(SettingsError, match="amplified is one of 1, 2, 5, 10, 20, 40; 3 is none"):
        apply_filter(photo, "noise", (3, 3))
    with pytest.raises(SettingsError, match="2 options"):
        apply_filter(photo, "noise", (3,))
    with pytest.raises(EvidenceError, match="at least 32 pixels; this picture has 31 × 256"):
        apply_filter(photo[:, :31], "noise")
    with pytest.raises(OversizedError, match="9000 × 9000"):
        apply_filter(np.broadcast_to(np.uint8(0), (9000, 9000, 3)), "noise")
    with pytest.raises(ValueError, match="uint8"):
        apply_filter(photo.astype(np.float32), "noise")  # type: ignore[arg-type]
