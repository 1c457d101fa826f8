"""A network and fixed inputs -> the same network, converted once, checked against torch and run faster on a CPU."""

from detector.runtime.choice import HALF, TORCH, Runtime, chosen_runtime, installed, torch_runtime, version_of
from detector.runtime.compiled import CompiledNetwork
from detector.runtime.convert import compiled
from detector.runtime.half import HalfNetwork, at_half_precision

__all__ = [
    "HALF",
    "TORCH",
    "CompiledNetwork",
    "HalfNetwork",
    "Runtime",
    "at_half_precision",
    "chosen_runtime",
    "compiled",
    "installed",
    "torch_runtime",
    "version_of",
]
