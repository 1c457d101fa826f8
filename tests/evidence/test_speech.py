"""Speech is told from silence and from steady sound, and the spectrogram says which pitch is when."""

from __future__ import annotations

import numpy as np
import pytest

from detector.evidence.audio import SAMPLE_RATE_HZ, Sound
from detector.evidence.speech import HOP_S, log_mel, mel_around, speech_activity
from tests.talking import syllables, voice


def test_speech_is_found_between_silences() -> None:
    talk = voice(np.maximum(syllables(2.0), 0.15))
    quiet = 1e-4 * np.random.default_rng(0).standard_normal(SAMPLE_RATE_HZ).astype(np.float32)
    activity = speech_activity([Sound(np.concatenate([quiet, talk, quiet]), 5.0)])
    assert activity is not None
    assert activity.segments_s[0][0] == pytest.approx(6.0, abs=0.1)
    assert activity.segments_s[-1][1] == pytest.approx(8.0, abs=0.1)
    assert 1.6 < activity.speech_s <= 2.2


@pytest.mark.parametrize("kind", ["silence", "tone", "noise"])
def test_steady_sound_is_not_speech(kind: str) -> None:
    times = np.arange(4 * SAMPLE_RATE_HZ) / SAMPLE_RATE_HZ
    samples = {
        "silence": np.zeros(len(times)),
        "tone": 0.3 * np.sin(2 * np.pi * 440 * times),
        "noise": 0.1 * np.random.default_rng(0).standard_normal(len(times)),
    }[kind].astype(np.float32)
    activity = speech_activity([Sound(samples, 0.0)])
    assert activity is not None
    assert activity.speech_s < 0.2


def test_blocks_give_the_same_as_one_piece() -> None:
    talk = voice(syllables(4.0))
    whole = speech_activity([Sound(talk, 0.0)])
    halves = speech_activity([Sound(talk[:32_000], 0.0), Sound(talk[32_000:], 2.0)])
    assert whole is not None
    assert halves is not None
    assert len(whole.is_speech) == len(halves.is_speech)
    assert np.mean(whole.is_speech == halves.is_speech) > 0.98
    assert speech_activity([]) is None


def test_spectrogram_is_centred_and_ordered_by_pitch() -> None:
    samples = np.zeros(SAMPLE_RATE_HZ, np.float32)
    samples[8000:8160] = 1.0
    mel = log_mel(samples)
    assert mel.shape == (100, 64)
    assert abs(int(mel.mean(1).argmax()) - 50) <= 1
    times = np.arange(SAMPLE_RATE_HZ) / SAMPLE_RATE_HZ
    bands = [int(log_mel(np.sin(2 * np.pi * hz * times).astype(np.float32))[50].argmax()) for hz in (200, 1000, 4000)]
    assert bands == sorted(bands)
    assert len(set(bands)) == 3


def test_mel_around_marks_what_lies_outside_the_sound() -> None:
    sound = Sound(np.ones(SAMPLE_RATE_HZ, np.float32), 2.0)
    mel, heard = mel_around(sound, 2.2, 20, 10, 25.0)
    assert mel.shape == (160, 64)
    assert heard.sum() == 25
    assert not mel[: 4 * 5].any()
    assert round(4 * HOP_S * 25) == 1
