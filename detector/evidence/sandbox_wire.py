"""Messages between a process and the child that reads hostile files for it: pickles, with arrays beside them.

What comes from the child is not trusted: only the types that answers are made of are ever built from it.
"""

from __future__ import annotations

import io
import pickle  # nosec B403
import struct
from collections.abc import Callable
from dataclasses import is_dataclass
from importlib import import_module
from typing import IO, Any, NamedTuple

from detector.errors import FramewitnessError

# More than any answer: the largest picture has 600 MB.
_MAX_BYTES = 1_000_000_000
_MAX_PARTS = 10_000
_PLAIN = {
    ("fractions", "Fraction"),
    ("pathlib", "PosixPath"),
    ("pathlib", "WindowsPath"),
    ("datetime", "datetime"),
    ("datetime", "timedelta"),
    ("datetime", "timezone"),
    ("numpy", "dtype"),
    ("numpy", "ndarray"),
    *((f"numpy.{core}.numeric", "_frombuffer") for core in ("core", "_core")),
    *((f"numpy.{core}.multiarray", name) for core in ("core", "_core") for name in ("_reconstruct", "scalar")),
}


class Request(NamedTuple):
    """What a child is asked to do: to call `function`, and with `streams` to send what its iterator yields one by one.

    `seconds` is for the call, or for each item; relative paths are those of `folder`.
    """

    function: Callable[..., Any]
    arguments: tuple[Any, ...]
    named: dict[str, Any]
    seconds: float
    folder: str
    streams: bool


def send(stream: IO[bytes], message: object) -> None:
    """Write one message. Raises OSError where the other side is gone."""
    buffers: list[pickle.PickleBuffer] = []
    parts: list[bytes | memoryview] = [pickle.dumps(message, protocol=5, buffer_callback=buffers.append)]
    parts += [buffer.raw() for buffer in buffers]
    stream.write(struct.pack(f">Q{len(parts)}Q", len(parts), *(len(part) for part in parts)))
    for part in parts:
        stream.write(part)
    stream.flush()


def receive(stream: IO[bytes], *, trusted: bool) -> Any:
    """Read one message. Raises EOFError where the other side is gone, pickle.UnpicklingError for what is none."""
    (count,) = struct.unpack(">Q", _read(stream, 8))
    if not 0 < count <= _MAX_PARTS:
        raise pickle.UnpicklingError("a message of too many parts")
    sizes = struct.unpack(f">{count}Q", _read(stream, 8 * count))
    if sum(sizes) > _MAX_BYTES:
        raise pickle.UnpicklingError("a message that is too large")
    body, *buffers = [_read(stream, size) for size in sizes]
    try:
        return (pickle.Unpickler if trusted else _Unpickler)(io.BytesIO(body), buffers=buffers).load()
    except Exception as error:  # a made-up message can fail in any way at all
        raise pickle.UnpicklingError(f"a message that nothing can be built from ({error!r:.200})") from error


class _Unpickler(pickle.Unpickler):
    """Builds dataclasses of evidence, deliberate errors, numbers, times and arrays, and nothing else."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) in _PLAIN:
            return super().find_class(module, name)
        if module == "detector.errors" or module.startswith("detector.evidence."):
            found = getattr(import_module(module), name, None)
            if isinstance(found, type) and found.__module__ == module and _is_plain(found):
                return found
        raise pickle.UnpicklingError(f"{module}.{name} is no part of an answer")


def _is_plain(found: type) -> bool:
    return is_dataclass(found) or issubclass(found, FramewitnessError)


def _read(stream: IO[bytes], size: int) -> bytearray:
    content = bytearray(size)
    view = memoryview(content)
    done = 0
    while done < size:
        got = stream.readinto(view[done:])  # type: ignore[attr-defined]
        if not got:
            raise EOFError
        done += got
    return content
