from __future__ import annotations

from dataclasses import replace

import pytest

from detector.cases import CaseStore, JobRequest
from detector.errors import StoreError
from detector.settings import AnalysisSettings
from tests.cases.records import make_evidence


@pytest.fixture
def request_(store: CaseStore) -> JobRequest:
    case = store.create_case("A batch")
    exhibit = store.add_exhibit(case.case_id, make_evidence(store.evidence_dir, b"a clip"))
    return JobRequest(exhibit.exhibit_id, ("frame-a",))


def test_the_same_request_is_one_job_until_that_has_ended(store: CaseStore, request_: JobRequest) -> None:
    first = store.jobs.add(request_, author="Ada")
    assert store.jobs.add(request_, author="Bea") == first
    other = store.jobs.add(replace(request_, settings=AnalysisSettings(frames_per_second=2.0)))
    assert other.job_id != first.job_id
    assert store.jobs.claim() is not None
    assert store.jobs.add(request_).job_id == first.job_id
    store.jobs.cancel(first.job_id)
    assert store.jobs.add(request_).job_id != first.job_id
    assert store.verify(first.case_id).ok


def test_nothing_is_queued_for_an_archived_case(store: CaseStore, request_: JobRequest) -> None:
    store.metadata.archive(store.exhibit(request_.exhibit_id).case_id, "done with")
    with pytest.raises(StoreError, match="archived"):
        store.jobs.add(request_)
    assert store.jobs.find() == []


def test_a_paused_job_waits_until_it_is_resumed_and_the_log_says_who_did_both(
    store: CaseStore, request_: JobRequest
) -> None:
    first = store.jobs.add(request_)
    second = store.jobs.add(replace(request_, settings=AnalysisSettings(frames_per_second=2.0)))
    store.jobs.pause([first.job_id, second.job_id], author="Ada")
    assert store.jobs.claim() is None
    assert store.jobs.get(first.job_id).active
    assert store.verify(first.case_id).ok
    store.jobs.resume([second.job_id, first.job_id], author="Bea")
    assert [event.actor for event in store.events(first.case_id)][-4:] == ["Ada", "Ada", "Bea", "Bea"]
    running = store.jobs.claim()
    assert running is not None
    assert running.job_id == first.job_id  # its old place
    store.jobs.pause([first.job_id])
    assert store.jobs.get(first.job_id).state == "running"
    assert store.verify(first.case_id).ok
