"""Real evidence and hand-made results for the pages' tests: a short clip, a tiny model, a case with one analysis."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
import torch
from skimage.data import astronaut

from detector.analysis.types import (
    Analysis,
    Conclusion,
    FrameScore,
    ModelResult,
    Reason,
    Tool,
    TrackScore,
)
from detector.cases import AnalysisRecord, Case, CaseStore, Exhibit
from detector.evidence import Evidence, examine, frame_times, ingest
from detector.faces.types import CropSpec, DetectedFace, FaceQuality, FaceTrack, TrackedFace
from detector.measurement.results import Results
from detector.models import build_network
from detector.registry import ModelCard, Thresholds
from detector.registry.load import save_weights
from detector.settings import AnalysisSettings

HOSTILE_NAME = "<img src=x onerror=alert(1)> **bold** [a](http://x) :red[b] $x$.mp4"
FACE_XYXY = (170.0, 70.0, 280.0, 200.0)  # the astronaut's face in the 512 px photograph


def write_clip(path: Path, *, seconds: float = 2.0, fps: int = 12, width: int = 320, height: int = 240) -> Path:
    """A face that drifts to and fro; H.264."""
    photo = astronaut()
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=fps)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for index in range(round(seconds * fps)):
            left = 35 + round(35 * math.cos(index / 8))
            view = photo[20 : 20 + height, left : left + width]
            for packet in stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(view), format="rgb24")):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)
    return path


def write_model(folder: Path, model_id: str = "tiny") -> ModelCard:
    """A real, untrained network with its card, so that loading, scoring and heatmaps are the product's own."""
    torch.manual_seed(0)
    folder.mkdir(parents=True, exist_ok=True)
    architecture = {"kind": "frame", "trunk": "test_resnet", "high_pass": False, "width": 16}
    digest = save_weights(build_network(architecture).eval(), folder / f"{model_id}.safetensors")
    card = ModelCard(
        model_id=model_id,
        title=f"Untrained model {model_id}",
        kind="frame",
        architecture=architecture,
        crop=CropSpec(size_px=64, margin=0.1),
        weights_file=f"{model_id}.safetensors",
        weights_sha256=digest,
        parameters=1,
        thresholds=Thresholds(likely_manipulated_logit=1.5, no_manipulation_logit=-1.5, basis="made up for a test"),
        training={"data": "none"},
        results=Results.read({"auc": {"nothing": 0.5}}),
        limits=("It was never trained.",),
        licence="test",
    )
    card.write(folder / f"{model_id}.card.json")
    return card


@dataclass(frozen=True, slots=True)
class Seeded:
    case: Case
    exhibit: Exhibit
    record: AnalysisRecord
    analysis: Analysis


def _quality(weight: float, flags: tuple[str, ...] = ()) -> FaceQuality:
    return FaceQuality(
        size_px=110,
        sharpness=200,
        exposure=0.5,
        yaw_deg=-4.0,
        pitch_deg=2.0,
        roll_deg=None,
        mesh_fit=0.9,
        weight=weight,
        flags=flags,
    )


def make_analysis(evidence: Evidence, card: ModelCard) -> Analysis:
    """Two tracks over every other frame; the second has a gap and one face that no model scored."""
    times = frame_times(evidence)[::2]
    base = evidence.video.time_base
    tracks: list[FaceTrack] = []
    scored: list[TrackScore] = []
    for track_id, offset in ((1, 0.0), (2, 30.0)):
        kept = [pts for index, pts in enumerate(times) if track_id == 1 or not 4 <= index <= 6]
        faces = tuple(
            TrackedFace(
                frame_index=2 * times.index(pts),
                pts=pts,
                pts_s=float(pts * base),
                face=DetectedFace(
                    bbox_xyxy_px=(100.0 + offset, 50.0, 210.0 + offset, 180.0),
                    detection_score=0.93,
                    landmarks=None,
                    quality=_quality(0.3 if index == 1 else 0.9, ("blurred",) if index == 1 else ()),
                    source="frame",
                ),
            )
            for index, pts in enumerate(kept)
        )
        gaps = () if track_id == 1 else ((float(times[3] * base), float(times[7] * base)),)
        tracks.append(FaceTrack(track_id, 0, faces, gaps))
        frames = tuple(
            FrameScore(face.frame_index, face.pts, face.pts_s, math.sin(index) + track_id - 1.0, 0.9)
            for index, face in enumerate(faces)
            if not (track_id == 2 and index == 0)
        )
        scored.append(TrackScore(track_id, float(np.mean([frame.logit for frame in frames])), frames))
    worst = max(track.logit for track in scored)
    result = ModelResult(card.model_id, card.weights_sha256, worst, tuple(scored))
    return Analysis(
        analysis_id=f"a-{evidence.file.sha256[:12]}",
        tool=Tool("framewitness", "0.1.0", None),
        settings=AnalysisSettings(),
        evidence=evidence,
        tracks=tuple(tracks),
        models=(result,),
        conclusion=Conclusion(
            "inconclusive", result.score, (Reason("uncalibrated", "The score lies between the model's thresholds."),)
        ),
        frames_examined=len(times),
        shot_starts_s=(0.0,),
        timings={"decode": 0.4, "faces": 1.2},
    )


def fill(store: CaseStore, clip: Path, card: ModelCard, *, file_name: str | None = None) -> Seeded:
    """A case with one exhibit and one analysis of it."""
    case = store.create_case("Seeded case", examiner="A. Nalyst")
    stored = ingest(clip, store.evidence_dir, file_name=file_name)
    exhibit = store.add_exhibit(case.case_id, examine(stored))
    analysis = make_analysis(exhibit.evidence, card)
    record = store.save_analysis(exhibit.exhibit_id, analysis)
    return Seeded(case, exhibit, record, analysis)
