"""An Analysis and a model in, a reason to look at a place out.

What asks a network is imported when it is first asked for (PEP 562): a kept heatmap is drawn without torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from detector.explain.channels import ChannelMaps
from detector.explain.overlay import CAM_METHOD, Heatmap, heat_layer, overlay, overlay_on_frame

if TYPE_CHECKING:
    from detector.explain.attention import TrackAttentionMaps
    from detector.explain.explainer import Explainer
    from detector.explain.faithfulness import FrameTest, HeatTest, hide_test
else:
    _HOME = {
        "Explainer": "explainer",
        "FrameTest": "faithfulness",
        "HeatTest": "faithfulness",
        "TrackAttentionMaps": "attention",
        "hide_test": "faithfulness",
    }

    def __getattr__(name: str) -> object:
        if name not in _HOME:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)


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
