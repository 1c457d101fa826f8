from __future__ import annotations

import errno
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from detector.cases import CaseStore
from detector.errors import ModelNotFoundError, StoreError
from detector.jobs import JobRequest, JobService, spool
from tests.cases.records import make_analysis, make_evidence
from tests.jobs.conftest import SCRIPTED, ended, moving, wait_for
from tests.jobs.runners import open_gate
from tests.jobs.workers import worker_processes

Ask = Callable[[str], JobRequest]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CaseStore]:
    with CaseStore.open(tmp_path_factory.mktemp("home"), actor="tester") as opened:
        yield opened


@pytest.fixture(scope="module")
def service(store: CaseStore) -> Iterator[JobService]:
    """One for all tests here: jobs must not depend on what ran before them in the same worker."""
    running = JobService(store, runner_path=SCRIPTED, grace_s=0.5, threads=3)
    running.start()
    yield running
    running.stop()


@pytest.fixture(autouse=True)
def nothing_goes_on(service: JobService) -> Iterator[None]:
    """What a test that failed left running or queued keeps no other waiting."""
    yield
    for job in service.jobs(active_only=True):
        service.cancel(job.job_id)


def test_a_job_ends_as_a_saved_analysis(store: CaseStore, service: JobService, ask: Ask) -> None:
    request = ask("quick")
    job = wait_for(service, service.submit(request), ended)
    assert job.state == "done"
    assert job.attempts == 1
    assert job.created_at <= job.started_at <= job.finished_at
    record = store.record(job.record_id)
    assert record.exhibit_id == request.exhibit_id
    assert len(store.analysis(job.record_id).tracks) == 2
    # The job has ended when its record is kept; what it left behind goes right after.
    wait_for(service, job.job_id, lambda _: not any(store.layout.spool.iterdir()))
    actions = [event.action for event in store.events(job.case_id)]
    asked = actions.index("analysis_requested")
    assert actions[asked : asked + 4] == [
        "analysis_requested",
        "analysis_started",
        "analysis_saved",
        "analysis_finished",
    ]
    assert store.verify(job.case_id).ok


def test_progress_is_live_but_not_written_to_the_database(store: CaseStore, service: JobService, ask: Ask) -> None:
    job_id = service.submit(ask("gate progress"))
    seen = wait_for(service, job_id, moving)
    assert (seen.stage, seen.remaining_s, seen.message) == ("faces", 1.5, "Step.")
    assert store.jobs.get(job_id).stage == ""
    later = wait_for(service, job_id, lambda job: job.fraction > seen.fraction)
    assert later.fraction < 1.0
    open_gate(store.home, "progress")
    assert wait_for(service, job_id, ended).fraction == 1.0


def test_one_worker_serves_job_after_job_in_order(store: CaseStore, service: JobService, ask: Ask) -> None:
    ids = [service.submit(ask(content)) for content in ("quick", "gate two", "gate three")]
    wait_for(service, ids[1], moving)
    assert service.job(ids[2]).state == "queued"
    assert [job.job_id for job in service.jobs(active_only=True)] == ids[1:]
    open_gate(store.home, "two")
    wait_for(service, ids[2], moving)
    workers = worker_processes()
    assert len(workers) == 1
    open_gate(store.home, "three")
    last = wait_for(service, ids[2], ended)
    jobs = [service.job(job_id) for job_id in ids]
    assert [job.state for job in jobs] == ["done"] * 3
    assert jobs[0].finished_at <= jobs[1].started_at
    assert jobs[1].finished_at <= last.started_at
    assert service.jobs()[-3:] == jobs
    assert service.jobs(active_only=True) == []


def test_two_workers_run_two_jobs_at_once(tmp_path: Path) -> None:
    with CaseStore.open(tmp_path) as own:
        case = own.create_case("two")
        pair = [
            own.add_exhibit(case.case_id, make_evidence(own.evidence_dir, content)).exhibit_id
            for content in (b"gate first", b"gate second")
        ]
        service = JobService(own, workers=2, runner_path=SCRIPTED, threads=1)
        service.start()
        try:
            first, second = (service.submit(JobRequest(exhibit_id, ("frame-a",))) for exhibit_id in pair)
            wait_for(service, first, moving)
            wait_for(service, second, moving)
            assert service.job(first).state == "running"
            service.cancel(first)
            assert wait_for(service, first, ended).state == "cancelled"
            assert service.job(second).state == "running"
        finally:
            service.stop()


def test_a_queued_job_is_cancelled_at_once(service: JobService, ask: Ask) -> None:
    running, queued = service.submit(ask("gate never")), service.submit(ask("quick"))
    wait_for(service, running, moving)
    service.cancel(queued)
    assert service.job(queued).state == "cancelled"
    assert service.job(queued).attempts == 0
    service.cancel(running)
    assert wait_for(service, running, ended).state == "cancelled"


def test_a_paused_job_is_passed_over_and_ends_once_it_is_resumed(
    store: CaseStore, service: JobService, ask: Ask
) -> None:
    running, waiting, unwanted = (
        service.submit(ask("gate pause")),
        service.submit(ask("quick")),
        service.submit(ask("quick")),
    )
    wait_for(service, running, moving)
    service.pause([running, waiting, unwanted])
    later = service.submit(ask("quick"))
    open_gate(store.home, "pause")
    assert wait_for(service, later, ended).state == "done"
    assert service.job(running).state == "done"
    assert [job.job_id for job in service.jobs(active_only=True)] == [waiting, unwanted]
    service.cancel(unwanted)
    assert service.job(unwanted).state == "cancelled"
    service.resume([waiting])
    repeated = service.again(unwanted)
    assert wait_for(service, repeated, ended).state == "done"
    assert service.job(waiting).state == "done"
    assert service.job(repeated).exhibit_id == service.job(unwanted).exhibit_id


def test_a_running_job_obeys_a_cancellation_and_its_worker_lives_on(
    store: CaseStore, service: JobService, ask: Ask
) -> None:
    job_id = service.submit(ask("gate never"))
    wait_for(service, job_id, moving)
    pid = worker_processes()[0].pid
    service.cancel(job_id)
    job = wait_for(service, job_id, ended)
    assert (job.state, job.record_id, job.error_code) == ("cancelled", None, "cancelled")
    assert store.analyses(case_id=job.case_id) == []
    assert wait_for(service, service.submit(ask("quick")), ended).state == "done"
    assert [child.pid for child in worker_processes()] == [pid]


def test_a_worker_that_ignores_a_cancellation_is_killed_and_replaced(service: JobService, ask: Ask) -> None:
    job_id = service.submit(ask("deaf"))
    wait_for(service, job_id, lambda job: job.stage.startswith("served"))
    pid = worker_processes()[0].pid
    service.cancel(job_id)
    assert wait_for(service, job_id, ended).state == "cancelled"
    assert not psutil.pid_exists(pid)
    assert wait_for(service, service.submit(ask("quick")), ended).state == "done"


def test_cancelling_what_has_ended_changes_nothing(service: JobService, ask: Ask) -> None:
    job = wait_for(service, service.submit(ask("quick")), ended)
    service.cancel(job.job_id)
    assert service.job(job.job_id) == job
    with pytest.raises(StoreError, match="j000000000"):
        service.cancel("j000000000")


def test_evidence_that_cannot_be_examined_fails_with_its_own_words(service: JobService, ask: Ask) -> None:
    job = wait_for(service, service.submit(ask("truncated")), ended)
    assert (job.state, job.error_code) == ("failed", "evidence_truncated")
    assert job.message == "Expected a whole file, found half of one. Copy it again."
    assert job.attempts == 1


def test_a_fault_is_told_plainly_and_its_traceback_is_logged(store: CaseStore, service: JobService, ask: Ask) -> None:
    job = wait_for(service, service.submit(ask("fault")), ended)
    assert (job.state, job.error_code) == ("failed", "internal_error")
    assert "KeyError" in job.message
    assert "secret detail" not in job.message
    log = store.layout.logs / f"job-{job.job_id}.log"
    assert str(log) in job.message
    assert "secret detail" in log.read_text()


def test_running_out_of_memory_is_said(service: JobService, ask: Ask) -> None:
    job = wait_for(service, service.submit(ask("memory")), ended)
    assert job.error_code == "out_of_memory"
    assert "fewer frames" in job.message


def test_what_a_library_prints_does_not_disturb(store: CaseStore, service: JobService, ask: Ask) -> None:
    assert wait_for(service, service.submit(ask("print")), ended).state == "done"
    assert "a stray line" in (store.layout.logs / "worker-1.log").read_text()


def test_a_job_needs_an_exhibit_and_a_model(service: JobService, ask: Ask) -> None:
    before = service.jobs()
    with pytest.raises(StoreError, match="x000000000"):
        service.submit(JobRequest("x000000000", ("frame-a",)))
    with pytest.raises(ModelNotFoundError):
        service.submit(JobRequest(ask("quick").exhibit_id, ()))
    assert service.jobs() == before


def test_a_store_is_served_once_and_again_after_stopping(tmp_path: Path) -> None:
    with CaseStore.open(tmp_path) as own:
        first, other = JobService(own, runner_path=SCRIPTED), JobService(own, runner_path=SCRIPTED)
        first.start()
        with pytest.raises(StoreError, match="already being served"):
            other.start()
        first.stop()
        first.stop()
        other.start()
        other.stop()


def test_sessions_that_submit_at_once_each_get_their_own_result(
    store: CaseStore, service: JobService, ask: Ask
) -> None:
    requests = [ask(f"quick {number}") for number in range(8)]
    ids: dict[str, str] = {}

    def session(request: JobRequest) -> None:
        ids[request.exhibit_id] = service.submit(request)

    threads = [threading.Thread(target=session, args=(request,)) for request in requests]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for request in requests:
        job = wait_for(service, ids[request.exhibit_id], ended)
        assert store.record(job.record_id).exhibit_id == request.exhibit_id
        sha256 = store.exhibit(request.exhibit_id).sha256
        assert store.analysis(job.record_id).evidence.file.sha256 == sha256


def test_a_worker_is_bounded_and_yields_to_the_pages(service: JobService, ask: Ask) -> None:
    wait_for(service, service.submit(ask("quick")), ended)
    (worker,) = worker_processes()
    assert worker.environ()["OMP_NUM_THREADS"] == "3"
    assert worker.nice() > os.nice(0) or os.nice(0) >= 15


def test_a_file_swapped_for_another_is_not_analysed_and_that_is_on_record(
    store: CaseStore, service: JobService, ask: Ask
) -> None:
    request = ask("quick swapped")
    file = store.exhibit(request.exhibit_id).evidence.file
    file.path.write_bytes(b"quick Swapped")
    job = wait_for(service, service.submit(request), ended)
    assert (job.state, job.error_code) == ("failed", "evidence_altered")
    assert file.sha256 in job.message
    assert store.analyses(exhibit_id=request.exhibit_id) == []
    file.path.write_bytes(b"quick swapped")
    assert "was not the evidence" in store.verify(job.case_id).problem


def test_a_file_that_changes_under_an_analysis_leaves_no_record(
    store: CaseStore, service: JobService, ask: Ask
) -> None:
    request = ask("alters")
    job = wait_for(service, service.submit(request), ended)
    assert (job.state, job.error_code) == ("failed", "evidence_altered")
    assert store.analyses(exhibit_id=request.exhibit_id) == []
    (finding,) = store.findings(job.case_id)
    assert finding.exhibit_id == request.exhibit_id
    assert wait_for(service, service.submit(ask("quick after alters")), ended).state == "done"


def test_a_fault_ends_the_job_once_where_no_log_can_be_written(store: CaseStore, service: JobService, ask: Ask) -> None:
    wait_for(service, service.submit(ask("quick before")), ended)
    logs = store.layout.logs.rename(store.home / "away")
    store.layout.logs.touch()
    job = wait_for(service, service.submit(ask("fault again")), ended)
    store.layout.logs.unlink()
    logs.rename(store.layout.logs)
    assert (job.error_code, job.attempts) == ("internal_error", 1)


def test_a_result_without_room_leaves_nothing_in_the_spool(
    store: CaseStore, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(spool, "save_landmarks", full)
    analysis = make_analysis(store.exhibit(ask("quick").exhibit_id).evidence)
    with pytest.raises(StoreError, match=r"No space left.*Make room"):
        spool.write_result(store.layout.spool, "j000000001", analysis)
    assert list(store.layout.spool.iterdir()) == []


def test_a_job_whose_result_cannot_be_saved_says_why(
    store: CaseStore, service: JobService, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(store, "save_analysis", full)
    job = wait_for(service, service.submit(ask("quick full")), ended)
    assert (job.state, job.error_code) == ("failed", "store_error")
    assert "No space left" in job.message
