from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from detector.cases import CaseStore, Job
from detector.jobs import JobRequest, JobService
from tests.cases.records import make_evidence

SCRIPTED = "tests.jobs.runners:Scripted"
SCRIPTED_MAKER = "tests.jobs.runners:ScriptedMaker"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[CaseStore]:
    with CaseStore.open(tmp_path / "home", actor="tester") as opened:
        yield opened


@pytest.fixture
def service(store: CaseStore) -> Iterator[JobService]:
    running = JobService(store, runner_path=SCRIPTED, grace_s=0.5, threads=1)
    running.start()
    yield running
    running.stop()


@pytest.fixture
def ask(store: CaseStore) -> Callable[[str], JobRequest]:
    """A request for the analysis of a file with this content."""

    def make(content: str) -> JobRequest:
        case = store.create_case(content)
        exhibit = store.add_exhibit(case.case_id, make_evidence(store.evidence_dir, content.encode()))
        return JobRequest(exhibit.exhibit_id, ("frame-a",))

    return make


def wait_for(service: JobService, job_id: str, ready: Callable[[Job], bool], *, within_s: float = 90.0) -> Job:
    deadline_s = time.monotonic() + within_s
    while True:
        job = service.job(job_id)
        if ready(job):
            return job
        assert time.monotonic() < deadline_s, f"still {job}"
        time.sleep(0.02)


def ended(job: Job) -> bool:
    return not job.active


def moving(job: Job) -> bool:
    return job.state == "running" and job.stage == "faces" and 0.0 < job.fraction < 1.0
