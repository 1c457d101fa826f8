"""Is this patch, at the video's own pixels, a camera's or a generator's? Residuals of neighbouring pixels -> a logit.

The network never sees the picture, only what is left of it between neighbours: differences within each 2 x 2 block
(neighbouring-pixel relations, Tan et al., CVPR 2024, https://arxiv.org/abs/2312.10461), a high-pass, and the 5 x 5
kernel of the rich models (Fridrich and Kodovsky, IEEE TIFS 2012), held back where edges are strong and relative to
their own strength, so that sharpness and the amount of noise alone tell nothing. RGB is taken back to the planes that
4:2:0 video stores; luma is folded to half its side, onto the grid of colour, so that nothing is resampled.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, conv2d, pad, pixel_shuffle, pixel_unshuffle

from detector.models.build import architecture

RESIDUALS = 13
_KV = [[-1, 2, -2, 2, -1], [2, -6, 8, -6, 2], [-2, 8, -12, 8, -2], [2, -6, 8, -6, 2], [-1, 2, -2, 2, -1]]
# ITU-R BT.601, studio range, of R, G and B in 0..255.
_LUMA = (65.481 / 255, 128.553 / 255, 24.966 / 255)
_COLOUR = ((-37.797 / 255, -74.203 / 255, 112.0 / 255), (112.0 / 255, -93.786 / 255, -18.214 / 255))


def video_planes(rgb: Tensor) -> Tensor:
    """(B, 3, S, S) of 0..255, S even -> (B, 6, S/2, S/2) whole numbers: the four phases of luma, then the means of both
    colour differences over 2 x 2 pixels, as 4:2:0 video has them."""
    rgb = rgb.float().contiguous()
    luma = torch.stack([_mixed(rgb, _LUMA)], dim=1) + 16
    small = avg_pool2d(rgb, 2)
    colour = torch.stack([_mixed(small, weights) for weights in _COLOUR], dim=1) + 128
    return torch.cat([pixel_unshuffle(luma, 2), colour], dim=1).round().clamp(0, 255)


def _mixed(rgb: Tensor, weights: tuple[float, float, float]) -> Tensor:
    red, green, blue = rgb.unbind(1)
    return red * weights[0] + green * weights[1] + blue * weights[2]


class Residuals(nn.Module):
    """Planes (B, 6, h, w) of 0..255 -> (B, 13, h, w) of about unit spread; `hold_at` in grey levels is where strong
    edges are held back."""

    kv: Tensor

    def __init__(self, hold_at: float = 12.0) -> None:
        super().__init__()
        self.hold_at = hold_at
        self.register_buffer("kv", torch.tensor(_KV, dtype=torch.float32)[None, None] / 12, persistent=False)

    def forward(self, planes: Tensor) -> Tensor:
        """The residuals, in single precision whatever is computed in around it."""
        with torch.autocast(planes.device.type, enabled=False):
            luma, colour = planes[:, :4].float(), planes[:, 4:].float()
            full = pixel_shuffle(luma, 2)
            rich = conv2d(pad(full, (2, 2, 2, 2), mode="reflect"), self.kv)
            high = full - _mean3(full)
            neighbours, fine = luma[:, 1:] - luma[:, :1], colour - _mean3(colour)
            groups = [neighbours, pixel_unshuffle(high, 2), pixel_unshuffle(rich, 2), fine]
            return torch.cat([self._steadied(group) for group in groups], dim=1)

    def _steadied(self, group: Tensor) -> Tensor:
        held = self.hold_at * torch.tanh(group / self.hold_at)
        strength = held.square().mean(dim=(1, 2, 3), keepdim=True).sqrt()
        return held / (strength + 0.5)


def _mean3(planes: Tensor) -> Tensor:
    return avg_pool2d(pad(planes, (1, 1, 1, 1), mode="reflect"), 3, stride=1)


class PatchReader(nn.Module):
    """Residuals (B, 13, h, w), h and w from 8 up -> logits (B,). Mean and spread of the last features are read, so
    that a patch of another size than in training is judged alike."""

    def __init__(self, widths: tuple[int, ...], dropout: float) -> None:
        super().__init__()
        layers: list[nn.Module] = [_conv(RESIDUALS, widths[0])]
        for inputs, outputs in pairwise(widths):
            layers += [_conv(inputs, outputs, stride=2), _Block(outputs)]
        self.trunk = nn.Sequential(*layers)
        self.label = nn.Sequential(nn.Dropout(dropout), nn.Linear(2 * widths[-1], 1))

    def forward(self, residuals: Tensor) -> Tensor:
        """The logits, the last layer in single precision whatever is computed in around it."""
        pooled = self.pooled(residuals)
        with torch.autocast(pooled.device.type, enabled=False):
            logits: Tensor = self.label(pooled).squeeze(1)
            return logits

    def pooled(self, residuals: Tensor) -> Tensor:
        """What the label rests on, (B, 2 x the last width)."""
        maps = self.trunk(residuals).float()
        return torch.cat([maps.mean(dim=(2, 3)), (maps.var(dim=(2, 3), correction=0) + 1e-4).sqrt()], dim=1)


class _Block(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = _conv(channels, channels)
        self.second = nn.Sequential(nn.Conv2d(channels, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels))

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(x + self.second(self.first(x)))


def _conv(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()
    )


@architecture("residual")
class ResidualNet(nn.Module):
    """RGB patches (B, 3, S, S) of 0..255, uint8 or float, S even and from 16 up -> (B,) logits.

    `members` networks of the same form, fitted apart, read the same residuals; the logit is the mean of theirs.
    """

    def __init__(
        self,
        widths: tuple[int, ...] = (16, 32, 64, 96),
        *,
        members: int = 1,
        hold_at: float = 12.0,
        dropout: float = 0.2,
    ) -> None:
        super().__init__()
        self.residuals = Residuals(hold_at)
        self.members = nn.ModuleList(PatchReader(tuple(widths), dropout) for _ in range(members))

    def forward(self, rgb: Tensor) -> Tensor:
        """The logits of the patches."""
        residuals = self._seen(rgb)
        return torch.stack([member(residuals) for member in self.members]).mean(0)

    def features(self, rgb: Tensor) -> Tensor:
        """What the labels of the members rest on, (B, members, 2 x the last width)."""
        residuals = self._seen(rgb)
        return torch.stack([member.pooled(residuals) for member in self.members], dim=1)  # type: ignore[operator]

    def _seen(self, rgb: Tensor) -> Tensor:
        return self.residuals(video_planes(rgb)).contiguous(memory_format=torch.channels_last)
