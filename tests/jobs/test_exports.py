"""Exports: made by a worker from a copy of the case, kept once, and told of in the log."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from detector.cases import CaseStore, Export, ExportRequest, JobRequest, restore
from detector.cases import export_table as table
from detector.errors import SettingsError, StoreError
from detector.jobs import JobService, spool
from detector.jobs.recovery import recover
from detector.jobs.work import ExportWork
from tests.cases.records import make_analysis, make_evidence
from tests.jobs.conftest import SCRIPTED, SCRIPTED_MAKER, ended, moving
from tests.jobs.conftest import wait_for as wait_for_job
from tests.jobs.runners import ScriptedMaker, open_gate
from tests.jobs.workers import worker_processes

Ask = Callable[[str], ExportRequest]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CaseStore]:
    with CaseStore.open(tmp_path_factory.mktemp("home"), actor="tester") as opened:
        yield opened


@pytest.fixture(scope="module")
def service(store: CaseStore) -> Iterator[JobService]:
    running = JobService(store, runner_path=SCRIPTED, export_maker_path=SCRIPTED_MAKER, grace_s=0.5, threads=1)
    running.start()
    yield running
    running.stop()


@pytest.fixture
def own(tmp_path: Path) -> Iterator[CaseStore]:
    """A store that nobody serves: the test plays the service."""
    with CaseStore.open(tmp_path / "own", actor="tester") as opened:
        yield opened


def asking(store: CaseStore, title: str) -> ExportRequest:
    """A request for a table of a case with that title, and one analysed exhibit."""
    case = store.create_case(title)
    exhibit = store.add_exhibit(case.case_id, make_evidence(store.evidence_dir, f"{title} {case.case_id}".encode()))
    store.save_analysis(exhibit.exhibit_id, make_analysis(exhibit.evidence))
    return ExportRequest(case.case_id, "csv")


def emptied(folder: Path) -> bool:
    """Whether the folder is empty, soon: what an export leaves is cleared away after it is marked as done."""
    deadline_s = time.monotonic() + 30
    while any(folder.iterdir()) and time.monotonic() < deadline_s:
        time.sleep(0.02)
    return not any(folder.iterdir())


def wait_for(service: JobService, job_id: str, ready: Callable[[Export], bool]) -> Export:
    deadline_s = time.monotonic() + 90
    while not ready(export := service.exports.get(job_id)):
        assert time.monotonic() < deadline_s, f"still {export}"
        time.sleep(0.02)
    return export


def is_over(export: Export) -> bool:
    return not export.active


def is_moving(export: Export) -> bool:
    return export.state == "running" and 0.0 < export.fraction < 1.0


def kill_export_worker() -> None:
    (worker,) = [one for one in worker_processes() if SCRIPTED_MAKER in one.cmdline()]
    worker.kill()


def exports_logged(store: CaseStore, export: Export) -> list[str]:
    return [e.action for e in store.events(export.request.case_id) if e.details.get("export_id") == export.job_id]


def make(store: CaseStore, export: Export) -> None:
    """Play the worker: what it made lies in the spool."""
    task = ExportWork(store).task(export)
    with spool.whole_folder(store.layout.spool, export.job_id) as folder:
        ScriptedMaker()(task, folder, lambda _: None, lambda: False)


def test_an_export_is_kept_with_its_hash_and_logged_once_under_the_name_of_who_asked(
    store: CaseStore, service: JobService, tmp_path: Path
) -> None:
    request = asking(store, "quick")
    export = wait_for(service, service.exports.ask(request, author="Ada"), is_over)
    assert (export.state, export.author, export.message, export.attempts) == ("done", "Ada", "All of it.", 1)
    path = store.exports.path(export)
    assert path.read_text() == f"made of {request.case_id}"
    assert export.size_bytes == path.stat().st_size
    (event,) = [e for e in store.events(request.case_id) if e.action == "case_exported"]
    assert (event.actor, event.details["sha256"], event.details["export_id"]) == ("Ada", export.sha256, export.job_id)
    assert emptied(store.layout.spool)
    assert store.verify(request.case_id).ok
    assert service.exports.find(request.case_id) == [export]
    restore(store.back_up(tmp_path / "backup"), tmp_path / "restored")
    with CaseStore.open(tmp_path / "restored") as other:
        assert other.exports.path(export).read_bytes() == path.read_bytes()


def test_an_export_and_an_analysis_are_done_at_the_same_time(store: CaseStore, service: JobService) -> None:
    request = asking(store, "gate beside")
    exhibit = store.add_exhibit(request.case_id, make_evidence(store.evidence_dir, b"gate beside"))
    export_id = service.exports.ask(request)
    job_id = service.submit(JobRequest(exhibit.exhibit_id, ("frame-a",)))
    wait_for(service, export_id, is_moving)
    wait_for_job(service, job_id, moving)
    assert store.exports.get(export_id).stage == ""  # progress is not written to the database
    open_gate(store.home, "beside")
    assert wait_for(service, export_id, is_over).state == "done"
    assert wait_for_job(service, job_id, ended).state == "done"


def test_an_export_that_is_cancelled_half_way_leaves_nothing_and_can_be_tried_again(
    store: CaseStore, service: JobService
) -> None:
    export_id = service.exports.ask(asking(store, "gate stopped"))
    waiting = service.exports.ask(asking(store, "quick"))
    wait_for(service, export_id, is_moving)
    service.exports.cancel(waiting)
    service.exports.cancel(export_id)
    export = wait_for(service, export_id, is_over)
    assert (export.state, store.exports.get(waiting).state) == ("cancelled", "cancelled")
    assert not store.exports.path(export).exists()
    assert exports_logged(store, export) == []
    open_gate(store.home, "stopped")
    service.exports.retry(export_id)
    assert wait_for(service, export_id, is_over).state == "done"


def test_an_export_whose_worker_is_killed_starts_again_and_is_given_up_after_the_second(
    store: CaseStore, service: JobService
) -> None:
    export_id = service.exports.ask(asking(store, "gate killed"))
    wait_for(service, export_id, is_moving)
    kill_export_worker()
    wait_for(service, export_id, lambda export: export.attempts == 2 and is_moving(export))
    kill_export_worker()
    export = wait_for(service, export_id, is_over)
    assert (export.state, export.error_code) == ("failed", "worker_died")
    assert "SIGKILL" in export.message
    assert emptied(store.layout.spool)
    open_gate(store.home, "killed")
    service.exports.retry(export_id)
    assert wait_for(service, export_id, is_over).state == "done"
    assert exports_logged(store, export) == ["case_exported"]


@pytest.mark.parametrize(
    ("title", "code", "said"),
    [("refused", "store_error", "The original was changed."), ("fault", "internal_error", "The export stopped")],
)
def test_a_failure_says_why(store: CaseStore, service: JobService, title: str, code: str, said: str) -> None:
    export = wait_for(service, service.exports.ask(asking(store, title)), is_over)
    assert (export.state, export.error_code) == ("failed", code)
    assert said in export.message
    assert "secret detail" not in export.message
    assert exports_logged(store, export) == []


def test_what_was_made_but_not_kept_when_the_program_ended_is_kept_at_the_next_start_once(own: CaseStore) -> None:
    made, moved, begun = (own.exports.add(asking(own, "quick")) for _ in range(3))
    for _ in range(3):
        own.exports.claim()
    make(own, made)
    make(own, moved)
    place = own.exports.path(moved)
    place.parent.mkdir(parents=True)
    (own.layout.spool / moved.job_id / moved.file_name).rename(place)  # and then the program was killed
    stray = own.layout.exports / "e000000000"
    stray.mkdir()
    for _ in range(2):
        recover(own)
    assert [own.exports.get(one.job_id).state for one in (made, moved, begun)] == ["done", "done", "queued"]
    for one in (made, moved):
        assert exports_logged(own, one) == ["case_exported"]
        assert own.exports.path(one).is_file()
    assert not stray.exists()
    assert emptied(own.layout.spool)


def test_a_file_that_is_not_the_one_that_was_made_is_not_kept(own: CaseStore) -> None:
    export = own.exports.add(asking(own, "quick"))
    own.exports.claim()
    make(own, export)
    (own.layout.spool / export.job_id / export.file_name).write_text("another")
    with pytest.raises(StoreError, match="not the one that was made"):
        ExportWork(own).import_result(export)
    assert exports_logged(own, export) == []


def test_scores_that_wait_for_an_opinion_are_neither_asked_for_nor_kept_nor_handed_out(
    own: CaseStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = JobService(own)
    request = asking(own, "quick")
    (record,) = own.analyses(case_id=request.case_id)
    of_record = ExportRequest(request.case_id, "json", record.record_id)
    early, late = (own.exports.add(request) for _ in range(2))
    for export in (early, late):
        own.exports.claim()
        make(own, export)
    assert ExportWork(own).import_result(early)
    own.metadata.set_blind_first(request.case_id, True)
    with pytest.raises(StoreError, match="blind first"):
        ExportWork(own).import_result(late)
    with pytest.raises(StoreError, match="blind first"):
        service.exports.download(early.job_id, author="Bea")
    for refused in (of_record, ExportRequest(request.case_id, "bundle")):
        with pytest.raises(StoreError, match="blind first"):
            service.exports.ask(refused)
    own.statements.give_opinion(record.exhibit_id, "genuine", author="Ada")
    with pytest.raises(StoreError, match="Bea has recorded no opinion"):
        service.exports.download(early.job_id, author="Bea")
    own.statements.give_opinion(record.exhibit_id, "genuine", author="Bea")
    assert service.exports.download(early.job_id, author="Bea").is_file()
    assert "Bea" in own.statements.scores_opened_by(record.exhibit_id)
    downloaded = own.events(request.case_id)[-2]
    assert (downloaded.action, downloaded.actor) == ("export_downloaded", "Bea")


def test_a_kept_file_is_removed_by_name_and_one_that_was_changed_is_not_handed_out(
    own: CaseStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    export = own.exports.add(asking(own, "quick"))
    own.exports.claim()
    make(own, export)
    ExportWork(own).import_result(export)
    with monkeypatch.context() as little:
        little.setattr(table, "ROOM_BYTES", 1)
        with pytest.raises(StoreError, match="Remove some"):
            own.exports.add(export.request)
    own.exports.path(export).write_text("changed")
    with pytest.raises(StoreError, match="was changed"):
        own.exports.download(export.job_id)
    own.exports.remove(export.job_id, author="Bea")
    assert not own.exports.path(export).parent.exists()
    newest = own.events(export.request.case_id)[-1]
    assert (newest.action, newest.actor) == ("export_removed", "Bea")
    with pytest.raises(StoreError, match="no longer kept"):
        own.exports.download(export.job_id)
    with pytest.raises(SettingsError, match="not offered"):
        own.exports.add(ExportRequest(export.request.case_id, "json"))
