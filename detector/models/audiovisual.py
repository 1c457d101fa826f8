"""Agreement of lips and voice at every lag: the lips as the sound predicts them, beside the lips seen.

Sound foretells how the mouth moves (the cross-modal prediction of AVFF, Oorloff et al., CVPR 2024, kept linear so that
a minute of speech is enough), and where wanted, learned features of both foretell each other (`av_exchange`). It is
agreement over lags that decides (SyncNet, Chung & Zisserman 2016; as multi-way matching, Chung et al. 2019):
genuine sound agrees best at a lag near zero, shifted or foreign sound elsewhere or nowhere.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from detector.models.av_exchange import (
    MEL_PER_FRAME,
    AudioFeatures,
    FeatureExchange,
    VisualFeatures,
    picture_change,
    standardised,
)
from detector.models.build import architecture
from detector.models.outputs import AudioVisualOutput

_DRIFT_FRAMES = 50


class Mouth(NamedTuple):
    """`motion` (B, T, K) how the mouth moves; `features` where there is an exchange; `seen` (B, T) bool."""

    motion: Tensor
    features: VisualFeatures | None
    seen: Tensor


class Voice(NamedTuple):
    """`motion` (B, S, K) how the sound says the mouth moves; `features` where there is an exchange; `heard` (B, S)."""

    motion: Tensor
    features: AudioFeatures | None
    heard: Tensor


class LipReader(nn.Module):
    """The movement of the lips from the sound around it, linear, so that a minute of speech is enough to fit it.

    (B, 4 S, M) log-mel -> (B, S, K): 16 broad bands at 25 Hz, each against its own mean, 13 frames of context.
    """

    def __init__(self, lips: int, broad_bands: int = 16, context: int = 13) -> None:
        super().__init__()
        self.broad_bands, self.context = broad_bands, context
        self.weights = nn.Conv1d(broad_bands, lips, context, padding=context // 2, bias=False)

    def bands(self, mel: Tensor, heard: Tensor) -> Tensor:
        """(B, 16, S), 0 where not heard."""
        batch, rows, bands = mel.shape
        weight = heard.to(mel.dtype)[:, :, None]
        coarse = mel.view(batch, rows // MEL_PER_FRAME, MEL_PER_FRAME, self.broad_bands, bands // self.broad_bands)
        coarse = coarse.mean((2, 4))  # (B, S, 16)
        total = weight.sum(1, keepdim=True).clamp_min(1)
        moved = (coarse - (coarse * weight).sum(1, keepdim=True) / total) * weight
        spread = (moved.square().mean(2, keepdim=True).sum(1, keepdim=True) / total).sqrt()
        return (moved / (spread + 1e-2)).transpose(1, 2)

    def forward(self, mel: Tensor, heard: Tensor) -> Tensor:
        """(B, S, K) of a log-mel spectrogram (B, 4 S, M) and `heard` (B, S) bool."""
        return self.weights(self.bands(mel, heard)).transpose(1, 2)


@architecture("audiovisual")
class AudioVisualNet(nn.Module):
    """See the module. `reach` lags either way, in frames of 25 Hz; lags within `natural` count as in sync; windows of
    `window` frames every `hop`; `lips` measurements, `components` of the picture, `bands` mel bands; `exchange` adds
    the learned features, `width` channels wide."""

    def __init__(
        self,
        reach: int = 15,
        natural: int = 2,
        window: int = 50,
        hop: int = 25,
        lips: int = 5,
        components: int = 12,
        bands: int = 64,
        exchange: bool = True,
        width: int = 64,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        self.reach, self.natural, self.window, self.hop = reach, natural, window, hop
        self.components = nn.Linear(24 * 24, components, bias=False)
        self.reader = LipReader(lips + components)
        # What a correlation of each measure counts as evidence of a lag.
        self.motion_scale = nn.Parameter(torch.full((lips + components,), 0.2))
        self.exchange = FeatureExchange(width, lips, bands, reach, dropout) if exchange else None
        # Foreign sound agrees at no lag: that outcome competes with the lags.
        self.nowhere = nn.Parameter(torch.tensor(0.0))
        self.slope, self.offset = nn.Parameter(torch.tensor(1.0)), nn.Parameter(torch.tensor(0.0))

    def look(self, mouth: Tensor, lips: Tensor, seen: Tensor) -> Mouth:
        """Arguments as in `forward_all`."""
        features = None if self.exchange is None else self.exchange.encode_video(mouth, lips, seen)
        return Mouth(self.motion(mouth, lips, seen), features, seen)

    def listen(self, mel: Tensor, heard: Tensor) -> Voice:
        """Arguments as in `forward_all`, of any length."""
        features = None if self.exchange is None else self.exchange.encode_audio(mel, heard)
        return Voice(self.reader(mel, heard), features, heard)

    def motion(self, mouth: Tensor, lips: Tensor, seen: Tensor) -> Tensor:
        """(B, T, K) how the mouth moves: lip measures, then components of the picture (eigen-lips, where so fitted)."""
        look = self.components(picture_change(mouth, seen).flatten(2))
        return without_drift(torch.cat([lips, look], 2), seen)

    def lag_logits(self, mouth: Mouth, voice: Voice, start: int, stop: int) -> Tensor:
        """(B, L) how well each lag explains frames `start` to `stop`; lag j means sound `j - reach` frames later.

        The correlation of how the mouth moves with how the sound says it does, and the features' agreement, times the
        root of the number of frames: evidence adds up with them, slower than if they were independent. -inf where fewer
        than half of the frames that some lag has are known.
        """
        lags = 2 * self.reach + 1
        around = slice(start, stop + 2 * self.reach)
        known = voice.heard[:, around].unfold(1, lags, 1) & mouth.seen[:, start:stop, None]
        weight = known.to(mouth.motion.dtype)  # (B, T', L)
        frames = weight.sum(1)  # (B, L)
        correlation = _correlation(
            mouth.motion[:, start:stop, :, None], voice.motion[:, around].unfold(1, lags, 1), weight
        )
        evidence = torch.einsum("blk,k->bl", correlation, self.motion_scale)
        if self.exchange is not None and mouth.features is not None and voice.features is not None:
            seen = VisualFeatures(*(part[:, start:stop] for part in mouth.features))
            heard = AudioFeatures(*(part[:, around] for part in voice.features))
            evidence = evidence + self.exchange.scale * self.exchange.agreement(seen, heard, weight)
        too_few = frames < frames.amax(1, keepdim=True).clamp_min(2) / 2
        return (evidence * frames.sqrt()).masked_fill(too_few, -torch.inf)

    def out_of_sync(self, lag_logits: Tensor) -> Tensor:
        """(B, L) -> (B,) logit of P(the true lag is not a natural one)."""
        middle = slice(self.reach - self.natural, self.reach + self.natural + 1)
        inside = torch.logsumexp(lag_logits[:, middle], 1)
        beyond = lag_logits.clone()
        beyond[:, middle] = -torch.inf
        nowhere = self.nowhere.expand(len(lag_logits), 1)
        outside = torch.logsumexp(torch.cat([beyond, nowhere], 1), 1)
        # Without one known lag near zero nothing can be said.
        unknown = torch.isinf(inside)
        return torch.where(unknown, 0.0, self.slope * (outside - torch.where(unknown, 0.0, inside)) + self.offset)

    def forward_all(self, mouth: Tensor, lips: Tensor, seen: Tensor, mel: Tensor, heard: Tensor) -> AudioVisualOutput:
        """`mouth` (B, T, 48, 48) grey in [0, 1]; `lips` (B, T, 5); `seen` (B, T) bool; `mel` (B, 4 (T + 2 reach), 64)
        natural-log mel power whose first 4 reach rows lie before the first frame; `heard` (B, T + 2 reach) bool.

        What is not seen or heard never changes an output. Raises ValueError where the lengths do not belong together.
        """
        count = seen.shape[1]
        if mel.shape[1] != MEL_PER_FRAME * (count + 2 * self.reach) or heard.shape[1] != count + 2 * self.reach:
            raise ValueError(
                f"expected {count + 2 * self.reach} frames of sound beside {count} of mouth, found mel "
                f"{tuple(mel.shape)} and heard {tuple(heard.shape)}"
            )
        return self.judge(self.look(mouth, lips, seen), self.listen(mel, heard))

    def judge(self, mouth: Mouth, voice: Voice) -> AudioVisualOutput:
        """From what is seen and heard to the clip's logit and the windows'; training judges one look at many sounds."""
        count = mouth.seen.shape[1]
        windows = [
            self.lag_logits(mouth, voice, at, min(count, at + self.window))
            for at in window_starts(count, self.window, self.hop)
        ]
        sync = torch.stack([self.out_of_sync(logits) for logits in windows], 1)  # (B, W)
        logit = self.out_of_sync(self.lag_logits(mouth, voice, 0, count))
        if self.exchange is not None and mouth.features is not None and voice.features is not None:
            logit = logit + self.exchange.logit(mouth.features, voice.features, mouth.seen, voice.heard)
        return AudioVisualOutput(logit, sync, torch.stack(windows, 1))

    def forward(self, mouth: Tensor, lips: Tensor, seen: Tensor, mel: Tensor, heard: Tensor) -> Tensor:
        """(B,) logits of P(sound and mouth do not belong together)."""
        return self.forward_all(mouth, lips, seen, mel, heard).logit


def window_starts(count: int, window: int, hop: int) -> range:
    """First frames of the windows in `count` frames: every `hop`, the last one whole; one window where it is short."""
    return range(0, max(1, count - window + 1), hop)


def without_drift(lips: Tensor, seen: Tensor) -> Tensor:
    """(B, T, K) measures -> the same in units of their own spread, without drift slower than about a second."""
    weight = seen.to(lips.dtype)
    values = standardised(lips, weight)
    offsets = torch.arange(-_DRIFT_FRAMES, _DRIFT_FRAMES + 1, device=lips.device, dtype=lips.dtype)
    kernel = torch.exp(-0.5 * (offsets / (_DRIFT_FRAMES / 2)) ** 2)[None, None]
    batch, count, measures = lips.shape
    flat = values.transpose(1, 2).reshape(batch * measures, 1, count)
    drift = F.conv1d(flat, kernel, padding=_DRIFT_FRAMES).view(batch, measures, count).transpose(1, 2)
    total = F.conv1d(weight[:, None], kernel, padding=_DRIFT_FRAMES).transpose(1, 2)
    return (values - drift / total.clamp_min(1e-3)) * weight[:, :, None]


def _correlation(mouth: Tensor, sound: Tensor, known: Tensor) -> Tensor:
    """(B, T, K, 1), (B, T, K, L), weights (B, T, L) -> (B, L, K) correlation over time of what is known."""
    weight = known[:, :, None]
    total = weight.sum(1, keepdim=True).clamp_min(1)
    mouth = (mouth - (mouth * weight).sum(1, keepdim=True) / total) * weight
    sound = (sound - (sound * weight).sum(1, keepdim=True) / total) * weight
    scale = (mouth.square().sum(1) * sound.square().sum(1)).clamp_min(1e-8).sqrt()
    return ((mouth * sound).sum(1) / scale).transpose(1, 2)
