"""A kind of model that is in no shipped package: how bright a face is. Importing it registers everything it needs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, cast

import cv2
import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor, nn

from detector.analysis.aggregate import track_score
from detector.analysis.kinds import Kind, TrackContext, register
from detector.analysis.results import NO_FACE, tracks_result
from detector.analysis.types import ModelResult
from detector.faces import CropSpec
from detector.models import architecture, build_network
from detector.registry import LoadedModel, ModelCard, loaded_as
from detector.training import kinds as training
from detector.training.engine.config import FitConfig, check_fields, config_sha256, read_yaml
from detector.training.engine.export import draft_card, origin, run_of, ship
from detector.training.engine.fit import fit
from detector.training.engine.module import BinaryModule, StepOutput

NAME, SIDE_PX = "brightness", 16


@architecture(NAME)
class BrightnessNet(nn.Module):
    """(B, 3, S, S) -> (B,) logits, linear in the mean of each colour."""

    def __init__(self) -> None:
        super().__init__()
        self.weigh = nn.Linear(3, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.weigh(x.mean((2, 3))).squeeze(1)  # type: ignore[no-any-return]


@loaded_as(NAME)
class BrightnessModel(LoadedModel):
    reads_crops = True

    @torch.inference_mode()
    def score(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        return np.asarray(self.network(self.prepare(crops)).cpu().numpy())


class BrightnessKind(Kind):
    name, title = NAME, "How bright a face is"

    def crop_reader(self, model: LoadedModel) -> LoadedModel:
        return model

    def read_crops(
        self, model: LoadedModel, crops: NDArray[np.uint8], *, keep_features: bool
    ) -> dict[str, NDArray[Any]]:
        return {"logits": cast("BrightnessModel", model).score(crops)}

    def run(self, model: LoadedModel, context: TrackContext) -> ModelResult:
        assert context.worker is not None
        logits = context.worker.logits("logits")
        scores = [score for track in context.tracks if (score := track_score(track, logits)) is not None]
        return tracks_result(model, scores, context.deciding, NO_FACE)


register(BrightnessKind())


@dataclass(frozen=True)
class BrightnessConfig:
    model_id: str
    title: str
    share: Annotated[float, Field(ge=0.1, le=0.9)] = 0.75
    fit: FitConfig = field(default_factory=lambda: FitConfig(max_epochs=20, learning_rate=0.1, warmup_steps=1))
    architecture: dict[str, Any] = field(default_factory=lambda: {"kind": NAME})
    limits: tuple[str, ...] = ("It knows nothing but how bright a face is.",)
    licence: str = "made by a test"


class BrightnessModule(BinaryModule):
    def step(self, batch: tuple[Tensor, Tensor]) -> StepOutput:
        images, labels = batch
        logits = self.network(images)
        return StepOutput(self.label_loss(logits, labels), logits, labels)


class BrightnessTraining(training.TrainingKind):
    name = NAME

    def load_config(self, path: Path) -> BrightnessConfig:
        return check_fields(BrightnessConfig, read_yaml(path), path.name)

    def train(self, config_path: Path, data_root: Path, run_dir: Path, device: str) -> None:
        config = self.load_config(config_path)
        network = build_network(config.architecture)
        rows = list(_batches(data_root))
        cut = int(len(rows) * config.share)
        facts = {"kind": NAME, "model_id": config.model_id, "title": config.title}
        facts["config_sha256"] = config_sha256(config)
        module = BrightnessModule(network, config.fit)
        fit(module, rows[:cut], rows[cut:], config.fit, run_dir, device=device, facts=facts)

    def export(self, config_path: Path, data_root: Path, run_dir: Path, out: Path, history: str) -> ModelCard:
        config = self.load_config(config_path)
        run = run_of(config.model_id, config_sha256(config), run_dir, history)
        spec = CropSpec(SIDE_PX, 0.0, mean=(0.5, 0.5, 0.5), std=(0.25, 0.25, 0.25))
        return ship(draft_card(config, NAME, spec, origin(run, history)), run.weights, out)


def _batches(data_root: Path) -> Iterator[tuple[Tensor, Tensor]]:
    """Batches of four pictures of a manifest, normalised as the card says."""
    table = pd.read_csv(data_root / "manifest.csv")
    for start in range(0, len(table) - 3, 4):
        rows = table.iloc[start : start + 4]
        pictures = np.stack([cv2.imread(str(data_root / file)) for file in rows["file"]])
        images = (torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 255 - 0.5) / 0.25
        yield images, torch.tensor((rows["label"] == "fake").to_numpy(), dtype=torch.float32)


training.register(BrightnessTraining())
