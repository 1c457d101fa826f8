"""The parts that every command shares: options, opening the store, loading models, and how failures are told."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from detector.errors import FramewitnessError, SettingsError, describe_fault

if TYPE_CHECKING:
    from detector.cases import CaseStore
    from detector.registry import LoadedModel

DEVICES = ("auto", "cpu", "cuda")


def complain(error: FramewitnessError) -> None:
    """Print an error with its code on standard error."""
    print(f"error: {error.code}: {error}", file=sys.stderr)


class FileByFile:
    """Runs the work on one file after another: what fails is told in one line, and the next file is not touched by it.

    `status` is the exit status of the first file that failed (see `detector.cli`), 0 while none did.
    """

    def __init__(self) -> None:
        self.status = 0

    @contextmanager
    def of(self, path: Path) -> Iterator[None]:
        """Around all the work on `path`. Interrupts, and a reader of standard output that has gone, end the command."""
        try:
            yield
        except BrokenPipeError:
            raise
        except Exception as error:
            if isinstance(error, FramewitnessError):
                said = f"{error.code}: {error}"
            elif isinstance(error, OSError):
                said = f"os: {error}"
            else:
                said = f"internal_error: {describe_fault(error)}"
            # Decoders quote the file, and some end their messages with a new line.
            print(f"{plain(str(path))}: error: {plain(' '.join(said.split()))}", file=sys.stderr)
            self.status = self.status or getattr(error, "exit_status", 1)


def add_home(parser: argparse.ArgumentParser) -> None:
    """Add the option that names the case store."""
    parser.add_argument("--home", type=Path, help="folder of the case store (default: FRAMEWITNESS_HOME or the user's)")


def add_author(parser: argparse.ArgumentParser) -> None:
    """Add the option that names who is shown what the command hands out: in a blind-first case, only what their own
    opinions have released; and whom the log names for it."""
    parser.add_argument(
        "--author", default="", metavar="NAME", help="who is shown it (default: the user of this system)"
    )


def open_store(home: Path | None, author: str = "") -> CaseStore:
    """The case store at `home` or the default place, opened by `author`, by default the user of this system. Raises
    StoreError, also while the app has it open."""
    from detector.cases import CaseStore, default_home

    return CaseStore.open(home or default_home(), actor=author.strip() or None)


def load_models(names: str | None, device: str, *, runtime: str | None = None) -> tuple[LoadedModel, ...]:
    """The models named in a comma-separated list, or the default ones, with the members of ensembles among them.
    `runtime` computes their networks (`detector.runtime`).

    Raises ModelError, SettingsError (no CUDA, no such runtime).
    """
    import torch

    from detector.registry import default_model_ids, load_set

    if device == "cuda" and not torch.cuda.is_available():
        raise SettingsError("--device cuda: this machine offers no CUDA device to torch. Use --device cpu or auto.")
    ids = dict.fromkeys(name.strip() for name in names.split(",") if name.strip()) if names else default_model_ids()
    return load_set(ids, device, runtime=runtime)


def plain(text: str) -> str:
    """A submitter's text without control characters: a file name must not drive the terminal."""
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)
