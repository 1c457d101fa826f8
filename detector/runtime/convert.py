"""From a torch module to a network of another runtime: once, checked, kept."""

from __future__ import annotations

import copy
import hashlib
import io
import json
import logging
import threading
import warnings
from collections.abc import Mapping
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any, Final

import torch

import detector.models
from detector.models.readings import Reading
from detector.runtime.check import difference
from detector.runtime.choice import TORCH, Runtime, torch_runtime, version_of
from detector.runtime.compiled import INPUT, CompiledNetwork, runtime_named
from detector.runtime.kept import keep, read_kept

_OPSET: Final = 17
_LOG = logging.getLogger(__name__)
_ONE_AT_A_TIME = threading.Lock()  # torch's exporter keeps its state in globals


def compiled(reading: Reading, made_of: Mapping[str, Any], runtime: str) -> tuple[CompiledNetwork | None, Runtime]:
    """`reading`, in evaluation mode on the CPU, as the runtime of that name computes it, and that runtime; or None and
    torch with the reason why. `made_of` is all that the network depends on but this program's code: its id, weights,
    architecture and crop, as JSON values.

    It is converted and checked against torch on fixed inputs where no network made of the same is kept (`kept`). One
    that fails its check is never used.
    """
    if runtime == TORCH:
        return None, torch_runtime()
    now, name = runtime_named(runtime), made_of.get("model_id", "a network")
    key = _key(made_of, now)
    with _ONE_AT_A_TIME:
        if (kept := read_kept(key)) is not None:
            try:
                return CompiledNetwork(kept, now), now
            except Exception as error:  # whatever another library raises, it is made anew
                _LOG.warning("%s kept for %s cannot be opened and is made anew: %s", name, now.words, error)
        try:
            onnx = to_onnx(reading)
            network = CompiledNetwork(onnx, now)
            furthest, reason = difference(network, reading)
            if reason is not None:
                _LOG.warning("%s is not run by %s: %s", name, now.words, reason)
        except Exception as error:  # an architecture may be anything, and torch still runs it
            reason = "it could not be converted"
            _LOG.warning("%s is not run by %s: %s", name, now.words, error)
        if reason is not None:
            told = f"{name} was run by torch and not by {now.words}: {reason}."
            return None, torch_runtime(runtime, told)
        try:
            keep(key, onnx, furthest=furthest, made_of=f"{name}, {now.words}, torch {version_of(TORCH)}")
        except OSError as error:
            _LOG.warning("%s was converted for %s, but cannot be kept for the next time: %s", name, now.words, error)
    return network, now


def to_onnx(reading: Reading) -> bytes:
    """`reading` in ONNX form, the number of pictures left open. Raises what torch's exporter raises for what it cannot
    convert."""
    # The exporter rewrites what it traces; the layout of weights is a matter of torch alone.
    traced = copy.deepcopy(reading).to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    pictures = torch.randint(
        0, 256, (2, *reading.picture_shape), dtype=torch.uint8, generator=torch.Generator().manual_seed(0)
    )
    written = io.BytesIO()
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of constants in the trace: the check finds what they break
        torch.onnx.export(
            traced,
            (pictures,),
            written,  # type: ignore[arg-type]
            dynamo=False,
            opset_version=_OPSET,
            input_names=[INPUT],
            output_names=list(reading.names),
            dynamic_axes={name: {0: "count"} for name in (INPUT, *reading.names)},
        )
    return written.getvalue()


def _key(made_of: Mapping[str, Any], runtime: Runtime) -> str:
    """32 hex digits of all that the converted network depends on: what it is made of, the runtime, torch and timm, and
    the code of networks and of the conversion."""
    parts = {
        "made_of": made_of,
        "runtime": runtime.words,
        "torch": version_of(TORCH),
        "timm": metadata.version("timm"),
        "code": _code_sha256(),
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:32]


@cache
def _code_sha256() -> str:
    total = hashlib.sha256()
    for package in (Path(detector.models.__file__).parent, Path(__file__).parent):
        for path in sorted(package.rglob("*.py")):
            total.update(hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest()
