"""The files whose ground truth would teach most: those that the calibration in force is least sure of."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from detector.calibration.calibration import Calibration
from detector.cases.scored_files import ScoredFiles

_EQUAL: Final = 2
"""Decimals within which two posteriors count as equally near to even odds."""
# A hundred calibrators stand behind each interval, and a page asks for the same ones again and again.
_strength = lru_cache(maxsize=4096)(Calibration.strength)


@dataclass(frozen=True, slots=True)
class UncertainFile:
    """An exhibit without recorded ground truth. `uncertainty` is 1 - 2 |p - 0.5| of the posterior p at even prior odds
    of the model that decides, 0..1: 1 at even odds, whichever side the score is on; `interval_width` that of p's 95 %
    interval, 0..1."""

    exhibit_id: str
    case_id: str
    sha256: str
    model_id: str
    uncertainty: float
    interval_width: float


@dataclass(frozen=True, slots=True)
class UncertainFiles:
    """The most uncertain `files`, of `considered` ones; `left_out` counts others by the reason."""

    files: tuple[UncertainFile, ...]
    considered: int
    left_out: Mapping[str, int]

    def shuffled(self) -> tuple[UncertainFile, ...]:
        """The files in an order that follows from their hashes alone, so that a place in it says nothing of a score."""
        return tuple(sorted(self.files, key=lambda one: hashlib.sha256(one.sha256.encode()).hexdigest()))


def most_uncertain(
    scored: ScoredFiles, calibrations: Mapping[str, Calibration], known: Collection[str], count: int
) -> UncertainFiles:
    """The `count` most uncertain files of `scored`, most uncertain first; those whose SHA-256 is in `known` have their
    truth on record already.

    Uncertainty sampling (Lewis & Gale, SIGIR 1994): by how near the posterior is to even odds, to 0.01, then by the
    width of its interval, widest first. The posterior is that of the calibration in force of the one model that the
    conclusion rests on. No file here is in the set that it was fitted to: it is cross-fitted by itself.
    """
    table = scored.table
    files = set(table["sha256"])
    deciding = table[table["decides"] & ~table["sha256"].isin(known)]
    found: list[UncertainFile] = []
    for row in deciding.to_dict("records"):
        calibration = calibrations.get(row["model"])
        if calibration is None or calibration.made_by != row["made_by"]:
            continue
        strength = _strength(calibration, float(row["logit"]))
        posterior, low, high = (ratio / (1 + ratio) for ratio in (strength.ratio, *strength.interval))
        found.append(
            UncertainFile(
                exhibit_id=row["exhibit_id"],
                case_id=row["case_id"],
                sha256=row["sha256"],
                model_id=row["model"],
                uncertainty=1 - 2 * abs(posterior - 0.5),
                interval_width=high - low,
            )
        )
    found.sort(key=lambda one: (-round(one.uncertainty / 2, _EQUAL), -one.interval_width, one.sha256))
    unlabelled = files.difference(known)
    left_out = {
        **scored.left_out,
        "whose truth is known": len(files) - len(unlabelled),
        "whose score no calibration in force backs": len(unlabelled) - len(found),
    }
    return UncertainFiles(
        tuple(found[:count]), len(found), {reason: number for reason, number in left_out.items() if number}
    )
