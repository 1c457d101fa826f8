from __future__ import annotations

import pytest

from detector.cases import CaseStore
from tests.cases.records import make_analysis, make_evidence


@pytest.fixture
def filled(store: CaseStore) -> tuple[CaseStore, str, str]:
    """Two cases; the first has every searchable text."""
    one = store.create_case("Café surveillance", reference="LAB-2026/7", examiner="Grace Hopper")
    exhibit = store.add_exhibit(one.case_id, make_evidence(store.evidence_dir, file_name="IMG_0042 (final).MOV"))
    store.add_note(one.case_id, "Lips move 100% out of step", exhibit_id=exhibit.exhibit_id)
    two = store.create_case("Other matter")
    store.add_exhibit(two.case_id, make_evidence(store.evidence_dir, b"second", file_name="b.mp4"))
    return store, one.case_id, exhibit.sha256


@pytest.mark.parametrize(
    "search",
    [
        "surveillance",
        "cafe",
        "CAFÉ",
        "lab-2026",
        "hopper grace",
        "img_0042",
        "(final)",
        "out of step",
        "100%",
        "  surveillance   hopper ",
    ],
)
def test_a_case_is_found_by_any_of_its_texts(filled: tuple[CaseStore, str, str], search: str) -> None:
    store, case_id, _ = filled
    assert [found.case.case_id for found in store.cases(search)] == [case_id]


@pytest.mark.parametrize("search", ["surveillance matter", "0%0", "LAB_2026", "' OR 1=1 --", "hopperr", "\udcff"])
def test_words_that_do_not_all_occur_find_nothing(filled: tuple[CaseStore, str, str], search: str) -> None:
    assert filled[0].cases(search) == []


def test_a_hash_is_found_by_its_beginning_only(filled: tuple[CaseStore, str, str]) -> None:
    store, case_id, sha256 = filled
    for search in (sha256, sha256[:12].upper(), sha256[:4]):
        assert [found.case.case_id for found in store.cases(search)] == [case_id]
    assert store.cases(sha256[5:30]) == []


def test_cases_come_newest_activity_first_in_pages(store: CaseStore) -> None:
    ids = [store.create_case(f"case {number}").case_id for number in range(5)]
    store.add_note(ids[1], "woken up")
    order = [ids[1], ids[4], ids[3], ids[2], ids[0]]
    assert [found.case.case_id for found in store.cases()] == order
    assert [found.case.case_id for found in store.cases(limit=2, offset=1)] == order[1:3]


def test_a_summary_counts_and_names_the_newest_conclusion_of_each_exhibit(store: CaseStore) -> None:
    case = store.create_case("a")
    for number in range(3):
        evidence = make_evidence(store.evidence_dir, f"film {number}".encode(), f"{number}.mp4")
        exhibit = store.add_exhibit(case.case_id, evidence)
        for seed in range(number):
            store.save_analysis(exhibit.exhibit_id, make_analysis(evidence, seed=seed))
    (summary,) = store.cases()
    assert (summary.exhibit_count, summary.analysis_count, summary.note_count) == (3, 3, 0)
    assert summary.file_names == ("0.mp4", "1.mp4", "2.mp4")
    assert summary.labels == ("inconclusive", "inconclusive")
