"""Pages as a browser has them: time to the first byte and until they can be used, with a long record in the store."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final

import detector
from detector.benchmark.page_store import fill_store
from detector.errors import FramewitnessError
from detector.settings import HOME_VARIABLE

if TYPE_CHECKING:
    from playwright.sync_api import Browser

FACES: Final = 18_000
NAME_COOKIE: Final = "framewitness_examiner"  # of the pages, which ask for a name before they show anything
PAGES: Final = ("analyse", "examine", "cases", "models", "training", "glossary")
_START_LIMIT_S, _PAGE_LIMIT_S = 120.0, 120.0
_CHROMIUM: Final = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_ARGUMENTS: Final = ("--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking")
# Milliseconds since the navigation began at which the page had a heading, its script no longer ran, and the browser
# drew; false while that has not held for 300 ms.
_INTERACTIVE: Final = """() => {
    const app = document.querySelector('.stApp'), main = document.querySelector('[data-testid="stMain"]');
    const drawn = main && main.querySelector('h1, h2') && !main.querySelector('[data-testid="stSkeleton"]');
    if (!drawn || app.dataset.testScriptState !== 'notRunning') {
        window.benchQuietSince = undefined;
        return false;
    }
    window.benchQuietSince ??= performance.now();
    return performance.now() - window.benchQuietSince > 300 && window.benchQuietSince;
}"""


@dataclass(frozen=True, slots=True)
class PageTimes:
    """One page. `first_byte_s` and `interactive_s` are medians of warm visits, each in a tab of its own, counted from
    the navigation's begin; `first_visit_s` until it could be used the first time after the server's start."""

    page: str
    first_byte_s: float
    interactive_s: float
    first_visit_s: float


@dataclass(frozen=True, slots=True)
class PagesReport:
    """`faces` scored in the record that Examine shows; `server_s` from the server's start to its first answer;
    `rounds` warm visits a page."""

    faces: int
    server_s: float
    rounds: int
    pages: tuple[PageTimes, ...]


def measure_pages(*, faces: int = FACES, rounds: int = 3) -> PagesReport:
    """Fill a store in a temporary folder, serve it and visit its pages in headless Chromium.

    Raises FramewitnessError where playwright or Chromium is missing, the server does not start, or a page cannot be
    used within two minutes.
    """
    binary = chromium()
    playwright = _playwright()
    with TemporaryDirectory(prefix="framewitness-") as folder:
        home = Path(folder) / "home"
        record_id = fill_store(home, faces)
        with _served(home) as (address, server_s), playwright.sync_playwright() as driver:
            browser = driver.chromium.launch(executable_path=binary, args=list(_ARGUMENTS))
            try:
                pages = tuple(_times(browser, address, page, record_id, rounds) for page in PAGES)
            except playwright.Error as error:
                raise FramewitnessError(f"A page could not be measured: {error}") from error
            finally:
                browser.close()
    return PagesReport(faces, server_s, rounds, pages)


def chromium() -> str:
    """The browser's binary: `CHROMIUM` in the environment, or the first known name on the path. Raises
    FramewitnessError where there is none."""
    found = os.environ.get("CHROMIUM") or next((path for name in _CHROMIUM if (path := shutil.which(name))), None)
    if found is None:
        raise FramewitnessError(
            "Pages are measured in Chromium, and none was found. Install it, or set CHROMIUM to the path of one."
        )
    return found


def _playwright() -> Any:
    try:
        import playwright.sync_api
    except ImportError as error:
        raise FramewitnessError(
            "Pages are measured with playwright, which is not installed. It is one of requirements-dev.txt: "
            "python -m pip install -r requirements-dev.txt"
        ) from error
    return playwright.sync_api


def _times(browser: Browser, address: str, page: str, record_id: str, rounds: int) -> PageTimes:
    url = f"{address}/{page}" + (f"?record={record_id}" if page == "examine" else "")
    visits = [_visit(browser, url) for _ in range(1 + rounds)]
    warm = visits[1:]
    return PageTimes(page, median(one[0] for one in warm), median(one[1] for one in warm), visits[0][1])


def _visit(browser: Browser, url: str) -> tuple[float, float]:
    """Seconds to the first byte and until the page can be used, in a new tab without a cache."""
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    try:
        context.add_cookies([{"name": NAME_COOKIE, "value": "bench", "url": url}])
        tab = context.new_page()
        tab.goto(url, wait_until="commit")
        done = tab.wait_for_function(_INTERACTIVE, timeout=1000 * _PAGE_LIMIT_S, polling="raf")
        interactive_ms = float(done.json_value())
        first_byte_ms = float(tab.evaluate("performance.getEntriesByType('navigation')[0].responseStart"))
    finally:
        context.close()
    return first_byte_ms / 1000, interactive_ms / 1000


@contextmanager
def _served(home: Path) -> Iterator[tuple[str, float]]:
    """The workbench's own server on a free port: its address and the seconds until it answered. It is stopped, with all
    that it started, afterwards."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    app = Path(detector.__file__).resolve().parents[1] / "app.py"
    log_path = home.parent / "server.log"
    start_s = time.perf_counter()
    with log_path.open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "streamlit", "run", str(app), "--server.port", str(port)],
            cwd=app.parent,
            env={**os.environ, HOME_VARIABLE: str(home)},
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        address = f"http://localhost:{port}"
        _await_answer(process, port, log_path)
        yield address, time.perf_counter() - start_s
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _await_answer(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + _START_LIMIT_S
    while process.poll() is None and time.monotonic() < deadline:
        try:
            with closing(HTTPConnection("localhost", port, timeout=5)) as connection:
                connection.request("GET", "/healthz")
                if connection.getresponse().status == HTTPStatus.OK:
                    return
        except (OSError, HTTPException):
            pass
        time.sleep(0.05)
    said = log.read_text(encoding="utf-8", errors="replace")[-2000:]
    raise FramewitnessError(f"The workbench's server did not start; it said:\n{said}")
