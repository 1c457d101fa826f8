"""A network and fixed inputs -> the same network, converted once, checked against torch and run faster on a CPU."""

from detector.runtime.choice import TORCH, Runtime, chosen_runtime, installed, torch_runtime, version_of
from detector.runtime.compiled import CompiledNetwork
from detector.runtime.convert import compiled

__all__ = [
    "TORCH",
    "CompiledNetwork",
    "Runtime",
    "chosen_runtime",
    "compiled",
    "installed",
    "torch_runtime",
    "version_of",
]
