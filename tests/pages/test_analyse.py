from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from streamlit.proto.PageLink_pb2 import PageLink
from streamlit.runtime.scriptrunner import get_script_run_ctx
from streamlit.testing.v1 import AppTest

from detector.cases import JobRequest
from detector.evidence import Evidence, StoredFile, examine
from detector.registry import ModelCard, weights_dir
from detector.settings import AnalysisSettings
from pages.parts.models import model_choice
from pages.parts.shared import intake, services
from pages.parts.shared.wording import LABELS
from tests.pages.conftest import EXAMINER, HandMovedJobs, html_of
from tests.pages.seed import HOSTILE_NAME, Seeded

OpenPage = Callable[..., AppTest]


def _start_path(app: AppTest, path: Path) -> AppTest:
    app.segmented_control(key="analyse_source").set_value("Path on this machine").run()
    app.text_input(key="analyse_path_0").set_value(str(path)).run()
    return app.button(key="analyse_start").click().run()


def _ways_to_results(app: AppTest) -> list[PageLink]:
    return [element.proto for element in app.get("page_link") if element.proto.label == "Open in Examine"]


def test_an_empty_store_offers_a_new_case_and_an_empty_queue(open_page: OpenPage) -> None:
    app = open_page("analyse")
    assert not app.exception
    assert app.selectbox(key="analyse_case").value == "new"
    assert app.radio(key="analyse_models").options == ["The default set"]
    assert "Nothing queued" in html_of(app)
    assert app.button(key="analyse_start").disabled


def test_a_path_becomes_an_exhibit_and_a_job_with_the_chosen_settings(
    open_page: OpenPage, jobs: HandMovedJobs, clip: Path
) -> None:
    app = open_page("analyse")
    app.text_input(key="analyse_case_title").set_value("Voice mail").run()
    app.number_input(key="analyse_fps").set_value(2.0).run()
    app = _start_path(app, clip)
    assert not app.exception
    (request,) = jobs.requests.values()
    store = services.current().store
    assert request == JobRequest(request.exhibit_id, ("tiny",), AnalysisSettings(frames_per_second=2.0))
    assert store.exhibit(request.exhibit_id).file_name == "drift.mp4"
    assert [summary.case.title for summary in store.cases()] == ["Voice mail"]
    assert "drift.mp4" in html_of(app)


def test_an_unreadable_file_is_refused_with_its_reason_and_leaves_no_case(
    open_page: OpenPage, jobs: HandMovedJobs, tmp_path: Path
) -> None:
    fake = tmp_path / "holiday.mp4"
    fake.write_text("this is a letter, not a video\n" * 50)
    app = open_page("analyse")
    app.text_input(key="analyse_case_title").set_value("Kept title").run()
    app = _start_path(app, fake)
    assert not app.exception
    assert "Not examined: holiday.mp4" in html_of(app)
    assert app.text_input(key="analyse_case_title").value == "Kept title"
    assert app.text_input(key="analyse_path_1").value == str(fake)
    assert jobs.requests == {}
    store = services.current().store
    assert store.cases() == []
    assert [path for path in store.evidence_dir.rglob("*") if path.is_file()] == []


def test_a_path_that_leads_nowhere_is_told_at_once_and_cannot_be_started(open_page: OpenPage, tmp_path: Path) -> None:
    app = _start_path(open_page("analyse"), tmp_path / "gone.mp4")
    assert "found nothing" in html_of(app)
    assert app.button(key="analyse_start").disabled
    assert "Choose files first." in html_of(app)


def test_paths_stay_beneath_the_evidence_root(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, clip: Path) -> None:
    root = tmp_path / "evidence"
    root.mkdir()
    (root / "link.mp4").symlink_to(clip)
    monkeypatch.setenv("FRAMEWITNESS_EVIDENCE_ROOT", str(root))
    for text in (str(clip), str(root / ".." / "x.mp4"), str(root / "link.mp4")):
        named = intake.from_path(text)
        assert named.files == ()
        assert "beneath" in named.refusals[0].reason


def test_a_folder_is_taken_with_its_subfolders_by_name_and_links_are_left_out(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, clip: Path
) -> None:
    for name in ("b.mp4", "sub/c.mp4", "a.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"12")
    (tmp_path / "link.mp4").symlink_to(clip)
    monkeypatch.setenv("FRAMEWITNESS_EVIDENCE_ROOT", str(tmp_path))
    named = intake.from_path(str(tmp_path))
    assert [(item.name, item.size_bytes) for item in named.files] == [("a.txt", 2), ("b.mp4", 2), ("sub/c.mp4", 2)]
    monkeypatch.setattr(intake, "MOST_FILES", 2)
    (refused,) = intake.from_path(str(tmp_path)).refusals
    assert "at most 2 files" in refused.reason


def test_progress_cancel_and_the_way_to_the_result(
    open_page: OpenPage, jobs: HandMovedJobs, seeded: Seeded, clip: Path
) -> None:
    app = _start_path(open_page("analyse"), clip)
    (job_id,) = jobs.requests
    jobs.change(job_id, state="running", stage="faces", fraction=0.4, remaining_s=75.0, message="Frame 4 of 10.")
    app = app.run()
    assert "About 2 min left" in html_of(app)
    assert app.button(key=f"cancel_{job_id}").label == "Cancel"

    jobs.change(job_id, state="done", fraction=1.0, record_id=seeded.record.record_id)
    app = app.run()
    (link,) = _ways_to_results(app)
    assert f"record={seeded.record.record_id}" in link.query_string

    jobs.change(job_id, state="failed", message="The worker ran out of <memory>.", record_id=None)
    assert "ran out of &lt;memory&gt;" in html_of(app.run())


def test_cancel_reaches_the_service(open_page: OpenPage, jobs: HandMovedJobs, seeded: Seeded, clip: Path) -> None:
    app = _start_path(open_page("analyse"), clip)
    (job_id,) = jobs.requests
    app.button(key=f"cancel_{job_id}").click().run()
    assert jobs.job(job_id).state == "cancelled"


def test_two_sessions_keep_their_own_finished_jobs(
    open_page: OpenPage, jobs: HandMovedJobs, seeded: Seeded, clip: Path
) -> None:
    first, second = open_page("analyse"), open_page("analyse")
    first = _start_path(first, clip)
    (job_id,) = jobs.requests
    # The machine's one queue is visible to both while the job waits; the result belongs to the session that asked.
    assert "drift.mp4" in html_of(second.run())
    jobs.change(job_id, state="done", record_id=seeded.record.record_id)
    assert _ways_to_results(first.run())
    assert not _ways_to_results(second.run())
    assert "Nothing queued" in html_of(second)


def test_a_hostile_file_name_is_shown_as_text(open_page: OpenPage, clip: Path, jobs: HandMovedJobs) -> None:
    found = intake.queue(
        [intake.Incoming(HOSTILE_NAME, clip)],
        lambda: services.current().store.create_case("c").case_id,
        ("tiny",),
        AnalysisSettings(),
        EXAMINER,
    )
    assert found.refusals == ()
    app = open_page("analyse")
    assert "&lt;img src=x onerror=alert(1)&gt; **bold**" in html_of(app)
    assert "<img" not in html_of(app)
    assert not any("onerror" in element.value for element in app.markdown)


def test_one_bad_file_does_not_stop_the_others(jobs: HandMovedJobs, clip: Path, tmp_path: Path) -> None:
    empty = tmp_path / "empty.mp4"
    empty.touch()
    queued = intake.queue(
        [intake.Incoming("empty.mp4", empty), intake.Incoming("good.mp4", clip)],
        lambda: services.current().store.create_case("c").case_id,
        ("tiny",),
        AnalysisSettings(),
        EXAMINER,
    )
    assert len(queued.job_ids) == 1
    assert [refusal.name for refusal in queued.refusals] == ["empty.mp4"]


def test_a_fault_of_the_program_with_one_file_does_not_stop_the_others(
    jobs: HandMovedJobs, clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stumbling(stored: StoredFile) -> Evidence:
        if stored.file_name == "odd.mp4":
            raise RecursionError("maximum recursion depth exceeded")
        return examine(stored)

    monkeypatch.setattr(intake, "examine", stumbling)
    queued = intake.queue(
        [intake.Incoming("odd.mp4", clip), intake.Incoming("good.mp4", clip)],
        lambda: services.current().store.create_case("c").case_id,
        ("tiny",),
        AnalysisSettings(),
        EXAMINER,
    )
    assert len(queued.job_ids) == 1
    (refusal,) = queued.refusals
    assert refusal.name == "odd.mp4"
    assert "RecursionError" in refusal.reason


def test_the_sample_goes_to_a_case_of_its_own(open_page: OpenPage, jobs: HandMovedJobs, seeded: Seeded) -> None:
    app = open_page("analyse", case=seeded.case.case_id)
    assert app.selectbox(key="analyse_case").value == seeded.case.case_id
    app.button(key="analyse_sample_manipulated").click().run()
    app.button(key="analyse_sample_genuine").click().run()
    assert not app.exception
    store = services.current().store
    names = {summary.case.title: summary.file_names for summary in store.cases()}
    assert names["Sample clips"] == ("astronaut_manipulated.mp4", "astronaut_genuine.mp4")
    assert names["Seeded case"] == ("drift.mp4",)
    assert len(jobs.requests) == 2


def test_the_next_file_goes_to_a_new_case_unless_told_to_go_on_with_this_one(
    open_page: OpenPage, jobs: HandMovedJobs, clip: Path
) -> None:
    app = open_page("analyse")
    app.text_input(key="analyse_case_title").set_value("First").run()
    assert "a new case, “First”" in html_of(app)
    app = _start_path(app, clip)
    (first,) = services.current().store.cases()
    assert f"1 file was filed into {first.case.reference} · First" in html_of(app)
    assert app.selectbox(key="analyse_case").value == "new"
    assert app.text_input(key="analyse_case_title").value == ""

    app.toggle(key="analyse_keep").set_value(True).run()
    app.text_input(key="analyse_path_1").set_value(str(clip)).run()
    app.button(key="analyse_start").click().run()
    second = services.current().store.cases()[0].case
    assert second.case_id != first.case.case_id
    assert app.selectbox(key="analyse_case").value == second.case_id
    assert f"{second.reference} · {second.title}</b>" in html_of(app)
    app.button(key="analyse_sample_genuine").click().run()
    assert app.selectbox(key="analyse_case").value == second.case_id


def test_a_reloaded_page_still_shows_its_jobs(
    open_page: OpenPage, jobs: HandMovedJobs, seeded: Seeded, clip: Path
) -> None:
    first = _start_path(open_page("analyse"), clip)
    (job_id,) = jobs.requests
    jobs.change(job_id, state="failed", message="The disk was full.")
    kept = first.query_params["jobs"]
    reloaded = open_page("analyse", jobs=kept[0] if isinstance(kept, list) else kept)
    assert "The disk was full." in html_of(reloaded)
    assert not open_page("analyse", jobs="jnothing").exception


def test_only_figures_of_the_models_that_decide_stand_on_the_first_screen(
    open_page: OpenPage, cards: dict[str, ModelCard], monkeypatch: pytest.MonkeyPatch
) -> None:
    aside = replace(cards["cues"], model_id="aside", name="A model aside")
    aside.write(weights_dir() / "aside.card.json")
    monkeypatch.setattr(model_choice, "default_ids", lambda: ("tiny-together", "tiny", "aside"))
    shown = html_of(open_page("analyse"))
    assert "deepfake videos: AUC 0.86 (0.79 to 0.92), n 89 + 22" in shown
    assert "Without a vote in the score: A model aside.</p>" in shown  # members have one
    assert ">tiny-together. " in shown
    assert ">tiny. " not in shown


def test_one_model_several_or_the_default_set_can_be_chosen(
    open_page: OpenPage, jobs: HandMovedJobs, cards: dict[str, ModelCard], clip: Path
) -> None:
    app = open_page("analyse")
    app.radio(key="analyse_models").set_value("one").run()
    app.selectbox(key="analyse_one").set_value("tiny-together").run()
    assert "deepfake videos: AUC 0.86 (0.79 to 0.92), n 89 + 22" in html_of(app)
    app.selectbox(key="analyse_one").set_value("tiny-cues").run()
    _start_path(app, clip)
    app.radio(key="analyse_models").set_value("several").run()
    app.multiselect(key="analyse_several").set_value(["tiny", "tiny-time"]).run()
    app.text_input(key="analyse_path_1").set_value(str(clip)).run()
    app.button(key="analyse_start").click().run()
    assert not app.exception
    assert [request.model_ids for request in jobs.requests.values()] == [("tiny-cues",), ("tiny", "tiny-time")]


@pytest.mark.parametrize("text", ["/nul\0.mp4", "~root/clip.mp4", "~nobody-here/clip.mp4", "/" + "x" * 5000])
def test_what_is_no_path_is_refused_in_words(text: str) -> None:
    (refused,) = intake.from_path(text).refusals
    assert "Expected" in refused.reason


def test_a_file_swapped_for_a_link_after_it_was_named_is_not_read(
    opened: services.Services, clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "root"
    root.mkdir()
    monkeypatch.setenv("FRAMEWITNESS_EVIDENCE_ROOT", str(root))
    named = root / "clip.mp4"
    named.write_bytes(clip.read_bytes())
    found = intake.from_path(str(named)).files
    named.unlink()
    named.symlink_to(clip)
    queued = intake.queue(found, lambda: "no case", ("tiny",), AnalysisSettings(), "A. Tester")
    assert queued.job_ids == ()
    assert "beneath" in queued.refusals[0].reason


def test_an_upload_is_queued_once_and_what_was_refused_is_told_until_it_is_dismissed(
    open_page: OpenPage, jobs: HandMovedJobs, clip: Path
) -> None:
    good, bad = ("good.mp4", clip.read_bytes(), "video/mp4"), ("letter.mp4", b"no video " * 99, "video/mp4")
    app = open_page("analyse")
    app.file_uploader(key="analyse_upload_0").set_value([good, bad, ("twin.mp4", *good[1:])]).run()
    assert "3 files into" in html_of(app)
    app.button(key="analyse_start").click().run()
    assert not app.exception
    assert app.file_uploader(key="analyse_upload_1").value == []
    shown = html_of(app)
    assert "Not examined: letter.mp4" in shown
    assert "Not queued twice: twin.mp4" in shown
    assert "It has the content of good.mp4" in shown
    assert app.button(key="analyse_start").disabled
    app.button(key="analyse_start").click().run()  # a second click that was on its way
    assert len(jobs.requests) == 1
    assert "letter.mp4" in html_of(app)
    app.button(key="analyse_dismiss").click().run()
    assert "letter.mp4" not in html_of(app)


def test_a_click_elsewhere_loses_no_file_and_the_next_run_tells_of_all(
    open_page: OpenPage, jobs: HandMovedJobs, clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "evidence"
    folder.mkdir()
    for name in "ab":
        (folder / f"{name}.mp4").write_bytes(clip.read_bytes() + name.encode())
    meanwhile: list[str] = []

    def clicked(stored: StoredFile) -> Evidence:
        context = get_script_run_ctx()
        assert context is not None
        assert context.script_requests is not None
        context.script_requests.request_stop()  # as a click has the server do, which starts another run
        meanwhile.append(stored.file_name)
        return examine(stored)

    monkeypatch.setattr(intake, "examine", clicked)
    app = _start_path(open_page("analyse"), folder)
    assert meanwhile == ["a.mp4", "b.mp4"]
    assert len(jobs.requests) == 2
    app = app.run()
    assert not app.exception
    assert "2 files were filed into" in html_of(app)
    assert app.button(key="analyse_start").disabled


def _finished(app: AppTest, jobs: HandMovedJobs, seeded: Seeded) -> str:
    """A job of the seeded exhibit that ended with its record."""
    job_id = jobs.submit(JobRequest(seeded.exhibit.exhibit_id, ("tiny",)))
    jobs.change(job_id, state="done", record_id=seeded.record.record_id)
    app.query_params["jobs"] = job_id
    app.run()
    return job_id


def test_a_row_ends_with_what_was_found_and_the_log_says_who_was_shown_it(
    open_page: OpenPage, jobs: HandMovedJobs, seeded: Seeded
) -> None:
    store = services.current().store
    nameless = open_page("analyse", who="")
    _finished(nameless, jobs, seeded)
    assert LABELS["inconclusive"].word not in html_of(nameless)
    assert "scores_viewed" not in [event.action for event in store.events(seeded.case.case_id)]
    app = open_page("analyse")
    _finished(app, jobs, seeded)
    shown = html_of(app)
    assert LABELS["inconclusive"].word in shown
    assert "00:02.000 · FW-" in shown
    assert '<img alt="" src="data:image/jpeg' in shown
    assert store.events(seeded.case.case_id)[-1].action == "scores_viewed"


def test_a_row_of_a_blind_first_case_says_that_the_finding_is_held_back(
    open_page: OpenPage, jobs: HandMovedJobs, seeded: Seeded
) -> None:
    services.current().store.metadata.set_blind_first(seeded.case.case_id, True)
    app = open_page("analyse")
    _finished(app, jobs, seeded)
    assert "Finding held back" in html_of(app)
    assert LABELS["inconclusive"].word not in html_of(app)


def test_a_batch_tells_how_far_it_is_and_is_paused_resumed_and_tried_again(
    open_page: OpenPage, jobs: HandMovedJobs, seeded: Seeded
) -> None:
    settings = [AnalysisSettings(frames_per_second=float(rate)) for rate in range(1, 6)]
    ids = [jobs.submit(JobRequest(seeded.exhibit.exhibit_id, ("tiny",), one)) for one in settings]
    jobs.change(ids[0], state="running", fraction=0.5, remaining_s=30.0)
    for job_id in ids[1:3]:
        jobs.change(job_id, state="failed", message="The disk was full.", finished_at=datetime.now(UTC))
    app = open_page("analyse", jobs=",".join(ids))
    assert "2 of 5 ended, 2 of them failed. About 3 min left." in [
        element.proto.text for element in app.get("progress")
    ]
    app.button(key="queue_pause").click().run()
    assert [job.state for job in jobs.jobs()] == ["running", "failed", "failed", "paused", "paused"]

    restarted = open_page("analyse")  # nothing of the session is left
    restarted.button(key="queue_resume").click().run()
    assert [job.state for job in jobs.jobs()][3:] == ["queued", "queued"]

    app.button(key="queue_retry").click().run()
    assert [(job.settings, job.state) for job in jobs.jobs()][5:] == [(one, "queued") for one in settings[1:3]]
    assert jobs.authors[-2:] == [EXAMINER] * 2
    assert "The disk was full." not in html_of(app)  # what is tried again stands for what failed


def test_what_failed_before_a_restart_is_found_among_the_earlier_ones(
    open_page: OpenPage, jobs: HandMovedJobs, seeded: Seeded
) -> None:
    job_id = jobs.submit(JobRequest(seeded.exhibit.exhibit_id, ("tiny",)))
    jobs.change(job_id, state="failed", message="The disk was full.")
    app = open_page("analyse")
    assert "The disk was full." not in html_of(app)
    app.session_state["queue_earlier"] = True
    app.run()
    assert "The disk was full." in html_of(app)
    app.session_state["queue_earlier"] = True
    app.button(key=f"retry_{job_id}").click().run()
    assert len(jobs.requests) == 2


def test_a_sample_asks_for_the_name_that_is_missing_and_starts_with_it(
    open_page: OpenPage, jobs: HandMovedJobs
) -> None:
    app = open_page("analyse", who="")
    app.button(key="analyse_sample_genuine").click().run()
    assert jobs.requests == {}
    app.text_input(key="actor_name_sample").set_value("Grace")
    app.button(key="actor_set_sample").click().run()
    assert not app.exception
    assert jobs.authors == ["Grace"]
    (case,) = services.current().store.cases()
    assert case.case.title == "Sample clips"
    assert app.selectbox(key="analyse_case").value == "new"
