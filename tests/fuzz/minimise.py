"""The smallest part of a list of edits that still makes a file at which the program stumbles, kept as a fixture."""

from __future__ import annotations

import lzma
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.fuzz.corpus import Edit, Specimen, edited

CRASHES = Path(__file__).with_name("crashes")
MAX_TRIALS = 80


def fewest(edits: Sequence[Edit], stumbles: Callable[[tuple[Edit, ...]], bool]) -> tuple[Edit, ...]:
    """A subset of `edits`, in order, that `stumbles` and of which no part can be left out (Zeller and Hildebrandt,
    "Simplifying and Isolating Failure-Inducing Input", 2002), as far as `MAX_TRIALS` trials lead."""
    kept, parts, trials = tuple(edits), 2, 0
    while kept and trials < MAX_TRIALS:
        step = max(1, len(kept) // parts)
        for start in range(0, len(kept), step):
            fewer = kept[:start] + kept[start + step :]
            trials += 1
            if stumbles(fewer):
                kept, parts = fewer, max(2, parts - 1)
                break
        else:
            if step == 1:
                break
            parts = min(len(kept), 2 * parts)
    return kept


def shortest(source: bytes, edits: tuple[Edit, ...], stumbles: Callable[[tuple[Edit, ...]], bool]) -> tuple[Edit, ...]:
    """`edits` and a cut behind them that leaves as little of the file as `stumbles`, by halves."""
    low, high = 0, len(edited(source, edits))
    cut = edits
    while high - low > max(1, high // 16):
        middle = (low + high) // 2
        shorter = (*edits, Edit(middle, len(source) + high, b""))
        if stumbles(shorter):
            high, cut = middle, shorter
        else:
            low = middle
    return cut


def keep(specimen: Specimen, edits: tuple[Edit, ...], folder: Path = CRASHES) -> Path:
    """Write the file as `<seed>-<name>.xz`; tests/fuzz/test_fuzz.py tries it from then on."""
    folder.mkdir(exist_ok=True)
    path = folder / f"{specimen.seed}-{specimen.name}.xz"
    path.write_bytes(lzma.compress(edited(specimen.source, edits), preset=9))
    return path


def read(kept: Path, folder: Path) -> Path:
    """Unpack a fixture under its submitter's name."""
    path = folder / kept.stem.partition("-")[2]
    path.write_bytes(lzma.decompress(kept.read_bytes()))
    return path
