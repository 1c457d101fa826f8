"""An exhibit analysed again: equal work is kept once, changed work beside what was there, a contradiction refused."""

from __future__ import annotations

from dataclasses import replace

import pytest

from detector.analysis import Analysis, analyze
from detector.cases import CaseStore, Exhibit
from detector.errors import StoreError
from detector.evidence import Integrity
from detector.registry import Thresholds
from tests.analysis.fakes import SETTINGS, FakeCard, FakeModel, FakeReader, fake_components
from tests.cases.records import make_evidence

STRICTER = FakeCard(thresholds=Thresholds(9.0, -1.0, "set by hand"))


@pytest.fixture
def exhibit(store: CaseStore) -> Exhibit:
    case = store.create_case("Analysed twice")
    return store.add_exhibit(case.case_id, make_evidence(store.evidence_dir))


def analysed(exhibit: Exhibit, card: FakeCard | None = None) -> Analysis:
    return analyze(exhibit.evidence, [FakeModel(card=card)], SETTINGS, components=fake_components(FakeReader(20)))


def test_equal_work_is_kept_once(store: CaseStore, exhibit: Exhibit) -> None:
    first = store.save_analysis(exhibit.exhibit_id, analysed(exhibit))
    assert store.save_analysis(exhibit.exhibit_id, analysed(exhibit)) == first
    assert store.differences(first.record_id) is None
    assert store.verify(exhibit.case_id).ok


def test_changed_thresholds_make_a_new_record_beside_the_old(store: CaseStore, exhibit: Exhibit) -> None:
    first = store.save_analysis(exhibit.exhibit_id, analysed(exhibit))
    second = store.save_analysis(exhibit.exhibit_id, analysed(exhibit, STRICTER))
    assert store.analyses(exhibit_id=exhibit.exhibit_id) == [first, second]
    assert store.differences(second.record_id) == ("thresholds changed: fake",)
    assert store.verify(exhibit.case_id).ok


def test_changed_code_makes_a_new_record_beside_the_old(
    store: CaseStore, exhibit: Exhibit, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = store.save_analysis(exhibit.exhibit_id, analysed(exhibit))
    monkeypatch.setattr("detector.analysis.identity.code_sha256", lambda: "0" * 64)
    second = store.save_analysis(exhibit.exhibit_id, analysed(exhibit))
    assert store.analyses(exhibit_id=exhibit.exhibit_id) == [first, second]
    (named,) = store.differences(second.record_id) or ()
    assert named.startswith("code revision changed")


def test_other_results_of_equal_work_are_an_error_on_record(store: CaseStore, exhibit: Exhibit) -> None:
    analysis = analysed(exhibit)
    first = store.save_analysis(exhibit.exhibit_id, analysis)
    (result,) = analysis.models
    other = replace(analysis, models=(replace(result, logit=(result.logit or 0.0) + 0.5),))
    with pytest.raises(StoreError, match=r"other results \(first at models\[fake\]"):
        store.save_analysis(exhibit.exhibit_id, other)
    assert store.analyses(exhibit_id=exhibit.exhibit_id) == [first]
    event = store.events(exhibit.case_id)[-1]
    assert (event.action, event.details["record_id"]) == ("analysis_contradicted", first.record_id)
    assert store.verify(exhibit.case_id).ok


def test_rounding_of_equal_work_is_no_contradiction(store: CaseStore, exhibit: Exhibit) -> None:
    analysis = analysed(exhibit)
    first = store.save_analysis(exhibit.exhibit_id, analysis)
    (result,) = analysis.models
    nearly = replace(analysis, models=(replace(result, logit=(result.logit or 0.0) + 1e-5),))
    assert store.save_analysis(exhibit.exhibit_id, nearly) == first


def test_what_is_said_of_the_file_may_change_with_the_date(store: CaseStore, exhibit: Exhibit) -> None:
    analysis = analysed(exhibit)
    first = store.save_analysis(exhibit.exhibit_id, analysis)
    later = replace(analysis, evidence=replace(analysis.evidence, integrity=Integrity(0, ("A time in the future.",))))
    assert store.save_analysis(exhibit.exhibit_id, later) == first
