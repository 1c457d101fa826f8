from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest
from streamlit.testing.v1.element_tree import Button

from pages.parts.training import run_charts, run_files
from tests.pages import runs
from tests.pages.conftest import html_of

OpenPage = Callable[..., AppTest]


@pytest.fixture(scope="session")
def made_runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("training") / "runs"
    runs.write_old_run(folder / "old")
    runs.write_run(folder / "first")
    runs.write_run(folder / "leaky", seed=2, leaky=True)
    return folder


def run_buttons(app: AppTest) -> list[Button]:
    return [button for button in app.button if str(button.key).startswith("open_run_")]


def test_without_a_folder_it_says_how_to_name_one(open_page: OpenPage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(run_files.VARIABLE, raising=False)
    shown = html_of(open_page("training"))
    assert "No folder of training runs" in shown
    assert run_files.VARIABLE in shown


def test_the_environments_folder_lists_its_runs_and_draws_the_newest(
    open_page: OpenPage, made_runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(run_files.VARIABLE, str(made_runs))
    app = open_page("training")
    assert not app.exception
    assert {button.key for button in run_buttons(app)} == {"open_run_old", "open_run_first", "open_run_leaky"}
    assert "leakage warning" in html_of(app)
    assert len(app.get("plotly_chart")) >= 5


def test_a_run_tells_outcome_confusion_groups_and_next_steps(open_page: OpenPage, made_runs: Path) -> None:
    app = open_page("training", runs=made_runs, run="leaky")
    assert not app.exception
    shown = html_of(app)
    assert "5 epochs brought no lower validation loss" in shown
    assert '<b>104</b><span class="fw-note">87 %</span>' in shown
    assert "worse than chance" in shown[shown.index("mouth") :]
    assert "A plain property predicts the label" in shown
    assert "What the figures suggest" in shown
    assert '"max_epochs": 60' in app.code[0].value


def test_a_run_that_stopped_without_a_word_is_not_called_running(open_page: OpenPage, tmp_path: Path) -> None:
    folder = runs.write_run(tmp_path / "runs" / "cut-off")
    facts = json.loads((folder / "run.json").read_text())
    for updated, state in ((datetime.now(UTC), "running"), (datetime.now(UTC) - timedelta(hours=2), "silent")):
        (folder / "run.json").write_text(json.dumps({**facts, "status": "running", "updated": updated.isoformat()}))
        assert run_files.read(folder.parent, "cut-off").state == state
    shown = html_of(open_page("training", runs=folder.parent))
    assert "No news: stopped or stalled" in shown
    assert "silent" in shown[shown.index("Outcome") :][:200]
    # Who takes two hours an epoch may be silent for as long.
    (folder / "metrics.csv").write_text("epoch,minutes,auc\n0,120,0.5\n1,240,0.6\n")
    assert run_files.read(folder.parent, "cut-off").state == "running"


def test_a_clean_run_says_so(open_page: OpenPage, made_runs: Path) -> None:
    assert "No property alone predicts the label" in html_of(open_page("training", runs=made_runs, run="first"))


def test_an_old_run_shows_its_curves_and_what_it_lacks(open_page: OpenPage, made_runs: Path) -> None:
    app = open_page("training", runs=made_runs, run="old")
    assert not app.exception
    shown = html_of(app)
    for words in ("No report", "No leakage report", "No config"):
        assert words in shown


def test_two_runs_are_overlaid(open_page: OpenPage, made_runs: Path) -> None:
    app = open_page("training", runs=made_runs, run="leaky")
    assert app.multiselect(key="training_compare_leaky").value == ["first"]
    assert app.selectbox(key="training_curve").value == "auc"
    figure = run_charts.of_runs([run_files.read(made_runs, name) for name in ("leaky", "first")], "auc", over="epoch")
    assert [trace.name for trace in figure.data] == ["leaky", "first"]
    app.multiselect(key="training_compare_leaky").set_value(["old"]).run()
    assert not app.exception
    assert app.segmented_control(key="training_over").options == ["minutes"]


@pytest.mark.parametrize(("text", "words"), [("/nowhere/at/all", "found nothing"), ("", "No folder of training runs")])
def test_a_folder_that_is_none_is_answered_in_words(open_page: OpenPage, text: str, words: str) -> None:
    app = open_page("training")
    app.text_input(key="training_folder").set_value(text).run()
    assert not app.exception
    assert words in html_of(app)


def test_a_folder_without_runs_says_what_was_expected(open_page: OpenPage, tmp_path: Path) -> None:
    assert "metrics.csv" in html_of(open_page("training", runs=tmp_path))


def test_beyond_the_named_folder_nothing_is_read_where_the_server_faces_others(
    made_runs: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("FRAMEWITNESS_EVIDENCE_ROOT", str(tmp_path))
    monkeypatch.delenv(run_files.VARIABLE, raising=False)
    with pytest.raises(run_files.RunsError, match="beneath"):
        run_files.open_folder(str(made_runs))
    monkeypatch.setenv(run_files.VARIABLE, str(made_runs))
    assert run_files.open_folder(str(made_runs)) == made_runs


@pytest.mark.parametrize("name", ["..", "../runs/first", "absent"])
def test_a_run_is_named_only_within_its_folder(made_runs: Path, name: str) -> None:
    with pytest.raises(run_files.RunsError):
        run_files.read(made_runs, name)


def test_damaged_files_are_named_and_the_rest_is_shown(open_page: OpenPage, tmp_path: Path) -> None:
    folder = runs.write_run(tmp_path / "runs" / "hurt")
    (folder / "report.json").write_text("{not json")
    (folder / "leakage.json").write_text(json.dumps(["a", "list"]))
    app = open_page("training", runs=tmp_path / "runs")
    assert not app.exception
    shown = html_of(app)
    assert "report.json cannot be read" in shown
    assert "leakage.json: expected a table, found list" in shown
    assert "<b>104</b>" in shown  # run.json has the confusion matrix too


def test_empty_cells_are_gaps_and_not_zeros(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "metrics.csv").write_text("epoch,auc,auc:rare\n0,0.5,\n1,,0.7\n2,nan,0.8\n")
    run = run_files.read(tmp_path, "run")
    assert run.columns["auc"] == (0.5, None, None)
    assert run.columns["auc:rare"] == (None, 0.7, 0.8)
    assert run.last("auc") == 0.5


def test_a_hostile_run_name_is_shown_as_text(open_page: OpenPage, tmp_path: Path) -> None:
    name = "<img src=x onerror=alert(1)> **b**"
    runs.write_old_run(tmp_path / "runs" / name)
    app = open_page("training", runs=tmp_path / "runs")
    assert not app.exception
    assert "<img src=x" not in html_of(app)
    assert r"\<img" in run_buttons(app)[0].label


def test_a_file_of_a_run_that_leads_out_of_the_folder_is_not_shown(
    made_runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "root"
    shutil.copytree(made_runs / "first", root / "first")
    secret = tmp_path / "secret.json"
    secret.write_text('{"title": "secret"}')
    (root / "first" / "run.json").unlink()
    (root / "first" / "run.json").symlink_to(secret)
    monkeypatch.setenv("FRAMEWITNESS_EVIDENCE_ROOT", str(root))
    run = run_files.read(run_files.open_folder(str(root)), "first")
    assert run.facts == {}
    assert any("a place that this server does not read" in problem for problem in run.problems)
    with pytest.raises(run_files.RunsError, match="Type it in full"):
        run_files.open_folder("nul\0")
