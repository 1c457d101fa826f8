"""The Analyses page: a folder as a dashboard, two side by side, and folders that are none said plainly."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from detector.analysis.types import Cue
from detector.training.analyses.documents import FILE_OF
from detector.training.analyses.figures import characteristics
from detector.training.analyses.run import CUES, analysis_of
from detector.training.analyses.summary import comprehensive, overall, roadmap
from pages.parts.analyses import analysis_files
from tests.pages.conftest import html_of
from tests.training.analyses.clips import DATA, labelled

OpenPage = Callable[..., AppTest]


def write_analyses(folder: Path, right: Mapping[Cue, float], *, digit: str = "0") -> Path:
    """The nine files of a run on 40 clips; each cue calls that share of each label rightly, others have no score."""
    folder.mkdir(parents=True)
    data = DATA.model_copy(update={"list_sha256": digit * 64})
    clips = []
    for number in range(40):
        fake, place = number % 2 == 1, (number // 2) / 20
        scores = {cue: 0.9 if (place < share) == fake else 0.1 for cue, share in right.items()}
        clips.append(labelled(number, fake, scores, measures={"flicker": 1234.5}, traits={"bit_rate": 5e5 + number}))
    traits = characteristics(clips)
    analyses = [analysis_of(cue, "model-x", "0" * 64, clips, data) for cue in CUES]
    whole = comprehensive(analyses, clips, traits, data)
    documents = {FILE_OF[one.cue]: one for one in analyses} | {
        "comprehensive_model_analysis.json": whole,
        "overall_analysis_summary.json": overall(analyses, whole, traits, data),
        "training_roadmap.json": roadmap(analyses, whole, traits, data),
    }
    for name, document in documents.items():
        (folder / name).write_text(document.model_dump_json())
    return folder


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    right = {"BG": 1.0, "CM": 0.65, "RR": 0.7, "LL": 0.1, "TM": 0.75}
    return write_analyses(tmp_path_factory.mktemp("analyses") / "run", right)


def test_without_a_folder_it_says_how_to_get_one(open_page: OpenPage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(analysis_files.VARIABLE, raising=False)
    shown = html_of(open_page("analyses"))
    assert "No folder of analyses" in shown
    assert "python -m detector analyses run" in shown


def test_the_environments_folder_is_a_dashboard(
    open_page: OpenPage, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(analysis_files.VARIABLE, str(run))
    app = open_page("analyses")
    assert not app.exception
    shown = html_of(app)
    assert "accuracy 65.0% is below 70%" in shown
    assert {word for word in ("High", "Medium", "Low", "Not judged") if f"> {word}</span>" in shown} == {
        "High", "Medium", "Low", "Not judged"
    }  # fmt: skip
    assert "tells the labels apart" not in shown
    assert "Critical faults first" in shown
    assert len(app.get("plotly_chart")) == 2


def test_one_specialist_shows_its_measures_and_rules(open_page: OpenPage, run: Path) -> None:
    app = open_page("analyses", analyses=run)
    app.segmented_control(key="analyses_cue").set_value("TM").run()
    assert not app.exception
    shown = html_of(app)
    assert "Change over time: priority low" in shown
    assert "1,234" in shown[shown.index("flicker") :]
    assert "rule few manipulated" in shown


def test_two_runs_are_compared_and_other_clips_are_named(open_page: OpenPage, run: Path, tmp_path: Path) -> None:
    same = write_analyses(tmp_path / "same", {"BG": 0.5})
    shown = html_of(open_page("analyses", analyses=run, beside=same))
    assert "50.0 → 100.0 % (+50.0)" in shown
    assert "High → Low" in shown
    assert "– → 65.0 %" in shown
    assert "Not the same clips" not in shown
    others = write_analyses(tmp_path / "others", {"BG": 0.5}, digit="1")
    assert "Not the same clips" in html_of(open_page("analyses", analyses=run, beside=others))


def test_a_folder_in_part_is_shown_in_part(open_page: OpenPage, run: Path, tmp_path: Path) -> None:
    name = FILE_OF["BG"]
    (tmp_path / name).write_text((run / name).read_text())
    (tmp_path / FILE_OF["CM"]).write_text("{")
    (tmp_path / FILE_OF["RR"]).write_text(json.dumps({**json.loads((run / FILE_OF["RR"]).read_text()), "scored": "?"}))
    app = open_page("analyses", analyses=tmp_path)
    assert not app.exception
    shown = html_of(app)
    assert "cm_model_detailed_analysis.json is no such file" in shown
    assert "rr_model_detailed_analysis.json is no such file: scored" in shown
    assert "No roadmap" in shown


@pytest.mark.parametrize("given", ["empty", "nowhere"])
def test_a_folder_without_analyses_is_said_plainly(open_page: OpenPage, tmp_path: Path, given: str) -> None:
    (tmp_path / "empty").mkdir()
    app = open_page("analyses", analyses=tmp_path / given)
    assert not app.exception
    assert "These analyses cannot be shown" in html_of(app)


def test_a_folder_elsewhere_is_not_read(
    open_page: OpenPage, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "root").mkdir()
    monkeypatch.setenv("FRAMEWITNESS_EVIDENCE_ROOT", str(tmp_path / "root"))
    shown = html_of(open_page("analyses", analyses=run))
    assert "Expected a folder beneath" in shown
    assert "priority" not in shown
