"""A pool of many generators: one threshold for all, intervals by group, every family and source apart."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from detector.measurement.metrics import interval_by_group, rank_auc
from detector.measurement.pooled import Pool, measure_pool
from detector.measurement.results import Results
from detector.measurement.thresholds import Thresholds


def clips(logits: dict[tuple[str, str, str], np.ndarray]) -> tuple[pd.DataFrame, np.ndarray]:
    """Clips of (family, generator, source), each of a group of its own; a family "" is genuine."""
    rows, values = [], []
    for (family, generator, source), own in logits.items():
        for logit in own:
            label = "fake" if family else "real"
            rows.append((label, f"g{len(rows)}", source, family, generator))
            values.append(logit)
    return pd.DataFrame(rows, columns=["label", "group", "source", "family", "generator"]), np.array(values)


def test_auc_and_its_interval_are_those_of_drawing_groups_again() -> None:
    rng = np.random.default_rng(0)
    fake, real = rng.normal(1, 1, 80).round(1), rng.normal(0, 1, 60).round(1)
    groups = np.array([f"g{number // 4}" for number in range(140)])
    value, interval = Pool(fake, real, groups[:80], groups[80:]).auc()
    labels, logits = np.r_[np.ones(80, int), np.zeros(60, int)], np.r_[fake, real]
    assert value == pytest.approx(rank_auc(labels, logits), abs=1e-4)
    drawn = interval_by_group(groups, lambda rows: rank_auc(labels[rows], logits[rows]), resamples=2000)
    assert interval == pytest.approx(drawn, abs=0.015)


def test_copies_of_a_clip_in_its_group_are_no_further_evidence() -> None:
    rng = np.random.default_rng(1)
    fake, real = rng.normal(0.5, 1, 30), rng.normal(0, 1, 30)
    names = np.array([f"g{number}" for number in range(60)])
    _, once = Pool(fake, real, names[:30], names[30:]).auc()
    _, copied = Pool(*(np.repeat(part, 9) for part in (fake, real, names[:30], names[30:]))).auc()
    apart = np.array([f"g{number}" for number in range(540)])
    _, wrongly = Pool(np.repeat(fake, 9), np.repeat(real, 9), apart[:270], apart[270:]).auc()
    assert np.ptp(copied) == pytest.approx(np.ptp(once), rel=0.05)
    assert np.ptp(wrongly) < 0.5 * np.ptp(once)


def test_the_threshold_lets_as_many_genuine_clips_pass_as_asked_for_and_no_more() -> None:
    real, fake = np.arange(40.0), np.array([36.5, 37.0, 37.5, 38.0, 38.5, 100.0])
    names = np.array([f"g{number}" for number in range(46)])
    pool = Pool(fake, real, names[:6], names[6:])
    point = pool.found_at(0.05)  # two of forty
    assert point.threshold_logit == 37.0
    assert point.share == pytest.approx(4 / 6, abs=1e-4)
    assert point.interval[0] < point.share < point.interval[1]
    assert pool.found_at(0.01).share == pytest.approx(1 / 6, abs=1e-4)
    tied = Pool(fake, np.full(40, 37.0), names[:6], names[6:]).found_at(0.05)
    assert (tied.threshold_logit, tied.share) == (37.0, pytest.approx(4 / 6, abs=1e-4))


def test_a_scale_that_shifts_between_sources_shows_in_the_pool() -> None:
    """Within either source fakes lie above genuine clips; under one threshold the louder source's clips are alarms."""
    rng = np.random.default_rng(2)
    table, logits = clips(
        {
            ("", "", "calm"): rng.normal(-2, 0.3, 40),
            ("", "", "loud"): rng.normal(2, 0.3, 40),
            ("swap", "a", "calm"): rng.normal(0, 0.3, 30),
            ("whole", "b", "loud"): rng.normal(4, 0.3, 30),
        }
    )
    found = measure_pool(table, logits, None)
    assert found["per_family", "whole"].value > 0.99
    assert found["per_family", "swap"].value == pytest.approx(0.5, abs=0.05)
    assert found["per_family", "swap"].rates["found_at_5_percent_false_alarms"] == 0
    assert found["all",].rates["found_at_5_percent_false_alarms"] == 0.5
    assert found.table("found").cell("at_5_percent_false_alarms", "share") == 0.5
    alarms = found.table("genuine_per_source")
    assert alarms.cell("loud", "share") == pytest.approx(0.1)
    assert alarms.cell("calm", "false_alarms") == 0


def test_what_cannot_be_measured_is_counted_and_never_scored() -> None:
    table, logits = clips(
        {
            ("", "", "s"): np.linspace(-1, 1, 20),
            ("swap", "rare", "s"): np.array([5.0, np.nan, 5.0]),
            ("animation", "common", "s"): np.linspace(-4, -2, 6),
        }
    )
    table["problem"] = np.where(np.isnan(logits), "No face was found.", None)
    found = measure_pool(table, logits, Thresholds(0.5, -0.5, ""))
    rare, common = found["per_generator", "rare"], found["per_generator", "common"]
    assert (rare.value, rare.n_fake, rare.too_few) == (None, 2, True)
    assert common.worse_than_chance
    assert found["all",].counts == {"groups": 28, "not_scored": 1}
    assert dict(found.table("not_scored").rows) == {"No face was found.": (1,)}
    called = found.table("called")
    assert dict(called.rows) == {"called_genuine": (20, 5, 10, 5, 0), "called_fake": (8, 2, 0, 6, 1)}
    assert called.columns == ("clips", "likely_manipulated", "inconclusive", "no_manipulation_found", "not_scored")
    assert Results.read(json.loads(json.dumps(found.as_json(), allow_nan=False))) == found


def test_too_few_genuine_clips_give_no_figure() -> None:
    table, logits = clips({("", "", "s"): np.zeros(2), ("swap", "a", "s"): np.ones(9)})
    found = measure_pool(table, logits, None)
    assert (found["all",].value, found["all",].n_real) == (None, 2)
    assert not found.under("per_family")
    with pytest.raises(ValueError, match="needs 3 finite logits"):
        Pool(np.ones(9), np.zeros(2), np.full(9, "a"), np.full(2, "b"))
