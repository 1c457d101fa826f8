"""Every manipulation by name: what it needs, what it changes, how much, and when."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from detector.errors import SettingsError
from detector.evidence.audio import Sound
from detector.synthesis.catalogue import KINDS, USUAL_KINDS, Request, changes_something, lacking, make, spliced
from detector.synthesis.reconstruction import build_reconstruction_network
from detector.synthesis.sources import Source
from detector.synthesis.torn import tear
from tests.synthesis.clips import face_clip
from tests.synthesis.faces import face_image


def sound(seed: int, seconds: float) -> Sound:
    """Bursts of a buzzing voice, four a second."""
    at = np.arange(round(16_000 * seconds)) / 16_000
    buzz = sum(np.sin(2 * np.pi * (110 + 30 * seed) * k * at) / k for k in range(1, 20))
    grain = np.random.default_rng(seed).normal(0, 0.002, len(at))
    return Sound((0.2 * buzz * (np.sin(2 * np.pi * 4 * at) > 0) + grain).astype(np.float32), 0.0)


@pytest.fixture(scope="module")
def request_() -> Request:
    torch.manual_seed(0)
    clip, other = face_clip(8), face_clip(8, tint=0.6)
    network = build_reconstruction_network("detail", {"up_sampling": "nearest", "width": 8}).eval()
    source = Source("one", "", clip, sound(0, clip.duration_s), face_image())
    donor = Source("two", "", other, sound(1, clip.duration_s))
    return Request(source, 1.0, 5, donor, [network])


@pytest.mark.parametrize("kind", [kind for kind in USUAL_KINDS if not kind.startswith(("audio", "talking"))])
def test_only_the_mask_changes_and_equal_seeds_give_equal_clips(kind: str, request_: Request) -> None:
    twins, again = make(kind, request_), make(kind, request_)
    np.testing.assert_array_equal(twins.fake.images, again.fake.images)
    assert twins.masks is not None
    changed = np.abs(twins.fake.images.astype(int) - twins.real.images).max(3)
    assert changed[twins.masks == 0].max(initial=0) <= 1
    assert changed[twins.masks > 128].mean() > 0.5
    assert twins.masks.shape == twins.fake.images.shape[:3]


@pytest.mark.parametrize("kind", ["audio_shift", "audio_swap", "audio_dub", "audio_voice"])
def test_sound_alone_changes_and_keeps_its_length(kind: str, request_: Request) -> None:
    twins = make(kind, request_)
    assert twins.masks is None
    assert twins.fake is twins.real
    assert twins.real_sound is not None
    assert twins.fake_sound is not None
    assert len(twins.fake_sound.samples) == len(twins.real_sound.samples)
    assert np.abs(twins.fake_sound.samples - twins.real_sound.samples).mean() > 0.01


@pytest.mark.parametrize("kind", ["self_blend", "softened", "expression", "noise_mismatch"])
def test_strength_is_obeyed(kind: str, request_: Request) -> None:
    def change(strength: float) -> float:
        twins = make(kind, replace(request_, strength=strength))
        return float(np.abs(twins.fake.images.astype(int) - twins.real.images).mean())

    assert change(0.2) < 0.9 * change(1.0)


def test_a_spliced_twin_is_genuine_outside_its_interval(request_: Request) -> None:
    twins = spliced(make("self_blend", request_), (0.3, 0.7))
    times = twins.real.times_s
    inside = (times >= 0.3) & (times < 0.7)
    np.testing.assert_array_equal(twins.fake.images[~inside], twins.real.images[~inside])
    assert twins.masks is not None
    assert twins.masks[~inside].max() == 0
    assert twins.masks[inside].max() > 200
    heard = spliced(make("audio_swap", request_), (0.3, 0.7))
    assert heard.fake_sound is not None
    assert heard.real_sound is not None
    differs = np.flatnonzero(heard.fake_sound.samples != heard.real_sound.samples) / 16_000
    assert 0.29 < differs.min() < differs.max() < 0.71


@pytest.mark.parametrize("kind", ["torn", "paste"])
@pytest.mark.parametrize("seed", range(3))
def test_what_is_there_for_moments_is_genuine_outside_them(kind: str, seed: int) -> None:
    source = Source("one", "", face_clip(48))
    twins = make(kind, Request(source, 1.0, seed))
    assert twins.intervals_s is not None
    assert twins.masks is not None
    times = twins.real.times_s
    inside = np.zeros(len(times), bool)
    for start, end in twins.intervals_s:
        inside |= (times >= start) & (times < end)
    changed = np.abs(twins.fake.images.astype(int) - twins.real.images).reshape(len(times), -1).max(1) > 1
    np.testing.assert_array_equal(changed, inside)
    np.testing.assert_array_equal(twins.masks.reshape(len(times), -1).max(1) > 0, inside)
    assert not inside[0]
    assert not inside[-1]
    assert changes_something(twins)
    np.testing.assert_array_equal(make(kind, Request(source, 1.0, seed)).fake.images, twins.fake.images)
    frames = [int(((times >= start) & (times < end)).sum()) for start, end in twins.intervals_s]
    if kind == "torn":
        assert len(frames) in (2, 3)
        assert all(2 <= count <= 6 for count in frames)
    else:
        ((start, end),) = twins.intervals_s
        assert end - start == pytest.approx(1.0)


def test_a_tear_moves_a_part_of_the_face_by_a_share_of_its_width() -> None:
    clip = face_clip(48)
    fake = tear(clip, np.random.default_rng(4))
    moved = np.linalg.norm(fake.clip.landmarks - clip.landmarks, axis=2)[fake.frame_labels]
    assert 0.02 * clip.face_px < np.median(moved.max(1)) < 0.35 * clip.face_px  # two parts may move the same landmark
    assert (np.median(moved, axis=1) < 0.12 * clip.face_px).all()
    faint = tear(clip, np.random.default_rng(4), strength=0.3)
    assert np.linalg.norm(faint.clip.landmarks - clip.landmarks, axis=2).max() < 0.5 * moved.max()


def test_clips_too_short_for_moments_are_refused() -> None:
    source = Source("one", "", face_clip(10))
    for kind, why in (("torn", "fewer than 24 frames"), ("paste", "shorter than 1.5 s")):
        assert why in str(lacking(kind, Request(source, 1.0, 0)))
    with pytest.raises(ValueError, match="24 frames"):
        tear(source.clip, np.random.default_rng(0))


def test_a_splice_keeps_the_part_of_each_interval_that_it_holds() -> None:
    twins = make("paste", Request(Source("one", "", face_clip(48)), 1.0, 0))
    assert twins.intervals_s is not None
    ((start, end),) = twins.intervals_s
    assert spliced(twins, (0.0, start + 0.4)).intervals_s == ((start, start + 0.4),)
    assert spliced(twins, (end + 0.01, end + 0.2)).intervals_s == ()
    whole = make("self_blend", Request(Source("one", "", face_clip(48)), 1.0, 0))
    assert whole.intervals_s is None
    assert spliced(whole, (0.2, 0.4)).intervals_s == ((0.2, 0.4),)


def test_a_twin_that_is_not_changed_is_known(request_: Request) -> None:
    silent = Sound(np.zeros_like(request_.source.sound.samples), 0.0)  # type: ignore[union-attr]
    dub = replace(request_, source=replace(request_.source, sound=silent))
    assert not changes_something(make("audio_dub", dub))  # nobody speaks, so there is nothing to speak over
    assert changes_something(make("audio_voice", request_))
    twins = make("mouth", request_)
    assert changes_something(twins)
    assert not changes_something(replace(twins, fake=twins.real))


def test_what_is_lacking_is_said(request_: Request) -> None:
    bare = Request(replace(request_.source, sound=None, portrait=None), 1.0, 0)
    reasons = {kind: lacking(kind, bare) for kind in ("swap", "redraw", "talking_head", "audio_shift", "ageing")}
    assert "--donor" in str(reasons["swap"])
    assert "--networks" in str(reasons["redraw"])
    assert "stills" in str(reasons["talking_head"])
    assert "no sound" in str(reasons["audio_shift"])
    assert "unknown" in str(reasons["ageing"])
    with pytest.raises(SettingsError, match="--donor"):
        make("swap", bare)
    long_enough = [kind for kind in KINDS if not kind.startswith("same") and kind not in ("torn", "paste")]
    assert all(lacking(kind, request_) is None for kind in long_enough)
    assert set(USUAL_KINDS) <= set(KINDS)
