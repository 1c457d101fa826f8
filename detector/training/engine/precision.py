"""What training may compute in on the processor at hand."""

from __future__ import annotations

import torch


def emulates_bfloat16(kind: str) -> bool:
    """Whether devices of this kind ("cpu", "cuda") compute bfloat16 in software, which takes many times as long as
    float32: processors without AVX-512 do."""
    return kind == "cpu" and not torch.backends.cpu.get_cpu_capability().startswith("AVX512")
