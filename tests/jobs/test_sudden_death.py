from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from detector.cases import CaseStore
from detector.jobs import JobRequest, JobService, spool
from detector.jobs.recovery import MOST_STARTS, recover
from tests.cases.records import make_analysis
from tests.jobs.conftest import SCRIPTED, ended, moving, wait_for
from tests.jobs.runners import open_gate
from tests.jobs.workers import worker_processes

Ask = Callable[[str], JobRequest]

needs_sigkill = pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL on this system")


def kill_worker() -> int:
    (worker,) = worker_processes()
    worker.kill()
    return worker.pid


@needs_sigkill
def test_a_job_whose_worker_is_killed_starts_again_and_ends_well(
    store: CaseStore, service: JobService, ask: Ask
) -> None:
    job_id = service.submit(ask("gate killed"))
    wait_for(service, job_id, moving)
    first = kill_worker()
    again = wait_for(service, job_id, lambda job: job.attempts == 2 and moving(job))
    assert again.worker_deaths == 1
    assert worker_processes()[0].pid != first
    open_gate(store.home, "killed")
    done = wait_for(service, job_id, ended)
    assert done.state == "done"
    assert len(store.analyses()) == 1
    interrupted = [event for event in store.events(done.case_id) if event.action == "analysis_interrupted"]
    assert "SIGKILL" in interrupted[0].details["reason"]


@needs_sigkill
def test_a_job_that_costs_two_workers_fails_with_the_reason_and_the_next_one_runs(
    service: JobService, ask: Ask
) -> None:
    poison, healthy = service.submit(ask("gate never")), service.submit(ask("quick"))
    wait_for(service, poison, moving)
    kill_worker()
    wait_for(service, poison, lambda job: job.attempts == 2 and moving(job))
    kill_worker()
    job = wait_for(service, poison, ended)
    assert (job.state, job.error_code, job.attempts) == ("failed", "worker_died", 2)
    assert "second time" in job.message
    assert "SIGKILL" in job.message
    assert wait_for(service, healthy, ended).state == "done"


@needs_sigkill
def test_a_worker_that_dies_between_jobs_is_not_held_against_the_next(service: JobService, ask: Ask) -> None:
    wait_for(service, service.submit(ask("quick")), ended)
    worker = psutil.Process(worker_processes()[0].pid)
    worker.kill()
    worker.wait()
    job = wait_for(service, service.submit(ask("quick again")), ended)
    assert (job.state, job.worker_deaths) == ("done", 0)


def test_a_worker_that_cannot_start_fails_its_jobs_and_does_not_spin(store: CaseStore, ask: Ask) -> None:
    service = JobService(store, runner_path="tests.jobs.runners:Unmakeable", threads=1)
    service.start()
    try:
        job = wait_for(service, service.submit(ask("quick")), ended)
    finally:
        service.stop()
    assert (job.state, job.attempts) == ("failed", 2)
    assert "status 3" in job.message


@needs_sigkill
def test_after_the_server_is_killed_nothing_finished_is_lost_and_the_rest_runs_again(tmp_path: Path) -> None:
    home = tmp_path / "home"
    server = subprocess.Popen(
        [sys.executable, "-m", "tests.jobs.server", str(home), "quick", "gate night", "quick too"],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    worker_pid = None
    for line in server.stdout:
        state, _, pid = line.split()
        if state == "running":
            worker_pid = int(pid)
            break
    worker = psutil.Process(worker_pid)
    server.kill()
    server.wait()
    # The worker must not go on alone. Reaped or left as a zombie: either way it no longer runs.
    gone, _ = psutil.wait_procs([worker], timeout=10)
    assert gone or worker.status() == psutil.STATUS_ZOMBIE

    with CaseStore.open(home) as store:
        (case,) = (summary.case for summary in store.cases())
        assert store.verify(case.case_id).ok
        (finished,) = store.analyses()
        assert len(store.analysis(finished.record_id).tracks) == 2
        done, interrupted, waiting = store.jobs.find()
        assert (done.state, interrupted.state, waiting.state) == ("done", "running", "queued")
        open_gate(home, "night")
        service = JobService(store, runner_path=SCRIPTED, threads=1)
        service.start()
        try:
            first = wait_for(service, interrupted.job_id, ended)
            second = wait_for(service, waiting.job_id, ended)
        finally:
            service.stop()
        assert first.attempts == 2
        assert first.finished_at <= second.started_at
        assert second.state == "done"
        assert store.record(finished.record_id) == finished


def test_a_result_finished_but_not_saved_is_imported_at_the_next_start(store: CaseStore, ask: Ask) -> None:
    request = ask("quick")
    store.jobs.add(request)
    job = store.jobs.claim()
    exhibit = store.exhibit(request.exhibit_id)
    spool.write_result(store.layout.spool, job.job_id, make_analysis(exhibit.evidence))
    (store.layout.spool / ".j0abandoned-77").mkdir()
    recover(store)
    done = store.jobs.get(job.job_id)
    assert (done.state, done.attempts) == ("done", 1)
    assert store.analysis(done.record_id).tracks[0].faces[0].face.landmarks.shape == (468, 3)
    assert list(store.layout.spool.iterdir()) == []


def test_a_result_cut_short_is_no_result(store: CaseStore, ask: Ask) -> None:
    request = ask("quick")
    store.jobs.add(request)
    job = store.jobs.claim()
    folder = store.layout.spool / job.job_id
    spool.write_result(store.layout.spool, job.job_id, make_analysis(store.exhibit(request.exhibit_id).evidence))
    whole = (folder / "analysis.json").read_text()
    (folder / "analysis.json").write_text(whole[: len(whole) // 2])
    recover(store)
    assert store.jobs.get(job.job_id).state == "queued"
    assert store.analyses() == []
    assert not folder.exists()


def test_what_was_paused_is_still_paused_after_a_restart(store: CaseStore, ask: Ask) -> None:
    job_id = store.jobs.add(ask("quick")).job_id
    store.jobs.pause([job_id])
    recover(store)
    assert store.jobs.get(job_id).state == "paused"
    assert store.jobs.claim() is None


def test_a_job_that_keeps_taking_the_program_down_is_given_up(store: CaseStore, ask: Ask) -> None:
    job_id = store.jobs.add(ask("quick")).job_id
    for start in range(1, MOST_STARTS + 1):
        assert store.jobs.claim().attempts == start
        recover(store)
    job = store.jobs.get(job_id)
    assert (job.state, job.error_code) == ("failed", "interrupted")


def test_stopping_the_service_puts_the_running_job_back(store: CaseStore, ask: Ask) -> None:
    service = JobService(store, runner_path=SCRIPTED, threads=1)
    service.start()
    job_id = service.submit(ask("gate never"))
    wait_for(service, job_id, moving)
    (worker,) = worker_processes()
    service.stop()
    assert not worker.is_running()
    job = store.jobs.get(job_id)
    assert (job.state, job.worker_deaths) == ("queued", 0)
