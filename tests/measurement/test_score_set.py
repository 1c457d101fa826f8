"""A set of scores measured whole, in parts, and model against model."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from detector.errors import SettingsError
from detector.measurement.binary import RESAMPLED
from detector.measurement.metrics import rank_auc
from detector.measurement.score_set import SetFigures, measure_scores
from detector.measurement.score_table import COUNTED_ONCE, read_scores, score_table
from detector.measurement.thresholds import Thresholds
from tests.measurement.scored import NO_FACE, scored

THRESHOLDS = Thresholds(1.0, -0.5, "twenty clips")
LABELS = ["real", "fake"] * 20
FAKE = np.array([label == "fake" for label in LABELS])
RNG = np.random.default_rng(4)
GOOD = np.where(FAKE, 1.0, -1.0) + RNG.normal(0, 0.8, 40)


def measured(table: pd.DataFrame) -> SetFigures:
    models = {str(name): ("ab" * 32, THRESHOLDS) for name in table["model"].unique()}
    return measure_scores(table, models, program="test", settings_sha256="cd" * 32, resamples=40)


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    silent = GOOD.copy()
    silent[[0, 1, 2]] = np.nan
    sizes = np.where(np.arange(40) < 20, 60.0, 200.0)
    return scored(LABELS, {"good": GOOD, "turned": -2 * GOOD, "silent": silent}, face_px=sizes)


@pytest.fixture(scope="module")
def found(table: pd.DataFrame) -> SetFigures:
    return measured(table)


def test_a_model_is_measured_at_its_own_threshold_and_counts_what_it_did_not_score(found: SetFigures) -> None:
    good, _, silent = found.models
    assert (found.real, found.fake, found.groups) == (20, 20, 40)
    assert good.metrics is not None
    assert good.metrics.threshold_logit == 1.0
    assert good.metrics.confusion.true_positives == int((GOOD[FAKE] >= 1).sum())
    assert good.metrics.roc_auc == pytest.approx(rank_auc(FAKE.astype(int), GOOD))
    assert good.intervals is not None
    assert set(good.intervals) == set(RESAMPLED)
    for chosen, calls in zip((~FAKE, FAKE), good.calls, strict=True):
        own = GOOD[chosen]
        counts = (int((own >= 1).sum()), int(((own < 1) & (own > -0.5)).sum()), int((own <= -0.5).sum()))
        assert (calls.likely_manipulated, calls.inconclusive, calls.no_manipulation_found) == counts
    assert silent.not_scored == {NO_FACE: 3}
    assert silent.metrics is not None
    assert silent.metrics.n_real + silent.metrics.n_fake == 37


def test_what_is_ranked_the_wrong_way_round_is_said_to_be(found: SetFigures) -> None:
    good, turned, _ = found.models
    assert not good.inverted
    assert turned.inverted
    assert all(one.inverted for one in turned.of("generator"))


def test_parts_of_the_set_stand_by_themselves(found: SetFigures) -> None:
    good = found.models[0]
    (lab,) = good.of("source")
    assert (lab.false_positives.rows, lab.true_positives.rows, lab.against_all) == (20, 0, True)
    (simswap,) = good.of("generator")
    assert simswap.true_positives.hits == int((GOOD[FAKE] >= 1).sum())
    assert simswap.auc == pytest.approx(rank_auc(FAKE.astype(int), GOOD))
    small, large = good.of("face size")
    assert (small.name, large.name) == ("below 80 px", "160 to 320 px")
    assert small.auc == pytest.approx(rank_auc(FAKE[:20].astype(int), GOOD[:20]))
    assert not small.against_all
    assert small.false_positives.interval is not None


def test_sources_with_both_labels_and_parts_of_files_have_every_figure_and_a_group_counts_once() -> None:
    both = scored(LABELS, {"good": GOOD}, source=np.where(np.arange(40) < 20, "old", "new"))
    # Three faces of one track in each file, apart from their mean by a noise of their own.
    frames = pd.concat([both.assign(logit=both["logit"] + shift, level="frame") for shift in (-0.5, 0.0, 0.5)])
    parts = pd.concat([both.assign(level="track"), frames]).assign(track=0, pts_s=0.0)
    found = measure_scores(
        both, {"good": ("ab" * 32, THRESHOLDS)}, parts=parts, program="test", settings_sha256="", resamples=40
    ).models[0]
    file, track, frame = found.of("level")
    assert (file.name, track.name, frame.name) == ("file", "track", "frame")
    assert file.metrics == track.metrics == found.metrics
    assert frame.metrics is not None
    assert (frame.metrics.n_real, frame.metrics.n_fake, frame.groups) == (60, 60, 40)
    faces = np.concatenate([GOOD - 0.5, GOOD, GOOD + 0.5])
    assert frame.metrics.roc_auc == frame.auc == pytest.approx(rank_auc(np.tile(FAKE, 3).astype(int), faces))
    alone, thrice = file.false_positives, frame.false_positives
    assert alone.interval is not None
    assert thrice.interval is not None
    # No surer for the threefold rows: as many trials as groups.
    assert thrice.interval[1] - thrice.interval[0] > 0.8 * (alone.interval[1] - alone.interval[0])
    old, new = (next(one for one in found.of("source") if one.name == name) for name in ("old", "new"))
    assert old.metrics is not None
    assert new.metrics is not None
    assert old.metrics.roc_auc == pytest.approx(rank_auc(FAKE[:20].astype(int), GOOD[:20]))
    assert new.metrics.confusion.true_positives == int((GOOD[20:][FAKE[20:]] >= 1).sum())


def test_too_few_of_a_label_are_no_figure(found: SetFigures) -> None:
    few = measured(scored(["real"] * 5 + ["fake"] * 2, {"one": [0.0] * 7}))
    (one,) = few.models
    assert one.metrics is None
    assert [part.auc for part in one.slices] == [None] * len(one.slices)
    assert few.comparisons == ()
    assert few != found


def test_models_are_compared_on_what_both_scored(found: SetFigures) -> None:
    pairs = {(one.first, one.second): one for one in found.comparisons}
    assert set(pairs) == {("good", "turned"), ("good", "silent"), ("turned", "silent")}
    assert pairs["good", "turned"].delong.p_value is not None
    assert pairs["good", "turned"].delong.p_value < 1e-6
    same = pairs["good", "silent"]
    assert (same.n_real + same.n_fake, same.by_group.difference, same.delong.p_value) == (37, 0.0, 1.0)


def test_a_group_counts_once(table: pd.DataFrame, found: SetFigures) -> None:
    # The same clips four times over, as four cuts of each person: no surer than before.
    again = pd.concat([table.assign(cut=f"{cut}-9") for cut in range(4)], ignore_index=True)
    again = again.sort_values("model", kind="stable")
    repeated = next(model for model in measured(again).models if model.model == "good")
    once = found.models[0]
    assert repeated.groups == once.groups == 40
    assert repeated.of("source")[0].false_positives.interval == once.of("source")[0].false_positives.interval


def test_figures_survive_being_written_and_equal_ones_are_equal_bytes(table: pd.DataFrame, found: SetFigures) -> None:
    written = found.as_json()
    assert SetFigures.read(written) == found
    assert measured(table.copy()).as_json() == written
    with pytest.raises(SettingsError, match="no figures"):
        SetFigures.read(b'{"models": []}')


def test_the_set_is_named_by_its_files_and_what_is_said_of_them(table: pd.DataFrame, found: SetFigures) -> None:
    other_scores = table.assign(logit=table["logit"] * 2)
    assert measured(other_scores).set_sha256 == found.set_sha256
    other_group = table.assign(group=table["group"].replace("person 3", "person 4"))
    assert measured(other_group).set_sha256 != found.set_sha256


def test_content_that_was_there_before_counts_once() -> None:
    table = scored(["real", "fake"] * 4, {"one": [0.0, 1.0] * 3 + [float("nan")] * 2})
    table["reason"] = table["reason"].where(table["reason"].isna(), COUNTED_ONCE)
    again = measured(table)
    assert (again.real, again.fake) == (3, 3)
    assert again.models[0].not_scored == {COUNTED_ONCE: 2}


def test_a_table_of_scores_is_held_to_its_columns(table: pd.DataFrame, tmp_path: Path) -> None:
    table.to_parquet(tmp_path / "scores.parquet", index=False)
    pd.testing.assert_frame_equal(read_scores(tmp_path / "scores.parquet"), table)
    with pytest.raises(SettingsError, match="lacks the columns sound"):
        score_table(table.drop(columns="sound"))
    with pytest.raises(SettingsError, match="either a logit or a reason"):
        score_table(table.assign(logit=1.0))
    with pytest.raises(SettingsError, match="labels"):
        score_table(table.assign(label="genuine"))
    with pytest.raises(SettingsError, match="another type"):
        score_table(table.assign(face_px="large"))
    with pytest.raises(SettingsError, match="not finite"):
        score_table(table.assign(logit=np.inf))
    with pytest.raises(SettingsError, match="names one file and model twice"):
        score_table(pd.concat([table, table[:1]]))
    (tmp_path / "bad.parquet").write_text("no table")
    with pytest.raises(SettingsError, match="cannot be read"):
        read_scores(tmp_path / "bad.parquet")
