"""Measurement of a sequence model on clips of people it never saw, beside the frame model it stands on, and its
card."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from torch import nn

from detector.analysis.kinds.sequence.intervals import intervals_of, overlap
from detector.analysis.kinds.sequence.windows import LEAST_FRAMES
from detector.measurement.metrics import interval_by_group, rank_auc
from detector.measurement.results import DataPath, Fact, Measurement, Results, Table
from detector.models import FrameNet
from detector.registry import FrameModel, ModelCard, SequenceModel
from detector.training.engine.config import config_sha256
from detector.training.engine.export import draft_card, ship
from detector.training.evaluation.thresholds import choose_thresholds
from detector.training.sequence.features import ClipFeatures
from detector.training.sequence.frame_pairs import with_pair_logits
from detector.training.sequence.recipe import VALIDATION_CROPS, SequenceConfig, architecture_of, clip_features
from detector.training.sequence.samples import ClipScore, score_clip

FOUND_IOU: Final = 0.5
_LEAST_SPLICED_FRAMES = 3
RESAMPLES: Final = 1000


def frame_model_score(clip: ClipFeatures) -> ClipScore:
    """The frame model alone: the mean of its logits."""
    return ClipScore(float(clip.logits.mean()), clip.logits.astype(np.float64))


def measure(network: nn.Module, apart: Sequence[ClipFeatures], frames: int) -> Results:
    """Results on clips of people kept `apart`. Wherever a threshold is needed, each person's clips are
    judged at the one that is best for everybody else's, for the frame model as well."""
    clips = with_pair_logits(network, [clip for clip in apart if len(clip.times_s) >= LEAST_FRAMES])
    scores = {
        "model": [score_clip(network, clip, frames) for clip in clips],
        "frame_model": [frame_model_score(clip) for clip in clips],
    }
    labels = np.array([clip.label for clip in clips])
    groups = np.array([str(clip.facts["group"]) for clip in clips])
    kinds = np.array([clip.group_name for clip in clips])
    dynamics = np.array([str(clip.facts["kind"]).split("+")[1] if clip.label else "" for clip in clips])
    how = (
        "clips of people neither trained nor chosen on; manipulated and genuine twins share frames, rate, "
        f"resolution and compression; 95 % intervals from {RESAMPLES} resamplings of people; the frame model's "
        "score is the mean of its logits; accuracy and intervals at thresholds set on the other people"
    )
    found: list[Measurement | Table | Fact | Results] = [
        Fact(("genuine",), int((labels == 0).sum())),
        Fact(("manipulated",), int(labels.sum())),
        Fact(("people",), len(set(groups.tolist()))),
        Fact(("how",), how),
    ]
    for name, one in scores.items():
        logits = np.array([score.logit for score in one])
        found.append(_against((name,), labels, logits, groups))
        found += [
            _against((name, "per_kind", str(kind)), labels[mask], logits[mask], groups[mask])
            for kind in sorted(set(kinds[labels == 1]) | set(dynamics[labels == 1]))
            if (mask := (labels == 0) | ((kinds == kind) | (dynamics == kind)))[labels == 1].any()
        ]
        found.append(_splices(clips, one, groups).below(name, "spliced"))
        found.append(Table.of_values((name, "accuracy"), _accuracy(labels, logits, groups)))
    return Results.joined(found)


def balanced_threshold(labels: NDArray[np.int64], logits: NDArray[np.float64]) -> float:
    """The logit at which as large a share of genuine as of manipulated clips lies on its own side."""
    values = np.sort(logits)
    grid = (values[:-1] + values[1:]) / 2
    real = (logits[labels == 0][None] < grid[:, None]).mean(1)
    fake = (logits[labels == 1][None] >= grid[:, None]).mean(1)
    return float(grid[int(np.argmin(np.abs(real - fake)))])


def interval_margin(clips: Sequence[ClipFeatures], scores: Sequence[ClipScore]) -> float:
    """The margin over a clip's own level that finds the most spliced segments, less the share of genuine clips in
    which it finds any; 25 margins from 0 to 6."""
    pairs = list(zip(clips, scores, strict=True))
    grid = np.linspace(0, 6, 25)
    worth: list[float] = []
    for value in grid:
        found = [_found(clip, score, value) for clip, score in pairs if _can_be_found(clip)]
        alarms = [_alarms(clip, score, value) for clip, score in pairs if not clip.label]
        worth.append(float(np.mean(found or [False])) - float(np.mean(alarms or [False])))
    return float(grid[int(np.argmax(worth))])


def _accuracy(labels: NDArray[np.int64], logits: NDArray[np.float64], groups: NDArray[np.str_]) -> dict[str, float]:
    right = np.zeros(len(labels), bool)
    for name in np.unique(groups):
        own = groups == name
        right[own] = (logits[own] >= balanced_threshold(labels[~own], logits[~own])) == (labels[own] == 1)
    real, fake = float(right[labels == 0].mean()), float(right[labels == 1].mean())
    return {"genuine": round(real, 4), "manipulated": round(fake, 4), "bias": round(abs(real - fake), 4)}


def _can_be_found(clip: ClipFeatures) -> bool:
    return clip.group_name == "spliced" and int(clip.manipulated.sum()) >= _LEAST_SPLICED_FRAMES


def _found(clip: ClipFeatures, score: ClipScore, margin: float) -> bool:
    truth = tuple(clip.facts["intervals_s"][0])
    found = intervals_of(score.frame_logits.tolist(), clip.times_s.tolist(), margin_logit=margin)
    return any(overlap((one.start_s, one.end_s), truth) >= FOUND_IOU for one in found)


def _alarms(clip: ClipFeatures, score: ClipScore, margin: float) -> bool:
    return bool(intervals_of(score.frame_logits.tolist(), clip.times_s.tolist(), margin_logit=margin))


def _splices(clips: Sequence[ClipFeatures], scores: Sequence[ClipScore], groups: NDArray[np.str_]) -> Results:
    found, alarms, people = [], [], []
    for name in np.unique(groups):
        others = np.flatnonzero(groups != name)
        margin = interval_margin([clips[i] for i in others], [scores[i] for i in others])
        for index in np.flatnonzero(groups == name):
            if _can_be_found(clips[index]):
                found.append(_found(clips[index], scores[index], margin))
                people.append(str(name))
            elif not clips[index].label:
                alarms.append(_alarms(clips[index], scores[index], margin))
    low, high = interval_by_group(
        np.array(people), lambda rows: float(np.array(found)[rows].mean()), resamples=RESAMPLES
    )
    share = round(float(np.mean(found)), 4) if found else None
    facts = {
        "clips": len(found),
        "iou_at_least": FOUND_IOU,
        "genuine_with_interval_share": round(float(np.mean(alarms)), 4) if alarms else None,
        "frame_auc_within_clips": _within(clips, scores),
    }
    return Results(
        (Measurement((), share, "found_share", None if low is None or high is None else (low, high)),),
        facts=tuple(Fact((name,), value) for name, value in facts.items()),
    )


def _within(clips: Sequence[ClipFeatures], scores: Sequence[ClipScore]) -> float | None:
    """Mean over spliced clips of the AUC of their manipulated frames against their own genuine ones."""
    pairs = zip(clips, scores, strict=True)
    values = [rank_auc(c.manipulated.astype(np.int64), s.frame_logits) for c, s in pairs if _can_be_found(c)]
    finite = [value for value in values if np.isfinite(value)]
    return round(float(np.mean(finite)), 4) if finite else None


def _against(
    data: DataPath, labels: NDArray[np.int64], logits: NDArray[np.float64], groups: NDArray[np.str_]
) -> Measurement:
    low, high = interval_by_group(groups, lambda rows: rank_auc(labels[rows], logits[rows]), resamples=RESAMPLES)
    return Measurement(
        data,
        round(rank_auc(labels, logits), 4),
        interval=None if low is None or high is None else (low, high),
        n_real=int((labels == 0).sum()),
        n_fake=int(labels.sum()),
    )


def measure_shipped(model: SequenceModel, data_root: Path, clips: Path) -> Results:
    """`measure` of a shipped sequence model, on clips made from those of `data_root` whose people are kept apart; what
    lies in `clips`, a folder as training leaves it, is used."""
    assert model.trunk is not None
    apart = clip_features(VALIDATION_CROPS, data_root, clips, model.trunk, "test", pairs=model.reads_pairs)
    return measure(model.network, apart, int(model.card.inputs["frames"]))


def export_sequence(
    config: SequenceConfig,
    network: nn.Module,
    trunk: FrameModel,
    clips: tuple[Sequence[ClipFeatures], Sequence[ClipFeatures], Sequence[ClipFeatures]],
    run: dict[str, Any],
    out: Path,
) -> ModelCard:
    """Write weights and card of a trained network into `out`; what the card says is measured on the weights as they are
    stored (fp16). `clips`: those trained on, those chosen on, on which the thresholds are set too, and those of people
    kept apart, on which results are measured. `run` is the run's `run.json`, with that of a `change` network under
    "change". Raises SettingsError with fewer than ten
    clips a label to set thresholds on."""
    train, validation, apart = clips
    if not isinstance(trunk.network, FrameNet):
        raise TypeError("expected a frame model as trunk")
    out.mkdir(parents=True, exist_ok=True)
    network = network.half().float().eval()  # as it will be loaded
    results = measure(network, apart, config.frames)
    gain = round(float(getattr(network, "change_gain", 0.0)), 2)
    chosen_on = with_pair_logits(network, [clip for clip in validation if len(clip.times_s) >= LEAST_FRAMES])
    scores = [score_clip(network, clip, config.frames) for clip in chosen_on]
    rows = [
        {"label": "fake" if clip.label else "real", "logit": score.logit, "split": "val"}
        for clip, score in zip(chosen_on, scores, strict=True)
    ]
    decision = choose_thresholds(rows)
    sources = sorted({str(clip.facts["source"]) for clip in train})
    card = draft_card(
        config,
        "sequence",
        trunk.card.crop,
        {
            "config_sha256": config_sha256(config),
            **_course(run),
            **({"pairs_of_frames": {**_course(run["change"]), "gain": gain}} if "change" in run else {}),
            "clips": {
                "genuine": sum(not clip.label for clip in train),
                "manipulated": sum(clip.label for clip in train),
                "people": len({clip.facts["group"] for clip in train}),
            },
            "genuine_sources": sources,
            "manipulations": "made from genuine clips: swaps, blends, redrawn, animated and frozen faces, re-timed "
            "mouths; steady, flickering, wobbling, with dropouts; whole or spliced; then H.264 for both twins alike",
            "split": "by person or source clip; no real deepfake video was used to fit or to choose",
        },
        architecture=architecture_of(config, trunk.network),
        thresholds=replace(
            decision, basis=decision.basis.replace("manipulated clips", "synthetically manipulated clips", 1)
        ),
        results=results.below("synthesised_clips"),
        inputs={
            "trunk": trunk.card.model_id,
            "trunk_weights_sha256": trunk.card.weights_sha256,
            "frames": config.frames,
            "cue": config.cue or None,
            "interval_margin_logit": round(interval_margin(chosen_on, scores), 3),
        },
    )
    return ship(card, network.state_dict(), out)


def _course(run: dict[str, Any]) -> dict[str, Any]:
    kept = {key: run[key] for key in ("epochs", "best_epoch", "stopped_because")}
    return {**kept, "minutes": round(run["minutes"], 1)}
