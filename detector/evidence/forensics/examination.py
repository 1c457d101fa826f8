"""The examination of one file, part by part: what fails in one part is said there and stops no other."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from detector.evidence.forensics.types import ContainerFacts, FileForensics, Provenance
from detector.evidence.types import Evidence


def examine_file(path: Path, evidence: Evidence, *, cancelled: Callable[[], bool] = lambda: False) -> FileForensics:
    """Container facts of `evidence` alone; content credentials are not read."""
    provenance = Provenance(
        "unreadable", "Content credentials were not read.", reason="This build does not read content credentials."
    )
    return FileForensics(provenance, (), ContainerFacts(evidence.container.format_name))
