"""A file beside its faces: content credentials, container, coded pictures and metadata, as stated observations."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from detector.evidence.forensics.types import FileForensics, Observation, Provenance
from detector.evidence.types import Evidence

__all__ = ["FileForensics", "Observation", "Provenance", "examine_file"]


def examine_file(path: Path, evidence: Evidence, *, cancelled: Callable[[], bool] = lambda: False) -> FileForensics:
    """Content credentials, container, streams, coded pictures and metadata of the stored file at `path`.

    `evidence` is what `detector.evidence.examine` found in it. Same file, same result, but for what is said of times
    "in the future". Never raises on what is in the file: a part that cannot be examined is left out and named in
    `limits`. Raises CancelledError once `cancelled()` is true, which is asked from the calling thread.
    """
    # Everyone who reads a record imports the types; only an examination needs what it is made with.
    from detector.evidence.forensics.examination import examine

    return examine(path, evidence, cancelled)
