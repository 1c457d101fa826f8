"""Measure trained specialists on people they never saw, and write their card."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from detector.faces import CropSpec
from detector.measurement.metrics import interval_by_group, rank_auc
from detector.measurement.results import LEAST_FOR_AUC, DataPath, Fact, Measurement, Results, Table
from detector.models import build_network
from detector.models.outputs import SpecialistOutput
from detector.models.specialists import SpecialistsNet
from detector.registry import ModelCard, Thresholds
from detector.synthesis.cue_edits import EDITS
from detector.training.data.facebank import FaceBank
from detector.training.engine.config import config_sha256
from detector.training.engine.export import SPLIT, draft_card, origin, run_of, ship
from detector.training.evaluation.heldout import write_held_out
from detector.training.specialists.recipe import SpecialistsConfig
from detector.training.specialists.samples import CUES, KINDS, CueBatch, CueBatches, CueSource, wide_rows

FALSE_ALARM_SHARE: Final = 0.05
_BATCH: Final = 32


def score_quads(
    network: SpecialistsNet, bank: FaceBank, split: str, config: SpecialistsConfig, *, rounds: int, seed: int
) -> pd.DataFrame:
    """A row a picture of `rounds` quads of every kind: `cue`, `kind`, `strength`, `label`, `group`, a `logit_*` of
    every cue, and on manipulated ones `hit` (the own cue's map peaks inside the true region) and `chance` (its share
    of the picture)."""
    batches = CueBatches(
        CueSource(bank, split, config.input_px),
        batches=rounds * max(len(kinds) for kinds in EDITS.values()),
        quads=dict.fromkeys(CUES, 1),
        seed=seed,
        mean=config.mean,
        std=config.std,
    )
    network.eval()
    return pd.concat([_scored(network, batch, bank) for batch in batches], ignore_index=True)


@torch.inference_mode()
def _scored(network: SpecialistsNet, batch: CueBatch, bank: FaceBank) -> pd.DataFrame:
    outputs: dict[str, SpecialistOutput] = network.forward_all(batch.images)
    rows = []
    for i in range(len(batch.labels)):
        cue = CUES[int(batch.cues[i])]
        row: dict[str, Any] = {
            "cue": cue,
            "kind": KINDS[int(batch.kinds[i])],
            "strength": float(batch.strengths[i]),
            "label": int(batch.labels[i]),
            "group": bank.table["group"].iloc[int(batch.rows[i])],
            **{f"logit_{name}": float(output.logit[i]) for name, output in outputs.items()},
        }
        if row["label"]:
            truth = batch.masks[i] >= 0.5
            row["hit"] = float(truth.flatten()[outputs[cue].map_logit[i].flatten().argmax()])
            row["chance"] = float(truth.float().mean())
        rows.append(row)
    return pd.DataFrame(rows)


@torch.inference_mode()
def score_faces(
    network: SpecialistsNet, bank: FaceBank, rows: NDArray[np.int64], config: SpecialistsConfig
) -> pd.DataFrame:
    """A row a stored face as it is, without any edit: `source`, `group`, `manipulation`, a `logit_*` of every cue."""
    network.eval()
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in (config.mean, config.std))
    found = []
    for chosen in np.array_split(rows, max(1, -(-len(rows) // _BATCH))):
        crops = np.stack(
            [
                cv2.resize(np.asarray(bank.images[i]), (config.input_px,) * 2, interpolation=cv2.INTER_AREA)
                for i in chosen
            ]
        )
        pixels = torch.from_numpy(crops).permute(0, 3, 1, 2).float() / 255
        found.append(network(((pixels - mean) / std).contiguous(memory_format=torch.channels_last)).numpy())
    table = bank.table.iloc[rows]
    columns = [name for name in ("source", "group", "label", "manipulation") if name in table]
    logits = pd.DataFrame(np.concatenate(found), columns=[f"logit_{cue}" for cue in CUES])
    return pd.concat([table[columns].reset_index(drop=True), logits], axis=1)


def balance(network: SpecialistsNet, quads: pd.DataFrame) -> dict[str, float]:
    """Move each cue's label so that logit 0 calls as many genuine as manipulated pictures rightly; returns the shifts.

    `quads` are validation pictures, never those that are reported.
    """
    shifts = {}
    for cue, rows in quads.groupby("cue"):
        real, fake = (rows.loc[rows["label"] == label, f"logit_{cue}"].to_numpy() for label in (0, 1))
        cuts = np.unique(np.r_[real, fake])
        gap = [abs((real < cut).mean() - (fake >= cut).mean()) for cut in cuts]
        shifts[str(cue)] = float(cuts[int(np.argmin(gap))])
        last: Any = network.heads[str(cue)].label_head[-1]  # type: ignore[index]
        with torch.no_grad():
            last.bias -= shifts[str(cue)]
    return shifts


def cue_results(quads: pd.DataFrame) -> Results:
    """Under "cues", for each AUC, accuracies at logit 0 and pointing game with 95 % intervals (resampled by person),
    AUC a kind and for weak and strong edits, and the AUC of every cue's score on this cue's pictures."""
    return Results(tuple(row for cue in CUES for row in _cue_result(("cues", cue), quads[quads["cue"] == cue])))


def _cue_result(data: DataPath, own: pd.DataFrame) -> Iterator[Measurement]:
    logit = f"logit_{data[-1]}"
    label, score = own["label"].to_numpy(), own[logit].to_numpy()
    fake = own[own["label"] == 1]
    hit = fake["hit"].to_numpy(float)
    accuracies = [float(((score >= 0) == label)[label == flag].mean()) for flag in (0, 1)]
    whole = _ranked(data, own, logit)
    yield replace(
        whole,
        interval=_interval(own, lambda rows: rank_auc(label[rows], score[rows])),
        rates={
            "accuracy_genuine": _rounded(accuracies[0]),
            "accuracy_manipulated": _rounded(accuracies[1]),
            "accuracy_bias": _rounded(abs(accuracies[0] - accuracies[1])),
            "pointing_game_by_chance": _rounded(fake["chance"].mean()),
        },
        counts={"pictures": len(own), "people": int(own["group"].nunique())},
    )
    pointed = _interval(fake, lambda rows: float(hit[rows].mean()))
    yield Measurement(data, _rounded(hit.mean()), "pointing_game", pointed)
    for kind, rows in own.groupby("kind"):
        yield _ranked((*data, "by_kind", str(kind)), rows, logit)
    yield _ranked((*data, "weak_edits"), own[own["strength"] < 0.6], logit)
    yield _ranked((*data, "strong_edits"), own[own["strength"] >= 0.6], logit)
    for other in CUES:
        yield _ranked((*data, "of_each_cue_here", other), own, f"logit_{other}")


def _interval(rows: pd.DataFrame, statistic: Callable[[NDArray[np.int64]], float]) -> tuple[float, float] | None:
    low, high = interval_by_group(rows["group"].to_numpy(str), statistic)
    return None if low is None or high is None else (low, high)


def _ranked(data: DataPath, rows: pd.DataFrame, column: str) -> Measurement:
    label = rows["label"].to_numpy()
    n_real, n_fake = int((label == 0).sum()), int((label == 1).sum())
    few = min(n_real, n_fake) < LEAST_FOR_AUC
    auc = None if few else _rounded(rank_auc(label, rows[column].to_numpy()))
    return Measurement(data, auc, n_real=n_real, n_fake=n_fake)


def _rounded(value: float) -> float:
    return round(float(value), 4)


def real_by_source(faces: pd.DataFrame) -> Table:
    """For each source of genuine faces as they are: how many, and each cue's mean logit and share at or above 0."""
    columns = ("faces", *(f"{cue} · {name}" for cue in CUES for name in ("mean logit", "called")))
    rows = []
    for source, own in faces.groupby("source"):
        logits = [own[f"logit_{cue}"] for cue in CUES]
        cells = [_rounded(value) for column in logits for value in (column.mean(), (column >= 0).mean())]
        rows.append((str(source), (len(own), *cells)))
    return Table(("genuine_faces_as_they_are",), columns, tuple(rows))


def against_real(name: str, fakes: pd.DataFrame, real: pd.DataFrame) -> Iterator[Measurement]:
    """Each cue's score on real manipulated faces against genuine ones."""
    both = pd.concat([fakes.assign(label=1), real.assign(label=0)], ignore_index=True)
    for cue in CUES:
        yield _ranked(("real_manipulated_faces", name, cue), both, f"logit_{cue}")


def choose_cue_decision(real: pd.DataFrame) -> Thresholds:
    """Thresholds on the highest cue's logit from genuine faces as they are: 5 % reach the upper one, half the lower."""
    worst = real[[f"logit_{cue}" for cue in CUES]].max(axis=1).to_numpy()
    upper = max(0.0, float(np.quantile(worst, 1 - FALSE_ALARM_SHARE)))
    lower = min(float(np.quantile(worst, 0.5)), upper - 0.1)
    basis = (
        f"{len(worst)} genuine faces of the validation split as they are: {FALSE_ALARM_SHARE:.0%} of them reach the "
        "upper threshold with their highest cue, half of them the lower; no real manipulated footage was used"
    )
    return Thresholds(round(upper + 5e-4, 3), round(lower, 3), basis)


def export_specialists(
    config: SpecialistsConfig,
    run_dir: Path,
    bank: FaceBank,
    out: Path,
    *,
    rounds: int = 40,
    seed: int = 101,
    history: str = "",
) -> ModelCard:
    """Balance the run's best weights on `val`, measure them on `test`, and write weights, held-out list and card, with
    the `history` of the run where there is one to tell."""
    network = build_network(config.architecture)
    assert isinstance(network, SpecialistsNet)
    run = run_of(config.model_id, config_sha256(config), run_dir, history)
    network.load_state_dict(run.weights)
    shifts = balance(network, score_quads(network, bank, "val", config, rounds=rounds, seed=seed))
    tested = score_quads(network, bank, "test", config, rounds=rounds, seed=seed + 1)
    faces = {split: score_faces(network, bank, wide_rows(bank, split), config) for split in ("val", "test")}
    out.mkdir(parents=True, exist_ok=True)
    thresholds = choose_cue_decision(faces["val"])
    card = draft_card(
        config,
        "specialists",
        CropSpec(config.input_px, config.margin, "none", "area", config.mean, config.std),
        {
            **origin(run, history),
            "steps": run.steps,
            "minutes": run.minutes,
            "fit": asdict(config.fit),
            "genuine_faces": len(wide_rows(bank, "train")),
            "pseudo_fakes": "two genuine and two manipulated versions of a picture, one cue each; made while training",
            "split": SPLIT,
            "balanced_on": {"split": "val", "shift_logit": shifts},
        },
        thresholds=thresholds,
        results=Results.joined(
            [
                cue_results(tested),
                Fact(
                    ("measured_on",),
                    "pseudo-fakes of the split test, one cue each, people never seen; logit 0 is where accuracy on "
                    "genuine and manipulated validation pictures is equal",
                ),
                real_by_source(faces["test"]),
                *_real_fakes(network, bank, config, faces["val"]),
                _called(faces["test"], thresholds),
            ]
        ),
    )
    write_held_out(bank.table, out, config.model_id)
    return ship(card, network.state_dict(), out)


def _called(faces: pd.DataFrame, thresholds: Thresholds) -> Table:
    worst = faces[[f"logit_{cue}" for cue in CUES]].max(axis=1)
    share = float((worst >= thresholds.likely_manipulated_logit).mean())
    values = {"faces": len(faces), "share_likely_manipulated": _rounded(share)}
    return Table.of_values(("called_genuine",), values)


def _real_fakes(
    network: SpecialistsNet, bank: FaceBank, config: SpecialistsConfig, real: pd.DataFrame
) -> Iterator[Measurement]:
    """Each cue on real manipulated faces of `val`, by manipulation: information only, nothing was fitted to them."""
    for name, rows in _by_manipulation(bank):
        yield from against_real(name, score_faces(network, bank, rows, config), real)
    labelled = bank.table[(bank.table["split"] == "val") & (bank.table["kind"] == "image")]
    mixed = labelled[labelled["source"].isin(labelled.loc[labelled["label"] == "fake", "source"])]
    if mixed["label"].nunique() == 2:
        faces = score_faces(network, bank, mixed.index.to_numpy(), config)
        fake = faces["label"] == "fake"
        yield from against_real("labelled_crops_cut_tight", faces[fake], faces[~fake])


def _by_manipulation(bank: FaceBank) -> Iterator[tuple[str, NDArray[np.int64]]]:
    rows = wide_rows(bank, "val", "fake")
    table = bank.table.iloc[rows]
    videos = (table["kind"] == "video").to_numpy()
    if videos.any():
        yield "all_videos", rows[videos]
        for name, part in table[videos].groupby("manipulation"):
            yield str(name or "unnamed"), part.index.to_numpy()
