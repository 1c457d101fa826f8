"""How far recent values lie from those of a set, against values worked by hand."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from detector.measurement.drift import (
    bin_edges,
    categorical_drift,
    measure_drift,
    numeric_drift,
    population_stability_index,
    psi_by_chance,
)

HUNDRED = np.arange(1.0, 101.0)


def test_the_index_is_that_worked_by_hand() -> None:
    # Shares with a half added: 50.5/101 of either bin, against 15.5/21 and 5.5/21.
    by_hand = (15.5 / 21 - 0.5) * math.log(15.5 / 10.5) + (5.5 / 21 - 0.5) * math.log(5.5 / 10.5)
    assert by_hand == pytest.approx(0.2467, abs=1e-4)
    assert population_stability_index(np.array([50, 50]), np.array([15, 5])) == pytest.approx(by_hand)
    assert population_stability_index(np.array([30, 70]), np.array([30, 70])) == 0.0


def test_recent_scores_that_all_lie_in_the_lowest_decile_have_drifted() -> None:
    assert bin_edges(HUNDRED).tolist() == [10, 20, 30, 40, 50, 60, 70, 80, 90]
    found = numeric_drift("logit", HUNDRED, np.linspace(1.0, 10.0, 20))
    # A share of 0.82 against 0.1 in one bin, and of 0.02 in each of nine: 0.72 ln 8.2 + 9 * 0.08 ln 5.
    assert found.psi == pytest.approx(2.6738, abs=1e-4)
    assert found.ks == pytest.approx(0.9)
    assert found.ks_p is not None
    assert found.ks_p < 1e-6
    assert (found.reading, found.drifted, found.reason) == ("large", True, None)
    assert (found.n_recent, found.n_set) == (20, 100)


def test_a_value_that_fills_several_deciles_is_a_bin_of_its_own() -> None:
    tall = np.repeat([720.0, 1080.0], [90, 10])
    edges = bin_edges(tall)
    assert np.searchsorted(edges, [480.0, 720.0, 721.0, 1080.0]).tolist() == [0, 1, 2, 2]
    assert numeric_drift("short_side_px", tall, np.full(30, 480.0)).drifted
    assert not numeric_drift("short_side_px", tall, np.repeat([720.0, 1080.0], [27, 3])).drifted


def test_what_chance_gives_is_known_for_many_values_and_less_than_that_for_few() -> None:
    # (1/n + 1/m) times 16.919, the 95 % point of chi-squared of nine degrees of freedom.
    many = psi_by_chance(np.full(10, 40_000), np.full(10, 20_000))
    assert many == pytest.approx((1 / 400_000 + 1 / 200_000) * 16.919, rel=0.06)
    few = psi_by_chance(np.full(10, 30), np.full(10, 2))
    assert 0.6 < few < (1 / 300 + 1 / 20) * 16.919 == pytest.approx(0.902, abs=1e-3)
    assert few == psi_by_chance(np.full(10, 30), np.full(10, 2))


def test_a_high_index_of_few_files_is_no_drift_where_chance_gives_it() -> None:
    rng = np.random.default_rng(1)
    found = [numeric_drift("logit", rng.normal(size=300), rng.normal(size=20)) for _ in range(60)]
    assert sum(one.reading == "large" for one in found) > 30
    assert sum(one.drifted for one in found) <= 7
    moved = [numeric_drift("logit", rng.normal(size=300), rng.normal(1.5, size=20)) for _ in range(20)]
    assert all(one.drifted for one in moved)


def test_categories_are_compared_by_the_index_alone() -> None:
    found = categorical_drift("codec", ["h264"] * 80 + ["hevc"] * 20, ["h264"] * 10 + ["vp9"] * 10)
    shares = [((10.5, 21.5), (80.5, 101.5)), ((0.5, 21.5), (20.5, 101.5)), ((10.5, 21.5), (0.5, 101.5))]
    by_hand = sum((a / n - b / m) * math.log((a / n) / (b / m)) for (a, n), (b, m) in shares)
    assert found.psi == pytest.approx(by_hand)
    assert (found.ks, found.ks_p, found.drifted) == (None, None, True)


def test_fewer_than_twenty_files_give_no_figure_and_the_reason() -> None:
    found = numeric_drift("logit", HUNDRED, HUNDRED[:19])
    assert (found.psi, found.psi_by_chance, found.ks, found.ks_p, found.reading) == (None,) * 5
    assert found.reason == "too few: 19 recent files with a value, at least 20 are needed"
    assert not found.drifted
    assert categorical_drift("codec", [], ["h264"] * 20).reason == "the set has no such value"


def test_what_is_not_known_of_a_file_is_left_out_of_its_column_alone() -> None:
    of_set = pd.DataFrame({"logit": HUNDRED, "sound": [True] * 100})
    recent = pd.DataFrame({"logit": [*HUNDRED[:24], None], "sound": [None] * 6 + [False] * 19})
    score, sound = measure_drift(of_set, recent, numbers=["logit"], categories=["sound"])
    assert (score.n_recent, score.reason) == (24, None)
    assert (sound.n_recent, sound.psi) == (19, None)
