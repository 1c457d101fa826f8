"""Statements of people about a case: opinions, ground truth learned later, signatures."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from detector.cases.types import AnalysisRecord

Verdict = Literal["manipulated", "genuine", "undetermined"]
Truth = Literal["manipulated", "genuine", "unknown"]
Role = Literal["examiner", "second_examiner"]
VERDICTS: tuple[Verdict, ...] = ("manipulated", "genuine", "undetermined")
TRUTHS: tuple[Truth, ...] = ("manipulated", "genuine", "unknown")
ROLES: tuple[Role, ...] = ("examiner", "second_examiner")


def same_person(one: str, other: str) -> bool:
    """Names are compared without letter case and outer spaces; nothing else is known of a person."""
    return " ".join(one.split()).casefold() == " ".join(other.split()).casefold()


@dataclass(frozen=True, slots=True)
class Opinion:
    """An examiner's opinion of an exhibit. `scores_opened_by` names those to whom the log says that scores of this
    file (in whichever case) had been shown before, on a page, in a report, an export or on a terminal;
    `analyses_before` counts the analyses of it that existed then."""

    opinion_id: str
    case_id: str
    exhibit_id: str
    verdict: Verdict
    text: str
    author: str
    analyses_before: int
    scores_opened_by: tuple[str, ...]
    created_at: datetime

    @property
    def blind(self) -> bool:
        """Nothing in the log says that the author had seen scores of this file. The log cannot know of a glance at
        another's screen."""
        return not any(same_person(self.author, name) for name in self.scores_opened_by)


@dataclass(frozen=True, slots=True)
class GroundTruth:
    """The truth about an exhibit, as it turned out. `source` says how that is known (a confession, the original
    recording); `method` how it was made, where known.
    "unknown" withdraws what was recorded before: the newest entry counts."""

    truth_id: str
    case_id: str
    exhibit_id: str
    truth: Truth
    source: str
    method: str
    author: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Signature:
    """`author` stands for the case as its log was at event `head_sequence` with hash `head_hash`. A statement in the
    record, bound to it by the hash; not a cryptographic signature of a key."""

    signature_id: str
    case_id: str
    role: Role
    statement: str
    author: str
    head_sequence: int
    head_hash: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class SignOff:
    """The signatures that stand for a case now. `examiner` and `second_examiner` are their newest; the second counts
    only where it is another person's. `changed_since` holds what happened to the case after the older of the two, or
    after the only one: views, exports and signatures aside."""

    examiner: Signature | None
    second_examiner: Signature | None
    changed_since: tuple[str, ...]

    @property
    def complete(self) -> bool:
        """Whether examiner and second examiner signed, and nothing changed since."""
        return self.examiner is not None and self.second_examiner is not None and not self.changed_since


@dataclass(frozen=True, slots=True)
class LabelledAnalysis:
    """An analysis of a file whose ground truth is known, for calibration. `disputed` says that exhibits of the same
    file carry different truths."""

    truth: GroundTruth
    record: AnalysisRecord
    sha256: str
    disputed: bool
