"""The clips of a bank with what the manifest says of each, and the patches that they are judged by."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from detector.errors import SettingsError
from detector.faces.native import native_patches, patch_corners
from detector.faces.types import PLACES, Place
from detector.training.data.left_out import usable_rows, with_ids
from detector.training.residual.bank import Bank, Planes, Region, frames_of
from detector.training.residual.config import FAMILIES
from detector.training.residual.spoil import filled, to_rgb


@dataclass(frozen=True, slots=True)
class Clip:
    """A clip of a bank; `label` 1 where it is manipulated; `source` as `FoldConfig` names it."""

    id: str
    label: int
    family: str
    source: str
    group: str
    regions: tuple[Region, ...]
    pixels: NDArray[np.uint8] = field(repr=False)

    def frames(self, region: Region) -> list[Planes]:
        """The frames of one of its regions."""
        return frames_of(self.pixels, region)


def load_clips(bank: Bank, manifest: pd.DataFrame) -> list[Clip]:
    """The usable clips that have a region in the bank. Raises SettingsError where the bank holds a clip that is marked
    for calibration: those are for the end, neither to fit nor to choose on."""
    regions, pixels = bank.regions(), bank.open()
    everything = with_ids(manifest)
    marked = everything.loc[everything["use"] == "calibration", "id"]
    if found := sorted(set(marked) & regions.keys()):
        raise SettingsError(f"The regions of clips hold some marked for calibration, {found[0]} among them: cut anew.")
    clips = []
    for row in usable_rows(manifest, FAMILIES).to_dict("records"):
        if regions.get(row["id"]):
            clips.append(
                Clip(
                    id=row["id"],
                    label=int(row["label"] == "fake"),
                    family=row["family"],
                    source=row["source"],
                    group=row["group"],
                    regions=regions[row["id"]],
                    pixels=pixels,
                )
            )
    return clips


def _chosen(clip: Clip, moments: int) -> list[Region]:
    last = len(clip.regions) - 1
    return [clip.regions[index] for index in np.unique(np.linspace(0, last, moments).round().astype(int))]


def fixed_patches(clip: Clip, side_px: int, moments: int) -> NDArray[np.uint8]:
    """What a clip is judged by, as in an analysis: RGB patches (M · P, S, S, 3) uint8, of up to `moments` moments as
    they were published those at `PLACES`."""
    columns = []
    for region in _chosen(clip, moments):
        frames = clip.frames(region)
        columns.append(native_patches(to_rgb(frames[len(frames) // 2]), region.face, side_px))
    return np.concatenate(columns).reshape(-1, side_px, side_px, 3)


def plane_patches(clip: Clip, side_px: int, moments: int) -> list[tuple[Place, list[Planes]]]:
    """The same patches as planes, with their places and all the frames of their moment."""
    patches: list[tuple[Place, list[Planes]]] = []
    for region in _chosen(clip, moments):
        frames = [filled(planes, side_px) for planes in clip.frames(region)]
        corners = patch_corners(region.face, frames[0].y.shape, side_px)
        patches += [(place, [one.cut(*corners[place], side_px, side_px) for one in frames]) for place in PLACES]
    return patches
