"""Clips: what transmission does to both twins alike, and manipulations whose time and place are known."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from detector.synthesis.clip_fakes import BASES, DYNAMICS, Plan, draw_fake_clip, draw_plan, manipulate, visible_change
from detector.synthesis.clip_space import FaceSpace, follow
from detector.synthesis.clips import FaceClip, compress_clip, draw_transmission, wander
from detector.synthesis.reconstruction import build_reconstruction_network
from tests.synthesis.clips import face_clip


@pytest.fixture(scope="module")
def clip() -> FaceClip:
    return face_clip()


@pytest.fixture(scope="module")
def donor() -> FaceClip:
    return face_clip(tint=0.6)


@pytest.fixture(scope="module")
def network() -> torch.nn.Module:
    torch.manual_seed(0)
    return build_reconstruction_network("detail", {"up_sampling": "nearest"}).eval()


def plans() -> list[Plan]:
    steady = [Plan(base, "wobble" if base == "same" else "steady") for base in BASES]
    return steady + [Plan("self_blend", dynamics) for dynamics in DYNAMICS[1:]] + [Plan("same", "gain")]


@pytest.mark.parametrize("plan", plans(), ids=lambda plan: plan.kind)
def test_only_what_the_mask_covers_in_the_interval_changes(
    plan: Plan, clip: FaceClip, donor: FaceClip, network: torch.nn.Module
) -> None:
    spliced = replace(plan, interval_s=(0.5, 1.25))
    fake = manipulate(clip, spliced, np.random.default_rng(3), donor=donor, networks=[network])
    inside = (clip.times_s >= 0.5) & (clip.times_s < 1.25)
    assert fake.intervals_s == ((0.5, 1.25),)
    assert (fake.frame_labels == inside).all()
    assert (fake.clip.images[~inside] == clip.images[~inside]).all()
    assert fake.masks[~inside].max() == 0
    assert (fake.clip.landmarks[~inside] == clip.landmarks[~inside]).all()
    changed = np.abs(fake.clip.images.astype(int) - clip.images).max(3)
    assert changed[fake.masks == 0].max() <= 1  # a mask below 1/255 is 0 as well
    assert visible_change(clip, fake) > 1
    assert fake.kind == f"{plan.base}+{plan.dynamics}+spliced"


def test_equal_seeds_give_equal_clips(clip: FaceClip, donor: FaceClip, network: torch.nn.Module) -> None:
    first, second, other = (
        draw_fake_clip(clip, lambda: donor, [network], np.random.default_rng(seed), spliced=True) for seed in (1, 1, 2)
    )
    assert (first.clip.images == second.clip.images).all()
    assert first.intervals_s == second.intervals_s
    assert other.intervals_s != first.intervals_s


def test_a_steady_fake_is_steadier_than_a_flickering_one(clip: FaceClip) -> None:
    still = FaceClip(
        np.repeat(clip.images[:1], 16, 0), np.repeat(clip.landmarks[:1], 16, 0), np.arange(16) / 8
    )  # nothing moves in it, so what moves is the manipulation

    def restlessness(dynamics: str) -> float:
        moves = [
            np.abs(np.diff(manipulate(still, Plan("self_blend", dynamics), rng).clip.images.astype(int), axis=0)).mean()
            for rng in map(np.random.default_rng, range(4))
        ]
        return float(np.mean(moves))

    assert restlessness("flicker") > 3 * restlessness("steady")
    assert restlessness("wobble") > 1.5 * restlessness("steady")


def test_a_frozen_face_rides_on_a_moving_head(clip: FaceClip) -> None:
    fake = manipulate(clip, Plan("frozen", "steady"), np.random.default_rng(0))
    space = FaceSpace.of(fake.clip)
    cover = FaceSpace.of(clip)
    lips = (slice(None), slice(round(0.6 * cover.size_px), round(0.7 * cover.size_px)))

    def mouth_motion(one: FaceSpace) -> float:
        mouths = np.stack([one.image(index) for index in range(16)]).astype(float)
        return float(mouths[lips].std(0).mean())

    assert mouth_motion(space) < 0.7 * mouth_motion(cover)


def test_following_landmarks_moves_the_picture_there(clip: FaceClip) -> None:
    source, target = clip.landmarks[0], clip.landmarks[4]
    moved = follow(clip.images[0], source, target)
    assert moved.shape == clip.images[0].shape
    near = np.abs(moved[60:110, 50:110].astype(int) - clip.images[4][60:110, 50:110]).mean()
    apart = np.abs(clip.images[0][60:110, 50:110].astype(int) - clip.images[4][60:110, 50:110]).mean()
    assert near < 0.6 * apart


def test_face_space_takes_the_motion_of_the_head_out(clip: FaceClip) -> None:
    space = FaceSpace.of(clip)
    held = np.stack([space.points(index) for index in range(16)])
    assert held.std(0).mean() < 0.5 * clip.landmarks.std(0).mean()


def test_transmission_treats_twins_alike_and_keeps_time(clip: FaceClip, donor: FaceClip) -> None:
    fake = manipulate(clip, Plan("swap", "steady", (0.5, 1.25)), np.random.default_rng(0), donor=donor)
    large = replace(clip, landmarks=2 * clip.landmarks)  # faces of 150 px may shrink
    drawn = [draw_transmission(large, np.random.default_rng(seed)) for seed in range(40)]
    kinds = {
        "smaller": next(one for one in drawn if one.scale < 0.8),
        "stutters": next(one for one in drawn if (np.diff(one.index) == 0).any()),
        "exposed": next(one for one in drawn if one.exposure.std()),
        "twice": next(one for one in drawn if one.first_crf is not None),
    }
    for one in kinds.values():
        real, manipulated = one(clip), one.shown(fake)
        assert real.images.shape == manipulated.clip.images.shape
        assert manipulated.masks.shape == real.images.shape[:3]
        assert (real.times_s == clip.times_s).all()
        scale = np.array(real.images.shape[2:0:-1]) / clip.images.shape[2:0:-1]
        np.testing.assert_allclose(real.landmarks, clip.landmarks[one.index] * scale, atol=1e-3)
        assert (one(clip).images == real.images).all()


def test_compression_is_of_the_whole_clip(clip: FaceClip) -> None:
    fine, coarse = (compress_clip(clip.images, crf) for crf in (12, 36))
    assert fine.shape == clip.images.shape
    errors = [np.abs(one.astype(int) - clip.images).mean() for one in (fine, coarse)]
    assert errors[0] < 3 < errors[1] + 2
    assert errors[0] < 0.6 * errors[1]


def test_short_clips_are_never_spliced_and_redrawing_needs_networks(clip: FaceClip) -> None:
    short = FaceClip(clip.images[:6], clip.landmarks[:6], clip.times_s[:6])
    rng = np.random.default_rng(0)
    drawn = [draw_plan(short, rng, networks=False, spliced=True) for _ in range(60)]
    assert all(plan.interval_s is None for plan in drawn)
    assert not any(plan.base.startswith("redraw") for plan in drawn)
    with pytest.raises(ValueError, match="network"):
        manipulate(clip, Plan("redraw", "steady"), rng)
    with pytest.raises(ValueError, match="donor"):
        manipulate(clip, Plan("swap", "steady"), rng)
    with pytest.raises(ValueError, match="no manipulation"):
        Plan("same", "steady")


def test_a_random_walk_remembers_as_asked() -> None:
    white, slow = (wander(np.arange(4000), np.random.default_rng(0), memory) for memory in (0.0, 0.9))
    assert white.std() == pytest.approx(1, abs=0.1)
    assert slow.std() == pytest.approx(1, abs=0.2)
    assert np.corrcoef(slow[1:], slow[:-1])[0, 1] == pytest.approx(0.9, abs=0.05)
    assert abs(np.corrcoef(white[1:], white[:-1])[0, 1]) < 0.1


def test_malformed_clips_are_refused(clip: FaceClip) -> None:
    with pytest.raises(ValueError, match="ascending"):
        FaceClip(clip.images, clip.landmarks, clip.times_s[::-1])
    with pytest.raises(ValueError, match="even sides"):
        FaceClip(clip.images[:, :-1], clip.landmarks, clip.times_s)
    with pytest.raises(ValueError, match="468"):
        FaceClip(clip.images, clip.landmarks[:, :10], clip.times_s)
