"""The record -> a PDF that another examiner can check."""

from __future__ import annotations

from typing import TYPE_CHECKING

from detector.report.collect import collect
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
from detector.report.typeset import FORMS, page_pictures, require_form, typeset

if TYPE_CHECKING:
    from collections.abc import Iterable

    from detector.cases import CaseStore
    from detector.explain import Explainer
    from detector.registry import LoadedModel

__all__ = [
    "FORMS",
    "LANGUAGES",
    "AnalysisEntry",
    "CaseRecord",
    "ExhibitEntry",
    "LogExcerpt",
    "ModelEntry",
    "StrongFrame",
    "UnreadableAnalysis",
    "build_report",
    "collect",
    "page_pictures",
    "render_case_pdf",
    "timeline_svg",
    "typeset",
]


def build_report(
    store: CaseStore,
    case_id: str,
    *,
    form: str = "full",
    language: str = "en",
    explainer: Explainer | None = None,
    models: Iterable[LoadedModel] | None = None,
) -> bytes:
    """The report of a case as it stands, as a PDF; the same record gives the same bytes.

    `form` is "full" or "short" (two pages), `language` one of `LANGUAGES`. `explainer` and `models` may be those that
    the caller already holds. Raises StoreError for an unknown case, SettingsError for an unknown form or language.
    """
    from detector.explain import Explainer
    from detector.report.language import words_of

    require_form(form)
    words_of(language)
    drawn = explainer or Explainer(store.home / "heatmaps")
    record = collect(store, case_id, explainer=drawn if form == "full" else None, models=models)
    return typeset(record, form=form, language=language)


render_case_pdf = build_report
