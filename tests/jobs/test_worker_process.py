from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from detector.cases import CaseStore
from detector.jobs import JobRequest, JobService, Task
from detector.jobs.protocol import decode, encode, task_from_dict, task_to_dict
from detector.jobs.worker import MEMORY_BYTES
from detector.settings import AnalysisSettings
from tests.cases.records import make_evidence
from tests.jobs.conftest import SCRIPTED, ended, wait_for

ROOT = Path(__file__).parents[2]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}


@pytest.fixture
def worker(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "detector.jobs.worker", "--runner", SCRIPTED, "--parent", str(os.getpid())]
    folders = ["--spool", str(tmp_path / "spool"), "--logs", str(tmp_path / "logs")]
    process = subprocess.Popen(
        [*command, *folders], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=ENVIRONMENT, cwd=tmp_path
    )
    with process:
        yield process
        process.kill()


def task_for(tmp_path: Path, content: str) -> Task:
    return Task(
        "j000000001", make_evidence(tmp_path / "evidence", content.encode()).file, ("frame-a",), AnalysisSettings()
    )


def send(worker: subprocess.Popen[bytes], message: dict[str, object]) -> None:
    worker.stdin.write(encode(message))
    worker.stdin.flush()


def test_a_task_survives_the_way_to_the_worker(tmp_path: Path) -> None:
    task = task_for(tmp_path, "quick")
    assert task_from_dict(decode(encode({"type": "run", "task": task_to_dict(task)}))["task"]) == task


@pytest.mark.parametrize("line", [b"", b"hello\n", b"[1]\n", b"{}\n", b"\xff\xfe\n", b'{"type"'])
def test_a_line_that_is_no_message_is_ignored(line: bytes) -> None:
    assert decode(line) is None


def test_a_busy_worker_ends_when_its_service_is_gone(worker: subprocess.Popen[bytes], tmp_path: Path) -> None:
    send(worker, {"type": "run", "task": task_to_dict(task_for(tmp_path, "deaf"))})
    assert decode(worker.stdout.readline())["stage"] == "served 1"
    worker.stdin.close()
    assert worker.wait(20) == 0


def test_a_worker_puts_its_result_in_the_spool_and_never_makes_a_database(
    worker: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    send(worker, {"type": "run", "task": task_to_dict(task_for(tmp_path, "quick"))})
    assert [decode(worker.stdout.readline())["type"] for _ in range(2)] == ["progress", "done"]
    assert sorted(path.name for path in (tmp_path / "spool" / "j000000001").iterdir()) == [
        "analysis.json",
        "landmarks.npz",
    ]
    assert list(tmp_path.rglob("*.duckdb")) == []


@pytest.mark.skipif(sys.platform != "linux" or Path("/dev/nvidiactl").exists(), reason="the limit is Linux's")
def test_the_memory_of_a_worker_is_limited(worker: subprocess.Popen[bytes], tmp_path: Path) -> None:
    send(worker, {"type": "run", "task": task_to_dict(task_for(tmp_path, "quick"))})
    worker.stdout.readline()
    lines = Path(f"/proc/{worker.pid}/limits").read_text().splitlines()
    assert next(line.split()[-3] for line in lines if line.startswith("Max data size")) == str(MEMORY_BYTES)


@pytest.mark.skipif(sys.platform != "linux", reason="prctl is Linux's")
def test_the_kernel_is_asked_to_end_the_worker_with_its_parent() -> None:
    code = """
import ctypes, os
from detector.jobs.parent import die_with_parent
die_with_parent(os.getppid())
found = ctypes.c_int()
ctypes.CDLL(None).prctl(2, ctypes.byref(found))  # PR_GET_PDEATHSIG
print(found.value)
"""
    said = subprocess.run([sys.executable, "-c", code], env=ENVIRONMENT, capture_output=True, text=True, timeout=60)
    assert said.stdout == "9\n", said.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="prctl is Linux's")
def test_a_worker_whose_parent_is_gone_already_does_not_stay() -> None:
    code = "from detector.jobs.parent import die_with_parent; die_with_parent(1 << 22); print('stayed')"
    said = subprocess.run([sys.executable, "-c", code], env=ENVIRONMENT, capture_output=True, text=True, timeout=60)
    assert (said.returncode, said.stdout) == (1, "")


def test_jobs_wait_while_the_store_cannot_be_written_and_run_afterwards(
    store: CaseStore, ask: Callable[[str], JobRequest], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("detector.jobs.service._RETRY_S", 0.05)
    refused = []

    def claim() -> None:
        refused.append(time.monotonic())
        raise OSError("No space left on device")

    service = JobService(store, runner_path=SCRIPTED, threads=1)
    try:
        with monkeypatch.context() as full:
            full.setattr(store.jobs, "claim", claim)
            service.start()
            job_id = service.submit(ask("quick"))
            wait_for(service, job_id, lambda _: len(refused) > 3)
            assert service.job(job_id).state == "queued"
        assert wait_for(service, job_id, ended).state == "done"
    finally:
        service.stop()
