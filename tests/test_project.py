"""The project's own files agree: pins and their lock, the hooks and `make lint`, one version."""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path

import pytest
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


def test_every_accepted_finding_of_bandit_has_its_place_and_reason() -> None:
    skipped = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["bandit"]["skips"]
    excepted: dict[str, set[str]] = {}
    for path in [*(ROOT / "detector").rglob("*.py"), *(ROOT / "pages").rglob("*.py"), ROOT / "app.py"]:
        for note in re.findall(r"# nosec\b(.*)", path.read_text(encoding="utf-8")):
            named = re.findall(r"B\d{3}", note)
            assert named, "a bare nosec accepts everything"
            for one in named:
                excepted.setdefault(one, set()).add(str(path.relative_to(ROOT)))
    security = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
    written = re.findall(r"^\| (B\d{3}.*?) \| (.+?) \| \S.* \|$", security, flags=re.MULTILINE)
    explained = {one: set(re.findall("`(.+?)`", where)) for row, where in written for one in re.findall(r"B\d{3}", row)}
    assert set(explained) == {*skipped, *excepted}
    assert {one: explained[one] for one in excepted} == excepted


def test_what_the_threat_model_says_is_tested_is_there() -> None:
    security = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`(tests/.+?)`", security))
    assert len(named) > 10
    assert [path for path in sorted(named) if not (ROOT / path).exists()] == []
    targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert set(re.findall(r"`make ([a-z]+)`", security)) <= set(targets)


@pytest.mark.parametrize(
    ("script", "status", "said"),
    [
        ("exit 0", 0, ""),
        ("echo 'pillow 1.0 PYSEC-1'; exit 1", 2, "PYSEC-1"),
        ("echo 'no route to host' >&2; exit 1", 2, "No advisories could be had"),
    ],
)
def test_an_audit_without_an_answer_fails_and_says_so(script: str, status: int, said: str, tmp_path: Path) -> None:
    program = tmp_path / "pip-audit"
    program.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    program.chmod(0o700)
    asked = ["make", "--old-file=dev", "audit", f"BIN={tmp_path}"]
    run = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == status
    assert said in run.stdout + run.stderr
    assert ("No advisories" in run.stderr) == ("No advisories" in said)
