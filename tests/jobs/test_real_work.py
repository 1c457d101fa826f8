"""The real runner on a real clip: what the scripted runner cannot show."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from detector.cases import CaseStore
from detector.evidence import examine, ingest
from detector.jobs import JobRequest, JobService
from detector.registry import ModelCard
from detector.settings import AnalysisSettings
from tests.jobs.conftest import ended, wait_for
from tests.jobs.workers import worker_processes
from tests.pages.seed import write_clip, write_model

SETTINGS = AnalysisSettings(frames_per_second=12.0)


@pytest.fixture(scope="module")
def card(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModelCard]:
    folder = tmp_path_factory.mktemp("weights")
    with pytest.MonkeyPatch.context() as patch:
        # Workers inherit the environment of the service.
        patch.setenv("FRAMEWITNESS_WEIGHTS", str(folder))
        yield write_model(folder)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CaseStore]:
    with CaseStore.open(tmp_path_factory.mktemp("home"), actor="tester") as opened:
        yield opened


@pytest.fixture(scope="module")
def service(store: CaseStore, card: ModelCard) -> Iterator[JobService]:
    running = JobService(store)
    running.start()
    yield running
    running.stop()


@pytest.fixture(scope="module")
def exhibit_id(store: CaseStore, tmp_path_factory: pytest.TempPathFactory) -> str:
    clip = write_clip(tmp_path_factory.mktemp("clip") / "drift.mp4", seconds=4.0)
    evidence = examine(ingest(clip, store.evidence_dir))
    return store.add_exhibit(store.create_case("Real").case_id, evidence).exhibit_id


@pytest.mark.slow
def test_an_analysis_whose_worker_is_killed_runs_again_to_the_same_record(
    store: CaseStore, service: JobService, card: ModelCard, exhibit_id: str
) -> None:
    job_id = service.submit(JobRequest(exhibit_id, (card.model_id,), SETTINGS))
    wait_for(service, job_id, lambda job: job.stage == "faces")
    (worker,) = worker_processes()
    worker.kill()
    job = wait_for(service, job_id, ended)
    assert (job.state, job.attempts, job.worker_deaths) == ("done", 2, 1), job
    analysis = store.analysis(job.record_id)
    assert analysis.settings == SETTINGS
    assert analysis.models[0].weights_sha256 == card.weights_sha256
    assert len(analysis.tracks[0].faces) > 20
    assert analysis.tracks[0].faces[0].face.landmarks.shape == (468, 3)
    assert len(store.score_table(job.record_id)) > 20
    assert store.verify(job.case_id).ok

    again = wait_for(service, service.submit(JobRequest(exhibit_id, (card.model_id,), SETTINGS)), ended)
    assert again.record_id == job.record_id
    assert len(store.analyses(exhibit_id=exhibit_id)) == 1


def test_a_running_analysis_can_be_cancelled(service: JobService, card: ModelCard, exhibit_id: str) -> None:
    settings = AnalysisSettings(frames_per_second=12.0, min_frames=7)
    job_id = service.submit(JobRequest(exhibit_id, (card.model_id,), settings))
    wait_for(service, job_id, lambda job: job.stage == "faces")
    (worker,) = worker_processes()
    service.cancel(job_id)
    assert wait_for(service, job_id, ended).state == "cancelled"
    assert worker.is_running()


def test_an_unknown_model_fails_with_its_name(service: JobService, exhibit_id: str) -> None:
    job = wait_for(service, service.submit(JobRequest(exhibit_id, ("no-such-model",))), ended)
    assert (job.state, job.error_code) == ("failed", "model_not_found")
    assert "no-such-model" in job.message


def test_weights_changed_under_a_warm_worker_are_refused(service: JobService, card: ModelCard, exhibit_id: str) -> None:
    """The card now names other weights than those in memory: they must not be used."""
    folder = Path(os.environ["FRAMEWITNESS_WEIGHTS"])
    file = folder / f"{card.model_id}.card.json"
    before = file.read_text()
    file.write_text(before.replace(card.weights_sha256, "0" * 64))
    try:
        job = wait_for(service, service.submit(JobRequest(exhibit_id, (card.model_id,))), ended)
    finally:
        file.write_text(before)
    assert (job.state, job.error_code) == ("failed", "weights_refused")


@pytest.mark.slow
def test_thresholds_changed_under_a_warm_worker_give_a_new_record(
    store: CaseStore, service: JobService, card: ModelCard, exhibit_id: str
) -> None:
    request = JobRequest(exhibit_id, (card.model_id,), AnalysisSettings(max_frames=6))
    first = wait_for(service, service.submit(request), ended)
    file = Path(os.environ["FRAMEWITNESS_WEIGHTS"]) / f"{card.model_id}.card.json"
    before = file.read_text()
    file.write_text(before.replace('"likely_manipulated_logit": 1.5', '"likely_manipulated_logit": 2.5'))
    try:
        second = wait_for(service, service.submit(request), ended)
    finally:
        file.write_text(before)
    assert (first.state, second.state) == ("done", "done"), (first, second)
    assert first.record_id != second.record_id
    assert store.differences(second.record_id) == (f"thresholds changed: {card.model_id}",)
