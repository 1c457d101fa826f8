"""Validations in the making: each a process of its own, started and watched by one thread of this server.

A thread knows nothing of Streamlit; the page looks at `Making` now and then. The process ends with this server, and
what it had done is kept: it goes on when it is asked for again.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

import detector
from detector.cases import CaseStore
from detector.cases.chain import STORE_CHAIN
from detector.errors import FramewitnessError
from detector.validation.files import EVENT, PROGRESS, RECORD, Progress, event_of, read_written

LOG = "run.log"
_ROOT = Path(detector.__file__).resolve().parents[1]
_PATIENCE_S = 5.0
_making: dict[Path, Making] = {}
_lock = threading.Lock()


class Making:
    """One validation into `folder`: `problem` says why it came to nothing, once it is no longer `active`."""

    def __init__(self, store: CaseStore, folder: Path, *, supplied: str, examiner: str, language: str) -> None:
        self.folder, self.problem = folder, ""
        self._store, self._examiner = store, examiner
        self._command = [
            *(sys.executable, "-m", "detector", "validate", "--no-log"),
            *("--out", str(folder), "--examiner", examiner, "--language", language, "--parent", str(os.getpid())),
            *(("--suite", supplied) if supplied else ()),
        ]
        self._process: subprocess.Popen[bytes] | None = None
        self._stopped = False
        self._guard = threading.Lock()
        self._thread = threading.Thread(target=self._run, name=f"validate {folder.name}", daemon=True)
        self._thread.start()

    @property
    def active(self) -> bool:
        """Whether it is being made."""
        return self._thread.is_alive()

    @property
    def stopped(self) -> bool:
        """Whether somebody ended it."""
        return self._stopped

    @property
    def progress(self) -> Progress:
        """How far it is."""
        with suppress(OSError, ValueError):
            return Progress.model_validate_json((self.folder / PROGRESS).read_bytes())
        return Progress(doing="starting", done=0, total=1)

    def cancel(self) -> None:
        """End the process; what was done stays."""
        with self._guard:
            self._stopped = True
            if self._process is not None:
                self._process.kill()

    def wait(self, timeout_s: float) -> None:
        """Until it is done, at most this long."""
        self._thread.join(timeout_s)

    def _run(self) -> None:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            status = self._work()
            if (self.folder / RECORD).is_file():
                put_on_record(self._store, self.folder, self._examiner)
            elif self._stopped:
                self.problem = "Stopped. What was done is kept; it can go on."
            else:
                self.problem = self._last_words(status)
        except (FramewitnessError, OSError) as error:
            self.problem = str(error)

    def _work(self) -> int:
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(_ROOT), os.environ.get("PYTHONPATH", "")])}
        with (self.folder / LOG).open("wb") as log:
            with self._guard:
                if self._stopped:
                    return 1
                # On Linux the process dies with the thread that started it, which waits for it here.
                self._process = subprocess.Popen(
                    self._command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, env=environment
                )
            return self._process.wait()

    def _last_words(self, status: int) -> str:
        lines = (self.folder / LOG).read_text(encoding="utf-8", errors="replace").strip().splitlines()
        said = next((line for line in reversed(lines) if line.startswith("error: ")), lines[-1] if lines else "")
        return f"{said.removeprefix('error: ')} (the process ended with {status}; {self.folder / LOG} has the rest)"


def put_on_record(store: CaseStore, folder: Path, who: str) -> None:
    """Make the event of a finished validation in the store's log. Raises SettingsError where it is not finished."""
    store.log(STORE_CHAIN, EVENT, event_of(read_written(folder)), actor=who)


def start(store: CaseStore, folder: Path, *, supplied: str, examiner: str, language: str) -> bool:
    """Begin, or go on with, a validation; False while another one is being made."""
    with _lock:
        if any(one.active for one in _making.values()):
            return False
        _making[folder] = Making(store, folder, supplied=supplied, examiner=examiner, language=language)
        return True


def newest() -> Making | None:
    """The one that was begun last in this server, finished or not."""
    with _lock:
        return next(reversed(_making.values()), None)


def stop_all() -> None:
    """Stop what is being made, for a server that ends."""
    with _lock:
        makings = [one for one in _making.values() if one.active]
        _making.clear()
    for one in makings:
        one.cancel()
    for one in makings:
        one.wait(_PATIENCE_S)
