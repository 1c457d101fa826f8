"""What is met, missed and not checked."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from detector.analysis.comparison import compare
from detector.calibration.calibration import ErrorRow
from detector.measurement.results import Measurement
from detector.validation.documents import Criterion, Result, Verdict
from detector.validation.judge import auc_figure, inverted_rows, judge, part_verdicts, result_of
from detector.validation.observe import Counted, Observations, locked_versions
from tests.validation.observed import MODEL, SAMPLE, criteria, model, observations, scores

EXPECTED = criteria()
RNG = np.random.default_rng(5)
GOOD = scores(RNG.normal(-1, 1, 40), RNG.normal(1, 1, 40))
CARD = Measurement(("videos", "held_out_genuine"), 0.9, interval=(0.85, 0.95), n_real=50, n_fake=50)


def judged(seen: Observations) -> tuple[dict[str, Verdict], Result]:
    rows = judge(EXPECTED, seen, [model()])
    result = result_of(part_verdicts(rows, supplied=seen.supplied is not None))
    return {row.measure: row.verdict for row in rows}, result


def supplied(table: pd.DataFrame, *measured: Measurement, calibration: object | None = None) -> list[Criterion]:
    rows = judge(EXPECTED, observations(supplied=table), [model(measured=measured, calibration=calibration)])
    return [row for row in rows if row.part == "supplied_suite"]


def test_an_installation_as_it_was_shipped_meets_every_criterion() -> None:
    found, result = judged(observations())
    assert set(found) == {
        "repeated_analysis", "sample_scores", "signed_files", "models_as_shipped", "locked_versions", "clips_scored",
        "auc", "detection_rate", "false_alarm_rate",
    }  # fmt: skip
    assert set(found.values()) == {"pass"}
    assert result == "pass"


@pytest.mark.parametrize(
    ("measure", "changes"),
    [
        ("repeated_analysis", {"repeated": compare({"score": 0.25}, {"score": 0.25000001}, logit_tolerance=0)}),
        ("sample_scores", {"sample_logits": {SAMPLE: {MODEL: 1.02}}}),
        ("sample_scores", {"sample_logits": {SAMPLE: {}}}),
        ("sample_scores", {"sample_logits": {SAMPLE: {MODEL: 1.0, "another": 0.0}}}),
        ("signed_files", {"signed_files": Counted(2, 3, ("a.safetensors",))}),
        ("models_as_shipped", {"models_as_shipped": Counted(0, 1, ("ensemble-x: own",))}),
        ("locked_versions", {"locked_versions": Counted(8, 9, ("torch: 1 → 2",))}),
        ("clips_scored", {"synthesised": observations().synthesised.iloc[1:]}),
        ("auc", {"synthesised": scores(RNG.normal(0, 1, 20), RNG.normal(0, 1, 20))}),
        ("detection_rate", {"synthesised": scores([-3.0] * 20, [-2.0] * 20)}),
        ("false_alarm_rate", {"synthesised": scores([1.0] * 20, [2.0] * 20)}),
    ],
)
def test_each_criterion_is_missed_where_what_it_is_about_is_worse(measure: str, changes: dict[str, object]) -> None:
    seen = replace(observations(), **changes)  # type: ignore[arg-type]
    found, result = judged(seen)
    assert (found[measure], result) == ("fail", "fail")


def test_a_distance_within_the_tolerance_is_met_and_named() -> None:
    rows = judge(EXPECTED, observations(sample_logits={SAMPLE: {MODEL: 1.009}}), [model()])
    row = next(row for row in rows if row.measure == "sample_scores")
    assert row.verdict == "pass"
    assert row.found.value == pytest.approx(0.009)


@pytest.mark.parametrize(
    ("measure", "changes"),
    [
        ("repeated_analysis", {"repeated": compare({}, {}, logit_tolerance=0)}),
        ("signed_files", {"signed_files": Counted(0, 0, ("not signed",))}),
        ("locked_versions", {"locked_versions": Counted(0, 0)}),
        ("auc", {"synthesised": scores([0.0, 0.0], [1.0] * 20)}),
    ],
)
def test_what_checked_nothing_is_never_met(measure: str, changes: dict[str, object]) -> None:
    seen = replace(observations(), **changes)  # type: ignore[arg-type]
    found, result = judged(seen)
    assert found[measure] == "not_checked"
    assert result != "pass"


def test_without_anything_expected_nothing_is_met() -> None:
    empty = observations(sample_logits={}, synthesised=observations().synthesised.iloc[:0])
    nothing = criteria(empty)
    rows = [row for row in judge(nothing, empty, [model()]) if row.part == "synthesised_suite"]
    assert [row.verdict for row in rows] == ["not_checked"]
    parts = part_verdicts([], supplied=True)
    assert {part.verdict for part in parts} == {"not_checked"}
    assert result_of(parts) == "incomplete"


def test_a_supplied_suite_is_held_to_the_intervals_of_the_card() -> None:
    (row,) = supplied(GOOD, CARD)
    assert (row.verdict, row.source) == ("pass", "videos · held_out_genuine")
    assert row.found.interval is not None
    assert row.found.interval[1] >= 0.85
    (worse,) = supplied(scores(RNG.normal(0, 1, 40), RNG.normal(0, 1, 40)), CARD)
    assert worse.verdict == "fail"
    assert worse.found.interval is not None
    assert worse.found.interval[1] < 0.85


def test_fewer_than_ten_of_a_label_are_too_few_and_a_suite_of_such_figures_alone_is_incomplete() -> None:
    few = scores(RNG.normal(-1, 1, 9), RNG.normal(1, 1, 40))
    (row,) = supplied(few, CARD)
    assert (row.verdict, row.reason) == ("not_checked", "too_few")
    assert judged(observations(supplied=few))[1] == "incomplete"


def test_where_the_labels_lie_wholly_apart_the_interval_does_not_claim_to_be_sure() -> None:
    apart = auc_figure(scores([0.0] * 12, [1.0] * 30))
    assert apart.value == 1
    assert apart.interval is not None
    assert apart.interval[0] == pytest.approx(0.025 ** (1 / 12), abs=1e-4)


def test_a_figure_that_nothing_could_miss_is_not_expected() -> None:
    poor = observations(synthesised=scores([0.0, 1.0, 2.0], [0.0, 1.0, 2.0]))
    assert poor.synthesised["logit"].notna().all()
    assert not [row for row in criteria(poor).expected.figures if row.measure == "auc"]
    assert [row for row in EXPECTED.expected.figures if row.measure == "auc"]


def test_a_card_without_figures_leaves_the_model_unchecked() -> None:
    (row,) = supplied(GOOD)
    assert (row.verdict, row.reason) == ("not_checked", "no_figure")


def test_error_rates_are_held_to_those_of_the_calibration() -> None:
    known = ErrorRow(
        condition="all", value="all", n_real=100, n_fake=100, false_alarms=5, misses=10,
        false_alarm_interval=(0.02, 0.11), miss_interval=(0.05, 0.18),
    )  # fmt: skip
    calibration = SimpleNamespace(
        set_name="a set", thresholds=(-0.5, 0.5), error_row=lambda condition, value: known, sha256="b" * 64
    )
    wrong = scores([1.0] * 20 + [-1.0] * 20, [1.0] * 40)
    found = {row.measure: row for row in supplied(wrong, calibration=calibration) if row.measure != "auc"}
    assert found["false_alarm_rate"].verdict == "fail"
    assert found["false_alarm_rate"].found.value == 0.5
    assert found["miss_rate"].verdict == "pass"
    assert found["miss_rate"].source == "a set"


def test_parts_of_a_suite_that_rank_the_wrong_way_round_are_listed() -> None:
    turned = scores(RNG.normal(1, 1, 40), RNG.normal(-1, 1, 40), generator="upside down")
    rows = inverted_rows(turned, [model()], resamples=40)
    assert [(row.model, row.dimension, row.name) for row in rows] == [
        (MODEL, "", ""),
        (MODEL, "generator", "upside down"),
    ]
    assert all(row.auc.value is not None and row.auc.value < 0.5 for row in rows)
    assert inverted_rows(GOOD, [model()], resamples=40) == ()


def test_versions_other_than_the_locks_are_named(tmp_path: Path) -> None:
    lock = tmp_path / "requirements.lock"
    lock.write_text("# made by hand\nnumpy==0.0.1\nno-such-package-anywhere==1.0\n")
    found = locked_versions(lock)
    assert (found.right, found.checked) == (0, 1)
    assert found.wrong[0].startswith("numpy: 0.0.1 → ")
    assert locked_versions(tmp_path / "none").checked == 0
