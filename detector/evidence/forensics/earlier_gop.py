"""A hint that a video was coded before with another keyframe distance: a period in the sizes of predicted pictures.

Where a picture was once coded on its own, its noise is new, and predicting it again costs more: in the second coding
the predicted pictures at the old keyframes stand out. Wang and Farid (2006, "Exposing digital forgeries in video by
detecting double MPEG compression") saw this in motion errors, Vázquez-Padín and others (2012, "Detection of video
double encoding with GOP size estimation") in macroblock types. FFmpeg hands out neither, so packet sizes stand in for
them here, which sees less: only a pattern far beyond chance is reported. Of eight clips coded first as MPEG-4 with a
keyframe every 12 pictures, 17 of 24 second codings showed it; coded first by x264 with one every 25 or 30, 3 of 48; of
21 codings without an earlier one, none. Finding nothing therefore says little.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import bdtrc

from detector.evidence.forensics.packets import PacketTable, display_order
from detector.evidence.forensics.types import EarlierGop

MIN_PICTURES = 100
MIN_PERIOD, MAX_PERIOD = 9, 300
_WINDOW = 9
_PEAK_LOG = np.log(1.2)
_MIN_PLACES = 5
_MIN_HIT_SHARE = 0.6
_MAX_CHANCE = 1e-6
_MAX_TABLE = 40_000


def look_for_earlier_gop(table: PacketTable) -> EarlierGop:
    """Search for one period and phase at which predicted pictures peak more often than chance allows.

    Times are in pictures of presentation order. Needs `MIN_PICTURES` typed pictures; a period that the file's own
    keyframes have, or a multiple or fraction of it, cannot be told from them and is left out.
    """
    if len(table) < MIN_PICTURES:
        return EarlierGop(False, f"It needs {MIN_PICTURES} pictures; the file has {len(table)}.")
    if "P" not in table.types:
        reason = "The picture types of this codec are not read." if "?" in table.types else "No picture is predicted."
        return EarlierGop(False, reason)
    order = display_order(table)[:_MAX_TABLE]
    letters = np.frombuffer(table.types.encode(), np.uint8)[order]
    sizes = np.log(np.maximum(1, table.size_bytes[order]).astype(np.float64))
    places = _predicted(letters)
    if len(places) < MIN_PICTURES // 3:
        return EarlierGop(False, f"Only {len(places)} predicted pictures can be compared.")
    peaks = _peaks(sizes[places])
    share = float(peaks.mean())
    if not 0 < share < 0.5:
        return EarlierGop(True)
    own = _own_period(np.flatnonzero(letters == ord("I")))
    return _best(places, peaks, share, own, len(order))


def _predicted(letters: NDArray[np.uint8]) -> NDArray[np.intp]:
    """Places of P pictures, without the one right before and right after a picture coded on its own."""
    keys = np.flatnonzero(letters == ord("I"))
    places = np.flatnonzero(letters == ord("P"))
    if not len(keys) or not len(places):
        return places
    following = np.searchsorted(places, keys)
    beside = np.unique(np.concatenate([following, following - 1]))
    keep = np.ones(len(places), bool)
    keep[beside[(beside >= 0) & (beside < len(places))]] = False
    return places[keep]


def _peaks(values: NDArray[np.float64]) -> NDArray[np.bool_]:
    """The values that exceed both neighbours and the median around them by the factor of a peak."""
    padded = np.pad(values, _WINDOW // 2, mode="reflect")
    median = np.median(np.lib.stride_tricks.sliding_window_view(padded, _WINDOW), axis=1)
    before = np.r_[-np.inf, values[:-1]]
    after = np.r_[values[1:], -np.inf]
    return (values > median + _PEAK_LOG) & (values > before) & (values > after)


def _own_period(keys: NDArray[np.intp]) -> int | None:
    steps = np.diff(keys)
    return int(np.median(steps)) if len(steps) else None


def _best(
    places: NDArray[np.intp], peaks: NDArray[np.bool_], share: float, own: int | None, pictures: int
) -> EarlierGop:
    best, tried = EarlierGop(True), 0
    for period in range(MIN_PERIOD, min(MAX_PERIOD, pictures // _MIN_PLACES) + 1):
        if own and (own % period == 0 or period % own == 0):
            continue
        phases = places % period
        expected = np.bincount(phases, minlength=period)
        hits = np.bincount(phases, weights=peaks, minlength=period).astype(np.int64)
        usable = (expected >= _MIN_PLACES) & (hits >= _MIN_HIT_SHARE * expected)
        tried += int((expected >= _MIN_PLACES).sum())
        for phase in np.flatnonzero(usable):
            chance = float(bdtrc(hits[phase] - 1, expected[phase], share))
            if best.chance is None or chance < best.chance:
                best = EarlierGop(True, None, period, int(hits[phase]), int(expected[phase]), chance)
    if best.chance is None:
        return best
    corrected = min(1.0, best.chance * max(1, tried))
    if corrected > _MAX_CHANCE:
        return EarlierGop(True)
    return EarlierGop(True, None, best.period_frames, best.hits, best.expected, corrected)
