"""A small CNN over a face and the same face in the frame just before.

A camera shows face and surroundings through one lens and one codec; what is painted on moves, flickers or blurs by
itself. The earlier frame comes as it is and laid over the later one by optical flow
(`detector.faces.temporal.frame_pair`), so the network starts from what ordinary motion leaves over. It sees differences
and fine detail but no colours or levels, which would tell it who somebody is.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

INPUTS = 9
INPUT_SIDE_PX, PAIR_PLANES = 64, 11  # of a pair as it comes
FLOW_STEPS = 24  # a pixel, as `frame_pair` writes the flow
_LEFT_OVER, _DIFFERENCE, _FLOW, _DETAIL = 12.0, 24.0, 1.5, 12.0  # grey levels and pixels that count as one
_MOST = 5.0
_FLOW_X = 6  # of the inputs


class FramePairNet(nn.Module):
    """(B, 64, 64, 11) uint8 pairs (`frame_pair`) -> (B,) logits of P(manipulated).

    A stem and three residual stages (He et al., CVPR 2016), each of half the side, of `width`, 1.5, 2.5 and 4 times as
    many channels; mean and maximum over places; one linear layer behind `dropout`.
    """

    def __init__(self, width: int = 32, dropout: float = 0.4) -> None:
        super().__init__()
        sizes = [width, width * 3 // 2, width * 5 // 2, width * 4]
        self.stem = nn.Sequential(
            nn.Conv2d(INPUTS, width, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU()
        )
        self.stages = nn.Sequential(*(_Stage(*two) for two in pairwise(sizes)))
        self.head = nn.Sequential(nn.Dropout(dropout), nn.Linear(2 * sizes[-1], 1))

    @staticmethod
    def inputs(pairs: Tensor) -> Tensor:
        """(B, 64, 64, 11) uint8 -> (B, 9, 64, 64) float32: what flow leaves over (3), the plain difference (3), the
        flow less its median (2), and the later frame's fine detail."""
        planes = pairs.permute(0, 3, 1, 2).float()
        now, laid, before, flow = planes[:, :3], planes[:, 3:6], planes[:, 6:9], (planes[:, 9:] - 128) / FLOW_STEPS
        ordered = flow.flatten(2).sort(2).values  # of its median, which not every runtime computes
        flow = flow - ordered[:, :, (ordered.shape[2] - 1) // 2, None, None]
        grey = now.mean(1, keepdim=True)
        detail = grey - F.avg_pool2d(grey, 5, 1, 2, count_include_pad=False)
        parts = [(now - laid) / _LEFT_OVER, (now - before) / _DIFFERENCE, flow / _FLOW, detail / _DETAIL]
        return torch.cat(parts, dim=1).clamp(-_MOST, _MOST).contiguous(memory_format=torch.channels_last)

    def judge(self, inputs: Tensor) -> Tensor:
        """(B, 9, 64, 64) as of `inputs` -> (B,)."""
        x = self.stages(self.stem(inputs))  # (B, 4 width, 4, 4)
        return self.head(torch.cat([x.mean((2, 3)), x.amax((2, 3))], dim=1)).squeeze(1)

    def forward(self, pairs: Tensor) -> Tensor:
        """The mean over the pair and its mirror image."""
        inputs = self.inputs(pairs)
        return (self.judge(inputs) + self.judge(mirrored(inputs))) / 2


def mirrored(inputs: Tensor) -> Tensor:
    """(B, 9, H, W) as of `FramePairNet.inputs` -> those of the pair's mirror image."""
    signs = inputs.new_ones(inputs.shape[1])
    signs[_FLOW_X] = -1
    return inputs.flip(3) * signs[:, None, None]


class _Stage(nn.Module):
    """(B, C, H, W) -> (B, D, H / 2, W / 2)."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.bend = nn.Sequential(
            nn.Conv2d(inputs, outputs, 3, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(),
            nn.Conv2d(outputs, outputs, 3, padding=1, bias=False),
            nn.BatchNorm2d(outputs),
        )
        self.straight = nn.Sequential(nn.AvgPool2d(2), nn.Conv2d(inputs, outputs, 1, bias=False))

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.bend(x) + self.straight(x))
