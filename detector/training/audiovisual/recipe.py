"""The audio-visual recipe: talking clips -> k-fold measurement on unseen people -> the model that ships.

So few people speak in openly usable clips that one split would measure luck. Each fold's model is measured on people it
never saw; the shipped model is trained on all folds for as many epochs as those took, and the folds' figures are its
measurement.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated, Any, cast

import numpy as np
import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional as F

from detector.errors import SettingsError
from detector.models.audiovisual import AudioVisualNet, Mouth, Voice
from detector.models.av_exchange import MEL_PER_FRAME
from detector.models.outputs import AudioVisualOutput
from detector.synthesis.audio import SMALLEST_SHIFT_S
from detector.training.audiovisual.samples import AvBatch, AvBatches, Prepared, describe_sound, prepare
from detector.training.audiovisual.start import fit_components, fit_reader
from detector.training.data.leakage import check_leakage
from detector.training.data.speech_bank import TalkingClip, build_speech_bank
from detector.training.engine.config import USUAL_FIT, FitConfig, Weight, check_fields, config_sha256, read_yaml
from detector.training.engine.fit import fit
from detector.training.engine.module import BinaryModule, StepOutput
from detector.training.engine.progress import tracked

RATE_HZ = 25.0
# Beyond the reach of the lags every shift looks alike; up to this one they are drawn in training.
LARGEST_TRAINED_SHIFT_S = 0.8


@dataclass(frozen=True, slots=True)
class AudioVisualConfig:
    """`architecture` as in the card; `window_s` of each training sample; `lag_weight`, `fill_weight` of the losses
    beside the label's; `folds` for the measurement."""

    model_id: str
    title: str
    architecture: dict[str, Any]
    fit: FitConfig = USUAL_FIT
    window_s: Annotated[float, Field(ge=0.8, le=10)] = 2.0
    steps_per_epoch: Annotated[int, Field(ge=1, le=10**5)] = 40
    folds: Annotated[int, Field(ge=2, le=20)] = 4
    lag_weight: Weight = 1.0
    fill_weight: Weight = 0.2
    limits: tuple[str, ...] = ()
    licence: str = ""


def load_audiovisual_config(path: Path) -> AudioVisualConfig:
    """Read and check the YAML. Raises SettingsError listing every problem at once."""
    return check_fields(AudioVisualConfig, read_yaml(path), path.name)


def train_audiovisual(config_path: Path, data_root: Path, run_dir: Path, device: str) -> None:
    """Cut the talking clips, measure by folds, train the model that ships; resumes what `run_dir` holds."""
    config = load_audiovisual_config(config_path)
    clips = [clip for clip in build_speech_bank(data_root, run_dir / "bank") if clip.label == "real"]
    kept = [clip for clip in clips if clip.split != "test"]
    if len({clip.group for clip in kept}) < 2 * config.folds:
        raise SettingsError(f"{config.folds} folds need at least {2 * config.folds} people who speak.")
    margin = margin_frames(config)
    prepared = [prepare(clip, margin, seed) for seed, clip in enumerate(tracked(kept, "re-voicing talking clips"))]
    best_epochs = []
    for fold, groups in enumerate(tracked(fold_groups(people_of(kept), config.folds), "fitting the folds")):
        apart = [item for item in prepared if item.clip.group in groups]
        rest = [item for item in prepared if item.clip.group not in groups]
        result = train_one(config, rest, apart, run_dir / f"fold{fold}", device, facts={"fold": sorted(groups)})
        best_epochs.append(result)
    epochs = max(1, round(float(np.median(best_epochs))) + 1)
    final = replace(config, fit=replace(config.fit, max_epochs=epochs, min_epochs=epochs))
    watched = [item for item in prepared if item.clip.split == "val"] or prepared
    # The run is named by the config it came from, not by the number of epochs that the folds asked for.
    facts = {
        "config_sha256": config_sha256(config),
        "best_epochs_of_folds": best_epochs,
        "note": "validation people are part of the training data here",
    }
    train_one(final, prepared, watched, run_dir, device, facts=facts)


def train_one(
    config: AudioVisualConfig,
    train: Sequence[Prepared],
    validation: Sequence[Prepared],
    run_dir: Path,
    device: str,
    *,
    facts: dict[str, Any],
) -> int:
    """One run; returns its best epoch (from 0)."""
    torch.manual_seed(config.fit.seed)
    network = AudioVisualNet(**_options(config))
    fit_components(network, train)
    fit_reader(network, train)
    module = AudioVisualModule(network, config)
    window = round(config.window_s * RATE_HZ)
    size = config.fit.batch_size
    batches = AvBatches(
        train, window=window, batch_size=size, batches=config.steps_per_epoch, seed=config.fit.seed, augment=True
    )
    held = AvBatches(validation, window=window, batch_size=size, batches=2, seed=config.fit.seed, augment=False)
    facts = {
        "kind": "audiovisual",
        "model_id": config.model_id,
        "title": config.title,
        "config": json.loads(json.dumps(asdict(config))),
        "config_sha256": config_sha256(config),
        "people": {"train": len({i.clip.group for i in train}), "validation": len({i.clip.group for i in validation})},
        **facts,
    }
    leakage = check_leakage(describe_sound(batches), what="speech as it is fed to the network, own and re-voiced")
    return fit(module, batches, held, config.fit, run_dir, device=device, facts=facts, leakage=leakage).best_epoch


def people_of(clips: Sequence[TalkingClip]) -> list[tuple[str, str]]:
    """(source, group) of the people, each once, whatever the number of sources."""
    first = {clip.group: clip.source for clip in reversed(clips)}
    return sorted((source, group) for group, source in first.items())


def fold_groups(people: Sequence[tuple[str, str]], folds: int) -> list[set[str]]:
    """People dealt round by source, so that each fold holds some of every source."""
    parts: list[set[str]] = [set() for _ in range(folds)]
    for number, (_, group) in enumerate(people):
        parts[number % folds].add(group)
    return parts


def margin_frames(config: AudioVisualConfig) -> int:
    """Frames of sound beyond the window: the network's reach and the largest shift."""
    return int(_options(config).get("reach", 15)) + math.ceil(LARGEST_TRAINED_SHIFT_S * RATE_HZ)


def _options(config: AudioVisualConfig) -> dict[str, Any]:
    return {key: value for key, value in config.architecture.items() if key != "kind"}


class AudioVisualModule(BinaryModule):
    """Each mouth is looked at once and judged with its own sound, shifted, another's, and re-voiced."""

    def __init__(self, network: AudioVisualNet, config: AudioVisualConfig) -> None:
        super().__init__(network, config.fit)
        self._recipe = config

    @property
    def _net(self) -> AudioVisualNet:
        return cast(AudioVisualNet, self.network)

    def step(self, batch: AvBatch) -> StepOutput:
        """The loss and the logits of one batch."""
        net, count = self._net, batch.seen.shape[1]
        extra = (batch.heard.shape[1] - count) // 2 - net.reach
        generator = torch.Generator().manual_seed(int(batch.group.sum()) + count) if not self.training else None
        mouth = net.look(batch.mouth, batch.lips, batch.seen)
        voice = net.listen(batch.mel, batch.heard)
        first = self._shifts(len(batch.seen), generator)
        zero = torch.zeros_like(first)
        everyone = torch.arange(len(first))
        partner = everyone.roll(1 + int(torch.randint(3, (1,), generator=generator)))
        trials = (
            ("genuine", everyone, zero, first),
            ("shifted", everyone, first, zero),
            ("swapped", partner, zero, zero),
        )
        losses, logits = [], []
        names: list[str] = []
        for name, owner, shift, mask_shift in trials:
            output = net.judge(mouth, _moved(voice, owner, shift, mask_shift, extra, count + 2 * net.reach))
            # A pair of one person is no swap: their words may not be told apart.
            valid = (
                batch.group != batch.group[owner]
                if name == "swapped"
                else torch.ones_like(batch.group, dtype=torch.bool)
            )
            losses.append(self._recipe.lag_weight * self._lag_loss(output, shift, name, valid))
            logits.append(output.logit[valid])
            names += [name] * int(valid.sum())
        near = slice(extra, extra + count + 2 * net.reach)
        heard = batch.voiced_heard[:, near]
        mel = batch.voiced_mel[:, MEL_PER_FRAME * near.start : MEL_PER_FRAME * near.stop]
        logits.append(net.judge(mouth, net.listen(mel, heard)).logit)
        names += ["re-voiced"] * len(first)
        logit = torch.cat(logits)
        label = torch.tensor([float(name != "genuine") for name in names], device=logit.device)
        # Half of the weight to genuine sound, as in a balanced set.
        halves = [self.label_loss(logit[label == value], label[label == value]) for value in (0, 1)]
        total = torch.stack(halves).mean() + torch.stack(losses).mean()
        total = total + self._recipe.fill_weight * self._fill_loss(mouth, voice, batch, extra + net.reach, generator)
        return StepOutput(total, logit, label, names)

    def _shifts(self, count: int, generator: torch.Generator | None) -> Tensor:
        """Whole frames, 3 to 20, either way, even in the logarithm."""
        low, high = math.log(SMALLEST_SHIFT_S * RATE_HZ), math.log(LARGEST_TRAINED_SHIFT_S * RATE_HZ)
        size = torch.exp(low + (high - low) * torch.rand(count, generator=generator)).round().long()
        sign = torch.randint(2, (count,), generator=generator) * 2 - 1
        return size * sign

    def _lag_loss(self, output: AudioVisualOutput, shift: Tensor, name: str, valid: Tensor) -> Tensor:
        """Cross-entropy over the lags and "nowhere" of the first window (multi-way matching)."""
        net = self._net
        assert output.lag_logits is not None
        logits = torch.cat([output.lag_logits[:, 0], net.nowhere.expand(len(shift), 1)], 1)
        target = torch.zeros_like(logits)
        for offset, share in ((0, 0.6), (-1, 0.2), (1, 0.2)):
            place = net.reach - shift.to(logits.device) + offset
            inside = (place >= 0) & (place <= 2 * net.reach) & (name != "swapped")
            target.scatter_add_(
                1, torch.where(inside, place, logits.shape[1] - 1)[:, None], torch.full_like(target[:, :1], share)
            )
        target = target * torch.isfinite(logits)
        usable = valid.to(logits.device) & (target.sum(1) > 0.5)
        if not usable.any():
            return logits.new_zeros(())
        log_share = F.log_softmax(logits[usable].clamp_min(-1e4), 1)
        return -(target[usable] / target[usable].sum(1, keepdim=True) * log_share).sum(1).mean()

    def _fill_loss(
        self, mouth: Mouth, voice: Voice, batch: AvBatch, margin: int, generator: torch.Generator | None
    ) -> Tensor:
        """The mouth's motion must be readable from the sound; and with an exchange, lips and mel from features half of
        which, in slots of five frames, come from the other modality (AVFF's complementary masks)."""
        count = batch.seen.shape[1]
        here = slice(margin, margin + count)
        both = batch.seen & batch.heard[:, here]
        pairs = [(voice.motion[:, here], mouth.motion)]
        exchange = self._net.exchange
        if exchange is not None and mouth.features is not None and voice.features is not None:
            slots = torch.rand(len(batch.seen), -(-count // 5), generator=generator) < 0.5
            own = slots.repeat_interleave(5, 1)[:, :count, None].to(batch.seen.device)
            video, audio = (part[:, here] for part in (voice.features.video_from_audio, voice.features.audio))
            heard_mel = batch.mel[:, MEL_PER_FRAME * margin : MEL_PER_FRAME * (margin + count)]
            heard_mel = heard_mel.reshape(len(both), count, MEL_PER_FRAME, -1).mean(2)
            lips = exchange.lip_decoder(torch.where(own, mouth.features.video, video))
            mel = exchange.mel_decoder(torch.where(own, mouth.features.audio_from_video, audio))
            pairs += [(lips, batch.lips), (mel, heard_mel)]
        return torch.stack([_explained(guess, truth, both) for guess, truth in pairs]).sum()


def _explained(guess: Tensor, truth: Tensor, known: Tensor) -> Tensor:
    """Mean squared error against each clip's own mean, as a share of its variance."""
    weight = known.to(truth.dtype)[:, :, None]
    total = weight.sum(1, keepdim=True).clamp_min(1)
    moved = (truth - (truth * weight).sum(1, keepdim=True) / total) * weight
    spread = (moved.square().sum((1, 2), keepdim=True) / total / truth.shape[2]).sqrt() + 1e-3
    return ((guess - moved / spread).square() * weight).sum() / (weight.sum() * truth.shape[2]).clamp_min(1)


def _moved(voice: Voice, owner: Tensor, shift: Tensor, mask_shift: Tensor, extra: int, frames: int) -> Voice:
    """The sound `shift` frames later on, of clip `owner`: `frames` of it behind `extra`.

    Heard is what is so with both `shift` and `mask_shift`: a genuine and a shifted sample miss the same stretches.
    """
    device = voice.heard.device
    places = torch.arange(frames, device=device)[None] + extra
    moved, rows = places + shift.to(device)[:, None], owner.to(device)[:, None]
    heard = voice.heard[rows, moved] & voice.heard[rows, places + mask_shift.to(device)[:, None]]
    features = None if voice.features is None else voice.features.around(rows, moved)
    return Voice(voice.motion[rows, moved], features, heard)
