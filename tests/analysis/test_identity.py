"""The commit of a checkout is read without running git."""

from __future__ import annotations

from pathlib import Path

from detector import __version__
from detector.analysis.identity import commit_of, tool

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def checkout(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def test_branch(tmp_path: Path) -> None:
    assert (
        commit_of(checkout(tmp_path, {".git/HEAD": "ref: refs/heads/main\n", ".git/refs/heads/main": COMMIT})) == COMMIT
    )


def test_packed_branch(tmp_path: Path) -> None:
    packed = f"# pack-refs with: peeled\n{'f' * 40} refs/heads/domain\n{COMMIT} refs/heads/main\n"
    assert commit_of(checkout(tmp_path, {".git/HEAD": "ref: refs/heads/main\n", ".git/packed-refs": packed})) == COMMIT


def test_detached_head(tmp_path: Path) -> None:
    assert commit_of(checkout(tmp_path, {".git/HEAD": COMMIT + "\n"})) == COMMIT


def test_worktree(tmp_path: Path) -> None:
    files = {
        "tree/.git": "gitdir: ../main/.git/worktrees/tree\n",
        "main/.git/worktrees/tree/HEAD": "ref: refs/heads/topic\n",
        "main/.git/worktrees/tree/commondir": "../..\n",
        "main/.git/refs/heads/topic": COMMIT,
    }
    assert commit_of(checkout(tmp_path, files) / "tree") == COMMIT


def test_no_checkout(tmp_path: Path) -> None:
    assert commit_of(tmp_path) is None
    assert commit_of(checkout(tmp_path, {".git": "not a pointer"})) is None


def test_the_tool_states_its_version() -> None:
    assert (tool().name, tool().version) == ("framewitness", __version__)
