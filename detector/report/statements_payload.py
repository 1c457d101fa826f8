"""Opinions, ground truth, signatures and notes as plain data for the template."""

from __future__ import annotations

from typing import Any

from detector.report import wording
from detector.report.language import Words
from detector.report.printable import printable, printable_lines
from detector.report.record import CaseRecord


def statements_data(record: CaseRecord, words: Words) -> dict[str, Any]:
    numbers = {entry.exhibit.exhibit_id: str(entry.exhibit.number) for entry in record.exhibits}
    return {
        "opinions": [
            {
                "exhibit": numbers.get(opinion.exhibit_id, printable(opinion.exhibit_id)),
                "verdict": words(f"verdict.{opinion.verdict}"),
                "author": printable(opinion.author),
                "when": wording.time(opinion.created_at).removesuffix(" UTC"),
                "how": words("statements.blind")
                if opinion.blind
                else words("statements.after", names=printable(", ".join(opinion.scores_opened_by))),
                "lines": printable_lines(opinion.text) if opinion.text else [],
            }
            for opinion in record.opinions
        ],
        "truths": [
            {
                "exhibit": numbers.get(truth.exhibit_id, printable(truth.exhibit_id)),
                "truth": words(f"truth.{truth.truth}"),
                "author": printable(truth.author),
                "when": wording.time(truth.created_at).removesuffix(" UTC"),
                "source": printable("; ".join(filter(None, (truth.source, truth.method)))),
            }
            for truth in record.truths
        ],
        "signatures": [
            {
                "role": words(f"role.{signature.role}"),
                "author": printable(signature.author),
                "when": wording.time(signature.created_at).removesuffix(" UTC"),
                "lines": printable_lines(signature.statement),
                "log": f"{signature.head_sequence:,} {signature.head_hash[:12]}",
            }
            for signature in record.signatures
        ],
        "state": _state(record, words),
    }


def _state(record: CaseRecord, words: Words) -> str:
    sign_off = record.sign_off
    if not record.signatures or sign_off is None:
        return words("statements.no_signature")
    if sign_off.complete:
        return words("statements.complete")
    if sign_off.changed_since:
        actions = dict.fromkeys(words.known(f"action.{one}", printable(one)) for one in sign_off.changed_since)
        return words("statements.changed", changes=", ".join(actions))
    return words("statements.incomplete")


def notes_data(record: CaseRecord, words: Words) -> list[dict[str, Any]]:
    exhibits = {entry.exhibit.exhibit_id: entry.exhibit for entry in record.exhibits}
    told = []
    for note in record.notes:
        where = [words("notes.case")]
        if (exhibit := exhibits.get(note.exhibit_id or "")) is not None:
            where = [words("notes.exhibit", number=exhibit.number)]
            if note.track_id is not None:
                where.append(words("notes.track", track=note.track_id))
            if note.pts is not None:
                at_s = float(note.pts * exhibit.evidence.video.time_base)
                where.append(f"{wording.seconds(at_s)} (PTS {note.pts})")
        told.append(
            {
                "when": wording.time(note.created_at),
                "author": printable(note.author) if note.author else words("not_stated"),
                "where": where,
                "lines": printable_lines(note.text),
            }
        )
    return told
