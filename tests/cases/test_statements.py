from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from detector.cases import CaseFilter, CaseStore, Exhibit, JobRequest
from detector.errors import StoreError
from tests.cases.records import make_analysis, make_evidence


@pytest.fixture
def exhibit(store: CaseStore) -> Exhibit:
    return store.add_exhibit(store.create_case("a").case_id, make_evidence(store.evidence_dir))


def analyse(store: CaseStore, exhibit: Exhibit, seed: int = 0) -> str:
    return store.save_analysis(exhibit.exhibit_id, make_analysis(exhibit.evidence, seed=seed)).record_id


def test_an_opinion_before_scores_is_blind_and_one_after_them_is_not(store: CaseStore, exhibit: Exhibit) -> None:
    give = store.statements.give_opinion
    before = give(exhibit.exhibit_id, "genuine", " lips close on plosives ", author="Ada")
    assert (before.blind, before.analyses_before, before.scores_opened_by) == (True, 0, ())
    assert before.text == "lips close on plosives"
    record_id = analyse(store, exhibit)
    unseen = give(exhibit.exhibit_id, "genuine", author="Ada")
    assert (unseen.blind, unseen.analyses_before) == (True, 1)
    place = {"exhibit_id": exhibit.exhibit_id, "record_id": record_id}
    assert store.statements.record_view(exhibit.case_id, **place, scores=True, author="ada ")
    after = give(exhibit.exhibit_id, "manipulated", author="Ada")
    assert (after.blind, after.scores_opened_by) == (False, ("ada",))
    assert give(exhibit.exhibit_id, "manipulated", author="Bea").blind
    assert store.statements.opinions(exhibit.case_id)[:3] == [before, unseen, after]
    assert store.verify(exhibit.case_id).ok


@pytest.mark.parametrize("how", ["report_rendered", "case_exported"])
def test_a_copy_of_the_case_shows_its_scores_once_there_are_any(store: CaseStore, exhibit: Exhibit, how: str) -> None:
    store.log(exhibit.case_id, how, {}, actor="Ada")
    assert store.statements.scores_opened_by(exhibit.exhibit_id) == ()
    analyse(store, exhibit)
    store.log(exhibit.case_id, how, {}, actor="Ada")
    assert store.statements.scores_opened_by(exhibit.exhibit_id) == ("Ada",)


def test_scores_of_the_same_file_in_another_case_count(store: CaseStore, exhibit: Exhibit) -> None:
    again = store.add_exhibit(store.create_case("b").case_id, exhibit.evidence)
    other = store.add_exhibit(again.case_id, make_evidence(store.evidence_dir, b"another film"))
    analyse(store, exhibit)
    store.statements.record_view(exhibit.case_id, exhibit_id=exhibit.exhibit_id, scores=True, author="Ada")
    assert store.statements.scores_opened_by(again.exhibit_id) == ("Ada",)
    assert store.statements.scores_opened_by(other.exhibit_id) == ()


def test_a_view_is_recorded_once_in_a_while(
    store: CaseStore, exhibit: Exhibit, monkeypatch: pytest.MonkeyPatch
) -> None:
    view = store.statements.record_view
    before = store.case(exhibit.case_id).updated_at
    assert view(exhibit.case_id, author="Ada")
    assert not view(exhibit.case_id, author="Ada")
    assert view(exhibit.case_id, author="Bea")
    assert view(exhibit.case_id, exhibit_id=exhibit.exhibit_id, author="Ada")
    monkeypatch.setattr("detector.cases.statement_repository.VIEW_REPEAT", timedelta(0))
    assert view(exhibit.case_id, author="Ada")
    actions = [event.action for event in store.events(exhibit.case_id)][-4:]
    assert actions == ["case_viewed", "case_viewed", "exhibit_viewed", "case_viewed"]
    assert store.case(exhibit.case_id).updated_at == before


def test_a_blind_first_case_keeps_scores_back_from_each_person_until_their_own_opinion(
    store: CaseStore, exhibit: Exhibit
) -> None:
    store.metadata.set_blind_first(exhibit.case_id, True)
    analyse(store, exhibit)
    withheld = store.statements.scores_withheld
    assert withheld(exhibit.exhibit_id, "Ada")
    store.statements.give_opinion(exhibit.exhibit_id, "undetermined", "a seam", author="Ada")
    # For each person by itself: Ada may be told, Bea has said nothing yet.
    assert not withheld(exhibit.exhibit_id, " ADA")
    assert withheld(exhibit.exhibit_id, "Bea")
    assert store.statements.withheld_files("Bea") == {exhibit.sha256}
    assert store.statements.withheld_files("Ada") == store.statements.files_without_opinion() == frozenset()
    told = {who: store.cases(reader=who)[0] for who in ("", "Ada", "Bea")}
    assert {who: (line.labels, line.labels_withheld) for who, line in told.items()} == {
        "": ((), 1),
        "Ada": (("inconclusive",), 0),
        "Bea": ((), 1),
    }
    assert [len(store.search("seam", reader=who)) for who in ("Ada", "Bea")] == [1, 0]
    wanted = CaseFilter(labels=("inconclusive",))
    assert [len(store.cases(wanted=wanted, reader=who)) for who in ("Ada", "Bea")] == [1, 0]


def test_a_bundle_which_holds_all_scores_is_not_written_for_one_who_may_not_see_them(
    store: CaseStore, exhibit: Exhibit, tmp_path: Path
) -> None:
    store.metadata.set_blind_first(exhibit.case_id, True)
    store.statements.give_opinion(exhibit.exhibit_id, "genuine", author="Ada")
    with pytest.raises(StoreError, match="Bea has recorded no opinion on E1"):
        store.export_case(exhibit.case_id, tmp_path / "case.zip", author="Bea")
    assert not (tmp_path / "case.zip").exists()
    assert store.export_case(exhibit.case_id, tmp_path / "case.zip", author="Ada").is_file()


def test_two_people_sign_and_changes_after_that_show(store: CaseStore, exhibit: Exhibit) -> None:
    case_id, sign, state = exhibit.case_id, store.statements.sign, store.statements.sign_off
    with pytest.raises(StoreError, match="after the examiner"):
        sign(case_id, "second_examiner", "checked", author="Bea")
    head = store.head(case_id)
    first = sign(case_id, "examiner", "I examined it.", author="Ada")
    assert (first.head_sequence, first.head_hash) == (head.sequence, head.event_hash)
    with pytest.raises(StoreError, match="another person"):
        sign(case_id, "second_examiner", "checked", author=" ADA")
    assert not state(case_id).complete
    sign(case_id, "second_examiner", "I checked it.", author="Bea")
    store.statements.record_view(case_id, author="Ada")
    store.export_case(case_id, store.home / "case.zip")
    assert state(case_id).complete
    assert store.cases()[0].signed == 2
    store.add_note(case_id, "an afterthought")
    assert (state(case_id).complete, state(case_id).changed_since) == (False, ("note_added",))
    sign(case_id, "examiner", "Again.", author="Bea")
    assert state(case_id).second_examiner is None
    assert store.verify(case_id).ok


def test_what_does_not_verify_is_not_signed(store: CaseStore, exhibit: Exhibit) -> None:
    exhibit.evidence.file.path.unlink()
    with pytest.raises(StoreError, match="does not verify"):
        store.statements.sign(exhibit.case_id, "examiner", "I examined it.")
    assert store.statements.signatures(exhibit.case_id) == []


def test_ground_truth_is_kept_for_calibration(store: CaseStore, exhibit: Exhibit) -> None:
    record_id = analyse(store, exhibit)
    truth = store.statements.record_truth
    assert store.statements.labelled_analyses() == []
    truth(exhibit.exhibit_id, "genuine", "the uploader said so")
    newest = truth(exhibit.exhibit_id, "manipulated", "confession", method="face swap", author="Ada")
    (labelled,) = store.statements.labelled_analyses()
    assert (labelled.truth, labelled.record, labelled.disputed) == (newest, store.record(record_id), False)
    assert [found.truth for found in store.statements.truths(exhibit.case_id)] == ["genuine", "manipulated"]
    truth(exhibit.exhibit_id, "unknown", "the confession was withdrawn")
    assert store.statements.labelled_analyses() == []


def test_the_same_file_with_two_truths_is_disputed_and_comes_once(store: CaseStore, exhibit: Exhibit) -> None:
    again = store.add_exhibit(store.create_case("b").case_id, exhibit.evidence)
    for found in (exhibit, again):
        analyse(store, found)
    store.statements.record_truth(exhibit.exhibit_id, "genuine", "original at hand")
    store.statements.record_truth(again.exhibit_id, "manipulated", "confession")
    (labelled,) = store.statements.labelled_analyses()
    assert labelled.disputed


def test_what_is_no_statement_is_refused(store: CaseStore, exhibit: Exhibit) -> None:
    statements = store.statements
    for ask in (
        lambda: statements.give_opinion(exhibit.exhibit_id, "maybe"),
        lambda: statements.record_truth(exhibit.exhibit_id, "maybe", "x"),
        lambda: statements.record_truth(exhibit.exhibit_id, "genuine", " "),
        lambda: statements.sign(exhibit.case_id, "boss", "x"),
        lambda: statements.sign(exhibit.case_id, "examiner", ""),
        lambda: statements.give_opinion("x000000000", "genuine"),
        lambda: statements.record_view(exhibit.case_id, exhibit_id="x000000000"),
        lambda: statements.record_view("c000000000"),
        lambda: statements.opinions("c000000000"),
    ):
        before = store.events(exhibit.case_id)
        with pytest.raises(StoreError):
            ask()
        assert store.events(exhibit.case_id) == before


def test_the_truth_may_be_learned_after_the_case_was_archived(
    store: CaseStore, exhibit: Exhibit, tmp_path: Path
) -> None:
    store.metadata.archive(exhibit.case_id, "retention")
    store.statements.record_truth(exhibit.exhibit_id, "genuine", "verdict of the court")
    with pytest.raises(StoreError, match="archived"):
        store.statements.give_opinion(exhibit.exhibit_id, "genuine")
    with pytest.raises(StoreError, match="archived"):
        store.statements.sign(exhibit.case_id, "examiner", "x")


def test_the_log_names_who_did_it(store: CaseStore, exhibit: Exhibit, tmp_path: Path) -> None:
    case = store.create_case("b", examiner="Ada", author="Bea")
    store.update_case(case.case_id, title="c", author="Bea")
    again = store.add_exhibit(case.case_id, exhibit.evidence, author="Bea")
    store.jobs.add(JobRequest(again.exhibit_id, ("frame-a",)), author="Bea")
    seen: list[tuple[float, str]] = []
    store.check(case.case_id, actor="Bea", progress=lambda part, name: seen.append((part, name)))
    store.export_case(case.case_id, tmp_path / "case.zip", author="Bea")
    store.back_up(tmp_path / "copy", author="Bea")
    assert {event.actor for event in store.events(case.case_id)} == {"Bea"}
    assert [(event.action, event.actor) for event in store.events()][-1] == ("backed_up", "Bea")
    assert seen == [(0.0, f"evidence file of exhibit {again.exhibit_id}")]
    whole: list[float] = []
    assert store.verify_all(progress=lambda part, _: whole.append(part)).ok
    assert whole == [0.0, 0.5]
    with CaseStore.open(tmp_path / "other") as other:
        other.import_case(tmp_path / "case.zip", author="Cyd")
        assert other.events(case.case_id)[-1].actor == "Cyd"
