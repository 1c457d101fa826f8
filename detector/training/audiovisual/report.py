"""The audio-visual model's figures and its card: unseen people by folds, the kept-aside people, lip-sync fakes as
they are."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from detector.errors import SettingsError
from detector.evidence.audio import SAMPLE_RATE_HZ
from detector.evidence.speech import HOP_S, MEL_BANDS
from detector.faces import CropSpec
from detector.faces.mouth import CROP_PX, LIP_MEASURES, RATE_HZ
from detector.measurement.results import Fact, Results, Table
from detector.models.audiovisual import AudioVisualNet
from detector.registry import ModelCard, Thresholds
from detector.training.audiovisual.measure import (
    TARGET_SHIFTS_S,
    accuracies,
    balanced_threshold,
    load_network,
    score_clip,
    score_fold,
    summary,
)
from detector.training.audiovisual.recipe import AudioVisualConfig
from detector.training.data.speech_bank import TalkingClip, open_speech_bank, talking_rows
from detector.training.engine.config import config_sha256
from detector.training.engine.export import draft_card, origin, run_of, ship
from detector.training.engine.run_log import FinishedRun, finished_run
from detector.training.evaluation.heldout import write_held_out
from detector.training.evaluation.thresholds import NEVER


def export_audiovisual(
    config: AudioVisualConfig, data_root: Path, run_dir: Path, out: Path, history: str = ""
) -> ModelCard:
    """Measure the run in `run_dir`, write weights and card into `out` and every trial into `run_dir/trials.csv`.

    Raises SettingsError where the run is not finished, or was made with another config and no `history` says why.
    """
    run = run_of(config.model_id, config_sha256(config), run_dir, history)
    clips = open_speech_bank(data_root, run_dir / "bank")
    real = [clip for clip in clips if clip.label == "real" and clip.split != "test"]
    trials = _fold_trials(config, real, run_dir)
    network = load_network(config.architecture, run_dir)
    centre = balanced_threshold(trials)
    with torch.no_grad():
        network.offset.sub_(centre)
    trials["logit"] -= centre
    kept_apart = [clip for clip in clips if clip.label == "real" and clip.split == "test"]
    last = score_fold(network, kept_apart, kept_apart, seed=1000) if len({c.group for c in kept_apart}) > 1 else None
    pd.concat([trials.assign(part="folds"), *([] if last is None else [last.assign(part="kept apart")])]).to_csv(
        run_dir / "trials.csv", index=False
    )
    fakes = [clip for clip in clips if clip.label == "fake"]
    thresholds = _decision(trials)
    card = draft_card(
        config,
        "audiovisual",
        CropSpec(CROP_PX, 0.0),
        _training(config, real, run, history),
        thresholds=thresholds,
        results=_results(network, trials, last, fakes, thresholds.likely_manipulated_logit),
        inputs={
            "cue": "AV",
            "frames_per_second": RATE_HZ,
            "window_s": network.window / RATE_HZ,
            "reach_frames": network.reach,
            "sample_rate_hz": SAMPLE_RATE_HZ,
            "mel": {"bands": MEL_BANDS, "hop_s": HOP_S, "window_s": 0.025, "low_hz": 60, "high_hz": 7600},
            "mouth_px": CROP_PX,
            "lip_measures": list(LIP_MEASURES),
        },
    )
    out.mkdir(parents=True, exist_ok=True)
    table = talking_rows(data_root)
    fitted = (table["split"] == "val") & (table["label"] == "real")
    write_held_out(table.assign(split=table["split"].mask(fitted, "train")), out, config.model_id)
    return ship(card, network.state_dict(), out)


def _fold_trials(config: AudioVisualConfig, real: Sequence[TalkingClip], run_dir: Path) -> pd.DataFrame:
    """Each fold's model on the people it never saw."""
    parts = []
    for fold in range(config.folds):
        facts = finished_run(run_dir / f"fold{fold}")
        if facts is None:
            raise SettingsError(f"Fold {fold} of {config.model_id} is not finished: train first.")
        apart = [clip for clip in real if clip.group in facts["fold"]]
        network = load_network(config.architecture, run_dir / f"fold{fold}")
        parts.append(score_fold(network, apart, real, seed=100 * fold).assign(fold=fold))
    return pd.concat(parts, ignore_index=True).drop_duplicates(["file", "kind", "number"])


def _decision(trials: pd.DataFrame) -> Thresholds:
    real = trials.loc[trials["kind"] == "genuine", "logit"].dropna()
    # So few clips cannot show a share of 5 %; the threshold is put where none of them is called.
    basis = (
        f"{len(real)} genuine clips of people the fold's model never saw: none of them reaches the upper threshold; "
        "it never says that nothing was found"
    )
    return Thresholds(round(float(real.max()) + 1e-3, 3), NEVER, basis)


def _training(config: AudioVisualConfig, real: Sequence[TalkingClip], run: FinishedRun, history: str) -> dict[str, Any]:
    return {
        **origin(run, history),
        "steps": run.steps,
        "minutes": run.minutes,
        "clips": len(real),
        "people": len({clip.group for clip in real}),
        "speech_s": round(sum(len(clip.mouth.seen) for clip in real) / RATE_HZ, 1),
        "clips_by_source": {
            source: sum(clip.source == source for clip in real) for source in sorted({c.source for c in real})
        },
        "manipulated": "the same clips with their sound shifted, another person's, or re-voiced; made during training",
        "split": f"{config.folds} folds by person for the measurement; the shipped weights are fitted to all of them; "
        "people of the test split were never fitted to",
    }


def _called(trials: pd.DataFrame, upper_logit: float) -> dict[str, str]:
    """The share of each kind that reaches the threshold, with its counts."""
    scored = trials.dropna(subset=["logit"])
    kinds = scored["kind"].str.replace(r"shifted [+-]", "shifted by ", regex=True)
    return {
        str(kind): f"{int((rows['logit'] >= upper_logit).sum())} of {len(rows)}" for kind, rows in scored.groupby(kinds)
    }


def _results(
    network: AudioVisualNet,
    trials: pd.DataFrame,
    last: pd.DataFrame | None,
    fakes: Sequence[TalkingClip],
    upper_logit: float,
) -> Results:
    by_folds = _part(
        trials,
        upper_logit,
        "each clip scored by the model of the fold that never saw its person; up to three stretches of 3 s of speech a "
        "clip; intervals by drawing people",
    )
    on = Fact(
        ("accuracy_at_logit_0", "on"),
        f"genuine against shifts of {TARGET_SHIFTS_S[0]} to {TARGET_SHIFTS_S[1]} s, swapped and dubbed; logit 0 was "
        "placed where both are equally often right",
    )
    found: list[Results | Table] = [Results.joined([by_folds, on]).below("unseen_people_by_folds")]
    if last is not None:
        how = (
            "the shipped weights on people that neither weights nor thresholds were fitted to; a first cross-validated "
            "trial of the linear design included them: unseen by the model, not by its makers"
        )
        found.append(_part(last, upper_logit, how).below("kept_apart_people"))
    if fakes:
        scored = [(Path(clip.file).name, score_clip(network, clip.mouth, clip.sound)) for clip in fakes]
        rows = tuple(
            (name, tuple(None if value is None else round(value, 2) for value in said)) for name, said in scored
        )
        found.append(Table(("lip_sync_fakes_as_they_are",), ("logit", "witness"), rows))
    return Results.joined(found)


def _part(trials: pd.DataFrame, upper_logit: float, how: str) -> Results:
    """Everything that is measured on some trials."""
    return Results.joined(
        [
            Fact(("how",), how),
            Fact(("people",), int(trials["group"].nunique())),
            summary(trials),
            Table.of_values(("accuracy_at_logit_0",), accuracies(trials, 0.0)),
            Table.of_values(("at_the_upper_threshold",), _called(trials, upper_logit)),
        ]
    )
