"""Small networks that paint a face anew: stand-ins for the decoders of whole-face generators.

What a generator's decoder leaves in a picture (periodic patterns, too regular texture, missing sensor noise) depends on
how it enlarges (Odena et al., 2016; Durall et al., CVPR 2020). Three families cover the common decoders: autoencoders
that add detail to a small picture, latent autoencoders as in latent diffusion (Rombach et al., CVPR 2022), which keep
no picture at all, and super-resolvers (ESPCN, Shi et al., CVPR 2016; Odena's resize-convolution).

Every network maps (B, 3, H, W) float32 in 0..1 to the same shape and range; H and W are multiples of `PX_MULTIPLE`.
"""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any, Final, Literal

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from detector.errors import SettingsError

UpSampling = Literal["transposed", "nearest", "bilinear", "pixel_shuffle"]
UP_SAMPLINGS: Final[tuple[UpSampling, ...]] = ("transposed", "nearest", "bilinear", "pixel_shuffle")
PX_MULTIPLE: Final = 8


def _up(inputs: int, outputs: int, kind: UpSampling) -> nn.Module:
    """Twice the size by one of the four ways decoders use."""
    if kind == "transposed":
        return nn.ConvTranspose2d(inputs, outputs, 4, stride=2, padding=1)
    if kind == "pixel_shuffle":
        return nn.Sequential(nn.Conv2d(inputs, outputs * 4, 3, padding=1), nn.PixelShuffle(2))
    enlarge = nn.Upsample(scale_factor=2, mode=kind, align_corners=False if kind == "bilinear" else None)
    return nn.Sequential(enlarge, nn.Conv2d(inputs, outputs, 3, padding=1))


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions beside a shortcut, (B, C, H, W) -> (B, C, H, W)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)
        nn.init.zeros_(self.second.weight)  # starts as the identity: a few minutes must do without normalisation

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) of the same shape."""
        return x + self.second(nn.functional.silu(self.first(nn.functional.silu(x))))


class DetailAutoencoder(nn.Module):
    """The code is the picture at a quarter of its size beside `latent` learned channels; the decoder adds detail to the
    enlarged small picture. Starting from that picture, minutes of training give faces that hold up, not blurs."""

    def __init__(self, up_sampling: UpSampling, *, width: int = 24, latent: int = 6) -> None:
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Conv2d(3, width, 4, stride=2, padding=1),
            nn.LeakyReLU(0.1),
            nn.Conv2d(width, width, 4, stride=2, padding=1),
            nn.LeakyReLU(0.1),
            nn.Conv2d(width, latent, 1),
        )
        self.decoder = nn.Sequential(
            nn.Conv2d(3 + latent, 2 * width, 3, padding=1),
            nn.LeakyReLU(0.1),
            _up(2 * width, width, up_sampling),
            nn.LeakyReLU(0.1),
            _up(width, width, up_sampling),
            nn.LeakyReLU(0.1),
            nn.Conv2d(width, 3, 3, padding=1),
        )

    def forward(self, x: Tensor) -> Tensor:
        """The picture (B, 3, H, W) in 0..1 painted anew; sides are multiples of 4."""
        small = nn.functional.avg_pool2d(x, 4)  # (B, 3, H/4, W/4)
        detail = self.decoder(torch.cat([small, self.encoder(x)], dim=1))  # (B, 3, H, W)
        base = nn.functional.interpolate(small, scale_factor=4, mode="bilinear", align_corners=False)
        return (base + detail).clamp(0, 1)


class LatentAutoencoder(nn.Module):
    """The picture becomes `latent` channels at 1/`factor` (4 or 8) of its size and is painted from those alone, by
    residual blocks and nearest-neighbour enlargements with convolutions, like the autoencoder of latent diffusion."""

    def __init__(self, *, factor: int, latent: int, width: int = 24) -> None:
        super().__init__()
        if factor not in (4, 8):
            raise ValueError(f"expected a factor of 4 or 8, found {factor}")
        widths = [width, 2 * width, 3 * width][: factor.bit_length() - 1]
        down: list[nn.Module] = [nn.PixelUnshuffle(2), nn.Conv2d(12, width, 3, padding=1), ResidualBlock(width)]
        for fine, coarse in pairwise(widths):
            down += [nn.Conv2d(fine, coarse, 3, stride=2, padding=1), ResidualBlock(coarse)]
        self.encoder = nn.Sequential(*down, nn.Conv2d(widths[-1], latent, 1))
        up: list[nn.Module] = [nn.Conv2d(latent, widths[-1], 3, padding=1), ResidualBlock(widths[-1])]
        for coarse, fine in zip(widths[::-1], [*widths[-2::-1], 16], strict=True):
            up += [ResidualBlock(coarse), _up(coarse, fine, "nearest")]
        self.decoder = nn.Sequential(*up, nn.SiLU(), nn.Conv2d(16, 3, 3, padding=1))

    def forward(self, x: Tensor) -> Tensor:
        """The picture (B, 3, H, W) in 0..1 painted anew from its code."""
        code = self.encoder(2 * x - 1)  # (B, latent, H/factor, W/factor)
        return (self.decoder(code) * 0.5 + 0.5).clamp(0, 1)


class SuperResolver(nn.Module):
    """The picture is shrunk by `scale` (2 or 4) and painted large again. In training the shrinking kernel's width and a
    little noise are drawn at random, so that the network is not tuned to one of them (blind super-resolution)."""

    def __init__(self, *, scale: int, up_sampling: UpSampling, width: int = 32, blocks: int = 4) -> None:
        super().__init__()
        if scale not in (2, 4):
            raise ValueError(f"expected a scale of 2 or 4, found {scale}")
        self.scale = scale
        body = [ResidualBlock(width) for _ in range(blocks)]
        up: list[nn.Module] = []
        channels = width
        for _ in range(scale.bit_length() - 1):
            up += [_up(channels, max(16, channels // 2), up_sampling), nn.SiLU()]
            channels = max(16, channels // 2)
        self.paint = nn.Sequential(nn.Conv2d(3, width, 3, padding=1), *body, *up, nn.Conv2d(channels, 3, 3, padding=1))

    def forward(self, x: Tensor) -> Tensor:
        """The picture (B, 3, H, W) in 0..1 painted anew from a smaller one."""
        small = self._shrink(x)  # (B, 3, H/scale, W/scale)
        base = nn.functional.interpolate(small, scale_factor=self.scale, mode="bilinear", align_corners=False)
        return (base + self.paint(small)).clamp(0, 1)

    def _shrink(self, x: Tensor) -> Tensor:
        if not self.training:
            return nn.functional.avg_pool2d(x, self.scale)
        size = (x.shape[2] // self.scale, x.shape[3] // self.scale)
        sharp = nn.functional.interpolate(x, size, mode="bicubic", align_corners=False, antialias=True)
        weight = torch.rand(len(x), 1, 1, 1)
        small = weight * sharp + (1 - weight) * nn.functional.avg_pool2d(x, self.scale)
        soft = nn.functional.avg_pool2d(small, 3, stride=1, padding=1, count_include_pad=False)
        small = torch.lerp(small, soft, 0.5 * torch.rand(len(x), 1, 1, 1))
        return (small + 0.015 * torch.rand(len(x), 1, 1, 1) * torch.randn_like(small)).clamp(0, 1)


KINDS: Final[dict[str, type[nn.Module]]] = {
    "detail": DetailAutoencoder,
    "latent": LatentAutoencoder,
    "super": SuperResolver,
}


def build_reconstruction_network(kind: str, options: dict[str, Any]) -> nn.Module:
    """A network of `KINDS` with the keyword arguments of its class. Raises ValueError for an unknown kind."""
    if kind not in KINDS:
        raise ValueError(f"expected one of {', '.join(KINDS)}, found {kind!r}")
    return KINDS[kind](**options)


def save_reconstruction_network(network: nn.Module, kind: str, options: dict[str, Any], path: Path) -> None:
    """Weights with what is needed to build the network again in the file's metadata."""
    state = {key: value.contiguous() for key, value in network.state_dict().items()}
    save_file(state, path, metadata={"kind": kind, "options": json.dumps(options)})


def load_reconstruction_networks(folder: Path) -> list[nn.Module]:
    """The networks in `folder`, by file name; empty where there are none. Raises SettingsError for a file that does not
    say which network it holds."""
    networks = []
    for path in sorted(folder.glob("*.safetensors")):
        with safe_open(path, framework="pt") as file:
            facts = file.metadata() or {}
        if not {"kind", "options"} <= set(facts):
            raise SettingsError(f"{path.name} does not say which network it holds: remove it and it is fitted anew.")
        network = build_reconstruction_network(facts["kind"], json.loads(facts["options"]))
        network.load_state_dict(load_file(path))
        networks.append(network.eval().requires_grad_(False))
    return networks
