"""The record -> a PDF that another examiner can check."""

from __future__ import annotations

from typing import TYPE_CHECKING

from detector.report.collect import collect
from detector.report.record import (
    AnalysisEntry,
    CaseRecord,
    ExhibitEntry,
    LogExcerpt,
    ModelEntry,
    StrongFrame,
    UnreadableAnalysis,
)
from detector.report.timeline import timeline_svg
from detector.report.typeset import page_pictures, typeset

if TYPE_CHECKING:
    from collections.abc import Iterable

    from detector.cases import CaseStore
    from detector.explain import Explainer
    from detector.registry import LoadedModel

__all__ = [
    "AnalysisEntry",
    "CaseRecord",
    "ExhibitEntry",
    "LogExcerpt",
    "ModelEntry",
    "StrongFrame",
    "UnreadableAnalysis",
    "collect",
    "page_pictures",
    "render_case_pdf",
    "timeline_svg",
    "typeset",
]


def render_case_pdf(
    store: CaseStore,
    case_id: str,
    *,
    explainer: Explainer | None = None,
    models: Iterable[LoadedModel] | None = None,
) -> bytes:
    """The report of a case as it stands, as a PDF; the same record gives the same bytes.

    `explainer` and `models` may be those that the caller already holds. Raises StoreError for an unknown case.
    """
    from detector.explain import Explainer

    return typeset(collect(store, case_id, explainer=explainer or Explainer(store.home / "heatmaps"), models=models))
