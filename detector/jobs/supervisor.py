"""One place where jobs run: a thread that owns one worker process and sees each job through to its end."""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Generic, Literal

from detector.cases import CaseStore
from detector.errors import StoreError
from detector.jobs import spool
from detector.jobs.process import WorkerProcess
from detector.jobs.protocol import task_to_dict
from detector.jobs.work import J, Work

_log = logging.getLogger(__name__)

MOST_WORKER_DEATHS = 2
RESTART_BACKOFF_S = 0.5  # after a worker's death, so that one that cannot start does not spin


@dataclass(frozen=True, slots=True)
class SupervisorOptions:
    """`runner_path` MODULE:CLASS; `threads` for each worker's libraries; `grace_s` between asking a worker to cancel
    and killing it."""

    runner_path: str
    threads: int
    grace_s: float


@dataclass(frozen=True, slots=True)
class _Message:
    """An item that the supervisor's thread waits for. `sender` is the worker it came from; None for the service."""

    kind: Literal["message", "ended", "cancel", "stop"]
    sender: WorkerProcess | None = None
    body: dict[str, Any] | None = None


class WorkerSupervisor(Generic[J]):
    """`claim` blocks until a job is claimed for this supervisor; it returns None when the service stops."""

    def __init__(
        self,
        name: str,
        store: CaseStore,
        work: Work[J],
        options: SupervisorOptions,
        claim: Callable[[WorkerSupervisor[J]], J | None],
    ) -> None:
        self._store = store
        self._work: Work[J] = work
        self._options = options
        self._claim: Callable[[WorkerSupervisor[J]], J | None] = claim
        self._messages: queue.SimpleQueue[_Message] = queue.SimpleQueue()
        self._worker: WorkerProcess | None = None
        self._job: J | None = None
        self._lock = threading.Lock()
        self._log_path = store.layout.logs / f"{name}.log"
        self._thread = threading.Thread(target=self._serve, name=name, daemon=True)

    def start(self) -> None:
        """Start the thread that supervises the worker process."""
        self._thread.start()

    def stop(self) -> None:
        """End the running job's worker; the job goes back to the queue. Returns when the thread has ended."""
        self._messages.put(_Message("stop"))
        self._thread.join()

    def cancel(self, job_id: str) -> None:
        """End the job if this supervisor has it."""
        job = self.job
        if job is not None and job.job_id == job_id:
            self._messages.put(_Message("cancel", body={"job_id": job_id}))

    @property
    def job(self) -> J | None:
        """The job in hand with its live progress."""
        with self._lock:
            return self._job

    def assign(self, job: J) -> None:
        """Take charge of a job just claimed; called by `claim`."""
        with self._lock:
            self._job = job

    def _serve(self) -> None:
        while (job := self._claim(self)) is not None:
            try:
                going_on = self._run(job)
            except Exception as error:
                _log.exception("job %s", job.job_id)
                going_on = True
                self._give_up(job, error)
            with self._lock:
                self._job = None
            if not going_on:
                break
        if self._worker is not None:
            self._worker.stop(at_once=False)

    def _run(self, job: J) -> bool:
        """See one job through. False when the service stops meanwhile."""
        worker = self._ready_worker()
        worker.send({"type": "run", "task": task_to_dict(self._work.task(job))})
        deadline_s: float | None = None
        while True:
            message = self._next_message(deadline_s)
            if message is None:
                self._drop_worker()
                self._end_cancelled(job)
                return True
            if message.kind == "stop":
                self._drop_worker()
                if not self._work.import_result(job):
                    self._work.requeue(job, "The program was closed while it was running.", worker_died=False)
                return False
            if message.kind == "cancel":
                if message.body == {"job_id": job.job_id} and deadline_s is None:
                    worker.send({"type": "cancel", "job_id": job.job_id})
                    deadline_s = time.monotonic() + self._options.grace_s
            elif message.sender is worker:
                if message.kind == "ended":
                    self._worker_died(job, worker, cancelling=deadline_s is not None)
                    return True
                if self._handle_message(job, message.body or {}):
                    return True

    def _handle_message(self, job: J, message: dict[str, Any]) -> bool:
        """Act on a worker's message; True if it ends the job."""
        if message.get("job_id") != job.job_id:
            return False
        kind = message["type"]
        if kind == "progress":
            with self._lock:
                self._job = replace(
                    job,
                    stage=message["stage"],
                    fraction=message["fraction"],
                    remaining_s=message["remaining_s"],
                    message=message["message"],
                )
            return False
        if kind == "done":
            if not self._work.import_result(job):
                raise StoreError(f"The result of {job.job_id} is gone from the spool folder. Try again.")
        elif kind == "cancelled":
            self._end_cancelled(job)
        elif kind == "failed":
            self._work.fail(job, message["code"], message["message"], found_sha256=message.get("found_sha256", ""))
            self._discard(job)
        return kind in ("done", "cancelled", "failed")

    def _worker_died(self, job: J, worker: WorkerProcess, *, cancelling: bool) -> None:
        how = worker.exit_reason()
        self._drop_worker()
        if self._work.import_result(job):
            return
        if cancelling:
            self._end_cancelled(job)
        elif job.worker_deaths + 1 < MOST_WORKER_DEATHS:
            self._work.requeue(job, f"{how} The {self._work.name} starts again.", worker_died=True)
            time.sleep(RESTART_BACKOFF_S)
        else:
            self._work.fail(
                job,
                "worker_died",
                f"{how} It was the second time with this {self._work.name}, so it is not tried again. "
                f"{self._work.advice} Details are in {worker.log_path}.",
            )
            self._discard(job)

    def _end_cancelled(self, job: J) -> None:
        self._work.cancel(job)
        self._discard(job)

    def _discard(self, job: J) -> None:
        spool.discard(self._store.layout.spool, job.job_id)

    def _give_up(self, job: J, error: Exception) -> None:
        """The service itself failed over a job: say so in the job, and leave the worker in a known state."""
        self._drop_worker()
        if isinstance(error, OSError):
            error = spool.not_saved(error)
        code = error.code if isinstance(error, StoreError) else "internal_error"
        said = str(error) if isinstance(error, StoreError) else f"The job service failed ({type(error).__name__})."
        try:
            self._work.fail(job, code, said)
            self._discard(job)
        except Exception:
            # The store itself is unusable; the job stays "running" and is queued again at the next start.
            _log.exception("job %s could not be marked failed", job.job_id)

    def _ready_worker(self) -> WorkerProcess:
        if self._worker is not None and not self._worker.alive:
            # It died between jobs, which is no fault of the next one.
            self._drop_worker()
        if self._worker is None:
            layout = self._store.layout
            self._worker = WorkerProcess(
                self._options.runner_path,
                spool_dir=layout.spool,
                logs_dir=layout.logs,
                log_path=self._log_path,
                threads=self._options.threads,
                deliver=self._deliver,
            )
        return self._worker

    def _drop_worker(self) -> None:
        if self._worker is not None:
            self._worker.stop(at_once=True)
            self._worker = None

    def _deliver(self, worker: WorkerProcess, message: dict[str, Any] | None) -> None:
        self._messages.put(_Message("ended" if message is None else "message", worker, message))

    def _next_message(self, deadline_s: float | None) -> _Message | None:
        """The next message; None if none came before the deadline."""
        try:
            if deadline_s is None:
                return self._messages.get()
            return self._messages.get(timeout=max(0.0, deadline_s - time.monotonic()))
        except queue.Empty:
            return None
