"""Every measured feature of motion in words, in the number that people read, beside genuine clips."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from detector.analysis.motion_meaning import MEANINGS, evidence_of
from detector.analysis.types import Contribution
from detector.faces import CropSpec
from detector.faces.motion import FEATURES
from detector.registry import ModelCard
from tests.registry.shipping import ship

INPUTS = {"features": ["flicker", "opening_with_jaw"], "genuine_mean": [-4.0, 0.5], "genuine_std": [1.0, 0.25]}


@pytest.fixture(scope="module")
def card(tmp_path_factory: pytest.TempPathFactory) -> ModelCard:
    folder: Path = tmp_path_factory.mktemp("weights")
    return ship(folder, "motion", "kinematics", {"kind": "kinematics", "features": 2}, INPUTS, CropSpec(192, 0.0))


def test_every_feature_has_words_of_its_own() -> None:
    assert set(MEANINGS) == set(FEATURES)
    assert len({meaning.text for meaning in MEANINGS.values()}) == len(FEATURES)
    assert MEANINGS["jaw_with_jaw_left"].text == "How alike these move: chin; line of the jaw (left)"


def test_logarithms_are_read_as_the_numbers_they_are_of(card: ModelCard) -> None:
    told = evidence_of(Contribution("flicker", -3.0, 0.4), card)
    assert told is not None
    assert (told.value, told.genuine) == ("0.05", ("0.0067", "0.05"))
    told = evidence_of(Contribution("opening_with_jaw", 0.9, 0.4), card)
    assert told is not None
    assert (told.value, told.genuine, told.logit) == ("0.90", ("0.25", "0.75"), 0.4)


def test_where_genuine_clips_lie_is_not_made_up(card: ModelCard) -> None:
    for known in (None, replace(card, inputs={}), replace(card, inputs={"features": ["flicker"]})):
        told = evidence_of(Contribution("flicker", -3.0, 0.4), known)
        assert told is not None
        assert told.genuine is None
    assert evidence_of(Contribution("of another program", 1.0, 0.4), card) is None
