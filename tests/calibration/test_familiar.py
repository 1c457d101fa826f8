from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from detector.calibration.calibration import Calibration
from detector.calibration.familiar import INSIDE_SHARE, LEAST_FILES, FamiliarAppearance, fit_appearance
from detector.calibration.fitting import fit_calibration
from detector.calibration.sets import APPEARANCE, CalibrationSet
from detector.errors import CalibrationError
from tests.calibration.by_hand import make_calibration, make_set


def looks(count: int, seed: int = 0) -> list[tuple[float, ...] | None]:
    return [tuple(one) for one in np.random.default_rng(seed).normal((1.0, -2.0, 0.0, 5.0), (1, 2, 3, 0.1), (count, 4))]


def test_a_distance_is_that_of_mahalanobis_with_a_diagonal_covariance() -> None:
    known = FamiliarAppearance(mean=(1.0, 2.0), std=(1.0, 2.0), farthest=2.0, files=60)
    assert known.distance((1.0, 2.0)) == 0.0
    assert known.distance((4.0, 10.0)) == pytest.approx(np.sqrt((9 + 16) / 2))
    assert known.distance((1.0, 2.0, 3.0)) is None


def test_about_the_promised_share_of_files_of_the_same_kind_lies_inside_and_a_foreign_one_outside() -> None:
    groups = np.array([f"group {place % 20}" for place in range(400)], object)
    known = fit_appearance(looks(400), groups)
    assert known is not None
    distances = [known.distance(one) for one in looks(2000, seed=1) if one is not None]
    assert np.mean([distance <= known.farthest for distance in distances if distance]) == pytest.approx(
        INSIDE_SHARE, abs=0.015
    )
    foreign = known.distance((1.0, -2.0, 0.0, 6.0))
    assert foreign is not None
    assert foreign > known.farthest


def test_a_cluster_that_looks_like_no_other_widens_what_is_inside() -> None:
    values = looks(100)
    values[:10] = [(9.0, 9.0, 9.0, 9.0)] * 10
    apart = np.array(["odd"] * 10 + [f"group {place % 9}" for place in range(90)], object)
    mixed = np.array([f"group {place % 10}" for place in range(100)], object)
    without, within = fit_appearance(values, apart), fit_appearance(values, mixed)
    assert without is not None
    assert within is not None
    assert without.farthest > 2 * within.farthest


def test_too_few_files_or_a_single_cluster_have_no_distance() -> None:
    groups = np.array([f"group {place % 5}" for place in range(LEAST_FILES)], object)
    assert fit_appearance(looks(LEAST_FILES), groups) is not None
    assert fit_appearance([None, *looks(LEAST_FILES - 1)], groups) is None
    assert fit_appearance(looks(LEAST_FILES), np.full(LEAST_FILES, "one", object)) is None


def test_a_set_keeps_how_its_faces_look_and_a_calibration_of_it_knows(tmp_path: Path) -> None:
    of = make_set("m", "d")
    assert fit_calibration(of, "m", (-1.0, 1.0)).appearance is None
    before = of.sha256
    of.table[APPEARANCE] = [*looks(len(of.table) - 1), None]
    of.write(tmp_path / "looks.parquet")
    read = CalibrationSet.read(tmp_path / "looks.parquet")
    assert read.sha256 == of.sha256 != before
    assert read.appearances_of("m") == of.appearances_of("m")
    known = fit_calibration(read, "m", (-1.0, 1.0)).appearance
    assert known is not None
    assert known.files == len(of.table) - 1
    of.table[APPEARANCE] = "bright"
    of.write(tmp_path / "words.parquet")
    with pytest.raises(CalibrationError, match="appearance"):
        CalibrationSet.read(tmp_path / "words.parquet")


def test_a_calibration_without_it_keeps_the_hash_it_had() -> None:
    made = make_calibration(make_set("m", "d"), "m")
    assert "appearance" not in made.model_dump_json()
    assert Calibration.model_validate_json(made.model_dump_json()).sha256 == made.sha256
