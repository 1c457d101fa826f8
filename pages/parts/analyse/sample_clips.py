"""The clips shipped with the program, for trying it without a video of one's own."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Final

LABELS: Final = ("genuine", "manipulated", "animated")
_FOLDER = Path(__file__).resolve().parents[3] / "assets" / "samples"


@dataclass(frozen=True, slots=True)
class SampleClip:
    """A clip whose truth is known, because the program made it; `label` is one of `LABELS`."""

    path: Path
    label: str
    truth: str


def available(folder: Path = _FOLDER) -> tuple[SampleClip, ...]:
    """The clips of a known label that `samples.json` lists and that are there; empty without a list."""
    listing = folder / "samples.json"
    if not listing.is_file():
        return ()
    clips = []
    for entry in json.loads(listing.read_text(encoding="utf-8")):
        path = folder / Path(entry["file"]).name
        if entry["label"] not in LABELS or not path.is_file():
            continue
        clips.append(SampleClip(path, entry["label"], f"{entry['truth']}. {entry['source']}."))
    return tuple(clips)
