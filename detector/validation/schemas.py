"""`python -m detector.validation.schemas`: write the JSON Schemas (2020-12) of a validation's files to assets."""

from __future__ import annotations

from detector.training.analyses.schemas import schema_of
from detector.validation.documents import ASSETS, SCHEMAS


def schema_text(name: str) -> str:
    """The schema of one of `SCHEMAS`, as it lies in assets."""
    return schema_of(SCHEMAS[name])


if __name__ == "__main__":
    for each in SCHEMAS:
        (ASSETS / "schemas" / f"{each}.schema.json").write_text(schema_text(each), encoding="utf-8")
