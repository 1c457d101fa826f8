"""Evidence coming in: uploads, a file or folder on this machine, or a sample. It ends as exhibits and queued jobs."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final, cast

import streamlit as st

from detector.cases import JobRequest
from detector.errors import EvidenceError, FramewitnessError, describe_fault
from detector.evidence import examine, open_regular
from detector.settings import AnalysisSettings
from pages.parts.shared import services

if TYPE_CHECKING:
    from _typeshed import SupportsRead

LOOPBACK = {"localhost", "127.0.0.1", "::1"}
MOST_FILES: Final = 500  # of one folder; each is hashed and looked into before the page goes on


@dataclass(frozen=True, slots=True)
class Incoming:
    """A file on its way in. `source` is read once, in blocks; `name` is what its submitter calls it; a path must still
    lead to a file `beneath` that folder when it is opened. `size_bytes` is what its size was when it was named."""

    name: str
    source: Path | BinaryIO
    beneath: Path | None = None
    size_bytes: int = 0

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
    """Why a file did not become an exhibit, or an exhibit of its own."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class Named:
    """What a path, or a choice of files, came to: files to take in, and what is refused already. `path` is the path as
    it was typed, empty for uploads."""

    files: tuple[Incoming, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    path: str = ""


@dataclass(frozen=True, slots=True)
class Storing:
    """A file being stored and hashed: `number` of `total`, from 1; `read_bytes` of it so far."""

    file: Incoming
    number: int
    total: int
    read_bytes: int


@dataclass(frozen=True, slots=True)
class Queued:
    """The outcome: jobs in the order of the files, refusals, files whose content came twice, and the case (None if no
    file was taken in)."""

    job_ids: tuple[str, ...]
    refusals: tuple[Refusal, ...]
    case_id: str | None
    repeated: tuple[Refusal, ...] = ()


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


def from_path(text: str) -> Named:
    """What `text` names beneath `path_root()`: a regular file, or all files of a folder and its subfolders in the order
    of their names, links left out; opened when they are taken in."""
    root = path_root()
    try:
        path = named_path(text)
    except EvidenceError as error:
        return _refused(text, str(error))
    if root is None or not path.resolve().is_relative_to(root):
        return _refused(text, f"Expected a path beneath {root}. Copy the file there or upload it.")
    if path.is_dir():
        return _from_folder(text, path.resolve(), root)
    if not path.is_file():
        return _refused(text, "Expected a file or a folder at this path on the server, found nothing. Check the path.")
    return Named((_incoming(path.name, path, root),), path=text)


def _from_folder(text: str, folder: Path, root: Path) -> Named:
    files: list[Path] = []
    refusals: list[Refusal] = []

    def unread(error: OSError) -> None:
        refusals.append(Refusal(str(error.filename), f"This folder could not be read: {error.strerror}."))

    for place, _, names in os.walk(folder, onerror=unread):
        files += [found for name in names if not (found := Path(place, name)).is_symlink()]
        if len(files) > MOST_FILES:
            return _refused(
                text,
                f"Expected a folder of at most {MOST_FILES} files, those of its subfolders counted, found more. Name "
                "its subfolders one after another.",
            )
    if not files and not refusals:
        return _refused(text, "Expected a folder with pictures or videos in it, found no file. Check the path.")
    inside = sorted((path.relative_to(folder).as_posix(), path) for path in files)
    return Named(tuple(_incoming(name, path, root) for name, path in inside), tuple(refusals), text)


def _incoming(name: str, path: Path, root: Path) -> Incoming:
    size_bytes = 0
    with suppress(OSError):  # gone again: said when it is opened
        size_bytes = path.stat().st_size
    return Incoming(name, path, beneath=root, size_bytes=size_bytes)


def _refused(text: str, reason: str) -> Named:
    return Named(refusals=(Refusal(text, reason),))


class _Counted:
    """A stream that tells how much of it was read."""

    def __init__(self, stream: SupportsRead[bytes], tell: Callable[[int], None]) -> None:
        self._stream = stream
        self._tell = tell
        self._read_bytes = 0

    def read(self, size: int = -1) -> bytes:
        chunk = self._stream.read(size)
        self._read_bytes += len(chunk)
        self._tell(self._read_bytes)
        return chunk


def queue(
    incoming: Sequence[Incoming],
    resolve_case: Callable[[], str],
    model_ids: tuple[str, ...],
    settings: AnalysisSettings,
    who: str,
    tell: Callable[[Storing], None] = lambda _: None,
) -> Queued:
    """Store each file while hashing it, make it an exhibit and queue its analysis; `tell` is called as it goes.

    The case is created with the first file that can be read, so a refused file leaves no empty case behind. A file of
    the same content as one before is no exhibit of its own.
    """
    open_services = services.current()
    store = open_services.store
    jobs: list[str] = []
    refusals: list[Refusal] = []
    repeated: list[Refusal] = []
    names: dict[str, str] = {}
    case_id: str | None = None
    for number, item in enumerate(incoming, start=1):
        told = partial(_tell_of, tell, item, number, len(incoming))
        told(0)
        try:
            with (
                item.opened() as source,
                store.intake.take_in(cast(BinaryIO, _Counted(source, told)), file_name=item.name) as stored,
            ):
                evidence = examine(stored)
                case_id = case_id or resolve_case()
                exhibit = store.add_exhibit(case_id, evidence, author=who)
            if exhibit.exhibit_id in names:
                first = names[exhibit.exhibit_id]
                repeated.append(Refusal(item.name, f"It has the content of {first} (equal SHA-256), examined once."))
                continue
            names[exhibit.exhibit_id] = item.name
            request = JobRequest(exhibit.exhibit_id, model_ids, settings)
            jobs.append(open_services.jobs.submit(request, author=who))
        except FramewitnessError as error:
            refusals.append(Refusal(item.name, str(error)))
        except OSError as error:
            refusals.append(Refusal(item.name, f"The file could not be read or stored: {error.strerror or error}."))
        except Exception as error:  # a fault of the program with one file is no reason to refuse the next
            refusals.append(Refusal(item.name, describe_fault(error)))
    return Queued(tuple(jobs), tuple(refusals), case_id, tuple(repeated))


def _tell_of(tell: Callable[[Storing], None], file: Incoming, number: int, total: int, read_bytes: int) -> None:
    tell(Storing(file, number, total, read_bytes))
