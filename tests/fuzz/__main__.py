"""`make fuzz`: thousands of hostile files, each on trial in a child process, from the seed where the last run ended.

What goes wrong is minimised and kept in tests/fuzz/crashes, where a test tries it from then on. The folder `--state`
holds the next seed and a table of all outcomes; removing it starts again at seed 0.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import Counter
from pathlib import Path

from tests.fuzz.corpus import Corpus, Edit, Specimen, edited
from tests.fuzz.ledger import Ledger
from tests.fuzz.minimise import fewest, keep, shortest
from tests.fuzz.trial import Limits, Outcome, trap, try_file

BOMB_SIDE_PX = 12_000


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--files", type=int, default=5_000)
    parser.add_argument("--seconds", type=float, default=Limits().seconds, help="a file's limit (default: %(default)s)")
    parser.add_argument("--memory-mb", type=int, default=Limits().memory_mb, help="likewise (default: %(default)s)")
    parser.add_argument("--state", type=Path, default=Path(".fuzz"))
    parser.add_argument("--from-seed", type=int, help="start here instead of where the last run ended")
    options = parser.parse_args()
    return _Run(options.state, Limits(options.seconds, options.memory_mb)).run(options.files, options.from_seed)


class _Run:
    def __init__(self, state: Path, limits: Limits) -> None:
        self._ledger = Ledger(state, ("seed", "name", "verdict", "seconds", "peak_mb", "fault"))
        self._limits = limits
        self._faults: Counter[str] = Counter()
        self._verdicts: Counter[str] = Counter()
        self._slowest_s = self._largest_mb = 0.0

    def run(self, files: int, first: int | None) -> int:
        first = self._ledger.first_seed(first)
        with tempfile.TemporaryDirectory(prefix="framewitness-fuzz-") as folder, trap() as (url, sprung):
            (sources := Path(folder) / "sources").mkdir()
            corpus = Corpus(sources, url, bomb_side_px=BOMB_SIDE_PX)
            for seed in range(first, first + files):
                specimen = corpus.specimen(seed)
                outcome = self._try(specimen, specimen.edits, Path(folder))
                if sprung():
                    outcome = Outcome("connected", "to the address in the file", outcome.seconds, outcome.peak_mb)
                self._note(specimen, outcome, Path(folder))
                self._ledger.go_on_at(seed + 1)
                if (seed + 1 - first) % 100 == 0:
                    self._say(seed + 1 - first)
        self._say(files)
        for fault, count in self._faults.most_common():
            print(f"{count:5} x {fault}")
        return 1 if self._faults else 0

    def _try(self, specimen: Specimen, edits: tuple[Edit, ...], folder: Path) -> Outcome:
        path = folder / specimen.name
        path.write_bytes(edited(specimen.source, edits))
        try:
            return try_file(path, self._limits)
        finally:
            path.unlink()

    def _note(self, specimen: Specimen, outcome: Outcome, folder: Path) -> None:
        measured = (f"{outcome.seconds:.2f}", f"{outcome.peak_mb:.0f}")
        self._ledger.note((specimen.seed, specimen.name, outcome.verdict, *measured, outcome.fault))
        self._verdicts[outcome.verdict] += 1
        self._slowest_s = max(self._slowest_s, outcome.seconds)
        self._largest_mb = max(self._largest_mb, outcome.peak_mb)
        if outcome.sound:
            return
        fault = f"{outcome.verdict}, {outcome.fault}"
        known = fault in self._faults
        self._faults[fault] += 1
        print(f"seed {specimen.seed} ({specimen.name}): {fault}\n{outcome.detail}", flush=True)
        if known:  # one file a fault is enough
            return

        def stumbles(edits: tuple[Edit, ...]) -> bool:
            again = self._try(specimen, edits, folder)
            return (again.verdict, again.fault) == (outcome.verdict, outcome.fault)

        fewer = fewest(specimen.edits, stumbles)
        kept = keep(specimen, shortest(specimen.source, fewer, stumbles))
        print(f"kept as {kept}: {len(fewer)} of {len(specimen.edits)} edits", flush=True)

    def _say(self, done: int) -> None:
        counts = ", ".join(f"{count} {verdict}" for verdict, count in self._verdicts.most_common())
        print(f"{done} files: {counts}; at most {self._slowest_s:.1f} s and {self._largest_mb:.0f} MB", flush=True)


if __name__ == "__main__":
    sys.exit(main())
