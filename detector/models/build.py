"""From an architecture table to a network."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from torch import nn

from detector.models.audiovisual import AudioVisualNet
from detector.models.frame import FrameNet
from detector.models.fusion import build_fusion
from detector.models.hybrid import HybridNet
from detector.models.recurrent import RecurrentNet
from detector.models.sequence import TransformerNet
from detector.models.specialists import SpecialistsNet
from detector.models.texture import TextureNet

ARCHITECTURES: Final[dict[str, Callable[..., nn.Module]]] = {
    "frame": FrameNet,
    "audiovisual": AudioVisualNet,
    "specialists": SpecialistsNet,
    "ensemble": build_fusion,
    "lstm": RecurrentNet,
    "hybrid": HybridNet,
    "transformer": TransformerNet,
    "texture": TextureNet,
}


def build_network(architecture: Mapping[str, Any]) -> nn.Module:
    """Build the network that `architecture` describes: `kind` names the class, the rest are its arguments.

    Raises ValueError for an unknown kind or argument, naming it.
    """
    options = dict(architecture)
    kind = options.pop("kind", None)
    if kind not in ARCHITECTURES:
        raise ValueError(f"unknown architecture {kind!r}; known: {', '.join(sorted(ARCHITECTURES))}")
    try:
        return ARCHITECTURES[kind](**options)
    except TypeError as error:
        raise ValueError(f"architecture {kind!r}: {error}") from error
