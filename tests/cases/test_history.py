from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import pytest

from detector.cases import STATUSES, CaseFilter, CaseStore, ExhibitFilter
from detector.cases.history import excerpt
from tests.cases.bulk import fill
from tests.cases.records import make_analysis, make_evidence

CASES, EXHIBITS = 1_000, 10_000


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> CaseStore:
    home = tmp_path_factory.mktemp("many")
    fill(CaseStore.open(home), CASES, EXHIBITS)
    return CaseStore.open(home)


def references(store: CaseStore, search: str = "", **wanted: object) -> list[str]:
    found = store.history(search, CaseFilter(**wanted), limit=5_000, order="reference")
    assert len(found.summaries) == found.total
    return [line.case.reference for line in found.summaries]


def expected(condition) -> list[str]:
    return [f"LAB-{n:05d}" for n in range(CASES) if condition(n)]


def test_filters_admit_exactly_what_they_say(many: CaseStore) -> None:
    current = lambda n: n % 10 != 0  # noqa: E731
    assert references(many) == expected(current)
    assert references(many, statuses=("archived",)) == expected(lambda n: not current(n))
    assert references(many, tags=("tag3", "all")) == expected(lambda n: current(n) and n % 7 == 3)
    assert references(many, tags=("tag3", "tag4")) == []
    assert references(many, examiner="EXAMINER 7") == expected(lambda n: current(n) and n % 40 == 7)
    start = datetime(2020, 1, 1, tzinfo=UTC)
    span = {"created_from": start + timedelta(hours=5), "created_before": start + timedelta(hours=15)}
    assert references(many, **span) == expected(lambda n: current(n) and 5 <= n < 15)
    both = references(many, "plosives img_27_", statuses=STATUSES, tags=("tag6",))
    assert both == expected(lambda n: n == 27 and n % 2 == 0)
    assert references(many, "img_28_ plosives", statuses=STATUSES) == ["LAB-00028"]


def test_a_label_filter_asks_for_the_newest_conclusion(store: CaseStore) -> None:
    exhibit = store.add_exhibit(store.create_case("a").case_id, make_evidence(store.evidence_dir))
    store.save_analysis(exhibit.exhibit_id, make_analysis(exhibit.evidence))
    assert len(store.cases(wanted=CaseFilter(labels=("inconclusive", "not_examined")))) == 1
    assert store.cases(wanted=CaseFilter(labels=("likely_manipulated",))) == []


def test_a_favourite_belongs_to_a_person(store: CaseStore) -> None:
    case_id = store.create_case("a").case_id
    store.metadata.set_favourite(case_id, True, author="Ada")
    assert len(store.cases(wanted=CaseFilter(favourite_of="Ada"))) == 1
    assert store.cases(wanted=CaseFilter(favourite_of="Bea")) == []


def test_pages_join_up_and_know_their_total(many: CaseStore) -> None:
    pages = [many.history(limit=333, offset=offset) for offset in range(0, 1_200, 333)]
    assert {page.total for page in pages} == {900}
    ids = [line.case.case_id for page in pages for line in page.summaries]
    assert ids == sorted(set(ids), reverse=True)
    assert len(ids) == 900
    titles = [line.case.title for line in many.history(limit=50, order="title").summaries]
    assert titles == sorted(titles)


def test_facets_count_the_cases(many: CaseStore) -> None:
    facets = many.facets()
    assert dict(facets.statuses) == {"open": 900, "archived": 100}
    assert facets.tags[0] == ("all", CASES)
    assert dict(facets.examiners)["Examiner 7"] == 25


def test_a_list_costs_little_and_reads_no_log(many: CaseStore) -> None:
    """Processor time, since a busy machine says nothing about the query; at ten times the size it is to be < 300 ms."""
    searches = [("", {}), ("größe img", {}), ("ab12", {"labels": ("inconclusive",), "tags": ("tag3",)})]
    for search, wanted in searches:
        many.history(search, CaseFilter(**wanted), limit=25)
        begun_s = time.process_time()
        for _ in range(3):
            many.history(search, CaseFilter(**wanted), limit=25)
        assert (time.process_time() - begun_s) / 3 < 0.3
    with many._database.read() as cursor:
        from detector.cases.records import CASES

        plan = cursor.execute(f"EXPLAIN SELECT * FROM ({CASES}) AS cases").fetchall()[0][1]
    assert "case_heads" in plan
    assert "events" not in plan


def test_a_page_of_ten_thousand_exhibits_costs_little(many: CaseStore) -> None:
    begun_s = time.process_time()
    page = many.exhibit_page(ExhibitFilter(words="img", findings=("inconclusive",)), grouped=True, limit=25, reader="A")
    assert (len(page.lines), page.total) == (25, sum(m % 3 == 1 and m % CASES % 10 != 0 for m in range(EXHIBITS)))
    assert time.process_time() - begun_s < 1


def test_a_search_of_thousands_of_words_ends(many: CaseStore) -> None:
    begun_s = time.process_time()
    assert many.history(" ".join(f"word{number}" for number in range(3_000)), limit=25).total == 0
    assert time.process_time() - begun_s < 5


def test_hits_name_their_place_and_show_the_text_unchanged(store: CaseStore) -> None:
    case_id = store.create_case("Plain").case_id
    exhibit_id = store.add_exhibit(case_id, make_evidence(store.evidence_dir, file_name="Straße.mp4")).exhibit_id
    text = f"{'x ' * 100}the ÉPAULE moves <b>{' y' * 100}"
    note = store.add_note(case_id, text, exhibit_id=exhibit_id)
    opinion = store.statements.give_opinion(exhibit_id, "genuine", "épaule natural")
    store.statements.record_truth(exhibit_id, "genuine", "seen at the épaule clinic")
    hits = store.search("epaule")
    assert {(hit.kind, hit.exhibit_id) for hit in hits} == {(k, exhibit_id) for k in ("note", "opinion", "truth")}
    (of_note,) = (hit for hit in hits if hit.kind == "note")
    assert of_note.place == note.note_id
    assert "ÉPAULE moves <b>" in of_note.excerpt
    assert of_note.excerpt in text
    assert [hit.place for hit in store.search("natural genuine epaule")] == []
    assert [hit.place for hit in store.search("natural épaule") if hit.kind == "opinion"] == [opinion.opinion_id]
    assert [(hit.kind, hit.exhibit_id) for hit in store.search("STRAßE.MP4")] == [("exhibit", exhibit_id)]
    sha256 = store.exhibit(exhibit_id).sha256
    assert [(hit.kind, hit.place, hit.excerpt) for hit in store.search(sha256[:9])] == [("hash", exhibit_id, sha256)]
    assert store.search("  ") == []


@pytest.mark.parametrize("text", ["", "short", "İstanbul " * 50 + "needle", "e\u0301" * 300 + "needle", "\u202e" * 200])
def test_an_excerpt_is_part_of_its_text(text: str) -> None:
    found = excerpt(text, ["needle"])
    assert found in text
    assert len(found) <= 120
    assert ("needle" in found) == ("needle" in text)
