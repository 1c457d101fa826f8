"""The times of an exhibit that its conclusion's reasons speak of, as lists of exhibits name them."""

from __future__ import annotations

from detector.analysis.types import Conclusion, Moment
from detector.errors import FramewitnessError
from pages.parts.shared import services

_NAMED = 3
# A moment this long is told from when to when, a shorter one by its strongest frame.
_SPAN_S = 1.0
_MOST_KEPT = 8192
_known: dict[tuple[str, str], str] = {}


def times(conclusion: Conclusion) -> str:
    """The moments of all reasons in order of time, overlapping ones once: "1.5–5.8 s, 9.6 s"; empty where there is
    none."""
    spans: list[tuple[float, float, str]] = []
    moments = [one for reason in conclusion.reasons for one in reason.moments]
    for one in sorted(moments, key=lambda one: (one.start_s, -one.end_s)):
        if not spans or one.start_s > spans[-1][1]:
            spans.append((one.start_s, one.end_s, _text(one)))
    if not spans:
        return ""
    named = ", ".join(text for _, _, text in spans[:_NAMED])
    return named + (f" and {len(spans) - _NAMED} more" if len(spans) > _NAMED else "")


def of_record(record_id: str) -> str:
    """`times` of a saved analysis, which is read once; empty where it cannot be read: opening it says why."""
    key = (str(services.current().home), record_id)
    if key not in _known:
        try:
            found = times(services.current().store.analysis(record_id).conclusion)
        except FramewitnessError:
            return ""
        if len(_known) >= _MOST_KEPT:
            _known.clear()
        _known[key] = found
    return _known[key]


def known(record_id: str) -> str | None:
    """`of_record` where it was read before, else None; reads nothing."""
    return _known.get((str(services.current().home), record_id))


def _text(moment: Moment) -> str:
    if moment.end_s - moment.start_s < _SPAN_S:
        return f"{moment.pts_s:.1f} s"
    return f"{moment.start_s:.1f}–{moment.end_s:.1f} s"
