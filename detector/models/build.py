"""From an architecture table to a network."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

from torch import nn

Builder = TypeVar("Builder", bound=Callable[..., nn.Module])

ARCHITECTURES: Final[dict[str, Callable[..., nn.Module]]] = {}
"""Every network that a card or a config may name, filled by `architecture`."""


def architecture(name: str) -> Callable[[Builder], Builder]:
    """Register a network class, or a function that builds one, under the `kind` of its architecture table.

    Raises ValueError for a name that is taken.
    """

    def register(builder: Builder) -> Builder:
        if name in ARCHITECTURES:
            raise ValueError(f"the architecture {name!r} is registered already")
        ARCHITECTURES[name] = builder
        return builder

    return register


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
