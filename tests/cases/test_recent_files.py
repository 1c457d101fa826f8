"""What the newest analyses say of recent files: their drift from a calibration set, and which of them to label."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from scipy.special import expit

from detector.analysis.identity import recorded_digests
from detector.analysis.types import Analysis, AnalysisIdentity, ModelIdentity
from detector.cases import CaseStore, DriftReport, Exhibit, Window, drift_of, most_uncertain
from detector.cli import main
from detector.errors import SettingsError
from tests.calibration.by_hand import make_calibration, make_set, write_both
from tests.cases.records import make_analysis, make_evidence

CARD = {"architecture": {"kind": "frame"}, "crop": {"size_px": 8}, "inputs": {}, "decision": {}}
IDENTITY = AnalysisIdentity("1.4", "c" * 64, "s" * 64, ("cpu",), {}, (ModelIdentity("frame-a", "f" * 64, CARD),))
DIGEST = recorded_digests(IDENTITY)["frame-a"]
LOGITS = np.linspace(2.0, 4.0, 20)
"""Of the files in the store, all on one side; those of the set are around 0."""


SET = make_set("frame-a", DIGEST)
BACKED = {"frame-a": make_calibration(SET, "frame-a")}


def scored(exhibit: Exhibit, logit: float, *, seed: int = 0, identity: AnalysisIdentity | None = IDENTITY) -> Analysis:
    made = make_analysis(exhibit.evidence, frames=1, tracks=1, seed=seed, meshes=False)
    return replace(made, models=(replace(made.models[0], logit=logit),), identity=identity)


def take_in(store: CaseStore, case_id: str, name: str) -> Exhibit:
    return store.add_exhibit(case_id, make_evidence(store.evidence_dir, name.encode(), f"{name}.mp4"))


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[CaseStore, list[Exhibit]]]:
    """One case with a file for each of `LOGITS`, which the tests of this module share."""
    with CaseStore.open(tmp_path_factory.mktemp("recent") / "home", actor="tester") as store:
        case_id = store.create_case("Recent", reference="R-1").case_id
        exhibits = [take_in(store, case_id, f"film {place}") for place in range(len(LOGITS))]
        for exhibit, logit in zip(exhibits, LOGITS, strict=True):
            store.save_analysis(exhibit.exhibit_id, scored(exhibit, float(logit)))
        yield store, exhibits


def report_of(store: CaseStore, window: Window) -> DriftReport:
    recent = store.scored_files(window)
    return DriftReport(window, recent.files, recent.left_out, (drift_of("frame-a", BACKED["frame-a"], SET, recent),))


def test_scores_that_moved_are_drift_and_conditions_that_stayed_are_not(
    filled: tuple[CaseStore, list[Exhibit]],
) -> None:
    (found,) = report_of(filled[0], Window()).models
    assert (found.score.n_recent, found.score.n_set) == (20, 200)
    assert found.score.ks == pytest.approx(0.83)  # of the set 166 of 200 lie below the lowest of them
    assert found.drifted == ("logit",)
    by_name = {one.quantity: one for one in found.conditions}
    assert (by_name["face_px"].reading, by_name["codec"].reading) == ("stable", "stable")
    assert by_name["codec"].ks is None
    # The set does not know this of its files.
    assert by_name["exposure"].reason == "the set has no such value"


def test_the_newest_files_count_each_once_by_its_newest_analysis(store: CaseStore) -> None:
    case_id = store.create_case("a").case_id
    old, new = take_in(store, case_id, "old"), take_in(store, case_id, "new")
    again = store.add_exhibit(store.create_case("b").case_id, new.evidence)
    for exhibit, logit, seed in ((old, 0.1, 0), (new, 0.2, 0), (again, 0.3, 0), (again, 0.4, 1)):
        store.save_analysis(exhibit.exhibit_id, scored(exhibit, logit, seed=seed))
    table = store.scored_files(Window()).table
    assert dict(zip(table["exhibit_id"], table["logit"], strict=True)) == {old.exhibit_id: 0.1, again.exhibit_id: 0.4}
    assert table["decides"].all()
    assert table.loc[0, ["face_px", "codec", "sound"]].tolist() == [40.5, "h264", True]
    assert store.scored_files(Window(last=1)).table["exhibit_id"].tolist() == [again.exhibit_id]
    assert store.scored_files(Window(since=datetime.now(UTC) + timedelta(days=1))).files == 0
    with pytest.raises(SettingsError, match="1 or more, found 0"):
        Window(last=0)


def test_what_must_not_or_cannot_be_compared_is_left_out_with_its_reason(store: CaseStore) -> None:
    blind = store.create_case("blind").case_id
    store.metadata.set_blind_first(blind, True)
    held = take_in(store, blind, "held back")
    case_id = store.create_case("a").case_id
    older, lost, still, twice = (take_in(store, case_id, name) for name in ("older", "lost", "still", "twice"))
    for exhibit in (held, lost):
        store.save_analysis(exhibit.exhibit_id, scored(exhibit, 0.0))
    store.save_analysis(older.exhibit_id, scored(older, 0.0, identity=None))
    of_still = scored(still, 0.0)
    store.save_analysis(still.exhibit_id, replace(of_still, evidence=replace(of_still.evidence, kind="still")))
    of_views = scored(twice, 0.0)
    views = replace(of_views.settings, test_time_augmentation=True)
    store.save_analysis(twice.exhibit_id, replace(of_views, settings=views))
    store.analyses(exhibit_id=lost.exhibit_id)[0].artefacts[0].path.unlink()
    found = store.scored_files(Window())
    assert found.table.empty
    assert found.files == 0
    assert sorted(found.left_out.values()) == [1, 1, 1, 1, 1]
    store.statements.give_opinion(held.exhibit_id, "undetermined")
    assert store.scored_files(Window()).table["exhibit_id"].tolist() == [held.exhibit_id]


def test_scores_of_other_weights_are_counted_and_not_compared(filled: tuple[CaseStore, list[Exhibit]]) -> None:
    other = BACKED["frame-a"].model_copy(update={"made_by": "0" * 16})
    found = drift_of("frame-a", other, SET, filled[0].scored_files(Window()))
    assert (found.other_weights, found.score.n_recent, found.score.psi) == (20, 0, None)


def test_a_drift_is_news_once_and_every_run_of_the_command_is_an_event(
    filled: tuple[CaseStore, list[Exhibit]],
) -> None:
    store, _ = filled
    moved, few = report_of(store, Window(last=20)), report_of(store, Window(last=5))
    assert not store.log_drift(few, only_news=True)  # nothing was known, and nothing is found
    assert store.log_drift(moved, only_news=True, author="Ada")
    assert not store.log_drift(moved, only_news=True)
    assert store.log_drift(moved)
    gone = replace(moved, models=(replace(moved.models[0], score=few.models[0].score),))
    assert store.log_drift(gone, only_news=True)
    assert store.log_drift(moved, only_news=True)  # it is back
    event = next(one for one in store.events() if one.action == "drift_measured")
    assert event.actor == "Ada"
    assert event.details["drifted"] == ["frame-a score"]
    assert event.details["figures"]["models"][0]["score"]["drifted"] is True
    assert event.details["figures"]["window"] == {"since": None, "last": 20}
    assert store.verify_all().ok


def test_the_least_certain_files_without_truth_come_first_whatever_side_they_are_on(
    filled: tuple[CaseStore, list[Exhibit]],
) -> None:
    store, exhibits = filled
    sure = [one.exhibit_id for one in exhibits]
    found = most_uncertain(store.scored_files(Window()), BACKED, store.statements.files_with_truth(), 3)
    assert [one.exhibit_id for one in found.files] == sure[:3]  # the lowest logits are nearest to 0
    assert found.files[0].uncertainty == pytest.approx(1 - 2 * (expit(2.0) - 0.5))
    assert found.files[0].interval_width == pytest.approx(expit(2.2) - expit(1.8))
    table = store.scored_files(Window())
    mirrored = replace(table, table=table.table.assign(logit=-table.table["logit"]))
    one, other = (most_uncertain(found, BACKED, (), 20) for found in (table, mirrored))
    assert [file.exhibit_id for file in one.files] == [file.exhibit_id for file in other.files]
    assert most_uncertain(table, {}, (), 20).left_out == {"whose score no calibration in force backs": 20}
    assert {one.exhibit_id for one in found.shuffled()} == set(sure[:3])


def test_the_order_in_which_files_are_labelled_says_nothing_of_scores(
    filled: tuple[CaseStore, list[Exhibit]],
) -> None:
    table = filled[0].scored_files(Window())
    one = most_uncertain(table, BACKED, (), 20).shuffled()
    other = replace(table, table=table.table.assign(logit=np.random.default_rng(0).permutation(LOGITS)))
    ids = [found.exhibit_id for found in one]
    assert [found.exhibit_id for found in most_uncertain(other, BACKED, (), 20).shuffled()] == ids
    assert ids != [found.exhibit_id for found in most_uncertain(table, BACKED, (), 20).files]


def test_a_recorded_truth_takes_a_file_off_the_list_and_a_withdrawn_one_puts_it_back(
    filled: tuple[CaseStore, list[Exhibit]],
) -> None:
    store, exhibits = filled
    first = exhibits[0]
    store.statements.record_truth(first.exhibit_id, "genuine", "the original is at hand")
    assert store.statements.files_with_truth() == {first.sha256}
    found = most_uncertain(store.scored_files(Window()), BACKED, store.statements.files_with_truth(), 20)
    assert first.exhibit_id not in {one.exhibit_id for one in found.files}
    assert (found.considered, found.left_out) == (19, {"whose truth is known": 1})
    store.statements.record_truth(first.exhibit_id, "unknown", "it was another original")
    assert store.statements.files_with_truth() == frozenset()


def test_the_commands_tell_drift_and_the_least_certain_files(
    filled: tuple[CaseStore, list[Exhibit]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    store, exhibits = filled
    monkeypatch.setattr("detector.commands.monitoring.open_store", lambda _: nullcontext(store))
    before = len(store.events())
    write_both(tmp_path, SET, "frame-a")
    monkeypatch.setenv("FRAMEWITNESS_CALIBRATIONS", str(tmp_path))
    monkeypatch.setattr("detector.commands.monitoring._model_ids", lambda: ["frame-a", "uncalibrated"])

    def said(*arguments: str, status: int = 0) -> str:
        assert main(["cases", *arguments]) == status
        out, err = capsys.readouterr()
        return err if status else out

    assert "frame-a\tscore\tPSI" in said("drift")
    told = json.loads(said("drift", "--last", "20", "--since", "2020-01-01", "--format", "json"))
    assert told["models"][0]["score"]["drifted"]
    assert told["window"] == {"since": "2020-01-01T00:00:00+00:00", "last": 20}
    (_, few) = said("drift", "--last", "5").splitlines()
    assert "frame-a\tscore\ttoo few: 5 recent files" in few
    assert "1 or more, found 0" in said("drift", "--last", "0", status=2)
    assert "found 0" in said("uncertain", "-n", "0", status=2)
    line, total = said("uncertain", "-n", "1").splitlines()
    assert line.startswith(f"R-1\tE1\t{exhibits[0].exhibit_id}\tfilm 0.mp4\tuncertainty 0.24")
    assert total == "1 of 20 files without recorded truth"
    assert [event.action for event in store.events()[before:]] == ["drift_measured"] * 3
