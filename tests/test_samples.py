"""The shipped clips: the files their list names, and what the default set says of them."""

import csv
import json
from pathlib import Path

import pytest

from detector.analysis import analyze
from detector.cli import main
from detector.evidence import examine, hash_file, ingest
from detector.registry import LoadedModel, default_model_ids, load_set
from detector.settings import AnalysisSettings
from pages.parts.analyse.sample_clips import LABELS, available

FOLDER = Path(__file__).resolve().parents[1] / "assets" / "samples"


@pytest.fixture(scope="module")
def default_set() -> tuple[LoadedModel, ...]:
    return load_set(default_model_ids())


def test_every_listed_file_is_the_one_that_was_listed() -> None:
    entries = json.loads((FOLDER / "samples.json").read_text(encoding="utf-8"))
    assert {entry["file"] for entry in entries} == {path.name for path in FOLDER.glob("*.mp4")}
    for entry in entries:
        assert hash_file(FOLDER / entry["file"])[0] == entry["sha256"]
    assert tuple(clip.label for clip in available(FOLDER)) == LABELS
    assert all(clip.truth for clip in available(FOLDER))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("label", "conclusion"), [("genuine", "no_manipulation_found"), ("animated", "likely_manipulated")]
)
def test_the_default_set_sees_the_animated_still_and_leaves_the_portrait_alone(
    label: str, conclusion: str, default_set: tuple[LoadedModel, ...], tmp_path: Path
) -> None:
    evidence = examine(ingest(FOLDER / f"astronaut_{label}.mp4", tmp_path))
    analysis = analyze(evidence, default_set, AnalysisSettings())
    assert analysis.conclusion.label == conclusion


@pytest.mark.slow
def test_a_face_pasted_in_for_a_part_of_the_time_is_called_manipulated_and_its_time_named(
    default_set: tuple[LoadedModel, ...], tmp_path: Path
) -> None:
    evidence = examine(ingest(FOLDER / "astronaut_manipulated.mp4", tmp_path))
    analysis = analyze(evidence, default_set, AnalysisSettings())
    assert analysis.conclusion.label == "likely_manipulated"
    reason = analysis.conclusion.reasons[0]
    assert reason.text.startswith("Manipulation is indicated from 1.50 s to 5.80 s: Default ensemble gives")
    assert 1.5 < reason.moments[0].pts_s < 5.8


@pytest.mark.slow
def test_a_face_torn_for_a_few_frames_is_not_found_free_of_manipulation_and_the_moment_is_named(
    default_set: tuple[LoadedModel, ...], tmp_path: Path
) -> None:
    made = tmp_path / "made"
    assert main(["synthesize", str(FOLDER / "astronaut_genuine.mp4"), "--out", str(made), "--kinds", "torn"]) == 0
    with (made / "manifest.csv").open() as file:
        torn = next(row for row in csv.DictReader(file) if row["file"] == "astronaut_genuine_torn.mp4")
    analysis = analyze(examine(ingest(made / torn["file"], tmp_path)), default_set, AnalysisSettings())
    assert analysis.conclusion.label == "inconclusive"
    named = {moment.pts_s for reason in analysis.conclusion.reasons for moment in reason.moments}
    spans = json.loads(torn["intervals_s"])
    assert any(start <= pts_s <= end for pts_s in named for start, end in spans), (named, spans)
