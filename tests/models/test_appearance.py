"""The appearance of a crop region by region, and that a sequence network reads it only where its card says so."""

import numpy as np
import torch

from detector.models.appearance import APPEARANCE_FEATURES, appearance_of
from detector.models.feature_reader import FeatureReader
from detector.models.sequence import TransformerNet


def test_a_brighter_corner_moves_its_own_cell_and_detail_its_own_measure() -> None:
    plain = torch.zeros(1, 3, 32, 32)
    bright = plain.clone()
    bright[:, 0, :8, :8] = 0.5
    change = (appearance_of(bright) - appearance_of(plain))[0].view(4, 4, 4)  # red, green, blue, detail by 4 by 4 cells
    assert appearance_of(plain).shape == (1, APPEARANCE_FEATURES)
    assert change[0, 0, 0] == 0.5
    assert change[1:3].abs().max() == 0
    assert change[0].flatten()[1:].abs().max() == 0
    noisy = plain + torch.from_numpy(np.random.default_rng(0).normal(0, 0.1, (1, 3, 32, 32))).float()
    noisy[:, :, :, 16:] = 0
    detail = (appearance_of(noisy) - appearance_of(plain))[0].view(4, 4, 4)[3]
    assert detail[:, :2].min() > 2
    assert detail[:, 3].abs().max() < 0.1


def test_the_witness_reads_the_trunk_alone_and_what_follows_is_not_read() -> None:
    torch.manual_seed(0)
    reader = FeatureReader(8, witness=4, looks=3)
    assert reader.witness[0].weight.shape == (4, 5)
    network = TransformerNet(8, width=16, layers=1, heads=2, witness=4, looks=3).eval()
    features, times = torch.randn(2, 6, 8), torch.arange(6.0).repeat(2, 1) / 5
    present = torch.ones(2, 6, dtype=torch.bool)
    longer = torch.cat([features, torch.randn(2, 6, 64)], dim=2)
    torch.testing.assert_close(network(features, times, present), network(longer, times, present))
    other = features.clone()
    other[:, :, 5:] += 1
    assert not torch.allclose(network(features, times, present), network(other, times, present))
