"""A file becomes evidence: stored by its hash, examined, and read frame by frame with exact time stamps.

What reads a file here may be called on any file from any process: it decodes in a child process with limits
(`sandbox`). `FrameReader` alone decodes where it is used; `ContainedFrameReader` is the one for files of others.
"""

from detector.evidence import audio as _audio
from detector.evidence import examine as _examine
from detector.evidence import seek as _seek
from detector.evidence.contained_reader import ContainedFrameReader
from detector.evidence.reader import FrameReader
from detector.evidence.sandbox import contained, streamed
from detector.evidence.store import hash_file, ingest, open_regular, stored_path, unaltered
from detector.evidence.types import (
    JUST_BEFORE_S,
    AudioStream,
    Container,
    Evidence,
    Frame,
    Integrity,
    Span,
    StoredFile,
    VideoStream,
)

displayed_frames = streamed(_seek.displayed_frames)
examine = contained(_examine.examine)
frame_at = contained(_seek.frame_at)
frame_before = contained(_seek.frame_before)
frame_times = contained(_seek.frame_times)
frames_of_spans = streamed(_seek.frames_of_spans)
read_sound = contained(_audio.read_sound)
sound_blocks = streamed(_audio.sound_blocks)

__all__ = [
    "JUST_BEFORE_S",
    "AudioStream",
    "ContainedFrameReader",
    "Container",
    "Evidence",
    "Frame",
    "FrameReader",
    "Integrity",
    "Span",
    "StoredFile",
    "VideoStream",
    "displayed_frames",
    "examine",
    "frame_at",
    "frame_before",
    "frame_times",
    "frames_of_spans",
    "hash_file",
    "ingest",
    "open_regular",
    "read_sound",
    "sound_blocks",
    "stored_path",
    "unaltered",
]
