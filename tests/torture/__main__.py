"""`make torture`: kill -9 over worker, server and command line, then full disks, read-only homes and changed clocks.

After each the home must open and verify, with nothing lost that was told to somebody, nothing doubled and nothing
left over that is not listed, and what was interrupted must go on. The folder `--state` holds the next seed and a table
of all outcomes; removing it starts again at seed 0.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.fuzz.ledger import Ledger
from tests.torture.scene import build
from tests.torture.trial import Outcome, Trials

_COLUMNS = ("seed", "target", "disturbance", "hit", "seconds", "findings")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.torture", description=__doc__)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--hardships", type=int, default=12, help="of each: disk full, read-only, clock (%(default)s)")
    parser.add_argument("--seed", type=int, help="start here instead of where the last run ended")
    parser.add_argument("--state", type=Path, default=Path(".torture"))
    options = parser.parse_args()
    ledger = Ledger(options.state, _COLUMNS)
    first = ledger.first_seed(options.seed)
    outcomes = []
    with tempfile.TemporaryDirectory(prefix="framewitness-torture-") as folder:
        trials = Trials(build(Path(folder)))
        for seed, disturb in _plan(trials, first, options.kills, options.hardships):
            outcome = disturb(seed)
            outcomes.append(outcome)
            ledger.note((*_row(outcome), "; ".join(outcome.findings)))
            ledger.go_on_at(seed + 1)
            print("  ".join(_row(outcome)), flush=True)
            for finding in outcome.findings:
                print(f"    FOUND {finding}", flush=True)
    _tell(outcomes)
    return 1 if any(outcome.findings for outcome in outcomes) else 0


def _plan(trials: Trials, first: int, kills: int, hardships: int) -> Iterator[tuple[int, Callable[[int], Outcome]]]:
    for seed in range(first, first + kills):
        yield seed, trials.kill
    seed = first + kills
    for disturb in (trials.fill_disk, trials.forbid_writing, trials.change_clock):
        for _ in range(hardships):
            yield seed, disturb
            seed += 1


def _row(outcome: Outcome) -> tuple[str, ...]:
    hit = "hit" if outcome.hit else "after its end"
    return (f"{outcome.seed:5}", f"{outcome.target:24}", f"{outcome.disturbance:36}", hit, f"{outcome.seconds:.1f} s")


def _tell(outcomes: list[Outcome]) -> None:
    """A line a target and kind of disturbance."""
    kinds = {(one.target, one.disturbance.split()[0]) for one in outcomes}
    print(f"\n{'target':24}  {'disturbance':12}  trials  hit  findings  seconds")
    for target, kind in sorted(kinds, key=lambda pair: pair[::-1]):
        own = [one for one in outcomes if (one.target, one.disturbance.split()[0]) == (target, kind)]
        hits, found = sum(one.hit for one in own), sum(len(one.findings) for one in own)
        print(f"{target:24}  {kind:12}  {len(own):6}  {hits:3}  {found:8}  {sum(one.seconds for one in own):7.0f}")
    found = sum(len(one.findings) for one in outcomes)
    print(f"{len(outcomes)} trials, {sum(one.hit for one in outcomes)} before the end, {found} findings")


if __name__ == "__main__":
    sys.exit(main())
