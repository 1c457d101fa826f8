"""Bundles as an adversary or a bad disk would make them."""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any


def members(bundle: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(bundle) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def write(target: Path, content: dict[str, bytes], *, stored: bool = True, relist: bool = True) -> Path:
    """A zip of the members; with `relist` the manifest tells the truth about them."""
    if relist:
        listed = [
            {"name": name, "sha256": hashlib.sha256(data).hexdigest(), "size_bytes": len(data)}
            for name, data in content.items()
            if name != "manifest.json"
        ]
        content = {**content, "manifest.json": json.dumps({"members": listed}).encode()}
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in content.items():
            way = zipfile.ZIP_STORED if stored and name.startswith("input/") else zipfile.ZIP_DEFLATED
            archive.writestr(zipfile.ZipInfo(name), data, compress_type=way)
    return target


def edited(bundle: Path, target: Path, member: str, change: Callable[[Any], None]) -> Path:
    """The bundle with one JSON member changed and the manifest made to fit."""
    content = members(bundle)
    value = json.loads(content[member])
    change(value)
    content[member] = json.dumps(value).encode()
    return write(target, content)
