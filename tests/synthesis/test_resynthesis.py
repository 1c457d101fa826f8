"""Whole-face re-drawing: every up-sampling trains, and sharpness does not give the label away."""

import numpy as np
import pytest
import torch

from detector.synthesis.resynthesis import (
    UP_SAMPLINGS,
    Resynthesiser,
    high_frequency_energy,
    match_sharpness,
    reconstruction_loss,
    resynthesise,
)
from tests.synthesis.faces import face_image


@pytest.mark.parametrize("kind", UP_SAMPLINGS)
def test_a_few_steps_lower_the_loss(kind) -> None:
    torch.manual_seed(0)
    network = Resynthesiser(kind, width=8)
    face = torch.from_numpy(face_image().image[::2, ::2].copy()).permute(2, 0, 1)[None].float() / 255
    optimiser = torch.optim.Adam(network.parameters(), lr=5e-3)
    losses = []
    for _ in range(12):
        loss = reconstruction_loss(network(face), face)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0] * 0.95


def test_matched_sharpness_is_close() -> None:
    image = face_image().image
    soft = np.asarray(image[::2, ::2].repeat(2, 0).repeat(2, 1))
    soft = match_sharpness(image, np.full_like(image, 128) + image // 16)
    goal = high_frequency_energy(np.full_like(image, 128) + image // 16)
    assert high_frequency_energy(soft) == pytest.approx(goal, rel=0.35)
    assert high_frequency_energy(image) > 2 * goal


def test_a_pair_shares_everything_outside_its_mask() -> None:
    network = Resynthesiser("nearest", width=8).eval()
    for seed in range(6):
        genuine, fake = resynthesise(face_image(), network, np.random.default_rng(seed))
        outside = fake.mask == 0
        np.testing.assert_array_equal(fake.image[outside], genuine.image[outside])
        assert not np.array_equal(fake.image, genuine.image)
