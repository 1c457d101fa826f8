"""From scores with known truth to strength of evidence."""

from __future__ import annotations

import hashlib
import json
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit

from detector.calibration import fitting
from detector.calibration.calibration import Calibration, Policy, condition_classes
from detector.calibration.calibrators import METHODS, Calibrator, Floats, Method, Truth, fit
from detector.calibration.fitting import cross_fitted, fit_calibration, policy_thresholds
from detector.calibration.likelihood import NO_SUPPORT, bounds, verbal
from detector.calibration.sets import COLUMNS, CalibrationSet, find_set
from detector.errors import CalibrationError
from detector.measurement.likelihood_ratio import cllr
from tests.calibration.by_hand import make_set

NORMAL = np.random.default_rng(0)


def scores(count: int, *, slope: float = 1.0, shift: float = 0.0, seed: int = 0) -> tuple[Floats, Truth, Floats]:
    """Logits, truth and the true log-likelihood ratios: normal scores of variance 2 x distance are their own LLR."""
    rng = np.random.default_rng(seed)
    fake = np.arange(count) % 2 == 0
    ratios = rng.normal(np.where(fake, 1.5, -1.5), math.sqrt(3.0))
    return (ratios - shift) / slope, fake, ratios


def made_set(count: int = 400, *, groups: int = 40, **distorted: float) -> CalibrationSet:
    logits, fake, _ = scores(count, **distorted)  # type: ignore[arg-type]
    number = np.arange(count) // 2 % groups
    table = pd.DataFrame(
        {
            "sha256": [f"{place:064x}" for place in range(count)],
            "label": np.where(fake, "fake", "real"),
            "source": [f"source {one % 8}" for one in number],
            "group": [f"person {one}" for one in number],
            "generator": np.where(fake, [f"generator {one % 8}" for one in number], None),
            "family": None,
            "model": "frame-a",
            "logit": logits,
            "face_px": np.where(np.arange(count) % 10 < 8, 120.0, 400.0),
            "short_side_px": 720,
            "bits_per_pixel": 0.1,
            "exposure": 0.5,
            "codec": "h264",
            "frames_scored": 20,
            "sound": True,
        }
    )
    return CalibrationSet("made", "made up for a test", {"frame-a": "digest"}, table[list(COLUMNS)])


@pytest.mark.parametrize("method", METHODS)
def test_a_calibrator_undoes_a_known_distortion(method: Method) -> None:
    slope, shift = (2.5, 0.0) if method == "temperature" else (2.5, 0.8)
    logits, fake, _ = scores(4_000, slope=slope, shift=shift)
    asked, truth, ratios = scores(2_000, slope=slope, shift=shift, seed=1)
    found = fit(method, logits, fake)(asked)
    assert float(np.median(np.abs(found - ratios))) < 0.35
    assert cllr(truth, found) < cllr(truth, asked)
    assert cllr(truth, found) == pytest.approx(cllr(truth, ratios), abs=0.02)


def test_temperature_and_platt_find_the_very_parameters() -> None:
    logits, fake, _ = scores(20_000, slope=2.0)
    assert fit("temperature", logits, fake).parameters[0] == pytest.approx(0.5, abs=0.02)
    logits, fake, _ = scores(20_000, slope=2.0, shift=1.0)
    assert fit("platt", logits, fake).parameters == pytest.approx((2.0, 1.0), abs=0.1)


@pytest.mark.parametrize("method", METHODS)
def test_a_higher_score_never_speaks_less_for_manipulation(method: Method) -> None:
    rng = np.random.default_rng(3)
    fake = rng.random(300) < 0.5
    found = fit(method, rng.normal(size=300), fake)(np.linspace(-6, 6, 200))
    assert (np.diff(found) >= -1e-9).all()
    assert np.isfinite(found).all()


def test_the_prior_of_a_set_does_not_enter_the_ratio() -> None:
    logits, fake, _ = scores(8_000)
    rare = fake & (np.arange(8_000) % 8 == 0) | ~fake
    balanced = fit("platt", logits, fake)(np.array([-1.0, 0.0, 1.0]))
    assert fit("platt", logits[rare], fake[rare])(np.array([-1.0, 0.0, 1.0])) == pytest.approx(balanced, abs=0.15)
    venn = fit("venn_abers", logits[rare], fake[rare])(np.array([0.0]))
    assert float(venn[0]) == pytest.approx(0.0, abs=0.35)


def test_venn_abers_shows_how_little_it_knows() -> None:
    few, many = scores(20), scores(4_000)
    wide, narrow = (Calibrator.spread(fit("venn_abers", one[0], one[1]), 0.3) for one in (few, many))
    assert wide is not None
    assert narrow is not None
    assert wide[1] - wide[0] > 4 * (narrow[1] - narrow[0]) > 0


def test_one_label_alone_calibrates_nothing() -> None:
    with pytest.raises(ValueError, match="both labels"):
        fit("platt", np.arange(5.0), np.ones(5, bool))


def test_bounds_grow_with_the_number_of_cases_and_hold_for_hand_worked_ones() -> None:
    # Ten of each, told apart without a mistake, with ratios of 1000 and 1/1000: with one misleading case more among
    # eleven, a decision beats the prior only up to odds of ten.
    fake = np.repeat([True, False], 10)
    ratios = np.where(fake, math.log(1000.0), -math.log(1000.0))
    assert bounds(ratios, fake) == (0.0, 0.0)
    graded = np.where(fake, 1.0, -1.0) * np.tile(np.log([2, 3, 4, 5, 6.5, 7, 8, 9, 9.5, 1000]), 2)
    # At odds of 5 to 1 against: 4/11 of 1/6 missed and 1/11 of 5/6 alarmed, together 0.136, below 0.167 without scores.
    # At 6.5 to 1: 5/11 of 2/15 and 1/11 of 13/15, together 0.139, above 0.133.
    assert bounds(graded, fake) == pytest.approx((-math.log(5), math.log(5)))
    small, large = (bounds(one[2], one[1])[1] for one in (scores(60), scores(4_000)))
    assert 0 < small < large


def test_scores_without_information_support_nothing() -> None:
    rng = np.random.default_rng(5)
    fake = np.arange(400) % 2 == 0
    low, high = bounds(rng.normal(size=400), fake)
    assert (low, high) == pytest.approx((0.0, 0.0), abs=0.3)


@pytest.mark.parametrize(
    ("ratio", "words"),
    [
        (1.0, NO_SUPPORT),
        (1.9, NO_SUPPORT),
        (2.0, "weak support"),
        (0.05, "moderate support"),
        (2e6, "extremely strong support"),
    ],
)
def test_the_words_are_those_of_the_scale(ratio: float, words: str) -> None:
    assert verbal(ratio) == words


def test_a_fitted_calibration_is_calibrated_within_sampling_error_and_names_its_set() -> None:
    of = made_set(800, slope=2.0)
    found = fit_calibration(of, "frame-a", (-0.5, 0.5))
    assert found.method == "temperature"
    assert found.ece < 0.06
    assert found.cllr - found.cllr_min < 0.05
    assert (found.n_real, found.n_fake, found.sources, found.generators) == (400, 400, 8, 8)
    assert found.set_sha256 == of.sha256
    assert {one.method for one in found.tried} == set(METHODS)
    strength = found.strength(0.4)
    assert strength.ratio == pytest.approx(math.exp(0.8), rel=0.25)
    assert strength.interval[0] < strength.ratio < strength.interval[1]
    assert not strength.capped
    extreme = found.strength(50.0)
    assert extreme.capped
    assert extreme.ratio == pytest.approx(math.exp(found.highest))
    assert f"{math.exp(found.highest):.2g}" in found.cap_text()
    assert Calibration.model_validate_json(found.model_dump_json()) == found


def test_every_ratio_comes_from_a_calibrator_that_saw_nothing_of_its_cluster() -> None:
    rows = made_set(400).of("frame-a")
    rows.loc[rows["generator"] == "generator 3", "logit"] = -9.0
    blind = cross_fitted(rows, "isotonic")
    seen = fit("isotonic", rows["logit"].to_numpy(float), (rows["label"] == "fake").to_numpy())(np.array([-9.0]))
    # Who had seen these fakes would find -9 a sign of manipulation; whoever had not takes it for genuine.
    assert float(np.mean(blind[(rows["generator"] == "generator 3").to_numpy()])) < float(seen[0]) - 1


def test_errors_are_counted_at_the_thresholds_by_condition() -> None:
    found = fit_calibration(made_set(400), "frame-a", (-1.0, 1.0))
    logits, fake, _ = scores(400)
    whole = found.errors[0]
    assert (whole.false_alarms, whole.misses) == (int((logits[~fake] >= 1).sum()), int((logits[fake] <= -1).sum()))
    small, large = (found.error_row("face_px", value) for value in ("80 to 160 px", "320 px and more"))
    assert small is not None
    assert large is not None
    assert small.false_alarms + large.false_alarms == whole.false_alarms
    assert (small.n_real + large.n_real, small.n_fake + large.n_fake) == (200, 200)
    empty = found.error_row("face_px", "below 80 px")
    assert empty is not None
    assert (empty.n_real, empty.n_fake, empty.miss_interval) == (0, 0, None)
    assert found.error_row("weather", "rain") is None


@pytest.mark.parametrize(("false_alarms", "misses"), [(0.05, 0.10), (0.01, 0.02), (0.3, 0.2)])
def test_a_policy_s_thresholds_keep_its_limits_and_no_clip_more_could_be_called(
    false_alarms: float, misses: float
) -> None:
    logits, fake, _ = scores(400)
    logits = logits.round(2)  # on the places that thresholds are rounded to
    real, made = logits[~fake], logits[fake]
    low, high = policy_thresholds(logits, fake, Policy(false_alarms=false_alarms, misses=misses))
    assert (real >= high).sum() <= false_alarms * 200 < (real >= real[real < high].max()).sum()
    assert (made <= low).sum() <= misses * 200
    assert low < high
    assert (made <= made[made > low].min()).sum() > misses * 200 or low > high - 0.11


@pytest.fixture
def one_method(monkeypatch: pytest.MonkeyPatch) -> None:
    """Thresholds do not hang on the calibrator; to try them all takes seconds."""
    monkeypatch.setattr(fitting, "METHODS", ("temperature",))


@pytest.mark.usefixtures("one_method")
def test_a_policy_sets_the_thresholds_with_intervals_and_errors_are_counted_there() -> None:
    of = made_set(400)
    found = fit_calibration(of, "frame-a", (-9.0, 9.0), Policy(false_alarms=0.1, misses=0.2))
    whole = found.errors[0]
    assert (whole.false_alarms, whole.misses) == (20, 40)
    assert found.policy == Policy(false_alarms=0.1, misses=0.2)
    assert found.threshold_intervals is not None
    for threshold, (low, high) in zip(found.thresholds, found.threshold_intervals, strict=True):
        assert low < threshold < high < low + 1.5
    assert Calibration.model_validate_json(found.model_dump_json()) == found


@pytest.mark.usefixtures("one_method")
def test_without_a_policy_the_card_s_thresholds_stay_and_have_the_intervals_of_the_default_limits() -> None:
    of = made_set(400)
    card, policy = (fit_calibration(of, "frame-a", (-9.0, 9.0), limits) for limits in (None, Policy()))
    assert (card.thresholds, card.policy) == ((-9.0, 9.0), None)
    assert card.threshold_intervals == policy.threshold_intervals
    assert policy.thresholds != card.thresholds


@pytest.mark.usefixtures("one_method")
def test_a_calibration_made_before_policies_keeps_its_hash() -> None:
    before = fit_calibration(made_set(100), "frame-a", (-1.0, 1.0)).model_copy(update={"threshold_intervals": None})
    told = json.loads(before.model_dump_json())
    assert not {"policy", "threshold_intervals"} & set(told)
    assert hashlib.sha256(before.model_dump_json().encode()).hexdigest() == before.sha256
    assert Calibration.model_validate(told) == before


@pytest.mark.parametrize("limit", [0.0, 1.0, -0.1, float("nan")])
def test_a_limit_that_is_no_share_is_refused(limit: float) -> None:
    with pytest.raises(CalibrationError, match="above 0 and below 1"):
        Policy.of(limit, 0.1)


def test_a_set_whose_columns_hold_something_else_is_refused(tmp_path: Path) -> None:
    of = made_set(40)
    wrong = of.table.assign(logit=[str(value) for value in of.table["logit"]], sound="yes")
    CalibrationSet("wrong", "made up", of.made_by, wrong).write(tmp_path / "wrong.parquet")
    with pytest.raises(CalibrationError, match="these columns do not: logit, sound"):
        CalibrationSet.read(tmp_path / "wrong.parquet")


def test_a_set_of_too_many_rows_is_refused_unread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    of = make_set("m", "d")
    of.write(tmp_path / "many.parquet")
    monkeypatch.setattr("detector.calibration.sets._MOST_ROWS", len(of.table) - 1)
    with pytest.raises(CalibrationError, match="has 200 rows; a set has at most 199"):
        CalibrationSet.read(tmp_path / "many.parquet")


def test_too_little_is_no_calibration() -> None:
    with pytest.raises(CalibrationError, match="at least 10 scored clips of 5 groups"):
        fit_calibration(made_set(16), "frame-a", (-1.0, 1.0))
    with pytest.raises(CalibrationError, match="found 0 genuine"):
        fit_calibration(made_set(40), "frame-b", (-1.0, 1.0))


def test_a_set_is_written_and_found_by_its_hash(tmp_path: Path) -> None:
    of = made_set(40)
    of.write(tmp_path / "made.parquet")
    read = find_set(of.sha256, [tmp_path])
    assert read.sha256 == of.sha256
    assert (read.name, read.provenance, dict(read.made_by)) == (of.name, of.provenance, dict(of.made_by))
    pd.testing.assert_frame_equal(read.of("frame-a"), of.of("frame-a"), check_dtype=False)
    with pytest.raises(CalibrationError, match="not at hand"):
        find_set("0" * 64, [tmp_path])
    (tmp_path / "other.parquet").write_bytes(b"no set")
    with pytest.raises(CalibrationError, match="another file"):
        CalibrationSet.read(tmp_path / "other.parquet")


def test_what_is_not_known_of_a_file_has_no_class() -> None:
    assert condition_classes({"face_px": None, "exposure": float("nan"), "sound": False, "short_side_px": 1080}) == {
        "sound": "without sound",
        "short_side_px": "1080 px and more",
    }


def test_probabilities_at_even_odds_are_those_observed() -> None:
    of = made_set(2_000, slope=0.5, shift=0.5)
    rows = of.of("frame-a")
    found = fit_calibration(of, "frame-a", (-1.0, 1.0))
    assert found.method != "temperature"
    probability = expit(cross_fitted(rows, found.method))
    fake = (rows["label"] == "fake").to_numpy()
    for low in (0.1, 0.3, 0.5, 0.7):
        inside = (probability >= low) & (probability < low + 0.2)
        assert fake[inside].mean() == pytest.approx(probability[inside].mean(), abs=0.1)
