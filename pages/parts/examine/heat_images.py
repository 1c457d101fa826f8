"""Small maps of numbers as pictures in cividis, set side by side with a name and a range each. All are derived."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import streamlit as st
from numpy.typing import NDArray
from PIL import Image

from pages.parts.shared.markup import escaped

_SIDE_PX = 132


@dataclass(frozen=True, slots=True)
class Tile:
    """One picture with what stands below it; `hint` shows on hover."""

    png: bytes
    name: str
    below: str = ""
    hint: str = ""


def heat(values: NDArray[np.float32], low: float, high: float, *, smooth: bool = True) -> bytes:
    """PNG of (h, w) numbers on cividis from `low` to `high`; what lies beyond is drawn as the end it passed."""
    span = high - low
    share = np.clip((values - low) / span, 0, 1) if span > 0 else np.zeros_like(values)
    return _png(Image.fromarray(_cividis()[np.rint(share * 255).astype(np.uint8)]), smooth)


def photo(image: NDArray[np.uint8]) -> bytes:
    """PNG of (S, S, 3) uint8 RGB at the size of the maps."""
    return _png(Image.fromarray(image), smooth=True)


def show(tiles: Sequence[Tile], *, columns: int | None = None) -> None:
    """The tiles in as many columns as fit, or in so many, each row of its own kind."""
    figures = "".join(
        f'<figure title="{escaped(tile.hint)}"><img alt="{escaped(f"{tile.name} {tile.below}")}" '
        f'src="data:image/png;base64,{base64.b64encode(tile.png).decode()}">'
        f'<figcaption>{escaped(tile.name)}<span class="fw-note">{escaped(tile.below)}</span></figcaption></figure>'
        for tile in tiles
    )
    layout = "" if columns is None else f' style="--fw-columns:{columns}"'
    fixed = "" if columns is None else " fw-columns"
    st.html(f'<div class="fw-tiles{fixed}"{layout}>{figures}</div>')


def _png(picture: Image.Image, smooth: bool) -> bytes:
    resampling = Image.Resampling.BILINEAR if smooth else Image.Resampling.NEAREST
    buffer = io.BytesIO()
    picture.resize((_SIDE_PX, _SIDE_PX), resampling).save(buffer, "PNG")
    return buffer.getvalue()


@cache
def _cividis() -> NDArray[np.uint8]:
    from matplotlib import colormaps  # heavy, and only these pictures need it

    return np.rint(colormaps["cividis"](np.arange(256))[:, :3] * 255).astype(np.uint8)
