"""A calibration set of closed cases: each file once, by the models that are here, and nothing that is held back."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from detector.analysis.aggregate import deciding_tracks
from detector.analysis.identity import recorded_digests
from detector.analysis.strength import conditions_of
from detector.analysis.types import Analysis, AnalysisIdentity, ModelIdentity
from detector.calibration.sets import CONDITIONS, CalibrationSet
from detector.cases import CaseStore, Exhibit
from detector.errors import CalibrationError
from detector.settings import AnalysisSettings
from tests.cases.records import make_analysis, make_evidence

HERE = AnalysisIdentity("1.4", "c", "s", ("cpu",), {}, (ModelIdentity("frame-a", "f" * 64, {"inputs": {}}),))
THEN = replace(HERE, models=(ModelIdentity("frame-a", "e" * 64, {"inputs": {}}),))


@pytest.fixture(autouse=True)
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The models here are those of `HERE`."""
    monkeypatch.setattr("detector.cases.calibration_cases.digest_here", recorded_digests(HERE).__getitem__)


def record(
    store: CaseStore,
    name: str,
    truth: str | None = "manipulated",
    *,
    kind: str = "video",
    status: str = "closed",
    identities: tuple[AnalysisIdentity | None, ...] = (HERE,),
    settings: AnalysisSettings | None = None,
) -> Exhibit:
    """An exhibit with an analysis an identity, the n-th with the logit n, in a case of its own."""
    case_id = store.create_case(name, reference=f"R-{name}").case_id
    evidence = replace(make_evidence(store.evidence_dir, name.encode()), kind=kind)
    exhibit = store.add_exhibit(case_id, evidence)
    for number, identity in enumerate(identities):
        found = make_analysis(evidence, seed=number, meshes=False)
        models = tuple(replace(one, logit=float(number)) for one in found.models)
        store.save_analysis(
            exhibit.exhibit_id, replace(found, models=models, identity=identity, settings=settings or found.settings)
        )
    if truth:
        store.statements.record_truth(exhibit.exhibit_id, truth, "as it turned out", method="swap")  # type: ignore[arg-type]
    if status != "open":
        store.metadata.set_status(case_id, status)  # type: ignore[arg-type]
    return exhibit


def test_closed_cases_give_each_file_once_with_what_the_newest_analysis_by_these_models_said(
    store: CaseStore, tmp_path: Path
) -> None:
    first = record(store, "first", identities=(HERE, HERE, THEN, None))
    second = record(store, "second", "genuine")
    record(store, "first", status="open")  # the same file in a case that goes on
    record(store, "open", status="open")
    record(store, "unknown", truth=None)
    made = store.set_from_cases("ours", "closed cases", author="Ada")
    rows = made.of.table.set_index("sha256")
    assert set(rows.index) == {first.sha256, second.sha256}
    assert made.left_out == ()
    row = rows.loc[first.sha256]
    assert (row["label"], row["logit"], row["model"], row["generator"]) == ("fake", 1.0, "frame-a", "swap")
    assert row["source"] == row["group"] == first.case_id
    genuine = rows.loc[second.sha256]
    assert genuine["label"] == "real"
    assert pd.isna(genuine["generator"])
    analysis: Analysis = make_analysis(first.evidence, seed=1, meshes=False)
    deciding = deciding_tracks(analysis.tracks, analysis.settings, still=False)
    found = conditions_of(analysis.evidence, deciding)
    measured = {name: found[name] for name in CONDITIONS}  # type: ignore[literal-required]
    assert measured["face_px"] == 40.5
    assert row[list(measured)].to_dict() == measured
    assert made.of.made_by == recorded_digests(HERE)
    made.of.write(tmp_path / "ours.parquet")
    assert CalibrationSet.read(tmp_path / "ours.parquet").sha256 == made.of.sha256
    event = store.events()[-1]
    assert (event.action, event.actor) == ("calibration_set_made", "Ada")
    assert (event.details["set_sha256"], event.details["files"]) == (
        made.of.sha256,
        sorted([first.sha256, second.sha256]),
    )


def test_what_cannot_be_in_a_set_is_named_with_the_reason(store: CaseStore) -> None:
    record(store, "good")
    record(store, "old", identities=(THEN, None))
    record(store, "views", settings=AnalysisSettings(test_time_augmentation=True))
    record(store, "still", kind="still")
    record(store, "disputed")
    record(store, "disputed", "genuine", status="open")
    blind = record(store, "blind", status="open")
    store.metadata.set_blind_first(blind.case_id, True)
    store.metadata.set_status(blind.case_id, "closed")
    made = store.set_from_cases("ours", "closed cases")
    assert made.files == 1
    assert {one.name: one.reason for one in made.left_out} == {
        **dict.fromkeys(
            ("R-old E1", "R-views E1"),
            "no analysis of it without test-time augmentation has a score by a model with the weights and inputs that "
            "are here",
        ),
        "R-still E1": "it is a still, and sets hold videos",
        "R-disputed E1": "differing truths are recorded of the same file",
        "R-blind E1": "its scores wait for an opinion in a blind-first case",
    }
    store.metadata.reopen(blind.case_id, "for an opinion")
    store.statements.give_opinion(blind.exhibit_id, "genuine")
    store.metadata.set_status(blind.case_id, "closed")
    assert store.set_from_cases("ours", "closed cases").files == 2


def test_without_anything_to_go_by_no_set_is_made(store: CaseStore) -> None:
    record(store, "old", identities=(THEN,))
    with pytest.raises(CalibrationError, match=r"R-old E1: no analysis of it.*close its case"):
        store.set_from_cases("ours", "closed cases")
    with pytest.raises(CalibrationError, match="needs a name and its provenance"):
        store.set_from_cases("ours", " ")
    assert "calibration_set_made" not in [event.action for event in store.events()]
