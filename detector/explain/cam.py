"""Class activation maps with their magnitudes kept, by one of several methods of the package grad-cam.

The package stretches every map to a maximum of 1, which makes a weak frame look as hot as a strong one; here none is
stretched. `models cam` compares the methods on twins whose truth is known; the default follows that table.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Any, Final

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from pytorch_grad_cam import EigenCAM, GradCAM, GradCAMPlusPlus, HiResCAM, LayerCAM, RandomCAM
from pytorch_grad_cam.base_cam import BaseCAM
from pytorch_grad_cam.utils.model_targets import BinaryClassifierOutputTarget

from detector.explain.faithfulness import HOOKS
from detector.explain.overlay import CAM_METHOD

if TYPE_CHECKING:
    from detector.registry import LoadedModel


class _Unscaled(BaseCAM):
    """Makes a method's map max(0, its sum over channels), bilinearly enlarged to the input, never rescaled."""

    def compute_cam_per_layer(self, input_tensor: torch.Tensor, targets: list[Any], eigen_smooth: bool) -> NDArray[Any]:
        """The map of the one target layer, as the library asks for it, not scaled."""
        hooks = self.activations_and_grads
        cam = self.get_cam_image(
            input_tensor,
            self.target_layers[0],
            targets,
            hooks.activations[0].numpy(),
            hooks.gradients[0].numpy() if hooks.gradients else None,  # Eigen-CAM takes none
            eigen_smooth,
        )
        width, height = self.get_target_width_height(input_tensor)
        raw = np.maximum(cam, 0).astype(np.float32)  # (N, h, w)
        return np.stack([cv2.resize(item, (width, height), interpolation=cv2.INTER_LINEAR) for item in raw])

    def aggregate_multi_layers(self, cam_per_target_layer: NDArray[Any]) -> NDArray[Any]:
        """The map of the one layer as it is."""
        return cam_per_target_layer  # one layer: nothing to average, and no scaling


class _GradCAM(_Unscaled, GradCAM):
    """Selvaraju et al., ICCV 2017, https://arxiv.org/abs/1610.02391."""


class _GradCAMPlusPlus(_Unscaled, GradCAMPlusPlus):
    """Chattopadhay et al., WACV 2018, https://arxiv.org/abs/1710.11063."""


class _LayerCAM(_Unscaled, LayerCAM):
    """Jiang et al., IEEE TIP 2021, https://ieeexplore.ieee.org/document/9462463."""


class _HiResCAM(_Unscaled, HiResCAM):
    """Draelos & Carin, 2020, https://arxiv.org/abs/2011.08891."""


class _EigenCAM(_Unscaled, EigenCAM):
    """Muhammad & Yeasin, IJCNN 2020, https://arxiv.org/abs/2008.00299: of no class, and its sign is arbitrary."""


class _RandomCAM(_Unscaled, RandomCAM):
    """Channels weighted at random, drawn from the picture itself so that equal pictures give equal maps."""

    def get_cam_weights(
        self, input_tensor: Any, target_layer: Any, targets: Any, activations: NDArray[Any], grads: Any
    ) -> NDArray[Any]:
        """(N, C) in -1..1."""
        rng = np.random.default_rng(zlib.crc32(np.ascontiguousarray(activations).tobytes()))
        return rng.uniform(-1, 1, size=activations.shape[:2]).astype(np.float32)


METHODS: Final[dict[str, type[_Unscaled]]] = {
    "Grad-CAM": _GradCAM,
    "Grad-CAM++": _GradCAMPlusPlus,
    "LayerCAM": _LayerCAM,
    "HiResCAM": _HiResCAM,
    "Eigen-CAM": _EigenCAM,
}
RANDOM: Final = "random weights"


def raw_cam(model: LoadedModel, crop: NDArray[np.uint8], method: str = CAM_METHOD) -> NDArray[np.float32]:
    """Evidence for "manipulated" in one crop (S, S, 3) uint8: (S, S) float32 >= 0, un-normalised, on `model.cam_layer`,
    by one of `METHODS` or at `RANDOM`. Magnitudes of different methods have different units.

    Safe from any thread: calls wait for one another. The network must not be scoring in another thread meanwhile,
    because the hooks would see that pass too. Raises KeyError for an unknown method.
    """
    made = {**METHODS, RANDOM: _RandomCAM}[method]
    maps: NDArray[Any] | None = None
    with HOOKS:
        inputs = model.prepare(crop[None]).requires_grad_(True)  # the weights are frozen, gradients flow from here
        with made(model.network, [model.cam_layer]) as cam:
            maps = cam(inputs, [BinaryClassifierOutputTarget(1)])
        model.network.zero_grad(set_to_none=True)
    if maps is None:  # grad-cam's context manager swallows IndexError
        raise RuntimeError(f"{method} on {model.card.model_id} produced no map: its layer was not reached.")
    return np.asarray(maps[0], dtype=np.float32)
