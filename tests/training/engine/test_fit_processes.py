"""Two training processes share an epoch's batches, keep equal weights and leave one set of files."""

import csv
import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
SCRIPT = """
import os, sys
from dataclasses import replace
from pathlib import Path
import torch
from detector.training.engine.fit import fit
from tests.training.engine.test_fit import FAST, TRAIN, VALIDATION, Toy

torch.set_num_threads(1)
config = replace(FAST, max_epochs=2, devices=2)
module = Toy(config)
run = Path(sys.argv[1])
result = fit(module, TRAIN, VALIDATION, config, run)
rank = os.environ.get("LOCAL_RANK", "0")
weight = float(sum(value.double().abs().sum() for value in module.network.state_dict().values()))
(run / f"rank{rank}.txt").write_text(f"{result.epochs} {weight!r} {module.global_step}")
"""


@pytest.mark.slow
def test_two_processes_train_one_model(tmp_path: Path) -> None:
    (tmp_path / "many.py").write_text(SCRIPT)
    run = subprocess.run(
        [sys.executable, tmp_path / "many.py", tmp_path / "run"],
        cwd=ROOT, env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", "OMP_NUM_THREADS": "1"},
        capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    first, second = ((tmp_path / "run" / f"rank{rank}.txt").read_text().split() for rank in (0, 1))
    assert first == second
    assert first[2] == "12"  # twelve batches an epoch in two processes, two epochs
    with (tmp_path / "run" / "metrics.csv").open() as file:
        assert len(list(csv.DictReader(file))) == 2
    assert json.loads((tmp_path / "run" / "run.json").read_text())["status"] == "finished"
