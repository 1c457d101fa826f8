"""The processor that a run computes on, and in what precision."""

from __future__ import annotations

import re

import torch

from detector.errors import SettingsError


def training_device(name: str) -> str:
    """The device by torch's name: "cpu", "cuda" or "cuda:1"; "auto" is the GPU where there is one.

    Raises:
        SettingsError: for any other name, and where there is no such GPU.
    """
    if not re.fullmatch(r"auto|cpu|cuda(:\d+)?", name):
        raise SettingsError(f"--device: expected auto, cpu, cuda or cuda:N, found {name!r}.")
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if name == "auto":
        return "cuda" if count else "cpu"
    kind, _, number = name.partition(":")
    if kind == "cuda" and int(number or 0) >= count:
        raise SettingsError(f"--device {name}: torch finds {count} CUDA devices here. Use --device cpu or auto.")
    return name


def emulates_bfloat16(kind: str) -> bool:
    """Whether devices of this kind ("cpu", "cuda") compute bfloat16 in software, which takes many times as long as
    float32: processors without AVX-512 do."""
    return kind == "cpu" and not torch.backends.cpu.get_cpu_capability().startswith("AVX512")
