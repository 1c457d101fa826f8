"""Two analyses compared number by number, with what differs gathered by its place.

Both are JSON by the contract of the command line. Items of lists are matched by what names them (a track by its id, a
frame by its PTS, a model by its id), so that one missing frame is one difference and not a thousand. What says who made
the analysis, when and how fast is left out; a replay reports that beside the numbers.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any, Final, Literal

Outcome = Literal["equal", "within_tolerance", "different"]
LOGIT_TOLERANCE: Final = 1e-3
OTHER_TOLERANCE: Final = 1e-3
NOT_COMPARED: Final = frozenset({"schema_version", "analysis_id", "tool", "timings", "environment", "identity"})
_NAMED_BY: Final[dict[str, tuple[str, ...]]] = {
    "tracks": ("track_id",),
    "frames": ("pts",),
    "models": ("model_id",),
    "specialists": ("cue",),
    "members": ("model_id", "cue"),
    "readings": ("track_id",),
    "spreads": ("track_id",),
    "variants": ("name",),
}
# The rest of a path's names become a star.
_KEPT_APART: Final = frozenset({"models", "specialists", "members", "variants"})
_ABSENT: Final = object()


@dataclass(frozen=True, slots=True)
class Difference:
    """One value that differs. `recorded` or `replayed` is None, with `absent_from` saying so, where one side lacks
    it."""

    path: str
    recorded: Any
    replayed: Any
    absent_from: Literal["recorded", "replayed"] | None = None


@dataclass(frozen=True, slots=True)
class Group:
    """All differences at one kind of place. `beyond` of them exceed the tolerance; `largest` is the greatest absolute
    distance among numbers and `allowed` what is tolerated there (None where only equality will do); `worst` is the
    difference to look at first."""

    path: str
    beyond: int
    within: int
    largest: float | None
    allowed: float | None
    worst: Difference
    differences: tuple[Difference, ...]


@dataclass(frozen=True, slots=True)
class Comparison:
    """`compared` counts the values looked at, `groups` hold the differences, the gravest first; `one_sided` names
    entries that only one of two schema versions has: they are not compared."""

    outcome: Outcome
    compared: int
    logit_tolerance: float
    groups: tuple[Group, ...]
    one_sided: tuple[str, ...] = ()


def compare(
    recorded: dict[str, Any], replayed: dict[str, Any], *, logit_tolerance: float = LOGIT_TOLERANCE
) -> Comparison:
    """Compare two analyses. Logits may differ by `logit_tolerance` (absolute); scores by a quarter of it, because the
    logistic function is nowhere steeper; other fractional numbers by 0.001, absolute up to 1 and relative above.
    Whole numbers, words and what is there at all must be equal."""
    same_schema = recorded.get("schema_version") == replayed.get("schema_version")
    walk = _Walk(logit_tolerance, same_schema)
    for name in dict.fromkeys([*recorded, *replayed]):
        if name not in NOT_COMPARED:
            walk.entry(name, name, name, recorded.get(name, _ABSENT), replayed.get(name, _ABSENT))
    groups = tuple(sorted(walk.groups(), key=lambda group: (-bool(group.beyond), -group.beyond, group.path)))
    beyond = any(group.beyond for group in groups)
    outcome: Outcome = "different" if beyond else "within_tolerance" if groups else "equal"
    return Comparison(outcome, walk.compared, logit_tolerance, groups, tuple(walk.one_sided))


class _Walk:
    """Down two trees at once; `place` is a path with its names, `kind` the same path with stars."""

    def __init__(self, logit_tolerance: float, same_schema: bool) -> None:
        self.compared = 0
        self.one_sided: dict[str, None] = {}
        self._logit_tolerance = logit_tolerance
        self._same_schema = same_schema
        self._found: dict[str, list[tuple[Difference, float | None, float | None]]] = {}

    def entry(self, name: str, place: str, kind: str, recorded: object, replayed: object) -> None:
        if (recorded is _ABSENT or replayed is _ABSENT) and not self._same_schema:
            self.one_sided[f"{kind} (only in the {'replay' if recorded is _ABSENT else 'recorded analysis'})"] = None
            return
        self.value(name, place, kind, recorded, replayed)

    def value(self, name: str, place: str, kind: str, recorded: object, replayed: object) -> None:
        if isinstance(recorded, dict) and isinstance(replayed, dict):
            for key in dict.fromkeys([*recorded, *replayed]):
                pair = recorded.get(key, _ABSENT), replayed.get(key, _ABSENT)
                self.entry(key, f"{place}.{key}", f"{kind}.{key}", *pair)
        elif isinstance(recorded, list) and isinstance(replayed, list):
            for label, one, other in _matched(name, recorded, replayed):
                starred = label if name in _KEPT_APART else "*"
                self.value(name, f"{place}[{label}]", f"{kind}[{starred}]", one, other)
        else:
            self._leaf(name, place, kind, recorded, replayed)

    def groups(self) -> Iterator[Group]:
        for kind, found in self._found.items():
            beyond = sum(_exceeds(distance, allowed) for _, distance, allowed in found)
            # A value that is missing, or another word, is graver than any distance.
            worst = max(found, key=lambda one: float("inf") if one[1] is None else one[1])
            distances = [distance for _, distance, _ in found if distance is not None]
            yield Group(
                path=kind,
                beyond=beyond,
                within=len(found) - beyond,
                largest=max(distances, default=None),
                allowed=worst[2],
                worst=worst[0],
                differences=tuple(difference for difference, _, _ in found),
            )

    def _leaf(self, name: str, place: str, kind: str, recorded: Any, replayed: Any) -> None:  # noqa: ANN401 - whatever JSON holds
        self.compared += 1
        if type(recorded) is type(replayed) and recorded == replayed:
            return
        distance = allowed = None
        if recorded is _ABSENT or replayed is _ABSENT:
            side: Literal["recorded", "replayed"] = "recorded" if recorded is _ABSENT else "replayed"
            one, other = (None if value is _ABSENT else _short(value) for value in (recorded, replayed))
            difference = Difference(place, one, other, side)
        else:
            difference = Difference(place, _short(recorded), _short(replayed))
            if _is_number(recorded) and _is_number(replayed):
                distance = abs(recorded - replayed)
                if distance == 0:
                    return  # 1 and 1.0
                if isinstance(recorded, float) or isinstance(replayed, float):
                    allowed = self._allowed(name, recorded, replayed)
        self._found.setdefault(kind, []).append((difference, distance, allowed))

    def _allowed(self, name: str, recorded: float, replayed: float) -> float:
        if name == "logit":
            return self._logit_tolerance
        if name == "score":
            return self._logit_tolerance / 4
        return OTHER_TOLERANCE * max(1.0, abs(recorded), abs(replayed))


def _exceeds(distance: float | None, allowed: float | None) -> bool:
    return distance is None or allowed is None or not distance <= allowed


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _matched(name: str, recorded: list[Any], replayed: list[Any]) -> Iterator[tuple[str, Any, Any]]:
    """(label, item, item) of two lists: by name where every item has one of its own, else by position."""
    keys = _NAMED_BY.get(name)
    one, other = (_by_name(items, keys) if keys else None for items in (recorded, replayed))
    if one is None or other is None:
        pairs = zip_longest(recorded, replayed, fillvalue=_ABSENT)
        yield from ((str(index), first, second) for index, (first, second) in enumerate(pairs))
        return
    for label in dict.fromkeys([*one, *other]):
        yield label, one.get(label, _ABSENT), other.get(label, _ABSENT)


def _by_name(items: list[Any], keys: tuple[str, ...]) -> dict[str, Any] | None:
    found: dict[str, Any] = {}
    for item in items:
        if not isinstance(item, dict) or any(key not in item for key in keys):
            return None
        label = " ".join(str(item[key]) for key in keys if item[key] is not None)
        found[f"{keys[0]} {label}" if keys == ("pts",) else label] = item
    return found if len(found) == len(items) else None


def _short(value: object) -> object:
    """A value as it is shown: numbers, words and none as they are, whole branches by their size."""
    if isinstance(value, dict | list):
        return f"({len(value)} entries)"
    return value
