"""What stands behind a model's score as plain data for the template: cues, members, lips and voice."""

from __future__ import annotations

from typing import Any

from detector.analysis.cue_meaning import CUE_MEANINGS
from detector.analysis.types import Analysis, SyncWindow, sigmoid
from detector.report import wording
from detector.report.over_time import over_time_svg
from detector.report.printable import printable

MOST_WINDOWS = 12


def parts_data(analysis: Analysis, stem: str, short: dict[str, str], files: dict[str, bytes]) -> dict[str, Any]:
    """`cues`, `members` and `sync` as rows of text, empty where no model has any; `over_time` names a figure or is
    empty."""
    figure = over_time_svg(analysis, short)
    name = f"{stem}-over-time.svg" if figure else ""
    if figure:
        files[name] = figure
    windows = [window for model in analysis.models for window in model.sync]
    strongest = sorted(windows, key=lambda window: (window.logit is None, -(window.logit or 0.0), window.start_s))
    shown = sorted(strongest[:MOST_WINDOWS], key=lambda window: window.start_s)
    return {
        "cues": _cues(analysis, short),
        "members": _members(analysis, short),
        "sync": [_window(window) for window in shown],
        "sync_more": f"The {len(shown)} highest of {len(windows)} windows are listed; the case export holds all."
        if len(shown) < len(windows)
        else "",
        "over_time": name,
    }


def _cues(analysis: Analysis, short: dict[str, str]) -> list[dict[str, str]]:
    return [
        {
            "cue": cue.cue,
            "title": CUE_MEANINGS[cue.cue].title,
            "model": short[model.model_id],
            "score": wording.score(cue.score),
            "logit": wording.logit(cue.logit),
            "text": printable(cue.reason) if cue.reason else CUE_MEANINGS[cue.cue].meaning,
        }
        for model in analysis.models
        for cue in model.specialists
    ]


def _members(analysis: Analysis, short: dict[str, str]) -> list[dict[str, str]]:
    return [
        {
            "ensemble": short[model.model_id],
            "model": short.get(member.model_id, printable(member.model_id)),
            "cue": member.cue or "–",
            "logit": wording.logit(member.logit),
            "share": "–" if member.weight is None else f"{member.weight:.0%}",
            "reason": printable(member.reason) if member.reason else "",
        }
        for model in analysis.models
        for member in model.members
    ]


def _window(window: SyncWindow) -> list[str]:
    return [
        f"{window.start_s:.2f} – {window.end_s:.2f}",
        wording.score(None if window.logit is None else sigmoid(window.logit)),
        "–" if window.correlation is None else f"{window.correlation:+.2f}",
        "–" if window.lag_s is None else f"{window.lag_s:+.2f}",
    ]
