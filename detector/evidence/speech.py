"""Speech in time: log-mel spectrogram, loudness in the speech band, and segments of speech.

Speech is found by energy and spectrum alone (as in ITU-T G.729 Annex B, with other thresholds): loud against the noise
around it, and not flat like noise. Music and singing pass for speech; the measurements that follow say whether lips
move with it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_closing, binary_opening

from detector.evidence.audio import SAMPLE_RATE_HZ, Sound

HOP_S = 0.01
MEL_BANDS = 64
_HOP, _WINDOW, _FFT = 160, 400, 512
_LOW_HZ, _HIGH_HZ = 60.0, 7600.0
_FLOOR_POWER = 1e-8
# Speech must rise this far above the quiet moments within 15 s, and lie within this of the loud ones.
_ABOVE_FLOOR_DB, _BELOW_PEAK_DB, _AROUND_S = 7.0, 30.0, 15.0
_ABSOLUTE_FLOOR_DB = -60.0
_MAX_FLATNESS = 0.5
_BRIDGED_S, _SHORTEST_S = 0.3, 0.15


@dataclass(frozen=True, slots=True, eq=False)
class SpeechActivity:
    """Measured every 10 ms from `start_s` on: `is_speech` (F,) bool; `level_db` (F,) float32, power of 150-4,000 Hz in
    dB of full scale."""

    start_s: float
    is_speech: NDArray[np.bool_]
    level_db: NDArray[np.float32]

    @property
    def speech_s(self) -> float:
        """Seconds of speech in all."""
        return float(self.is_speech.sum()) * HOP_S

    @property
    def segments_s(self) -> tuple[tuple[float, float], ...]:
        """(start, end) of each segment of speech; silence before the first and behind the last is not among them."""
        edges = np.flatnonzero(np.diff(np.concatenate([[False], self.is_speech, [False]]).astype(np.int8)))
        return tuple(
            (self.start_s + HOP_S * int(low), self.start_s + HOP_S * int(high))
            for low, high in zip(edges[::2], edges[1::2], strict=True)
        )


def log_mel(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """(F, 64) float32 natural-log mel power; frame f is centred on sample 160 f (10 ms apart), F = N // 160.

    16 kHz mono in; Hann window of 25 ms, 512-point FFT, 64 triangular bands of the HTK mel scale from 60 to 7,600 Hz,
    log(power + 1e-8). Edges are padded with silence.
    """
    power = _power(samples)
    return np.log(power @ _mel_bank() + _FLOOR_POWER).astype(np.float32)


def mel_around(
    sound: Sound, start_s: float, count: int, margin: int, rate_hz: float
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Spectrogram beside `count` pictures at `rate_hz` (a divisor of 100) from `start_s`, and beside `margin` more at
    both ends: ((count + 2 margin) x 100 / rate, 64) float32, 0 outside the sound, and which pictures' time lies wholly
    within the sound, (count + 2 margin,) bool."""
    first_s = start_s - margin / rate_hz
    pictures = count + 2 * margin
    mel = log_mel(sound.cut(first_s, first_s + pictures / rate_hz).samples)
    times = first_s + np.arange(pictures) / rate_hz
    heard = (times >= sound.start_s - 1e-6) & (times + 1 / rate_hz <= sound.end_s + 1e-6)
    return np.where(np.repeat(heard, len(mel) // pictures)[:, None], mel, 0).astype(np.float32), heard


def speech_activity(blocks: Iterable[Sound]) -> SpeechActivity | None:
    """The times at which somebody speaks, from seamless blocks of sound; None where there are no blocks.

    A frame is speech where its level is 7 dB above the 10th percentile within 15 s, at most 30 dB below the 95th, above
    -60 dB of full scale, and its spectrum is not flat. Pauses under 0.3 s are bridged, bursts under 0.15 s dropped.
    """
    levels, flatnesses, start_s = [], [], None
    for block in blocks:
        start_s = block.start_s if start_s is None else start_s
        power = _power(block.samples)[:, _speech_bins()]
        levels.append(10 * np.log10(power.sum(1) / _FULL_SCALE + 1e-12))
        flatnesses.append(np.exp(np.log(power + 1e-12).mean(1)) / (power.mean(1) + 1e-12))
    if start_s is None:
        return None
    level_db = np.concatenate(levels).astype(np.float32)
    flat = np.concatenate(flatnesses) > _MAX_FLATNESS
    floor_db, peak_db = _surroundings(level_db)
    loud = level_db > np.maximum(np.maximum(floor_db + _ABOVE_FLOOR_DB, peak_db - _BELOW_PEAK_DB), _ABSOLUTE_FLOOR_DB)
    return SpeechActivity(start_s, _smoothed(loud & ~flat), level_db)


def _smoothed(raw: NDArray[np.bool_]) -> NDArray[np.bool_]:
    bridge, shortest = round(_BRIDGED_S / HOP_S), round(_SHORTEST_S / HOP_S)
    padded = np.pad(raw, bridge)
    bridged = binary_closing(padded, np.ones(bridge))[bridge:-bridge]
    return np.asarray(binary_opening(bridged, np.ones(shortest)))


def _surroundings(level_db: NDArray[np.float32]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Quiet and loud level around each frame, measured once a second."""
    per_second = round(1 / HOP_S)
    reach = round(_AROUND_S / HOP_S)
    centres = np.arange(0, max(1, len(level_db)), per_second)
    around = [level_db[max(0, centre - reach) : centre + reach] for centre in centres]
    quiet, loud = (np.array([np.percentile(part, share) for part in around]) for share in (10, 95))
    places = np.arange(len(level_db))
    return np.interp(places, centres, quiet), np.interp(places, centres, loud)


_FULL_SCALE = _FFT * float((np.hanning(_WINDOW) ** 2).sum()) / 2


def _power(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """(F, 257) power spectrum, frame f centred on sample 160 f."""
    frames = len(samples) // _HOP
    half = _WINDOW // 2
    padded = np.pad(samples, (half, half))
    if frames == 0:
        return np.zeros((0, _FFT // 2 + 1), np.float32)
    cut = np.lib.stride_tricks.sliding_window_view(padded, _WINDOW)[::_HOP][:frames]
    spectrum = np.fft.rfft(cut * np.hanning(_WINDOW).astype(np.float32), _FFT, axis=1)
    return (spectrum.real**2 + spectrum.imag**2).astype(np.float32)


@cache
def _speech_bins() -> slice:
    step_hz = SAMPLE_RATE_HZ / _FFT
    return slice(round(150 / step_hz), round(4000 / step_hz) + 1)


@cache
def _mel_bank() -> NDArray[np.float32]:
    """(257, 64) triangles, peak 1."""
    to_mel = 2595 * np.log10(1 + np.array([_LOW_HZ, _HIGH_HZ]) / 700)
    edges_hz = 700 * (10 ** (np.linspace(to_mel[0], to_mel[1], MEL_BANDS + 2) / 2595) - 1)
    bins_hz = np.arange(_FFT // 2 + 1)[:, None] * SAMPLE_RATE_HZ / _FFT
    rising = (bins_hz - edges_hz[:-2]) / np.diff(edges_hz)[:-1]
    falling = (edges_hz[2:] - bins_hz) / np.diff(edges_hz)[1:]
    return np.clip(np.minimum(rising, falling), 0, None).astype(np.float32)
