"""Networks only: tensors in, logits out. Built from a model card's architecture table."""

from detector.models.audiovisual import AudioVisualNet
from detector.models.build import ARCHITECTURES, architecture, build_network
from detector.models.frame import FrameNet, FrameOutput
from detector.models.fusion import build_fusion
from detector.models.hybrid import HybridNet
from detector.models.kinematics import KinematicsNet
from detector.models.recurrent import RecurrentNet
from detector.models.residual import ResidualNet
from detector.models.sequence import TransformerNet
from detector.models.specialists import SpecialistsNet
from detector.models.texture import TextureNet
from detector.models.trunk import HighPass, Trunk

__all__ = [
    "ARCHITECTURES",
    "AudioVisualNet",
    "FrameNet",
    "FrameOutput",
    "HighPass",
    "HybridNet",
    "KinematicsNet",
    "RecurrentNet",
    "ResidualNet",
    "SpecialistsNet",
    "TextureNet",
    "TransformerNet",
    "Trunk",
    "architecture",
    "build_fusion",
    "build_network",
]
