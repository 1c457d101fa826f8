"""Faces re-drawn by small autoencoders: stand-ins for whole-face generators, whose pictures hold no blending seam.

Each network compresses a 128-px face and paints it again with one kind of up-sampling; what a generator's decoder
leaves in the picture (periodic patterns, missing fine texture) depends on that kind (Odena et al., 2016; Durall et al.,
CVPR 2020).
"""

from __future__ import annotations

from typing import Final, Literal

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from detector.synthesis.degrade import Image, sharpen
from detector.synthesis.regions import region_mask, soft_mask
from detector.synthesis.types import FaceImage, FakeImage

UpSampling = Literal["transposed", "nearest", "bilinear", "pixel_shuffle"]
UP_SAMPLINGS: Final[tuple[UpSampling, ...]] = ("transposed", "nearest", "bilinear", "pixel_shuffle")
NETWORK_PX: Final = 128


def _up(inputs: int, outputs: int, kind: UpSampling) -> nn.Module:
    if kind == "transposed":
        return nn.ConvTranspose2d(inputs, outputs, 4, stride=2, padding=1)
    if kind == "pixel_shuffle":
        return nn.Sequential(nn.Conv2d(inputs, outputs * 4, 3, padding=1), nn.PixelShuffle(2))
    enlarge = nn.Upsample(scale_factor=2, mode=kind, align_corners=False if kind == "bilinear" else None)
    return nn.Sequential(enlarge, nn.Conv2d(inputs, outputs, 3, padding=1))


class Resynthesiser(nn.Module):
    """Autoencoder (B, 3, 128, 128) -> (B, 3, 128, 128), values 0..1.

    The code is the picture at a quarter of its size beside `latent` learned channels; the decoder adds detail to the
    enlarged small picture. Starting from that picture, minutes of training give faces that hold up, not blurs.
    """

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
        small = nn.functional.avg_pool2d(x, 4)  # (B, 3, 32, 32)
        detail = self.decoder(torch.cat([small, self.encoder(x)], dim=1))  # (B, 3, 128, 128)
        base = nn.functional.interpolate(small, scale_factor=4, mode="bilinear", align_corners=False)
        return (base + detail).clamp(0, 1)


def reconstruction_loss(output: Tensor, target: Tensor) -> Tensor:
    """Mean absolute error of pixels plus that of their gradients, which keeps edges."""
    loss = (output - target).abs().mean()
    for axis in (2, 3):
        loss = loss + (output.diff(dim=axis) - target.diff(dim=axis)).abs().mean()
    return loss


def high_frequency_energy(image: Image) -> float:
    """Variance of the Laplacian of the luma."""
    return float(cv2.Laplacian(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.CV_32F).var())


def match_sharpness(sharp: Image, soft: Image) -> Image:
    """Blur `sharp` until its high-frequency energy is that of `soft` (bisection on the Gaussian's width)."""
    goal, low, high = high_frequency_energy(soft), 0.0, 4.0
    if high_frequency_energy(sharp) <= goal:
        return sharp
    for _ in range(7):
        middle = (low + high) / 2
        energy = high_frequency_energy(cv2.GaussianBlur(sharp, (0, 0), middle).astype(np.uint8))
        low, high = (middle, high) if energy > goal else (low, middle)
    return cv2.GaussianBlur(sharp, (0, 0), (low + high) / 2).astype(np.uint8)


@torch.inference_mode()
def repaint(network: Resynthesiser, image: Image, network_px: int = NETWORK_PX) -> Image:
    """The whole square picture (S, S, 3) through the network at `network_px` (a multiple of 4) and back to S."""
    tensor = torch.tensor(_resized(image, network_px)).permute(2, 0, 1).unsqueeze(0).float() / 255
    painted = (network(tensor)[0].permute(1, 2, 0).numpy() * 255 + 0.5).astype(np.uint8)
    return _resized(painted, image.shape[0])


def _resized(image: Image, size: int) -> Image:
    if image.shape[0] == size:
        return np.ascontiguousarray(image)
    interpolation = cv2.INTER_AREA if size < image.shape[0] else cv2.INTER_CUBIC
    return cv2.resize(image, (size, size), interpolation=interpolation).astype(np.uint8)


def resynthesise(face: FaceImage, network: Resynthesiser, rng: np.random.Generator) -> tuple[FaceImage, FakeImage]:
    """A genuine picture and its re-drawn twin, of like sharpness, so that softness alone says nothing.

    The network is convolutional and works at 128 to 256 px, drawn at random. The genuine picture is shrunk to that size
    and back as well; then either it is blurred to the fake's sharpness, or the fake is sharpened, or (one time in five)
    neither. Half the fakes are re-drawn whole, half inside a face mask.
    """
    size = face.image.shape[0]
    network_px = min(size, int(rng.integers(NETWORK_PX // 4, NETWORK_PX // 2 + 1)) * 4)
    painted = repaint(network, face.image, network_px)
    genuine = _resized(_resized(face.image, network_px), size)
    choice = rng.random()
    if choice < 0.5:
        genuine = match_sharpness(genuine, painted)
    elif choice < 0.8:
        painted = sharpen(painted, float(rng.uniform(0.5, 2.0)), 1.4)
    mask: NDArray[np.float32] = np.ones((size, size), np.float32)
    if rng.random() < 0.5:
        face_px = float(np.ptp(face.landmarks, axis=0).max())
        mask = soft_mask(region_mask(face.landmarks, (size, size), "face"), face_px, rng)
    weight = mask[..., None]
    blended = np.clip(painted * weight + genuine * (1 - weight) + 0.5, 0, 255).astype(np.uint8)
    return FaceImage(genuine, face.landmarks), FakeImage(blended, mask, "resynthesis")
