"""Files of version 0.1 are opened, verified and run again: a whole store, a case bundle, a replay bundle."""

from __future__ import annotations

import tarfile
from pathlib import Path

import pytest

from detector.analysis.comparison import compare
from detector.analysis.identity import differences
from detector.cases import CaseStore
from detector.registry import weights_dir
from detector.replay import replay

FIXTURES = Path(__file__).parents[1] / "fixtures"


def test_a_store_opens_verifies_and_shows_its_analysis(tmp_path: Path) -> None:
    with tarfile.open(FIXTURES / "store-0.1.tar.xz") as archive:
        archive.extractall(tmp_path, filter="data")
    (home,) = {path.parent for path in tmp_path.rglob("cases.duckdb")}
    with CaseStore.open(home, actor="newcomer") as store:
        whole = store.verify_all()
        assert whole.ok, whole
        (record,) = store.analyses()
        analysis = store.analysis(record.record_id)
        assert analysis.identity is None
        assert (analysis.analysis_id, analysis.conclusion.label) == (record.analysis_id, record.label)
        assert len(store.score_table(record.record_id)) > 0
        assert store.save_analysis(record.exhibit_id, analysis) == record
        assert "not recorded" in differences(analysis, analysis)[-1]


def test_a_case_bundle_is_taken_in_and_verifies(tmp_path: Path) -> None:
    with CaseStore.open(tmp_path / "home", actor="newcomer") as store:
        case = store.import_case(FIXTURES / "case-0.1.zip")
        outcome = store.verify(case.case_id)
        assert outcome.ok, outcome
        (record,) = store.analyses(case_id=case.case_id)
        assert store.analysis(record.record_id).conclusion.label == record.label


def test_a_replay_bundle_replays_within_tolerance(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the weights that it was made with: the default ensemble has others since."""
    shipped = weights_dir()
    for path in [*shipped.iterdir(), *(FIXTURES / "weights-0.2").iterdir()]:
        (tmp_path / path.name).unlink(missing_ok=True)
        (tmp_path / path.name).symlink_to(path)
    monkeypatch.setenv("FRAMEWITNESS_WEIGHTS", str(tmp_path))
    outcome = replay(FIXTURES / "replay-0.1.zip")
    assert outcome.outcome in ("equal", "within_tolerance"), outcome.comparison.groups
    assert outcome.comparison.compared > 500
    assert "tool code" in {change.name for change in outcome.surroundings}
    assert outcome.analysis["analysis_id"] != outcome.bundle.results["analysis_id"]
    assert compare(outcome.bundle.results, outcome.bundle.results).outcome == "equal"
