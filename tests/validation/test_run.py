"""One validation from the command to the record: whole, interrupted and asked for wrongly."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from pypdf import PdfReader

from detector.cases import CaseStore
from detector.cases.chain import STORE_CHAIN
from detector.cli import main
from detector.errors import SettingsError
from detector.evidence import hash_file
from detector.measurement.score_table import read_scores
from detector.training.evaluation import predictions
from detector.validation import observe, run, suite
from detector.validation.documents import Criteria, Expected, SourceSpec, SuiteSpec, ValidationRecord
from detector.validation.files import EVENT, read_written
from tests.evidence.media import make_video
from tests.registry.shipping import ship
from tests.validation.observed import observations

FRAME = {"kind": "frame", "trunk": "test_resnet", "width": 16}
SPEC = SuiteSpec(
    seconds=0.5, strength=1, sources=(SourceSpec(seed=1, size_px=240, crf=20, twins=("self_blend",)),), kinds_of={}
)


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A tiny model, one tiny sample, criteria that expect nothing, and a supplied suite of two clips; below `whole` a
    validation with all of these."""
    home = tmp_path_factory.mktemp("validation")
    (home / "weights").mkdir()
    ship(home / "weights", "a", "frame", FRAME, {})
    for folder in ("samples", "own/real", "own/fake"):
        (home / folder).mkdir(parents=True)
    for number, name in enumerate(("samples/clip.mp4", "own/real/0.mp4", "own/fake/0.mp4")):
        make_video(home / name, frames=2, fps=5, size=(64, 48 + 16 * number))
    (home / "samples" / "samples.json").write_text(json.dumps([{"file": "clip.mp4", "label": "genuine"}]))
    nothing = Expected(
        measured_on="", repeated="clip.mp4", sample_logits={}, figures=(), clips=0, clips_scored={}, files={}
    )
    made = Criteria(version=1, rules={}, least_per_label=10, tolerance_logit=0.01, suite=SPEC, expected=nothing)
    (home / "criteria.json").write_text(made.model_dump_json())
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FRAMEWITNESS_WEIGHTS", str(home / "weights"))
        patch.setenv("FRAMEWITNESS_HOME", str(home / "home"))
        patch.setattr(observe, "SAMPLES", home / "samples")
        shipped = {**(run.validate.__kwdefaults__ or {}), "criteria_path": home / "criteria.json"}
        patch.setattr(run.validate, "__kwdefaults__", shipped)
        out, own = str(home / "whole"), str(home / "own")
        assert main(["validate", "--suite", own, "--out", out, "--examiner", "A. Tester", "--device", "cpu"]) == 1
        yield home


@pytest.fixture
def whole(lab: Path) -> Path:
    """The folder of the finished validation."""
    return lab / "whole"


@pytest.fixture
def nothing_is_examined(monkeypatch: pytest.MonkeyPatch) -> None:
    """Clips that were made or examined once are not again; the comparison of two analyses, which is not kept, is."""

    def refused(*_: object) -> None:
        raise AssertionError("examined or made again")

    monkeypatch.setattr(predictions, "score_video", refused)
    monkeypatch.setattr(suite, "read_source", refused)
    monkeypatch.setattr(observe, "_repeated", lambda *_: observations().repeated)


def test_the_record_says_what_was_checked_and_with_what(lab: Path, whole: Path) -> None:
    record = ValidationRecord.read((whole / "validation.json").read_bytes())
    assert record.result == "fail"  # the model is none of those that were shipped
    found = {row.measure: row for row in record.criteria if row.part != "supplied_suite"}
    assert found["models_as_shipped"].detail == ("a: own",)
    for measure in ("repeated_analysis", "signed_files", "locked_versions"):
        assert found[measure].verdict == "pass", measure
    assert found["clips_scored"].verdict == "not_checked"
    assert [(row.verdict, row.reason) for row in record.criteria if row.part == "supplied_suite"] == [
        ("not_checked", "no_figure")
    ]
    made, supplied = record.suites
    assert (made.n_real, made.n_fake, made.identical_to_shipped) == (1, 1, 0)
    assert (supplied.n_real, supplied.n_fake) == (1, 1)
    assert {one.file: one.sha256 for one in supplied.files}["real/0.mp4"] == hash_file(lab / "own/real/0.mp4")[0]
    assert record.scores_sha256 == hash_file(whole / "scores.parquet")[0]
    assert len(read_scores(whole / "scores.parquet")) == 4
    assert "A. Tester" in PdfReader(whole / "validation.pdf").pages[0].extract_text()


def test_what_is_expected_is_measured_as_it_will_be_checked(
    lab: Path, whole: Path, tmp_path: Path, nothing_is_examined: None
) -> None:
    path = tmp_path / "criteria.json"
    shutil.copy(lab / "criteria.json", path)
    out = tmp_path / "out"
    shutil.copytree(whole, out)
    assert main(["validate", "--measure", str(path), "--out", str(out), "--device", "cpu"]) == 0
    newer = Criteria.read(path)
    assert (newer.version, newer.expected.clips, newer.expected.clips_scored) == (2, 2, {"a": 2})
    clips = [out / "suite" / f"portrait-01_{name}.mp4" for name in ("genuine", "self_blend")]
    assert newer.expected.files == {clip.name: hash_file(clip)[0] for clip in clips}


def test_it_is_an_event_of_the_stores_log(lab: Path, whole: Path) -> None:
    with CaseStore.open(lab / "home") as store:
        (event,) = [one for one in store.events(STORE_CHAIN) if one.action == EVENT]
        assert store.verify_all().problem is None
    assert event.actor == "A. Tester"
    assert event.details["result"] == "fail"
    assert event.details["record_sha256"] == read_written(whole).record_sha256


def test_an_interrupted_one_goes_on_and_comes_to_the_same_figures(
    lab: Path, whole: Path, tmp_path: Path, nothing_is_examined: None
) -> None:
    out = tmp_path / "out"
    shutil.copytree(whole, out)
    for name in ("validation.json", "validation.pdf", "scores.parquet"):
        (out / name).unlink()
    begun = json.loads((out / "request.json").read_text())["begun_at"]
    written = run.validate(out, supplied=lab / "own", criteria_path=lab / "criteria.json", device="cpu")
    before = ValidationRecord.read((whole / "validation.json").read_bytes())
    assert written.record.criteria[1:] == before.criteria[1:]
    assert written.record.suites == before.suites
    assert written.record.examiner == "A. Tester"
    assert written.record.begun_at.isoformat().startswith(begun[:19])
    assert (out / "scores.parquet").read_bytes() == (whole / "scores.parquet").read_bytes()


def test_a_record_is_never_replaced_and_another_suite_is_another_validation(
    lab: Path, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(SettingsError, match="finished validation"):
        run.validate(whole, supplied=lab / "own", criteria_path=lab / "criteria.json")
    out = tmp_path / "out"
    out.mkdir()
    shutil.copy(whole / "request.json", out)
    with pytest.raises(SettingsError, match="begun with another suite"):
        run.validate(out, criteria_path=lab / "criteria.json")
    monkeypatch.setattr(run, "code_sha256", lambda: "0" * 64)
    with pytest.raises(SettingsError, match="begun with another state of the program"):
        run.validate(out, supplied=lab / "own", criteria_path=lab / "criteria.json")
    with pytest.raises(SettingsError, match="is not there"):
        run.validate(tmp_path / "new", supplied=tmp_path / "gone", criteria_path=lab / "criteria.json")
    assert not (tmp_path / "new").exists()
    with pytest.raises(SettingsError, match="is a file"):
        run.validate(whole / "validation.pdf", criteria_path=lab / "criteria.json")


def test_a_clip_of_the_suite_that_was_altered_is_made_again(whole: Path, tmp_path: Path) -> None:
    folder = tmp_path / "suite"
    shutil.copytree(whole / "suite", folder)
    assert suite.is_whole(folder)
    clip = next(folder.glob("*_self_blend.mp4"))
    clip.write_bytes(clip.read_bytes()[:-1])
    assert not suite.is_whole(folder)
