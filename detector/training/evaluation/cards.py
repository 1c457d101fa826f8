"""Put what was measured into cards: results, and thresholds that keep their promise about genuine videos."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from detector.analysis.kinds import kind_of
from detector.errors import SettingsError
from detector.measurement.measures import against, measure_table, measure_videos
from detector.measurement.pooled import measure_pool
from detector.measurement.results import Fact, Measurement, Results
from detector.registry import EnsembleModel, ModelCard, SequenceModel, Thresholds, load_set
from detector.training.data.manifest import EXTENDED
from detector.training.evaluation.beside_members import beside_members_results, family_of_rows
from detector.training.evaluation.clip_frames import clip_frames
from detector.training.evaluation.evaluate import CALIBRATION, Evaluation
from detector.training.evaluation.families_read import families_read_results
from detector.training.evaluation.predictions import column_of
from detector.training.evaluation.thresholds import choose_thresholds
from detector.training.evaluation.within_track import with_levels


def write_measured(evaluation: Evaluation, out: Path, *, validation: pd.DataFrame | None = None) -> ModelCard:
    """Write the card in `out` anew with the results of `evaluation` and thresholds set on its videos.

    `validation`: an ensemble's cross-validated logits (`validation.csv` of its run). Its thresholds hold on them as
    well, since the videos of the evaluation were fitted to, and every model's on clips kept for calibration, where the
    evaluation has them. A model for which there are too few scored clips keeps its
    thresholds. Results that the evaluation has nothing to say about are kept, and so are levels within a track.
    """
    card = evaluation.card
    levels = {name: getattr(card.thresholds, name) for name in ("run_logit", "peak_logit", "within_track_basis")}
    thresholds = replace(_thresholds(evaluation, validation), **levels)
    results = card.results.updated(evaluation.results(thresholds))
    if validation is not None:
        members = card.inputs.get("members", ())
        results = results.updated(cross_validated_results(validation, thresholds, members))
    measured = replace(card, thresholds=thresholds, results=results)
    measured.write(out / f"{card.model_id}.card.json")
    return measured


def write_levels(
    evaluations: Mapping[str, Evaluation],
    data_root: Path,
    store: Path,
    out: Path,
    *,
    device: str = "auto",
) -> list[ModelCard]:
    """Write the cards in `out` anew of the ensembles among `evaluations` and of the temporal models that they rest on,
    with levels within a track (`within_track.with_levels`) set on the evaluated clips that neither was fitted to, whose
    frames `store` holds. A member's levels hold for clips that its ensemble calls something. Raises SettingsError where
    these are too few."""
    models = {model.card.model_id: model for model in load_set(list(evaluations), device)}
    cards = []
    for name, evaluation in evaluations.items():
        ensemble = models[name]
        if not isinstance(ensemble, EnsembleModel):
            continue
        members = [models[str(member["model_id"])] for member in ensemble.card.inputs["members"]]
        files = _unseen_files(evaluation)
        for model in (ensemble, *(one for one in members if isinstance(one, SequenceModel))):
            card = ModelCard.read(out / f"{model.card.model_id}.card.json")
            decided_by = None if model is ensemble else ensemble
            clips = clip_frames(model, [ensemble, *members], files, data_root, store, decided_by=decided_by)
            by = None if decided_by is None else ModelCard.read(out / f"{name}.card.json").thresholds
            card = with_levels(card, clips, decided_by=by)
            card.write(out / f"{card.model_id}.card.json")
            cards.append(card)
    return cards


def _unseen_files(evaluation: Evaluation) -> pd.DataFrame:
    videos = evaluation.videos
    return pd.concat([videos[videos["split"] != "train"], *evaluation.pools.values()], ignore_index=True)


def _thresholds(evaluation: Evaluation, validation: pd.DataFrame | None) -> Thresholds:
    also = {}
    if validation is not None:
        left_out = "generator and genuine source" if "pool" in validation else "person"
        also[f"cross-validated by {left_out}"] = _clips(validation, evaluation.clips())
    if (pool := evaluation.pools.get(CALIBRATION)) is not None:
        logits = pool[column_of(evaluation.card.model_id)].to_numpy(float)
        also["of real generators, kept for calibration"] = _scored(pool.assign(logit=logits))
    try:
        return choose_thresholds(evaluation.clips(), also=also, one_sided=kind_of(evaluation.card).one_sided)
    except SettingsError:
        return evaluation.card.thresholds


def _clips(validation: pd.DataFrame, clips: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The clips with the cross-validated logit wherever there is one, and those of a pool of real generators."""
    videos = validation[(validation["kind"] == "video") & np.isfinite(validation["logit"])]
    known = dict(zip(videos["file"], videos["logit"], strict=True))
    pooled = videos[videos["pool"] == EXTENDED] if "pool" in videos else videos[:0]
    return [*({**clip, "logit": known.get(clip["file"], clip["logit"])} for clip in clips), *_scored(pooled)]


def _scored(pool: pd.DataFrame) -> list[dict[str, Any]]:
    """The clips of a pool that have a `logit`; nobody in it was fitted to."""
    scored = pool[np.isfinite(pool["logit"].to_numpy(float))]
    return scored[["file", "label", "logit"]].assign(split="test").to_dict("records")


def cross_validated_results(
    validation: pd.DataFrame, thresholds: Thresholds, members: Sequence[Mapping[str, Any]] = ()
) -> Results:
    """Under "cross_validated", an ensemble on people that each fit left out: pictures, videos per generator and source,
    synthesised clips against the genuine ones they were made from, all and each manipulation apart. Where it was fitted
    to a pool of real generators, those by family under "real_generators", left out by generator and genuine source, and
    the ensemble beside its best member and, where it tells families apart, how often it is right."""
    pictures = validation[validation["kind"] == "image"]
    videos = validation[validation["kind"] == "video"].reset_index(drop=True)
    extended = (videos["pool"] == EXTENDED) if "pool" in videos else pd.Series(False, index=videos.index)
    own = videos[~extended].reset_index(drop=True)
    how = "five folds by person; each fold's logits come from a fit on the other four"
    found: list[Measurement | Fact | Results] = [
        measure_table(("crops",), pictures, pictures["logit"].to_numpy(float)),
        measure_videos(own, own["logit"].to_numpy(float), thresholds),
    ]
    if extended.any():
        pool = videos.assign(family=family_of_rows(videos))
        found.append(measure_pool(pool, pool["logit"].to_numpy(float), thresholds).below("real_generators"))
        found.append(beside_members_results(validation, members))
        found.append(families_read_results(validation))
        how = "five folds by generator and genuine source; each fold's logits come from a fit on the other four"
    found.append(Fact(("how",), how))
    made = validation[validation["kind"] == "synthesised"]
    if len(made):
        found.append(_synthesised(made).below("synthesised"))
    return Results.joined(found).below("cross_validated")


def _synthesised(made: pd.DataFrame) -> Results:
    logits, fake = made["logit"].to_numpy(float), (made["label"] == "fake").to_numpy()
    real = logits[~fake & np.isfinite(logits)]
    kinds = {str(kind): rows["logit"].dropna().to_numpy(float) for kind, rows in made[fake].groupby("manipulation")}
    return Results.joined(
        [
            measure_table(("all",), made, logits),
            *(against(("per_manipulation", kind), fakes, real) for kind, fakes in kinds.items()),
        ]
    )
