"""The job service: queues analyses and exports, has worker processes do them, and keeps what they make."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Generic

from detector.cases import CaseStore, Export, ExportRequest, Job, JobRequest, JobState
from detector.errors import ModelNotFoundError, StoreError
from detector.jobs.recovery import recover
from detector.jobs.supervisor import SupervisorOptions, WorkerSupervisor
from detector.jobs.work import AnalysisWork, ExportWork, J, Work
from detector.report.exchange import require_opinion, require_shown

REAL_RUNNER = "detector.jobs.runner:WarmRunner"
REAL_EXPORT_MAKER = "detector.jobs.export_maker:ExportMaker"

_RETRY_S = 2.0
_ACTIVE: tuple[JobState, ...] = ("queued", "paused", "running")

_log = logging.getLogger(__name__)
_serving: set[Path] = set()
_serving_guard = threading.Lock()


class JobService:
    """One per store. Its threads are the only ones that start, watch and end workers; every method may be called from
    any thread.

    `workers` analyses run at once, each in a process of its own with `threads` threads (by default the machine's
    cores shared among them), and beside them one export at a time with one thread (`exports`), so that neither sort
    waits for the other. `runner_path` (MODULE:CLASS) names what runs inside a worker, `export_maker_path` inside that
    for exports; `grace_s` is how long a worker may take to obey a cancellation before it is killed.
    """

    def __init__(
        self,
        store: CaseStore,
        *,
        workers: int = 1,
        threads: int | None = None,
        runner_path: str = REAL_RUNNER,
        export_maker_path: str = REAL_EXPORT_MAKER,
        grace_s: float = 5.0,
    ) -> None:
        self._store = store
        options = SupervisorOptions(runner_path, threads or max(1, _usable_cores() // workers), grace_s)
        names = [f"worker-{number}" for number in range(1, workers + 1)]
        self._analyses = _Queue(store, AnalysisWork(store), options, names)
        of_exports = SupervisorOptions(export_maker_path, 1, grace_s)
        self.exports = ExportService(store, _Queue(store, ExportWork(store), of_exports, ["export-worker"]))
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
        self._analyses.start()
        self.exports.queue.start()

    def stop(self) -> None:
        """End all workers; running jobs go back to the queue for the next start. Safe to call twice."""
        if not self._started:
            return
        self._started = False
        self.exports.queue.stop()
        self._analyses.stop()
        self._release()

    def submit(self, request: JobRequest, *, author: str = "") -> str:
        """Queue an analysis that `author` asked for and return its job's id. Raises StoreError for an unknown exhibit,
        ModelNotFoundError where no model is asked for."""
        if not request.model_ids:
            raise ModelNotFoundError("An analysis needs at least one model; none was chosen.")
        job = self._store.jobs.add(request, author=author)
        self._analyses.wake()
        return job.job_id

    def again(self, job_id: str, *, author: str = "") -> str:
        """Queue the analysis of a job that has ended once more, as `submit` does. Raises StoreError for an unknown
        job."""
        job = self._store.jobs.get(job_id)
        return self.submit(JobRequest(job.exhibit_id, job.model_ids, job.settings), author=author)

    def pause(self, job_ids: Sequence[str], *, author: str = "") -> None:
        """Hold back those of the jobs that wait, also over a restart, until `resume`. Raises StoreError for an unknown
        job."""
        with self._analyses.changing():
            self._store.jobs.pause(job_ids, author=author)

    def resume(self, job_ids: Sequence[str], *, author: str = "") -> None:
        """Have those of the jobs that are paused run in their turn. Raises StoreError for an unknown job."""
        with self._analyses.changing():
            self._store.jobs.resume(job_ids, author=author)

    def cancel(self, job_id: str) -> None:
        """Ask for the end of a waiting or running job; one that has ended stays as it is. Raises StoreError for an
        unknown job."""
        self._analyses.cancel(job_id)

    def job(self, job_id: str) -> Job:
        """The job with its live progress. Raises StoreError for an unknown job."""
        return self._analyses.live(self._store.jobs.get(job_id))

    def jobs(self, active_only: bool = False) -> list[Job]:
        """In the order they were requested."""
        return [self._analyses.live(job) for job in self._store.jobs.find(_ACTIVE if active_only else ())]

    def recent(self, limit: int) -> list[Job]:
        """Those that were requested last, the newest first."""
        return [self._analyses.live(job) for job in self._store.jobs.recent(limit)]

    def _release(self) -> None:
        with _serving_guard:
            _serving.discard(self._store.home)


class ExportService:
    """Exports: asked for, made by a worker, and kept with the store until somebody removes them."""

    def __init__(self, store: CaseStore, queue: _Queue[Export]) -> None:
        self._store = store
        self.queue = queue

    def ask(self, request: ExportRequest, *, author: str = "") -> str:
        """Queue an export that `author` asked for and return its id. Raises StoreError where it would show scores that
        wait for a blind opinion of theirs, for an unknown case or analysis and where no room is left; SettingsError for
        a form that is not offered."""
        require_shown(self._store, request, author)
        export = self._store.exports.add(request, author=author)
        self.queue.wake()
        return export.job_id

    def retry(self, job_id: str) -> None:
        """Queue one anew that failed or was cancelled. Raises as `ask`."""
        export = self._store.exports.get(job_id)
        require_shown(self._store, export.request, export.author)
        self._store.exports.retry(job_id)
        self.queue.wake()

    def cancel(self, job_id: str) -> None:
        """Ask for the end of one that waits or is being made; one that has ended stays as it is."""
        self.queue.cancel(job_id)

    def get(self, job_id: str) -> Export:
        """The export with its live progress. Raises StoreError for an unknown one."""
        return self.queue.live(self._store.exports.get(job_id))

    def find(self, case_id: str | None, exhibit_id: str | None = None) -> list[Export]:
        """Those of a case, of one exhibit, or of one exhibit of a case, newest first, with their live progress."""
        found = self._store.exports.find(case_id=case_id, exhibit_id=exhibit_id)
        return [self.queue.live(export) for export in reversed(found)]

    def download(self, job_id: str, *, author: str = "") -> Path:
        """The kept file, for `author`, whose copy is logged and who is shown the scores in it. Raises StoreError where
        scores in it wait for a blind opinion of theirs, and as `ExportTable.download`."""
        export = self._store.exports.get(job_id)
        for exhibit_id in export.shows:
            require_opinion(self._store, exhibit_id, author)
        path = self._store.exports.download(job_id, author=author)
        for exhibit_id in export.shows:
            self._store.statements.record_view(
                export.request.case_id, exhibit_id=exhibit_id, scores=True, author=author
            )
        return path


class _Queue(Generic[J]):
    """The jobs of one sort, in the order in which they were asked for, and the workers that do them."""

    def __init__(self, store: CaseStore, work: Work[J], options: SupervisorOptions, names: list[str]) -> None:
        self._store = store
        self._work: Work[J] = work
        self._supervisors: list[WorkerSupervisor[J]] = [
            WorkerSupervisor(name, store, work, options, self._claim) for name in names
        ]
        self._changed = threading.Condition()
        self._stopping = False

    def start(self) -> None:
        for supervisor in self._supervisors:
            supervisor.start()

    def stop(self) -> None:
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        for supervisor in self._supervisors:
            supervisor.stop()

    def wake(self) -> None:
        """Something waits."""
        with self.changing():
            pass

    @contextmanager
    def changing(self) -> Iterator[None]:
        """While jobs are made to wait, or not to: none is claimed, and afterwards supervisors look again."""
        with self._changed:
            yield
            self._changed.notify_all()

    def cancel(self, job_id: str) -> None:
        with self._changed:
            # Under the same lock as claiming, so that a job cannot slip from the queue to a supervisor unseen.
            job = self._work.get(job_id)
            if job.state in ("queued", "paused"):
                self._work.cancel(job)
            else:
                for supervisor in self._supervisors:
                    supervisor.cancel(job_id)

    def live(self, job: J) -> J:
        """The job with its progress, where it runs."""
        if job.state != "running":
            return job
        return next(
            (live for supervisor in self._supervisors if (live := supervisor.job) and live.job_id == job.job_id), job
        )

    def _claim(self, supervisor: WorkerSupervisor[J]) -> J | None:
        """Wait for a job and claim it for `supervisor`; None when the service stops."""
        with self._changed:
            while not (self._stopping or self._store.closed):
                try:
                    job = self._work.claim()
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


def _usable_cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
