"""A case store with one long record, made up: what pages are measured on."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

from detector.analysis import Analysis
from detector.analysis.identity import tool
from detector.analysis.types import (
    ChannelReadings,
    Conclusion,
    CueResult,
    FrameScore,
    Member,
    ModelResult,
    Reason,
    TrackScore,
)
from detector.benchmark.clip import FPS, write_clip
from detector.cases import CaseStore
from detector.evidence import Evidence, examine, frame_times
from detector.faces.types import DetectedFace, FaceQuality, FaceTrack, TrackedFace
from detector.settings import AnalysisSettings

if TYPE_CHECKING:
    from detector.analysis.types import Cue
    from detector.registry import ModelCard

_CUES: Final[tuple[Cue, ...]] = ("BG", "CM", "RR", "LL")
_CHANNELS: Final = ("first", "second", "third", "fourth")
_QUALITY = FaceQuality(
    size_px=110, sharpness=200, exposure=0.5, yaw_deg=-4.0, pitch_deg=2.0, roll_deg=None, mesh_fit=0.9, weight=0.9
)


def fill_store(home: Path, faces: int) -> str:
    """Open a store at `home` and put one exhibit into it, of `faces` frames with a face in each that every model of the
    default set scored, by numbers made up, and return the id of the record. Raises StoreError and ModelError."""
    clip = home.parent / "long.mp4"
    write_clip(clip, faces / FPS)
    with CaseStore.open(home, actor="bench") as store:
        case = store.create_case("Measured pages", examiner="bench")
        with store.intake.take_in(clip) as stored:
            exhibit = store.add_exhibit(case.case_id, examine(stored))
        clip.unlink()
        return store.save_analysis(exhibit.exhibit_id, made_up(exhibit.evidence)).record_id


def made_up(evidence: Evidence) -> Analysis:
    """An analysis of every frame of `evidence`, whose numbers are made up, by the models of the default set."""
    from detector.registry import default_model_ids, find_card

    base = evidence.video.time_base
    faces = tuple(_face(number, pts, float(pts * base)) for number, pts in enumerate(frame_times(evidence)))
    chosen = [find_card(model_id) for model_id in default_model_ids()]
    members = [one["model_id"] for card in chosen for one in card.inputs.get("members", ())]
    cards = [find_card(model_id) for model_id in dict.fromkeys([*members, *(card.model_id for card in chosen)])]
    results = list(_results([card for card in cards if card.kind != "ensemble"], faces))
    fused = tuple(Member(one.model_id, None, one.logit, 1 / len(results)) for one in results)
    results += [_result(card, faces, 0.1, members=fused) for card in cards if card.kind == "ensemble"]
    reason = Reason("uncalibrated", "Made up to measure pages.")
    return Analysis(
        analysis_id=f"bench-{evidence.file.sha256[:12]}",
        tool=tool(),
        settings=AnalysisSettings(frames_per_second=FPS, max_frames=max(1, len(faces))),
        evidence=evidence,
        tracks=(FaceTrack(1, 0, faces),),
        models=tuple(results),
        conclusion=Conclusion("inconclusive", results[-1].score, (reason,)),
        frames_examined=len(faces),
        shot_starts_s=(0.0,),
    )


def _face(number: int, pts: int, pts_s: float) -> TrackedFace:
    left = 500 + 300 * math.sin(number / 46)
    return TrackedFace(
        number, pts, pts_s, DetectedFace((left, 150.0, left + 110, 280.0), 0.93, None, _QUALITY, "frame")
    )


def _results(cards: list[ModelCard], faces: tuple[TrackedFace, ...]) -> Iterator[ModelResult]:
    for number, card in enumerate(cards):
        if card.kind != "specialists":
            yield _result(card, faces, 0.3 * number)
            continue
        plain = _result(card, faces, 0.0)
        readings = ChannelReadings(1, tuple(face.pts for face in faces), tuple(_readings(len(faces))))
        cues = tuple(CueResult(cue, plain.logit, plain.tracks, None, _CHANNELS, (readings,)) for cue in _CUES)
        yield _result(card, faces, 0.0, cues=cues)


def _readings(count: int) -> Iterator[tuple[float, ...]]:
    for row in range(count):
        yield tuple(0.5 + 0.5 * math.sin(0.1 * row + column) for column in range(len(_CHANNELS)))


def _result(
    card: ModelCard,
    faces: tuple[TrackedFace, ...],
    offset: float,
    *,
    members: tuple[Member, ...] = (),
    cues: tuple[CueResult, ...] = (),
) -> ModelResult:
    scores = tuple(
        FrameScore(face.frame_index, face.pts, face.pts_s, offset + math.sin(face.frame_index / 90), 0.9)
        for face in faces
    )
    tracks = (TrackScore(1, offset, scores),)
    return ModelResult(
        model_id=card.model_id,
        weights_sha256=card.weights_sha256,
        logit=offset,
        tracks=tracks,
        kind=card.kind,
        specialists=cues,
        members=members,
        title=card.name,
    )
