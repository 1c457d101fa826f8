"""What the newest analyses in the store say of each file: its scores, and the conditions that they were made under."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import duckdb

from detector.analysis.aggregate import deciding_tracks
from detector.analysis.identity import recorded_digests
from detector.analysis.strength import conditions_of
from detector.analysis.voting import voting
from detector.calibration.calibration import CONDITION_WORDS
from detector.cases.artefacts import artefact_from_row, load_analysis
from detector.cases.database import rows, to_column
from detector.cases.types import Artefact
from detector.errors import SettingsError, StoreError

if TYPE_CHECKING:
    import pandas as pd

CONDITIONS: Final = tuple(CONDITION_WORDS)
COLUMNS: Final = ("sha256", "exhibit_id", "case_id", "record_id", "model", "made_by", "logit", "decides", *CONDITIONS)
"""One row a file and model: the exhibit and the analysis it was read from; the model, the digest of all that makes its
scores (`detector.analysis.identity`), its logit, and whether the conclusion rests on it alone; the conditions as
calibration sets have them (`detector.calibration.sets`), None where one is not known."""
_MOST_KEPT: Final = 4096


@dataclass(frozen=True, slots=True)
class Window:
    """Which exhibits count: those added at `since` or later, and of these the `last` ones. Neither: all."""

    since: datetime | None = None
    last: int | None = None

    def __post_init__(self) -> None:
        if self.last is not None and self.last < 1:
            raise SettingsError(f"Expected a number of exhibits of 1 or more, found {self.last}.")

    @property
    def words(self) -> str:
        """The window in a few words."""
        which = "all exhibits" if self.last is None else f"the {self.last:,} newest exhibits"
        return which if self.since is None else f"{which} since {self.since:%Y-%m-%d}"


@dataclass(frozen=True, slots=True, eq=False)
class ScoredFiles:
    """`table` with the columns of `COLUMNS`, of `files` files; `left_out` counts other analysed files by the reason."""

    table: pd.DataFrame
    files: int
    left_out: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class _Scores:
    """What one analysis says: (model, digest, logit) of each model with a score, the one that decides alone, and the
    conditions; or why it does not count."""

    of_models: tuple[tuple[str, str, float], ...] = ()
    deciding: str | None = None
    conditions: Mapping[str, Any] | None = None
    left_out: str | None = None


def read_scored_files(
    cursor: duckdb.DuckDBPyConnection, artefact_dir: Path, window: Window, withheld: frozenset[str]
) -> ScoredFiles:
    """Every analysed file of the window once, by its newest analysis, in whatever case: the newest files first. Files
    in `withheld` (SHA-256) are not looked into."""
    import pandas as pd

    query = """
        SELECT * FROM (
            SELECT exhibits.sha256, analyses.exhibit_id, analyses.case_id, record_id, kind, path,
                artefacts.sha256 AS artefact_sha256, artefacts.size_bytes, dtype,
                max(added_at) OVER same_file AS added_at, max(record_id) OVER same_file AS newest_record
            FROM analyses JOIN exhibits USING (exhibit_id) JOIN artefacts USING (record_id)
            WHERE kind = 'analysis' WINDOW same_file AS (PARTITION BY exhibits.sha256)
        ) WHERE record_id = newest_record AND added_at >= coalesce(?, TIMESTAMP '0001-01-01')
        ORDER BY added_at DESC, sha256 LIMIT ?
    """
    since = None if window.since is None else to_column(window.since)
    found = rows(cursor, query, [since, window.last])
    left_out: Counter[str] = Counter()
    lines: list[dict[str, Any]] = []
    for row in found:
        place = {name: row[name] for name in ("sha256", "exhibit_id", "case_id", "record_id")}
        if row["sha256"] in withheld:
            left_out["held back until an opinion is recorded"] += 1
            continue
        artefact = artefact_from_row(artefact_dir, {**row, "sha256": row["artefact_sha256"]}, ())
        try:
            said = _scores_in(artefact)
        except StoreError:
            said = _Scores(left_out="with an analysis that cannot be read: verify the store")
        if said.left_out is not None:
            left_out[said.left_out] += 1
            continue
        lines += [
            {
                **place,
                "model": model_id,
                "made_by": made_by,
                "logit": logit,
                "decides": model_id == said.deciding,
                **(said.conditions or {}),
            }
            for model_id, made_by, logit in said.of_models
        ]
    return ScoredFiles(pd.DataFrame(lines, columns=list(COLUMNS)), len(found) - left_out.total(), dict(left_out))


@lru_cache(maxsize=_MOST_KEPT)
def _scores_in(kept: Artefact) -> _Scores:
    """What an analysis says. Its file is named by its content, so that it need be read once only. Raises StoreError."""
    analysis = load_analysis([kept], Path())
    if analysis.evidence.kind == "still":
        return _Scores(left_out="stills, which calibration sets do not hold")
    if analysis.settings.test_time_augmentation:
        return _Scores(left_out="scored with test-time augmentation, as calibration sets are not")
    if analysis.identity is None:
        return _Scores(left_out="analysed by a version that did not record which models these were")
    digests = recorded_digests(analysis.identity)
    scored = [result for result in analysis.models if result.logit is not None and result.model_id in digests]
    if not scored:
        return _Scores(left_out="without a score")
    voters = voting(analysis.models)
    deciding = deciding_tracks(analysis.tracks, analysis.settings, still=False)
    facts = dict(conditions_of(analysis.evidence, deciding))
    return _Scores(
        of_models=tuple((one.model_id, digests[one.model_id], float(one.logit or 0.0)) for one in scored),
        deciding=voters[0].model_id if len(voters) == 1 else None,
        conditions={name: facts.get(name) for name in CONDITIONS},
    )
