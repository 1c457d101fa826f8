"""The machine and libraries of an analysis: recorded with it, because floating point differs between machines and
versions."""

from __future__ import annotations

import platform
import sys
from collections.abc import Iterable
from functools import cache
from importlib import metadata
from pathlib import Path

# The packages whose code has a part in the numbers, or in what is said of the file.
PACKAGES = (
    "torch",
    "torchvision",
    "timm",
    "onnxruntime",
    "numpy",
    "scipy",
    "opencv-python",
    "mediapipe",
    "av",
    "pillow",
    "c2pa-python",
)


def environment(devices: Iterable[str] = ()) -> dict[str, str]:
    """Name -> value, both text, of what can change the last digits: interpreter, processor, libraries, threads, device.

    `devices` are those the models ran on. It names no person, host or folder.
    """
    return {
        **_machine(),
        **_torch_state(),
        "devices": ", ".join(sorted(set(devices))) or "none",
        **_libraries(),
    }


def _machine() -> dict[str, str]:
    return {
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "system": platform.system(),
        "machine": platform.machine(),
        "processor": _processor(),
    }


def _torch_state() -> dict[str, str]:
    torch = sys.modules.get("torch")  # an analysis without torch must not pay seconds to import it
    if torch is None:
        return {}
    found = {"torch threads": str(torch.get_num_threads()), "instructions": torch.backends.cpu.get_cpu_capability()}
    if torch.cuda.is_available():
        found["gpu"] = torch.cuda.get_device_name()
        found["cuda"] = str(torch.version.cuda)
    return found


@cache
def library_versions() -> dict[str, str]:
    """Name -> version of the packages whose code has a part in the numbers."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found


def _libraries() -> dict[str, str]:
    found = dict(library_versions())
    if av := sys.modules.get("av"):
        found |= {name: ".".join(map(str, version)) for name, version in sorted(av.library_versions.items())}
    return found


@cache
def _processor() -> str:
    """The processor's name: `platform.processor` is empty or just the architecture on Linux."""
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass  # not Linux
    return platform.processor() or "not stated"
