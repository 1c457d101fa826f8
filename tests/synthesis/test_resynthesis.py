"""Faces painted anew as a whole: every network trains, a pair shares what lies outside the mask, colour stays."""

import numpy as np
import pytest
import torch

from detector.synthesis.reconstruction import KINDS, UP_SAMPLINGS, build_reconstruction_network
from detector.synthesis.resynthesis import draw_whole_face, match_colour, repaint
from tests.synthesis.faces import face_image

NETWORKS = [
    *(("detail", {"up_sampling": kind, "width": 8}) for kind in UP_SAMPLINGS),
    ("latent", {"factor": 4, "latent": 4, "width": 8}),
    ("latent", {"factor": 8, "latent": 8, "width": 8}),
    ("super", {"scale": 2, "up_sampling": "pixel_shuffle", "width": 8, "blocks": 1}),
    ("super", {"scale": 4, "up_sampling": "nearest", "width": 8, "blocks": 1}),
]


@pytest.mark.parametrize(("kind", "options"), NETWORKS)
def test_a_few_steps_lower_the_error_and_the_shape_stays(kind: str, options: dict) -> None:
    torch.manual_seed(0)
    network = build_reconstruction_network(kind, options)
    face = torch.from_numpy(face_image().image[::2, ::2].copy()).permute(2, 0, 1)[None].float() / 255
    optimiser = torch.optim.Adam(network.parameters(), lr=5e-3)
    losses = []
    for _ in range(12):
        loss = (network(face) - face).abs().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert network.eval()(face).shape == face.shape
    assert losses[-1] < losses[0] * 0.97


def test_an_unknown_kind_is_named_with_what_was_expected() -> None:
    with pytest.raises(ValueError, match="detail, latent, super"):
        build_reconstruction_network("diffusion", {})
    assert set(KINDS) == {"detail", "latent", "super"}


def test_repainting_keeps_size_whatever_the_networks_size() -> None:
    image = face_image().image[:201, :187]
    network = build_reconstruction_network("detail", {"up_sampling": "nearest", "width": 8}).eval()
    for network_px in (97, 201, 260):
        assert repaint(network, image, network_px).shape == image.shape


def test_colour_drift_is_taken_back() -> None:
    image = face_image().image
    tinted = np.clip(image * (0.8, 1.0, 1.0) + (0, 0, 12), 0, 255).astype(np.uint8)
    back = match_colour(tinted, image)
    drift = [np.abs(picture.mean((0, 1)) - image.mean((0, 1))).max() for picture in (tinted, back)]
    assert drift[0] > 8
    assert drift[1] < 2


def test_a_pair_shares_everything_outside_its_mask() -> None:
    network = build_reconstruction_network("detail", {"up_sampling": "nearest", "width": 8}).eval()
    kinds, partial = set(), 0
    for seed in range(14):
        real, fake = draw_whole_face(face_image(), [network], np.random.default_rng(seed))
        outside = fake.mask == 0
        partial += outside.any()
        np.testing.assert_array_equal(fake.image[outside], real.image[outside])
        assert not np.array_equal(fake.image, real.image)
        kinds.add(fake.kind)
    assert kinds == {"resynthesis", "animation", "animated_resynthesis"}
    assert 0 < partial < 14


def test_without_networks_faces_are_animated() -> None:
    kinds = {draw_whole_face(face_image(), [], np.random.default_rng(seed))[1].kind for seed in range(6)}
    assert kinds == {"animation"}
