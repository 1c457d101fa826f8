"""The real server, as `streamlit run app.py` starts it, on a free port with a home of its own."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.pages import family, seed

ROOT = Path(__file__).resolve().parents[2]
START_LIMIT_S = 180.0


def chromium() -> str | None:
    """The browser's binary: `CHROMIUM` in the environment, or the first known name on the path."""
    named = os.environ.get("CHROMIUM")
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    return named or next((found for name in names if (found := shutil.which(name))), None)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def small_models(folder: Path) -> str:
    """A weights folder with an untrained model of each kind, of which an analysis uses the ensemble and its members;
    what the shipped ones say takes minutes, and tests/test_samples.py holds them to it."""
    family.write_models(folder, seed.write_model(folder))
    (folder / "default.json").write_text(json.dumps({"models": [family.IDS["together"]]}))
    return str(folder)


@contextmanager
def running(home: Path, **environment: str) -> Iterator[str]:
    """Start the server and yield its address once it is healthy; stop it, and everything it started, afterwards."""
    port = free_port()
    log = (home.parent / "server.log").open("wb")
    process = subprocess.Popen(
        [sys.executable, "-m", "streamlit", "run", str(ROOT / "app.py"), "--server.port", str(port)],
        cwd=ROOT,
        env={**os.environ, "FRAMEWITNESS_HOME": str(home), "OMP_NUM_THREADS": "1", **environment},
        stdout=log,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    address = f"http://localhost:{port}"
    try:
        await_health(process, f"{address}/healthz", Path(log.name))
        yield address
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        log.close()


def await_health(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    """Wait until the server answers; RuntimeError, with the end of its log, where it does not."""
    deadline = time.monotonic() + START_LIMIT_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(
                f"The server ended with {process.returncode}:\n{log.read_text(errors='replace')[-3000:]}"
            )
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                if answer.status == 200:
                    return
        except (urllib.error.URLError, TimeoutError, ConnectionError):
            pass
        time.sleep(0.5)
    raise RuntimeError(
        f"The server was not healthy after {START_LIMIT_S:.0f} s:\n{log.read_text(errors='replace')[-3000:]}"
    )
