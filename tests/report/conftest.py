"""Records for the report's tests: a real face (scikit-image's astronaut) and arithmetic scores."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from skimage.data import astronaut

from detector.analysis.types import (
    Analysis,
    Attention,
    ChannelReadings,
    Conclusion,
    CueResult,
    FrameScore,
    Interval,
    Member,
    ModelResult,
    Reason,
    SyncWindow,
    Tool,
    TrackScore,
)
from detector.cases.types import AnalysisRecord, Case, Event, Exhibit, Note
from detector.evidence.types import AudioStream, Container, Evidence, Integrity, StoredFile, VideoStream
from detector.faces.types import CropSpec, DetectedFace, FaceQuality, FaceTrack, TrackedFace
from detector.measurement.results import Results
from detector.registry import ModelCard, Thresholds
from detector.report.record import AnalysisEntry, CaseRecord, ExhibitEntry, LogExcerpt, ModelEntry
from detector.report.strongest import crop_picture, face_picture, frame_picture, strongest_frames
from detector.settings import AnalysisSettings

START = datetime(2030, 5, 6, 7, 8, 9, tzinfo=UTC)
FACE = (175.0, 65.0, 275.0, 205.0)
TOOL = Tool("Framewitness", "0.1.0", "0123456789abcdef0123456789abcdef01234567")


def make_evidence(file_name: str = "interview.mp4", kind: str = "video", duration_s: float = 20.0) -> Evidence:
    stored = StoredFile("ab" * 32, "cd" * 16, 7_654_321, file_name, Path("/nowhere/evidence"))
    still = kind == "still"
    return Evidence(
        file=stored,
        kind="still" if still else "video",
        container=Container(
            "png" if still else "mov,mp4", None if still else duration_s, 3_061_728, 2, (("encoder", "Lavf61"),)
        ),
        video=VideoStream(
            codec="png" if still else "h264",
            profile=None if still else "High",
            width=512,
            height=512,
            coded_width=512,
            coded_height=512,
            duration_s=0.0 if still else duration_s,
            frame_count=1 if still else int(duration_s * 25),
            rotation_deg=0,
            variable_frame_rate=False,
            average_fps=None if still else 25.0,
            time_base=Fraction(1, 12800),
            pixel_format="yuv420p",
            bit_depth=8,
            colour_range="tv",
            colour_space="bt709",
            keyframe_count=4,
            keyframe_interval_s=5.0,
        ),
        audio=None if still else AudioStream("aac", 48_000, 2, duration_s),
        integrity=Integrity(2, ("Two packets were damaged between 4.2 s and 4.4 s.",)),
    )


def make_track(track_id: int, times_s: list[float], gaps_s: tuple[tuple[float, float], ...] = ()) -> FaceTrack:
    quality = FaceQuality(100.0, 220.0, 0.5, 4.0, -2.0, 1.0, 0.93, 0.8, ())
    faces = tuple(
        TrackedFace(int(at * 25), round(at * 12800), at, DetectedFace(FACE, 0.97, None, quality, "frame"))
        for at in times_s
    )
    return FaceTrack(track_id, 0, faces, gaps_s)


def make_scores(track: FaceTrack, level: float, swing: float = 1.5, phase: float = 0.0) -> TrackScore:
    frames = tuple(
        FrameScore(face.frame_index, face.pts, face.pts_s, level + swing * math.sin(face.pts_s * 1.3 + phase), 0.8)
        for face in track.faces
    )
    return TrackScore(track.track_id, sum(frame.logit for frame in frames) / len(frames), frames)


def make_analysis(
    evidence: Evidence,
    *,
    faces_per_track: int = 80,
    tracks: int = 2,
    models: int = 1,
    settings: AnalysisSettings | None = None,
) -> Analysis:
    step = 16.0 / faces_per_track
    times = [round(index * step, 4) for index in range(faces_per_track)]
    gap = ((6.0, 8.5),)
    made = tuple(
        make_track(number, [at for at in times if not (number == 1 and 6.0 < at < 8.5)], gap if number == 1 else ())
        for number in range(1, tracks + 1)
    )
    results = []
    for index in range(models):
        scores = tuple(
            make_scores(track, 1.6 - 1.9 * order + 0.3 * index, phase=index) for order, track in enumerate(made)
        )
        results.append(ModelResult(f"frame-b{index}", f"{index + 1:x}f" * 32, max(s.logit for s in scores), scores))
    logit = sum(result.logit or 0 for result in results) / len(results)
    return Analysis(
        analysis_id="a1b2c3d4e5f6",
        tool=TOOL,
        settings=settings or AnalysisSettings(),
        evidence=evidence,
        tracks=made,
        models=tuple(results),
        conclusion=Conclusion(
            "likely_manipulated",
            1 / (1 + math.exp(-logit)),
            (
                Reason("above", "Track 1 scores above the threshold of every model."),
                Reason("uncalibrated", "The score is not calibrated on recordings like this one."),
            ),
        ),
        frames_examined=100,
        shot_starts_s=(0.0, 9.2),
    )


def make_every_kind(evidence: Evidence) -> Analysis:
    """A frame model, the temporal specialist, two cues, lips and voice, and an ensemble of them, on two tracks."""
    analysis = make_analysis(evidence)
    (frame,) = analysis.models

    def shifted(by: float) -> tuple[TrackScore, ...]:
        return tuple(make_scores(track, 0.6 - by * order, phase=by) for order, track in enumerate(analysis.tracks))

    temporal = []
    for score in shifted(1.0):
        weights = [1.0 + 0.9 * math.sin(frame.pts_s) for frame in score.frames]
        attention = Attention(
            tuple(frame.pts for frame in score.frames),
            tuple(frame.pts_s for frame in score.frames),
            tuple(weight / sum(weights) for weight in weights),
        )
        temporal.append(
            replace(score, attention=attention, intervals=(Interval(3.0, 4.4, 2.1), Interval(9.0, 9.8, 1.2)))
        )
    sequence = ModelResult("tm-b1", "2f" * 32, 0.6, tuple(temporal), kind="sequence")
    sequence = replace(sequence, specialists=(CueResult("TM", 0.6, sequence.tracks),))
    readings = (ChannelReadings(1, (0,), ((0.1, 0.2),)),)
    cues = (
        CueResult("BG", 1.7, shifted(0.4), None, ("bg_texture_1", "bg_texture_2"), readings),
        CueResult("LL", None, (), "The picture is too bright for noise to be read."),
    )
    specialists = ModelResult("cues-b2", "3f" * 32, 1.7, shifted(0.4), kind="specialists", specialists=cues)
    windows = (
        *(
            SyncWindow(float(start), start + 2.0, -1.0 + 0.4 * start, 0.6 - 0.1 * start, 0.04)
            for start in range(0, 12, 2)
        ),
        SyncWindow(12.0, 14.0, None, None, None),
    )
    sound = ModelResult("av-b3", "4f" * 32, 1.9, (TrackScore(1, 1.9, ()),), kind="audiovisual", sync=windows)
    sound = replace(sound, specialists=(CueResult("AV", 1.9, sound.tracks),))
    members = (
        Member("frame-b0", None, frame.logit, 0.55),
        Member("tm-b1", None, 0.6, 0.25),
        Member("cues-b2", "BG", 1.7, 0.2),
        Member("cues-b2", "LL", None, None, "The picture is too bright for noise to be read."),
        Member("av-b3", "AV", 1.9, 0.0),
    )
    together = ModelResult("all-b4", "5f" * 32, 1.4, shifted(0.2), kind="ensemble", members=members)
    return replace(analysis, models=(frame, sequence, specialists, sound, together))


def make_unscored(evidence: Evidence) -> Analysis:
    result = ModelResult("frame-b0", "1f" * 32, None, (), "No face was found, so nothing was scored.")
    return Analysis(
        "ffff0000",
        TOOL,
        AnalysisSettings(),
        evidence,
        (),
        (result,),
        Conclusion("not_examined", None, (Reason("no_face", "No face was found in 100 examined frames."),)),
        100,
    )


def make_saved(analysis: Analysis, record_id: str = "r000000001", exhibit_id: str = "x000000001") -> AnalysisRecord:
    return AnalysisRecord(
        record_id,
        "c000000001",
        exhibit_id,
        analysis.analysis_id,
        analysis.conclusion.label,
        analysis.conclusion.score,
        tuple(model.model_id for model in analysis.models),
        analysis.settings.sha256,
        analysis.tool.version,
        analysis.frames_examined,
        len(analysis.tracks),
        START + timedelta(minutes=5),
        (),
    )


def make_card(index: int = 0) -> ModelCard:
    return ModelCard(
        model_id=f"frame-b{index}",
        title="Frame model, EfficientNet-B0",
        kind="frame",
        architecture={"trunk": "efficientnet_b0"},
        crop=CropSpec(224, 0.3),
        weights_file=f"frame-b{index}.safetensors",
        weights_sha256=f"{index + 1:x}f" * 32,
        parameters=4_008_829,
        thresholds=Thresholds(0.9, -0.8, "the validation families, 1,200 clips, at 5 % false alarms"),
        training={"real faces": 12_000, "pseudo-fakes": "self-blended and swapped, made on the fly", "steps": 8000},
        results=Results.read(
            {"unseen families": {"frame AUC": 0.81, "clips": 600}, "false alarms at the threshold": 0.05}
        ),
        limits=("Faces under 48 px were not in the training data.", "Cartoons and masks were never tested."),
        licence="MIT",
    )


def make_entry(analysis: Analysis, *, number: int = 1, pictures: bool = True, count: int = 3) -> AnalysisEntry:
    image = astronaut()
    ramp = np.linspace(0, 255, 224, dtype=np.uint8)
    overlay = np.dstack([np.tile(ramp, (224, 1))] * 3)
    frames = []
    for frame in strongest_frames(analysis, count=count):
        if pictures:
            frame = replace(
                frame,
                frame_jpeg=frame_picture(image, frame.bbox_xyxy_px),
                crop_jpeg=face_picture(image, frame.bbox_xyxy_px),
                overlay_jpeg=crop_picture(overlay),
                heat_scale=0.0123,
                heat_layer="blocks.6",
            )
        else:
            frame = replace(frame, missing=("The heatmap could not be made: the model is not installed.",))
        frames.append(frame)
    return AnalysisEntry(make_saved(analysis, f"r{number:09d}"), analysis, tuple(frames))


def make_record(
    exhibits: tuple[ExhibitEntry, ...], *, title: str = "Interview of 6 May", **changes: object
) -> CaseRecord:
    case = Case("c000000001", "FW-2030-0042", title, "A. Examiner", START, START)
    models = {
        (m.model_id, m.weights_sha256): ModelEntry(m.model_id, m.weights_sha256, make_card(int(m.model_id[-1])))
        for entry in exhibits
        for one in entry.analyses
        for m in one.analysis.models
    }
    events = tuple(
        Event("c000000001", n, START + timedelta(minutes=n), "examiner", action, details, f"{n - 1:064x}", f"{n:064x}")
        for n, (action, details) in enumerate(
            [
                ("case_created", {"title": title}),
                ("exhibit_added", {"sha256": "ab" * 32}),
                ("analysis_saved", {"label": "x"}),
            ],
            1,
        )
    )
    notes = (
        Note(
            "n000000001",
            "c000000001",
            "x000000001",
            1,
            128_000,
            "Lip edge doubled.\nSee heatmap.",
            "A. Examiner",
            START,
        ),
    )
    record = CaseRecord(
        case,
        START + timedelta(minutes=9),
        TOOL,
        exhibits,
        tuple(models[key] for key in sorted(models)),
        notes,
        LogExcerpt(events, 3, f"{3:064x}", "3 events, 1 record and 1 file were recomputed and agree.", True),
    )
    return replace(record, **changes)  # type: ignore[arg-type]


def make_exhibit(evidence: Evidence, number: int = 1) -> Exhibit:
    return Exhibit(f"x{number:09d}", "c000000001", number, evidence, START + timedelta(minutes=2))


def make_full_record() -> CaseRecord:
    evidence = make_evidence()
    return make_record((ExhibitEntry(make_exhibit(evidence), (make_entry(make_analysis(evidence)),)),))


@pytest.fixture
def full_record() -> CaseRecord:
    return make_full_record()


@pytest.fixture
def named_record() -> Callable[[str], CaseRecord]:
    """A record in which every free text is the given one."""

    def build(text: str) -> CaseRecord:
        evidence = make_evidence(text)
        evidence = replace(
            evidence,
            container=replace(evidence.container, tags=((text, text),)),
            integrity=Integrity(1, (text,)),
        )
        analysis = make_analysis(evidence, faces_per_track=12)
        analysis = replace(analysis, conclusion=replace(analysis.conclusion, reasons=(Reason("x", text),)))
        record = make_record(
            (ExhibitEntry(make_exhibit(evidence), (make_entry(analysis, pictures=False),), text),), title=text
        )
        event = replace(record.log.events[0], actor=text, action=text, details={"name": text})
        return replace(
            record,
            case=replace(record.case, reference=text, examiner=text),
            notes=(replace(record.notes[0], text=text, author=text),),
            log=replace(record.log, events=(event,)),
        )

    return build
