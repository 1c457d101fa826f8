"""A calibration set of closed cases in which it is known by now what the exhibits are."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from detector.analysis.aggregate import deciding_tracks
from detector.analysis.identity import recorded_digests
from detector.analysis.strength import conditions_of
from detector.calibration.in_force import LeftOut
from detector.calibration.sets import APPEARANCE, COLUMNS, CONDITIONS, CalibrationSet
from detector.cases.calibration_choice import digest_here
from detector.errors import CalibrationError, ModelError, StoreError

if TYPE_CHECKING:
    from detector.analysis.types import Analysis
    from detector.cases.statements import LabelledAnalysis
    from detector.cases.store import CaseStore

_Digest = Callable[[str], str | None]


@dataclass(frozen=True, slots=True)
class CaseSet:
    """A set made of a store's closed cases, and the exhibits with known truth that are not in it, by reference."""

    of: CalibrationSet
    left_out: tuple[LeftOut, ...]

    @property
    def files(self) -> int:
        """How many files it holds."""
        return int(self.of.table["sha256"].nunique())


def set_from_cases(store: CaseStore, name: str, provenance: str) -> CaseSet:
    """The scores of every analysed video in a closed case whose ground truth is recorded, each file once: those of its
    newest analysis by models that are the ones here. A case stands for the source of its files and for who is in them;
    how a file was made, where that is recorded, for its generator.

    Left out, with the reason, are stills, files of which differing truths are recorded, files whose scores wait for an
    opinion, and those that no model as it is here has scored. Raises CalibrationError where that leaves nothing, or
    where a name or provenance is not given.
    """
    import pandas as pd

    if not name.strip() or not provenance.strip():
        raise CalibrationError("A calibration set needs a name and its provenance: how is the truth known?")
    withheld, digest = store.statements.files_without_opinion(), cache(_digest_or_none)
    found: dict[str, list[LabelledAnalysis]] = {}
    for one in store.statements.labelled_analyses(closed_only=True):
        found.setdefault(one.sha256, []).append(one)
    rows: list[dict[str, Any]] = []
    left_out: list[LeftOut] = []
    for sha256, labelled in found.items():
        newest_first = sorted(labelled, key=lambda one: one.record.record_id, reverse=True)
        try:
            if sha256 in withheld:
                raise CalibrationError("its scores wait for an opinion in a blind-first case")
            rows += _rows(store, newest_first, digest)
        except (CalibrationError, StoreError) as error:
            left_out.append(LeftOut(name=_exhibit_name(store, newest_first[0]), reason=str(error)))
    if not rows:
        why = "".join(f" {one.name}: {one.reason}." for one in left_out)
        raise CalibrationError(
            f"No closed case has a scored video whose ground truth is recorded.{why} Record what an exhibit turned out "
            "to be (Examine, or `cases truth`), close its case, and analyse anew what other weights scored."
        )
    table = pd.DataFrame(rows)[[*COLUMNS, APPEARANCE]]
    made_by = {model_id: str(digest(model_id)) for model_id in sorted(set(table["model"]))}
    return CaseSet(CalibrationSet(name.strip(), provenance.strip(), made_by, table), tuple(left_out))


def _digest_or_none(model_id: str) -> str | None:
    """`digest_here`; None where the model cannot be used here."""
    try:
        return digest_here(model_id)
    except ModelError:
        return None


def _exhibit_name(store: CaseStore, labelled: LabelledAnalysis) -> str:
    exhibit = store.exhibit(labelled.truth.exhibit_id)
    return f"{store.case(exhibit.case_id).reference} {exhibit.reference}"


def _rows(store: CaseStore, newest_first: Sequence[LabelledAnalysis], digest: _Digest) -> list[dict[str, Any]]:
    """A row a model of the newest analysis that models as they are here made. Raises CalibrationError without one."""
    if newest_first[0].disputed:
        raise CalibrationError("differing truths are recorded of the same file")
    for labelled in newest_first:
        analysis = store.analysis(labelled.record.record_id)
        if analysis.evidence.kind == "still":
            raise CalibrationError("it is a still, and sets hold videos")
        # A mean over views is another score than the one that is calibrated.
        if not analysis.settings.test_time_augmentation and (rows := list(_scored(analysis, labelled, digest))):
            return rows
    raise CalibrationError(
        "no analysis of it without test-time augmentation has a score by a model with the weights and inputs that are "
        "here"
    )


def _scored(analysis: Analysis, labelled: LabelledAnalysis, digest: _Digest) -> Iterator[dict[str, Any]]:
    then = {} if analysis.identity is None else recorded_digests(analysis.identity)
    deciding = deciding_tracks(analysis.tracks, analysis.settings, still=False)
    conditions = conditions_of(analysis.evidence, deciding)
    manipulated = labelled.truth.truth == "manipulated"
    for result in analysis.models:
        made_by = then.get(result.model_id)
        if result.logit is None or not math.isfinite(result.logit) or made_by is None:
            continue
        if made_by != digest(result.model_id):
            continue
        yield {
            "sha256": labelled.sha256,
            "label": "fake" if manipulated else "real",
            "source": labelled.truth.case_id,
            "group": labelled.truth.case_id,
            "generator": (labelled.truth.method.strip() or None) if manipulated else None,
            "family": None,
            "model": result.model_id,
            "logit": result.logit,
            **{condition: conditions.get(condition) for condition in CONDITIONS},
            APPEARANCE: analysis.appearance,
        }
