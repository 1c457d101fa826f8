"""A file becomes evidence: stored by its hash, examined, and read frame by frame with exact time stamps.

What is named here may be called on any file from any process: `examine`, `frame_at`, `frame_before` and `frame_times`
decode in a child process with limits (`sandbox`). `FrameReader` decodes where it is used, in an analysis.
"""

from detector.evidence import examine as _examine
from detector.evidence import seek as _seek
from detector.evidence.reader import FrameReader
from detector.evidence.sandbox import contained
from detector.evidence.store import hash_file, ingest, open_regular, stored_path, unaltered
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

examine = contained(_examine.examine)
frame_at = contained(_seek.frame_at)
frame_before = contained(_seek.frame_before)
frame_times = contained(_seek.frame_times)

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
    "open_regular",
    "stored_path",
    "unaltered",
]
