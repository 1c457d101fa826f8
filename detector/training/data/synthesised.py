"""Manipulated twins of genuine validation clips, as files: ensembles are fitted to them where real deepfakes are few.

They go through the whole analysis like any other file. Twins share picture, sound and compression.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import pandas as pd
from torch import nn

from detector.errors import EvidenceError
from detector.synthesis.catalogue import Request, changes_something, lacking, make
from detector.synthesis.sources import Source, read_source
from detector.synthesis.twin_files import TwinWriter, write_manifest
from detector.training.engine.progress import tracked

SECONDS: Final = 4.0
_CRFS: Final = (18, 23, 28)


def write_twins(
    clips: pd.DataFrame, data_root: Path, folder: Path, kinds: Sequence[str], networks: Sequence[nn.Module]
) -> pd.DataFrame:
    """Four seconds of each genuine video of `clips` (columns file, group, source) and its twins of `kinds` in `folder`;
    returns their manifest with absolute paths, each clip under the group and source it comes from.

    People swapped in are those of the next clip. What is there is kept. Kinds that a clip cannot give, and clips
    without a face that stays, are left out.
    """
    folder.mkdir(parents=True, exist_ok=True)
    rows = list(clips.to_dict("records"))
    tables = []
    for number, row in enumerate(tracked(rows, "synthesising twins of validation clips")):
        own = folder / f"{number:03d}"
        path = own / "manifest.csv"
        if not path.is_file():
            others = [other for other in (*rows[number + 1 :], *rows[:number]) if other["group"] != row["group"]]
            _write(data_root / row["file"], [data_root / other["file"] for other in others], own, kinds, networks)
        table = pd.read_csv(path, dtype=str).fillna("")
        table["file"] = [str((own / file).resolve()) for file in table["file"]]
        tables.append(table.assign(group=row["group"], source=row["source"]))
    return pd.concat(tables, ignore_index=True)


def _write(path: Path, donors: Sequence[Path], own: Path, kinds: Sequence[str], networks: Sequence[nn.Module]) -> None:
    own.mkdir(exist_ok=True)
    source = _read(path)
    rows: list[dict[str, object]] = []
    if source is not None:
        donor = next((one for one in map(_read, donors) if one is not None), None)
        # Chosen by the clip, so that twins share it and the label does not.
        crf = _CRFS[int(source.sha256[:8], 16) % len(_CRFS)]
        writer = TwinWriter(own, source, seed=0, crf=crf, jpeg_quality=None)
        request = Request(source, 1.0, 0, donor, networks)
        for kind in kinds:
            if lacking(kind, request) is None and changes_something(twins := make(kind, request)):
                writer.write(kind, twins)
        rows = writer.rows
    write_manifest(own, rows)


def _read(path: Path) -> Source | None:
    try:
        return read_source(path, seconds=SECONDS)
    except EvidenceError:
        return None
