"""Train the specialists: one network, four cues, each on pseudo-fakes of its own."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import cv2
import torch
from pydantic import Field
from torch import Tensor

from detector.errors import SettingsError
from detector.models import build_network
from detector.models.outputs import SpecialistOutput
from detector.models.specialists import SpecialistsNet, evidence_channels
from detector.synthesis.cue_edits import SynthesisCue
from detector.training.data.facebank import FaceBank, build_bank
from detector.training.engine.config import (
    Count,
    FitConfig,
    Share,
    Weight,
    check_fields,
    config_sha256,
    read_yaml,
)
from detector.training.engine.fit import fit
from detector.training.engine.module import BinaryModule, StepOutput
from detector.training.engine.pretrained import start_from, start_problem
from detector.training.specialists.samples import (
    CUES,
    MODULES,
    CueBatch,
    CueBatches,
    CueSource,
    map_cross_entropy,
    wide_rows,
)


@dataclass(frozen=True, slots=True)
class SpecialistsConfig:
    """The network, its samples and its fit.

    `init` names openly licensed weights the trunk starts from, or "model:" and the id of specialists to go on from.
    `batches_an_epoch` batches of `fit.batch_size` pictures, a multiple of 16: four cues in fours, or as many fours of
    each cue as `quads` says. `map_weight` weighs
    the map loss beside the label loss, `evidence_weight` that of the modules' evidence channels;
    `other_genuine_weight` what the genuine pictures of the other cues count in a cue's loss.
    """

    model_id: str
    title: str
    architecture: dict[str, Any]
    fit: FitConfig
    init: str = ""
    input_px: Annotated[int, Field(ge=64, le=1024)] = 192
    margin: Share = 0.45
    mean: tuple[float, float, float] = (0.5, 0.5, 0.5)
    std: tuple[float, float, float] = (0.5, 0.5, 0.5)
    batches_an_epoch: Count = 40
    validation_batches: Annotated[int, Field(ge=1, le=10**5)] = 6
    quads: dict[str, int] | None = None
    map_weight: Weight = 2.0
    evidence_weight: Weight = 0.5
    other_genuine_weight: Share = 0.35
    limits: tuple[str, ...] = field(default_factory=tuple)
    licence: str = ""


def load_specialists_config(path: Path) -> SpecialistsConfig:
    """Read and check a YAML file. Raises SettingsError listing every problem at once."""
    values = read_yaml(path)
    problems: list[str | None] = []
    if isinstance(size := values.get("input_px", 192), int) and size % 16:
        problems.append(f"input_px: expected a multiple of 16, found {size}")
    table = values.get("fit")
    batch = table.get("batch_size", FitConfig.batch_size) if isinstance(table, dict) else 16
    if isinstance(batch, int) and batch % (4 * len(CUES)):
        problems.append(f"fit.batch_size: expected a multiple of {4 * len(CUES)}, found {batch}")
    problems.append(start_problem(values.get("init", "")))
    quads = values.get("quads")
    if isinstance(quads, dict) and quads:
        wrong = set(quads) != set(CUES) or not all(isinstance(count, int) and count > 0 for count in quads.values())
        if wrong or 4 * sum(quads.values()) != batch:
            problems.append(f"quads: expected a count of each of {', '.join(CUES)}, in all {batch} / 4, found {quads}")
    return check_fields(SpecialistsConfig, values, path.name, problems=problems)


class SpecialistsModule(BinaryModule):
    """Each cue learns from its own quads and, as genuine, from the genuine pictures of the other cues. Fakes of other
    cues are left out of its loss: whether they show this cue too is not known."""

    def __init__(self, network: SpecialistsNet, config: SpecialistsConfig) -> None:
        super().__init__(network, config.fit)
        self._options = config
        self._evidence = {cue: evidence_channels(cue) for cue in CUES}

    def step(self, batch: CueBatch) -> StepOutput:
        """The loss of all cues and the logits of one batch."""
        outputs: dict[str, SpecialistOutput] = self.network.forward_all(batch.images)  # type: ignore[operator]
        real = batch.labels < 0.5
        total = batch.images.new_zeros(())
        logit = torch.zeros_like(batch.labels)
        for index, cue in enumerate(CUES):
            output = outputs[cue]
            own = batch.cues == index
            logit = torch.where(own, output.logit, logit)
            total = total + self._cue_loss(cue, output, batch, own)
            if (other := real & ~own).any() and self._options.other_genuine_weight:
                total = total + self._options.other_genuine_weight * self._cue_loss(cue, output, batch, other)
        return StepOutput(total / len(CUES), logit, batch.labels, [CUES[i] for i in batch.cues.tolist()])

    def _cue_loss(self, cue: SynthesisCue, output: SpecialistOutput, batch: CueBatch, rows: Tensor) -> Tensor:
        loss = self.label_loss(output.logit[rows], batch.labels[rows])
        loss = loss + self._options.map_weight * map_cross_entropy(output.map_logit[rows], batch.masks[rows]).mean()
        real = batch.labels < 0.5
        terms = []
        for module, place in self._evidence[cue].items():
            shown = rows & (real | (batch.kinds == MODULES.index(module)))  # kinds and modules go in pairs
            if shown.any():
                heat = torch.logit(output.channels[shown, place.channel].float(), eps=1e-4)
                terms.append(map_cross_entropy(heat, batch.masks[shown]).mean())
        return loss + self._options.evidence_weight * torch.stack(terms).mean() if terms else loss


def train_specialists(config_path: Path, data_root: Path, run_dir: Path, device: str) -> None:
    """The recipe: bank of faces (built where `run_dir/bank` has none), quads drawn while training, `fit`."""
    config = load_specialists_config(config_path)
    run_dir.mkdir(parents=True, exist_ok=True)
    folder = run_dir / "bank"
    bank = FaceBank.open(folder) if (folder / "table.parquet").is_file() else build_bank(data_root, folder)
    fit_specialists(config, bank, run_dir, device)


def fit_specialists(config: SpecialistsConfig, bank: FaceBank, run_dir: Path, device: str = "cpu") -> SpecialistsNet:
    """Train on the split `train`, choose on `val`; returns the network of the best epoch."""
    cv2.setNumThreads(1)
    network = build_network(config.architecture)
    if not isinstance(network, SpecialistsNet):
        raise SettingsError(f"{config.model_id}: expected an architecture of kind specialists.")
    if config.init:
        start_from(network, config.init)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    module = SpecialistsModule(network, config)
    alike: dict[str, int] = dict.fromkeys(CUES, config.fit.batch_size // (4 * len(CUES)))
    train = CueBatches(
        CueSource(bank, "train", config.input_px),
        batches=config.batches_an_epoch,
        quads=config.quads or alike,
        seed=config.fit.seed,
        mean=config.mean,
        std=config.std,
    )
    validation = list(
        CueBatches(
            CueSource(bank, "val", config.input_px),
            batches=config.validation_batches,
            quads=alike,
            seed=config.fit.seed + 1,
            mean=config.mean,
            std=config.std,
        )
    )
    facts = {
        "model_id": config.model_id,
        "kind": "specialists",
        "config_sha256": config_sha256(config),
        "genuine_faces": {split: len(wide_rows(bank, split)) for split in ("train", "val")},
    }
    fit(module, train, validation, config.fit, run_dir, device=device, facts=facts)
    trained = module.network
    assert isinstance(trained, SpecialistsNet)
    return trained
