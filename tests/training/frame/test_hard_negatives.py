"""The hardest samples of each label are kept, shown again, and let go once learned."""

import csv
from pathlib import Path

import numpy as np

from detector.training.frame.hard_negatives import HardSamples


def test_the_hardest_of_each_label_are_kept_and_listed_hardest_first(tmp_path: Path) -> None:
    hard: HardSamples[int] = HardSamples(2)
    hard.note(["a", "b", "c", "d", "e"], [0.1, 2.0, 0.5, 0.9, 3.0], [0, 0, 0, 1, 1], [1, 2, 3, 4, 5])
    hard.note(["f"], [0.2], [0], [6])  # easier than both that are kept
    hard.write(tmp_path / "hard.csv")
    with (tmp_path / "hard.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["name"], row["label"]) for row in rows] == [("e", "1"), ("b", "0"), ("d", "1"), ("c", "0")]


def test_a_sample_that_was_learned_makes_room() -> None:
    hard: HardSamples[None] = HardSamples(2)
    hard.note(["a", "b", "x"], [2.0, 1.0, 1.0], [0, 0, 1], [None] * 3)
    hard.note(["a"], [0.01], [0], [None])
    hard.note(["c"], [0.5], [0], [None])
    names = {name for name, label, _ in hard.draw(10, np.random.default_rng(0)) if label == 0}
    assert names == {"b", "c"}


def test_draws_are_balanced_and_prefer_higher_losses() -> None:
    hard: HardSamples[int] = HardSamples(20)
    for label in (0, 1):
        hard.note([f"{label}-{i}" for i in range(20)], list(np.arange(20.0)), [label] * 20, list(range(20)))
    rng = np.random.default_rng(0)
    drawn = [item for _ in range(200) for item in hard.draw(6, rng)]
    assert sum(label for _, label, _ in drawn) == len(drawn) / 2
    losses = np.array([payload for _, _, payload in drawn])
    assert (losses >= 10).mean() > 0.65


def test_nothing_is_drawn_before_both_labels_are_there() -> None:
    hard: HardSamples[None] = HardSamples(4)
    hard.note(["a"], [1.0], [0], [None])
    assert hard.draw(4, np.random.default_rng(0)) == []
