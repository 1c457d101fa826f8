"""The record -> a PDF that another examiner can check."""

from __future__ import annotations

from typing import TYPE_CHECKING

from detector.report.check import Finding, ReportCheck, check_report
from detector.report.collect import collect
from detector.report.issue import issue_report, record_for
from detector.report.language import LANGUAGES
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
from detector.report.typeset import FORMS, page_pictures, typeset

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from detector.cases import CaseStore
    from detector.explain import Explainer
    from detector.registry import LoadedModel

__all__ = [
    "FORMS",
    "LANGUAGES",
    "AnalysisEntry",
    "CaseRecord",
    "ExhibitEntry",
    "Finding",
    "LogExcerpt",
    "ModelEntry",
    "ReportCheck",
    "StrongFrame",
    "UnreadableAnalysis",
    "check_report",
    "collect",
    "issue_report",
    "page_pictures",
    "record_for",
    "render_case_pdf",
    "timeline_svg",
    "typeset",
]


def render_case_pdf(
    store: CaseStore,
    case_id: str,
    *,
    form: str = "full",
    language: str = "en",
    explainer: Explainer | None = None,
    models: Iterable[LoadedModel] | None = None,
    exhibit_ids: Sequence[str] | None = None,
) -> bytes:
    """The report of a case as it stands, as a PDF; the same record gives the same bytes. Reads only; `issue_report`
    also puts on record that a report was made.

    `form` is "full" or "short" (two pages), `language` one of `LANGUAGES`, `exhibit_ids` the exhibits to cover, None
    for all. `explainer` and `models` may be those that the caller already holds. Raises StoreError for an unknown case
    or exhibit, SettingsError for an unknown form or language or where no exhibit is chosen.
    """
    record = record_for(
        store,
        case_id,
        form=form,
        language=language,
        explainer=explainer,
        models=models,
        exhibit_ids=exhibit_ids,
    )
    return typeset(record, form=form, language=language)
