"""Manipulated sound is manipulated in the way it says, and genuine sound passes the same encoder."""

from __future__ import annotations

import numpy as np
import pytest

from detector.evidence.audio import SAMPLE_RATE_HZ, Sound
from detector.evidence.speech import speech_activity
from detector.synthesis.audio import (
    LARGEST_SHIFT_S,
    SMALLEST_SHIFT_S,
    Voice,
    draw_shift_s,
    dubbed,
    re_voiced,
    recode,
    shifted,
    swapped,
    trimmed,
)
from tests.talking import syllables, voice


def talk(seed: int = 0, seconds: float = 2.0) -> Sound:
    return Sound(voice(np.maximum(syllables(seconds, seed), 0.1), seed=seed), 1.0)


def level(samples: np.ndarray) -> float:
    return float(np.sqrt(np.mean(samples**2)))


def test_shifts_span_both_directions_and_the_documented_range() -> None:
    drawn = np.array([draw_shift_s(np.random.default_rng(seed)) for seed in range(200)])
    assert (drawn < 0).any()
    assert (drawn > 0).any()
    assert np.abs(drawn).min() >= SMALLEST_SHIFT_S
    assert np.abs(drawn).max() <= LARGEST_SHIFT_S
    sound = talk()
    late = shifted(sound, 0.25)
    assert late.start_s == 1.25
    assert np.array_equal(late.cut(1.75, 2.0).samples, sound.cut(1.5, 1.75).samples)


def test_a_swap_is_as_loud_and_as_long() -> None:
    sound, other = talk(0), Sound(talk(1, 1.0).samples * 5, 0.0)
    fake = swapped(sound, other)
    assert fake.samples.shape == sound.samples.shape
    assert level(fake.samples) == pytest.approx(level(sound.samples), rel=0.01)
    assert abs(np.corrcoef(fake.samples, sound.samples)[0, 1]) < 0.3
    with pytest.raises(ValueError, match="empty"):
        swapped(sound, Sound(np.zeros(0, np.float32), 0.0))


def test_a_dub_speaks_where_the_original_spoke() -> None:
    quiet = np.full(SAMPLE_RATE_HZ, 1e-4, np.float32)
    original = Sound(np.concatenate([quiet, talk(0).samples, quiet]), 0.0)
    other = talk(1)
    activity, theirs = speech_activity([original]), speech_activity([other])
    assert activity is not None
    assert theirs is not None
    fake = dubbed(original, activity, other, theirs)
    found = speech_activity([fake])
    assert found is not None
    assert found.segments_s[0][0] == pytest.approx(activity.segments_s[0][0], abs=0.12)
    assert np.array_equal(fake.samples[: SAMPLE_RATE_HZ // 2], original.samples[: SAMPLE_RATE_HZ // 2])
    middle = slice(int(1.5 * SAMPLE_RATE_HZ), int(2.5 * SAMPLE_RATE_HZ))
    assert not np.allclose(fake.samples[middle], original.samples[middle], atol=1e-3)


@pytest.mark.parametrize(("pitch", "stretch"), [(1.2, 1.0), (0.85, 1.1)])
def test_another_voice_has_another_pitch_and_pace(pitch: float, stretch: float) -> None:
    times = np.arange(2 * SAMPLE_RATE_HZ) / SAMPLE_RATE_HZ
    rhythm = np.maximum(0, np.sin(2 * np.pi * 3 * times))
    sound = Sound((0.3 * rhythm * np.sin(2 * np.pi * 200 * times)).astype(np.float32), 0.0)
    fake = re_voiced(sound, Voice(pitch, 1.0, stretch))
    spectrum = np.abs(np.fft.rfft(fake.samples, 1 << 17))
    hz = float(spectrum.argmax()) * SAMPLE_RATE_HZ / (1 << 17)
    assert hz == pytest.approx(200 * pitch, rel=0.03)
    assert len(fake.samples) / len(sound.samples) == pytest.approx(stretch, rel=0.02)
    assert (fake.start_s + fake.end_s) / 2 == pytest.approx(1.0, abs=0.001)
    assert level(fake.samples) == pytest.approx(level(sound.samples), rel=0.02)


@pytest.mark.parametrize("codec", ["aac", "libopus", "libmp3lame"])
def test_an_encoder_changes_the_sound_but_not_its_place(codec: str) -> None:
    sound = talk()
    coded = recode(sound, codec, 24_000)  # type: ignore[arg-type]
    assert coded.start_s == sound.start_s
    assert coded.samples.shape == sound.samples.shape
    assert not np.array_equal(coded.samples, sound.samples)
    middle = slice(8000, 24_000)
    by_lag = {lag: float(sound.samples[middle] @ np.roll(coded.samples, -lag)[middle]) for lag in range(-120, 121, 4)}
    assert abs(max(by_lag, key=lambda lag: by_lag[lag])) <= 16


def test_silence_before_and_behind_is_cut_off() -> None:
    quiet = np.zeros(SAMPLE_RATE_HZ, np.float32)
    whole = Sound(np.concatenate([quiet, talk().samples, quiet]), 0.0)
    activity = speech_activity([whole])
    assert activity is not None
    part = trimmed(whole, activity)
    assert part.start_s == pytest.approx(1.0, abs=0.12)
    assert part.end_s == pytest.approx(3.0, abs=0.12)
    silent = speech_activity([Sound(quiet, 0.0)])
    assert silent is not None
    assert len(trimmed(Sound(quiet, 0.0), silent).samples) == 0
