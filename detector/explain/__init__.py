"""An Analysis and a model in, a reason to look at a place out."""

from detector.explain.attention import TrackAttentionMaps
from detector.explain.channels import ChannelMaps
from detector.explain.explainer import Explainer
from detector.explain.faithfulness import FrameTest, HeatTest, hide_test
from detector.explain.overlay import CAM_METHOD, Heatmap, heat_layer, overlay, overlay_on_frame

__all__ = [
    "CAM_METHOD",
    "ChannelMaps",
    "Explainer",
    "FrameTest",
    "HeatTest",
    "Heatmap",
    "TrackAttentionMaps",
    "heat_layer",
    "hide_test",
    "overlay",
    "overlay_on_frame",
]
