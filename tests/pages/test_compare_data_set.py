"""Compare on a data set: what is measured on the files that all chosen models scored, and whose scores may be shown."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from detector.measurement.binary import measure_binary
from detector.measurement.score_set import measure_scores
from detector.measurement.score_table import COUNTED_ONCE
from detector.measurement.thresholds import Thresholds
from detector.registry import ModelCard
from pages.parts.compare import data_set, differing_files, score_files, score_scatter
from pages.parts.compare.score_files import ScoredSet, ScoresError
from pages.parts.models import model_choice
from pages.parts.shared import folders, services
from pages.parts.shared.folders import FolderError
from tests.measurement.scored import scored
from tests.pages.conftest import html_of
from tests.pages.seed import Seeded

OpenPage = Callable[..., AppTest]
LIMITS = {name: Thresholds(1.0, -1.0, "made up for a test") for name in ("tiny", "other")}


def scores(real: int = 30, fake: int = 30, seed: int = 1) -> pd.DataFrame:
    """A table as an evaluation writes it: "tiny" separates, "other" guesses and has no score of the last file."""
    rng = np.random.default_rng(seed)
    centre = np.repeat([-2.5, 2.5], [real, fake])
    other = rng.normal(0, 2, real + fake)
    other[-1] = np.nan
    labels = ["real"] * real + ["fake"] * fake
    people = [f"person-{number // 2}" for number in range(real + fake)]
    return scored(labels, {"tiny": rng.normal(centre), "other": other}, group=people)


def write(folder: Path, table: pd.DataFrame) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    table.to_parquet(folder / "scores.parquet", index=False)
    return folder


def test_it_opens_with_models_that_scored_nearly_every_file(
    cards: dict[str, ModelCard], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model_choice, "default_ids", lambda: ("tiny",))
    few = np.where(np.arange(20) < 15, 1.0, np.nan)
    logits = pd.DataFrame({"seldom": few, "tiny": np.ones(20), "other": np.where(np.arange(20) < 18, 1.0, np.nan)})
    assert data_set.opening(ScoredSet(pd.DataFrame(index=logits.index), logits)) == ["tiny", "other"]
    alone = logits[["seldom", "tiny"]]
    assert data_set.opening(ScoredSet(pd.DataFrame(index=logits.index), alone)) == ["seldom", "tiny"]


@pytest.fixture
def evaluation(tmp_path: Path) -> Path:
    return write(tmp_path / "evaluation", scores())


def test_without_a_folder_it_says_what_to_name(open_page: OpenPage) -> None:
    app = open_page("compare")
    app.segmented_control(key="compare_on").set_value("A data set").run()
    assert not app.exception
    assert "python -m detector evaluate" in html_of(app)


def test_figures_of_the_files_that_all_models_scored_stand_side_by_side(open_page: OpenPage, evaluation: Path) -> None:
    app = open_page("compare", evaluation=evaluation)
    assert not app.exception
    shown = html_of(app)
    assert "30 genuine and 29 manipulated files that all of them scored" in shown
    assert "1 of 60 files lack a score of one of them" in shown
    common = score_files.read(evaluation).common(["tiny", "other"])
    expected = measure_binary(common.fake, common.column("other"), threshold_logit=0.0)
    row = shown[shown.index("ROC-AUC</th>") :].split("</tr>")[0]
    assert f"{expected.roc_auc:.3f} (" in row
    row = shown[shown.index("recall</th>") :].split("</tr>")[0]
    assert f"{expected.recall:.3f} (" in row
    assert "score 0.5 for other, not installed" in shown


def test_a_paired_test_tells_models_apart_and_one_from_itself_not(
    open_page: OpenPage, evaluation: Path, tmp_path: Path
) -> None:
    shown = html_of(open_page("compare", evaluation=evaluation))
    assert "tiny ranks better" in shown
    assert "30 groups" in shown
    table = scores()
    copies = table[table["model"] == "tiny"].assign(model="copy")
    same = write(tmp_path / "same", pd.concat([table[table["model"] == "tiny"], copies]))
    shown = html_of(open_page("compare", evaluation=same))
    assert "not told apart" in shown
    assert "ranks better" not in shown


def test_files_that_are_called_differently_are_listed_with_who_was_right(
    open_page: OpenPage, evaluation: Path, cards: dict[str, ModelCard]
) -> None:
    table = scores().replace({"model": {"other": "tiny-time"}})
    app = open_page("compare", evaluation=write(evaluation, table))
    assert not app.exception
    listed = app.dataframe[0].value
    assert list(listed.columns) == ["file", "truth", "right", "by tiny", "by tiny-time", "generator"]
    assert set(listed["right"]) <= {"tiny", "tiny-time", "neither"}
    assert "not installed" not in html_of(app)


def test_opposite_calls_come_first_and_the_right_model_is_named() -> None:
    files = pd.DataFrame(
        {
            "sha256": list("abcd"),
            "file": ["alike", "near", "<b>opposite", "neither"],
            "fake": [True, True, False, False],
            "group": "",
            "generator": ["swap", "swap", "", ""],
        }
    )
    logits = pd.DataFrame({"tiny": [2.0, 9.0, -1.5, 0.0], "other": [3.0, 0.0, 1.5, 5.0]})
    found = differing_files.differing(ScoredSet(files, logits), "tiny", "other", LIMITS)
    assert found["file"].tolist() == ["<b>opposite", "near", "neither"]
    assert found["right"].tolist() == ["tiny", "tiny", "neither"]
    assert found["by other"].tolist()[0] == "likely manipulated (+1.50)"
    assert differing_files.differing(ScoredSet(files[:1], logits[:1]), "tiny", "other", LIMITS).empty


def test_the_scatter_tells_truth_by_symbol_and_never_takes_a_name_for_markup(evaluation: Path) -> None:
    table = scores().replace({"file": {"clips/0.mp4": "<b>bold</b>.mp4"}})
    common = score_files.read(write(evaluation, table)).common(["tiny", "other"])
    figure = score_scatter.figure(common, "tiny", "other", {"tiny": LIMITS["tiny"]})
    genuine, manipulated = figure.data
    assert (len(genuine.x), len(manipulated.x)) == (30, 29)
    assert genuine.marker.symbol != manipulated.marker.symbol
    assert "&lt;b&gt;bold" in genuine.hovertext[0]
    assert [(shape.x0, shape.x1) for shape in figure.layout.shapes] == [(-1.0, -1.0), (1.0, 1.0)]


def test_files_whose_scores_are_held_back_are_left_out(open_page: OpenPage, evaluation: Path, seeded: Seeded) -> None:
    store = services.current().store
    table = scores()
    table.loc[table["file"] == "clips/3.mp4", "sha256"] = seeded.exhibit.sha256
    write(evaluation, table)
    assert "Scores held back" not in html_of(open_page("compare", evaluation=evaluation))
    store.metadata.set_blind_first(seeded.case.case_id, True)
    assert store.statements.withheld_files("A. Tester") == {seeded.exhibit.sha256}
    shown = html_of(open_page("compare", evaluation=evaluation))
    assert "1 of the files are exhibits of blind-first cases" in shown
    assert "29 genuine and 29 manipulated files" in shown
    store.statements.give_opinion(seeded.exhibit.exhibit_id, "genuine", author="A. Tester")
    assert store.statements.withheld_files("A. Tester") == frozenset()


def test_thresholds_are_those_that_the_evaluation_used(
    open_page: OpenPage, evaluation: Path, cards: dict[str, ModelCard]
) -> None:
    table = scores()
    used = Thresholds(3.25, -3.25, "as evaluated")
    models = {"tiny": ("ab" * 32, used), "other": ("cd" * 32, None)}
    figures = measure_scores(table, models, program="test", settings_sha256="ef" * 32)
    (write(evaluation, table) / "metrics.json").write_bytes(figures.as_json())
    assert score_files.thresholds(evaluation) == {"tiny": used}
    app = open_page("compare", evaluation=evaluation)
    assert not app.exception
    common = score_files.read(evaluation).common(["tiny", "other"])
    expected = measure_binary(common.fake, common.column("tiny"), threshold_logit=3.25).recall
    shown = html_of(app)
    assert f"<td>{expected:.3f} (" in shown[shown.index("recall</th>") :].split("</tr>")[0]
    (evaluation / "metrics.json").write_text("{}")
    assert score_files.thresholds(evaluation) == {}


def test_too_few_files_are_no_figure(open_page: OpenPage, evaluation: Path) -> None:
    app = open_page("compare", evaluation=write(evaluation, scores(real=2, fake=9)))
    assert not app.exception
    assert "Too few files to measure" in html_of(app)
    assert not app.get("plotly_chart")


def test_one_model_alone_has_nothing_to_compare_with(open_page: OpenPage, evaluation: Path) -> None:
    table = scores()
    app = open_page("compare", evaluation=write(evaluation, table[table["model"] == "tiny"]))
    assert "Fewer than two models have scores" in html_of(app)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda table: table.drop(columns="logit"), "lacks the columns logit"),
        (lambda table: pd.concat([table, table[:1]]), "names one file and model twice"),
    ],
)
def test_a_table_that_is_another_is_refused_with_what_is_wrong(
    evaluation: Path, change: Callable[[pd.DataFrame], pd.DataFrame], words: str
) -> None:
    with pytest.raises(ScoresError, match=words):
        score_files.read(write(evaluation, change(scores())))


def test_a_file_that_is_no_parquet_and_a_folder_that_is_none_are_answered_in_words(
    open_page: OpenPage, evaluation: Path
) -> None:
    (evaluation / "scores.parquet").write_bytes(b"PAR1 not really")
    app = open_page("compare", evaluation=evaluation)
    assert not app.exception
    assert "cannot be read as a Parquet table of scores" in html_of(app)
    (evaluation / "scores.parquet").unlink()
    assert "scores.parquet in" in html_of(open_page("compare", evaluation=evaluation))
    assert "found nothing" in html_of(open_page("compare", evaluation=evaluation / "nowhere"))


def test_beyond_the_named_folder_nothing_is_read_where_the_server_faces_others(
    evaluation: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(score_files.VARIABLE, raising=False)
    monkeypatch.setenv("FRAMEWITNESS_EVIDENCE_ROOT", str(tmp_path / "evidence"))
    with pytest.raises(FolderError, match="beneath"):
        folders.open_folder(str(evaluation), score_files.VARIABLE, "an evaluation")
    inside = tmp_path / "evidence" / "linked"
    inside.mkdir(parents=True)
    (inside / "scores.parquet").symlink_to(evaluation / "scores.parquet")
    with pytest.raises(ScoresError, match="does not read"):
        score_files.read(inside)


def test_a_file_without_a_group_counts_for_itself_and_content_that_is_there_twice_once(evaluation: Path) -> None:
    table = scores()
    again = table[:1].assign(logit=np.nan, reason=COUNTED_ONCE)
    found = score_files.read(write(evaluation, pd.concat([table.assign(group=""), again])))
    assert len(set(found.groups.tolist())) == len(found.files) == 60
    assert found.logits["tiny"].notna().all()
