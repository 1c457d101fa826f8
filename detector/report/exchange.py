"""Every form in which a case or one analysis can be taken away for other programs and readers, by name.

The forms are listed in `detector.cases.export_forms`. Whoever hands one out says so in the case's log (`log_export`);
`write_export` makes any of them and says so itself.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from detector.analysis import analysis_to_json
from detector.analysis.tables import NamedAnalysis, table_csv, table_parquet, wide_table
from detector.cases.codec import file_sha256
from detector.cases.export_forms import CASE_EXPORTS, RECORD_EXPORTS, ExportRequest
from detector.errors import SettingsError, StoreError

if TYPE_CHECKING:
    from detector.cases import CaseStore
    from detector.explain import Explainer

# Told the part done, 0 to 1, and what is being done; may raise CancelledError.
Step = Callable[[float, str], None]


def write_export(store: CaseStore, request: ExportRequest, path: Path, *, step: Step) -> str:
    """Make what was asked for at `path`, put it into the case's log, and return a sentence on what was left out or
    reduced, often empty. Raises SettingsError for a form that is not offered; StoreError, also where scores wait for a
    blind opinion; EvidenceError; whatever `step` raises, and then there is no whole file."""
    require_shown(store, request)
    if request.record_id:
        return _write_record_export(store, request, path, step)
    form = request.form.removeprefix("report-")
    if form != request.form:
        from detector.report.issue import issue_report

        path.write_bytes(
            issue_report(
                store,
                request.case_id,
                file_name=path.name,
                form=form,
                language=request.language,
                exhibit_ids=request.exhibit_ids or None,
                step=step,
            )
        )
        return ""
    if request.form == "bundle":
        step(0.0, "Verifying the case.")
        store.export_case(request.case_id, path)
        return ""
    path.write_bytes(case_form(store, request.case_id, request.form, language=request.language, step=step))
    log_export(store, request.case_id, request.form, path.name, file_sha256(path))
    return ""


def _write_record_export(store: CaseStore, request: ExportRequest, path: Path, step: Step) -> str:
    statement = ""
    if request.form.startswith("annotated-video"):
        from detector.report.annotated_video import annotate_video, heatmap_model

        analysis = store.analysis(request.record_id)
        evidence = store.exhibit(store.record(request.record_id).exhibit_id).evidence
        require_original(evidence.file.path, evidence.file.sha256)
        model = heatmap_model(analysis) if request.form.endswith("heatmap") else None
        statement = annotate_video(
            evidence,
            analysis,
            path,
            heatmap_model=model,
            on_progress=lambda progress: step(progress.fraction, progress.message),
        ).statement
    elif request.form in ("replay", "replay-with-input"):
        from detector.replay import write_replay_bundle

        step(0.0, "Writing the bundle.")
        write_replay_bundle(store, request.record_id, path, include_input=request.form != "replay")
    else:
        path.write_bytes(record_form(store, request.record_id, request.form, step=step))
    log_export(store, request.case_id, request.form, path.name, file_sha256(path), record_id=request.record_id)
    return statement


def require_shown(store: CaseStore, request: ExportRequest, reader: str = "") -> None:
    """Raise StoreError where what is asked for would show scores that wait for a blind opinion of `reader` (empty: who
    opened the store), SettingsError for a form that is not offered. What can leave them out does."""
    if request.form not in (RECORD_EXPORTS if request.record_id else CASE_EXPORTS):
        raise SettingsError(f"There is no form {request.form!r} of this.")
    if request.record_id:
        require_opinion(store, store.record(request.record_id).exhibit_id, reader)
        return
    waiting = store.statements.withheld_in_log(request.case_id, reader)
    if request.form != "bundle":
        # The log also tells of what was filed in another case, which a worker's copy of this one cannot leave out.
        waiting -= store.statements.withheld_in(request.case_id, reader)
    for exhibit_id in sorted(waiting):
        require_opinion(store, exhibit_id, reader)


def case_form(
    store: CaseStore,
    case_id: str,
    key: str,
    *,
    explainer: Explainer | None = None,
    language: str = "en",
    reader: str = "",
    step: Step | None = None,
) -> bytes:
    """A whole case in one of `CASE_FORMS`; what waits for a blind opinion of `reader` (empty: who opened the store) is
    not in it. `explainer` and `language` are for the HTML report. Raises StoreError, SettingsError for an unknown
    form."""
    from detector.report.case_uco import case_uco
    from detector.report.collect import collect
    from detector.report.html import render_case_html

    if key == "html":
        return render_case_html(store, case_id, language=language, explainer=explainer, reader=reader, step=step)
    if key == "case-uco":
        return case_uco(collect(store, case_id, reader=reader, pictures=False, step=step))
    return _table(_analyses(store, case_id, reader), key)


def record_form(
    store: CaseStore,
    record_id: str,
    key: str,
    *,
    explainer: Explainer | None = None,
    reader: str = "",
    step: Step | None = None,
) -> bytes:
    """One saved analysis in one of `RECORD_FORMS`, or as "json". Raises StoreError, also where its scores wait for a
    blind opinion of `reader` or the original is not the one on record; SettingsError for an unknown form."""
    from detector.replay import write_replay_bundle

    record = store.record(record_id)
    require_opinion(store, record.exhibit_id, reader)
    if key in ("replay", "replay-with-input"):
        with tempfile.TemporaryDirectory(prefix="framewitness-") as folder:
            path = Path(folder) / "replay.zip"
            write_replay_bundle(store, record_id, path, include_input=key != "replay")
            return path.read_bytes()
    analysis, exhibit = store.analysis(record_id), store.exhibit(record.exhibit_id)
    if key == "json":
        return analysis_to_json(analysis).encode()
    if key != "contact-sheet":
        return _table([NamedAnalysis(analysis, exhibit.reference, record_id)], key)
    from detector.explain import Explainer
    from detector.report.contact_sheet import contact_sheet
    from detector.report.strongest import Illustrator

    require_original(exhibit.evidence.file.path, exhibit.sha256)
    illustrator = Illustrator(explainer or Explainer(store.home / "heatmaps"), ())
    return contact_sheet(exhibit.evidence, analysis, illustrator, step=step)


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
