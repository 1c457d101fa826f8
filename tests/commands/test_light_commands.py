"""Commands that only read cards and the record answer at once: none imports what networks, pictures or tables need."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
HEAVY = {
    "cv2",
    "lightning",
    "matplotlib",
    "mediapipe",
    "onnxruntime",
    "pandas",
    "plotly",
    "pyarrow",
    "scipy",
    "sklearn",
    "streamlit",
    "timm",
    "torch",
    "torchvision",
}
SCRIPT = """
import contextlib, io, os, sys
from pathlib import Path
from detector.cases import CaseStore
from detector.cli import main
with CaseStore.open(Path(os.environ["FRAMEWITNESS_HOME"])) as store:
    store.create_case("Harbour", reference="2026-1", examiner="A. Examiner")
for line in {lines!r}:
    with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):
        assert main(line.split()) == 0, line
    print(line, *sorted({heavy!r} & set(sys.modules)), sep=" | ")
"""


def test_light_commands_import_no_heavy_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FRAMEWITNESS_HOME", str(tmp_path))
    monkeypatch.delenv("FRAMEWITNESS_WEIGHTS", raising=False)
    lines = [
        *("--help", "analyze --help", "report --help", "replay --help", "train --help", "evaluate --help"),
        *("models list", "models list --format json", "models show frame-lite0", "models table", "calibration show"),
        *("cases list", "cases show 2026-1", "cases search harbour", "cases verify --all", "cases strays"),
    ]
    script = SCRIPT.format(lines=lines, heavy=HEAVY)
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.splitlines()) == (0, lines), done.stderr
