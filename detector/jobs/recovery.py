"""Recovery before a service starts: settle what the last one left behind."""

from __future__ import annotations

from contextlib import suppress

from detector.cases import CaseStore, Job
from detector.errors import StoreError
from detector.jobs import spool

# A file that takes the whole program down each time must not do so for ever.
MOST_STARTS = 5


def recover(store: CaseStore) -> None:
    """Import results that were finished but not saved; queue again what was running; clear the spool of the rest."""
    for job in store.jobs.find(("running", "queued")):
        try:
            finished = import_result(store, job)
        except StoreError:
            # A half-useful result is none: the analysis runs again.
            finished = False
        if finished or job.state == "queued":
            continue
        if job.attempts >= MOST_STARTS:
            store.jobs.fail(
                job.job_id,
                "interrupted",
                f"The program ended {job.attempts} times while this analysis was running. Try other settings, or "
                "another machine; the exhibit is kept.",
            )
        else:
            store.jobs.requeue(job.job_id, "The program ended while it was running.", worker_died=False)
    for job_id in spool.job_ids(store.layout.spool):
        spool.discard(store.layout.spool, job_id)


def import_result(store: CaseStore, job: Job) -> bool:
    """Save the job's spooled result and mark the job done; False where there is none.

    Raises StoreError where there is one that cannot be read or saved.
    """
    folder = store.layout.spool
    if not spool.has_result(folder, job.job_id):
        return False
    stored_path = store.exhibit(job.exhibit_id).evidence.file.path
    result = spool.read_result(folder, job.job_id, stored_path)
    # A worker spools only what it made of a file that was right before and after.
    record = store.save_analysis(job.exhibit_id, result, evidence_checked=True)
    store.jobs.finish(job.job_id, record.record_id)
    spool.discard(folder, job.job_id)
    with suppress(StoreError):  # whether it was seen before can be asked later as well
        store.similarity.fingerprint(job.exhibit_id)
    return True
