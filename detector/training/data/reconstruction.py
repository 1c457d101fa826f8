"""Fit the small networks that paint faces anew for training (`detector.synthesis.reconstruction`).

Pixel losses alone give blurs, and a detector would learn blur. So the networks also match the features of an ImageNet
network (perceptual loss, Johnson et al., ECCV 2016) and the local strength of fine texture (as EnhanceNet, Sajjadi et
al., ICCV 2017, does by Gram matrices): their faces are as sharp as what they saw.
"""

from __future__ import annotations

import logging
import time
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
import timm
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from detector.errors import SettingsError
from detector.synthesis.reconstruction import (
    UP_SAMPLINGS,
    build_reconstruction_network,
    load_reconstruction_networks,
    save_reconstruction_network,
)
from detector.synthesis.sharpness import high_frequency_energy
from detector.training.data.facebank import FaceBank
from detector.training.engine.device import emulates_bfloat16
from detector.training.engine.pretrained import SOURCES, start_from
from detector.training.engine.progress import tracked

load_all = load_reconstruction_networks  # fitting and loading side by side, for those who train

log = logging.getLogger(__name__)

PATCH_PX: Final = 96
RECIPES: Final[dict[str, tuple[str, dict[str, Any]]]] = {
    "latent_8": ("latent", {"factor": 8, "latent": 8, "width": 24}),
    "latent_4": ("latent", {"factor": 4, "latent": 4, "width": 24}),
    "super_2": ("super", {"scale": 2, "up_sampling": "pixel_shuffle", "width": 24, "blocks": 3}),
    "super_4": ("super", {"scale": 4, "up_sampling": "nearest", "width": 48, "blocks": 4}),
    **{f"detail_{kind}": ("detail", {"up_sampling": kind}) for kind in UP_SAMPLINGS},
}


class PerceptualLoss(nn.Module):
    """Mean absolute difference of ImageNet features at strides 2, 4 and 8, each relative to its own size."""

    def __init__(self, name: str = "efficientnet-lite0-imagenet") -> None:
        super().__init__()
        encoder = timm.create_model(SOURCES[name].trunk, features_only=True, out_indices=(0, 1, 2), pretrained=False)
        start_from(nn.ModuleDict({"trunk": nn.ModuleDict({"encoder": encoder})}), name)
        self.encoder = encoder.eval().requires_grad_(False)

    def forward(self, output: Tensor, target: Tensor) -> Tensor:
        """The distance of two pictures (B, 3, H, W) in 0..1, over an encoder's features."""
        loss = output.new_zeros(())
        with torch.no_grad():
            wanted = self.encoder(2 * target - 1)
        for have, want in zip(self.encoder(2 * output - 1), wanted, strict=True):
            loss = loss + (have - want).abs().mean() / (want.abs().mean() + 1e-3)
        return loss


def pixel_loss(output: Tensor, target: Tensor) -> Tensor:
    """Mean absolute error of pixels plus that of their gradients, which keeps edges. Both (B, 3, H, W), 0..1."""
    loss = (output - target).abs().mean()
    for axis in (2, 3):
        loss = loss + (output.diff(dim=axis) - target.diff(dim=axis)).abs().mean()
    return loss


def texture_loss(output: Tensor, target: Tensor) -> Tensor:
    """Difference of the local strength (8-px windows) of the finest texture: what a blur lacks, wherever its grains
    lie. Both (B, 3, H, W), 0..1."""

    def strength(x: Tensor) -> Tensor:
        fine = x - nn.functional.avg_pool2d(x, 3, stride=1, padding=1, count_include_pad=False)
        return (nn.functional.avg_pool2d(fine**2, 8, stride=4) + 1e-6).sqrt()

    return (strength(output) - strength(target)).abs().mean()


def _patches(bank: FaceBank, rows: NDArray[np.int64], count: int, rng: np.random.Generator) -> Tensor:
    """(count, 3, 96, 96) patches of faces at random scale, the sharper half of those drawn."""
    patches = []
    for index in np.sort(rng.choice(rows, min(2 * count, len(rows)), replace=False)):
        image = np.asarray(bank.images[index])
        size = round(image.shape[0] * rng.uniform(0.5, 1.0))
        image = cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA)
        top, left = rng.integers(0, size - PATCH_PX + 1, 2)
        patch = image[top : top + PATCH_PX, left : left + PATCH_PX]
        patches.append(patch[:, ::-1] if rng.random() < 0.5 else patch)
    patches.sort(key=high_frequency_energy, reverse=True)
    return torch.from_numpy(np.stack(patches[:count])).permute(0, 3, 1, 2).float() / 255


def fit_reconstruction_network(
    bank: FaceBank,
    kind: str,
    options: dict[str, Any],
    *,
    minutes: float = 4.0,
    batch_size: int = 8,
    seed: int = 0,
    perceptual: PerceptualLoss | None = None,
    least_steps: int = 1,
    device: str = "cpu",
) -> nn.Module:
    """Train one network on the genuine training faces for `minutes`, and for `least_steps` however long they take: the
    learning rate falls with whichever of the two is behind. The network returned is on the CPU."""
    torch.manual_seed(seed)
    torch.set_flush_denormal(True)
    rng, processor = np.random.default_rng(seed), torch.device(device).type
    rows = np.flatnonzero(((bank.table["split"] == "train") & (bank.table["label"] == "real")).to_numpy())
    network = build_reconstruction_network(kind, options).to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimiser = torch.optim.Adam(network.parameters(), lr=2e-3, betas=(0.9, 0.98))
    started, step, last_log = time.monotonic(), 0, 0.0
    while (done := min((time.monotonic() - started) / (minutes * 60), step / least_steps)) < 1:
        for group in optimiser.param_groups:
            group["lr"] = 2e-3 * min(1.0, (step + 1) / 50, max(0.0, 1.2 * (1 - done)) + 0.01)
        target = _patches(bank, rows, batch_size, rng).to(device, memory_format=torch.channels_last)
        with torch.autocast(processor, dtype=torch.bfloat16, enabled=not emulates_bfloat16(processor)):
            output = network(target)
        output = output.float()
        loss = pixel_loss(output, target) + 1.5 * texture_loss(output, target)
        if perceptual is not None:
            half = len(output) // 2 or 1  # half a batch teaches nearly as much for half the time
            loss = loss + 0.08 * perceptual(output[:half], target[:half])
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        step += 1
        if done - last_log > 0.1:
            last_log = done
            log.info("%s %s: step %d, loss %.4f", kind, options, step, loss.item())
    return network.eval().cpu()


def fit_all(bank: FaceBank, folder: Path, *, minutes: float = 4.0, device: str = "cpu") -> None:
    """Train every network of `RECIPES` that `folder` does not hold yet, `minutes` each.

    Without the package of ImageNet weights the perceptual part is left out, and a warning says so."""
    folder.mkdir(parents=True, exist_ok=True)
    missing = [name for name in RECIPES if not (folder / f"{name}.safetensors").is_file()]
    perceptual = None
    if missing:
        try:
            perceptual = PerceptualLoss().to(device)
        except SettingsError as error:
            log.warning("networks that paint faces are fitted without a perceptual loss: %s", error)
    for name in tracked(missing, f"fitting {len(missing)} reconstruction networks, {minutes:g} min each"):
        kind, options = RECIPES[name]
        network = fit_reconstruction_network(
            bank, kind, options, minutes=minutes, seed=list(RECIPES).index(name), perceptual=perceptual, device=device
        )
        save_reconstruction_network(network, kind, options, folder / f"{name}.safetensors")
