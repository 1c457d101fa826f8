"""Specialists: each looks at one cue and says what it measured, by name."""

from detector.models.specialists.network import (
    CHANNELS,
    SPECIALISTS,
    Place,
    Specialist,
    SpecialistsNet,
    evidence_channels,
)
from detector.models.specialists.witness import Witness

__all__ = ["CHANNELS", "SPECIALISTS", "Place", "Specialist", "SpecialistsNet", "Witness", "evidence_channels"]
