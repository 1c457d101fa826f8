"""Fit the small autoencoders that re-draw faces for training, one for each kind of up-sampling."""

from __future__ import annotations

import logging
import time
from pathlib import Path

import cv2
import numpy as np
import torch
from safetensors.torch import load_file, save_file

from detector.synthesis.resynthesis import NETWORK_PX, UP_SAMPLINGS, Resynthesiser, UpSampling, reconstruction_loss
from detector.training.facebank import FaceBank

log = logging.getLogger(__name__)


def fit_resynthesiser(
    bank: FaceBank, up_sampling: UpSampling, *, minutes: float = 5.0, batch_size: int = 16, seed: int = 0
) -> Resynthesiser:
    """Train one network on the genuine training faces for `minutes`."""
    torch.manual_seed(seed)
    torch.set_flush_denormal(True)
    rng = np.random.default_rng(seed)
    rows = np.flatnonzero(((bank.table["split"] == "train") & (bank.table["label"] == "real")).to_numpy())
    network = Resynthesiser(up_sampling).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimiser = torch.optim.Adam(network.parameters(), lr=2e-3)
    started, step, loss = time.monotonic(), 0, torch.tensor(0.0)
    while time.monotonic() - started < minutes * 60:
        chosen = np.sort(rng.choice(rows, min(batch_size, len(rows)), replace=False))
        faces = [
            cv2.resize(np.asarray(bank.images[i]), (NETWORK_PX, NETWORK_PX), interpolation=cv2.INTER_AREA)
            for i in chosen
        ]
        batch = torch.from_numpy(np.stack(faces)).permute(0, 3, 1, 2).float() / 255
        for group in optimiser.param_groups:
            group["lr"] = 2e-3 * (1 - (time.monotonic() - started) / (minutes * 60)) + 1e-5
        with torch.autocast("cpu", dtype=torch.bfloat16):
            output = network(batch)
        loss = reconstruction_loss(output.float(), batch)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        step += 1
    log.info("%s: %d steps, loss %.4f", up_sampling, step, loss.item())
    return network.eval()


def fit_all(bank: FaceBank, folder: Path, *, minutes: float = 5.0) -> None:
    """Train every kind that `folder` does not hold yet."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, kind in enumerate(UP_SAMPLINGS):
        path = folder / f"{kind}.safetensors"
        if not path.is_file():
            state = fit_resynthesiser(bank, kind, minutes=minutes, seed=number).state_dict()
            save_file({key: value.contiguous() for key, value in state.items()}, path)


def load_all(folder: Path) -> list[Resynthesiser]:
    """The networks in `folder`, in the order of `UP_SAMPLINGS`; empty where there are none."""
    networks = []
    for kind in UP_SAMPLINGS:
        path = folder / f"{kind}.safetensors"
        if path.is_file():
            network = Resynthesiser(kind)
            network.load_state_dict(load_file(path))
            networks.append(network.eval().requires_grad_(False))
    return networks
