"""An Analysis and a model in, a reason to look at a place out."""

from detector.explain.explainer import Explainer
from detector.explain.overlay import Heatmap, overlay, overlay_on_frame

__all__ = ["Explainer", "Heatmap", "overlay", "overlay_on_frame"]
