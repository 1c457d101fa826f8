"""The learned half of the audio-visual network: two encoders whose features foretell each other, after AVFF.

Oorloff et al., CVPR 2024, https://arxiv.org/abs/2406.02951: features of each modality are also predicted from the
other's, trained by masking complementary slots and filling them across; a classifier reads features and predictions.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

MEL_PER_FRAME = 4


class VisualFeatures(NamedTuple):
    """Unit features of T frames of the mouth: its own (B, T, D), and the sound's as the mouth foretells them."""

    video: Tensor
    audio_from_video: Tensor


class AudioFeatures(NamedTuple):
    """Unit features of S frames of the sound: its own (B, S, D), and the mouth's as the sound foretells them."""

    audio: Tensor
    video_from_audio: Tensor

    def around(self, rows: Tensor, places: Tensor) -> AudioFeatures:
        """Other clips' sound, or the same at other times: (B, 1) clips and (B, S') frames."""
        return AudioFeatures(self.audio[rows, places], self.video_from_audio[rows, places])


class TimeBlock(nn.Module):
    """(B, C, T) -> (B, C, T): residual convolution over time that sees `dilation` samples either way; 0 where not
    `valid` (B, 1, T), so that padding changes nothing beside it."""

    def __init__(self, channels: int, dilation: int, dropout: float) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(channels)
        self.convolution = nn.Conv1d(channels, channels, 3, padding=dilation, dilation=dilation)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, valid: Tensor) -> Tensor:
        """(B, C, T) of the same shape, 0 where `valid` (B, 1, T) is 0."""
        normed = self.norm(x.transpose(1, 2)).transpose(1, 2) * valid
        return (x + self.dropout(F.gelu(self.convolution(normed)))) * valid


class VideoEncoder(nn.Module):
    """Mouth crops and lip measurements -> (B, D, T).

    Every clip is compared with its own mean only (crops and measurements), so that whose mouth it is, and how it is
    lit, do not reach the features.
    """

    def __init__(self, width: int, lips: int, dropout: float) -> None:
        super().__init__()
        self.frame = nn.Sequential(
            nn.Conv2d(1, 8, 3, stride=2, padding=1), nn.BatchNorm2d(8), nn.ReLU(),
            nn.Conv2d(8, 24, 3, stride=2, padding=1), nn.BatchNorm2d(24), nn.ReLU(),
            nn.Conv2d(24, 32, 3, stride=2, padding=1), nn.BatchNorm2d(32), nn.ReLU(),
            nn.Flatten(), nn.Dropout(2 * dropout), nn.Linear(32 * 9, width // 2),
        )  # fmt: skip
        self.measures = nn.Linear(2 * lips, width // 2)
        self.time = nn.ModuleList(TimeBlock(width, dilation, dropout) for dilation in (1, 2, 1))

    def forward(self, mouth: Tensor, lips: Tensor, seen: Tensor) -> Tensor:
        """(B, D, T) of mouth crops, lip measurements (B, T, K) and `seen` (B, T) bool."""
        batch, count = seen.shape
        weight = seen.to(mouth.dtype)
        looks = self.frame(picture_change(mouth, seen).flatten(0, 1)[:, None]).view(batch, count, -1)
        measures = standardised(lips, weight)
        around = F.pad(measures, (0, 0, 1, 1)).unfold(1, 3, 1)  # (B, T, K, 3)
        both = F.pad(weight, (1, 1)).unfold(1, 3, 1)[:, :, None]
        change = (around[..., 2] - around[..., 0]) * both[..., 2] * both[..., 0]
        joined = torch.cat([looks, self.measures(torch.cat([measures, change], 2))], 2)
        x, valid = (joined * weight[:, :, None]).transpose(1, 2), weight[:, None]
        for block in self.time:
            x = block(x, valid)
        return x


class AudioEncoder(nn.Module):
    """(B, 4 S, M) log-mel at 100 Hz -> (B, D, S) at 25 Hz; each band against its own mean, all by one spread."""

    def __init__(self, width: int, bands: int, dropout: float) -> None:
        super().__init__()
        self.first = nn.Conv1d(bands, width, 5, stride=2, padding=2)
        self.second = nn.Conv1d(width, width, 5, stride=2, padding=2)
        self.dropout = nn.Dropout(dropout)
        self.time = nn.ModuleList(TimeBlock(width, dilation, dropout) for dilation in (1, 2))

    def forward(self, mel: Tensor, heard: Tensor) -> Tensor:
        """(B, D, S) of a log-mel spectrogram (B, 4 S, M) and `heard` (B, S) bool."""
        weight = heard.to(mel.dtype).repeat_interleave(MEL_PER_FRAME, 1)[:, :, None]
        total = weight.sum(1, keepdim=True).clamp_min(1)
        moved = (mel - (mel * weight).sum(1, keepdim=True) / total) * weight
        spread = (moved.square().mean(2, keepdim=True).sum(1, keepdim=True) / total).sqrt()
        x = (moved / (spread + 0.3)).transpose(1, 2)  # (B, M, 4 S)
        valid = heard.to(mel.dtype)[:, None]
        x = self.dropout(F.gelu(self.first(x))) * valid.repeat_interleave(2, 2)
        x = self.dropout(F.gelu(self.second(x))) * valid
        for block in self.time:
            x = block(x, valid)
        return x


class FeatureExchange(nn.Module):
    """Encoders of `width` D, predictions across, the agreement of both at every lag, and a classifier on all four."""

    def __init__(self, width: int, lips: int, bands: int, reach: int, dropout: float) -> None:
        super().__init__()
        self.reach = reach
        self.video, self.audio = VideoEncoder(width, lips, dropout), AudioEncoder(width, bands, dropout)
        self.to_video, self.to_audio = _across(width), _across(width)
        self.lip_decoder, self.mel_decoder = nn.Linear(width, lips), nn.Linear(width, bands)
        self.scale = nn.Parameter(torch.tensor(0.5))  # what agreement counts as evidence of a lag
        self.attention = nn.MultiheadAttention(width, 2, dropout=dropout, batch_first=True)
        self.fused = nn.Sequential(nn.Linear(4 * width, width // 2), nn.GELU(), nn.Dropout(3 * dropout))
        self.head = nn.Linear(width // 2, 1)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def encode_video(self, mouth: Tensor, lips: Tensor, seen: Tensor) -> VisualFeatures:
        """Unit features of a mouth's pictures, and those they predict of the voice."""
        video = self.video(mouth, lips, seen)
        return VisualFeatures(_unit(video), _unit(self.to_audio(video)))

    def encode_audio(self, mel: Tensor, heard: Tensor) -> AudioFeatures:
        """Unit features of a voice, and those they predict of the mouth."""
        audio = self.audio(mel, heard)
        return AudioFeatures(_unit(audio), _unit(self.to_video(audio)))

    def agreement(self, seen: VisualFeatures, heard: AudioFeatures, known: Tensor) -> Tensor:
        """(B, L) mean cosine over the frames `known` (B, T, L) at each lag, in both exchanged spaces, against its mean
        over the lags: features agree somewhat at any lag, only the difference tells."""
        lags = known.shape[2]
        similar = torch.einsum("btd,btdl->btl", seen.video, heard.video_from_audio.unfold(1, lags, 1))
        similar = similar + torch.einsum("btd,btdl->btl", seen.audio_from_video, heard.audio.unfold(1, lags, 1))
        frames = known.sum(1)
        mean = (similar / 2 * known).sum(1) / frames.clamp_min(1)
        some = (frames > 0).to(mean.dtype)
        return mean - (mean * some).sum(1, keepdim=True) / some.sum(1, keepdim=True).clamp_min(1)

    def logit(self, seen: VisualFeatures, heard: AudioFeatures, seen_mask: Tensor, heard_mask: Tensor) -> Tensor:
        """(B,) the classifier's part: the mouth attends to the sound within `reach` of each frame."""
        count = seen_mask.shape[1]
        here = slice(self.reach, self.reach + count)
        distance = torch.arange(count + 2 * self.reach, device=seen_mask.device)[None] - self.reach
        distance = (distance - torch.arange(count, device=seen_mask.device)[:, None]).abs()
        usable = (distance <= self.reach)[None] & heard_mask[:, None, :]  # (B, T, S)
        usable = usable | ~usable.any(2, keepdim=True)  # a row without sound would be nan; it is left out below
        mask = (~usable).repeat_interleave(self.attention.num_heads, 0)
        attended, _ = self.attention(
            seen.audio_from_video, heard.audio, heard.audio, attn_mask=mask, need_weights=False
        )
        joined = torch.cat([seen.video, heard.video_from_audio[:, here], heard.audio[:, here], attended], 2)
        weight = (seen_mask & heard_mask[:, here]).to(joined.dtype)[:, :, None]
        pooled = (self.fused(joined) * weight).sum(1) / weight.sum(1).clamp_min(1)
        return self.head(pooled)[:, 0]


def picture_change(mouth: Tensor, seen: Tensor) -> Tensor:
    """(B, T, 48, 48) crops -> (B, T, 24, 24) against each clip's mean picture; 0 where not seen."""
    weight = seen.to(mouth.dtype)[:, :, None, None]
    small = F.avg_pool2d(mouth, 2)
    total = weight.sum(1, keepdim=True).clamp_min(1)
    moved = (small - (small * weight).sum(1, keepdim=True) / total) * weight
    spread = (moved.square().mean((2, 3), keepdim=True).sum(1, keepdim=True) / total).sqrt()
    return moved / (spread + 1e-2)


def standardised(values: Tensor, weight: Tensor) -> Tensor:
    """(B, T, K), weights (B, T): against each clip's own mean and spread over what is seen; 0 elsewhere."""
    seen = weight[:, :, None]
    total = seen.sum(1, keepdim=True).clamp_min(1)
    moved = (values - (values * seen).sum(1, keepdim=True) / total) * seen
    spread = (moved.square().sum(1, keepdim=True) / total).sqrt()
    return moved / (spread + 5e-3)


def _unit(features: Tensor) -> Tensor:
    """(B, D, T) -> (B, T, D) of length 1."""
    return F.normalize(features.transpose(1, 2), dim=2)


def _across(width: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv1d(width, width, 3, padding=1), nn.GELU(), nn.Conv1d(width, width, 1))
