"""A case as CASE/UCO JSON-LD (https://caseontology.org, of CASE 1.5.0), for exchange with other forensic tools.

Investigation and provenance records, exhibits as files with their hashes, each analysis as an investigative action with
its tool, versions, settings and models, what came of it as analytic results, and every event of the custody log as an
action. The context is inside the file: nothing is fetched to read it. Scores of every single frame are not repeated
here; the analysis' own JSON is named with its SHA-256.
"""

from __future__ import annotations

import json
from typing import Any

from detector.cases.blind_phase import TELLING_ACTIONS
from detector.cases.codec import canonical
from detector.cases.types import Event, Note
from detector.report.record import CaseRecord, ExhibitEntry
from detector.report.uco_analysis import AnalysisNodes
from detector.report.uco_graph import CONTEXT, Graph, content_facet, literal, person, ref, refs, text

_HIDDEN = "Withheld: scores of an exhibit of this case wait for a blind opinion."


def case_uco(record: CaseRecord) -> bytes:
    """The case as JSON-LD; equal records give equal bytes. Scores that wait for a blind opinion are not in it."""
    return (json.dumps(case_graph(record), indent=1, ensure_ascii=True, allow_nan=False) + "\n").encode()


def case_graph(record: CaseRecord) -> dict[str, Any]:
    """The same as plain data."""
    maker = _Maker(record)
    maker.make()
    return {"@context": CONTEXT, "@graph": list(maker.graph.nodes.values())}


class _Maker:
    def __init__(self, record: CaseRecord) -> None:
        self.record = record
        self.graph = Graph(record.case.case_id)
        self.files: dict[str, str] = {}  # exhibit id -> file node
        self.actions: dict[str, str] = {}  # record id -> its analysis
        self.seen: list[str] = []  # everything that the investigation is about

    def make(self) -> None:
        examiner = person(self.graph, self.record.case.examiner) if self.record.case.examiner else None
        for entry in self.record.exhibits:
            self._exhibit(entry)
        for entry in self.record.exhibits:
            for one in entry.analyses:
                saver = next(
                    (event.actor for event in self.record.log.events if _sealed(event) == one.saved.record_id), ""
                )
                nodes = AnalysisNodes(self.graph, one, self.files[entry.exhibit.exhibit_id])
                self.actions[one.saved.record_id] = nodes.add(saver)
                self.seen += nodes.seen
        self._statements()
        for event in self.record.log.events:
            self.seen.append(self._event(event))
        case = self.record.case
        everything = [*self.files.values(), *self.seen, *([examiner] if examiner else [])]
        self.graph.add(
            "case-investigation:Investigation",
            "investigation",
            uco_core__name=text(case.reference or case.case_id),
            uco_core__description=[text(case.title)] if case.title else None,
            uco_core__tag=[text(tag) for tag in case.tags],
            uco_core__objectCreatedTime=literal(case.created_at),
            uco_core__createdBy=ref(examiner) if examiner else None,
            case_investigation__focus=["Manipulation of faces in recordings"],
            uco_core__object=refs(everything),
            uco_core__hasFacet=[
                self.graph.facet(
                    "CustodyFacet",
                    "case",
                    recordedAt=self.record.recorded_at,
                    headHash=self.record.log.head_hash,
                    events=self.record.log.event_count,
                    verified=self.record.log.check_passed,
                    verification=self.record.log.check,
                )
            ],
        )

    def _exhibit(self, entry: ExhibitEntry) -> None:
        exhibit, evidence = entry.exhibit, entry.exhibit.evidence
        key, video = exhibit.exhibit_id, evidence.video
        file = self.graph.add(
            "uco-observable:File",
            key,
            uco_core__name=text(exhibit.file_name),
            uco_core__hasFacet=[
                ref(
                    self.graph.add(
                        "uco-observable:FileFacet",
                        key,
                        uco_observable__fileName=text(exhibit.file_name),
                        uco_observable__sizeInBytes=literal(evidence.file.size_bytes),
                    )
                ),
                content_facet(self.graph, key, evidence.file.sha256, evidence.file.size_bytes, evidence.file.md5),
                self.graph.facet(
                    "StreamFacet",
                    key,
                    kind=evidence.kind,
                    container=evidence.container.format_name,
                    codec=video.codec,
                    widthPixels=video.width,
                    heightPixels=video.height,
                    rotationDegrees=video.rotation_deg,
                    durationSeconds=video.duration_s,
                    frames=video.frame_count,
                    decodeErrors=evidence.integrity.decode_errors,
                ),
            ],
        )
        self.files[key] = file
        self.seen.append(
            self.graph.add(
                "case-investigation:ProvenanceRecord",
                key,
                uco_core__description=[text(exhibit.description or f"Exhibit {exhibit.number} as received")],
                uco_core__objectCreatedTime=literal(exhibit.added_at),
                case_investigation__exhibitNumber=text(exhibit.reference or f"E{exhibit.number}"),
                uco_core__object=refs([file]),
            )
        )

    def _statements(self) -> None:
        for note in self.record.notes:
            self._annotation(
                "annotation" if note.annotation else "note", note.note_id, note, note.text, self._place(note)
            )
        for opinion in self.record.opinions:
            facet = self.graph.facet("OpinionFacet", opinion.opinion_id, verdict=opinion.verdict, blind=opinion.blind)
            self._annotation("opinion", opinion.opinion_id, opinion, opinion.text or opinion.verdict, facet)
        for truth in self.record.truths:
            facet = self.graph.facet("GroundTruthFacet", truth.truth_id, truth=truth.truth, method=truth.method)
            self._annotation("ground truth", truth.truth_id, truth, truth.source, facet)
        for signed in self.record.signatures:
            facet = self.graph.facet("SignatureFacet", signed.signature_id, role=signed.role, headHash=signed.head_hash)
            self._annotation("signature", signed.signature_id, signed, signed.statement, facet)

    def _place(self, note: Note) -> dict[str, str]:
        """Where a note belongs. UCO has no facet for a part of a picture or of a recording: it stands in one of this
        program's, also as a media fragment (W3C Media Fragments URI 1.0) that other tools read."""
        entry = next((one for one in self.record.exhibits if one.exhibit.exhibit_id == note.exhibit_id), None)
        if entry is None or note.pts is None:
            return self.graph.facet("PlaceFacet", note.note_id, trackId=note.track_id, pts=note.pts)
        base = entry.exhibit.evidence.video.time_base
        ends = [float(pts * base) for pts in (note.pts, note.end_pts) if pts is not None]
        fragment = "t=" + ",".join(f"{at:.3f}" for at in ends)
        if note.box_xyxy_px is not None:
            left, top, right, bottom = (round(value) for value in note.box_xyxy_px)
            fragment += f"&xywh=pixel:{left},{top},{right - left},{bottom - top}"
        return self.graph.facet(
            "PlaceFacet",
            note.note_id,
            trackId=note.track_id,
            pts=note.pts,
            endPts=note.end_pts,
            startSeconds=ends[0],
            endSeconds=ends[1] if len(ends) > 1 else None,
            mediaFragment=fragment,
            **(
                {}
                if note.box_xyxy_px is None
                else dict(zip(("leftPx", "topPx", "rightPx", "bottomPx"), note.box_xyxy_px, strict=True))
            ),
        )

    def _annotation(self, tag: str, name: str, stated: Any, words: str, facet: dict[str, str]) -> None:
        exhibit = getattr(stated, "exhibit_id", None)
        about = self.files.get(exhibit) if exhibit else None
        self.seen.append(
            self.graph.add(
                "uco-core:Annotation",
                name,
                uco_core__tag=[tag],
                uco_core__statement=[text(words)],
                uco_core__objectCreatedTime=literal(stated.created_at),
                uco_core__createdBy=ref(person(self.graph, stated.author)) if stated.author else None,
                uco_core__object=refs([about] if about else list(self.files.values()) or [self._case_itself()]),
                uco_core__hasFacet=[facet],
            )
        )

    def _case_itself(self) -> str:
        """The object that a statement is about in a case without exhibits."""
        return self.graph.add("uco-core:UcoObject", "case", uco_core__name=text(self.record.case.reference))

    def _event(self, event: Event) -> str:
        hidden = self.record.scores_withheld and event.action in TELLING_ACTIONS
        details = _HIDDEN if hidden else canonical(event.details)
        exhibit, record_id = (str(event.details.get(name) or "") for name in ("exhibit_id", "record_id"))
        sealed = _sealed(event)
        about = [self.files.get(exhibit), self.files.get(sealed), self.actions.get(record_id), self.actions.get(sealed)]
        return self.graph.add(
            "case-investigation:InvestigativeAction",
            f"event {event.sequence}",
            uco_core__name=text(event.action),
            uco_action__startTime=literal(event.at),
            uco_action__endTime=literal(event.at),
            uco_action__performer=ref(person(self.graph, event.actor)) if event.actor else None,
            uco_action__object=refs([node for node in about if node]),
            uco_core__hasFacet=[
                self.graph.facet(
                    "LogEventFacet",
                    f"event {event.sequence}",
                    sequence=event.sequence,
                    details=details,
                    previousHash=event.previous_hash,
                    eventHash=event.event_hash,
                )
            ],
        )


def _sealed(event: Event) -> str:
    """The id of the record that an event put down."""
    sealed = event.details.get("record")
    return str(sealed.get("id", "")) if isinstance(sealed, dict) else ""
