from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import numpy as np
import pytest

from detector.cases import CaseStore, default_home
from detector.errors import StoreError
from tests.cases.records import make_analysis, make_evidence


def test_a_case_comes_back_as_it_was_made_after_reopening(tmp_path: Path) -> None:
    with CaseStore.open(tmp_path) as store:
        made = store.create_case("Bank call", reference="L-17", examiner="A. Turing")
    with CaseStore.open(tmp_path) as store:
        found = store.case(made.case_id)
    assert found == made
    assert (found.title, found.reference, found.examiner) == ("Bank call", "L-17", "A. Turing")
    assert found.created_at.utcoffset().total_seconds() == 0


def test_cases_without_a_reference_are_numbered_in_turn(store: CaseStore) -> None:
    first, own, second = store.create_case("a"), store.create_case("b", reference="X/1"), store.create_case("c")
    year = first.created_at.year
    assert [first.reference, own.reference, second.reference] == [f"FW-{year}-0001", "X/1", f"FW-{year}-0002"]


def test_ids_are_short_and_sort_as_they_were_made(store: CaseStore) -> None:
    ids = [store.create_case(str(number)).case_id for number in range(20)]
    assert ids == sorted(set(ids))
    assert all(re.fullmatch(r"c[0-9a-hjkmnp-tv-z]{9}", case_id) for case_id in ids)


def test_changing_a_case_keeps_what_it_was_in_the_log(store: CaseStore) -> None:
    case = store.create_case("Old title")
    changed = store.update_case(case.case_id, title="New title")
    assert changed.title == "New title"
    event = store.events(case.case_id)[-1]
    assert event.action == "case_changed"
    assert event.details["title"] == {"before": "Old title", "after": "New title"}
    with pytest.raises(StoreError, match="needs a title"):
        store.update_case(case.case_id, title="  ")


def test_an_exhibit_keeps_every_fact_of_its_evidence(store: CaseStore) -> None:
    case = store.create_case("a")
    evidence = make_evidence(store.evidence_dir)
    exhibit = store.add_exhibit(case.case_id, evidence)
    assert store.exhibit(exhibit.exhibit_id).evidence == evidence
    assert store.exhibits(case.case_id) == [exhibit]
    assert exhibit.number == 1


def test_the_same_file_is_one_exhibit_of_a_case_and_another_of_the_next(store: CaseStore) -> None:
    evidence = make_evidence(store.evidence_dir)
    one, two = store.create_case("a"), store.create_case("b")
    first = store.add_exhibit(one.case_id, evidence)
    again = store.add_exhibit(one.case_id, dataclasses.replace(evidence))
    other = store.add_exhibit(two.case_id, evidence)
    assert again == first
    assert other.exhibit_id != first.exhibit_id


def test_a_file_outside_the_store_is_refused(store: CaseStore, tmp_path: Path) -> None:
    case = store.create_case("a")
    with pytest.raises(StoreError, match="Take it in with the store's intake"):
        store.add_exhibit(case.case_id, make_evidence(tmp_path / "elsewhere"))


def test_an_analysis_comes_back_whole_with_its_landmarks(store: CaseStore) -> None:
    evidence = make_evidence(store.evidence_dir)
    exhibit = store.add_exhibit(store.create_case("a").case_id, evidence)
    analysis = make_analysis(evidence)
    record = store.save_analysis(exhibit.exhibit_id, analysis)
    found = store.analysis(record.record_id)
    assert (found.models, found.conclusion, found.evidence) == (analysis.models, analysis.conclusion, evidence)
    assert np.array_equal(found.tracks[1].faces[3].face.landmarks, analysis.tracks[1].faces[3].face.landmarks)
    assert {kept.kind: (kept.shape, kept.dtype) for kept in record.artefacts} == {
        "analysis": ((), ""),
        "landmarks": ((12, 468, 3), "float32"),
    }
    assert all(kept.path.stem == kept.sha256 for kept in record.artefacts)


def test_saving_the_same_analysis_twice_keeps_it_once(store: CaseStore) -> None:
    evidence = make_evidence(store.evidence_dir)
    exhibit = store.add_exhibit(store.create_case("a").case_id, evidence)
    first = store.save_analysis(exhibit.exhibit_id, make_analysis(evidence))
    assert store.save_analysis(exhibit.exhibit_id, make_analysis(evidence)) == first
    other = store.save_analysis(exhibit.exhibit_id, make_analysis(evidence, seed=1, meshes=False))
    assert store.analyses(exhibit_id=exhibit.exhibit_id) == [first, other]
    assert len(store.score_table(first.record_id)) == 12


def test_scores_and_faces_are_tables(store: CaseStore) -> None:
    evidence = make_evidence(store.evidence_dir)
    exhibit = store.add_exhibit(store.create_case("a").case_id, evidence)
    analysis = make_analysis(evidence)
    record = store.save_analysis(exhibit.exhibit_id, analysis)
    scores = store.score_table(record.record_id)
    assert scores["logit"].tolist() == [frame.logit for track in analysis.models[0].tracks for frame in track.frames]
    assert scores["score"].between(0, 1).all()
    faces = store.face_table(record.record_id)
    assert faces[["x0_px", "y0_px", "x1_px", "y1_px"]].iloc[0].tolist() == [1.5, 2.0, 30.25, 40.0]
    assert faces["yaw_deg"].isna().all()
    assert faces["flags"].iloc[0] == "small blurred"


def test_an_analysis_of_another_file_is_refused(store: CaseStore) -> None:
    exhibit = store.add_exhibit(store.create_case("a").case_id, make_evidence(store.evidence_dir))
    other = make_evidence(store.evidence_dir, b"another film")
    with pytest.raises(StoreError, match="Nothing was saved"):
        store.save_analysis(exhibit.exhibit_id, make_analysis(other))
    assert store.analyses() == []


def test_notes_keep_their_place(store: CaseStore) -> None:
    case = store.create_case("a")
    exhibit = store.add_exhibit(case.case_id, make_evidence(store.evidence_dir))
    on_case = store.add_note(case.case_id, " general ")
    on_frame = store.add_note(
        case.case_id, "mouth edge", exhibit_id=exhibit.exhibit_id, track_id=1, pts=3000, author="B. Liskov"
    )
    assert store.notes(case.case_id) == [on_case, on_frame]
    assert store.notes(case.case_id, exhibit.exhibit_id) == [on_frame]
    assert (on_case.text, on_case.author) == ("general", "tester")
    assert (on_frame.track_id, on_frame.pts, on_frame.author) == (1, 3000, "B. Liskov")
    with pytest.raises(StoreError, match="needs some text"):
        store.add_note(case.case_id, " \n")
    with pytest.raises(StoreError, match="no exhibit"):
        store.add_note(store.create_case("b").case_id, "x", exhibit_id=exhibit.exhibit_id)


@pytest.mark.parametrize(
    "ask",
    [
        lambda store: store.case("c000000000"),
        lambda store: store.exhibits("c000000000"),
        lambda store: store.exhibit("x000000000"),
        lambda store: store.analysis("r000000000"),
        lambda store: store.score_table("r000000000"),
        lambda store: store.notes("c000000000"),
        lambda store: store.verify("c000000000"),
        lambda store: store.jobs.get("j000000000"),
    ],
)
def test_an_unknown_id_is_named_in_the_error(store: CaseStore, ask) -> None:
    with pytest.raises(StoreError, match="0000"):
        ask(store)


@pytest.mark.parametrize("name", ["../../x.mp4", "a\udcff.mp4", "'; DROP TABLE cases; --.mp4", "<b>.mp4", "=1+1.mp4"])
def test_a_hostile_file_name_is_kept_as_data(store: CaseStore, name: str) -> None:
    case = store.create_case("a")
    exhibit = store.add_exhibit(case.case_id, make_evidence(store.evidence_dir, file_name=name))
    assert store.exhibit(exhibit.exhibit_id).file_name == name
    assert store.verify(case.case_id).ok
    assert len(store.cases()) == 1


def test_the_home_follows_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("FRAMEWITNESS_HOME", str(tmp_path / "mine"))
    assert default_home() == tmp_path / "mine"
    monkeypatch.delenv("FRAMEWITNESS_HOME")
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "xdg"))
    assert default_home() == tmp_path / "xdg" / "framewitness"
