"""The tables of labelled files: a folder's own `manifest.csv`, and that of the pool of real generators in it."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pandas as pd

from detector.errors import SettingsError

EXTENDED: Final = "extended"
FAMILIES: Final = ("swap", "lipsync", "animation", "whole")
_NEEDED: Final = ("file", "label", "kind", "use", "group")
_TEXT: Final = ("source", "manipulation", "family", "generator", "crop_x0", "crop_x1", "audio", "label_trust")


def read_manifest(data_root: Path, *, extended: bool = False) -> pd.DataFrame:
    """The rows of `data_root/manifest.csv`, all as text with "" where nothing is said; with `extended` also those of
    `data_root/extended/manifest.csv`, where there is one, or only those where the folder has no manifest of its own.

    Columns besides the file's own: `file` relative to `data_root`; `pool`, "" or "extended", the table that a row is
    from; `source`, where the file was published (the extended pool's `repo`); `family` one of `FAMILIES` for deepfake
    videos, "" for everything else; `generator`; `crop_x0` and `crop_x1`, the columns of the picture to cut to, where
    the file shows original and deepfake side by side. Raises SettingsError for a table without the needed columns.
    """
    tables = []
    for pool in ("", EXTENDED) if extended else ("",):
        path = data_root / pool / "manifest.csv"
        if pool and not path.is_file():
            continue
        if not pool and extended and not path.is_file() and (data_root / EXTENDED / "manifest.csv").is_file():
            continue
        tables.append(_read(path, pool))
    return pd.concat(tables, ignore_index=True).fillna("")


def _read(path: Path, pool: str) -> pd.DataFrame:
    try:
        table = pd.read_csv(path, dtype=str).fillna("")
    except FileNotFoundError:
        raise SettingsError(f"{path} is missing: a data folder needs a table of its files.") from None
    if missing := [name for name in _NEEDED if name not in table]:
        raise SettingsError(f"{path} lacks the columns {', '.join(missing)}.")
    if "source" not in table and "repo" in table:
        table["source"] = table["repo"]
    for name in _TEXT:
        if name not in table:
            table[name] = ""
    fake_video = (table["label"] == "fake") & (table["kind"] == "video")
    said = table["family"].where(table["family"].isin(FAMILIES), "")
    table["family"] = said.where(said != "", table["manipulation"].map(family_of)).where(fake_video, "")
    table["generator"] = table["generator"].where(table["generator"] != "", table["manipulation"]).where(fake_video, "")
    if pool:
        table["file"] = pool + "/" + table["file"]
    return table.assign(pool=pool)


def family_of(manipulation: str) -> str:
    """The family that the name of a manipulation belongs to, "" where it names none."""
    name = manipulation.lower()
    if "swap" in name or "deepfakes" in name:
        return "swap"
    if "lip" in name:
        return "lipsync"
    return "animation" if any(word in name for word in ("anima", "portrait", "talking head", "anitalker")) else ""
