"""A file that was checked is the file that is read, whatever is put in its place in between."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from detector.errors import EvidenceError
from detector.evidence import ingest, open_regular


def test_a_file_beneath_the_folder_is_read_also_through_a_link_within_it(tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "clip.mp4").write_bytes(b"bytes")
    (tmp_path / "link").symlink_to(tmp_path / "inner")
    for path in (tmp_path / "inner" / "clip.mp4", tmp_path / "link" / "clip.mp4"):
        with open_regular(path, beneath=tmp_path) as stream:
            assert stream.read() == b"bytes"


@pytest.mark.parametrize("swapped", ["given/clip.mp4", "given"])
def test_what_becomes_a_link_after_the_check_is_not_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, swapped: str
) -> None:
    root, outside = tmp_path / "root", tmp_path / "outside"
    for folder, content in ((root, b"evidence"), (outside, b"secret")):
        (folder / "given").mkdir(parents=True)
        (folder / "given" / "clip.mp4").write_bytes(content)
    resolve = Path.resolve

    def check_then_swap(path: Path, strict: bool = False) -> Path:
        found = resolve(path, strict)
        if path.name == "clip.mp4":
            taken = root / swapped
            taken.rename(tmp_path / "away")
            taken.symlink_to(outside / swapped)
        return found

    monkeypatch.setattr(Path, "resolve", check_then_swap)
    with pytest.raises(EvidenceError, match="Cannot read"):
        open_regular(root / "given" / "clip.mp4", beneath=root)


def test_a_path_outside_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "root").mkdir()
    (tmp_path / "secret").write_bytes(b"secret")
    (tmp_path / "root" / "link").symlink_to(tmp_path / "secret")
    for path in (tmp_path / "secret", tmp_path / "root" / ".." / "secret", tmp_path / "root" / "link"):
        with pytest.raises(EvidenceError, match="beneath"):
            open_regular(path, beneath=tmp_path / "root")


def test_pipes_folders_and_impossible_paths_are_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    for name in ("pipe", "", "nul\0.mp4", "loop", "x" * 5000):
        for beneath in (None, tmp_path):
            with pytest.raises(EvidenceError):
                open_regular(tmp_path / name, beneath=beneath)
        with pytest.raises(EvidenceError):
            ingest(tmp_path / name, tmp_path / "store")
    assert [path for path in (tmp_path / "store").rglob("*") if path.is_file()] == []
