"""Grad-CAM with its magnitudes kept.

Grad-CAM: Selvaraju et al., ICCV 2017, https://arxiv.org/abs/1610.02391, through the package grad-cam. The package
stretches every map to a maximum of 1, which makes a weak frame look as hot as a strong one; here it is not stretched.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from pytorch_grad_cam import GradCAM
from pytorch_grad_cam.utils.model_targets import BinaryClassifierOutputTarget

if TYPE_CHECKING:
    from detector.registry import LoadedModel

# grad-cam's hooks live on the network: two threads explaining at once mix their gradients or crash the process.
_lock = threading.Lock()


class RawGradCAM(GradCAM):
    """GradCAM whose map is max(0, sum of weighted activations), bilinearly enlarged to the input, never rescaled."""

    def compute_cam_per_layer(self, input_tensor: torch.Tensor, targets: list[Any], eigen_smooth: bool) -> NDArray[Any]:
        """The map of the one target layer, as the library asks for it, not scaled."""
        hooks = self.activations_and_grads
        cam = self.get_cam_image(
            input_tensor,
            self.target_layers[0],
            targets,
            hooks.activations[0].numpy(),
            hooks.gradients[0].numpy(),
            eigen_smooth,
        )
        width, height = self.get_target_width_height(input_tensor)
        raw = np.maximum(cam, 0).astype(np.float32)  # (N, h, w)
        return np.stack([cv2.resize(item, (width, height), interpolation=cv2.INTER_LINEAR) for item in raw])

    def aggregate_multi_layers(self, cam_per_target_layer: NDArray[Any]) -> NDArray[Any]:
        """The map of the one layer as it is."""
        return cam_per_target_layer  # one layer: nothing to average, and no scaling


def raw_gradcam(model: LoadedModel, crop: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Evidence for "manipulated" in one crop (S, S, 3) uint8: (S, S) float32 >= 0, un-normalised, on `model.cam_layer`.

    Safe from any thread: calls wait for one another. The network must not be scoring in another thread meanwhile,
    because the hooks would see that pass too.
    """
    maps: NDArray[Any] | None = None
    with _lock:
        inputs = model.prepare(crop[None]).requires_grad_(True)  # the weights are frozen, gradients flow from here
        with RawGradCAM(model.network, [model.cam_layer]) as cam:
            maps = cam(inputs, [BinaryClassifierOutputTarget(1)])
        model.network.zero_grad(set_to_none=True)
    if maps is None:  # grad-cam's context manager swallows IndexError
        raise RuntimeError(f"Grad-CAM on {model.card.model_id} produced no map: its layer was not reached.")
    return np.asarray(maps[0], dtype=np.float32)
