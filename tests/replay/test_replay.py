"""A bundle written, taken away and run again."""

from __future__ import annotations

import json
import shutil
import zipfile
from importlib.metadata import version
from pathlib import Path

import pytest
import torch

from detector.analysis.environment import environment
from detector.cases import CaseStore
from detector.cli import main
from detector.errors import ModelError, StoreError
from detector.registry import find_card
from detector.replay import open_bundle, replay, write_replay_bundle
from tests.pages.seed import write_model
from tests.replay.conftest import NAME, Bundled
from tests.replay.forge import edited, members


def test_a_bundle_of_this_machine_replays_equal(bundled: Bundled, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["replay", str(bundled.with_input), "--quiet", "--format", "json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["outcome"] == "equal"
    assert told["differences"] == told["surroundings"] == told["cards"] == []
    assert told["compared"] > 100
    assert told["input"]["file_name"] == NAME
    assert told["analysis_id"]["recorded"] == told["analysis_id"]["replayed"]


def test_the_original_may_be_given_beside_the_bundle(bundled: Bundled, capsys: pytest.CaptureFixture[str]) -> None:
    threads = torch.get_num_threads()
    assert main(["replay", str(bundled.bundle), "--input", str(bundled.clip), "--quiet"]) == 0
    out, err = capsys.readouterr()
    assert out.startswith("Equal: ")
    assert "\u202e" not in out + err
    assert torch.get_num_threads() == threads


@pytest.mark.parametrize("other", [None, "another"])
def test_a_missing_or_another_original_exits_with_3(
    bundled: Bundled, tmp_path: Path, other: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    extra = ["--home", str(tmp_path / "elsewhere")]
    if other:
        (tmp_path / other).write_bytes(bundled.clip.read_bytes() + b"\0")
        extra = ["--input", str(tmp_path / other)]
    assert main(["replay", str(bundled.bundle), *extra, "--quiet", "--format", "json"]) == 3
    told = json.loads(capsys.readouterr().out)
    assert (told["outcome"], told["because"]) == ("not_replayed", "input")
    assert open_bundle(bundled.bundle).sha256 in told["explanation"]


def test_the_original_may_be_the_one_in_the_store(bundled: Bundled, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["replay", str(bundled.bundle), "--quiet"]) == 0
    assert capsys.readouterr().out.startswith("Equal: ")


def test_a_missing_model_exits_with_4(bundled: Bundled, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.rmtree(tmp_path / "weights")
    write_model(tmp_path / "weights", "someone-else")
    assert main(["replay", str(bundled.with_input), "--quiet", "--format", "json"]) == 4
    told = json.loads(capsys.readouterr().out)
    assert (told["because"], told["code"]) == ("model", "model_not_found")


def test_other_weights_exit_with_4_and_both_hashes_are_told(
    bundled: Bundled, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    card = tmp_path / "weights" / "tiny.card.json"
    before = find_card("tiny").weights_sha256
    card.write_text(card.read_text().replace(before, "0" * 64))
    assert main(["replay", str(bundled.with_input), "--quiet"]) == 4
    said = capsys.readouterr().err
    assert before in said
    assert "0" * 64 in said
    assert "weights_refused" in said


def test_a_replay_by_another_runtime_is_held_to_the_tolerance_and_says_so(
    bundled: Bundled, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FRAMEWITNESS_HOME", str(tmp_path))  # for what is converted
    assert main(["replay", str(bundled.with_input), "--quiet", "--format", "json", "--runtime", "onnxruntime"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["outcome"] == "within_tolerance"
    assert told["runtimes"]["recorded"] == "torch"
    assert told["runtimes"]["replayed"] == f"onnxruntime {version('onnxruntime')}"
    assert "run by torch then and by onnxruntime" in told["statement"]
    assert told["analysis_id"]["recorded"] != told["analysis_id"]["replayed"]


def test_a_replay_uses_the_runtime_of_the_record_where_it_is_installed(
    bundled: Bundled, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def by_another(analysis: dict) -> None:  # type: ignore[type-arg]
        analysis["identity"]["models"][0]["runtime"] = "onnxruntime 1.0"

    asked = []

    def refused(ids: list[str], device: str, *, runtime: str) -> None:
        asked.append(runtime)
        raise ModelError("as far as this test goes")

    monkeypatch.setattr("detector.registry.load_set", refused)
    forged = edited(bundled.with_input, tmp_path / "forged.zip", "analysis.json", by_another)
    for bundle in (bundled.with_input, forged):
        with pytest.raises(ModelError):
            replay(bundle)
    monkeypatch.setattr("detector.runtime.choice.version_of", lambda name: None)
    with pytest.raises(ModelError):
        replay(forged)
    assert asked == ["torch", "onnxruntime", "torch"]


def test_another_result_is_found_where_it_is(
    bundled: Bundled, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def change(analysis: dict) -> None:  # type: ignore[type-arg]
        for frame in analysis["models"][0]["tracks"][0]["frames"]:
            frame["logit"] += 0.25
        analysis["environment"]["torch"] = "0.1"
        analysis["tool"]["version"] = "0.0.1"

    forged = edited(bundled.with_input, tmp_path / "forged.zip", "analysis.json", change)
    assert main(["replay", str(forged), "--quiet"]) == 1
    out = capsys.readouterr().out
    assert out.startswith("Different: ")
    assert "models[tiny].tracks[*].frames[*].logit" in out
    assert "and 3 more (--all lists them)" in out
    assert "Beyond it: models 6." in out
    assert "torch: 0.1 then" in out
    assert "tool version: 0.0.1 then" in out
    assert main(["replay", str(forged), "--quiet", "--all", "--format", "json"]) == 1
    (group,) = json.loads(capsys.readouterr().out)["differences"]
    assert len(group["values"]) == 6
    assert group["beyond_tolerance"] == 6
    assert main(["replay", str(forged), "--quiet", "--tolerance", "0.3"]) == 0
    assert capsys.readouterr().out.startswith("Equal within tolerance: ")


def test_a_card_that_reads_scores_otherwise_is_told(
    bundled: Bundled, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    card = tmp_path / "weights" / "tiny.card.json"
    card.write_text(card.read_text().replace('"margin": 0.1', '"margin": 0.6'))
    assert main(["replay", str(bundled.with_input), "--quiet", "--format", "json"]) == 1
    told = json.loads(capsys.readouterr().out)
    (change,) = told["cards"]
    assert change["name"] == "tiny: crop"
    assert "models[tiny].tracks[*].frames[*].logit" in {group["path"] for group in told["differences"]}


def test_the_command_writes_a_bundle_and_the_log_says_so(
    bundled: Bundled, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(bundled.home, tmp_path / "home")
    home = ["--home", str(tmp_path / "home")]
    assert main(["bundle", f"R/1/{bundled.record_id}", "--out", str(tmp_path / "b.zip"), "--with-input", *home]) == 0
    assert members(tmp_path / "b.zip").keys() == members(bundled.with_input).keys()
    described = json.loads(members(tmp_path / "b.zip")["replay.json"])
    assert described["environment"]["analysis"]["python"] == environment()["python"]
    assert described["models"][0]["card"]["crop"]["size_px"] == 64
    with CaseStore.open(tmp_path / "home") as store:
        (case,) = store.cases()
        event = store.events(case.case.case_id)[-1]
        assert store.verify(case.case.case_id).ok
    assert event.action == "case_exported"
    assert (event.details["form"], event.details["record_id"]) == ("replay-with-input", bundled.record_id)
    capsys.readouterr()
    assert main(["bundle", f"R/2/{bundled.record_id}", "--out", str(tmp_path / "c.zip"), *home]) == 1
    assert not (tmp_path / "c.zip").exists()
    assert str(tmp_path) not in str(members(tmp_path / "b.zip"))


def test_equal_records_give_equal_bytes(bundled: Bundled, tmp_path: Path) -> None:
    with CaseStore.open(bundled.home) as store:
        first = write_replay_bundle(store, bundled.record_id, tmp_path / "1.zip")
        second = write_replay_bundle(store, bundled.record_id, tmp_path / "2.zip")
    assert first == second
    with zipfile.ZipFile(tmp_path / "1.zip") as archive:
        assert archive.testzip() is None


def test_what_was_changed_in_the_store_is_not_bundled(bundled: Bundled, tmp_path: Path) -> None:
    shutil.copytree(bundled.home, tmp_path / "home")
    with CaseStore.open(tmp_path / "home") as store:
        path = store.exhibit(store.record(bundled.record_id).exhibit_id).evidence.file.path
        path.chmod(0o600)
        path.write_bytes(b"something else")
        with pytest.raises(StoreError, match="was changed"):
            write_replay_bundle(store, bundled.record_id, tmp_path / "b.zip", include_input=True)
        saved = next(kept.path for kept in store.record(bundled.record_id).artefacts if kept.kind == "analysis")
        saved.write_text("{}")
        with pytest.raises(StoreError, match="was changed"):
            write_replay_bundle(store, bundled.record_id, tmp_path / "b.zip")
    assert [path.name for path in tmp_path.glob("*.zip")] == []
    assert [path.name for path in tmp_path.glob(".bundling-*")] == []


@pytest.mark.parametrize("tolerance", ["-1", "nan", "inf"])
def test_a_tolerance_must_make_sense(bundled: Bundled, tolerance: str) -> None:
    assert main(["replay", str(bundled.with_input), "--tolerance", tolerance]) == 2
