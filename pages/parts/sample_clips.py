"""The clips shipped with the program, for trying it without a video of one's own."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

_FOLDER = Path(__file__).resolve().parents[2] / "assets" / "samples"


@dataclass(frozen=True, slots=True)
class SampleClip:
    path: Path
    title: str
    description: str


def available(folder: Path = _FOLDER) -> tuple[SampleClip, ...]:
    """The clips that `samples.json` lists and that are there; empty where the folder holds no list."""
    listing = folder / "samples.json"
    if not listing.is_file():
        return ()
    entries = json.loads(listing.read_text(encoding="utf-8"))["samples"]
    clips = [
        SampleClip(folder / Path(entry["file"]).name, entry["title"], entry.get("description", "")) for entry in entries
    ]
    return tuple(clip for clip in clips if clip.path.is_file())
