"""The training-free correlation finds the lag that was put in, and calls chance chance."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter1d

from detector.analysis.kinds.audiovisual.lip_sync import lip_sync, speech_envelope

BEFORE = 25


def curve(seed: int, count: int = 75 + 2 * BEFORE) -> np.ndarray:
    return gaussian_filter1d(np.random.default_rng(seed).standard_normal(count + 40), 1.6)[20:-20]


@pytest.mark.parametrize("late", [-12, 0, 3, 12])
def test_the_lag_is_found(late: int) -> None:
    envelope = curve(0)
    opening = np.roll(envelope, -late)[BEFORE:-BEFORE].astype(np.float32)
    found = lip_sync(opening, np.ones(75, bool), envelope, BEFORE)
    assert found is not None
    assert found.lag_s == pytest.approx(late / 25)
    assert found.correlation > 0.9
    assert (found.z_score > 3) == (abs(late) <= 4)
    assert found.elsewhere is not None
    assert (found.natural > found.elsewhere) == (abs(late) <= 4)


def test_p_values_of_unrelated_curves_are_not_small() -> None:
    values = []
    for seed in range(40):
        found = lip_sync(curve(seed)[BEFORE:-BEFORE].astype(np.float32), np.ones(75, bool), curve(1000 + seed), BEFORE)
        assert found is not None
        values.append(found.p_value)
    assert 0.25 < float(np.mean(values)) < 0.75
    assert float(np.mean(np.array(values) < 0.05)) <= 0.15


def test_what_is_not_seen_is_not_used() -> None:
    envelope = curve(0)
    opening = envelope[BEFORE:-BEFORE].astype(np.float32)
    seen = np.ones(75, bool)
    seen[30:45] = False
    spoiled = opening.copy()
    spoiled[30:45] = 50.0
    assert lip_sync(spoiled, seen, envelope, BEFORE) == lip_sync(np.where(seen, opening, 0), seen, envelope, BEFORE)


@pytest.mark.parametrize("case", ["still mouth", "steady sound", "too short", "no sound"])
def test_without_anything_to_compare_there_is_no_answer(case: str) -> None:
    envelope, opening = curve(0), curve(0)[BEFORE:-BEFORE].astype(np.float32)
    seen = np.ones(75, bool)
    if case == "still mouth":
        opening = np.full(75, 0.2, np.float32)
    elif case == "steady sound":
        envelope = np.full_like(envelope, -20.0)
    elif case == "too short":
        seen[15:] = False
    else:
        envelope = np.full_like(envelope, np.nan)
    assert lip_sync(opening, seen, envelope, BEFORE) is None


def test_the_envelope_is_on_the_asked_times_and_unknown_outside() -> None:
    level = np.full(100, -20.0, np.float32)
    level[50:] = -10.0
    envelope = speech_envelope(level, 2.0, 1.0, 75)
    assert np.isnan(envelope[:25]).all()
    assert envelope[30] == pytest.approx(-20, abs=0.1)
    assert envelope[45] == pytest.approx(-10, abs=0.1)
    assert np.isnan(envelope[51:]).all()
