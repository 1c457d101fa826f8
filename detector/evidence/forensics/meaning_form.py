"""How an observation gets its meaning: the form that both tables of meanings share."""

from __future__ import annotations

from typing import NamedTuple

from detector.evidence.forensics.types import Group, Weight

NOT_ALTERED = "It does not show that the pictures or the sound were altered."
NOT_GENUINE = "It does not show that the file is genuine or unaltered."
EDITABLE = "Anyone can write such statements into a file, or remove them."


class Meaning(NamedTuple):
    """`weight` is the usual one; a finding can have another."""

    group: Group
    title: str
    can_mean: tuple[str, ...]
    cannot_mean: tuple[str, ...]
    weight: Weight = "note"
