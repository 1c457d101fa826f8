"""`python -m detector forensics`: no model, no case, one object or one text a file."""

from __future__ import annotations

import json
from pathlib import Path

import av
import pytest
from PIL import Image

from detector.cli import main
from tests.evidence.media import make_still, make_video


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("command")
    make_video(folder / "clip.mp4", frames=10)
    make_still(folder / "a.jpg", quality=85)
    (folder / "letter.mp4").write_text("Dear Sir or Madam, this is not a video.")
    return folder


def test_one_json_object_a_file(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["forensics", str(folder / "clip.mp4"), str(folder / "a.jpg")]) == 0
    video, still = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert video["file_name"] == "clip.mp4"
    assert video["provenance"]["state"] == "absent"
    assert video["forensics"]["frames"]["packets"]["count"] == 10
    assert still["forensics"]["frames"] is None
    assert still["forensics"]["metadata"]["jpeg"]["quality"] == 85


def test_text_says_both_sides_of_every_finding(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["forensics", str(folder / "clip.mp4"), "--format", "text"]) == 0
    out = capsys.readouterr().out
    assert "Content credentials: absent." in out
    assert out.count(" can mean: ") == out.count(" cannot mean: ") > 5
    assert "Not examined: A trace of an earlier coding was not looked for." in out


def test_a_file_that_is_no_media_is_refused_and_the_others_still_run(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["forensics", str(folder / "letter.mp4"), str(folder / "a.jpg")]) == 3
    out, err = capsys.readouterr()
    assert len(out.splitlines()) == 1
    assert "evidence_not_media" in err


def test_a_file_is_read_in_a_child_and_only_hashed_by_the_command_itself(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    read_here: list[object] = []

    def read(file: object, *_: object, **__: object) -> None:
        read_here.append(file)
        raise AssertionError("A decoder was to read a file in the process of the command.")

    for place in (av, Image, Path):
        monkeypatch.setattr(place, "open", read)
    assert main(["forensics", str(folder / "clip.mp4"), str(folder / "a.jpg")]) == 0
    video, still = (json.loads(line)["forensics"] for line in capsys.readouterr().out.splitlines())
    assert video["frames"]["packets"]["count"] == 10
    assert still["metadata"]["jpeg"]["quality"] == 85
    assert read_here == []


def test_a_hostile_name_drives_no_terminal(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "\x1b[31mred\n.mp4"
    path.write_bytes((folder / "clip.mp4").read_bytes())
    assert main(["forensics", str(path), "--format", "text"]) == 0
    assert "\x1b" not in capsys.readouterr().out
