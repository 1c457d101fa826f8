"""What stands behind a model's score as plain data for the template: cues, members, attention, lips and voice."""

from __future__ import annotations

from typing import Any

from detector.analysis.types import Analysis, SyncWindow, sigmoid
from detector.report import wording
from detector.report.language import Words
from detector.report.over_time import over_time_svg
from detector.report.printable import printable

MOST_WINDOWS = 12


def parts_data(
    analysis: Analysis,
    stem: str,
    short: dict[str, str],
    files: dict[str, bytes],
    words: Words,
    *,
    figures: bool = True,
) -> dict[str, Any]:
    """`cues`, `members` and `sync` as rows of text, empty where no model has any; `over_time` names a figure or is
    empty; `missing` says of each part why it is not there."""
    figure = over_time_svg(analysis, short, words=words) if figures else None
    name = f"{stem}-over-time.svg" if figure else ""
    if figure:
        files[name] = figure
    windows = [window for model in analysis.models for window in model.sync]
    strongest = sorted(windows, key=lambda window: (window.logit is None, -(window.logit or 0.0), window.start_s))
    shown = sorted(strongest[:MOST_WINDOWS], key=lambda window: window.start_s)
    watched = any(track.attention is not None for model in analysis.models for track in model.tracks)
    return {
        "cues": _cues(analysis, short, words),
        "members": _members(analysis, short, words),
        "sync": [_window(window, words) for window in shown],
        "sync_more": words("sync.more", shown=len(shown), count=len(windows)) if len(shown) < len(windows) else "",
        "over_time": name,
        "watched": watched,
        "missing": {
            part: words("not_examined.because", reason=words(f"{part}.none"))
            for part in ("cues", "attention", "sync", "sensitivity", "strong", "tracks")
        },
    }


def _cues(analysis: Analysis, short: dict[str, str], words: Words) -> list[dict[str, str]]:
    return [
        {
            "cue": cue.cue,
            "title": words(f"cue.{cue.cue}"),
            "model": short[model.model_id],
            "score": wording.score(cue.score, words),
            "logit": wording.logit(cue.logit, words),
            "text": printable(cue.reason) if cue.reason else words(f"cue.{cue.cue}.meaning"),
        }
        for model in analysis.models
        for cue in model.specialists
    ]


def _members(analysis: Analysis, short: dict[str, str], words: Words) -> list[dict[str, str]]:
    return [
        {
            "ensemble": short[model.model_id],
            "model": short.get(member.model_id, printable(member.model_id)),
            "cue": member.cue or "–",
            "logit": wording.logit(member.logit, words),
            "share": "–" if member.weight is None else f"{member.weight:.0%}",
            "reason": printable(member.reason) if member.reason else "",
        }
        for model in analysis.models
        for member in model.members
    ]


def _window(window: SyncWindow, words: Words) -> list[str]:
    return [
        f"{window.start_s:.2f} – {window.end_s:.2f}",
        wording.score(None if window.logit is None else sigmoid(window.logit), words),
        "–" if window.correlation is None else f"{round(window.correlation, 2) + 0.0:+.2f}",
        "–" if window.lag_s is None else f"{round(window.lag_s, 2) + 0.0:+.2f}",
    ]
