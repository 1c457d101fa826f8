"""A file beside its faces: content credentials, container, coded pictures and metadata, as stated observations."""

from detector.evidence.forensics.examination import examine_file
from detector.evidence.forensics.types import FileForensics, Observation, Provenance

__all__ = ["FileForensics", "Observation", "Provenance", "examine_file"]
