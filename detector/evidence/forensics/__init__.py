"""A file beside its faces: content credentials, container, coded pictures and metadata, as stated observations."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from detector.errors import EvidenceError
from detector.evidence.forensics.types import ContainerFacts, FileForensics, Observation, Provenance
from detector.evidence.sandbox import contained
from detector.evidence.types import Evidence

__all__ = ["FileForensics", "Observation", "Provenance", "examine_file"]


def examine_file(path: Path, evidence: Evidence, *, cancelled: Callable[[], bool] | None = None) -> FileForensics:
    """Content credentials, container, streams, coded pictures and metadata of the stored file at `path`.

    `evidence` is what `detector.evidence.examine` found in it. Same file, same result, but for what is said of times
    "in the future". It is read in a child process with limits. Never raises on what is in the file: a part that cannot
    be examined is left out and named in `limits`. Raises CancelledError once `cancelled()` is true.
    """
    try:
        return contained(_examine, cancelled=cancelled)(path, evidence)
    except EvidenceError as error:
        return FileForensics(
            provenance=Provenance("unreadable", "Content credentials could not be looked for.", str(error)),
            observations=(),
            container=ContainerFacts(evidence.container.format_name, boxes_reason=str(error)),
            limits=(f"Nothing beside the pictures could be examined: {error}",),
        )


def _examine(path: Path, evidence: Evidence) -> FileForensics:
    # Everyone who reads a record imports the types; only an examination needs what it is made with.
    from detector.evidence.forensics.examination import examine

    return examine(path, evidence)
