"""The project's own files agree: pins and their lock, the hooks and `make lint`, one version."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import yaml

from detector import __version__

ROOT = Path(__file__).parents[1]


def lines_of(name: str) -> list[str]:
    return [line for line in (ROOT / name).read_text(encoding="utf-8").splitlines() if line and line[0] not in "#-"]


def test_the_lock_pins_every_package_once_and_holds_what_is_required() -> None:
    locked = [line.lower().replace("_", "-") for line in lines_of("requirements.lock")]
    assert all(re.fullmatch(r"[a-z0-9.-]+==[a-z0-9.+]+", line) for line in locked)
    assert len({line.partition("==")[0] for line in locked}) == len(locked)
    required = [*lines_of("requirements.txt"), *lines_of("requirements-dev.txt")]
    assert {line.lower().replace("_", "-") for line in required} <= set(locked)


def test_a_commit_is_checked_by_the_linters_of_make_lint() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    recipe = re.search(r"^lint: dev\n((?:\t.*\n)+)", makefile, flags=re.MULTILINE)
    assert recipe is not None
    linted = [line.strip().replace("$(BIN)", ".venv/bin").removesuffix(" .") for line in recipe[1].splitlines()]
    (local,) = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))["repos"]
    assert local["repo"] == "local"
    assert [hook["entry"] for hook in local["hooks"]] == linted


def test_the_version_stands_in_one_place_and_in_the_changes() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert "version" in project["project"]["dynamic"]
    assert project["tool"]["setuptools"]["dynamic"]["version"] == {"attr": "detector.__version__"}
    newest = re.search(
        r"^## (?!Unreleased$)(\S+)$", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), flags=re.MULTILINE
    )
    assert newest is not None
    assert newest[1] == __version__


def test_every_accepted_finding_of_the_audit_has_its_reason() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    sources = [path for folder in ("detector", "pages") for path in (ROOT / folder).rglob("*.py")]
    excepted = [re.findall(r"# nosec\b(.*)", path.read_text(encoding="utf-8")) for path in sources]
    named = [re.findall(r"B\d{3}", note) for notes in excepted for note in notes]
    assert all(named), "a bare nosec accepts everything"
    accepted = {*project["tool"]["bandit"]["skips"], *(one for ids in named for one in ids)}
    explained = re.findall(
        r"^\| (B\d{3}.*?) \|", (ROOT / "SECURITY.md").read_text(encoding="utf-8"), flags=re.MULTILINE
    )
    assert accepted == {one for row in explained for one in re.findall(r"B\d{3}", row)}
