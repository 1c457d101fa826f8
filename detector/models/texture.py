"""Constancy of a face's fine detail: measured pairs of moments -> a logit.

A small perceptron on what `detector.faces.texture` measures of a pair, averaged over the pairs of a face: few enough
parameters to be learned from some hundred clips. How much likeness is to be expected depends on how much detail there
is and how far the face has moved, which a weighted sum could not express.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from detector.models.build import architecture

_FARTHEST = 5.0


@architecture("texture")
class TextureNet(nn.Module):
    """`lengths` number the measures that are lengths or times, taken as logarithms; `likenesses` those that are
    correlations, stretched towards 1 by the inverse hyperbolic tangent (Fisher, 1915); the others stay as they are.
    `centre` and `scale` (F,) standardise the outcome; `read` has one layer of `hidden` units."""

    centre: Tensor
    scale: Tensor

    def __init__(self, measures: int, *, lengths: list[int], likenesses: list[int], hidden: int = 16) -> None:
        super().__init__()
        if measures < 1 or any(not 0 <= index < measures for index in (*lengths, *likenesses)):
            raise ValueError(f"expected numbers of the {measures} measures, found {lengths} and {likenesses}")
        self.measures, self.lengths, self.likenesses = measures, list(lengths), list(likenesses)
        self.register_buffer("centre", torch.zeros(measures))
        self.register_buffer("scale", torch.ones(measures))
        self.read = nn.Sequential(nn.Linear(measures, hidden), nn.ReLU(), nn.Linear(hidden, 1))

    def stretched(self, pairs: Tensor) -> Tensor:
        """Pairs (…, F) as measured -> (…, F) on scales on which differences count alike."""
        values = pairs.clone()
        values[..., self.lengths] = torch.log(pairs[..., self.lengths].clamp(min=0) + 1e-3)
        values[..., self.likenesses] = torch.atanh(pairs[..., self.likenesses].clamp(-0.95, 0.995))
        return values

    def pair_logits(self, pairs: Tensor) -> Tensor:
        """(…, F) -> (…,) the logit of each pair."""
        return self.read(self.standardised(pairs)).squeeze(-1)

    def standardised(self, pairs: Tensor) -> Tensor:
        """(…, F) as measured -> (…, F) of about unit spread; outliers are held back."""
        return ((self.stretched(pairs) - self.centre) / self.scale).clamp(-_FARTHEST, _FARTHEST)

    def forward(self, pairs: Tensor, present: Tensor) -> Tensor:
        """Pairs (B, P, F), present (B, P) bool with at least one True a row -> (B,): the mean over the present pairs.
        What lies where `present` is False is never read."""
        clean = torch.where(present[..., None], pairs, torch.zeros_like(pairs))
        logits = torch.where(present, self.pair_logits(clean), torch.zeros_like(present, dtype=pairs.dtype))
        return logits.sum(1) / present.sum(1)
