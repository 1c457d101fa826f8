"""A file becomes evidence: stored by its hash, examined, and read frame by frame with exact time stamps."""

from detector.evidence.examine import examine
from detector.evidence.reader import FrameReader
from detector.evidence.seek import frame_at, frame_before, frame_times
from detector.evidence.store import hash_file, ingest, stored_path, unaltered
from detector.evidence.types import (
    JUST_BEFORE_S,
    AudioStream,
    Container,
    Evidence,
    Frame,
    Integrity,
    StoredFile,
    VideoStream,
)

__all__ = [
    "JUST_BEFORE_S",
    "AudioStream",
    "Container",
    "Evidence",
    "Frame",
    "FrameReader",
    "Integrity",
    "StoredFile",
    "VideoStream",
    "examine",
    "frame_at",
    "frame_before",
    "frame_times",
    "hash_file",
    "ingest",
    "stored_path",
    "unaltered",
]
