"""The files of a validation's folder: what was asked for, how far it is, and the finished record."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, ValidationError

from detector.errors import SettingsError
from detector.validation.documents import ValidationRecord

FOLDER: Final = "validation"
"""Below the home of a case store: a folder a validation, named by the time that it began (UTC)."""
EVENT: Final = "installation_validated"
"""What the store's log calls a finished validation."""
RECORD: Final = "validation.json"
REPORT: Final = "validation.pdf"
SCORES: Final = "scores.parquet"
REQUEST: Final = "request.json"
PROGRESS: Final = "progress.json"


class Request(BaseModel):
    """What was asked for, kept in the folder as `request.json` from the beginning."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    supplied: str = ""
    """Folder or table of the supplied suite; empty for none."""
    examiner: str = ""
    language: str = "en"
    begun_at: datetime
    criteria_sha256: str
    code_sha256: str
    libraries: dict[str, str]
    """Versions of the packages that have a part in the numbers."""

    @classmethod
    def read(cls, folder: Path) -> Request | None:
        """None where the folder holds none. Raises SettingsError for a file that is none."""
        path = folder / REQUEST
        if not path.is_file():
            return None
        try:
            return cls.model_validate_json(path.read_bytes())
        except ValidationError as error:
            raise SettingsError(f"{path} is not what a validation writes. Name another folder.") from error


class Progress(BaseModel):
    """How far a validation is, in `progress.json` while it runs: `done` of `total` parts of what is being done."""

    doing: str
    done: int
    total: int


@dataclass(frozen=True, slots=True)
class Written:
    """A finished record and the files it is in; SHA-256 of the JSON and the PDF."""

    record: ValidationRecord
    folder: Path
    record_sha256: str
    report_sha256: str


def event_of(written: Written) -> dict[str, Any]:
    """What the custody log says of a validation."""
    record = written.record
    counts = {name: sum(getattr(part, name) for part in record.parts) for name in ("passed", "failed", "not_checked")}
    return {
        "result": record.result,
        "record_sha256": written.record_sha256,
        "report_sha256": written.report_sha256,
        "folder": written.folder.name,
        "criteria_version": record.criteria_version,
        **counts,
    }


def read_written(folder: Path) -> Written:
    """The finished record of a folder. Raises SettingsError where there is none."""
    try:
        content, report = (folder / RECORD).read_bytes(), (folder / REPORT).read_bytes()
    except OSError as error:
        raise SettingsError(f"{folder} holds no finished validation: {error}") from error
    return Written(ValidationRecord.read(content), folder, sha256_of(content), sha256_of(report))


def sha256_of(content: bytes) -> str:
    """SHA-256 (hex) of bytes."""
    return hashlib.sha256(content).hexdigest()


def write_whole(path: Path, content: bytes) -> None:
    """Whole or not at all."""
    partly = path.with_name(f".{path.name}.partly")
    partly.write_bytes(content)
    os.replace(partly, path)
