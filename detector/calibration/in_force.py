"""The calibration set that a laboratory has put in force: which one, with what limits, by whom, since when.

The home's folder `calibration` holds sets (`SHA256.parquet`), choices (`SHA256.choice.json`: what was chosen and the
calibrations that were made of it), each named by the SHA-256 of its content, and `in-force`, the name of the choice
that is. Only that last file is ever replaced, as a whole: whatever is killed, an old choice or a new one is in force,
never half of one.
"""

from __future__ import annotations

import hashlib
import os
import re
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Final, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from detector.calibration.calibration import Calibration, Policy
from detector.calibration.sets import CalibrationSet
from detector.errors import CalibrationError

CALIBRATION_FOLDER: Final = "calibration"
SHIPPED_NAME: Final = "shipped"
UNFINISHED: Final = ".writing-"
_CHOICE: Final = ".choice.json"
_IN_FORCE: Final = "in-force"
_AGAIN: Final = "Choose the set again (`calibration use`, or the Calibration page)."


class LeftOut(BaseModel):
    """Something that was not used, with the reason: a model of a set, or an exhibit of a case."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    reason: str


class Choice(BaseModel):
    """A set that was put in force by `chosen_by` at `chosen_at`, and the `calibrations` that were fitted to it with
    `policy`; `left_out` names the models of the set that were not. Without a set (`set_sha256` None) the calibrations
    shipped beside the weights are in force."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    form: Literal["framewitness.calibration-choice/1"] = "framewitness.calibration-choice/1"
    set_name: str
    set_sha256: str | None
    policy: Policy | None
    calibrations: tuple[Calibration, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    chosen_by: str
    chosen_at: AwareDatetime

    @classmethod
    def shipped(cls, chosen_by: str, chosen_at: datetime) -> Choice:
        """The choice of what is shipped beside the weights."""
        return cls(set_name=SHIPPED_NAME, set_sha256=None, policy=None, chosen_by=chosen_by, chosen_at=chosen_at)

    def of(self, model_id: str) -> Calibration | None:
        """The calibration of a model, None where the choice has none."""
        return next((one for one in self.calibrations if one.model_id == model_id), None)

    @property
    def sha256(self) -> str:
        """SHA-256 (hex) of it as it is kept."""
        return hashlib.sha256(self._content()).hexdigest()

    def keep(self, folder: Path) -> Path:
        """Write it to a home's folder of calibrations, not yet in force. Raises CalibrationError."""
        return _keep(folder / f"{self.sha256}{_CHOICE}", self._content())

    def _content(self) -> bytes:
        return self.model_dump_json().encode()


def keep_set(of: CalibrationSet, folder: Path) -> Path:
    """Write a set to a home's folder of calibrations, named by its SHA-256. Raises CalibrationError."""
    return _keep(folder / f"{of.sha256}.parquet", of.to_bytes())


def put_in_force(sha256: str | None, folder: Path) -> None:
    """Let the kept choice of that SHA-256 be the one in force from now on; None: what is shipped. Raises
    CalibrationError."""
    if sha256 is None:
        (folder / _IN_FORCE).unlink(missing_ok=True)
        return
    _keep(folder / _IN_FORCE, f"{sha256}\n".encode())


def sha256_in_force(folder: Path) -> str | None:
    """SHA-256 of the choice in force, None where nothing was ever chosen. Raises CalibrationError where it cannot be
    told."""
    try:
        found = (folder / _IN_FORCE).read_text(encoding="ascii").strip()
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise CalibrationError(f"Which calibration set is in force cannot be read: {error}. {_AGAIN}") from error
    if not re.fullmatch(r"[0-9a-f]{64}", found):
        raise CalibrationError(
            f"Expected the SHA-256 of a choice in {folder / _IN_FORCE}, found another text. {_AGAIN}"
        )
    return found


def choice_in_force(folder: Path) -> Choice | None:
    """The choice in force, None where nothing was ever chosen. Raises CalibrationError where it is missing or is not
    what it was: no other calibration takes its place unsaid."""
    sha256 = sha256_in_force(folder)
    return None if sha256 is None else kept_choice(sha256, folder)


def kept_choice(sha256: str, folder: Path) -> Choice:
    """The kept choice of that SHA-256. Raises CalibrationError where it is missing or is not what it was."""
    path = folder / f"{sha256}{_CHOICE}"
    try:
        at = path.stat()
        return _read(path, sha256, at.st_size, at.st_mtime_ns)
    except OSError as error:
        raise CalibrationError(
            f"The calibrations in force cannot be read ({path.name}: {error.strerror}). {_AGAIN}"
        ) from error


@lru_cache(maxsize=8)
def _read(path: Path, sha256: str, _size: int, _modified_ns: int) -> Choice:
    content = path.read_bytes()
    if (found := hashlib.sha256(content).hexdigest()) != sha256:
        raise CalibrationError(
            f"The calibrations in force were changed since they were chosen: the SHA-256 of {path.name} is {found}. "
            f"{_AGAIN}"
        )
    try:
        return Choice.model_validate_json(content)
    except ValidationError as error:
        raise CalibrationError(f"{path.name} was written by another version of the program. {_AGAIN}") from error


def _keep(path: Path, content: bytes) -> Path:
    """Write a file that is there whole or not at all."""
    unfinished = None
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with NamedTemporaryFile(dir=path.parent, prefix=UNFINISHED, delete=False) as stream:
            unfinished = Path(stream.name)
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        unfinished.replace(path)
    except OSError as error:
        if unfinished is not None:
            unfinished.unlink(missing_ok=True)
        raise CalibrationError(
            f"{path.name} could not be written to {path.parent}: {error.strerror}. What was in force stays so. Make "
            "room there, or let it be written to."
        ) from error
    return path
