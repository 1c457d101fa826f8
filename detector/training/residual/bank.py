"""Regions of clips at their own pixels: planes as the decoder gave them, never resized, in one flat file.

Of each clip some moments of three consecutive frames are kept: a region around the face, at one place in its frames, so
that they can be compressed again as a clip is. Pixels are kept as YUV 4:2:0, which is what nearly every clip holds: RGB
would interpolate the colour planes.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from detector.faces.types import Box


class Planes(NamedTuple):
    """A 4:2:0 picture with even sides: `y` (H, W), `uv` (2, H/2, W/2), uint8."""

    y: NDArray[np.uint8]
    uv: NDArray[np.uint8]

    def cut(self, x0: int, y0: int, width: int, height: int) -> Planes:
        """A part as views; all four are even."""
        down, across = slice(y0 // 2, (y0 + height) // 2), slice(x0 // 2, (x0 + width) // 2)
        return Planes(self.y[y0 : y0 + height, x0 : x0 + width], self.uv[:, down, across])

    @classmethod
    def of_flat(cls, flat: NDArray[np.uint8], height: int, width: int) -> Planes:
        """From the planes one after another, as video libraries have them."""
        y, uv = np.split(flat.reshape(-1), [height * width])
        return cls(y.reshape(height, width), uv.reshape(2, height // 2, width // 2))

    def flat(self) -> NDArray[np.uint8]:
        """(3/2 · H, W): the planes one after another."""
        return np.concatenate([self.y.ravel(), self.uv.ravel()]).reshape(-1, self.y.shape[1])


@dataclass(frozen=True, slots=True)
class Piece:
    """A region with its pixels: `face` (x0, y0, x1, y1) in pixels of the region."""

    moment: int
    face: Box
    frames: list[Planes]


@dataclass(frozen=True, slots=True)
class Region:
    """Where the `frames` of a piece lie in the bank's file."""

    moment: int
    face: Box
    offset: int
    frames: int
    height: int
    width: int

    @property
    def size(self) -> int:
        """Bytes."""
        return self.frames * self.height * self.width * 3 // 2


class Bank:
    """`pixels.bin` and `clips.jsonl` of one folder: one line a clip, written only after its pixels are."""

    def __init__(self, folder: Path) -> None:
        self._pixels, self._table = folder / "pixels.bin", folder / "clips.jsonl"

    def regions(self) -> dict[str, tuple[Region, ...]]:
        """The regions of each clip by its id; a clip in which nothing was found has none."""
        if not self._table.is_file():
            return {}
        rows = [json.loads(line) for line in self._table.read_text(encoding="utf-8").splitlines() if line.endswith("}")]
        return {row["id"]: tuple(map(_region, row["regions"])) for row in rows}

    def open(self) -> NDArray[np.uint8]:
        """The pixels of all regions, (bytes,) uint8, mapped."""
        if not self._pixels.is_file() or not self._pixels.stat().st_size:
            return np.zeros(0, np.uint8)
        return np.memmap(self._pixels, np.uint8, "r")

    def add(self, clips: Iterable[tuple[str, Iterable[Piece]]]) -> None:
        """Add clips, each with its pieces. What an interrupted call left behind the last whole clip is written over."""
        known = self.regions()
        self._pixels.parent.mkdir(parents=True, exist_ok=True)
        whole = self._table.with_name(f".{self._table.name}.partial")
        whole.write_text("".join(_line(name, found) for name, found in known.items()), encoding="utf-8")
        os.replace(whole, self._table)
        end = max((item.offset + item.size for found in known.values() for item in found), default=0)
        self._pixels.touch()
        with self._pixels.open("r+b") as file, self._table.open("a", encoding="utf-8") as table:
            file.truncate(end)
            file.seek(end)
            for name, pieces in clips:
                regions = []
                for piece in pieces:
                    height, width = piece.frames[0].y.shape
                    regions.append(Region(piece.moment, piece.face, file.tell(), len(piece.frames), height, width))
                    for planes in piece.frames:
                        file.write(planes.flat().tobytes())
                file.flush()
                table.write(_line(name, regions))
                table.flush()


def frames_of(pixels: NDArray[np.uint8], region: Region) -> list[Planes]:
    """The frames of a region as views of the bank."""
    flat = pixels[region.offset : region.offset + region.size].reshape(region.frames, -1)
    return [Planes.of_flat(frame, region.height, region.width) for frame in flat]


def _line(name: str, regions: Iterable[Region]) -> str:
    return json.dumps({"id": name, "regions": [asdict(region) for region in regions]}) + "\n"


def _region(row: dict[str, Any]) -> Region:
    return Region(**{**row, "face": tuple(row["face"])})
