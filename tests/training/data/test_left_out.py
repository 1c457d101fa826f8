"""Folds that leave generators and sources out: each clip counts once."""

from __future__ import annotations

import pandas as pd

from detector.training.data.left_out import each_once


def test_a_clip_that_two_folds_leave_out_counts_in_the_first() -> None:
    first = pd.DataFrame({"id": ["a", "b"], "fold": 1})
    second = pd.DataFrame({"id": ["b", "c"], "fold": 2})
    assert each_once([first, second]).to_dict("list") == {"id": ["a", "b", "c"], "fold": [1, 1, 2]}
