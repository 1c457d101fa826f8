"""The plan of the packages, enforced: which may import which, and how large a module may grow."""

from __future__ import annotations

import ast
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FLOW = [
    "evidence",
    "faces",
    "models",
    "measurement",
    "calibration",
    "runtime",
    "registry",
    "analysis",
    "explain",
    "cases",
    "replay",
    "report",
    "jobs",
]
BESIDE = {
    "synthesis": {"evidence", "faces", "models", "measurement", "calibration", "registry", "runtime", "analysis"},
    "training": {
        "evidence",
        "faces",
        "models",
        "measurement",
        "calibration",
        "registry",
        "runtime",
        "analysis",
        "synthesis",
    },
    "validation": {*FLOW[:-1], "synthesis", "training"},
    "benchmark": set(FLOW),
}
EVERYONE = {"errors", "settings"}
DISPATCH = {"cli", "commands", "__main__"}
MAX_LINES = 450
# What is run without this program cannot be split.
STANDS_ALONE = {"verify_case.py": 590}
MODULES = sorted((ROOT / "detector").rglob("*.py"))
ALL_MODULES = [*MODULES, *sorted((ROOT / "pages").rglob("*.py")), ROOT / "app.py"]


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


@cache
def imports_of(path: Path) -> set[str]:
    """Every module that a file imports, anywhere in it, as absolute dotted names."""
    package = path.relative_to(ROOT).parent.parts
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            source = ".".join([*base, *filter(None, [node.module])])
            found |= {source} | {f"{source}.{alias.name}" for alias in node.names}
    return found


def packages_of(imports: set[str]) -> set[str]:
    """The packages, or single modules, of the engine among imported names."""
    return {name.split(".")[1] for name in imports if name.startswith("detector.")} - {"__version__"}


def allowed_for(package: str) -> set[str]:
    above = set(FLOW[: FLOW.index(package)]) if package in FLOW else BESIDE[package]
    return above | EVERYONE | {package}


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_the_engine_knows_nothing_of_the_browser(path: Path) -> None:
    assert not {name.split(".")[0] for name in imports_of(path)} & {"streamlit", "pages", "app"}


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_a_package_imports_only_packages_above_it(path: Path) -> None:
    package = path.relative_to(ROOT / "detector").parts[0].removesuffix(".py")
    if package in DISPATCH:
        return
    if package in EVERYONE | {"__init__"}:
        assert packages_of(imports_of(path)) <= EVERYONE
        return
    assert packages_of(imports_of(path)) <= allowed_for(package), f"{package} may import {sorted(allowed_for(package))}"


@pytest.mark.parametrize("path", sorted((ROOT / "detector" / "models").rglob("*.py")), ids=name_of)
def test_networks_need_nothing_but_torch_and_timm(path: Path) -> None:
    outside = {name.split(".")[0] for name in imports_of(path)} - set(sys.stdlib_module_names)
    assert outside <= {"torch", "timm", "detector"}
    assert packages_of(imports_of(path)) <= {"models"}


@pytest.mark.parametrize("path", ALL_MODULES, ids=name_of)
def test_a_module_stays_readable_in_one_sitting(path: Path) -> None:
    lines = len(path.read_text(encoding="utf-8").splitlines())
    assert lines <= STANDS_ALONE.get(path.name, MAX_LINES), f"{lines} lines; split it where it has two subjects"
    assert path.name not in {"utils.py", "helpers.py", "common.py"}


def test_every_package_is_known_here() -> None:
    packages = {path.name for path in (ROOT / "detector").iterdir() if path.is_dir() and any(path.glob("*.py"))}
    assert packages <= set(FLOW) | set(BESIDE) | DISPATCH
    assert {"evidence", "faces", "models", "registry", "analysis", "explain", "cases", "report", "jobs"} <= packages


def test_work_on_reports_waits_for_no_network_library() -> None:
    """torch and timm take seconds to import; a report and a worker's start need neither."""
    script = "import detector.report.issue, detector.replay, detector.jobs, sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert not {"torch", "timm", "lightning", "mediapipe"} & set(done.stdout.split())


def test_the_rule_finds_an_import_wherever_it_hides(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = tmp_path / "detector" / "faces" / "hidden.py"
    module.parent.mkdir(parents=True)
    module.write_text(
        "def later():\n    from ..cases import CaseStore\n    import streamlit.web\n    return CaseStore\n"
    )
    monkeypatch.setattr(sys.modules[__name__], "ROOT", tmp_path)
    assert packages_of(imports_of(module)) == {"cases"}
    assert "streamlit.web" in imports_of(module)
