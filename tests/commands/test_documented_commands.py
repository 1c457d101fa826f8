"""Every command that the documentation prints is run as printed, in a folder with a tiny clip and a tiny model."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from detector.cli import COMMANDS, main, parse
from detector.registry import shipped
from tests.pages.seed import write_clip, write_model

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted(
    path.relative_to(ROOT).as_posix()
    for path in (*ROOT.glob("README.md"), *ROOT.glob("C*.md"), *ROOT.glob("docs/*.md"))
)
# Not run here, but read by the command's own parser.
NOT_RUN = {
    "bench": "takes minutes for all that it can measure; tests/test_cli.py runs a part",
    "train": "takes a folder of labelled footage and hours, one line a GPU",
    "average": "takes runs that went on from the same weights",
    "export": "takes a finished run and measures it",
    "evaluate": "takes a folder of labelled footage and minutes",
    "calibration": "takes an evaluation of many labelled files",
    "validate": "takes the shipped models and minutes",
    "analyses": "takes a folder of labelled footage and minutes",
    "baselines": "takes the face bank of a training run",
}
PROGRAM = re.compile(r"(\.venv/bin/)?(framewitness|python -m detector) ")


def printed_lines(document: str) -> list[str]:
    """The lines of a document's shell blocks; `a && b` is two lines."""
    text = (ROOT / document).read_text(encoding="utf-8")
    blocks = re.findall(r"^```sh\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)
    return [part for block in blocks for line in block.splitlines() for part in line.split(" && ") if part.strip()]


def own_commands(document: str) -> list[list[str]]:
    """The arguments of each printed line that runs this program, comments left out."""
    lines = [line for line in printed_lines(document) if PROGRAM.match(line)]
    return [shlex.split(PROGRAM.sub("", line, count=1), comments=True) for line in lines]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    write_clip(tmp_path / "clip.mp4")
    write_model(tmp_path / "models", "frame-lite0")
    monkeypatch.setattr(shipped, "signed_list", dict)  # the name is a shipped model's, the weights are not
    monkeypatch.setenv("FRAMEWITNESS_WEIGHTS", str(tmp_path / "models"))
    monkeypatch.setenv("FRAMEWITNESS_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("document", DOCUMENTS)
def test_each_printed_command_runs(document: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in own_commands(document):
        if arguments[0] in NOT_RUN:
            assert parse(arguments).command == arguments[0]
            continue
        status = main(arguments)
        assert status == 0, f"{shlex.join(arguments)} ended with {status}:\n{capsys.readouterr().err}"


def test_every_command_is_documented() -> None:
    assert {arguments[0] for arguments in own_commands("docs/command-line.md")} == set(COMMANDS)
    assert set(NOT_RUN) <= set(COMMANDS)


@pytest.mark.parametrize("document", DOCUMENTS)
def test_other_programs_and_names_in_prose_exist(document: str) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for line in printed_lines(document):
        program, *words = shlex.split(line, comments=True) or ["docker"]
        if program == "make":
            assert all(re.search(rf"^{target}:", makefile, flags=re.MULTILINE) for target in words), line
        else:
            assert PROGRAM.match(line) or program == "docker", line
    named = re.findall(r"`(?:framewitness|python -m detector) ([a-z-]+)", (ROOT / document).read_text(encoding="utf-8"))
    assert set(named) <= set(COMMANDS)
