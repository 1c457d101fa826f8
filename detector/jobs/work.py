"""The sorts of work that workers do, as supervisors see them: what is sent to a worker, and what becomes of it."""

from __future__ import annotations

from contextlib import suppress
from typing import Protocol, TypeVar

from detector.cases import CaseStore, Export, Job
from detector.errors import EvidenceAlteredError, StoreError
from detector.jobs import spool
from detector.jobs.protocol import ExportTask, Task
from detector.report.exchange import require_opinion

J = TypeVar("J", Job, Export)


class Work(Protocol[J]):
    """One sort of work. `advice` says what to do where it cost two workers, `name` what one is called."""

    name: str
    advice: str

    def claim(self) -> J | None:
        """Take the oldest job that waits; None where none does."""

    def running_or_queued(self) -> list[J]:
        """The jobs that have not ended, in the order in which they were asked for."""

    def get(self, job_id: str) -> J:
        """The job as the store knows it. Raises StoreError for an unknown one."""

    def task(self, job: J) -> Task | ExportTask:
        """What a worker has to know of it. Raises StoreError where that cannot be had."""

    def import_result(self, job: J) -> bool:
        """Keep what a worker finished and mark the job done; False where it finished nothing. Raises StoreError where
        it cannot be read or kept."""

    def requeue(self, job: J, reason: str, *, worker_died: bool) -> None:
        """Put an interrupted job back."""

    def cancel(self, job: J) -> None:
        """Mark a job as cancelled."""

    def fail(self, job: J, code: str, message: str, *, found_sha256: str = "") -> None:
        """Mark a job as failed. `found_sha256` is what evidence that was found altered holds now."""


class AnalysisWork:
    """Analyses of exhibits: their table is `store.jobs`, their results become records."""

    name = "analysis"
    advice = "Examine fewer frames per second, or free some memory; the exhibit is kept."

    def __init__(self, store: CaseStore) -> None:
        self._store = store

    def claim(self) -> Job | None:
        """As in `Work`."""
        return self._store.jobs.claim()

    def running_or_queued(self) -> list[Job]:
        """As in `Work`."""
        return self._store.jobs.find(("running", "queued"))

    def get(self, job_id: str) -> Job:
        """As in `Work`."""
        return self._store.jobs.get(job_id)

    def task(self, job: Job) -> Task:
        """As in `Work`."""
        file = self._store.exhibit(job.exhibit_id).evidence.file
        return Task(job.job_id, file, job.model_ids, job.settings)

    def import_result(self, job: Job) -> bool:
        """As in `Work`."""
        folder = self._store.layout.spool
        if not spool.has_result(folder, job.job_id):
            return False
        stored_path = self._store.exhibit(job.exhibit_id).evidence.file.path
        result = spool.read_result(folder, job.job_id, stored_path)
        # A worker spools only what it made of a file that was right before and after.
        record = self._store.save_analysis(job.exhibit_id, result, evidence_checked=True)
        self._store.jobs.finish(job.job_id, record.record_id)
        spool.discard(folder, job.job_id)
        with suppress(StoreError):  # whether it was seen before can be asked later as well
            self._store.similarity.fingerprint(job.exhibit_id)
        return True

    def requeue(self, job: Job, reason: str, *, worker_died: bool) -> None:
        """As in `Work`."""
        self._store.jobs.requeue(job.job_id, reason, worker_died=worker_died)

    def cancel(self, job: Job) -> None:
        """As in `Work`."""
        self._store.jobs.cancel(job.job_id)

    def fail(self, job: Job, code: str, message: str, *, found_sha256: str = "") -> None:
        """As in `Work`."""
        if code == EvidenceAlteredError.code and found_sha256:
            self._store.intake.report_altered(self._store.exhibit(job.exhibit_id).sha256, found_sha256)
        self._store.jobs.fail(job.job_id, code, message)


class ExportWork:
    """Files to take away: their table is `store.exports`. A worker makes them from a copy of the case."""

    name = "export"
    advice = "Free some memory, or ask for less; the record is as it was."

    def __init__(self, store: CaseStore) -> None:
        self._store = store

    def claim(self) -> Export | None:
        """As in `Work`."""
        return self._store.exports.claim()

    def running_or_queued(self) -> list[Export]:
        """As in `Work`."""
        return self._store.exports.find(("running", "queued"))

    def get(self, job_id: str) -> Export:
        """As in `Work`."""
        return self._store.exports.get(job_id)

    def task(self, job: Export) -> ExportTask:
        """As in `Work`."""
        copy = spool.copy_folder(self._store.layout.spool, job.job_id)
        self._store.copy_case(job.request.case_id, copy)
        return ExportTask(job.job_id, job.request, job.file_name, job.author, self._store.home, copy)

    def import_result(self, job: Export) -> bool:
        """As in `Work`."""
        folder = self._store.layout.spool
        made = spool.read_made(folder, job.job_id)
        if made is None:
            return False
        for exhibit_id in made.shows:  # the case may have become blind-first while it was made
            require_opinion(self._store, exhibit_id, job.author)
        self._store.exports.finish(job.job_id, folder / job.job_id / job.file_name, made)
        spool.discard(folder, job.job_id)
        return True

    def requeue(self, job: Export, reason: str, *, worker_died: bool) -> None:
        """As in `Work`."""
        self._store.exports.requeue(job.job_id, reason, worker_died=worker_died)

    def cancel(self, job: Export) -> None:
        """As in `Work`."""
        self._store.exports.cancel(job.job_id)

    def fail(self, job: Export, code: str, message: str, *, found_sha256: str = "") -> None:
        """As in `Work`."""
        self._store.exports.fail(job.job_id, code, message)
