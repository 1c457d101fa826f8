"""Making a report and putting on record that it was made, and whose scores it showed."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from detector.report.collect import collect
from detector.report.language import words_of
from detector.report.record import CaseRecord
from detector.report.signing import sign_pdf
from detector.report.typeset import require_form, typeset

if TYPE_CHECKING:
    from pyhanko.sign.signers import SimpleSigner
    from pyhanko.sign.timestamps import TimeStamper

    from detector.cases import CaseStore
    from detector.explain import Explainer
    from detector.registry import LoadedModel

_COLLECTING = 0.8  # of the time that a report takes
_REASON = "I stand for this report as it is."


def record_for(
    store: CaseStore,
    case_id: str,
    *,
    form: str = "full",
    language: str = "en",
    explainer: Explainer | None = None,
    models: Iterable[LoadedModel] | None = None,
    exhibit_ids: Sequence[str] | None = None,
    reader: str = "",
    step: Callable[[float, str], None] | None = None,
) -> CaseRecord:
    """The case as a report of this form needs it: the short one shows no heatmap, so none is drawn for it.
    `exhibit_ids` are the exhibits to cover, None for all. Scores that wait for a blind opinion of `reader` (empty: who
    opened the store) are left out. `step` is told the part done, 0 to 1, and what is being done."""
    from detector.explain import Explainer

    require_form(form)
    words_of(language)
    drawn = (explainer or Explainer(store.home / "heatmaps")) if form == "full" else None
    return collect(store, case_id, explainer=drawn, models=models, exhibit_ids=exhibit_ids, reader=reader, step=step)


def issue_report(
    store: CaseStore,
    case_id: str,
    *,
    file_name: str,
    form: str = "full",
    language: str = "en",
    explainer: Explainer | None = None,
    models: Iterable[LoadedModel] | None = None,
    exhibit_ids: Sequence[str] | None = None,
    signer: SimpleSigner | None = None,
    stamper: TimeStamper | None = None,
    actor: str = "",
    step: Callable[[float, str], None] | None = None,
) -> bytes:
    """The report of a case, signed where a signer is given, and an event in the case's log that it was made. It covers
    the exhibits `exhibit_ids`, all where None, and shows `actor`, who made it, no scores that wait for an opinion of
    theirs. `step` is told the part done, 0 to 1, and what is being done; what it raises ends the making before
    anything is logged.

    Raises StoreError for an unknown case or exhibit, SettingsError for an unknown form or language, where no exhibit is
    chosen, or for a failed time stamp.
    """
    tell = step or (lambda _fraction, _what: None)
    record = record_for(
        store,
        case_id,
        form=form,
        language=language,
        explainer=explainer,
        models=models,
        exhibit_ids=exhibit_ids,
        reader=actor,
        step=lambda fraction, what: tell(_COLLECTING * fraction, what),
    )
    tell(_COLLECTING, "Typesetting the pages.")
    pdf = typeset(record, form=form, language=language)
    told = {"form": form, "language": language}
    if signer is not None:
        pdf = sign_pdf(pdf, signer, reason=_REASON, stamper=stamper)
        told["signed_by"] = signer.signing_cert.subject.human_friendly if signer.signing_cert is not None else ""
    told |= {"file_name": file_name, "sha256": hashlib.sha256(pdf).hexdigest()}
    for shown in _shown(record):
        store.log(case_id, "report_rendered", {**told, **shown}, actor=actor)
    return pdf


def _shown(record: CaseRecord) -> list[dict[str, str]]:
    """The words on whose scores the report showed: nothing where it showed all; else one event an exhibit shown, and
    one that names none where it showed no scores at all."""
    if not record.scores_withheld and not record.left_out:
        return [{}]
    shown = [{"exhibit_id": entry.exhibit.exhibit_id} for entry in record.exhibits if entry.analyses]
    return shown or [{"exhibit_id": ""}]
