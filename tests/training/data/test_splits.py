"""Nobody is on both sides of a split, and padding is placed anywhere in training."""

import numpy as np
import pandas as pd
import pytest

from detector.errors import SettingsError
from detector.training.data.splits import assign_splits, grouped_folds, pad_window, whole_groups


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    group = rng.integers(0, 80, 600)
    return pd.DataFrame(
        {
            "group": group.astype(str),
            "identity": np.where(group % 5 == 0, np.char.add("person", (group % 3).astype(str)), ""),
            "source": np.where(group % 4 == 0, "studio", "web"),
            "label": np.where(group % 2 == 0, "fake", "real"),
        }
    )


def test_no_group_and_no_person_is_in_two_folds(table: pd.DataFrame) -> None:
    seen: list[int] = []
    for fit, held in grouped_folds(table, 5):
        for column in ("group", "identity"):
            both = set(table[column].iloc[fit]) & set(table[column].iloc[held])
            assert both <= {""}, column
        assert set(fit) | set(held) == set(range(len(table)))
        seen += held.tolist()
    assert sorted(seen) == list(range(len(table)))


def test_a_person_in_two_clips_binds_them_and_what_is_bound_to_them() -> None:
    chain = pd.DataFrame({"group": ["a", "a", "b", "c", "d"], "identity": ["x", "y", "y", "", "z"], "label": "real"})
    assert whole_groups(chain).tolist() == [0, 0, 0, 1, 2]


def test_labels_and_sources_are_spread_over_folds(table: pd.DataFrame) -> None:
    for _, held in grouped_folds(table, 4):
        part = table.iloc[held]
        assert abs((part["label"] == "fake").mean() - (table["label"] == "fake").mean()) < 0.15
        assert abs((part["source"] == "studio").mean() - (table["source"] == "studio").mean()) < 0.15


def test_a_manifest_may_say_itself_what_is_held_apart(table: pd.DataFrame) -> None:
    own = table.assign(use="train", split=np.where(table["group"].astype(int) % 7 == 0, "test", "train"))
    assert assign_splits(own).tolist() == own["split"].tolist()
    with pytest.raises(SettingsError, match="expected train, val, test, found 'held'"):
        assign_splits(own.assign(split="held"))
    torn = own.assign(split=np.resize(["train", "val"], len(own)))
    with pytest.raises(SettingsError, match="groups lie in two splits"):
        assign_splits(torn)


def test_too_few_groups_and_nameless_rows_are_refused(table: pd.DataFrame) -> None:
    with pytest.raises(ValueError, match="as many groups"):
        next(grouped_folds(table[table["group"].isin(["1", "2"])], 5))
    with pytest.raises(ValueError, match="needs a group"):
        whole_groups(pd.DataFrame({"group": ["a", ""]}))


def test_padding_is_placed_anywhere_in_training() -> None:
    rng = np.random.default_rng(0)
    assert {pad_window(5, 8, rng) for _ in range(100)} == {0, 1, 2, 3}
    assert pad_window(8, 8, rng) == 0
    with pytest.raises(ValueError, match="do not fit"):
        pad_window(9, 8, rng)
