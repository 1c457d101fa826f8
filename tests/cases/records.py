"""Small, complete records to store: a file in the evidence folder and an analysis of it."""

from __future__ import annotations

import hashlib
from fractions import Fraction
from pathlib import Path

import numpy as np

from detector.analysis.types import Analysis, Conclusion, FrameScore, ModelResult, Reason, Tool, TrackScore
from detector.evidence.types import AudioStream, Container, Evidence, Integrity, StoredFile, VideoStream
from detector.faces.types import DetectedFace, FaceQuality, FaceTrack, TrackedFace
from detector.settings import AnalysisSettings


def make_evidence(evidence_dir: Path, content: bytes = b"a film", file_name: str = "clip.mp4") -> Evidence:
    sha256 = hashlib.sha256(content).hexdigest()
    path = evidence_dir / sha256[:2] / sha256
    path.parent.mkdir(exist_ok=True, parents=True)
    if not path.is_file() or path.read_bytes() != content:
        path.write_bytes(content)
    md5 = hashlib.md5(content).hexdigest()
    return Evidence(
        file=StoredFile(sha256, md5, len(content), file_name, path),
        kind="video",
        container=Container("mov,mp4", 2.0, 1000, 2, (("encoder", "Lavf61"),)),
        video=VideoStream(
            codec="h264",
            profile="High",
            width=64,
            height=48,
            coded_width=48,
            coded_height=64,
            duration_s=2.0,
            frame_count=60,
            rotation_deg=90,
            variable_frame_rate=False,
            average_fps=30.0,
            time_base=Fraction(1, 90000),
            pixel_format="yuv420p",
            bit_depth=8,
            colour_range=None,
            colour_space="bt709",
            keyframe_count=2,
            keyframe_interval_s=1.0,
        ),
        audio=AudioStream("aac", 48000, 2, 2.0),
        integrity=Integrity(3, ("The decoder complained.",)),
    )


def make_analysis(
    evidence: Evidence, *, frames: int = 6, tracks: int = 2, seed: int = 0, meshes: bool = True
) -> Analysis:
    random = np.random.default_rng(seed)

    def face(number: int) -> TrackedFace:
        mesh = random.normal(size=(468, 3)).astype(np.float32) if meshes else None
        quality = FaceQuality(40.5, 12.25, 0.5, None, -3.5, 1.0, None, 0.75, ("small", "blurred"))
        return TrackedFace(
            number, number * 3000, number / 30, DetectedFace((1.5, 2.0, 30.25, 40.0), 0.9, mesh, quality, "tile")
        )

    found = tuple(
        FaceTrack(track, 0, tuple(face(number) for number in range(frames)), ((0.5, 0.75),)) for track in range(tracks)
    )
    scored = tuple(
        TrackScore(
            track.track_id,
            0.25,
            tuple(
                FrameScore(seen.frame_index, seen.pts, seen.pts_s, float(random.normal()), 0.75) for seen in track.faces
            ),
        )
        for track in found
    )
    return Analysis(
        analysis_id=hashlib.sha256(f"{evidence.file.sha256}{seed}".encode()).hexdigest()[:32],
        tool=Tool("framewitness", "0.1.0", None),
        settings=AnalysisSettings(),
        evidence=evidence,
        tracks=found,
        models=(ModelResult("frame-a", "f" * 64, 0.25, scored),),
        conclusion=Conclusion("inconclusive", 0.56, (Reason("few_frames", "Only a few frames were examined."),)),
        frames_examined=frames,
        shot_starts_s=(0.0,),
        timings={"decode": 0.5},
    )
