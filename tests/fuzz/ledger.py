"""Where a long run with seeds stands: the next seed, and a table of all outcomes, in a folder that outlasts it."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path


class Ledger:
    """`folder` holds `next-seed` and `outcomes.csv`; removing it starts again at seed 0."""

    def __init__(self, folder: Path, columns: Sequence[str]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._next_seed, self._table, self._columns = folder / "next-seed", folder / "outcomes.csv", columns

    def first_seed(self, chosen: int | None) -> int:
        """The seed that was chosen, else the one where the last run ended."""
        if chosen is not None:
            return chosen
        return int(self._next_seed.read_text()) if self._next_seed.exists() else 0

    def note(self, row: Sequence[object]) -> None:
        """Add an outcome."""
        new = not self._table.exists()
        with self._table.open("a", newline="", encoding="utf-8") as stream:
            table = csv.writer(stream)
            if new:
                table.writerow(self._columns)
            table.writerow(row)

    def go_on_at(self, seed: int) -> None:
        """Let the next run begin with this seed."""
        self._next_seed.write_text(str(seed))
