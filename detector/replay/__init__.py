"""An analysis again: a bundle that holds all it was made from, and a second run compared with it number by number."""

from detector.analysis.comparison import LOGIT_TOLERANCE, Comparison, Difference, Group, Outcome, compare
from detector.replay.bundle import write_replay_bundle
from detector.replay.opening import ReplayBundle, open_bundle
from detector.replay.rerun import Replay, replay

__all__ = [
    "LOGIT_TOLERANCE",
    "Comparison",
    "Difference",
    "Group",
    "Outcome",
    "Replay",
    "ReplayBundle",
    "compare",
    "open_bundle",
    "replay",
    "write_replay_bundle",
]
