"""`python -m detector.training.analyses.schemas`: write the JSON Schemas (2020-12) of the analyses' files to assets."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

from pydantic import BaseModel

from detector.training.analyses.documents import SCHEMAS

FOLDER: Final = Path(__file__).resolve().parents[3] / "assets" / "schemas"


def schema_text(name: str) -> str:
    """The schema of one of `SCHEMAS`, as it lies in assets."""
    return schema_of(SCHEMAS[name])


def schema_of(document: type[BaseModel]) -> str:
    """The JSON Schema (2020-12) of a document as it is written, as text."""
    schema = document.model_json_schema(mode="serialization")
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}
    return json.dumps(schema, indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    for each in SCHEMAS:
        (FOLDER / f"{each}.schema.json").write_text(schema_text(each), encoding="utf-8")
