"""Which runtime computes the networks: what was asked for, what is there, and what it came to."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cache
from importlib import metadata

from detector.errors import SettingsError
from detector.settings import RUNTIME_VARIABLE, RUNTIMES

TORCH, HALF, ONNXRUNTIME, OPENVINO = "torch", "half", "onnxruntime", "openvino"


@dataclass(frozen=True, slots=True)
class Runtime:
    """What computes a network: `name` and `version`. `asked` is what was to compute it (`chosen_runtime`); where that
    is another, `reason` says in a sentence why it does not."""

    name: str
    version: str
    asked: str
    reason: str | None = None

    @property
    def words(self) -> str:
        """Name and version, "onnxruntime 1.32.0"."""
        return f"{self.name} {self.version}"


@cache
def version_of(name: str) -> str | None:
    """The version of a runtime, None where it is not installed."""
    try:
        return metadata.version(TORCH if name == HALF else name)
    except metadata.PackageNotFoundError:
        return None


def installed(name: str) -> bool:
    """Whether there is a runtime of that name here."""
    return name in RUNTIMES and version_of(name) is not None


def torch_runtime(asked: str = TORCH, reason: str | None = None) -> Runtime:
    """Torch, which computes a network that nothing else does."""
    return Runtime(TORCH, version_of(TORCH) or "unknown", asked, reason)


def chosen_runtime(asked: str | None, device_type: str) -> str:
    """The runtime for networks on a device, of `RUNTIMES` but `auto`: `asked`, by default what the environment's
    FRAMEWITNESS_RUNTIME asks for, by default `auto`. Torch alone runs on other devices than a CPU:
    at half precision where nothing else is asked for by name; on a CPU it never does.

    Raises SettingsError for a runtime that there is not, and for one asked for by its name that is not installed.
    """
    name = asked or os.environ.get(RUNTIME_VARIABLE) or "auto"
    if name not in RUNTIMES:
        where = "runtime" if asked else RUNTIME_VARIABLE
        raise SettingsError(f"{where}: expected one of {', '.join(RUNTIMES)}, found {name!r}.")
    if name not in ("auto", TORCH) and version_of(name) is None:
        raise SettingsError(f"The runtime {name!r} is not installed. Install it, or set {RUNTIME_VARIABLE}=torch.")
    if device_type != "cpu":
        return HALF if name in ("auto", HALF) else TORCH
    if name in (TORCH, HALF):
        return TORCH
    if name == "auto":
        return ONNXRUNTIME if version_of(ONNXRUNTIME) else TORCH
    return name
