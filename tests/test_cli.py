"""The command line: what it prints, where, and how it exits."""

from __future__ import annotations

import argparse
import importlib
import json
import shutil
import signal
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from detector.analysis import analysis_from_dict, analysis_to_dict, load_landmarks
from detector.cases import CaseStore
from detector.cli import COMMANDS, main
from detector.commands.interrupts import Interrupts
from detector.errors import NotMediaError
from detector.evidence import Evidence, StoredFile, examine
from tests.pages.seed import write_clip, write_model

QUICK = ["--frames-per-second", "3"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cli")
    write_model(folder / "weights")
    write_clip(folder / "clip.mp4")
    (folder / "letter.mp4").write_text("Dear Sir or Madam, this is not a video.")
    (folder / "empty.mp4").touch()
    return folder


@pytest.fixture(autouse=True)
def surroundings(folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("FRAMEWITNESS_WEIGHTS", str(folder / "weights"))
    monkeypatch.setenv("FRAMEWITNESS_HOME", str(tmp_path / "home"))


def test_every_command_that_a_module_adds_can_be_run(capsys: pytest.CaptureFixture[str]) -> None:
    added: set[str] = set()
    for module in {module for module, _ in COMMANDS.values()}:
        parser = argparse.ArgumentParser().add_subparsers()
        importlib.import_module(module).add_commands(parser)
        added |= set(parser.choices)
    assert added == set(COMMANDS)
    for name in COMMANDS:
        with pytest.raises(SystemExit) as left:
            main([name, "--help"])
        assert left.value.code == 0
        assert f"python -m detector {name}" in capsys.readouterr().out


def test_analyze_prints_one_object_and_tells_progress_elsewhere(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["analyze", str(folder / "clip.mp4"), *QUICK]) == 0
    out, err = capsys.readouterr()
    lines = out.splitlines()
    assert len(lines) == 1
    result = json.loads(lines[0])
    assert result["evidence"]["file_name"] == "clip.mp4"
    assert result["settings"]["frames_per_second"] == 3.0
    assert result["models"][0]["model_id"] == "tiny"
    assert len(result["tracks"]) == 1
    assert 0 < result["conclusion"]["score"] < 1
    assert "100%" in err
    assert "Looking for faces" in err


def test_several_files_give_a_line_each_and_the_first_failure_sets_the_status(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = [str(folder / name) for name in ("letter.mp4", "clip.mp4", "empty.mp4", "clip.mp4")]
    assert main(["analyze", *files, *QUICK, "--quiet", "--out", str(tmp_path / "out")]) == 3
    out, err = capsys.readouterr()
    first, second = (json.loads(line) for line in out.splitlines())
    assert first["analysis_id"] == second["analysis_id"]
    assert first["conclusion"] == second["conclusion"]
    assert len(err.splitlines()) == 2
    assert "letter.mp4: error: evidence_not_media" in err
    assert "empty.mp4: error: evidence_empty" in err
    written = sorted(path.name for path in (tmp_path / "out").iterdir())
    base = f"clip-{first['evidence']['sha256'][:12]}"
    assert written == [f"{base}.json", f"{base}.landmarks.npz"]
    kept = json.loads((tmp_path / "out" / written[0]).read_text())
    landmarks = load_landmarks(tmp_path / "out" / written[1])
    again = analysis_from_dict(kept, stored_path=Path("/gone"), landmarks=landmarks)
    assert again.tracks[0].faces[0].face.landmarks is not None


@pytest.mark.parametrize("command", ["analyze", "forensics"])
def test_a_fault_of_the_program_with_one_file_leaves_the_next_alone(
    command: str, folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def stumbling(stored: StoredFile) -> Evidence:
        if stored.file_name == "empty.mp4":
            return [][1]
        return examine(stored)

    monkeypatch.setattr("detector.evidence.examine", stumbling)
    files = [str(folder / name) for name in ("clip.mp4", "empty.mp4", "letter.mp4", "clip.mp4")]
    assert main([command, *files, *(["--quiet", *QUICK] if command == "analyze" else [])]) == 1
    out, err = capsys.readouterr()
    assert len(out.splitlines()) == 2
    fault, refusal = err.splitlines()
    assert "empty.mp4: error: internal_error: " in fault
    assert "IndexError: list index out of range in test_cli.py, line" in fault
    assert "letter.mp4: error: evidence_not_media" in refusal


def test_what_a_decoder_says_of_a_file_stays_in_one_printable_line(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refusing(stored: StoredFile) -> Evidence:
        raise NotMediaError("Expected an image, found one that says: \x1b[31mend\nof file\n.")

    monkeypatch.setattr("detector.evidence.examine", refusing)
    assert main(["forensics", str(folder / "clip.mp4")]) == 3
    (line,) = capsys.readouterr().err.splitlines()
    assert "error: evidence_not_media: " in line
    assert line.isprintable()


def test_a_hostile_name_drives_neither_terminal_nor_path(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name = "\x1b[31m$(rm -rf)\r\n..%2f<b>é.mp4"
    shutil.copy(folder / "clip.mp4", tmp_path / name)
    assert main(["analyze", str(tmp_path / name), *QUICK, "--format", "text", "--out", str(tmp_path / "out")]) == 0
    out, err = capsys.readouterr()
    assert "\x1b" not in out + err
    assert "\r" not in out + err
    assert "SHA-256" in out
    (result,) = (tmp_path / "out").glob("*.json")
    assert json.loads(result.read_text())["evidence"]["file_name"] == name


@pytest.mark.parametrize(
    ("arguments", "status", "complaint"),
    [
        (["analyze", "{folder}/missing.mp4"], 3, "evidence_unreadable"),
        (["analyze", "{folder}"], 3, "evidence_unreadable"),
        (["analyze", "{folder}/clip.mp4", "--models", "absent"], 4, "model_not_found"),
        (["analyze", "{folder}/clip.mp4", "--frames-per-second", "0"], 2, "settings_invalid"),
        (["models", "show", "absent"], 4, "model_not_found"),
        (["cases", "show", "absent"], 1, "store_error"),
        (["report", "absent", "--out", "{folder}/absent.pdf"], 1, "store_error"),
        (["bench", "{folder}/letter.mp4"], 3, "evidence_not_media"),
    ],
)
def test_failures_have_their_status_and_a_code(
    folder: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], status: int, complaint: str
) -> None:
    assert main([argument.format(folder=folder) for argument in arguments]) == status
    out, err = capsys.readouterr()
    assert out == ""
    assert complaint in err


@pytest.mark.parametrize(
    "arguments", [[], ["divine"], ["analyze"], ["analyze", "x", "--max-frames", "many"], ["cases"], ["models", "guess"]]
)
def test_wrong_usage_exits_with_2(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as raised:
        main(arguments)
    assert raised.value.code == 2


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without CUDA")
def test_cuda_where_there_is_none_is_wrong_usage(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["analyze", str(folder / "clip.mp4"), "--device", "cuda"]) == 2
    assert "CUDA" in capsys.readouterr().err


def test_changed_weights_are_refused(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(folder / "weights", tmp_path / "weights")
    path = tmp_path / "weights" / "tiny.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    monkeypatch.setenv("FRAMEWITNESS_WEIGHTS", str(tmp_path / "weights"))
    assert main(["analyze", str(folder / "clip.mp4")]) == 4
    assert main(["models", "verify"]) == 4
    assert capsys.readouterr().err.count("weights_refused") == 2


def test_models(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "list"]) == 0
    assert capsys.readouterr().out.startswith("tiny\tframe\t")
    assert main(["models", "list", "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["model_id"] == "tiny"
    assert main(["models", "show", "tiny", "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["crop"]["size_px"] == 64
    assert main(["models", "verify"]) == 0
    assert capsys.readouterr().out == "tiny\tverified\town\n"


def test_a_case_from_analysis_to_export(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    analyse = ["analyze", str(folder / "clip.mp4"), *QUICK, "--quiet", "--case", "Smith v. Jones"]
    assert main(analyse) == 0
    assert main(analyse) == 0
    capsys.readouterr()
    assert main(["cases", "list"]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    case_id, reference, exhibits, analyses, title = line.split("\t")
    assert (exhibits, analyses, title) == ("1 exhibit", "1 analysis", "Smith v. Jones")
    for name in (case_id, reference, title):
        assert main(["cases", "show", name]) == 0
        shown = json.loads(capsys.readouterr().out)
        assert shown["case"]["case_id"] == case_id
        assert shown["exhibits"][0]["file_name"] == "clip.mp4"
    assert main(["cases", "verify", case_id]) == 0
    assert "intact" in capsys.readouterr().out
    assert main(["cases", "export", case_id, "--out", str(tmp_path / "case.zip")]) == 0
    assert zipfile.ZipFile(tmp_path / "case.zip").testzip() is None
    assert main(["report", title, "--out", str(tmp_path / "case.pdf")]) == 0
    assert (tmp_path / "case.pdf").read_bytes().startswith(b"%PDF")
    (stored,) = (path for path in (tmp_path / "home" / "evidence").rglob("*") if path.is_file())
    stored.chmod(0o600)
    stored.write_bytes(stored.read_bytes()[:-1])
    capsys.readouterr()
    assert main(["cases", "verify", case_id]) == 1
    out, err = capsys.readouterr()
    assert "differs" in out
    assert "case_differs" in err


def test_work_that_comes_to_nothing_leaves_nothing(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["analyze", str(folder / "letter.mp4"), "--quiet", "--case", "Nothing"]) == 3
    with CaseStore.open(tmp_path / "home") as store:
        assert store.cases() == []
        assert [path for path in store.evidence_dir.rglob("*") if path.is_file()] == []
        store.metadata.archive(store.create_case("Done with").case_id, "retention")
    assert main(["analyze", str(folder / "clip.mp4"), "--quiet", "--case", "Done with"]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert "archived" in err


def test_bench_measures(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", str(folder / "clip.mp4"), "--format", "json"]) == 0
    done = json.loads(capsys.readouterr().out)
    assert done["conditions"]["clip"] == "clip.mp4"
    assert done["conditions"]["cores"] >= 1
    assert (done["compare"], done["baseline"], done["concurrency"], done["long"]) == (None, None, [], None)
    report = done["speed"]
    assert report["frames_examined"] == report["faces_scored"] == 10
    stages = {stage["name"]: stage for stage in report["stages"]}
    assert set(stages) == {"decode", "faces, tracks, crops", "forensics", "scores:tiny"}
    assert all(stage["busy_s"] > 0 for stage in stages.values())
    assert {name for name, stage in stages.items() if stage["alone"]} == set(stages) - {"forensics"}
    assert all(stage["alone"]["wall_s"] > 0 < stage["alone"]["cpu_s"] for stage in stages.values() if stage["alone"])
    bounds = report["bounds"]
    assert bounds["faces_s"] == stages["faces, tracks, crops"]["alone"]["wall_s"]
    assert bounds["models_s"] == 0
    assert report["bound_ratio"] == report["total_s"] / max(
        bounds[f"{one}_s"] for one in ("decode", "faces", "networks")
    )
    assert report["peak_with_children_mib"] > 50 < report["peak_rss_mib"]
    assert report["frames_per_s"] == pytest.approx(10 / report["total_s"])


def test_help_names_the_program_as_it_was_called(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["/opt/framewitness/.venv/bin/framewitness", "models", "--help"])
    with pytest.raises(SystemExit):
        main()
    assert capsys.readouterr().out.startswith("usage: framewitness models")


def test_help_names_every_command() -> None:
    done = subprocess.run([sys.executable, "-m", "detector", "--help"], capture_output=True, text=True, check=True)
    assert all(f"    {name}" in done.stdout for name in COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as raised:
        main([command, "--help"])
    assert raised.value.code == 0
    assert f"usage: python -m detector {command}" in capsys.readouterr().out


def test_what_is_printed_of_a_repeated_analysis_is_what_is_on_record(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The second time under another name: equal work is kept once, so the record's own name is printed."""
    shutil.copy(folder / "clip.mp4", tmp_path / "copy.mp4")
    printed = []
    for path in (folder / "clip.mp4", tmp_path / "copy.mp4"):
        assert main(["analyze", str(path), *QUICK, "--quiet", "--case", "Twice"]) == 0
        printed.append(json.loads(capsys.readouterr().out))
    assert printed[0] == printed[1]
    with CaseStore.open(tmp_path / "home") as store:
        (record,) = store.analyses()
        assert analysis_to_dict(store.analysis(record.record_id)) == printed[0]


def test_a_swapped_stored_file_is_put_right_before_it_is_analysed(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["analyze", str(folder / "clip.mp4"), *QUICK, "--quiet", "--case", "Swap"]
    assert main(arguments) == 0
    stored = next(path for path in (tmp_path / "home" / "evidence").rglob("*") if path.is_file())
    stored.chmod(0o644)
    stored.write_bytes(bytes(stored.stat().st_size))
    assert main(arguments) == 0
    assert stored.read_bytes() == (folder / "clip.mp4").read_bytes()
    assert main(["cases", "verify", "--all"]) == 1
    assert "was not the evidence" in capsys.readouterr().err
    assert main(["cases", "acknowledge", "A disk error.", "--case", "Swap", "--author", "Ada"]) == 0
    assert "Ada on this: A disk error." in capsys.readouterr().out
    assert main(["cases", "verify", "--all"]) == 0


def test_a_refused_file_leaves_nothing_and_strays_are_cleared(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["analyze", str(folder / "letter.mp4"), *QUICK, "--quiet", "--case", "Letter"]) == 3
    evidence = tmp_path / "home" / "evidence"
    assert [path for path in evidence.rglob("*") if path.is_file()] == []
    (evidence / "stray").write_bytes(b"left by an earlier version")
    assert main(["cases", "verify", "--all"]) == 0
    assert "Nothing names the file" in capsys.readouterr().err
    assert main(["cases", "strays"]) == 0
    assert main(["cases", "strays", "--clear"]) == 0
    assert capsys.readouterr().out.count(str(evidence / "stray")) == 2
    assert not (evidence / "stray").exists()


@pytest.fixture(scope="module")
def long_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clip(tmp_path_factory.mktemp("long") / "long.mp4", seconds=30.0)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_ends_it_soon_and_records_nothing(long_clip: Path, tmp_path: Path, number: signal.Signals) -> None:
    command = [
        sys.executable,
        "-m",
        "detector",
        "analyze",
        str(long_clip),
        "--frames-per-second",
        "12",
        "--case",
        "Interrupted",
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if "Looking for faces" in line:
                break
        process.send_signal(number)
        out, err = process.communicate(timeout=300)
    assert process.returncode == 130
    assert out == ""
    assert "Interrupted" in err
    assert "Traceback" not in err
    with CaseStore.open(tmp_path / "home") as store:
        assert store.analyses() == []
        assert store.cases() == []
        assert [path for path in store.evidence_dir.rglob("*") if path.is_file()] == []


def raise_within(*numbers: signal.Signals) -> bool:
    """Send signals to ourselves during a deferral; True where the code after them still ran."""
    reached = []
    try:
        with Interrupts() as interrupts, interrupts.deferred():
            for number in numbers:
                signal.raise_signal(number)
            reached.append(interrupts.asked())
    except KeyboardInterrupt:
        return reached == [True]
    pytest.fail("the signals were lost")


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Python's own SIGINT handler, whatever started the tests: a background job of a shell ignores the signal."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
def test_a_first_signal_waits_and_a_second_does_not() -> None:
    assert raise_within(signal.SIGINT)
    assert raise_within(signal.SIGTERM)
    assert not raise_within(signal.SIGINT, signal.SIGINT)
    assert not raise_within(signal.SIGTERM, signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_signal_between_files_does_not_wait() -> None:
    with Interrupts(), pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGTERM)
