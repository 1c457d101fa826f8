"""A folder of labelled clips whose regions are in a bank already: noise of two kinds, which a network can tell."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from detector.training.residual.bank import Bank, Piece, Planes

FACE = (20.0, 20.0, 70.0, 80.0)
_OWN = "file,label,kind,use,group,source,manipulation\n"
_EXTENDED = "file,label,kind,use,family,generator,group,repo,crop_x0,crop_x1\n"
FAMILIES = ("swap", "lipsync", "animation", "whole")


def planes(height: int, width: int, rng: np.random.Generator, *, smooth: bool = False) -> Planes:
    """White noise, or with `smooth` noise whose neighbours across are alike."""
    y = rng.integers(60, 190, (height, width)).astype(float)
    if smooth:
        y = (y + np.roll(y, 1, 1)) / 2
    uv = rng.integers(120, 136, (2, height // 2, width // 2), np.uint8)
    return Planes(y.astype(np.uint8), uv)


def pieces(rng: np.random.Generator, *, smooth: bool) -> Iterable[Piece]:
    """Two moments of a face."""
    for moment in range(2):
        yield Piece(moment, FACE, [planes(96, 96, rng, smooth=smooth) for _ in range(3)])


def labelled_clips(root: Path) -> Path:
    """Tables of clips in `root/data` and their regions in `root/clips/regions`; returns `root/data`.

    Fitted and held sources of both labels, a deepfake of the folder's own, one clip for calibration (not in the bank),
    and one for training of the same person."""
    rng, own, extended = np.random.default_rng(0), _OWN, _EXTENDED
    found: list[tuple[str, bool]] = []
    for number in range(4):
        own += f"g{number}.mp4,real,video,train,own{number},camera,\n"
        found.append((f"g{number}.mp4", False))
    own += "c.mp4,real,video,train,c,camera,\n"
    found.append(("c.mp4", False))
    own += "f.mp4,fake,video,validation,own0,camera,face swap\n"
    for place in ("fitted", "held"):
        for number, family in enumerate(FAMILIES):
            name = f"{place}-{number}"
            extended += f"{name}f.mp4,fake,video,train,{family},maker of {place},{name},who/{place},,\n"
            extended += f"{name}g.mp4,real,video,train,,,{name},who/{place},,\n"
            found += [(f"extended/{name}f.mp4", True), (f"extended/{name}g.mp4", False)]
    extended += "c.mp4,fake,video,calibration,swap,maker of fitted,c,who/fitted,,\n"
    data = root / "data"
    (data / "extended").mkdir(parents=True)
    (data / "manifest.csv").write_text(own, encoding="utf-8")
    (data / "extended" / "manifest.csv").write_text(extended, encoding="utf-8")
    bank = Bank(root / "clips" / "regions")
    bank.add((name, pieces(rng, smooth=fake)) for name, fake in found)
    return data
