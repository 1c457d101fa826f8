"""Fusion: each method in closed form, absent members left out, and a one-sided member that can only raise."""

from __future__ import annotations

import math

import pytest
import torch

from detector.models.fusion import METHODS, build_fusion

LOGITS = torch.tensor([[2.0, -1.0, 4.0], [0.5, 0.5, -3.0]])
ALL = torch.ones(2, 3, dtype=torch.bool)


def sure(z: float) -> float:
    return abs(math.tanh(z / 2))


def test_the_simple_methods_in_closed_form() -> None:
    vote = build_fusion("majority_vote", 3)(LOGITS, ALL)
    assert vote.tolist() == pytest.approx([math.log(2.5 / 1.5), math.log(2.5 / 1.5)])
    mean = build_fusion("logit_mean", 3)(LOGITS, ALL)
    assert mean.tolist() == pytest.approx([5 / 3, -2 / 3])
    weights = [sure(value) for value in (2.0, -1.0, 4.0)]
    expected = sum(w * z for w, z in zip(weights, (2.0, -1.0, 4.0), strict=True)) / sum(weights)
    assert build_fusion("confidence_weighted", 3)(LOGITS, ALL)[0].item() == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("method", METHODS)
def test_what_lies_in_an_absent_place_is_never_read(method: str) -> None:
    torch.manual_seed(0)
    fusion = build_fusion(method, 3).requires_grad_(False)
    for parameter in fusion.parameters():
        torch.nn.init.normal_(parameter)
    present = torch.tensor([[True, False, True], [False, True, False]])
    results = []
    for filler in (0.0, 1e6, float("nan"), float("-inf")):
        fused, shares = fusion.fuse(LOGITS.masked_fill(~present, filler), present)
        results.append(fused)
        assert (shares[~present] == 0).all()
        torch.testing.assert_close(shares.sum(1), torch.ones(2))
    assert torch.isfinite(results[0]).all()
    for other in results[1:]:
        torch.testing.assert_close(other, results[0], rtol=0, atol=0)


@pytest.mark.parametrize("method", ["majority_vote", "confidence_weighted", "logit_mean", "learned_weights"])
def test_a_missing_member_gives_the_result_of_the_others_alone(method: str) -> None:
    present = torch.tensor([[True, False, True], [True, False, True]])
    both = build_fusion(method, 2)(LOGITS[:, [0, 2]], ALL[:, :2])
    torch.testing.assert_close(build_fusion(method, 3)(LOGITS, present), both)


@pytest.mark.parametrize("method", sorted(set(METHODS) - {"hinged_weights"}))  # which hears its members, too
def test_a_group_counts_as_one_member_with_the_mean_of_those_present(method: str) -> None:
    torch.manual_seed(0)
    grouped = build_fusion(method, 3, groups=(0, 1, 1)).requires_grad_(False)
    two = build_fusion(method, 2).requires_grad_(False)
    for parameter in grouped.parameters():
        torch.nn.init.normal_(parameter)
    two.load_state_dict({**grouped.state_dict(), "centre": torch.zeros(2), "scale": torch.ones(2)})
    present = torch.tensor([[True, True, True], [True, True, False]])
    means = torch.stack([LOGITS[:, 0], torch.tensor([(-1.0 + 4.0) / 2, 0.5])], 1)
    fused, shares = grouped.fuse(LOGITS, present)
    expected, of_two = two.fuse(means, ALL[:, :2])
    torch.testing.assert_close(fused, expected)
    torch.testing.assert_close(shares[:, 0], of_two[:, 0])
    torch.testing.assert_close(shares[:, 1], of_two[:, 1] * torch.tensor([0.5, 1.0]))
    torch.testing.assert_close(shares[:, 2], of_two[:, 1] * torch.tensor([0.5, 0.0]))


@pytest.mark.parametrize("method", METHODS)
def test_what_a_member_says_below_the_middle_can_count_for_less(method: str) -> None:
    torch.manual_seed(0)
    plain, leaky = build_fusion(method, 3), build_fusion(method, 3, leaks=(0.25, 0.0, 1.0))
    for parameter in plain.parameters():
        torch.nn.init.normal_(parameter)
    leaky.load_state_dict(plain.state_dict())
    leaked = torch.tensor([[2.0, 0.0, 4.0], [0.5, 0.5, -3.0]])
    torch.testing.assert_close(leaky(LOGITS, ALL), plain(leaked, ALL))
    for wrong in ((1.0, 1.0), (0.5, 1.5, 1.0)):
        with pytest.raises(ValueError, match="leaks"):
            build_fusion(method, 3, leaks=wrong)


def test_groups_number_every_member_without_gaps() -> None:
    for wrong in ((0, 1), (0, 2, 2), (1, 1, 2)):
        with pytest.raises(ValueError, match="groups"):
            build_fusion("logit_mean", 3, groups=wrong)


@pytest.mark.parametrize("method", METHODS)
def test_nobody_present_is_no_result(method: str) -> None:
    fused, shares = build_fusion(method, 3).fuse(LOGITS, torch.zeros(2, 3, dtype=torch.bool))
    assert fused.isnan().all()
    assert shares.isnan().all()


def test_a_one_sided_member_only_raises() -> None:
    fusion = build_fusion("logit_mean", 3, one_sided=[2])
    fused, shares = fusion.fuse(LOGITS, ALL)
    assert fused.tolist() == pytest.approx([5 / 3, 0.5])  # the second row is higher without its -3
    assert shares[1].tolist() == pytest.approx([0.5, 0.5, 0.0])
    mild = torch.tensor([[-3.0, -3.0, -0.5]])  # it speaks against manipulation, and higher than the others
    assert fusion(mild, ALL[:1]).item() == pytest.approx(-3.0)
    alone = torch.tensor([[False, False, True], [False, False, True]])
    assert fusion(LOGITS, alone).isnan().all()  # it cannot decide without the others


def test_constants_standardise_before_and_scale_after() -> None:
    fusion = build_fusion("logit_mean", 2)
    fusion.centre.copy_(torch.tensor([1.0, -1.0]))
    fusion.scale.copy_(torch.tensor([2.0, 0.5]))
    with torch.no_grad():
        fusion.log_gain.fill_(math.log(3.0))
        fusion.bias.fill_(-1.0)
    fused = fusion(torch.tensor([[3.0, 0.0]]), ALL[:1, :2])
    assert fused.item() == pytest.approx(3 * (1.0 + 2.0) / 2 - 1)


def test_a_stacker_may_have_a_hidden_layer_and_others_may_not() -> None:
    assert build_fusion("stacking", 3, hidden=4)(LOGITS, ALL).shape == (2,)
    for refused in (
        {"method": "mood"},
        {"method": "logit_mean", "hidden": 3},
        {"method": "stacking", "one_sided": [7]},
    ):
        with pytest.raises(ValueError, match=r"unknown fusion|hidden layer|one_sided"):
            build_fusion(**{"members": 3, **refused})  # type: ignore[arg-type]


def test_families_are_read_of_standardised_logits_and_an_absent_member_is_undecided() -> None:
    torch.manual_seed(0)
    fusion = build_fusion("logit_mean", 3, families=2).requires_grad_(False)
    fusion.centre.copy_(torch.tensor([1.0, 0.0, 2.0]))
    fusion.scale.copy_(torch.tensor([2.0, 1.0, 0.5]))
    assert fusion.family is not None
    expected = torch.log_softmax(fusion.family(torch.tensor([[0.5, -1.0, 4.0], [-0.25, 0.5, -10.0]])), dim=1)
    torch.testing.assert_close(fusion.families(LOGITS, ALL), expected)
    present = torch.tensor([[True, False, True], [False, False, False]])
    read = fusion.families(LOGITS.masked_fill(~present, float("nan")), present)
    centred = torch.tensor([[2.0, 0.0, 4.0]])  # the absent one where it is undecided
    torch.testing.assert_close(read[:1], fusion.families(centred, ALL[:1]))
    assert read[1].isnan().all()
    torch.testing.assert_close(fusion(LOGITS, ALL), LOGITS.sub(fusion.centre).div(fusion.scale).mean(1))


def test_a_fusion_without_families_has_nothing_of_them() -> None:
    fusion = build_fusion("stacking", 3)
    assert not [key for key in fusion.state_dict() if "family" in key]
    with pytest.raises(ValueError, match="no families"):
        fusion.families(LOGITS, ALL)


def test_a_member_far_above_its_middle_is_not_voted_down_by_others_and_none_votes_so_itself() -> None:
    weighted, hinged = (build_fusion(method, 3, groups=(0, 0, 1)) for method in ("learned_weights", "hinged_weights"))
    mild = torch.tensor([[2.0, -6.0, 1.0]])
    torch.testing.assert_close(hinged(mild, ALL[:1]), weighted(mild, ALL[:1]))
    sure = torch.tensor([[5.0, -6.0, -2.0]])
    fused, shares = hinged.fuse(sure, ALL[:1])
    assert weighted(sure, ALL[:1]).item() < 0 < fused.item()
    torch.testing.assert_close(fused, weighted(sure, ALL[:1]) + 3.0)
    torch.testing.assert_close(shares, torch.tensor([[1.25 / 2, 0.25 / 2, 0.5 / 2]]))
    without = torch.tensor([[False, True, True]])
    torch.testing.assert_close(hinged(sure, without), weighted(sure, without))


def test_noisy_or_is_the_chance_that_any_member_is_right_and_none_lowers_it() -> None:
    fusion = build_fusion("noisy_or", 3).requires_grad_(False)
    gains = torch.nn.functional.softplus(fusion.raw_gains)  # type: ignore[arg-type]
    own = torch.sigmoid(gains * LOGITS + fusion.offsets)
    torch.testing.assert_close(torch.sigmoid(fusion(LOGITS, ALL)), 1 - (1 - own).prod(1))
    base = fusion(LOGITS, ALL)
    for member in range(3):
        without = ALL.clone()
        without[:, member] = False
        assert (fusion(LOGITS, without) < base).all()
        louder = LOGITS.clone()
        louder[:, member] += 1
        assert (fusion(louder, ALL) > base).all()
    assert torch.isfinite(fusion(torch.tensor([[-80.0, -80.0, -80.0], [80.0, 80.0, 80.0]]), ALL)).all()
