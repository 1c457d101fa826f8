"""Nuisances: repeatable, size-keeping, and truly lossy."""

import numpy as np
import pytest

from detector.synthesis.degrade import draw_degradation, h264, hue_shift, jpeg, rescale
from tests.synthesis.faces import face_image


def test_a_drawn_chain_repeats_exactly() -> None:
    image = face_image().image
    for seed in range(15):
        chain = draw_degradation(np.random.default_rng(seed))
        np.testing.assert_array_equal(chain(image), chain(image))
        assert chain(image).shape == image.shape
        assert chain(image).dtype == np.uint8


def test_chains_differ_and_some_change_the_picture_much() -> None:
    image = face_image().image.astype(int)
    changes = [np.abs(draw_degradation(np.random.default_rng(s))(face_image().image) - image).mean() for s in range(30)]
    assert max(changes) > 8
    assert len({round(change, 4) for change in changes}) > 20


@pytest.mark.parametrize(("lossy", "gentle", "harsh"), [(jpeg, 95, 20), (h264, 18, 42)])
def test_harder_compression_loses_more(lossy, gentle: int, harsh: int) -> None:
    image = face_image().image
    errors = [np.abs(lossy(image, setting).astype(int) - image).mean() for setting in (gentle, harsh)]
    assert 0 < errors[0] < errors[1] < 30


def test_h264_keeps_odd_sizes() -> None:
    image = face_image().image[:101, :77]
    assert h264(image, 23).shape == image.shape


def test_rescale_removes_fine_detail() -> None:
    checks = np.indices((64, 64)).sum(0) % 2 * 255
    image = np.repeat(checks[..., None], 3, 2).astype(np.uint8)
    assert rescale(image, 0.5).std() < 10


def test_a_hue_turns_and_turns_back_and_saturation_fades() -> None:
    image = np.zeros((8, 8, 3), np.uint8) + np.uint8((200, 80, 60))
    turned = hue_shift(image, 120, 1.0)
    assert turned[0, 0].argmax() == 1
    assert np.abs(hue_shift(turned, -120, 1.0).astype(int) - image).max() <= 6
    assert np.ptp(hue_shift(image, 0, 0.2)[0, 0].astype(int)) < 50
