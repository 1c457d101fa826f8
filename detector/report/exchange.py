"""Every form in which a case or one analysis can be taken away for other programs and readers, by name.

The forms are listed in `detector.cases.export_forms`. Whoever hands one out says so in the case's log (`log_export`).
"""

from __future__ import annotations

import hashlib
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from detector.analysis.tables import NamedAnalysis, table_csv, table_parquet, wide_table
from detector.errors import SettingsError, StoreError

if TYPE_CHECKING:
    from detector.cases import CaseStore
    from detector.explain import Explainer


def case_form(
    store: CaseStore,
    case_id: str,
    key: str,
    *,
    explainer: Explainer | None = None,
    language: str = "en",
    reader: str = "",
) -> bytes:
    """A whole case in one of `CASE_FORMS`; what waits for a blind opinion of `reader` (empty: who opened the store) is
    not in it. `explainer` and `language` are for the HTML report. Raises StoreError, SettingsError for an unknown
    form."""
    from detector.report.case_uco import case_uco
    from detector.report.collect import collect
    from detector.report.html import render_case_html

    if key == "html":
        return render_case_html(store, case_id, language=language, explainer=explainer, reader=reader)
    if key == "case-uco":
        return case_uco(collect(store, case_id, reader=reader))
    return _table(_analyses(store, case_id, reader), key)


def record_form(
    store: CaseStore, record_id: str, key: str, *, explainer: Explainer | None = None, reader: str = ""
) -> bytes:
    """One saved analysis in one of `RECORD_FORMS`. Raises StoreError, also where its scores wait for a blind opinion of
    `reader` or the original is not the one on record; SettingsError for an unknown form."""
    from detector.replay import write_replay_bundle

    record = store.record(record_id)
    require_opinion(store, record.exhibit_id, reader)
    if key in ("replay", "replay-with-input"):
        with tempfile.TemporaryDirectory(prefix="framewitness-") as folder:
            path = Path(folder) / "replay.zip"
            write_replay_bundle(store, record_id, path, include_input=key != "replay")
            return path.read_bytes()
    analysis, exhibit = store.analysis(record_id), store.exhibit(record.exhibit_id)
    if key != "contact-sheet":
        return _table([NamedAnalysis(analysis, exhibit.reference, record_id)], key)
    from detector.explain import Explainer
    from detector.report.contact_sheet import contact_sheet
    from detector.report.strongest import Illustrator

    require_original(exhibit.evidence.file.path, exhibit.sha256)
    return contact_sheet(exhibit.evidence, analysis, Illustrator(explainer or Explainer(store.home / "heatmaps"), ()))


def log_export(
    store: CaseStore, case_id: str, form: str, file_name: str, sha256: str, *, record_id: str = "", actor: str = ""
) -> None:
    """Put an export on record: as one of a single analysis where `record_id` names one. Where scores of the case wait
    for an opinion of `actor`, and were left out, it is one event an exhibit whose scores were not: they were not shown
    the others."""
    told = {"file_name": file_name, "sha256": sha256, "form": form}
    shown: list[dict[str, str]] = [{}]
    if record_id:
        shown = [{"record_id": record_id, "exhibit_id": store.record(record_id).exhibit_id}]
    else:
        ids = [exhibit.exhibit_id for exhibit in store.exhibits(case_id)]
        withheld = store.statements.withheld_in(case_id, actor)
        open_ids = [found for found in ids if found not in withheld]
        if len(open_ids) < len(ids):
            shown = [{"exhibit_id": found} for found in open_ids] or [{"exhibit_id": ""}]
    for part in shown:
        store.log(case_id, "case_exported", {**told, **part}, actor=actor)


def digest(content: bytes) -> str:
    """SHA-256 (hex)."""
    return hashlib.sha256(content).hexdigest()


def require_opinion(store: CaseStore, exhibit_id: str, reader: str = "") -> None:
    """Raise StoreError where the scores of an exhibit wait for a blind opinion of `reader` (empty: who opened the
    store)."""
    if store.statements.scores_withheld(exhibit_id, reader):
        raise StoreError(
            f"The case is examined blind first, and {reader or store.actor} has recorded no opinion on this exhibit "
            "yet: its scores are not handed out. Record one first, under the same name."
        )


def require_original(path: Path, sha256: str) -> None:
    """Raise StoreError where the stored file is not the one on record: nothing is drawn from another."""
    from detector.cases.codec import file_sha256

    if not path.is_file() or (found := file_sha256(path)) != sha256:
        what = f"was changed (SHA-256 {found})" if path.is_file() else "is no longer in the store"
        raise StoreError(f"The original {what}, so no picture is drawn from it. Verify the case.")


def _table(analyses: list[NamedAnalysis], key: str) -> bytes:
    writers = {"csv": table_csv, "parquet": table_parquet}
    if key not in writers:
        raise SettingsError(f"There is no form {key!r} of this.")
    return writers[key](wide_table(analyses))


def _analyses(store: CaseStore, case_id: str, reader: str) -> list[NamedAnalysis]:
    withheld = store.statements.withheld_in(case_id, reader)
    return [
        NamedAnalysis(store.analysis(record.record_id), exhibit.reference, record.record_id)
        for exhibit in store.exhibits(case_id)
        if exhibit.exhibit_id not in withheld
        for record in store.analyses(exhibit_id=exhibit.exhibit_id)
    ]
