"""The server draws pages without the libraries of networks: what needs one is for the worker, or waits to be asked."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from detector.registry import ModelCard
from pages.parts.shared import services
from tests.pages.seed import Seeded

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = """
import json, sys
from pathlib import Path
from streamlit.testing.v1 import AppTest
import app
import pytest

from detector.registry import ModelCard
from pages.parts.shared import services

told = {}
services.open_services(Path(sys.argv[1]))
for page, place in (("analyse", {}), ("examine", json.loads(sys.argv[2]))):
    drawn = AppTest.from_string(f"from pages.router import main; main({page!r})", default_timeout=180)
    drawn.session_state["actor"] = "A. Tester"
    drawn.session_state["examine_tab"] = "Models"  # a face is shown with its heatmap
    for name, value in place.items():
        drawn.query_params[name] = value
    drawn.run()
    assert not drawn.exception, drawn.exception
    told[page] = [len(drawn.main), *sorted({name.split(".")[0] for name in sys.modules})]
services.close_services()
print(json.dumps(told))
"""


def test_start_page_and_examine_are_drawn_without_the_libraries_of_networks(
    seeded: Seeded, card: ModelCard, weights_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = shutil.copytree(weights_folder, tmp_path / "weights")
    (weights / "default.json").write_text(json.dumps({"models": [card.model_id]}))
    monkeypatch.setenv("FRAMEWITNESS_WEIGHTS", str(weights))
    home = services.current().home
    services.close_services()  # a store is open in one process
    place = {"case": seeded.case.case_id, "exhibit": seeded.exhibit.exhibit_id}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(home), json.dumps(place)], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    for _, *loaded in json.loads(done.stdout.splitlines()[-1]).values():
        assert not {"torch", "torchvision", "timm", "mediapipe", "lightning", "sklearn", "onnxruntime"} & set(loaded)
