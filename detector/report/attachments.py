"""The files inside the PDF: what the report prints, for machines.

Their relations to the document are those of ISO 32000-2, 7.11.3: `source` is what the report was made from, `data` what
a table or figure shows, `supplement` what adds to it. Equal records give equal bytes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, Final, Literal

from detector.analysis import analysis_to_json
from detector.analysis.tables import NamedAnalysis, named_scores_table, table_csv
from detector.cases.codec import canonical, evidence_to_dict
from detector.cases.types import Event
from detector.report.language import Words
from detector.report.record import AnalysisEntry, CaseRecord

RECORD_NAME: Final = "record.json"
LOG_NAME: Final = "custody-log.json"
FRAMES_NAME: Final = "frame-scores.csv"
RECORD_FORMAT: Final = "framewitness-report/1"


@dataclass(frozen=True, slots=True)
class Attachment:
    """One embedded file. `description` is in the report's language; `name` is plain ASCII."""

    name: str
    mime_type: str
    relationship: Literal["source", "data", "supplement"]
    description: str
    content: bytes

    @property
    def sha256(self) -> str:
        """SHA-256 (hex) of the content."""
        return hashlib.sha256(self.content).hexdigest()


def analysis_name(record_id: str) -> str:
    """The file name of an attached analysis."""
    return f"analysis-{record_id}.json"


def attachments_of(record: CaseRecord, form: str, words: Words) -> tuple[Attachment, ...]:
    """Every analysis as stored, the frame table, the custody log, and the rest of the record.

    While scores are withheld, or where exhibits are left out, the log is left out too: its events tell of them, and
    without these it could not be recomputed.
    """
    found = [
        Attachment(
            analysis_name(entry.saved.record_id),
            "application/json",
            "source",
            words.plain("repro.analysis", record=entry.saved.record_id),
            analysis_bytes(entry),
        )
        for _, entry in _analyses(record)
    ]
    if found:
        found.append(Attachment(FRAMES_NAME, "text/csv", "data", words("repro.frames"), frame_scores(record)))
    if record.log.events and not record.scores_withheld and not record.left_out:
        content = custody_log(record.log.events)
        found.append(Attachment(LOG_NAME, "application/json", "supplement", words("repro.log"), content))
    content = _described(record, form, words, found)
    found.append(Attachment(RECORD_NAME, "application/json", "source", words("repro.record"), content))
    return tuple(found)


def analysis_bytes(entry: AnalysisEntry) -> bytes:
    """The analysis by the JSON contract: the stored bytes where there are any."""
    if entry.stored_json is not None:
        return entry.stored_json
    # Half of a surrogate pair, as a file name may hold, becomes the JSON escape that it is.
    return analysis_to_json(entry.analysis).encode(errors="backslashreplace")


def custody_log(events: tuple[Event, ...]) -> bytes:
    """A JSON list, one event a line, with everything that its hash covers."""
    lines = ",\n".join(canonical(asdict(event)) for event in events)
    return f"[\n{lines}\n]\n".encode()


def frame_scores(record: CaseRecord) -> bytes:
    """CSV of what each model says of each scored face."""
    return table_csv(
        named_scores_table(
            NamedAnalysis(entry.analysis, str(number), entry.saved.record_id) for number, entry in _analyses(record)
        )
    )


def _analyses(record: CaseRecord) -> Iterator[tuple[int, AnalysisEntry]]:
    return ((one.exhibit.number, entry) for one in record.exhibits for entry in one.analyses)


def _described(record: CaseRecord, form: str, words: Words, attached: list[Attachment]) -> bytes:
    described: dict[str, Any] = {
        "format": RECORD_FORMAT,
        "form": form,
        "language": words.language,
        "recorded_at": record.recorded_at,
        "tool": asdict(record.tool),
        "head_hash": record.log.head_hash,
        "event_count": record.log.event_count,
        "case": asdict(record.case),
        "exhibits": [
            {
                "exhibit_id": entry.exhibit.exhibit_id,
                "number": entry.exhibit.number,
                "reference": entry.exhibit.reference,
                "description": entry.exhibit.description,
                "added_at": entry.exhibit.added_at,
                "received_by": entry.received_by,
                "scores_withheld": entry.withheld,
                "evidence": evidence_to_dict(entry.exhibit.evidence),
                "analyses": [
                    {
                        "record_id": one.saved.record_id,
                        "created_at": one.saved.created_at,
                        "label": one.analysis.conclusion.label,
                        "score": one.analysis.conclusion.score,
                        "attached": analysis_name(one.saved.record_id),
                    }
                    for one in entry.analyses
                ],
                "unreadable": [{"record_id": one.saved.record_id, "problem": one.problem} for one in entry.unreadable],
            }
            for entry in record.exhibits
        ],
        "models": [{"model_id": model.model_id, "weights_sha256": model.weights_sha256} for model in record.models],
        "notes": [asdict(note) for note in record.notes],
        "opinions": [{**asdict(opinion), "blind": opinion.blind} for opinion in record.opinions],
        "truths": [asdict(truth) for truth in record.truths],
        "signatures": [asdict(signature) for signature in record.signatures],
        "exhibits_left_out": [entry.exhibit.number for entry in record.left_out],
        "attached": {one.name: one.sha256 for one in attached},
    }
    return (json.dumps(described, indent=1, sort_keys=True, ensure_ascii=True, default=_plain) + "\n").encode()


def _plain(value: object) -> object:
    """Times in UTC, whatever zone they came in; mappings as objects."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} has no place in the record.")
