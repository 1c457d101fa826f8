"""The synthesised suite: genuine clips of a portrait under a moving camera, and their manipulated twins.

Every genuine clip has a camera of its own, and goes through a transmission of its own (size, light, noise, an earlier
compression) before its twins are made of it, so that none of these gives the label away.
"""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from detector.errors import SettingsError
from detector.evidence import hash_file
from detector.synthesis.catalogue import Request, changes_something, lacking, make
from detector.synthesis.clips import draw_transmission
from detector.synthesis.sources import Source, read_source
from detector.synthesis.twin_files import TwinWriter, write_manifest
from detector.validation.documents import SourceSpec, SuiteSpec


def make_suite(spec: SuiteSpec, folder: Path, on_source: Callable[[int, int], None]) -> None:
    """Write the clips and `manifest.csv` into a folder; a suite that lies there whole is left as it is.

    `on_source(done, total)` is told after each genuine clip with its twins. Raises SettingsError for a manipulation
    that cannot be made of a portrait, or would change next to nothing.
    """
    if is_whole(folder):
        return
    folder.mkdir(parents=True, exist_ok=True)
    rows: list[dict[str, object]] = []
    for number, one in enumerate(spec.sources, 1):
        source = _source(spec, one)
        writer = TwinWriter(folder, source, seed=one.seed, crf=one.crf, jpeg_quality=None)
        for kind in one.twins:
            request = Request(source, spec.strength, one.seed)
            if why := lacking(kind, request):
                raise SettingsError(f"The synthesised suite cannot have {kind!r}: {why}.")
            twins = make(kind, request)
            if not changes_something(twins):
                raise SettingsError(f"{kind!r} would change next to nothing with the seed {one.seed}. Give another.")
            writer.write(kind, twins)
        rows += writer.rows
        on_source(number, len(spec.sources))
    write_manifest(folder, rows)


def is_whole(folder: Path) -> bool:
    """Whether a manifest lies there, and every clip that it names has the SHA-256 that it says."""
    manifest = folder / "manifest.csv"
    if not manifest.is_file():
        return False
    with manifest.open(newline="", encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines))
    return bool(rows) and all(
        (folder / row["file"]).is_file() and hash_file(folder / row["file"])[0] == row["sha256"] for row in rows
    )


def _source(spec: SuiteSpec, one: SourceSpec) -> Source:
    found = read_source(None, seconds=spec.seconds, size_px=one.size_px, seed=one.seed)
    clip = draw_transmission(found.clip, np.random.default_rng(one.seed))(found.clip)
    return replace(found, name=f"portrait-{one.seed:02d}", clip=clip)
