"""Evidence coming in: an upload, a path on this machine, or the sample. It ends as an exhibit and a queued job."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import streamlit as st

from detector.cases import JobRequest
from detector.errors import EvidenceError, FramewitnessError, describe_fault
from detector.evidence import examine, open_regular
from detector.settings import AnalysisSettings
from pages.parts.shared import services

LOOPBACK = {"localhost", "127.0.0.1", "::1"}


@dataclass(frozen=True, slots=True)
class Incoming:
    """A file on its way in. `source` is read once, in blocks; `name` is what its submitter calls it; a path must still
    lead to a file `beneath` that folder when it is opened."""

    name: str
    source: Path | BinaryIO
    beneath: Path | None = None

    @contextmanager
    def opened(self) -> Iterator[BinaryIO]:
        """The bytes. Raises EvidenceError where the path does not lead to a readable file there any more."""
        if not isinstance(self.source, Path):
            yield self.source
            return
        with open_regular(self.source, beneath=self.beneath) as stream:
            yield stream


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a file did not become an exhibit."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class Queued:
    """The outcome: jobs in the order of the files, refusals, and the case (None if no file was read)."""

    job_ids: tuple[str, ...]
    refusals: tuple[Refusal, ...]
    case_id: str | None


def path_root() -> Path | None:
    """The folder beneath which paths may be named; None where naming paths is not offered.

    Whoever can open a page could otherwise read every file of the server's user, so beyond this machine's own
    browser only `FRAMEWITNESS_EVIDENCE_ROOT` is open.
    """
    root = os.environ.get("FRAMEWITNESS_EVIDENCE_ROOT")
    if root:
        return Path(root).resolve()
    return Path("/").resolve() if st.get_option("server.address") in LOOPBACK else None


def named_path(text: str) -> Path:
    """The path that a person typed, with `~` as the home of the server's user, and nobody else's.

    Raises EvidenceError for what is no path: a NUL, another user's home, a loop of links, a name too long.
    """
    given = text.strip()
    try:
        if given.startswith("~") and not given.startswith(("~/", "~\\")) and given != "~":
            raise ValueError("~ with a user's name is not read")
        path = Path(given).expanduser()
        path.resolve()
        path.is_file()
    except (OSError, RuntimeError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise EvidenceError(f"Expected a path on the server, found {given!r} ({reason}). Type it in full.") from error
    return path


def from_path(text: str) -> Incoming | Refusal:
    """The file that `text` names, if it is a regular file beneath `path_root()`; opened when it is taken in."""
    root = path_root()
    try:
        path = named_path(text)
    except EvidenceError as error:
        return Refusal(text, str(error))
    if root is None or not path.resolve().is_relative_to(root):
        return Refusal(text, f"Expected a path beneath {root}. Copy the file there or upload it.")
    if not path.is_file():
        found = "a folder" if path.is_dir() else "nothing"
        return Refusal(text, f"Expected a file at this path on the server, found {found}. Check the path.")
    return Incoming(path.name, path, beneath=root)


def queue(
    incoming: Sequence[Incoming],
    resolve_case: Callable[[], str],
    model_ids: tuple[str, ...],
    settings: AnalysisSettings,
    who: str,
) -> Queued:
    """Store each file while hashing it, make it an exhibit and queue its analysis.

    The case is created with the first file that can be read, so a refused file leaves no empty case behind.
    """
    open_services = services.current()
    store = open_services.store
    jobs: list[str] = []
    refusals: list[Refusal] = []
    case_id: str | None = None
    for item in incoming:
        try:
            with item.opened() as source, store.intake.take_in(source, file_name=item.name) as stored:
                evidence = examine(stored)
                case_id = case_id or resolve_case()
                exhibit = store.add_exhibit(case_id, evidence, author=who)
            request = JobRequest(exhibit.exhibit_id, model_ids, settings)
            jobs.append(open_services.jobs.submit(request, author=who))
        except FramewitnessError as error:
            refusals.append(Refusal(item.name, str(error)))
        except OSError as error:
            refusals.append(Refusal(item.name, f"The file could not be read or stored: {error.strerror or error}."))
        except Exception as error:  # a fault of the program with one file is no reason to refuse the next
            refusals.append(Refusal(item.name, describe_fault(error)))
    return Queued(tuple(jobs), tuple(refusals), case_id)
