"""The preferences of this machine's examiner, kept in the program's home beside the cases; no part of any record."""

from __future__ import annotations

import json
import os
from pathlib import Path

from pages.parts.shared import services

_FILE = "preferences.json"


def default_models() -> tuple[str, ...]:
    """The ids chosen as one's own default; empty where none was chosen or the file cannot be read."""
    try:
        values = json.loads(_path().read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return ()
    listed = values.get("default_models") if isinstance(values, dict) else None
    return tuple(item for item in listed if isinstance(item, str)) if isinstance(listed, list) else ()


def keep_default_models(model_ids: tuple[str, ...]) -> None:
    """Replace the choice; an empty one goes back to the shipped default. Raises OSError where it cannot be written."""
    path = _path()
    unfinished = path.with_suffix(f".{os.getpid()}.unfinished")
    unfinished.write_text(json.dumps({"default_models": list(model_ids)}, indent=2) + "\n", encoding="utf-8")
    os.replace(unfinished, path)


def _path() -> Path:
    return services.current().home / _FILE
