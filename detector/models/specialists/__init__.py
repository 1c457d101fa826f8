"""Specialists: each looks at one cue and says what it measured, by name."""

from detector.models.specialists.cue_module import CueModule
from detector.models.specialists.network import (
    CHANNELS,
    SPECIALISTS,
    Place,
    Specialist,
    SpecialistsNet,
    evidence_channels,
)

__all__ = ["CHANNELS", "SPECIALISTS", "CueModule", "Place", "Specialist", "SpecialistsNet", "evidence_channels"]
