"""The start of the audio-visual model: eigen-lips and a ridge regression, solved in seconds from a minute of speech."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from detector.models.audiovisual import AudioVisualNet
from detector.models.av_exchange import picture_change
from detector.training.audiovisual.samples import Prepared


def fit_components(network: AudioVisualNet, clips: Sequence[Prepared]) -> None:
    """Start the picture's components at the principal ones of these clips (eigen-lips; Bregler & Konig 1994)."""
    pictures = [picture_change(*_mouth(item)[::2])[0].flatten(1).numpy()[item.clip.mouth.seen] for item in clips]
    stacked = np.concatenate(pictures).astype(np.float64)
    values, vectors = np.linalg.eigh(stacked.T @ stacked / len(stacked))
    count = network.components.out_features
    # Pictures that hardly vary have fewer components than asked for; the rest must not blow up noise.
    spread = np.sqrt(np.maximum(values[::-1][:count], 1e-4 * values[-1]))
    leading = vectors[:, ::-1][:, :count] / spread
    with torch.no_grad():
        network.components.weight.copy_(torch.from_numpy(leading.T.copy()))


def fit_reader(network: AudioVisualNet, clips: Sequence[Prepared], ridge: float = 300.0) -> NDArray[np.float64]:
    """Start the linear part at its least-squares solution (ridge regression of lip motion on the sound around it).

    Returns the share of each lip measure's variance that it explains on these clips.
    """
    reader = network.reader
    inputs, targets = [], []
    for item in clips:
        mouth = item.clip.mouth
        mel, heard = item.real[0]
        margin = (len(heard) - len(mouth.seen)) // 2
        bands = reader.bands(torch.from_numpy(mel)[None], torch.from_numpy(heard)[None])
        around = F.pad(bands, (reader.context // 2, reader.context // 2)).unfold(2, reader.context, 1)[0]
        motion = network.motion(*_mouth(item))[0].detach()
        both = mouth.seen & heard[margin : margin + len(mouth.seen)]
        # (16, S, context) -> (T, 16 x context), as the convolution's weights lie
        columns = around[:, margin : margin + len(both)].permute(1, 0, 2).flatten(1)
        inputs.append(columns.numpy()[both].astype(np.float64))
        targets.append(motion.numpy()[both].astype(np.float64))
    x, y = np.concatenate(inputs), np.concatenate(targets)
    solved = np.linalg.solve(x.T @ x + ridge * np.eye(x.shape[1]), x.T @ y)  # (16 x context, K)
    with torch.no_grad():
        reader.weights.weight.copy_(torch.from_numpy(solved.T.copy()).view_as(reader.weights.weight))
        spread = y.var(0)
        # A measure that never moves says nothing of any lag.
        explained = np.where(spread > 1e-9, 1 - ((y - x @ solved) ** 2).mean(0) / np.maximum(spread, 1e-9), 0.0)
        network.motion_scale.copy_(torch.from_numpy(3.0 * explained / max(1e-6, explained.sum())))
    return explained


def _mouth(item: Prepared) -> tuple[Tensor, Tensor, Tensor]:
    mouth = item.clip.mouth
    crops = torch.from_numpy(mouth.crops.astype(np.float32) / 255)
    return crops[None], torch.from_numpy(mouth.lips)[None], torch.from_numpy(mouth.seen)[None]
