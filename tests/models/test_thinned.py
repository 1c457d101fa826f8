"""Monte Carlo dropout: a pass is one network with some places off, whatever it is shown."""

from __future__ import annotations

import torch
from torch import nn

from detector.models.thinned import has_dropout, thinned


def _head() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Dropout(0.5), nn.Linear(64, 8), nn.ReLU(), nn.Dropout(0.25), nn.Linear(8, 1)).eval()


def test_within_a_pass_the_same_places_are_off_in_every_row_and_passes_differ() -> None:
    head, rows = _head(), torch.ones(3, 64)
    said = torch.stack([one(rows)[:, 0] for one in thinned(head, 16)])
    assert (said == said[:, :1]).all()
    assert len(set(said[:, 0].tolist())) == 16


def test_the_mean_over_passes_of_a_linear_layer_is_what_it_says_whole() -> None:
    head, rows = nn.Sequential(nn.Dropout(0.3), nn.Linear(32, 1)).eval(), torch.rand(4, 32)
    said = torch.stack([one(rows) for one in thinned(head, 4000)]).mean(0)
    torch.testing.assert_close(said, head(rows), atol=0.05, rtol=0)


def test_the_network_itself_is_left_alone_and_passes_come_again_the_same() -> None:
    head, rows = _head(), torch.rand(2, 64)
    before = head(rows)
    first = [one(rows) for one in thinned(head, 3)]
    assert all(map(torch.equal, first, [one(rows) for one in thinned(head, 3)]))
    assert torch.equal(head(rows), before)
    assert not any(map(torch.equal, first, [one(rows) for one in thinned(head, 3, seed=1)]))


def test_a_network_whose_dropout_drops_nothing_has_none() -> None:
    assert has_dropout(_head())
    assert not has_dropout(nn.Sequential(nn.Dropout(0.0), nn.Linear(2, 1)))
