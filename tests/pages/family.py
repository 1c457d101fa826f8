"""An analysis by every kind of model, made by hand, and the untrained networks behind it: for the pages' tests."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import torch

from detector.analysis.types import (
    Analysis,
    Attention,
    ChannelReadings,
    Conclusion,
    CueResult,
    Interval,
    Member,
    ModelResult,
    Reason,
    SyncWindow,
    TrackScore,
)
from detector.cases import CaseStore
from detector.evidence import Evidence, examine, ingest
from detector.faces.types import CropSpec
from detector.measurement.results import Results
from detector.models import build_network
from detector.models.specialists import CHANNELS
from detector.registry import ModelCard, Thresholds
from detector.registry.load import save_weights
from tests.pages import seed

IDS = {"frame": "tiny", "time": "tiny-time", "cues": "tiny-cues", "together": "tiny-together"}
CUES = ("BG", "CM", "RR", "LL")
_THRESHOLDS = Thresholds(1.5, -1.5, "made up for a test")


def _write(folder: Path, card: ModelCard) -> ModelCard:
    torch.manual_seed(0)
    network = build_network(card.architecture).eval()
    digest = save_weights(network, folder / card.weights_file)
    written = replace(card, weights_sha256=digest, parameters=sum(p.numel() for p in network.parameters()))
    written.write(folder / f"{card.model_id}.card.json")
    return written


def write_models(folder: Path, frame: ModelCard) -> None:
    """A card and untrained weights of each kind, beside the frame model's. `frame` is already in `folder`."""
    features = build_network(frame.architecture).feature_dim
    base = replace(
        frame,
        thresholds=_THRESHOLDS,
        training={"data": "none"},
        results=Results(),
        limits=("It was never trained.",),
        inputs={},
    )  # fmt: skip
    time = _write(folder, replace(
        base, model_id="tiny-time", name="", title="Untrained transformer", kind="sequence",
        architecture={"kind": "transformer", "features": features, "width": 16, "layers": 2, "heads": 2},
        inputs={"trunk": frame.model_id, "trunk_weights_sha256": frame.weights_sha256, "frames": 16, "cue": "TM"},
        weights_file="tiny-time.safetensors",
    ))  # fmt: skip
    cues = _write(folder, replace(
        base, model_id="tiny-cues", name="", title="Untrained specialists", kind="specialists",
        architecture={"kind": "specialists", "trunk": "test_resnet", "width": 8, "head_width": 8},
        crop=CropSpec(size_px=96, margin=0.45), weights_file="tiny-cues.safetensors",
    ))  # fmt: skip
    members = [(frame, None), (time, "TM"), *((cues, cue) for cue in CUES)]
    _write(folder, replace(
        base, model_id="tiny-together", name="", title="Untrained ensemble", kind="ensemble",
        architecture={"kind": "ensemble", "method": "logit_mean", "members": len(members)},
        inputs={"method": "logit_mean", "members": [
            {"model_id": one.model_id, "cue": cue, "weights_sha256": one.weights_sha256} for one, cue in members
        ]},
        weights_file="tiny-together.safetensors",
        results=Results.read({
            "videos": {
                "all": {"auc": 0.86, "auc_95": [0.79, 0.92], "genuine": 89, "manipulated": 22,
                        "calibration": {"ece": 0.08, "bins": [
                            {"score": 0.08, "manipulated": 0.11, "rows": 40},
                            {"score": 0.45, "manipulated": 0.31, "rows": 30},
                            {"score": 0.88, "manipulated": 0.93, "rows": 41}]}},
                "per_generator": {
                    "swap": {"auc": 0.91, "auc_95": [0.84, 0.97], "genuine": 28, "manipulated": 9},
                    "animation": {"auc": 0.32, "auc_95": [0.2, 0.46], "genuine": 28, "manipulated": 12},
                    "lip-sync": {"auc": None, "genuine": 28, "manipulated": 1},
                },
                "genuine_per_source": {"studio": {"clips": 11, "mean_logit": -0.7}},
                "called_genuine": {"clips": 89, "likely_manipulated": 4},
                "called_fake": {"clips": 22, "likely_manipulated": 15},
            },
            "how": "made up for a test",
        }),
    ))  # fmt: skip


def make_analysis(evidence: Evidence, cards: dict[str, ModelCard]) -> Analysis:
    """`seed.make_analysis` with results of every kind: RR does not apply, the file has no sound for AV."""
    plain = seed.make_analysis(evidence, cards["frame"])
    frame = plain.models[0]
    time = _timed(frame, cards["time"])
    cues = _cues(frame, cards["cues"])
    members = (
        Member(frame.model_id, None, frame.logit, 0.34),
        Member(time.model_id, "TM", time.logit, 0.33),
        *(Member(cues.model_id, cue.cue, cue.logit, 0.11) for cue in cues.specialists if cue.logit is not None),
        *(Member(cues.model_id, cue.cue, None, None, cue.reason) for cue in cues.specialists if cue.logit is None),
    )
    together = replace(
        frame, model_id=cards["together"].model_id, weights_sha256=cards["together"].weights_sha256, logit=1.1,
        kind="ensemble", members=members,
        tracks=tuple(replace(track, frames=tuple(replace(f, logit=0.5 * f.logit) for f in track.frames))
                     for track in frame.tracks),
    )  # fmt: skip
    return replace(
        plain,
        models=(frame, time, cues, _listened(evidence), together),
        conclusion=Conclusion("inconclusive", together.score, (Reason("uncalibrated", "Made up for a test."),)),
    )


def _timed(frame: ModelResult, card: ModelCard) -> ModelResult:
    tracks = []
    for track in frame.tracks:
        raw = [1 + 4 * math.exp(-((index - 6) ** 2) / 4) for index in range(len(track.frames))]
        pooling = tuple(value / sum(raw) for value in raw)
        tracks.append(
            TrackScore(
                track.track_id,
                track.logit + 0.4,
                tuple(replace(f, logit=f.logit + 0.3) for f in track.frames),
                Attention(tuple(f.pts for f in track.frames), tuple(f.pts_s for f in track.frames), pooling),
                (Interval(track.frames[4].pts_s, track.frames[7].pts_s, 1.9),),
            )
        )
    logit = max(track.logit for track in tracks)
    cue = CueResult("TM", logit, tuple(tracks))
    return ModelResult(card.model_id, card.weights_sha256, logit, tuple(tracks), kind="sequence", specialists=(cue,))


def _cues(frame: ModelResult, card: ModelCard) -> ModelResult:
    found = []
    for number, cue in enumerate(CUES):
        names = tuple(CHANNELS[cue])
        if cue == "RR":
            found.append(CueResult(cue, None, (), "The faces are smaller than this cue can be read from.", names))
            continue
        tracks = tuple(replace(track, logit=track.logit - 0.6 * number) for track in frame.tracks)
        readings = tuple(
            ChannelReadings(
                track.track_id,
                tuple(f.pts for f in track.frames),
                tuple(
                    tuple(0.5 + 0.5 * math.sin(0.4 * row + column) for column in range(len(names)))
                    for row in range(len(track.frames))
                ),
            )
            for track in frame.tracks
        )
        found.append(CueResult(cue, max(t.logit for t in tracks), tracks, None, names, readings))
    return ModelResult(
        card.model_id, card.weights_sha256, max(c.logit for c in found if c.logit is not None), found[0].tracks,
        kind="specialists", specialists=tuple(found),
    )  # fmt: skip


def _listened(evidence: Evidence) -> ModelResult:
    windows = (
        SyncWindow(0.0, 0.7, -1.2, 0.61, 0.04),
        SyncWindow(0.7, 1.3, 2.4, -0.12, 0.48),
        SyncWindow(1.3, evidence.video.duration_s, None, 0.2, None),
    )
    cue = CueResult("AV", 1.3, (TrackScore(1, 1.3, ()),))
    return ModelResult("tiny-av", "cd" * 32, 1.3, cue.tracks, kind="audiovisual", specialists=(cue,), sync=windows)


def fill(store: CaseStore, clip: Path, cards: dict[str, ModelCard]) -> seed.Seeded:
    """A case with one exhibit, examined by the frame model alone and then by every kind."""
    case = store.create_case("Seeded family", examiner="A. Nalyst")
    exhibit = store.add_exhibit(case.case_id, examine(ingest(clip, store.evidence_dir)))
    store.save_analysis(exhibit.exhibit_id, seed.make_analysis(exhibit.evidence, cards["frame"]))
    analysis = make_analysis(exhibit.evidence, cards)
    record = store.save_analysis(exhibit.exhibit_id, replace(analysis, analysis_id="a-family"))
    return seed.Seeded(case, exhibit, record, analysis)
