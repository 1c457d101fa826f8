"""Recovery before a service starts: settle what the last one left behind."""

from __future__ import annotations

from detector.cases import CaseStore
from detector.errors import StoreError
from detector.jobs import spool
from detector.jobs.work import AnalysisWork, ExportWork, J, Work

# A file that takes the whole program down each time must not do so for ever.
MOST_STARTS = 5


def recover(store: CaseStore) -> None:
    """Keep what was finished but not saved; queue again what was running; clear away the rest."""
    _settle(AnalysisWork(store))
    _settle(ExportWork(store))
    for job_id in spool.job_ids(store.layout.spool):
        spool.discard(store.layout.spool, job_id)
    store.exports.clear_unfinished()


def _settle(work: Work[J]) -> None:
    for job in work.running_or_queued():
        try:
            finished = work.import_result(job)
        except StoreError:
            # A half-useful result is none: the work is done again.
            finished = False
        if finished or job.state == "queued":
            continue
        if job.attempts >= MOST_STARTS:
            reason = f"The program ended {job.attempts} times while this {work.name} was running. {work.advice}"
            work.fail(job, "interrupted", reason)
        else:
            work.requeue(job, "The program ended while it was running.", worker_died=False)
