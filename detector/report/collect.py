"""From the case store to a case record: everything the report prints, gathered once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from detector.analysis import tool
from detector.analysis.types import Analysis
from detector.cases.refiling import receivers
from detector.errors import FramewitnessError, ModelError, SettingsError, StoreError
from detector.evidence import hash_file
from detector.report.record import AnalysisEntry, CaseRecord, ExhibitEntry, LogExcerpt, ModelEntry, UnreadableAnalysis
from detector.report.strongest import Illustrator, boxed_frame, neutral_picture, strongest_frames
from detector.report.wording import count

if TYPE_CHECKING:
    from detector.cases import AnalysisRecord, CaseStore, Exhibit, Note, Verification
    from detector.explain import Explainer
    from detector.registry import LoadedModel

STRONG_FRAMES, MARKED_FRAMES = 3, 4


def collect(
    store: CaseStore,
    case_id: str,
    *,
    explainer: Explainer | None = None,
    models: Iterable[LoadedModel] | None = None,
    verify: bool = True,
    exhibit_ids: Sequence[str] | None = None,
    reader: str = "",
    pictures: bool = True,
    step: Callable[[float, str], None] | None = None,
) -> CaseRecord:
    """The record of a case as it stands. Reads only: nothing is written to the store. `exhibit_ids` are the exhibits to
    cover, None for all; of the others no analysis is read, and no statement or note on them is in the record.

    `explainer` draws the heatmaps; without one the record says that none were made. `models` are those already loaded,
    the others are loaded by name when a heatmap needs them. `verify` recomputes the case's log and hashes; without it
    the report says that this was not done. Raises StoreError for an unknown case or exhibit, SettingsError where no
    exhibit is chosen; an analysis that cannot be read is in the record as such. Of an exhibit whose scores wait for a
    blind opinion of `reader` (empty: who opened the store) no analysis is read at all, and others' opinions on it are
    left out. Without `pictures` no frame is chosen and none decoded. `step` is told the part done, 0 to 1, and
    what is being done; it may raise to end it.
    """
    tell = step or (lambda _fraction, _what: None)
    case = store.case(case_id)
    every = store.exhibits(case_id)
    chosen = _chosen(every, exhibit_ids)
    tell(0.0, "Verifying the case.")
    outcome = store.verify(case_id) if verify else None
    illustrator = Illustrator(explainer, models or ())
    events = store.events(case_id)
    received = receivers(events)
    findings = store.findings(case_id)
    exhibits: list[ExhibitEntry] = []
    withheld = store.statements.withheld_in(case_id, reader)
    notes = tuple(note for note in store.notes(case_id) if note.exhibit_id is None or note.exhibit_id in chosen)
    for exhibit in every:
        if exhibit.exhibit_id not in chosen:
            continue
        received_by = received.get(exhibit.exhibit_id, "")
        problem = _original_problem(exhibit, outcome)
        about = tuple(one for one in findings if one.exhibit_id == exhibit.exhibit_id)
        marked = _marked(exhibit, notes) if pictures and problem is None else ()
        if exhibit.exhibit_id in withheld:
            neutral = neutral_picture(exhibit.evidence) if pictures and problem is None else None
            exhibits.append(
                ExhibitEntry(
                    exhibit,
                    (),
                    problem,
                    withheld=True,
                    received_by=received_by,
                    findings=about,
                    neutral_jpeg=neutral,
                    marked=marked,
                )
            )
            continue
        entries, unreadable = [], []
        for saved in store.analyses(exhibit_id=exhibit.exhibit_id):
            try:
                analysis = store.analysis(saved.record_id)
            except StoreError as error:
                unreadable.append(UnreadableAnalysis(saved, str(error)))
                continue
            entries.append(AnalysisEntry(saved, analysis, (), _stored_json(saved)))
        if entries and pictures:  # the newest is shown in full, the earlier ones by what they came to
            newest, frames = entries[-1], []
            for frame in strongest_frames(newest.analysis, count=STRONG_FRAMES):
                tell(len(exhibits) / len(chosen), f"Drawing frame {frame.number} of {exhibit.reference}.")
                frames.append(
                    illustrator.illustrate(exhibit.evidence, newest.analysis, frame, original_problem=problem)
                )
            entries[-1] = replace(newest, strong_frames=tuple(frames))
        drawn = any(frame.frame_jpeg for entry in entries for frame in entry.strong_frames)
        neutral = neutral_picture(exhibit.evidence) if not drawn and pictures and problem is None else None
        exhibits.append(
            ExhibitEntry(
                exhibit,
                tuple(entries),
                problem,
                tuple(unreadable),
                received_by=received_by,
                findings=about,
                neutral_jpeg=neutral,
                marked=marked,
            )
        )
    return CaseRecord(
        case=case,
        recorded_at=events[-1].at if events else case.updated_at,
        tool=tool(),
        exhibits=tuple(exhibits),
        models=_model_entries(one.analysis for entry in exhibits for one in entry.analyses),
        notes=notes,
        log=LogExcerpt(
            events=tuple(events),
            event_count=len(events),
            head_hash=events[-1].event_hash if events else None,
            check=_check_sentence(outcome),
            check_passed=None if outcome is None else outcome.ok,
            outcome=outcome,
        ),
        opinions=tuple(
            one
            for one in store.statements.opinions(case_id)
            if one.exhibit_id in chosen and one.exhibit_id not in withheld
        ),
        truths=tuple(one for one in store.statements.truths(case_id) if one.exhibit_id in chosen),
        signatures=tuple(store.statements.signatures(case_id)),
        sign_off=store.statements.sign_off(case_id),
        withheld_elsewhere=bool(store.statements.withheld_in_log(case_id, reader) - withheld),
        left_out=tuple(
            ExhibitEntry(one, withheld=one.exhibit_id in withheld) for one in every if one.exhibit_id not in chosen
        ),
    )


def _marked(exhibit: Exhibit, notes: Iterable[Note]) -> tuple[tuple[str, bytes], ...]:
    """The frames of the first few boxes that people drew on an exhibit; those that do not decode are left out."""
    boxes = [
        (note.note_id, note.pts, note.box_xyxy_px)
        for note in notes
        if note.exhibit_id == exhibit.exhibit_id and note.pts is not None and note.box_xyxy_px is not None
    ]
    found = ((note_id, boxed_frame(exhibit.evidence, pts, box)) for note_id, pts, box in boxes[:MARKED_FRAMES])
    return tuple((note_id, picture) for note_id, picture in found if picture is not None)


def _chosen(exhibits: Iterable[Exhibit], exhibit_ids: Sequence[str] | None) -> frozenset[str]:
    known = [exhibit.exhibit_id for exhibit in exhibits]
    if exhibit_ids is None:
        return frozenset(known)
    if not exhibit_ids:
        raise SettingsError("No exhibit is chosen. A report covers one at least: choose it, or leave the choice out.")
    if unknown := sorted(set(exhibit_ids) - set(known)):
        raise StoreError(f"The case has no exhibit {unknown[0]!r}; its exhibits are {', '.join(known) or 'none'}.")
    return frozenset(exhibit_ids)


def _stored_json(saved: AnalysisRecord) -> bytes | None:
    """The analysis as the store keeps it; its hash was checked when the analysis was read."""
    return next((kept.path.read_bytes() for kept in saved.artefacts if kept.kind == "analysis"), None)


def _check_sentence(outcome: Verification | None) -> str:
    if outcome is None:
        return "The log and the files were not recomputed for this report."
    checked = (
        f"{count(outcome.events_checked, 'event')}, {count(outcome.records_checked, 'record')} and "
        f"{count(outcome.files_checked, 'file')} were recomputed for this report"
    )
    return f"{checked}: all agree." if outcome.ok else f"{checked} and something differs. {outcome.problem}"


def _original_problem(exhibit: Exhibit, outcome: Verification | None) -> str | None:
    """The reason why no picture may be drawn from the stored original, or None."""
    path: Path = exhibit.evidence.file.path
    if not path.is_file():
        return "The original file is no longer in the store. Facts and scores are those recorded when it was there."
    if outcome is None or outcome.ok:
        return None
    try:
        found = hash_file(path)[0]
    except OSError as error:
        return f"The original file cannot be read ({error.strerror or 'unknown reason'})."
    if found != exhibit.sha256:
        return (
            f"The stored file no longer has the recorded SHA-256; it is now {found}. Facts and scores are those "
            "recorded before it changed; no picture is drawn from it."
        )
    return None


def _model_entries(analyses: Iterable[Analysis]) -> tuple[ModelEntry, ...]:
    used = {(model.model_id, model.weights_sha256) for analysis in analyses for model in analysis.models}
    return tuple(_model_entry(model_id, weights) for model_id, weights in sorted(used))


def _model_entry(model_id: str, weights_sha256: str) -> ModelEntry:
    from detector.registry import find_card, standing  # imports torch, which a case without analyses does not need

    try:
        card = find_card(model_id)
    except ModelError as error:
        return ModelEntry(model_id, weights_sha256, None, f"The model's card is not at hand: {error}")
    except FramewitnessError as error:
        return ModelEntry(model_id, weights_sha256, None, f"The model's card cannot be read: {error}")
    if card.weights_sha256 != weights_sha256:
        problem = (
            "The card at hand describes other weights of the same name; it is not printed. The scores in this report "
            "come from the weights named above."
        )
        return ModelEntry(model_id, weights_sha256, None, problem)
    return ModelEntry(model_id, weights_sha256, card, standing=standing(card))
