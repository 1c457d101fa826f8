"""The job service: queues analyses, runs them in worker processes, and keeps their results."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Sequence
from pathlib import Path

from detector.cases import CaseStore, Job, JobRequest, JobState
from detector.errors import ModelNotFoundError, StoreError
from detector.jobs.recovery import recover
from detector.jobs.supervisor import SupervisorOptions, WorkerSupervisor

REAL_RUNNER = "detector.jobs.runner:WarmRunner"

_RETRY_S = 2.0
_ACTIVE: tuple[JobState, ...] = ("queued", "paused", "running")

_log = logging.getLogger(__name__)
_serving: set[Path] = set()
_serving_guard = threading.Lock()


class JobService:
    """One per store. Its threads are the only ones that start, watch and end workers; every method may be called from
    any thread.

    `workers` analyses run at once, each in a process of its own with `threads` threads (by default the machine's
    cores shared among them). `runner_path` (MODULE:CLASS) names what runs inside; `grace_s` is how long a worker may
    take to obey a cancellation before it is killed.
    """

    def __init__(
        self,
        store: CaseStore,
        *,
        workers: int = 1,
        threads: int | None = None,
        runner_path: str = REAL_RUNNER,
        grace_s: float = 5.0,
    ) -> None:
        self._store = store
        options = SupervisorOptions(runner_path, threads or max(1, _usable_cores() // workers), grace_s)
        self._supervisors = [
            WorkerSupervisor(f"worker-{number}", store, options, self._claim) for number in range(1, workers + 1)
        ]
        self._changed = threading.Condition()
        self._stopping = False
        self._started = False

    def start(self) -> None:
        """Settle what an earlier run left behind, then serve. Raises StoreError if the store is served already."""
        with _serving_guard:
            if self._store.home in _serving:
                raise StoreError(f"The jobs of {self._store.home} are already being served in this program.")
            _serving.add(self._store.home)
        try:
            recover(self._store)
        except BaseException:
            self._release()
            raise
        self._started = True
        for supervisor in self._supervisors:
            supervisor.start()

    def stop(self) -> None:
        """End all workers; running jobs go back to the queue for the next start. Safe to call twice."""
        if not self._started:
            return
        self._started = False
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        for supervisor in self._supervisors:
            supervisor.stop()
        self._release()

    def submit(self, request: JobRequest, *, author: str = "") -> str:
        """Queue an analysis that `author` asked for and return its job's id. Raises StoreError for an unknown exhibit,
        ModelNotFoundError where no model is asked for."""
        if not request.model_ids:
            raise ModelNotFoundError("An analysis needs at least one model; none was chosen.")
        job = self._store.jobs.add(request, author=author)
        with self._changed:
            self._changed.notify_all()
        return job.job_id

    def again(self, job_id: str, *, author: str = "") -> str:
        """Queue the analysis of a job that has ended once more, as `submit` does. Raises StoreError for an unknown
        job."""
        job = self._store.jobs.get(job_id)
        return self.submit(JobRequest(job.exhibit_id, job.model_ids, job.settings), author=author)

    def pause(self, job_ids: Sequence[str], *, author: str = "") -> None:
        """Hold back those of the jobs that wait, also over a restart, until `resume`. Raises StoreError for an unknown
        job."""
        with self._changed:
            self._store.jobs.pause(job_ids, author=author)

    def resume(self, job_ids: Sequence[str], *, author: str = "") -> None:
        """Have those of the jobs that are paused run in their turn. Raises StoreError for an unknown job."""
        with self._changed:
            self._store.jobs.resume(job_ids, author=author)
            self._changed.notify_all()

    def cancel(self, job_id: str) -> None:
        """Ask for the end of a waiting or running job; one that has ended stays as it is. Raises StoreError for an
        unknown job."""
        with self._changed:
            # Under the same lock as claiming, so that a job cannot slip from the queue to a supervisor unseen.
            if self._store.jobs.get(job_id).state in ("queued", "paused"):
                self._store.jobs.cancel(job_id)
            else:
                for supervisor in self._supervisors:
                    supervisor.cancel(job_id)

    def job(self, job_id: str) -> Job:
        """The job with its live progress. Raises StoreError for an unknown job."""
        return self._with_progress(self._store.jobs.get(job_id))

    def jobs(self, active_only: bool = False) -> list[Job]:
        """In the order they were requested."""
        return [self._with_progress(job) for job in self._store.jobs.find(_ACTIVE if active_only else ())]

    def recent(self, limit: int) -> list[Job]:
        """Those that were requested last, the newest first."""
        return [self._with_progress(job) for job in self._store.jobs.recent(limit)]

    def _with_progress(self, job: Job) -> Job:
        if job.state != "running":
            return job
        return next(
            (live for supervisor in self._supervisors if (live := supervisor.job) and live.job_id == job.job_id), job
        )

    def _claim(self, supervisor: WorkerSupervisor) -> Job | None:
        """Wait for a job and claim it for `supervisor`; None when the service stops."""
        with self._changed:
            while not (self._stopping or self._store.closed):
                try:
                    job = self._store.jobs.claim()
                except Exception:
                    # A full disk, say: jobs stay queued, and the supervisor must be there when there is room again.
                    _log.exception("no job could be claimed")
                    self._changed.wait(_RETRY_S)
                    continue
                if job is not None:
                    supervisor.assign(job)
                    return job
                self._changed.wait()
        return None

    def _release(self) -> None:
        with _serving_guard:
            _serving.discard(self._store.home)


def _usable_cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
