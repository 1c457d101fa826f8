"""A correlation without training: the mouth's opening against the loudness of speech, at every lag.

Lip opening and the loudness of speech rise and fall together (Chandrasekaran et al., PLoS Comput. Biol. 2009). Both are
freed of slow drift, and their normalised correlation is taken at every lag. What chance alone gives is read from the
same two curves: the envelope is turned round in a circle, so that rhythm stays and the link in time is lost.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

RATE_HZ = 25.0
# Lags within which sound and picture of an untouched recording lie; a camera's sound may come late or a little early.
NATURAL_LAG_S = 0.16
MAX_LAG_S = 1.0
_SMOOTH_S, _DRIFT_S = 0.05, 0.6
# Correlations over fewer common samples than this are chance.
_MIN_COMMON_S = 0.8


@dataclass(frozen=True, slots=True)
class LipSync:
    """`correlation` in [-1, 1] at the best lag, `lag_s` > 0 where sound comes late; `natural` the best correlation at
    lags within 0.16 s and `elsewhere` the best beyond; `z_score` how many standard deviations `natural` lies above what
    circular shifts give, `p_value` the share of those that reach it (at least 1 / (shifts + 1))."""

    correlation: float
    lag_s: float
    natural: float
    elsewhere: float | None
    z_score: float
    p_value: float


def speech_envelope(level_db: NDArray[np.float32], start_s: float, first_s: float, count: int) -> NDArray[np.float64]:
    """Loudness (100 a second from `start_s`, dB) at `count` points 25 a second from `first_s` on.

    Levels are limited to the upper 40 dB, since below lies the room and not the voice; NaN where there is no sound.
    """
    level = np.maximum(level_db, level_db.max() - 40.0 if len(level_db) else 0.0).astype(np.float64)
    smooth = gaussian_filter1d(level, 2.0, mode="nearest") if len(level) else level
    times = first_s + np.arange(count) / RATE_HZ
    known = start_s + np.arange(len(level)) / 100.0
    return np.interp(times, known, smooth, left=np.nan, right=np.nan)


def lip_sync(
    opening: NDArray[np.float32], seen: NDArray[np.bool_], envelope: NDArray[np.float64], before: int
) -> LipSync | None:
    """Lagged correlation of `opening` (T,) with `envelope` (T + 2 x before,), both at 25 Hz.

    Envelope sample `before` + t belongs to opening sample t; the `before` samples on both sides let lags be compared on
    the same segment of the mouth. Only samples that are `seen` and heard count. None where fewer than 0.8 s are common,
    or the mouth or the sound does not vary.
    """
    mouth = _without_drift(opening.astype(np.float64), seen)
    heard = np.isfinite(envelope)
    sound = _without_drift(np.where(heard, envelope, 0.0), heard)
    span = min(before, round(MAX_LAG_S * RATE_HZ))
    lags = np.arange(-span, span + 1)
    count = len(mouth)
    by_lag = np.array(
        [
            _correlation(
                mouth, sound[before + lag : before + lag + count], seen & heard[before + lag : before + lag + count]
            )
            for lag in lags
        ]
    )
    natural_range = np.abs(lags) <= round(NATURAL_LAG_S * RATE_HZ)
    if not np.isfinite(by_lag[natural_range]).any():
        return None
    natural = float(np.nanmax(by_lag[natural_range]))
    beyond = by_lag[~natural_range]
    best = int(np.nanargmax(by_lag))
    null = _null(mouth, sound, seen, heard, before, natural_range.sum())
    spread = float(null.std()) if len(null) else 0.0
    return LipSync(
        correlation=float(by_lag[best]),
        lag_s=float(lags[best] / RATE_HZ),
        natural=natural,
        elsewhere=float(np.nanmax(beyond)) if np.isfinite(beyond).any() else None,
        z_score=(natural - float(null.mean())) / spread if spread > 1e-6 else 0.0,
        p_value=float((1 + (null >= natural).sum()) / (1 + len(null))),
    )


def _null(
    mouth: NDArray[np.float64],
    sound: NDArray[np.float64],
    seen: NDArray[np.bool_],
    heard: NDArray[np.bool_],
    before: int,
    width: int,
) -> NDArray[np.float64]:
    """The best of `width` neighbouring lags, as `natural` is one, at every circular shift of the heard envelope that
    is farther away than the natural lags."""
    places = np.flatnonzero(heard)
    ring = sound[places[0] : places[-1] + 1]
    offset, count = before - int(places[0]), len(mouth)
    usable = seen & (np.arange(count) + offset >= 0) & (np.arange(count) + offset < len(ring))
    at = (np.arange(count) + offset) % len(ring)
    every = np.array([_correlation(mouth, np.roll(ring, -shift)[at], usable) for shift in range(len(ring))])
    if not np.isfinite(every).all():
        return np.empty(0)
    windows = np.lib.stride_tricks.sliding_window_view(np.concatenate([every, every[: width - 1]]), width).max(axis=1)
    # Window i covers shifts i .. i + width - 1; those that touch the natural lags are not chance.
    return windows[width // 2 + 1 : len(ring) - width - width // 2]


def _without_drift(values: NDArray[np.float64], valid: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Band-pass by two Gaussians that ignore what is not valid."""

    def smooth(width_s: float) -> NDArray[np.float64]:
        weight = gaussian_filter1d(valid.astype(np.float64), width_s * RATE_HZ, mode="nearest")
        total = gaussian_filter1d(np.where(valid, values, 0.0), width_s * RATE_HZ, mode="nearest")
        return total / np.maximum(weight, 1e-6)

    return np.asarray(smooth(_SMOOTH_S) - smooth(_DRIFT_S))


def _correlation(mouth: NDArray[np.float64], sound: NDArray[np.float64], common: NDArray[np.bool_]) -> float:
    if common.sum() < _MIN_COMMON_S * RATE_HZ:
        return float("nan")
    first, second = mouth[common] - mouth[common].mean(), sound[common] - sound[common].mean()
    norm = float(np.linalg.norm(first) * np.linalg.norm(second))
    return float(first @ second) / norm if norm > 1e-6 else float("nan")
