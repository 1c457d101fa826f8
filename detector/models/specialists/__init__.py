"""Specialists: each looks at one cue and says what it measured, by name."""

from detector.models.specialists.cue_module import Witness
from detector.models.specialists.network import (
    CHANNELS,
    SPECIALISTS,
    Place,
    Specialist,
    SpecialistsNet,
    evidence_channels,
)

__all__ = ["CHANNELS", "SPECIALISTS", "Place", "Specialist", "SpecialistsNet", "Witness", "evidence_channels"]
