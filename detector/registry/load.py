"""From a model's name to a verified network: hash checked, keys strict, pickles refused."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from detector.errors import ModelNotFoundError, WeightsRefusedError
from detector.models import FrameNet, build_network
from detector.registry.card import ModelCard

_SHIPPED = Path(__file__).resolve().parents[2] / "assets" / "weights"


def weights_dir() -> Path:
    """Where cards and weights lie: `FRAMEWITNESS_WEIGHTS` or the folder shipped with the program."""
    return Path(os.environ.get("FRAMEWITNESS_WEIGHTS") or _SHIPPED)


def available_models() -> tuple[ModelCard, ...]:
    """The card of every model in the weights folder, by id. Raises ModelError for a broken card."""
    return tuple(ModelCard.read(path) for path in sorted(weights_dir().glob("*.card.json")))


def default_model_ids() -> tuple[str, ...]:
    """The models an analysis uses unless told otherwise: every shipped one."""
    return tuple(card.model_id for card in available_models())


def find_card(model_id: str) -> ModelCard:
    """The card of one model. Raises ModelNotFoundError naming those there are."""
    cards = {card.model_id: card for card in available_models()}
    if model_id not in cards:
        known = ", ".join(cards) or "none"
        raise ModelNotFoundError(
            f"There is no model {model_id!r}. Available: {known}. See `python -m detector models list`."
        )
    return cards[model_id]


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A network on its device, in evaluation mode, with the card it was verified against."""

    card: ModelCard
    network: nn.Module
    device: torch.device

    def prepare(self, crops: NDArray[np.uint8]) -> torch.Tensor:
        """(N, S, S, 3) uint8 RGB crops -> (N, 3, S, S) float32, normalised by the card, on the device."""
        size = self.card.crop.size_px
        if crops.ndim != 4 or crops.shape[1:] != (size, size, 3) or crops.dtype != np.uint8:
            raise ValueError(f"expected (N, {size}, {size}, 3) uint8 crops, found {crops.shape} {crops.dtype}")
        pixels = torch.from_numpy(np.ascontiguousarray(crops)).to(self.device).permute(0, 3, 1, 2).float() / 255
        mean, std = (
            torch.tensor(values, device=self.device).view(1, 3, 1, 1)
            for values in (self.card.crop.mean, self.card.crop.std)
        )
        return ((pixels - mean) / std).contiguous(memory_format=torch.channels_last)

    @torch.inference_mode()
    def score(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Logits (N,) float32 of (N, S, S, 3) uint8 crops."""
        if len(crops) == 0:
            return np.zeros(0, np.float32)
        return self.network(self.prepare(crops)).float().cpu().numpy()

    @torch.inference_mode()
    def blend_map(self, crops: NDArray[np.uint8]) -> NDArray[np.float32] | None:
        """Probability of manipulation per place, (N, S/8, S/8) float32, or None for a model without a map head."""
        if not isinstance(self.network, FrameNet):
            return None
        return torch.sigmoid(self.network.forward_all(self.prepare(crops)).map_logit).cpu().numpy()

    @property
    def cam_layer(self) -> nn.Module:
        """The deepest convolutional stage, where class activation maps are taken."""
        layer = getattr(self.network, "cam_layer", None)
        if not isinstance(layer, nn.Module):
            raise ModelNotFoundError(f"{self.card.model_id} has no layer to take a class activation map from.")
        return layer


def verify_model(model_id: str) -> None:
    """Check file, hash and keys of a model without keeping it. Raises as `load_model`."""
    _build(find_card(model_id))


def load_model(model_id: str, device: str = "cpu") -> LoadedModel:
    """Load a model by name on `cpu`, `cuda` or `auto` (CUDA where present).

    Raises ModelNotFoundError for an unknown name, WeightsRefusedError where the file is missing, is not safetensors,
    has another SHA-256 than the card, or any key is missing, unexpected or of another shape (each is named).
    """
    card = find_card(model_id)
    where = torch.device(
        "cuda" if device == "auto" and torch.cuda.is_available() else "cpu" if device == "auto" else device
    )
    network = _build(card).to(where).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return LoadedModel(card, network, where)


def _build(card: ModelCard) -> nn.Module:
    path = weights_dir() / card.weights_file
    if path.parent != weights_dir() or path.suffix != ".safetensors":
        raise WeightsRefusedError(
            f"{card.model_id}: expected a .safetensors file beside its card, the card names {card.weights_file!r}. "
            "Pickled checkpoints (.pt, .pth, .bin) can run code when opened and are never loaded."
        )
    if not path.is_file():
        raise WeightsRefusedError(f"{card.model_id}: the weights file {path.name} is missing. Restore it.")
    found = file_sha256(path)
    if found != card.weights_sha256:
        raise WeightsRefusedError(
            f"{card.model_id}: the weights' SHA-256 is {found}, the card says {card.weights_sha256}. Restore the file."
        )
    try:
        state = load_file(path)
    except SafetensorError as error:
        raise WeightsRefusedError(f"{card.model_id}: {path.name} is not a safetensors file ({error}).") from error
    try:
        network = build_network(card.architecture)
    except ValueError as error:
        raise WeightsRefusedError(f"{card.model_id}: {error}") from error
    _check_keys(card.model_id, network, state)
    network.load_state_dict(
        {key: value.float() if value.is_floating_point() else value for key, value in state.items()}
    )
    return network.eval().requires_grad_(False)


def _check_keys(model_id: str, network: nn.Module, state: dict[str, torch.Tensor]) -> None:
    expected = network.state_dict()
    problems = [f"missing {key}" for key in expected if key not in state]
    problems += [f"unexpected {key}" for key in state if key not in expected]
    problems += [
        f"{key} is {tuple(state[key].shape)}, expected {tuple(value.shape)}"
        for key, value in expected.items()
        if key in state and state[key].shape != value.shape
    ]
    if problems:
        shown = "; ".join(problems[:12]) + (f"; and {len(problems) - 12} more" if len(problems) > 12 else "")
        raise WeightsRefusedError(f"{model_id}: the weights do not fit the architecture: {shown}.")


def save_weights(network: nn.Module, path: Path) -> str:
    """Write a network as fp16 safetensors; returns the file's SHA-256. Whole-number buffers keep their type."""
    state = {
        key: (value.half() if value.is_floating_point() else value).detach().cpu().contiguous()
        for key, value in network.state_dict().items()
    }
    save_file(state, path)
    return file_sha256(path)


@cache
def _hash_of(path: Path, size: int, modified_ns: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def file_sha256(path: Path) -> str:
    """SHA-256 of a file, recomputed whenever its size or modification time changes."""
    status = path.stat()
    return _hash_of(path, status.st_size, status.st_mtime_ns)
