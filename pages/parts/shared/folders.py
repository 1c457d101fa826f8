"""Folders of this machine that a person names: which of them a server may read, and how a file in one is read."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from detector.errors import EvidenceError
from detector.evidence import open_regular
from pages.parts.shared import intake

LARGEST_BYTES: Final = 32 * 2**20


class FolderError(Exception):
    """A folder or file that cannot be shown; the message says what was expected and found."""


def named_folder(variable: str) -> str:
    """The folder that the environment names, or nothing."""
    return os.environ.get(variable, "")


def open_folder(text: str, variable: str, what: str) -> Path:
    """The folder of `what` that `text` names. Raises FolderError where it is none, or lies where this server must not
    read: beneath the folder that the environment's `variable` names, or where paths may be named at all."""
    try:
        path = intake.named_path(text)
    except EvidenceError as error:
        raise FolderError(str(error)) from error
    allowed = _allowed(variable)
    if not any(path.resolve().is_relative_to(root) for root in allowed):
        where = " or ".join(str(root) for root in allowed) or "a folder named by the server's owner"
        raise FolderError(f"Expected a folder beneath {where}, found {path}.")
    if not path.is_dir():
        found = "a file" if path.is_file() else "nothing"
        raise FolderError(f"Expected a folder of {what} at {path}, found {found}.")
    return path


def read_text(path: Path, variable: str) -> str:
    """A text file where it lies (links followed) beneath a folder that may be read. Raises OSError."""
    return read_bytes(path, variable).decode(encoding="utf-8", errors="replace")


def read_bytes(path: Path, variable: str) -> bytes:
    """A file where it lies (links followed) beneath a folder that may be read. Raises OSError, also for one of more
    than `LARGEST_BYTES`."""
    beneath = next((root for root in _allowed(variable) if path.resolve().is_relative_to(root)), None)
    if beneath is None:
        raise OSError("it is a link to a place that this server does not read")
    try:
        with open_regular(path, beneath=beneath) as stream:
            content = stream.read(LARGEST_BYTES + 1)
    except EvidenceError as error:
        raise OSError(str(error)) from error
    if len(content) > LARGEST_BYTES:
        raise OSError(f"larger than {LARGEST_BYTES // 2**20} MiB")
    return content


def _allowed(variable: str) -> list[Path]:
    """The folders beneath which this server may read."""
    named = named_folder(variable)
    return [root for root in (intake.path_root(), Path(named).resolve() if named else None) if root is not None]
