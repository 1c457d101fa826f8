"""The service's side of one worker process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import detector
from detector.jobs.protocol import decode, encode

_LOG_LIMIT_BYTES = 5_000_000
_EXIT_WAIT_S = 2.0


class WorkerProcess:
    """Start it from a thread that lives as long as the worker should: on Linux its death is the worker's death.

    `deliver(worker, message)` is called from a thread of its own for each message, and with None when the worker has
    ended for whatever reason.
    """

    def __init__(
        self,
        runner_path: str,
        *,
        spool_dir: Path,
        logs_dir: Path,
        log_path: Path,
        threads: int,
        deliver: Callable[[WorkerProcess, dict[str, Any] | None], None],
    ) -> None:
        self._deliver = deliver
        self.log_path = log_path
        fresh = not log_path.exists() or log_path.stat().st_size > _LOG_LIMIT_BYTES
        with log_path.open("wb" if fresh else "ab") as log:
            self._process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "detector.jobs.worker"),
                    *("--spool", str(spool_dir)),
                    *("--logs", str(logs_dir)),
                    *("--runner", runner_path),
                    *("--parent", str(os.getpid())),
                ],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env=_environment(threads),
                # Ctrl-C in the terminal is for the service, which then settles its jobs in good order.
                start_new_session=True,
            )
        threading.Thread(target=self._read, name="worker-messages", daemon=True).start()

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self._process.poll() is None

    def send(self, message: dict[str, Any]) -> None:
        """A worker that has just died takes no message; its end is delivered all the same."""
        assert self._process.stdin is not None
        with suppress(OSError):
            self._process.stdin.write(encode(message))
            self._process.stdin.flush()

    def stop(self, *, at_once: bool) -> None:
        """End the worker: `at_once` kills it, else it may leave by itself first. Returns when it is gone."""
        assert self._process.stdin is not None
        with suppress(OSError):
            self._process.stdin.close()
        if not at_once:
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(_EXIT_WAIT_S)
        self._process.kill()
        self._process.wait()

    def exit_reason(self) -> str:
        """One sentence on a worker that has ended."""
        status = self._process.wait()
        if status >= 0:
            return f"The worker process ended with status {status}."
        name = signal.Signals(-status).name
        if -status == getattr(signal, "SIGKILL", None):
            return f"The worker process was killed ({name}), as happens when the machine runs out of memory."
        return f"The worker process crashed ({name})."

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as messages:
            for line in messages:
                message = decode(line)
                if message is not None:
                    self._deliver(self, message)
        self._deliver(self, None)


def _environment(threads: int) -> dict[str, str]:
    """The service's environment, with the program importable and every library's thread pool bounded."""
    root = str(Path(detector.__file__).resolve().parents[1])
    paths = [root, *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    pools = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(paths),
        "PYTHONUNBUFFERED": "1",
        **{name: str(threads) for name in pools},
    }
