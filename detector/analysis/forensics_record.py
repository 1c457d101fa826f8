"""File forensics as JSON and back: `provenance` and `forensics` of an analysis record's evidence.

Records before schema 1.2 hold neither; their absence means "not examined", never "nothing found".
"""

from __future__ import annotations

import types
from dataclasses import asdict, fields, is_dataclass
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from detector.evidence.forensics.types import FileForensics, Provenance


def forensics_to_dict(found: FileForensics) -> dict[str, Any]:
    """Everything but the provenance, which has a place of its own in the record: dicts, lists and plain values."""
    values: dict[str, Any] = _plain(asdict(found))
    del values["provenance"]
    return values


def provenance_to_dict(found: Provenance) -> dict[str, Any]:
    """Content credentials as they stand in the JSON of an analysis."""
    values: dict[str, Any] = _plain(asdict(found))
    return values


def forensics_from_dict(provenance: dict[str, Any], forensics: dict[str, Any]) -> FileForensics:
    """The inverse of the two. Raises KeyError or TypeError for another form."""
    known = {field.name for field in fields(Provenance)}
    stated = {name: value for name, value in provenance.items() if name in known}
    found: FileForensics = _rebuilt(FileForensics, {**forensics, "provenance": stated})
    return found


def _plain(value: Any) -> Any:  # noqa: ANN401 - whatever JSON holds
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value


def _rebuilt(kind: Any, value: Any) -> Any:  # noqa: ANN401 - whatever JSON holds
    """`value` as read from JSON, as an instance of the annotated `kind`."""
    origin, arguments = get_origin(kind), get_args(kind)
    if value is None or origin is Literal:
        return value
    if origin in (Union, types.UnionType):
        return _rebuilt(next(item for item in arguments if item is not type(None)), value)
    if origin is tuple:
        inner = [arguments[0]] * len(value) if arguments[-1] is Ellipsis else arguments
        return tuple(_rebuilt(item, part) for item, part in zip(inner, value, strict=True))
    if is_dataclass(kind):
        hints = get_type_hints(kind)
        known = {field.name for field in fields(kind)}
        return kind(**{name: _rebuilt(hints[name], item) for name, item in value.items() if name in known})  # type: ignore[operator]
    return value
