"""A converted network, opened by its runtime: arrays in, arrays out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from detector.runtime.choice import ONNXRUNTIME, OPENVINO, Runtime, version_of

INPUT: Final = "pictures"
# The networks of an analysis run beside each other, in a thread each: one thread within a network keeps two cores full
# without handing work over, and its sums do not depend on how many cores there are.
THREADS_WITHIN: Final = 1
PICTURES_AT_ONCE: Final = 4
"""Of a larger batch so many go through a network together: what a layer computes of them stays in a core's cache. With
32 at once the shipped networks take up to a sixth longer, and an analysis 1.4 GB more memory."""

_Run = Callable[[NDArray[np.uint8], Sequence[str]], Sequence[NDArray[np.float32]]]


class CompiledNetwork:
    """A network that `runtime` computes. Several threads may call it at once. Equal batches give equal bits."""

    def __init__(self, onnx: bytes, runtime: Runtime) -> None:
        """Open `onnx`, a network in that form. Raises whatever the runtime raises for one that it cannot run."""
        self.runtime = runtime
        self._run: _Run = _OPENERS[runtime.name](onnx)

    def __call__(self, pictures: NDArray[np.uint8], names: Sequence[str]) -> Mapping[str, NDArray[np.float32]]:
        """The outputs `names` of (N, …) uint8 pictures, N from 1 up, (N, …) float32 each."""
        pictures = np.ascontiguousarray(pictures)
        starts = range(0, len(pictures), PICTURES_AT_ONCE)
        parts = [self._run(pictures[start : start + PICTURES_AT_ONCE], names) for start in starts]
        return {name: np.concatenate(found) for name, found in zip(names, zip(*parts, strict=True), strict=True)}


def _open_onnxruntime(onnx: bytes) -> _Run:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = THREADS_WITHIN
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.enable_cpu_mem_arena = False  # an arena keeps the largest batch's memory for each network
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(onnx, options, providers=["CPUExecutionProvider"])

    def run(pictures: NDArray[np.uint8], names: Sequence[str]) -> Sequence[NDArray[np.float32]]:
        found: list[NDArray[np.float32]] = session.run(list(names), {INPUT: pictures})
        return found

    return run


def _open_openvino(onnx: bytes) -> _Run:
    import openvino

    core: Any = openvino.Core()
    settings = {"INFERENCE_NUM_THREADS": THREADS_WITHIN, "INFERENCE_PRECISION_HINT": "f32"}
    network: Any = core.compile_model(core.read_model(onnx, b""), "CPU", settings)

    def run(pictures: NDArray[np.uint8], names: Sequence[str]) -> Sequence[NDArray[np.float32]]:
        request = network.create_infer_request()  # one a call: a request serves one thread
        found = request.infer({INPUT: pictures})
        return [np.array(found[name]) for name in names]

    return run


_OPENERS: Final[dict[str, Callable[[bytes], _Run]]] = {ONNXRUNTIME: _open_onnxruntime, OPENVINO: _open_openvino}


def runtime_named(name: str) -> Runtime:
    """The installed runtime of that name, which a network can be opened by. Raises KeyError for any other."""
    version = version_of(name)
    if name not in _OPENERS or version is None:
        raise KeyError(name)
    return Runtime(name, version, name)
