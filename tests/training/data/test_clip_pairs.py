"""Pairs of video frames: one clip, one transmission, a manipulation that shows, and no softness that names the fake."""

from pathlib import Path

import numpy as np
import pytest

from detector.synthesis.sharpness import high_frequency_energy
from detector.training.data.clip_pairs import ClipPairs, FramePair
from detector.training.data.facebank import FaceBank
from detector.training.data.pool import SampleMaker
from detector.training.data.readings import Reading
from tests.synthesis.clips import face_clip
from tests.training.banks import small_bank


def reading(name: str, tint: float) -> Reading:
    return Reading(face_clip(16, tint=tint), f"{name}.mp4", 0, name, "clips", "train")


@pytest.fixture(scope="module")
def clips() -> ClipPairs:
    return ClipPairs([reading("anna", 0.8), reading("ben", 1.0)])


@pytest.fixture(scope="module")
def pairs(clips: ClipPairs) -> list[FramePair]:
    rng = np.random.default_rng(1)
    return [pair for _ in range(9) for pair in clips.draw(rng)]


def inside(pair: FramePair) -> np.ndarray:
    return pair.mask > 127


def test_twins_are_of_one_size_and_differ_where_the_mask_is(pairs: list[FramePair]) -> None:
    ratios = []
    for pair in pairs:
        assert pair.real.shape == pair.fake.shape
        assert pair.mask.shape == pair.real.shape[:2]
        assert pair.landmarks.shape == (468, 2)
        difference = np.abs(pair.real.astype(int) - pair.fake).mean(2)
        assert pair.mask.any()
        if inside(pair).any() and (pair.mask == 0).mean() > 0.2:
            ratios.append(difference[inside(pair)].mean() / difference[pair.mask == 0].mean())
    assert np.median(ratios) > 2


def test_pairs_are_a_function_of_the_seed(clips: ClipPairs) -> None:
    first, again, other = (clips.draw(np.random.default_rng(seed)) for seed in (5, 5, 6))
    np.testing.assert_array_equal(first[0].fake, again[0].fake)
    assert len(first) == len(again)
    assert first[0].real.shape != other[0].real.shape or not np.array_equal(first[0].real, other[0].real)


def test_sharpness_does_not_say_which_twin_is_manipulated(pairs: list[FramePair]) -> None:
    ratio = [np.log(high_frequency_energy(p.fake) / high_frequency_energy(p.real)) for p in pairs]
    assert abs(np.mean(ratio)) < 0.25
    assert 0.2 < np.mean(np.array(ratio) > 0) < 0.8


def test_swaps_need_two_people() -> None:
    with pytest.raises(ValueError, match="two people"):
        ClipPairs([reading("anna", 1.0), reading("anna", 1.0)])


def test_a_shard_takes_its_share_of_pairs_from_video(tmp_path: Path, clips: ClipPairs) -> None:
    """Video frames here are 160 px across, photographs 256: what is cut from the former is enlarged, so softer."""
    bank: FaceBank = small_bank(tmp_path / "bank")
    drawn: list[int] = []

    class Counting(ClipPairs):
        def draw(self, rng: np.random.Generator) -> list[FramePair]:
            found = clips.draw(rng)
            drawn.append(len(found))
            return found

    counting = Counting([reading("anna", 0.8), reading("ben", 1.0)])
    shard = SampleMaker(bank, "train", 0.0, 96, clips=counting, clip_share=0.5).shard(0, pairs=12, labelled=2)
    assert 6 <= sum(drawn) < 6 + 4
    assert list(shard.labels[:24]) == [0, 1] * 12
    assert (shard.masks[1:24:2].reshape(12, -1).max(1) > 0).all()
    assert shard.masks[0:24:2].max() == 0
    without = SampleMaker(bank, "train", 0.0, 96, clips=counting, clip_share=0.0).shard(0, pairs=12, labelled=2)
    plain = SampleMaker(bank, "train", 0.0, 96).shard(0, pairs=12, labelled=2)
    np.testing.assert_array_equal(without.images, plain.images)
