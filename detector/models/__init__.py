"""Networks only: tensors in, logits out. Built from a model card's architecture table."""

from detector.models.build import ARCHITECTURES, build_network
from detector.models.frame import FrameNet, FrameOutput
from detector.models.trunk import HighPass, Trunk

__all__ = ["ARCHITECTURES", "FrameNet", "FrameOutput", "HighPass", "Trunk", "build_network"]
