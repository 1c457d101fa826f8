"""Clips of real generators: which may be fitted, and folds that leave generators and genuine sources out whole."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol, TypeVar

import numpy as np
import pandas as pd

from detector.training.data.manifest import EXTENDED
from detector.training.engine.config import Seed, Share

SPLIT: Final = (
    "all are fitted; measured by folds that leave out generators and sources; clips marked for calibration never used"
)
"""How a model is split whose folds leave generators and sources out, for its card."""

_NAMES: Final = ("genuine_clips_by_source", "manipulated_clips_by_source")


@dataclass(frozen=True)
class FoldConfig:
    """What one fold leaves out of its fit and measures: every group with a clip whose generator and source ("generator
    | source"; of genuine clips the source) contain one of `names`, and of the sources that contain a name of `shares`
    that share of their groups, drawn by `seed`."""

    names: tuple[str, ...] = ()
    shares: dict[str, Share] = field(default_factory=dict)
    seed: Seed = 7


class Grouped(Protocol):
    """A clip: `source` as `FoldConfig` names it, `group` of clips that are never parted."""

    @property
    def source(self) -> str:
        """Of a deepfake its generator too."""

    @property
    def group(self) -> str:
        """The person, clip or family that it is of."""


Clips = TypeVar("Clips", bound=Grouped)


def usable_rows(manifest: pd.DataFrame, families: Collection[str]) -> pd.DataFrame:
    """The videos that may be fitted: those of the extended pool marked for training, deepfakes only of `families`, and
    of the folder's own only genuine ones; a deepfake there is for the end. Nobody is fitted who is in a clip for
    calibration.

    Adds `id`, the file and, where it shows two, which half; `source` is as `FoldConfig` names it, `group` the `id`
    where the manifest names none.
    """
    own = (manifest["pool"] == "") & (manifest["label"] == "real")
    usable = (manifest["kind"] == "video") & (manifest["use"] == "train") & (own | (manifest["pool"] == EXTENDED))
    usable &= (manifest["label"] == "real") | manifest["family"].isin(families)
    kept = manifest.loc[manifest["use"] == "calibration", "group"]
    usable &= ~manifest["group"].isin(kept) | (manifest["group"] == "")
    rows = with_ids(manifest[usable])
    made = rows["generator"] + " | " + rows["source"]
    return rows.assign(
        source=made.where(rows["label"] == "fake", rows["source"]),
        group=rows["group"].where(rows["group"] != "", rows["id"]),
    )


def with_ids(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows with their `id`."""
    half = ("@" + rows["crop_x0"]).where(rows["crop_x0"] != "", "")
    return rows.assign(id=rows["file"] + half)


def split_clips(clips: Sequence[Clips], fold: FoldConfig) -> tuple[list[Clips], list[Clips]]:
    """Clips to fit and clips that the fold leaves out, disjoint by group."""
    groups: dict[str, set[str]] = defaultdict(set)
    for clip in clips:
        groups[clip.source].add(clip.group)
    apart = {clip.group for clip in clips if any(name in clip.source for name in fold.names)}
    for name, share in fold.shares.items():
        found = sorted({group for source, of_it in groups.items() if name in source for group in of_it})
        apart.update(np.random.default_rng(fold.seed).permutation(found)[: round(share * len(found))].tolist())
    fit = [clip for clip in clips if clip.group not in apart]
    return fit, [clip for clip in clips if clip.group in apart]


def each_once(tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """The rows of all folds, one a clip (`id`): a clip whose group lies in two folds counts in the first."""
    return pd.concat(tables).drop_duplicates("id", ignore_index=True)


def named_files(ids: pd.Series) -> pd.DataFrame:
    """`file` and `crop_x0` ("" for a whole picture) of ids."""
    names = ids.str.split("@", n=1, expand=True).reindex(columns=[0, 1]).fillna("")
    return pd.DataFrame({"file": names[0], "crop_x0": names[1]})


def clips_by_source(used: pd.DataFrame) -> dict[str, dict[str, int]]:
    """For a card: how many genuine and manipulated clips were fitted of each source (columns `label` 0 or 1, `source`,
    as runs write them)."""
    counts = {name: used.loc[used["label"] == label, "source"].value_counts() for label, name in enumerate(_NAMES)}
    return {name: {str(source): int(count) for source, count in found.items()} for name, found in counts.items()}
