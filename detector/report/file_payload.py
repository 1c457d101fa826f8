"""File forensics and content credentials as plain data for the template; a record without them says "not examined"."""

from __future__ import annotations

from typing import Any

from detector.analysis.types import Analysis
from detector.evidence.forensics.types import FileForensics, Observation, Provenance
from detector.report.language import Words
from detector.report.printable import printable, shortened

_MOST_OBSERVATIONS = 40
_MOST_LINES = 12


def file_data(analysis: Analysis, words: Words) -> dict[str, Any]:
    """`forensics` and `provenance`, each with `missing` in place of its content where it was not examined."""
    found = analysis.forensics
    if found is None:
        return {
            "forensics": {"missing": words("not_examined.because", reason=words("forensics.none"))},
            "provenance": {"missing": words("not_examined.because", reason=words("provenance.none"))},
        }
    return {"forensics": _forensics(found, words), "provenance": _provenance(found.provenance, words)}


def _forensics(found: FileForensics, words: Words) -> dict[str, Any]:
    ranked = sorted(found.observations, key=lambda one: one.weight != "attention")
    left = len(ranked) - _MOST_OBSERVATIONS
    return {
        "missing": "",
        "facts": _facts(found, words),
        "observations": [_observation(one, words) for one in ranked[:_MOST_OBSERVATIONS]],
        "more": words("and_more", count=left) if left > 0 else "",
        "limits": [printable(limit) for limit in found.limits[:_MOST_LINES]],
    }


def _observation(one: Observation, words: Words) -> dict[str, Any]:
    return {
        "title": printable(one.title),
        "finding": shortened(one.finding, 600),
        "group": words.known(f"forensics.group.{one.group}", one.group),
        "attention": one.weight == "attention",
        "weight": words(f"forensics.{one.weight}"),
        "can": [printable(text) for text in one.can_mean],
        "cannot": [printable(text) for text in one.cannot_mean],
    }


def _facts(found: FileForensics, words: Words) -> list[tuple[str, str]]:
    container, frames = found.container, found.frames
    facts = [
        (words("exhibit.container"), shortened(container.format, 80)),
        (words("forensics.boxes"), f"{container.boxes_total:,}"),
        (words("forensics.encoder"), shortened(container.encoder, 160) if container.encoder else words("not_stated")),
        (words("forensics.tools"), shortened(", ".join(container.tools), 200) if container.tools else words("none")),
    ]
    if frames is not None:
        types = frames.types
        counted = [f"{name} {count:,}" for name, count in (("I", types.I), ("P", types.P), ("B", types.B)) if count]
        facts.append((words("forensics.frame_types"), ", ".join(counted) or words("not_stated")))
    return facts


def _provenance(found: Provenance, words: Words) -> dict[str, Any]:
    facts = [
        (words(key), shortened(value, 300))
        for key, value in (
            ("provenance.reason", found.reason),
            ("provenance.generator", found.claim_generator),
            ("provenance.signer", found.signer),
            ("provenance.signed_at", found.signed_at),
            ("provenance.actions", ", ".join(found.actions[:_MOST_LINES])),
        )
        if value
    ]
    return {
        "missing": "",
        "state": found.state,
        "text": words(f"provenance.{found.state}"),
        "statement": shortened(found.statement, 600),
        "facts": facts,
        "validation": [
            [shortened(one.code, 80), shortened(one.explanation, 300)] for one in found.validation[:_MOST_LINES]
        ],
    }
