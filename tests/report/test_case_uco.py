"""The case as CASE/UCO: accepted by the ontology's own validator, complete, and closed to hostile text."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

import pytest

from detector.cases.statements import GroundTruth, Opinion, Signature
from detector.evidence.forensics.types import ContainerFacts, FileForensics, Observation, Provenance
from detector.report.case_uco import case_graph, case_uco
from detector.report.record import AnalysisEntry, CaseRecord, ExhibitEntry
from tests.report.conftest import (
    START,
    make_entry,
    make_every_kind,
    make_evidence,
    make_exhibit,
    make_record,
    make_unscored,
)

HOSTILE = '"}],"@id":"http://x/"} <script>alert(1)</script> =1+1 \u202e \udcff \x00\x1b[31m \r\n ‏שלום'


def nodes(graph: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    return [
        node
        for node in graph["@graph"]
        if kind in ([node["@type"]] if isinstance(node["@type"], str) else node["@type"])
    ]


@pytest.fixture
def record() -> CaseRecord:
    """Everything a case can hold, with hostile text wherever there is any."""
    evidence = make_evidence(HOSTILE)
    analysis = make_every_kind(evidence)
    analysis = replace(
        analysis,
        environment={"torch": "2.0", HOSTILE: HOSTILE},
        forensics=_forensics(Observation("x", "container", HOSTILE, HOSTILE, (HOSTILE, "b"), ("c",), "attention")),
    )
    other = make_evidence("b.mp4")
    made = make_record(
        (
            ExhibitEntry(make_exhibit(evidence), (make_entry(analysis, pictures=False),)),
            ExhibitEntry(make_exhibit(other, 2), (_second(make_entry(make_unscored(other), pictures=False)),)),
        ),
        title=HOSTILE,
    )
    event = replace(
        made.log.events[0],
        actor=HOSTILE,
        action=HOSTILE,
        details={"a": HOSTILE, "record": {"id": "r000000001"}, "exhibit_id": "x000000001"},
    )
    return replace(
        made,
        case=replace(made.case, reference=HOSTILE, examiner=HOSTILE, tags=(HOSTILE, "second")),
        notes=(
            replace(made.notes[0], text=HOSTILE, author=HOSTILE),
            replace(made.notes[0], note_id="n000000002", end_pts=192_000, box_xyxy_px=(10.4, 20.0, 40.0, 60.0)),
        ),
        log=replace(made.log, events=(event, *made.log.events[1:])),
        opinions=(Opinion("p1", "c000000001", "x000000001", "manipulated", HOSTILE, "A. Other", 0, (), START),),
        truths=(GroundTruth("t1", "c000000001", "x000000001", "genuine", HOSTILE, HOSTILE, "A. Other", START),),
        signatures=(Signature("s1", "c000000001", "examiner", HOSTILE, HOSTILE, 3, "0" * 64, START),),
    )


def _second(entry: AnalysisEntry) -> AnalysisEntry:
    return replace(entry, saved=replace(entry.saved, record_id="r000000002", exhibit_id="x000000002"))


def _forensics(*observations: Observation) -> FileForensics:
    return FileForensics(Provenance("absent", "No content credentials."), observations, ContainerFacts("mp4"))


@pytest.mark.slow
def test_the_ontologys_own_validator_accepts_it_without_a_network(
    record: CaseRecord, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    validate = pytest.importorskip("case_utils.case_validate").validate

    def refuse(*_: object) -> NoReturn:
        raise AssertionError("the validation reached for the network")

    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    path = tmp_path / "case.jsonld"
    path.write_bytes(case_uco(record))
    found = validate(str(path), case_version="case-1.5.0", allow_infos=False, allow_warnings=False)
    assert found.conforms, found.text
    assert found.undefined_concepts == set()


def test_it_holds_the_whole_case(record: CaseRecord) -> None:
    graph = case_graph(record)
    (investigation,) = nodes(graph, "case-investigation:Investigation")
    files = [node for node in nodes(graph, "uco-observable:File") if node["uco-core:name"].endswith((".mp4", "שלום"))]
    assert len(files) == 2
    hashes = {node["uco-types:hashValue"]["@value"] for node in nodes(graph, "uco-types:Hash")}
    assert {"ab" * 32, "cd" * 16} <= hashes
    exhibits = [
        node
        for node in nodes(graph, "case-investigation:ProvenanceRecord")
        if "case-investigation:exhibitNumber" in node
    ]
    assert [node["case-investigation:exhibitNumber"] for node in exhibits] == ["E1", "E2"]
    analyses = nodes(graph, "uco-analysis:Analysis")
    assert len(analyses) == 2
    for node in analyses:
        assert {"uco-action:instrument", "uco-action:object", "uco-action:result", "uco-action:endTime"} <= set(node)
    tools = {node["uco-core:name"]: node for node in nodes(graph, "uco-tool:AnalyticTool")}
    assert {"Framewitness", "frame-b0", "tm-b1", "cues-b2", "av-b3", "all-b4"} <= set(tools)
    assert tools["Framewitness"]["uco-tool:version"] == "0.1.0"
    conclusions = nodes(graph, "fw:ConclusionFacet")
    assert {node["fw:label"] for node in conclusions} == {"likely_manipulated", "not_examined"}
    unscored = next(node for node in conclusions if node["fw:label"] == "not_examined")
    assert "fw:score" not in unscored  # never 0 in place of unknown
    assert len(nodes(graph, "fw:ModelResultFacet")) == 6
    assert {node["fw:cue"] for node in nodes(graph, "fw:CueFacet")} == {"TM", "BG", "LL", "AV"}
    (observation,) = nodes(graph, "fw:ObservationFacet")
    assert observation["fw:weight"] == "attention"
    events = nodes(graph, "fw:LogEventFacet")
    assert [node["fw:eventHash"] for node in events] == [event.event_hash for event in record.log.events]
    (drawn,) = [node for node in nodes(graph, "fw:PlaceFacet") if "fw:leftPx" in node]
    assert drawn["fw:mediaFragment"] == "t=10.000,15.000&xywh=pixel:10,20,30,40"
    assert drawn["fw:endSeconds"]["@value"] == "15.0"
    assert {node["uco-core:tag"][0] for node in nodes(graph, "uco-core:Annotation")} == {
        "note",
        "annotation",
        "opinion",
        "ground truth",
        "signature",
    }
    held = {one["@id"] for one in investigation["uco-core:object"]}
    assert {node["@id"] for node in [*files, *analyses, *exhibits]} <= held


def test_every_reference_leads_to_a_node_and_no_text_is_in_an_id(record: CaseRecord) -> None:
    graph = case_graph(record)
    known = [node["@id"] for node in graph["@graph"]]
    assert len(set(known)) == len(known)

    def walk(value: Any) -> None:
        if isinstance(value, dict):
            if set(value) == {"@id"}:
                assert value["@id"] in known
            for inner in value.values():
                walk(inner)
        elif isinstance(value, list):
            for inner in value:
                walk(inner)

    walk(graph["@graph"])
    for node_id in known:
        assert node_id.replace("kb:", "").replace("-", "").isalnum()
        assert node_id.isascii()


def test_equal_records_give_equal_bytes_and_text_survives(record: CaseRecord) -> None:
    content = case_uco(record)
    assert case_uco(record) == content
    content.decode("ascii")
    found = json.loads(content)
    (investigation,) = nodes(found, "case-investigation:Investigation")
    shown = investigation["uco-core:name"]
    assert shown == HOSTILE.replace("\udcff", "\\udcff").replace("\x00", "\\x00").replace("\x1b", "\\x1b")


def test_scores_that_wait_for_an_opinion_are_not_in_it(record: CaseRecord) -> None:
    withheld = tuple(ExhibitEntry(entry.exhibit, withheld=True) for entry in record.exhibits)
    saved = replace(record.log.events[2], details={"label": "likely_manipulated", "score": 0.987654})
    hidden = replace(record, exhibits=withheld, log=replace(record.log, events=(*record.log.events[:2], saved)))
    content = case_uco(hidden).decode()
    assert "0.987654" not in content
    assert "likely_manipulated" not in content
    assert "wait for a blind opinion" in content


@pytest.mark.parametrize("text", ["", "plain"])
def test_an_empty_case_is_one_too(named_record: Callable[[str], CaseRecord], text: str) -> None:
    record = replace(named_record(text or "x"), exhibits=())
    graph = case_graph(replace(record, case=replace(record.case, examiner=text, title=text)))
    assert len(nodes(graph, "case-investigation:Investigation")) == 1
    assert len(nodes(graph, "uco-core:Annotation")) == len(record.notes)
