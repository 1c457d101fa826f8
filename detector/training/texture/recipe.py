"""Learn how a face animated from a still keeps its fine detail: genuine clips against stills of them, animated.

A still of each genuine clip is moved as the clip moves, with or without a network painting it anew, and sent through
the same transmission as the clip. Animation softens, so softness would give the label away: pairs are weighted until
the energy of detail is spread alike in both labels.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, Any, Final

import cv2
import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from pydantic import Field
from safetensors.torch import save_file
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier
from torch import nn

from detector.analysis.kinds.texture.pairs import around_face, pairs_of
from detector.faces.texture import FEATURES
from detector.measurement.measures import against
from detector.measurement.results import Fact, Results
from detector.models.texture import TextureNet
from detector.synthesis.clip_fakes import Plan, manipulate
from detector.synthesis.clips import FaceClip, draw_transmission
from detector.training.data.leakage import LeakageReport, check_leakage
from detector.training.data.readings import Reading, open_readings, read_clips
from detector.training.data.reconstruction import load_all
from detector.training.engine.config import Seed, check_fields, config_sha256, read_yaml
from detector.training.engine.epoch_samples import EpochSamples
from detector.training.engine.progress import tracked
from detector.training.engine.run_log import write_single_fit
from detector.training.engine.run_report import write_report

_BASES: Final = ("animated_whole", "animated_whole", "animated")
_STEP_S = 0.12
_LEARNING_RATE, _BATCH = 0.003, 256
_LENGTHS: Final = [FEATURES.index(name) for name in ("lag_s", "side_px", "turn", "expression", "flow")]
_LIKENESSES: Final = [
    index for index, name in enumerate(FEATURES) if index not in _LENGTHS and not name.endswith("_energy")
]
_ENERGIES: Final = [name for name in FEATURES if name.endswith("_energy")]


@dataclass(frozen=True, slots=True)
class TextureConfig:
    """`draws` of each genuine reading, up to `frames` frames with faces `face_px` across before transmission, `pairs`
    compared of each clip; `hidden` units, `penalty` (L2, scikit-learn's alpha) and `epochs` of the fit; `balance_bins`
    quantiles of each band's energy in which genuine and animated pairs count alike."""

    model_id: str
    title: str
    draws: Annotated[int, Field(ge=1, le=1000)] = 2
    frames: Annotated[int, Field(ge=8, le=1000)] = 28
    pairs: Annotated[int, Field(ge=1, le=1000)] = 16
    face_px: tuple[float, float] = (100.0, 224.0)
    hidden: Annotated[int, Field(ge=1, le=1000)] = 16
    penalty: Annotated[float, Field(ge=0, le=1e6)] = 1.0
    epochs: Annotated[int, Field(ge=1, le=10_000)] = 20
    balance_bins: Annotated[int, Field(ge=1, le=20)] = 5
    seed: Seed = 11
    limits: tuple[str, ...] = field(default_factory=tuple)
    licence: str = ""

    @property
    def architecture(self) -> dict[str, Any]:
        """The network, as cards describe it."""
        return {
            "kind": "texture",
            "measures": len(FEATURES),
            "lengths": _LENGTHS,
            "likenesses": _LIKENESSES,
            "hidden": self.hidden,
        }


def load_texture_config(path: Path) -> TextureConfig:
    """Read and check a YAML file. Raises SettingsError listing every problem at once."""
    return check_fields(TextureConfig, read_yaml(path), path.name)


def train_texture(config_path: Path, data_root: Path, run_dir: Path, device: str) -> None:
    """The recipe: readings shared with the sequence models (`clips` beside `run_dir`), pairs measured once and kept in
    `run_dir`, then the fit. Networks that paint faces anew are taken from `clips/networks`, where there are some."""
    config = load_texture_config(config_path)
    cv2.setNumThreads(1)
    clips = run_dir.parent / "clips"
    read_clips(data_root, clips / "readings")
    networks = load_all(clips / "repainters")
    run_dir.mkdir(parents=True, exist_ok=True)
    tables = {}
    for split in ("train", "val"):
        path = run_dir / f"pairs-{split}.parquet"
        if not path.is_file():
            measure_readings(list(open_readings(clips / "readings", split)), config, networks).to_parquet(path)
        tables[split] = pd.read_parquet(path)
    fit_run(config, tables["train"], tables["val"], run_dir)


def measure_readings(readings: Sequence[Reading], config: TextureConfig, networks: Sequence[nn.Module]) -> pd.DataFrame:
    """A row a pair: `FEATURES`, `clip`, `kind` ("genuine", "as it came", or what was animated), `label` 0 or 1,
    `group` and `source`."""
    rows: list[dict[str, Any]] = []
    for reading in tracked(readings, "measuring pairs of moments"):
        seed = int.from_bytes(reading.name.encode()[-8:].rjust(8, b"\0"), "big")
        for draw in range(config.draws):
            rng = np.random.default_rng((config.seed, seed, draw))
            for number, (kind, clip) in enumerate(_drawn(reading.clip, config, networks, rng)):
                facts = {
                    "clip": f"{reading.name}.{draw}.{number}",
                    "kind": kind,
                    "label": int(kind in _BASES),
                    "group": reading.group,
                    "source": reading.source,
                }
                rows += [{**dict(zip(FEATURES, pair, strict=True)), **facts} for pair in _pairs(clip, config.pairs)]
    return pd.DataFrame(rows)


def _drawn(
    clip: FaceClip, config: TextureConfig, networks: Sequence[nn.Module], rng: np.random.Generator
) -> Iterator[tuple[str, FaceClip]]:
    spacing = float(np.median(np.diff(clip.times_s)))
    index = np.arange(0, len(clip.times_s), max(1, int(_STEP_S / spacing)))[: config.frames]
    if len(index) < 4:
        return
    real = clip.part(index, face_px=float(rng.uniform(*config.face_px)))
    transmission = draw_transmission(real, rng)
    yield "as it came", real
    yield "genuine", transmission(real)
    for base in _BASES:
        yield base, transmission(manipulate(real, Plan(base, "steady"), rng, networks=networks).clip)


def _pairs(clip: FaceClip, most: int) -> list[NDArray[np.float32]]:
    moments = [
        around_face(float(time_s), image, mesh)
        for time_s, image, mesh in zip(clip.times_s, clip.images, clip.landmarks, strict=True)
    ]
    return pairs_of(moments, most)


def energy_weights(table: pd.DataFrame, bins: int) -> NDArray[np.float64]:
    """Weights of the pairs by which genuine and animated ones are spread alike over the energies of all bands; cells
    that only one label reaches weigh nothing."""
    cell = np.zeros(len(table), np.int64)
    for name in _ENERGIES:
        edges = np.quantile(table[name], np.linspace(0, 1, bins + 1)[1:-1])
        cell = cell * bins + np.digitize(table[name], edges)
    labels = table["label"].to_numpy()
    counts = np.stack([np.bincount(cell[labels == label], minlength=bins ** len(_ENERGIES)) for label in (0, 1)])
    own = counts[labels, cell]
    return counts.min(0)[cell] / np.maximum(own, 1)


def _measures(table: pd.DataFrame) -> NDArray[np.float32]:
    return table[list(FEATURES)].to_numpy(np.float32, copy=True)


def fit_texture(config: TextureConfig, table: pd.DataFrame) -> TextureNet:
    """Fit on measured pairs; logit 0 is where a genuine and an animated pair are equally likely."""
    options = {key: value for key, value in config.architecture.items() if key != "kind"}
    network = TextureNet(**options)
    pairs = torch.from_numpy(_measures(table))
    values = network.stretched(pairs)
    network.centre.copy_(values.mean(0))
    network.scale.copy_(values.std(0).clamp(min=1e-6))
    weights = energy_weights(table, config.balance_bins)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # it stops early on purpose
        fitted = MLPClassifier(
            (config.hidden,),
            alpha=config.penalty,
            max_iter=config.epochs,
            learning_rate_init=_LEARNING_RATE,
            batch_size=min(_BATCH, len(table)),
            random_state=config.seed,
        ).fit(network.standardised(pairs).numpy(), table["label"], sample_weight=weights / weights.mean())
    inner, outer = (torch.from_numpy(weight.T) for weight in fitted.coefs_)
    state = {"0.weight": inner, "0.bias": fitted.intercepts_[0], "2.weight": outer, "2.bias": fitted.intercepts_[1]}
    network.read.load_state_dict({key: torch.as_tensor(value) for key, value in state.items()})
    return network.eval().requires_grad_(False)


def score_clips(network: TextureNet, table: pd.DataFrame) -> pd.DataFrame:
    """A row a clip: its mean logit, `label`, `kind`, `group`, `source`."""
    logits = network.pair_logits(torch.from_numpy(_measures(table))).numpy()
    facts = {name: (name, "first") for name in ("label", "kind", "group", "source")}
    return table.assign(logit=logits).groupby("clip").agg(logit=("logit", "mean"), **facts).reset_index()


def measure_clips(clips: pd.DataFrame) -> Results:
    """Animated against genuine clips, all and each kind apart."""
    real = clips.loc[clips["label"] == 0, "logit"].to_numpy(float)
    how = "clips of people in no training clip; animated twins share motion, frames, resolution and compression"
    fake = clips[clips["label"] == 1]
    return Results.joined(
        [
            against(("all",), fake["logit"].to_numpy(float), real),
            *(
                against(("per_kind", str(kind)), rows["logit"].to_numpy(float), real)
                for kind, rows in fake.groupby("kind")
            ),
            Fact(("people",), int(clips["group"].nunique())),
            Fact(("how",), how),
        ]
    )


def fit_run(config: TextureConfig, train: pd.DataFrame, validation: pd.DataFrame, run_dir: Path) -> TextureNet:
    """Fit, measure on the validation clips, and leave `best.safetensors`, the leakage of the pairs, and the files and
    the report that every run leaves; its samples are clips."""
    started_s = time.monotonic()
    check_pairs(config, train).write(run_dir)
    network = fit_texture(config, train)
    clips = score_clips(network, validation)
    save_file({key: value.contiguous() for key, value in network.state_dict().items()}, run_dir / "best.safetensors")
    facts = {
        "kind": "texture",
        "model_id": config.model_id,
        "title": config.title,
        "config": asdict(config),
        "config_sha256": config_sha256(config),
        "clips": {"train": int(train["clip"].nunique()), "validation": len(clips)},
        "pairs": {"train": len(train), "validation": len(validation)},
        "genuine_clips_by_source": train[train["label"] == 0].groupby("source")["clip"].nunique().to_dict(),
        "synthesised": measure_clips(clips).as_json(),
    }
    fitted = EpochSamples.of(score_clips(network, train), group="kind")
    write_single_fit(run_dir, facts, fitted, EpochSamples.of(clips, group="kind"), (time.monotonic() - started_s) / 60)
    write_report(run_dir, plots=False)
    return network


def check_pairs(config: TextureConfig, table: pd.DataFrame) -> LeakageReport:
    """Whether softness or the distance of the moments gives the label away, of pairs drawn as they weigh in the fit."""
    weights = energy_weights(table, config.balance_bins)
    drawn = table.sample(len(table), replace=True, weights=weights, random_state=config.seed)
    plain = [*_ENERGIES, *(FEATURES[index] for index in _LENGTHS)]
    return check_leakage(drawn[[*plain, "label", "group"]], what="pairs of moments as they weigh in the fit")
