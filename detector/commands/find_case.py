"""The case that a command line names."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from detector.errors import StoreError

if TYPE_CHECKING:
    from detector.cases import Case, CaseStore


def find_case(store: CaseStore, name: str) -> Case | None:
    """The case with this id, reference or title, archived or not; None where there is none.

    Raises StoreError where several cases have that title.
    """
    from detector.cases import STATUSES, CaseFilter

    found = [summary.case for summary in store.cases(name, limit=1_000, wanted=CaseFilter(statuses=STATUSES))]
    with suppress(StoreError):  # most names are no id
        found.append(store.case(name))
    for field in ("case_id", "reference", "title"):
        matches = {case.case_id: case for case in found if getattr(case, field) == name}
        if len(matches) > 1:
            raise StoreError(f"{len(matches)} cases have the {field} {name!r}: {', '.join(matches)}. Give the id.")
        if matches:
            return next(iter(matches.values()))
    return None


def require_case(store: CaseStore, name: str) -> Case:
    """As `find_case`, but StoreError where there is none."""
    case = find_case(store, name)
    if case is None:
        raise StoreError(f"There is no case {name!r} in {store.home}. See `python -m detector cases list`.")
    return case
