"""Several models' logits of one face or file -> one logit. Members without one are left out, whatever lies there.

Logits (B, M) are standardised by constants fitted on validation data, combined, and brought back to a logit by a fitted
gain and bias (Platt, 1999). A member that may only raise the result (an audio-visual model: good lip synchrony proves
nothing) counts where it speaks for manipulation and the result is higher with it than without. Members speak on
different manipulations, so that a linear layer on the same logits can tell of which family one is, should it be one.
Members that look at the same (several at the seam of a face) can form a group, whose mean counts as one of them would.
Of a member that knows some manipulations and sees nothing in others, what lies below the middle can count for less.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from detector.models.build import architecture


def majority_vote(z: Tensor, present: Tensor) -> Tensor:
    """Log-odds of the share of present members above zero, with half a vote added to either side so that unanimity
    stays finite (Krichevsky & Trofimov, 1981). z, present (B, M) -> (B,)."""
    count = present.sum(1)
    votes = ((z >= 0) & present).sum(1)
    return torch.log((votes + 0.5) / (count - votes + 0.5))


def confidence_weighted(z: Tensor, present: Tensor) -> Tensor:
    """Mean of the present members weighted by how far each is from undecided, |2 sigmoid(z) - 1|."""
    return _weighted(z, confidence_shares(z, present))


def confidence_shares(z: Tensor, present: Tensor) -> Tensor:
    """Weights (B, M) that sum to 1: by how far each member's score is from 0.5, 0 where it is absent."""
    sure = torch.tanh(z.abs() / 2).masked_fill(~present, 0.0) + 1e-6 * present
    return sure / sure.sum(1, keepdim=True)


def logit_mean(z: Tensor, present: Tensor) -> Tensor:
    """Plain mean of the present members."""
    return _weighted(z, equal_shares(z, present))


def equal_shares(z: Tensor, present: Tensor) -> Tensor:
    """Weights (B, M) that sum to 1: the same for every member that is present."""
    return present.to(z.dtype) / present.sum(1, keepdim=True)


def _weighted(z: Tensor, shares: Tensor) -> Tensor:
    return (z * shares).sum(1)


class Fusion(nn.Module):
    """`members` logits into one. `one_sided` numbers the members that may only raise the result. `groups` gives each
    member the number of its group, from 0 without gaps; each is a group of its own where there are none. `leaks` gives
    each member the slope, 0 to 1, of what it says below the middle (a leaky ReLU; Maas et al., 2013), 1 by default.

    Fitted by `detector.training.ensemble.recipe`: `centre`, `scale` (M,) standardise; exp(`log_gain`) and `bias` make
    the combination a logit of P(manipulated). `family`, where there is one, reads F families from the members (M -> F).
    """

    centre: Tensor
    scale: Tensor
    family: nn.Linear | None

    def __init__(
        self, members: int, *, one_sided: Sequence[int] = (), groups: Sequence[int] = (), leaks: Sequence[float] = ()
    ) -> None:
        super().__init__()
        if members < 1 or any(not 0 <= index < members for index in one_sided):
            raise ValueError(f"one_sided {tuple(one_sided)}: expected numbers of the {members} members")
        if groups and (len(groups) != members or set(groups) != set(range(len(set(groups))))):
            raise ValueError(f"groups {tuple(groups)}: expected a number from 0, without gaps, for each of {members}")
        if leaks and (len(leaks) != members or not all(0 <= leak <= 1 for leak in leaks)):
            raise ValueError(f"leaks {tuple(leaks)}: expected a slope from 0 to 1 for each of {members} members")
        self.one_sided = tuple(one_sided)
        self.groups = tuple(groups) or tuple(range(members))
        self.leaks = tuple(leaks) or (1.0,) * members
        self.register_buffer("centre", torch.zeros(members))
        self.register_buffer("scale", torch.ones(members))
        self.log_gain = nn.Parameter(torch.zeros(()))
        self.bias = nn.Parameter(torch.zeros(()))
        self.family = None

    @property
    def voices(self) -> int:
        """How many groups there are, G: what `combine` weighs."""
        return len(set(self.groups))

    @abstractmethod
    def combine(self, z: Tensor, present: Tensor) -> Tensor:
        """The groups' z (B, G), 0 where absent, and present (B, G) bool with at least one True a row -> (B,)."""

    def shares(self, z: Tensor, present: Tensor) -> Tensor:
        """Share of each group in the combination: (B, G), 0 where absent, rows summing to 1."""
        return equal_shares(z, present)

    def standardise(self, logits: Tensor, present: Tensor) -> Tensor:
        """(B, M) -> (B, M), 0 where absent whatever was there, NaN included."""
        return torch.where(present, (logits - self.centre) / self.scale, torch.zeros_like(logits))

    def families(self, logits: Tensor, present: Tensor) -> Tensor:
        """Logits (B, M), present (B, M) bool -> (B, F) log-probabilities of the families, each row's face being of one
        of them; NaN for a row without members. An absent member counts as undecided, 0: which are present gives
        families away in training. Raises ValueError for a fusion without the layer."""
        if self.family is None:
            raise ValueError("this fusion reads no families")
        read = functional.log_softmax(self.family(self.standardise(logits, present)), dim=1)
        return read.masked_fill(~present.any(1, keepdim=True), float("nan"))

    def forward(self, logits: Tensor, present: Tensor) -> Tensor:
        """Logits (B, M), present (B, M) bool -> (B,) logits; NaN for a row in which only members that may not decide
        alone, or none, are present."""
        return self.fuse(logits, present)[0]

    def fuse(self, logits: Tensor, present: Tensor) -> tuple[Tensor, Tensor]:
        """The fused logit (B,) and each member's share of it (B, M); both NaN where no result is possible."""
        z = self.standardise(logits, present)
        base = present.clone()
        base[:, list(self.one_sided)] = False
        fused, shares = self._one(z, base)
        for index in self.one_sided:
            more = base.clone()
            more[:, index] = present[:, index]
            raised, raised_shares = self._one(z, more)
            higher = (raised > fused) & (z[:, index] > 0) & present[:, index] & base.any(1)
            fused = torch.where(higher, raised, fused)
            shares = torch.where(higher[:, None], raised_shares, shares)
            base = torch.where(higher[:, None], more, base)
        return fused, shares

    def _one(self, z: Tensor, present: Tensor) -> tuple[Tensor, Tensor]:
        possible = present.any(1)
        kept = present | ~possible[:, None]  # a row without members is computed on zeros, then blanked
        leaked = torch.where(z < 0, z * z.new_tensor(self.leaks), z)
        masked = torch.where(present, leaked, torch.zeros_like(z))
        within = self._within_groups(kept)  # (B, G, M)
        means, heard = (within * masked[:, None]).sum(2), (within > 0).any(2)
        fused = torch.exp(self.log_gain) * self.combine(means, heard) + self.bias
        shares = (self.shares(means, heard)[:, :, None] * within).sum(1)
        nothing = torch.full_like(fused, float("nan"))
        return torch.where(possible, fused, nothing), torch.where(possible[:, None], shares, nothing[:, None])

    def _within_groups(self, present: Tensor) -> Tensor:
        """(B, M) bool -> (B, G, M): each present member's part of its group, which sum to 1, or to 0 without any."""
        belongs = functional.one_hot(torch.tensor(self.groups, device=present.device), self.voices).T  # (G, M)
        there = (belongs[None] * present[:, None]).to(self.scale.dtype)
        return there / there.sum(2, keepdim=True).clamp(min=1)


class MajorityVote(Fusion):
    """See `majority_vote`; `centre` holds each member's own threshold."""

    def combine(self, z: Tensor, present: Tensor) -> Tensor:
        """Logits (B,); see `majority_vote`."""
        return majority_vote(z, present)


class ConfidenceWeighted(Fusion):
    """See `confidence_weighted`."""

    def combine(self, z: Tensor, present: Tensor) -> Tensor:
        """Logits (B,); see `confidence_weighted`."""
        return confidence_weighted(z, present)

    def shares(self, z: Tensor, present: Tensor) -> Tensor:
        """Weights (B, M); see `confidence_shares`."""
        return confidence_shares(z, present)


class LogitMean(Fusion):
    """See `logit_mean`."""

    def combine(self, z: Tensor, present: Tensor) -> Tensor:
        """Logits (B,); see `logit_mean`."""
        return logit_mean(z, present)


class LearnedWeights(Fusion):
    """A weighted mean whose weights are learned and never negative, shared out among the groups present."""

    def __init__(self, members: int, **options: Any) -> None:
        super().__init__(members, **options)
        self.raw_weights = nn.Parameter(torch.zeros(self.voices))

    def combine(self, z: Tensor, present: Tensor) -> Tensor:
        """Logits (B,): the mean with the weights learned."""
        return _weighted(z, self.shares(z, present))

    def shares(self, z: Tensor, present: Tensor) -> Tensor:
        """Weights (B, M): those learned, scaled to sum to 1 over the members that are present."""
        return torch.softmax(self.raw_weights.expand_as(z).masked_fill(~present, float("-inf")), dim=1)


class HingedWeights(LearnedWeights):
    """As `LearnedWeights`, and what a member says beyond two spreads above its middle is added once more, in full (a
    hinge function; Friedman, 1991), whatever the others say: hardly any genuine clip lies there, so that one that is
    sure of a manipulation which the others cannot see is not voted down by them. Nothing is lowered so."""

    KNEE = 2.0

    def _one(self, z: Tensor, present: Tensor) -> tuple[Tensor, Tensor]:
        fused, shares = super()._one(z, present)
        beyond = functional.relu(torch.where(present, z, torch.zeros_like(z)) - self.KNEE)
        slopes = shares + (beyond > 0)  # by how much the result follows each member from where it is
        return fused + torch.exp(self.log_gain) * beyond.sum(1), slopes / slopes.sum(1, keepdim=True)


class Stacking(Fusion):
    """A small meta-learner over standardised logits and presence (Wolpert, 1992): linear, or one hidden layer of
    `hidden` units. An absent member contributes only that it is absent."""

    def __init__(self, members: int, *, hidden: int = 0, **options: Any) -> None:
        super().__init__(members, **options)
        width = 2 * self.voices
        self.hidden = nn.Linear(width, hidden) if hidden else None
        self.output = nn.Linear(hidden or width, 1)

    def combine(self, z: Tensor, present: Tensor) -> Tensor:
        """Logits (B,) of a small network over the logits and which of them are present."""
        inputs = torch.cat([z, present.to(z.dtype)], dim=1)
        return self.output(inputs if self.hidden is None else torch.tanh(self.hidden(inputs))).squeeze(1)

    def shares(self, z: Tensor, present: Tensor) -> Tensor:
        """By the products of the weights on the paths from a logit to the output (Olden et al., 2004)."""
        path = self.output.weight[0].abs()
        if self.hidden is not None:
            path = path @ self.hidden.weight.abs()  # (2 M,)
        pull = path[: z.shape[1]].expand_as(z).masked_fill(~present, 0.0) + 1e-9 * present
        return pull / pull.sum(1, keepdim=True)


class NoisyOr(Fusion):
    """Each member alone can raise suspicion and none can lower it: 1 - prod(1 - p_i) (Pearl, 1988), in log-odds.

    For members that know different manipulations: that one finds no seam says nothing against an animated still.
    `raw_gains` and `offsets` (G,) turn a group's standardised logit into its own probability.
    """

    def __init__(self, members: int, **options: Any) -> None:
        super().__init__(members, **options)
        self.raw_gains = nn.Parameter(torch.zeros(self.voices))
        self.offsets = nn.Parameter(torch.full((self.voices,), -1.0))

    def combine(self, z: Tensor, present: Tensor) -> Tensor:
        """Logits (B,): the chance that at least one member's manipulation is there."""
        doubt = self._doubts(z, present).sum(1)  # -log of the chance that no member's manipulation is there
        return doubt + torch.log(-torch.expm1(-doubt))

    def shares(self, z: Tensor, present: Tensor) -> Tensor:
        """Weights (B, M) that sum to 1: each member's part of the evidence."""
        doubts = self._doubts(z, present)
        return doubts / doubts.sum(1, keepdim=True)

    def _doubts(self, z: Tensor, present: Tensor) -> Tensor:
        """-log(1 - p_i) of each member, 0 where absent."""
        own = functional.softplus(self.raw_gains) * z + self.offsets
        return functional.softplus(own).clamp(min=1e-6) * present


METHODS: dict[str, type[Fusion]] = {
    "majority_vote": MajorityVote,
    "confidence_weighted": ConfidenceWeighted,
    "logit_mean": LogitMean,
    "learned_weights": LearnedWeights,
    "hinged_weights": HingedWeights,
    "stacking": Stacking,
    "noisy_or": NoisyOr,
}


@architecture("ensemble")
def build_fusion(
    method: str,
    members: int,
    *,
    one_sided: Sequence[int] = (),
    groups: Sequence[int] = (),
    leaks: Sequence[float] = (),
    hidden: int = 0,
    families: int = 0,
) -> Fusion:
    """The fusion of that name, reading so many `families`, 0 for none. Raises ValueError for an unknown method, or
    `hidden` where it has no meaning."""
    if method not in METHODS:
        raise ValueError(f"unknown fusion {method!r}; known: {', '.join(METHODS)}")
    if hidden and method != "stacking":
        raise ValueError(f"{method} has no hidden layer")
    options = {"hidden": hidden} if hidden else {}
    fusion = METHODS[method](members, one_sided=one_sided, groups=groups, leaks=leaks, **options)
    if families:
        fusion.family = nn.Linear(members, families)
    return fusion
