from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from detector.cases import CaseStore, Exhibit, ExhibitFilter, JobRequest
from tests.cases.records import make_analysis, make_evidence

LABELS = ("inconclusive", "likely_manipulated", "no_manipulation_found", None)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CaseStore]:
    with CaseStore.open(tmp_path_factory.mktemp("list") / "home", actor="tester") as opened:
        case_id = opened.create_case("Four files", examiner="Ada").case_id
        for number, label in enumerate(LABELS):
            evidence = make_evidence(opened.evidence_dir, f"file {number}".encode(), f"clip {number}.mp4")
            exhibit = opened.add_exhibit(case_id, evidence)
            if label is not None:
                analysis = make_analysis(evidence, frames=1, tracks=1, meshes=False)
                opened.save_analysis(
                    exhibit.exhibit_id, replace(analysis, conclusion=replace(analysis.conclusion, label=label))
                )
        opened.create_case("Another case", examiner="Bea")
        yield opened


@pytest.fixture(scope="module")
def exhibits(store: CaseStore) -> list[Exhibit]:
    (filled,) = [line.case for line in store.cases() if line.exhibit_count]
    return store.exhibits(filled.case_id)


def numbers(store: CaseStore, **asked: object) -> list[int]:
    wanted = asked.pop("wanted", ExhibitFilter())
    return [line.number for line in store.exhibit_page(wanted, **asked).lines]


def test_a_list_is_ordered_filtered_grouped_and_paged(store: CaseStore, exhibits: list[Exhibit]) -> None:
    assert numbers(store) == [1, 2, 3, 4]
    assert numbers(store, order="added") == [4, 3, 2, 1]
    assert numbers(store, order="verdict") == numbers(store, grouped=True) == [2, 1, 3, 4]
    assert numbers(store, wanted=ExhibitFilter(findings=("likely_manipulated", "none"))) == [2, 4]
    assert numbers(store, wanted=ExhibitFilter(words="CLIP 3.mp4")) == [4]
    assert numbers(store, wanted=ExhibitFilter(words=exhibits[1].sha256[:9])) == [2]
    assert numbers(store, wanted=ExhibitFilter(examiner="bea")) == []
    page = store.exhibit_page(ExhibitFilter(findings=("inconclusive",)), limit=2, offset=1)
    assert (page.lines, page.total, page.counts["none"]) == ((), 1, 1)
    (one, two) = store.first_exhibits([exhibits[0].case_id], 2)[exhibits[0].case_id]
    assert (one.number, two.finding, one.duration_s) == (1, "likely_manipulated", None)
    assert store.exhibit_page(limit=1).lines[0].duration_s == 2.0


def test_what_waits_for_a_persons_opinion_is_told_to_them_nowhere(store: CaseStore, exhibits: list[Exhibit]) -> None:
    case_id = exhibits[0].case_id
    store.statements.give_opinion(exhibits[0].exhibit_id, "genuine", author="Ada")
    store.metadata.set_blind_first(case_id, True)
    told = {who: store.exhibit_page(order="verdict", reader=who) for who in ("Ada", "Bea", "")}
    assert [line.finding for line in told["Ada"].lines] == ["inconclusive", "withheld", "withheld", "none"]
    for who in ("Bea", ""):
        assert {line.finding for line in told[who].lines} == {"withheld", "none"}
        assert {(line.score, line.opinion, line.opinion_by) for line in told[who].lines} == {(None, None, None)}
        assert told[who].lines[0].opinion_count == 1
        assert all(line.shown_record is None for line in told[who].lines)
    asked = ExhibitFilter(findings=("inconclusive",))
    assert [len(store.exhibit_page(asked, reader=who).lines) for who in ("Ada", "Bea")] == [1, 0]
    store.metadata.set_blind_first(case_id, False)


def test_an_exhibits_state_is_how_far_its_examination_is(store: CaseStore, exhibits: list[Exhibit]) -> None:
    def states() -> list[str]:
        return [line.state for line in store.exhibit_page().lines]

    assert states() == ["examined", "waiting_for_opinion", "waiting_for_opinion", "not_analysed"]
    job = store.jobs.add(JobRequest(exhibits[3].exhibit_id, ("frame-a",)))
    assert states()[3] == "queued"
    store.jobs.pause([job.job_id])
    assert states()[3] == "queued"
    store.jobs.resume([job.job_id])
    assert store.jobs.claim() is not None
    assert states()[3] == "running"
    store.jobs.fail(job.job_id, "evidence", "It cannot be read.")
    assert states()[3] == "failed"
    assert numbers(store, wanted=ExhibitFilter(states=("failed",))) == [4]
    store.statements.sign(exhibits[0].case_id, "examiner", "I examined it.", author="Ada")
    assert set(states()) == {"signed"}
    store.statements.give_opinion(exhibits[1].exhibit_id, "genuine", author="Ada")
    assert states()[1] == "examined"  # after the signature: it does not stand for it


def test_that_a_list_showed_scores_is_on_record_once_for_each_exhibit(
    store: CaseStore, exhibits: list[Exhibit]
) -> None:
    ids = [exhibit.exhibit_id for exhibit in exhibits[:3]]
    for _ in range(2):
        store.statements.record_scores_shown(ids, author="Eve")
    seen = [event.details["exhibit_id"] for event in store.events(exhibits[0].case_id) if event.actor == "Eve"]
    assert seen == ids
    assert store.statements.scores_opened_by(ids[1]) == ("Eve",)
