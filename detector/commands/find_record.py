"""The saved analysis that a command line names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from detector.commands.find_case import require_case
from detector.errors import SettingsError, StoreError

if TYPE_CHECKING:
    from detector.cases import AnalysisRecord, CaseStore


def require_record(store: CaseStore, name: str | None, case: str | None = None) -> AnalysisRecord:
    """The record `RECORD` or `CASE/RECORD`; with `case` and no name, the newest of the case's only analysed exhibit.

    Raises StoreError where there is none or it is not clear which one, and where its scores wait for a blind opinion.
    """
    from detector.report.exchange import require_opinion

    if name is None and case is None:
        raise SettingsError("Name a record, or a case with --case.")
    record = _named(store, name) if name else _newest(store, str(case))
    if name and case and require_case(store, case).case_id != record.case_id:
        raise StoreError(f"The record {record.record_id} belongs to another case than {case!r}.")
    require_opinion(store, record.exhibit_id)
    return record


def _named(store: CaseStore, name: str) -> AnalysisRecord:
    case, _, record_id = name.rpartition("/")
    record = store.record(record_id)
    if case and require_case(store, case).case_id != record.case_id:
        raise StoreError(f"The case {case!r} has no analysis {record_id!r}; it belongs to another case.")
    return record


def _newest(store: CaseStore, name: str) -> AnalysisRecord:
    records = store.analyses(case_id=require_case(store, name).case_id)
    newest = {record.exhibit_id: record for record in sorted(records, key=lambda record: record.record_id)}
    if len(newest) != 1:
        known = ", ".join(record.record_id for record in newest.values()) or "none"
        raise StoreError(f"The case {name!r} has {len(newest)} analysed exhibits; name one record of: {known}.")
    return next(iter(newest.values()))
