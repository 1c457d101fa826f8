"""The saved analyses that a command line names."""

from __future__ import annotations

import argparse
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from detector.commands.console import add_author
from detector.commands.find_case import find_case, require_case
from detector.errors import SettingsError, StoreError

if TYPE_CHECKING:
    from detector.cases import AnalysisRecord, CaseStore


def add_record(parser: argparse.ArgumentParser, file: str) -> None:
    """The options of a command that writes one file an analysis, as `records_and_files` reads them."""
    parser.add_argument(
        "record",
        nargs="?",
        metavar="CASE",
        help="case id, reference or title: the newest analysis of its one exhibit; or a record id, alone or as "
        "CASE/RECORD",
    )
    parser.add_argument("--case", metavar="NAME", help="the same, for a case whose name reads like a record id")
    parser.add_argument("--all", action="store_true", help="one file for each analysed exhibit, in the folder OUT")
    parser.add_argument("--out", type=Path, required=True, metavar=file)
    add_author(parser)


def records_and_files(store: CaseStore, args: argparse.Namespace, suffix: str) -> list[tuple[AnalysisRecord, Path]]:
    """Each analysis that `args` (from `add_record`) names, with the file to write of it.

    Args:
        store: where the case is.
        args: with `record`, `case`, `all` and `out`.
        suffix: of files that go to a folder, with its dot.

    Raises:
        SettingsError: nothing is named.
        StoreError: there is no such record or case, or the case has several analysed exhibits and `--all` is not set,
            or scores wait for a blind opinion.
    """
    from detector.report.exchange import require_opinion

    if not args.all:
        return [(require_record(store, args.record, args.case), args.out)]
    name = args.case or args.record
    if not name:
        raise SettingsError("Name a case.")
    records = _newest(store, name)
    if not records:
        raise StoreError(f"The case {name!r} has no analysis.")
    for record in records:
        require_opinion(store, record.exhibit_id)
    args.out.mkdir(parents=True, exist_ok=True)
    named = [(record, store.exhibit(record.exhibit_id).reference) for record in records]
    return [(record, args.out / f"{reference}-{record.record_id}{suffix}") for record, reference in named]


def require_record(store: CaseStore, name: str | None, case: str | None = None) -> AnalysisRecord:
    """The record `RECORD` or `CASE/RECORD`, or the newest of the only analysed exhibit of the case with that name.

    Args:
        store: where it is.
        name: a record, alone or behind its case, or a case; None where `case` says it.
        case: the record's case; with no name, the case to take it from.

    Raises:
        SettingsError: neither is given.
        StoreError: there is none, it is not clear which one, or its scores wait for a blind opinion.
    """
    from detector.report.exchange import require_opinion

    if not name and not case:
        raise SettingsError("Name a record or a case.")
    record = _named(store, name) if name else _only(store, str(case))
    if name and case and require_case(store, case).case_id != record.case_id:
        raise StoreError(f"The record {record.record_id} belongs to another case than {case!r}.")
    require_opinion(store, record.exhibit_id)
    return record


def _named(store: CaseStore, name: str) -> AnalysisRecord:
    with suppress(StoreError):  # most names are no record's id
        return store.record(name)
    if find_case(store, name):
        return _only(store, name)
    case, _, record_id = name.rpartition("/")
    if not case:
        raise StoreError(f"There is no analysis and no case {name!r} in {store.home}. See `framewitness cases list`.")
    record = store.record(record_id)
    if require_case(store, case).case_id != record.case_id:
        raise StoreError(f"The case {case!r} has no analysis {record_id!r}; it belongs to another case.")
    return record


def _only(store: CaseStore, name: str) -> AnalysisRecord:
    newest = _newest(store, name)
    if len(newest) != 1:
        known = ", ".join(record.record_id for record in newest) or "none"
        raise StoreError(
            f"The case {name!r} has {len(newest)} analysed exhibits; name one record of: {known}; or give --all."
        )
    return newest[0]


def _newest(store: CaseStore, name: str) -> list[AnalysisRecord]:
    """The newest analysis of each analysed exhibit of a case."""
    records = store.analyses(case_id=require_case(store, name).case_id)
    return list({record.exhibit_id: record for record in sorted(records, key=lambda one: one.record_id)}.values())
