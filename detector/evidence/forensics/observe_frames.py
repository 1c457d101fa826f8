"""Observations of coded pictures: the beat of keyframes, what the encoder says of itself, repeats, earlier codings."""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np

from detector.evidence.forensics.meaning import state
from detector.evidence.forensics.packets import NO_PTS, PacketTable
from detector.evidence.forensics.types import FrameFacts, FrameTypes, Gop, Observation, Repeats
from detector.evidence.text import listed

PATTERN_LENGTH = 120
_SETTING = re.compile(r"\b(keyint|bframes|scenecut|min-keyint|keyint_min)=(-?\w+)")
_REGULAR_SHARE = 0.9
_MANY_REPEATS = 0.02


def gop_of(table: PacketTable) -> Gop | None:
    """The distances of keyframes; None with fewer than two."""
    keys = np.flatnonzero(table.keyframe)
    steps = np.diff(keys)
    if not len(steps):
        return None
    usual = int(np.bincount(steps).argmax())
    regular = None if len(steps) < 3 else bool((steps == usual).mean() >= _REGULAR_SHARE)
    return Gop(
        count=len(keys),
        shortest=int(steps.min()),
        median=float(np.median(steps)),
        longest=int(steps.max()),
        regular=regular,
        short=int((steps != usual).sum()) if regular else 0,
    )


def types_of(table: PacketTable) -> FrameTypes:
    """The number of pictures of each type."""
    counts = {letter: table.types.count(letter) for letter in "IPB?"}
    return FrameTypes(counts["I"], counts["P"], counts["B"], counts["?"], table.basis)


def observe_frames(table: PacketTable, facts: FrameFacts, settings: str | None) -> Iterator[Observation]:
    """Observations of the coded pictures: types, key frames, time stamps that restart."""
    yield state("picture_types", _beat(facts, int(table.keyframe.sum())))
    stated = _stated(settings)
    yield from _off_beat(table, facts, stated)
    if table.restarts:
        places = listed([_place(table, index) for index in table.restarts], 6)
        # One that signs every keyframe has that habit; it does not begin again each time.
        habit = len(table.restarts) >= max(3, int(table.keyframe.sum()) - 1)
        yield state(
            "encoder_restart",
            f"{len(table.restarts)} later keyframe(s) carry an encoder's signature: {places}.",
            weight="note" if habit else None,
        )
    if disagreements := list(_disagreements(facts, stated)):
        yield state("settings_disagree", f"The encoder states {'; '.join(disagreements)}.")
    if facts.quantiser is not None:
        rows = ", ".join(f"{kind} {mean:g}" for kind, _, mean, _, _ in facts.quantiser.rows)
        yield state(
            "quantiser",
            f"Mean {facts.quantiser.mean:g} over {facts.quantiser.pictures} decoded pictures ({rows}); "
            f"{facts.quantiser.scale}.",
        )
    if facts.repeats is not None and facts.repeats.equal:
        yield _repeats(facts.repeats, len(table))
    earlier = facts.earlier_gop
    if earlier.period_frames is not None:
        yield state(
            "earlier_gop",
            f"Predicted pictures stand out every {earlier.period_frames} pictures ({earlier.hits} of "
            f"{earlier.expected} places, which chance gives less than once in a million), a distance that the "
            "file's own keyframes do not have.",
        )


def _beat(facts: FrameFacts, keyframes: int) -> str:
    types, gop = facts.types, facts.gop
    counted = [f"{count:,} {letter}" for letter, count in (("I", types.I), ("P", types.P), ("B", types.B)) if count]
    if types.unknown:
        counted.append(
            f"{types.unknown:,} predicted, of types that are not told apart" if types.I else "types not read"
        )
    text = f"{', '.join(counted)}. "
    if gop is None:
        return f"{text}One keyframe, as usual for short clips." if keyframes else f"{text}No keyframe is marked."
    if gop.longest == 1:
        return f"{text}Every picture is a keyframe."
    if gop.shortest == gop.longest:
        return f"{text}{gop.count:,} keyframes, {gop.longest:,} pictures apart."
    return f"{text}{gop.count:,} keyframes, {gop.shortest:,} to {gop.longest:,} pictures apart (median {gop.median:g})."


def _off_beat(table: PacketTable, facts: FrameFacts, stated: dict[str, str]) -> Iterator[Observation]:
    """Few keyframes off an otherwise regular beat. Encoders that look for scene changes set such ones themselves."""
    gop = facts.gop
    if gop is None or not gop.regular or not gop.short or gop.count < 5:
        return
    keys = np.flatnonzero(table.keyframe)
    steps = np.diff(keys)
    usual = int(np.bincount(steps).argmax())
    places = [_place(table, int(keys[index + 1])) for index in np.flatnonzero(steps != usual)]
    looks = stated.get("scenecut", "0") not in ("0", "-1")
    reason = " The encoder's settings allow keyframes at changes of scene, which can explain them." if looks else ""
    yield state(
        "keyframe_off_beat",
        f"{gop.short} of {len(steps)} keyframe distances are not the usual {usual} pictures: at "
        f"{listed(places, 6)}.{reason}",
        weight="note" if looks else None,
    )


def _place(table: PacketTable, index: int) -> str:
    pts = int(table.pts[index])
    return f"picture {index}" if pts == NO_PTS else f"{pts * table.time_base_s:.2f} s"


def _stated(settings: str | None) -> dict[str, str]:
    return {name.replace("min-keyint", "keyint_min"): value for name, value in _SETTING.findall(settings or "")}


def _disagreements(facts: FrameFacts, stated: dict[str, str]) -> Iterator[str]:
    keyint = stated.get("keyint", "")
    if keyint.isdigit() and facts.gop is not None and facts.gop.longest > int(keyint):
        yield f"at most {keyint} pictures from keyframe to keyframe, but {facts.gop.longest} are found"
    if stated.get("bframes") == "0" and facts.types.B:
        yield f"no B pictures, but {facts.types.B} are found"


def _repeats(repeats: Repeats, pictures: int) -> Observation:
    whole = repeats.compared >= pictures - 1
    where = "all pictures were compared" if whole else f"{repeats.compared:,} pairs in {repeats.stretches} stretches"
    text = f"{repeats.equal} of {repeats.compared:,} pairs of neighbours are identical ({where})"
    if repeats.longest_run > 1:
        text += f"; up to {repeats.longest_run} in a row"
    if repeats.period:
        text += f"; one every {repeats.period} pictures, as a change of frame rate leaves"
    if repeats.at_s:
        text += f"; first at {listed([f'{at_s:.2f} s' for at_s in repeats.at_s[:4]])}"
    many = repeats.equal > _MANY_REPEATS * repeats.compared
    return state("repeats", f"{text}.", weight="attention" if many else "note")
