"""The files of a data set that two models call differently, and which of the two is right."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
import streamlit as st

from detector.analysis.agreement import Side, beyond, side
from detector.evidence.text import revealed
from detector.measurement.thresholds import Thresholds
from pages.parts.compare.score_files import ScoredSet
from pages.parts.shared import markup
from pages.parts.shared.wording import SIDES

_RIGHT: dict[bool, Side] = {True: "likely_manipulated", False: "no_manipulation_found"}
_MOST = 200


def show(scored: ScoredSet, first: str, second: str, limits: Mapping[str, Thresholds]) -> None:
    """A row a file, opposite calls first; a note where thresholds are missing or the two never differ."""
    markup.heading("Called differently")
    if first not in limits or second not in limits:
        missing = ", ".join(name for name in (first, second) if name not in limits)
        markup.note(f"Not installed here, so without thresholds: {missing}. Install it to see what each calls.")
        return
    table = differing(scored, first, second, limits)
    if table.empty:
        markup.note(f"The two call all {len(scored.files)} files alike.")
        return
    right = table["right"].value_counts()
    counts = ", ".join(f"{name} alone {right.get(name, 0)}" for name in (first, second))
    markup.note(f"{len(table)} of {len(scored.files)} files. Right by its own thresholds: {counts}, neither "
                f"{right.get('neither', 0)}.")  # fmt: skip
    st.dataframe(table.head(_MOST), hide_index=True, height=380, key="compare_differing")
    if len(table) > _MOST:
        markup.note(f"The {_MOST} that differ most are listed.")


def differing(scored: ScoredSet, first: str, second: str, limits: Mapping[str, Thresholds]) -> pd.DataFrame:
    """Files on different sides of the two models' own thresholds: columns file, truth, right (a model's name or
    "neither"), both calls with logits, generator; opposite calls before others, then by how far the two lie beyond
    their thresholds."""
    rows = []
    for file, fake, generator, one, other in zip(
        scored.files["file"],
        scored.fake,
        scored.files["generator"],
        scored.column(first),
        scored.column(second),
        strict=True,
    ):
        sides = side(one, limits[first]), side(other, limits[second])
        if sides[0] == sides[1]:
            continue
        right = [name for name, its in zip((first, second), sides, strict=True) if its == _RIGHT[bool(fake)]]
        rows.append(
            {
                "file": revealed(str(file)),
                "truth": "manipulated" if fake else "genuine",
                "right": right[0] if right else "neither",
                f"by {first}": f"{SIDES[sides[0]].word} ({one:+.2f})",
                f"by {second}": f"{SIDES[sides[1]].word} ({other:+.2f})",
                "generator": revealed(str(generator)),
                "opposite": "undecided" not in sides,
                "apart": abs(beyond(one, limits[first]) - beyond(other, limits[second])),
            }
        )
    table = pd.DataFrame(rows)
    if rows:
        table = table.sort_values(["opposite", "apart"], ascending=False, kind="stable")
        table = table.drop(columns=["opposite", "apart"]).reset_index(drop=True)
    return table
