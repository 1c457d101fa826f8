"""A kind of model as somebody else would add it: one layer over coarse crops, trained, exported and registered here."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from detector.faces import CropSpec
from detector.models.build import architecture
from detector.registry import ModelCard
from detector.training.data.facebank import BANK_PX, FaceBank
from detector.training.engine.config import FitConfig, check_fields, config_sha256, read_yaml
from detector.training.engine.export import draft_card, origin, run_of, ship
from detector.training.engine.fit import fit
from detector.training.engine.module import BinaryModule, StepOutput
from detector.training.kinds import TrainingKind, register


@architecture("toy")
class ToyNet(nn.Module):
    """(B, 3, S, S) -> (B,) logits, from the mean colours of `side` x `side` cells."""

    def __init__(self, side: int) -> None:
        super().__init__()
        self.cells, self.read = nn.AdaptiveAvgPool2d(side), nn.Linear(3 * side * side, 1)

    def forward(self, crops: Tensor) -> Tensor:
        return self.read(self.cells(crops).flatten(1)).squeeze(1)


class ToyBatch(NamedTuple):
    images: Tensor
    labels: Tensor


class ToyModule(BinaryModule):
    def step(self, batch: ToyBatch) -> StepOutput:
        logit = self.network(batch.images)
        return StepOutput(self.label_loss(logit, batch.labels), logit, batch.labels, "toy")


@dataclass(frozen=True)
class ToyConfig:
    model_id: str
    title: str
    fit: FitConfig
    side: int = 8
    limits: tuple[str, ...] = ()
    licence: str = ""

    @property
    def architecture(self) -> dict[str, Any]:
        return {"kind": "toy", "side": self.side}


class ToyKind(TrainingKind):
    name = "toy"

    def load_config(self, path: Path) -> ToyConfig:
        return check_fields(ToyConfig, read_yaml(path), path.name)

    def train(self, config_path: Path, data_root: Path, run_dir: Path, device: str) -> None:
        config, bank = self.load_config(config_path), FaceBank.open(data_root / "bank")
        images = torch.from_numpy(bank.images.copy()).permute(0, 3, 1, 2).float() / 255
        batch = ToyBatch(images, torch.tensor([float(label == "fake") for label in bank.table["label"]]))
        facts = {"kind": self.name, "model_id": config.model_id, "config_sha256": config_sha256(config)}
        module = ToyModule(ToyNet(config.side), config.fit)
        fit(module, [batch], [batch], config.fit, run_dir, device=device, facts=facts)

    def export(self, config_path: Path, data_root: Path, run_dir: Path, out: Path, history: str) -> ModelCard:
        config = self.load_config(config_path)
        run = run_of(config.model_id, config_sha256(config), run_dir, history)
        card = draft_card(config, self.name, CropSpec(BANK_PX, 0.0), {**origin(run, history), "steps": run.steps})
        return ship(card, run.weights, out)


register(ToyKind())
