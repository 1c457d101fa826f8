"""The words and icons for what people state about a case, and for the events of its log."""

from __future__ import annotations

from detector.cases.exhibit_list import ExhibitState
from detector.cases.statements import Role, Truth, Verdict
from detector.cases.types import Status

STATUS: dict[Status, tuple[str, str]] = {
    "open": ("Open", "folder_open"),
    "in_review": ("In review", "rate_review"),
    "closed": ("Closed", "folder"),
    "archived": ("Archived", "inventory_2"),
}
VERDICT: dict[Verdict, str] = {
    "manipulated": "Manipulated",
    "genuine": "Genuine",
    "undetermined": "Cannot tell",
}
TRUTH: dict[Truth, str] = {
    "manipulated": "Manipulated",
    "genuine": "Genuine",
    "unknown": "Not known any more",
}
EXHIBIT_STATE: dict[ExhibitState, tuple[str, str]] = {
    "queued": ("Queued", "hourglass_empty"),
    "running": ("Running", "autorenew"),
    "failed": ("Analysis failed", "error"),
    "not_analysed": ("Not analysed", "radio_button_unchecked"),
    "waiting_for_opinion": ("Waiting for an opinion", "rate_review"),
    "examined": ("Examined", "task_alt"),
    "signed": ("Signed", "draw"),
}
ROLE: dict[Role, str] = {"examiner": "Examiner", "second_examiner": "Second examiner"}
HIT: dict[str, str] = {
    "case": "case",
    "state": "tags or status",
    "exhibit": "file name",
    "exhibit_mark": "exhibit",
    "mandate": "client and question",
    "receipt": "how it was received",
    "note": "note",
    "bookmark": "bookmark",
    "opinion": "opinion",
    "truth": "ground truth",
    "signature": "statement",
    "hash": "SHA-256",
}
EVENT: dict[str, str] = {
    "case_created": "Case created",
    "case_changed": "Case changed",
    "case_archived": "Case archived",
    "case_reopened": "Case reopened",
    "case_imported": "Case imported",
    "case_exported": "Case exported",
    "picture_exported": "Filtered picture taken away",
    "case_verified": "Case verified",
    "case_viewed": "Case opened",
    "status_changed": "Status changed",
    "tags_changed": "Tags changed",
    "blind_first_changed": "Blind first changed",
    "favourite_changed": "Star changed",
    "exhibit_added": "Exhibit added",
    "exhibit_named": "Exhibit described",
    "exhibit_refiled": "Exhibit filed in another case",
    "exhibit_taken_over": "Exhibit taken over from another case",
    "record_taken_over": "Record taken over with its exhibit",
    "mandate_changed": "Laboratory, client or question changed",
    "receipt_recorded": "How an exhibit was received recorded",
    "exhibit_viewed": "Exhibit opened",
    "exhibit_fingerprinted": "Frames fingerprinted",
    "analysis_requested": "Analysis requested",
    "analysis_started": "Analysis started",
    "analysis_paused": "Analysis paused",
    "analysis_resumed": "Analysis goes on",
    "analysis_interrupted": "Analysis interrupted",
    "analysis_finished": "Analysis finished",
    "analysis_failed": "Analysis failed",
    "analysis_cancelled": "Analysis cancelled",
    "analysis_saved": "Analysis saved",
    "analysis_contradicted": "Analysis refused: other results from equal work",
    "evidence_altered": "Stored file found altered",
    "findings_acknowledged": "Finding acknowledged",
    "scores_viewed": "Scores opened",
    "note_added": "Note added",
    "note_marked": "Note placed on a box, an interval or an earlier note",
    "note_withdrawn": "Note revised or withdrawn",
    "bookmark_added": "Bookmark set",
    "bookmark_removed": "Bookmark removed",
    "opinion_given": "Opinion recorded",
    "truth_recorded": "Ground truth recorded",
    "signed": "Signed",
    "report_rendered": "Report made",
    "export_downloaded": "Export downloaded",
    "export_removed": "Export removed",
    "drift_measured": "Drift measured",
    "calibration_chosen": "Calibration set put in force",
    "calibration_put_back": "Calibration put back",
    "calibration_set_made": "Calibration set made of cases",
}


def event(action: str) -> str:
    """An event in words; an action without a word of its own is told by its name."""
    return EVENT.get(action, action.replace("_", " ").capitalize())
