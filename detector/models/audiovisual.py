"""Do lips and voice belong together, and at which lag? Two encoders, feature exchange between them, one fused logit.

After AVFF (Oorloff et al., CVPR 2024, https://arxiv.org/abs/2406.02951): each modality's features are also predicted
from the other's, trained by masking complementary slots and filling them across, and a classifier reads features and
predictions together. What carries it here is agreement at every lag (SyncNet, Chung & Zisserman 2016; as multi-way
matching, Chung et al. 2019): genuine sound agrees best at a lag near zero, shifted or foreign sound elsewhere or
nowhere.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from detector.models.outputs import AudioVisualOutput

MEL_PER_FRAME = 4


class Encoded(NamedTuple):
    """Unit features at 25 Hz. `video` (B, T, D) and what the sound foretells of it, `video_from_audio` (B, S, D);
    `audio` (B, S, D) and `audio_from_video` (B, T, D); S = T + 2 x reach."""

    video: Tensor
    audio: Tensor
    video_from_audio: Tensor
    audio_from_video: Tensor


class TimeBlock(nn.Module):
    """(B, C, T) -> (B, C, T): residual convolution over time that sees `dilation` samples either way; 0 where not
    `valid` (B, 1, T), so that padding changes nothing beside it."""

    def __init__(self, channels: int, dilation: int, dropout: float) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(channels)
        self.convolution = nn.Conv1d(channels, channels, 3, padding=dilation, dilation=dilation)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, valid: Tensor) -> Tensor:
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
        batch, count = seen.shape
        weight = seen.to(mouth.dtype)
        small = F.avg_pool2d(mouth, 2)  # (B, T, 24, 24)
        frame_weight = weight[:, :, None, None]
        total = frame_weight.sum(1, keepdim=True).clamp_min(1)
        moved = (small - (small * frame_weight).sum(1, keepdim=True) / total) * frame_weight
        spread = (moved.square().mean((2, 3), keepdim=True).sum(1, keepdim=True) / total).sqrt()
        looks = self.frame((moved / (spread + 1e-2)).flatten(0, 1)[:, None]).view(batch, count, -1)
        measures = _standardised(lips, weight)
        change = F.pad(measures[:, 2:] - measures[:, :-2], (0, 0, 1, 1)) if count > 2 else torch.zeros_like(measures)
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


class AudioVisualNet(nn.Module):
    """See the module. `reach` lags either way, in frames of 25 Hz; lags within `natural` count as in sync; windows of
    `window` frames every `hop`; `lips` measurements, `bands` mel bands. About 0.2 M parameters."""

    def __init__(
        self,
        width: int = 64,
        reach: int = 15,
        natural: int = 2,
        window: int = 50,
        hop: int = 25,
        lips: int = 5,
        bands: int = 64,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        self.reach, self.natural, self.window, self.hop = reach, natural, window, hop
        self.video, self.audio = VideoEncoder(width, lips, dropout), AudioEncoder(width, bands, dropout)
        self.to_video, self.to_audio = _exchange(width), _exchange(width)
        self.lip_decoder, self.mel_decoder = nn.Linear(width, lips), nn.Linear(width, bands)
        self.log_scale = nn.Parameter(torch.tensor(math.log(8.0)))
        # Foreign sound agrees at no lag: that outcome competes with the lags.
        self.nowhere = nn.Parameter(torch.tensor(0.0))
        self.slope, self.offset = nn.Parameter(torch.tensor(1.0)), nn.Parameter(torch.tensor(0.0))
        self.attention = nn.MultiheadAttention(width, 2, dropout=dropout, batch_first=True)
        self.fused = nn.Sequential(nn.Linear(4 * width, width // 2), nn.GELU(), nn.Dropout(3 * dropout))
        self.head = nn.Linear(width // 2, 1)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def encode_video(self, mouth: Tensor, lips: Tensor, seen: Tensor) -> tuple[Tensor, Tensor]:
        """Unit features (B, T, D) of the mouth, and the sound's features they foretell."""
        video = self.video(mouth, lips, seen)
        return _unit(video), _unit(self.to_audio(video))

    def encode_audio(self, mel: Tensor, heard: Tensor) -> tuple[Tensor, Tensor]:
        """Unit features (B, S, D) of the sound, and the mouth's features they foretell."""
        audio = self.audio(mel, heard)
        return _unit(audio), _unit(self.to_video(audio))

    def agreement(self, encoded: Encoded, seen: Tensor, heard: Tensor) -> tuple[Tensor, Tensor]:
        """How well each frame agrees with the sound at each lag, in both exchanged spaces, and which of it is known.

        Returns (B, T, 2 reach + 1) in [-1, 1] and the same in bool; lag j means sound `j - reach` frames later.
        """
        lags = 2 * self.reach + 1
        count = seen.shape[1]
        in_video = encoded.video_from_audio.unfold(1, lags, 1)  # (B, T, D, lags)
        in_audio = encoded.audio.unfold(1, lags, 1)
        similar = torch.einsum("btd,btdl->btl", encoded.video, in_video)
        similar = similar + torch.einsum("btd,btdl->btl", encoded.audio_from_video, in_audio)
        known = heard.unfold(1, lags, 1)[:, :count] & seen[:, :, None]
        return similar / 2, known

    def lag_logits(self, similar: Tensor, known: Tensor) -> Tensor:
        """(B, T', L) agreement over a window -> (B, L) logits of the lags, -inf where fewer than half of the frames
        that some lag has are known."""
        counts = known.sum(1)  # (B, L)
        mean = (similar * known).sum(1) / counts.clamp_min(1)
        # Evidence adds up with the frames, slower than if they were independent.
        scaled = mean * self.log_scale.exp() * counts.clamp_min(1).sqrt()
        return scaled.masked_fill(counts < counts.amax(1, keepdim=True).clamp_min(2) / 2, -torch.inf)

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
        video, audio_from_video = self.encode_video(mouth, lips, seen)
        audio, video_from_audio = self.encode_audio(mel, heard)
        return self.judge(Encoded(video, audio, video_from_audio, audio_from_video), seen, heard)

    def judge(self, encoded: Encoded, seen: Tensor, heard: Tensor) -> AudioVisualOutput:
        """From features to the clip's logit and the windows'; training judges one encoding at many shifts."""
        count = seen.shape[1]
        similar, known = self.agreement(encoded, seen, heard)
        windows = [
            self.lag_logits(similar[:, at : at + self.window], known[:, at : at + self.window])
            for at in window_starts(count, self.window, self.hop)
        ]
        sync = torch.stack([self.out_of_sync(logits) for logits in windows], 1)  # (B, W)
        whole = self.lag_logits(similar, known)
        logit = self.out_of_sync(whole) + self._fused_logit(encoded, seen, heard)
        return AudioVisualOutput(logit, sync, torch.stack(windows, 1))

    def forward(self, mouth: Tensor, lips: Tensor, seen: Tensor, mel: Tensor, heard: Tensor) -> Tensor:
        """(B,) logits of P(sound and mouth do not belong together)."""
        return self.forward_all(mouth, lips, seen, mel, heard).logit

    def _fused_logit(self, encoded: Encoded, seen: Tensor, heard: Tensor) -> Tensor:
        """The classifier on features and their exchange: the mouth attends to the sound around it."""
        count = seen.shape[1]
        here = slice(self.reach, self.reach + count)
        distance = torch.arange(self.reach + count + self.reach, device=seen.device)[None] - self.reach
        distance = (distance - torch.arange(count, device=seen.device)[:, None]).abs()
        usable = (distance <= self.reach)[None] & heard[:, None, :]  # (B, T, S)
        usable = usable | ~usable.any(2, keepdim=True)  # a row without sound would be nan; it is left out below
        mask = (~usable).repeat_interleave(self.attention.num_heads, 0)
        attended, _ = self.attention(
            encoded.audio_from_video, encoded.audio, encoded.audio, attn_mask=mask, need_weights=False
        )
        joined = torch.cat([encoded.video, encoded.video_from_audio[:, here], encoded.audio[:, here], attended], 2)
        weight = (seen & heard[:, here]).to(joined.dtype)[:, :, None]
        pooled = (self.fused(joined) * weight).sum(1) / weight.sum(1).clamp_min(1)
        return self.head(pooled)[:, 0]


def window_starts(count: int, window: int, hop: int) -> range:
    """First frames of the windows in `count` frames: every `hop`, the last one whole; one window where it is short."""
    return range(0, max(1, count - window + 1), hop)


def _unit(features: Tensor) -> Tensor:
    """(B, D, T) -> (B, T, D) of length 1."""
    return F.normalize(features.transpose(1, 2), dim=2)


def _exchange(width: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv1d(width, width, 3, padding=1), nn.GELU(), nn.Conv1d(width, width, 1))


def _standardised(values: Tensor, weight: Tensor) -> Tensor:
    """(B, T, K) against each clip's own mean and spread over what is seen; 0 elsewhere."""
    seen = weight[:, :, None]
    total = seen.sum(1, keepdim=True).clamp_min(1)
    moved = (values - (values * seen).sum(1, keepdim=True) / total) * seen
    spread = (moved.square().sum(1, keepdim=True) / total).sqrt()
    return moved / (spread + 5e-3)
