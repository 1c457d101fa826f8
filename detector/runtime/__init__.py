"""A network and fixed inputs -> the same network, converted once, checked against torch and run faster on a CPU."""

from detector.runtime.choice import RUNTIMES, TORCH, Runtime, chosen_runtime, torch_runtime
from detector.runtime.compiled import CompiledNetwork
from detector.runtime.convert import compiled

__all__ = [
    "RUNTIMES",
    "TORCH",
    "CompiledNetwork",
    "Runtime",
    "chosen_runtime",
    "compiled",
    "torch_runtime",
]
