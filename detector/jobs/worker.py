"""The worker process: `python -m detector.jobs.worker`. It reads tasks, runs them one at a time and spools results.

It never opens the case store. It ends when its stdin ends, which is also how it learns that its parent is gone.
"""

from __future__ import annotations

import argparse
import faulthandler
import os
import queue
import sys
import threading
import traceback
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import Any, BinaryIO

from detector.errors import CancelledError, EvidenceAlteredError, FramewitnessError
from detector.evidence.limits import limit_data, yield_processor
from detector.evidence.store import unaltered
from detector.jobs.parent import die_with_parent
from detector.jobs.protocol import ExportMaker, ExportTask, ProgressLike, Runner, Task, decode, encode, task_from_dict
from detector.jobs.spool import whole_folder, write_result

# Six times what the default models and their libraries take for a small video (2.2 GB).
MEMORY_BYTES = 14_000_000_000


def main(arguments: list[str] | None = None) -> None:
    """Serve tasks from standard input until it closes or the parent is gone; the worker process."""
    parser = argparse.ArgumentParser(prog="python -m detector.jobs.worker", description=__doc__)
    parser.add_argument("--spool", type=Path, required=True)
    parser.add_argument("--logs", type=Path, required=True)
    parser.add_argument("--runner", required=True, metavar="MODULE:CLASS")
    parser.add_argument("--parent", type=int, required=True, metavar="PID")
    options = parser.parse_args(arguments)

    die_with_parent(options.parent)
    faulthandler.enable()
    yield_processor()
    # A GPU's driver maps what is not this machine's memory.
    if not Path("/dev/nvidiactl").exists():
        limit_data(MEMORY_BYTES)
    # Whatever a library prints must not mix with the messages.
    outbox = os.fdopen(os.dup(sys.stdout.fileno()), "wb", buffering=0)
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    Worker(options.runner, options.spool, options.logs, sys.stdin.buffer, outbox).serve()


class Worker:
    """`runner_path` names a class, MODULE:CLASS, whose instance is a `Runner` or, in a worker for exports, an
    `ExportMaker`; it is made for the first task."""

    def __init__(
        self, runner_path: str, spool_dir: Path, logs_dir: Path, inbox: BinaryIO, outbox: BinaryIO | Any
    ) -> None:
        self._runner_path = runner_path
        self._runner: Any = None
        self._spool_dir = spool_dir
        self._logs_dir = logs_dir
        self._inbox = inbox
        self._outbox = outbox
        self._tasks: queue.SimpleQueue[Task | ExportTask] = queue.SimpleQueue()
        self._cancelled: set[str] = set()

    def serve(self) -> None:
        """Run tasks until the service closes the pipe; never returns."""
        threading.Thread(target=self._listen, name="listen", daemon=True).start()
        while True:
            task = self._tasks.get()
            self._send(self._attempt(task))

    def _listen(self) -> None:
        for line in self._inbox:
            message = decode(line)
            if message is None:
                continue
            if message["type"] == "run":
                self._tasks.put(task_from_dict(message["task"]))
            elif message["type"] == "cancel":
                self._cancelled.add(message["job_id"])
        # The service is gone or wants no more: a result now would reach nobody.
        os._exit(0)

    def _work(self, task: Task | ExportTask) -> None:
        if self._runner is None:
            self._runner = _made(self._runner_path)
        report, cancelled = self._reporter(task), lambda: task.job_id in self._cancelled
        if isinstance(task, ExportTask):
            maker: ExportMaker = self._runner
            with whole_folder(self._spool_dir, task.job_id) as folder:
                maker(task, folder, report, cancelled)
            return
        runner: Runner = self._runner
        with unaltered(task.file):
            analysis = runner(task, report, cancelled)
        write_result(self._spool_dir, task.job_id, analysis)

    def _attempt(self, task: Task | ExportTask) -> dict[str, Any]:
        """Run one task to its end, and say how it ended."""
        told = {"job_id": task.job_id}
        try:
            self._work(task)
        except CancelledError:
            return {"type": "cancelled", **told}
        except EvidenceAlteredError as error:
            found = {"code": error.code, "message": str(error), "found_sha256": error.found_sha256}
            return {"type": "failed", **told, **found}
        except FramewitnessError as error:
            return {"type": "failed", **told, "code": error.code, "message": str(error)}
        except MemoryError:
            self._log_traceback(task)
            advice = "Close other programs"
            advice += "." if isinstance(task, ExportTask) else ", or examine fewer frames per second."
            return {"type": "failed", **told, "code": "out_of_memory", "message": f"Memory ran out. {advice}"}
        except Exception as error:
            log = self._log_traceback(task)
            what = "export" if isinstance(task, ExportTask) else "analysis"
            said = f"The {what} stopped at a fault in the program ({type(error).__name__}). Details are in {log}."
            return {"type": "failed", **told, "code": "internal_error", "message": said}
        return {"type": "done", **told}

    def _reporter(self, task: Task | ExportTask) -> Callable[[ProgressLike], None]:
        def report(progress: ProgressLike) -> None:
            self._send(
                {
                    "type": "progress",
                    "job_id": task.job_id,
                    "stage": progress.stage,
                    "fraction": progress.fraction,
                    "remaining_s": progress.remaining_s,
                    "message": progress.message,
                }
            )

        return report

    def _send(self, message: dict[str, Any]) -> None:
        try:
            self._outbox.write(encode(message))
        except OSError:
            os._exit(1)

    def _log_traceback(self, task: Task | ExportTask) -> Path:
        log = self._logs_dir / f"job-{task.job_id}.log"
        # On a full disk the job must still end with its own reason.
        with suppress(OSError):
            self._logs_dir.mkdir(parents=True, exist_ok=True)
            with log.open("a", encoding="utf-8", errors="backslashreplace") as stream:
                stream.write(f"{datetime.now(UTC).isoformat()} {task.described}\n")
                stream.write(traceback.format_exc() + "\n")
        return log


def _made(path: str) -> Any:
    module, _, name = path.partition(":")
    return getattr(import_module(module), name)()


if __name__ == "__main__":
    main()
