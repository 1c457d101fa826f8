"""Train a sequence model on cached features: LSTM, hybrid or transformer, whatever the architecture's kind says."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import cv2
import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn

from detector.analysis.kinds.sequence.windows import LEAST_FRAMES
from detector.errors import SettingsError
from detector.faces.temporal import TEMPORAL_DIFFERENCES
from detector.models import FrameNet, build_network
from detector.models.appearance import APPEARANCE_FEATURES
from detector.models.hybrid import HybridNet
from detector.registry import FrameModel, expect, load_model
from detector.training.data.clip_crops import CropPlan, make_crops
from detector.training.data.readings import read_clips
from detector.training.data.reconstruction import load_all
from detector.training.engine.config import USUAL_FIT, FitConfig, Weight, check_fields, config_sha256, read_yaml
from detector.training.engine.fit import fit
from detector.training.engine.mixing import Mixup, TimeCutmix, draw_mixup, draw_time_cutmix
from detector.training.engine.module import BinaryModule, StepOutput
from detector.training.engine.run_log import Keep
from detector.training.sequence.features import ClipFeatures, extract_features, read_features
from detector.training.sequence.frame_pairs import extract_pairs, fit_frame_pairs, fit_pair_gain, with_pair_logits
from detector.training.sequence.samples import TwinWindows, WindowBatch, evaluation_batches

KINDS: Final = ("lstm", "hybrid", "transformer")
_MIXED_SHARE = 0.5
TRAINING_CROPS: Final = CropPlan()
VALIDATION_CROPS: Final = CropPlan(draws=3, fakes=4, seed=8)
_PLAIN: Final = APPEARANCE_FEATURES + 2 * len(TEMPORAL_DIFFERENCES)  # features that are not the trunk's


@dataclass(frozen=True, slots=True)
class SequenceConfig:
    """The network, the trunk whose features it reads, its clips and its fit.

    `trunk` is the model id of a frame model beside the shipped ones; `frames` the window; `architecture` leaves out the
    number of features, which the trunk gives. `witness` carries the trunk's label head along. `frame_weight` weighs the
    loss of single frames beside that of the clip; half the batches are spliced along time (`fit.cutmix_alpha`) or mixed
    (`fit.mixup_alpha`) with their twins; `fit.consistency_weight` asks neighbouring frames of one label to agree.
    `keep` says which epoch's weights are kept: of lowest validation "loss", or of highest validation "auc".
    `crops` says how much is drawn for training, `validation_crops` for choosing. Where `architecture` has a `change`
    network, `change_fit` says how that is fitted.
    """

    model_id: str
    title: str
    architecture: dict[str, Any]
    trunk: str
    fit: FitConfig
    frames: Annotated[int, Field(ge=4, le=512)] = 32
    rounds: Annotated[int, Field(ge=1, le=1000)] = 2
    witness: bool = True
    frame_weight: Weight = 1.0
    crops: CropPlan = TRAINING_CROPS
    validation_crops: CropPlan = VALIDATION_CROPS
    change_fit: FitConfig = USUAL_FIT
    cue: Literal["", "TM"] = ""
    keep: Keep = "loss"
    limits: tuple[str, ...] = field(default_factory=tuple)
    licence: str = ""


def load_sequence_config(path: Path) -> SequenceConfig:
    """Read and check a YAML file. Raises SettingsError listing every problem at once."""
    values = read_yaml(path)
    problems = []
    table = values.get("architecture")
    kind = table.get("kind") if isinstance(table, dict) else None
    if kind not in KINDS:
        problems.append(f"architecture.kind: expected one of {', '.join(KINDS)}, found {kind!r}")
    return check_fields(SequenceConfig, values, path.name, problems=problems)


class SequenceModule(BinaryModule):
    """Loss of the clip, of its frames, and of frames that disagree with neighbours of the same label."""

    def __init__(self, network: nn.Module, config: SequenceConfig) -> None:
        super().__init__(network, config.fit)
        self._frame_weight = config.frame_weight

    def step(self, batch: WindowBatch) -> StepOutput:
        """The loss and the logits of one batch."""
        mixed = self._mixed(batch) if self.training else batch
        output = self.network.forward_all(mixed.features, mixed.times_s, mixed.present)  # type: ignore[operator]
        present = mixed.present
        loss = self.label_loss(output.logit, mixed.labels)
        loss = loss + self._frame_weight * self.label_loss(output.frame_logit[present], mixed.frame_labels[present])
        if self.config.consistency_weight and self.training:
            loss = loss + self.config.consistency_weight * disagreement(output.frame_logit, mixed)
        return StepOutput(loss, output.logit, mixed.labels, mixed.names)

    def _mixed(self, batch: WindowBatch) -> WindowBatch:
        """Half the batches spliced or mixed with their twins: person, place and compression stay what they are."""
        size, frames = batch.present.shape
        twin = torch.arange(size, device=batch.present.device) ^ 1
        draw = torch.rand(()).item()
        if self.config.cutmix_alpha and draw < _MIXED_SHARE:
            drawn = draw_time_cutmix(size, frames, self.config.cutmix_alpha)
            splice = TimeCutmix(twin, drawn.start, drawn.stop)
            labels = splice.blend(batch.frame_labels)
            features = splice.blend(batch.features)
            return batch._replace(features=features, frame_labels=labels, labels=labels.amax(1))
        if self.config.mixup_alpha and draw > 1 - _MIXED_SHARE / 2:
            mix = Mixup(twin, draw_mixup(size, self.config.mixup_alpha).own_share)
            return batch._replace(
                features=mix.blend(batch.features),
                frame_labels=mix.blend(batch.frame_labels),
                labels=mix.blend(batch.labels),
            )
        return batch


def disagreement(frame_logit: Tensor, batch: WindowBatch) -> Tensor:
    """Mean squared difference of the scores of neighbouring present frames that have the same label."""
    alike = batch.present[:, 1:] & batch.present[:, :-1]
    alike = alike & (batch.frame_labels[:, 1:] == batch.frame_labels[:, :-1])
    change = torch.sigmoid(frame_logit).diff(dim=1).square()
    return (change * alike).sum() / alike.sum().clamp(min=1)


def train_sequence(config_path: Path, data_root: Path, run_dir: Path, device: str) -> None:
    """The recipe: clips read, manipulated and passed through the trunk once (kept in `clips` beside `run_dir`, so that
    several models share them), then `fit`. Networks that redraw faces are taken from `clips/networks`, where a frame
    model's run leaves some; without them no face is redrawn."""
    config = load_sequence_config(config_path)
    cv2.setNumThreads(1)
    trunk = expect(load_model(config.trunk, device), FrameModel)
    clips = run_dir.parent / "clips"
    pairs = "change" in config.architecture
    train = clip_features(config.crops, data_root, clips, trunk, "train", pairs=pairs)
    validation = clip_features(config.validation_crops, data_root, clips, trunk, "val", pairs=pairs)
    fit_sequence(config, trunk, train, validation, run_dir, device)


def clip_features(
    plan: CropPlan, data_root: Path, clips: Path, trunk: FrameModel, split: str, *, pairs: bool = False
) -> list[ClipFeatures]:
    """The genuine clips of `split` and their manipulated twins as the trunk sees them, with their pairs of frames where
    asked; what lies in `clips` of that is kept, whatever the plan. Raises SettingsError where the split holds no clip.
    """
    read_clips(data_root, clips / "readings", splits=(split,))
    spec = trunk.card.crop
    crops = clips / f"crops-{split}-{spec.size_px}px-margin-{spec.margin:g}"
    make_crops(clips / "readings", crops, split, plan, load_all(clips / "repainters"), spec)
    features = extract_features(crops, clips / f"features-{split}", trunk)
    stored = extract_pairs(crops, clips / f"pairs-{split}-{spec.size_px}px-margin-{spec.margin:g}") if pairs else None
    return list(read_features(features, stored))


def fit_sequence(
    config: SequenceConfig,
    trunk: FrameModel,
    train: list[ClipFeatures],
    validation: list[ClipFeatures],
    run_dir: Path,
    device: str = "cpu",
) -> nn.Module:
    """Train on features of one trunk; returns the network of the best epoch, centred and (hybrid) its temperature
    fitted on the validation windows. A `change` network is fitted beside it, in `run_dir / "change"`.

    Raises SettingsError where the features are not of this trunk's width.
    """
    network: Any = new_network(config, trunk, train)
    facts = {
        "model_id": config.model_id,
        "title": config.title,
        "kind": "sequence",
        "config_sha256": config_sha256(config),
        "trunk_weights_sha256": trunk.card.weights_sha256,
        "clips": {"train": len(train), "validation": len(validation)},
    }
    reads_pairs = "change" in config.architecture
    # What it says of clips that it was fitted to is better than what it will say of others: it is told of none here.
    fitted, chosen_on = ([_untold(clip) for clip in part] if reads_pairs else part for part in (train, validation))
    batches = TwinWindows(
        fitted,
        frames=config.frames,
        batch_size=config.fit.batch_size,
        rounds=config.rounds,
        seed=config.fit.seed,
    )
    held = evaluation_batches(chosen_on, frames=config.frames, batch_size=config.fit.batch_size)
    module = SequenceModule(network, config)
    fit(module, batches, held, config.fit, run_dir, device=device, facts=facts, keep=config.keep)
    trained: Any = module.network.eval()
    if reads_pairs:
        table, own = config.architecture["change"], {**facts, "title": f"{config.title}: pairs of frames"}
        change = fit_frame_pairs(table, config.change_fit, train, validation, run_dir / "change", device, own)
        trained.change.load_state_dict(change.state_dict())
        told = with_pair_logits(trained, [clip for clip in validation if len(clip.times_s) >= LEAST_FRAMES])
        fit_pair_gain(trained, told, config.frames)
        held = evaluation_batches(told, frames=config.frames, batch_size=config.fit.batch_size)
    recentre(trained, held)
    if isinstance(trained, HybridNet):
        fit_temperature(trained, held)
    return trained.eval()


def _untold(clip: ClipFeatures) -> ClipFeatures:
    return replace(clip, features=np.pad(clip.features, ((0, 0), (0, 1)), constant_values=np.nan))


def new_network(config: SequenceConfig, trunk: FrameModel, train: list[ClipFeatures]) -> nn.Module:
    """The network of a config, standardised by the genuine training frames, with the trunk's label head as witness."""
    features = np.concatenate([clip.features for clip in train if not clip.label])
    if not isinstance(trunk.network, FrameNet) or features.shape[1] != trunk.network.feature_dim + _PLAIN:
        raise SettingsError(f"{config.model_id}: the features are not those of {config.trunk}.")
    torch.manual_seed(config.fit.seed)
    network: Any = build_network(architecture_of(config, trunk.network))
    known = np.where(np.isnan(features).all(axis=0), 0.0, features)  # what no frame tells is read as nothing
    network.reader.fit(*(torch.from_numpy(of(known, axis=0)) for of in (np.nanmean, np.nanstd)))
    if config.witness:
        network.reader.take_witness(trunk.network.label_head)
    return network


def architecture_of(config: SequenceConfig, trunk: FrameNet) -> dict[str, Any]:
    """The card's table: the config's, with what the trunk decides."""
    linear = [layer for layer in trunk.label_head.modules() if isinstance(layer, nn.Linear)]
    witness = {"witness": linear[0].out_features} if config.witness else {}
    return {**config.architecture, "features": trunk.feature_dim + _PLAIN, "looks": _PLAIN, **witness}


@torch.no_grad()
def recentre(network: nn.Module, batches: list[WindowBatch]) -> float:
    """Move the clip's logit so that 0 calls as large a share of genuine as of manipulated windows rightly; returns the
    move. People whose video looks unlike the training clips' move all logits one way; ranks are not touched."""
    logit, label = _scores(network, batches)
    values = torch.sort(logit).values
    grid = (values[1:] + values[:-1]) / 2
    real = (logit[label == 0] < grid[:, None]).float().mean(1)
    fake = (logit[label == 1] >= grid[:, None]).float().mean(1)
    move = grid[int((real - fake).abs().argmin())]
    network.heads.clip[-1].bias -= move  # type: ignore[union-attr, index]
    return float(move)


def _scores(network: nn.Module, batches: list[WindowBatch]) -> tuple[Tensor, Tensor]:
    network.eval()
    logit = torch.cat([network(batch.features, batch.times_s, batch.present) for batch in batches])
    return logit, torch.cat([batch.labels for batch in batches])


@torch.no_grad()
def fit_temperature(network: HybridNet, batches: list[WindowBatch]) -> float:
    """Set the temperature to that, of 0.25 to 8, of least cross-entropy on `batches` (Guo et al., ICML 2017)."""
    network.temperature.fill_(1.0)
    logit, label = _scores(network, batches)
    grid = torch.exp(torch.linspace(-1.386, 2.079, 61))
    losses = [nn.functional.binary_cross_entropy_with_logits(logit / value, label) for value in grid]
    best = grid[int(torch.stack(losses).argmin())]
    network.temperature.copy_(best)
    return float(best)
