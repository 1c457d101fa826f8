"""One disturbance and what was found after it, determined by its seed as far as a machine's timing allows."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from detector.cases.home import HOME_VARIABLE
from tests.browser.server import ROOT, await_health, free_port
from tests.torture.acts import ANALYZE, BACKUP, COMMANDS, EXPORT, IMPORT, NOTE, RESUME, SERVER, WORKER, Act
from tests.torture.inspection import acknowledged, damaged_outputs, inspect, job_states, missing_titles, unfinished_jobs
from tests.torture.scene import WEIGHTS_VARIABLE, Scene
from tests.torture.victim import MARK_VARIABLE, NEVER, Conditions, Ending, Moment, Victim, outlived

DAY_S, YEAR_S = 86_400.0, 365 * 86_400.0
STREAMLIT = "streamlit run app.py"
# Of a worker's analysis; of the real server's start, and of a job from when the server is there.
_WORKER_S, _START_S, _JOB_S = 5.0, 6.0, 8.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """`hit` says that the disturbance came before the end."""

    seed: int
    target: str
    disturbance: str
    hit: bool
    seconds: float
    findings: tuple[str, ...]


class Trials:
    """Trials in one scene. How long an act takes undisturbed is measured at its first use."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._measured: dict[tuple[str, bool], Ending] = {}

    def kill(self, seed: int, target: Act | str | None = None) -> Outcome:
        """Kill -9 at a moment that the seed names. Without a `target`, two in seven seeds hit the worker, one the
        server's services, one the real server and three the command line."""
        chance = random.Random(seed)
        if target is None:
            round_, place = divmod(seed, 7)
            commands = (COMMANDS[(3 * round_ + number) % len(COMMANDS)] for number in range(3))
            target = (WORKER, SERVER, STREAMLIT, WORKER, *commands)[place]
        started = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="framewitness-torture-") as name:
            folder = Path(name)
            if isinstance(target, str):
                disturbance, hit, findings = self._kill_streamlit(folder, chance)
                what = target
            else:
                kill = self._kill_worker if target is WORKER else self._kill_act
                disturbance, hit, findings = kill(folder, target, chance)
                what = target.name
        return Outcome(seed, what, f"kill at {disturbance}", hit, time.monotonic() - started, tuple(findings))

    def fill_disk(self, seed: int) -> Outcome:
        """An act on a disk with as much room as the seed says; when there is more, it can be done again."""
        chance = random.Random(seed)
        act = (ANALYZE, SERVER, IMPORT, EXPORT, BACKUP, NOTE)[seed % 6]
        started = time.monotonic()
        findings: list[str] = []
        with tempfile.TemporaryDirectory(prefix="framewitness-torture-") as name, _small_disk(Path(name)) as disk:
            home = self._scene.home(disk.folder, empty=act.empty)
            room = int(4 * 2 ** chance.uniform(0, 9)) << 10
            under = disk.leave(room)
            ending = self._act(act, home, Path(name), under=under)
            findings += _manners(ending)
            disk.make_room()
            later = self.afterwards(act, home, Path(name), acknowledged(ending.said))
            # A job that failed and says why can be asked for again.
            findings += [finding for finding in later if "is failed: The result could not be saved" not in finding]
            kind = "tmpfs" if disk.real else "file-size limit"
        seconds = time.monotonic() - started
        hit = ending.status != 0
        return Outcome(seed, act.name, f"disk full, {room >> 10} KB left ({kind})", hit, seconds, tuple(findings))

    def forbid_writing(self, seed: int) -> Outcome:
        """An act on a home that is mounted read-only is refused in one line, and nothing is changed."""
        act = (NOTE, ANALYZE, SERVER, EXPORT)[seed % 4]
        started = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="framewitness-torture-") as name, _small_disk(Path(name)) as disk:
            home = self._scene.home(disk.folder, empty=False)
            disk.forbid_writing(home)
            forbidden = not os.access(home, os.W_OK)  # the superuser may write whatever the mode
            ending = self._act(act, home, Path(name))
            disk.make_room()
            home.chmod(0o700)
            findings = [*_manners(ending), *inspect(home, acknowledged(ending.said))]
            if forbidden and ending.status == 0:
                findings.append("it was done on a read-only home")
        seconds = time.monotonic() - started
        return Outcome(seed, act.name, "home read-only", ending.status != 0, seconds, tuple(findings))

    def change_clock(self, seed: int) -> Outcome:
        """Two acts with the clock a day back or a year ahead, then one with the right one again."""
        shifts = ((-DAY_S,), (YEAR_S,), (YEAR_S, -DAY_S))[seed % 3]
        act = (ANALYZE, SERVER, NOTE)[seed // 3 % 3]
        started = time.monotonic()
        findings: list[str] = []
        with tempfile.TemporaryDirectory(prefix="framewitness-torture-") as name:
            folder, known = Path(name), set[str]()
            home = self._scene.home(folder, empty=False)
            for shift_s, one in zip((*shifts, 0.0), (act, NOTE, NOTE), strict=False):
                ending = self._act(one, home, folder, under=Conditions(clock_s=shift_s))
                findings += _manners(ending)
                if ending.status != 0:
                    findings.append(f"{one.name} ended with {ending.status}")
                known |= acknowledged(ending.said + ending.complained)
            findings += inspect(home, known) + _backups_out_of_order(home)
        told = ", then ".join("a day back" if shift_s < 0 else "a year ahead" for shift_s in shifts)
        return Outcome(seed, act.name, f"clock {told}", True, time.monotonic() - started, tuple(findings))

    def _kill_act(self, folder: Path, act: Act, chance: random.Random) -> tuple[str, bool, list[str]]:
        usual = self._usual(act)
        # Half at a random time, half at a random step: short windows between two steps are rarely met by time.
        if chance.random() < 0.5:
            moment = Moment(after_s=chance.uniform(0.0, usual.seconds))
        else:
            moment = Moment(touch=chance.randint(1, max(1, usual.touches)))
        home = self._scene.home(folder, empty=act.empty)
        ending = self._act(act, home, folder, moment)
        findings = [] if ending.killed else _manners(ending)
        findings += [f"outlived its server: {one}" for one in ending.left_running]
        findings += self.afterwards(act, home, folder, acknowledged(ending.said + ending.complained))
        return str(moment), ending.killed, findings

    def _kill_worker(self, folder: Path, act: Act, chance: random.Random) -> tuple[str, bool, list[str]]:
        home = self._scene.home(folder, empty=False)
        victim = Victim(act, self._scene, home, folder)
        while victim.running and (worker := victim.worker()) is None:
            time.sleep(0.01)
        after_s = chance.uniform(0.0, _WORKER_S)
        time.sleep(after_s)
        hit = victim.running and worker is not None and worker.is_running()
        if hit and worker is not None:
            worker.kill()
        ending = victim.end()
        findings = _manners(ending)
        if ending.status != 0:
            findings.append(f"the server ended with {ending.status}")
        findings += inspect(home, acknowledged(ending.said)) + unfinished_jobs(home)
        return f"{after_s:.2f} s", hit, findings

    def _kill_streamlit(self, folder: Path, chance: random.Random) -> tuple[str, bool, list[str]]:
        home = self._scene.home(folder, empty=False, queued=True)
        mark, port = f"streamlit-{os.getpid()}-{folder.name}", free_port()
        starting = chance.random() < 0.25
        after_s = chance.uniform(0.0, _START_S if starting else _JOB_S)
        with (folder / "server.log").open("wb") as log:
            server = subprocess.Popen(
                [sys.executable, "-m", "streamlit", "run", "app.py", "--server.port", str(port)],
                cwd=ROOT,
                env={
                    **os.environ,
                    HOME_VARIABLE: str(home),
                    MARK_VARIABLE: mark,
                    "OMP_NUM_THREADS": "1",
                    WEIGHTS_VARIABLE: str(self._scene.root / "weights"),
                },
                stdout=log,
                stderr=subprocess.STDOUT,
            )
            try:
                if not starting:
                    await_health(server, f"http://localhost:{port}/healthz", folder / "server.log")
                time.sleep(after_s)
            finally:
                server.kill()
                server.wait()
        findings = [f"outlived its server: {one}" for one in outlived(mark)]
        if server.returncode != -9:
            findings.append(f"the server ended by itself with {server.returncode}")
        findings += inspect(home, ())
        (state,) = job_states(home)
        findings += self.afterwards(RESUME, home, folder, frozenset())
        return f"{after_s:.2f} s of {'its start' if starting else 'serving'}, job {state}", True, findings

    def afterwards(self, act: Act, home: Path, folder: Path, known: frozenset[str]) -> list[str]:
        """Inspect the home, take up what was interrupted, and inspect it again."""
        out = home.parent / "out"
        findings = damaged_outputs(out)
        if act.restores and not (home / "cases.duckdb").exists():
            # Whoever restores a store does so again before it is opened.
            pass
        elif home.exists() or not act.empty:
            findings += inspect(home, known)
        if act in (SERVER, RESUME):
            again = self._act(RESUME, home, folder)
        else:
            if act is BACKUP and out.exists():
                out.rename(out.with_name("unfinished"))  # a backup needs an empty folder, and says so
            again = self._act(act, home, folder)
        findings += _manners(again)
        done_before = "already" in again.complained and act in COMMANDS
        if again.status != 0 and not done_before:
            findings.append(f"cannot be done again: {again.complained.strip()}")
        findings += inspect(home, known | acknowledged(again.said + again.complained))
        findings += damaged_outputs(out) + unfinished_jobs(home)
        findings += [f"left beside an export: {path.name}" for path in out.glob(".*")]
        if act is not SERVER:
            findings += missing_titles(home, act.titles)
        return list(dict.fromkeys(findings))

    def _act(
        self, act: Act, home: Path, folder: Path, moment: Moment = NEVER, under: Conditions | None = None
    ) -> Ending:
        return Victim(act, self._scene, home, folder, moment, under).end()

    def _usual(self, act: Act) -> Ending:
        """How an act ends that nothing disturbs."""
        if (act.name, act.empty) not in self._measured:
            with tempfile.TemporaryDirectory(prefix="framewitness-torture-") as name:
                home = self._scene.home(Path(name), empty=act.empty)
                ending = self._act(act, home, Path(name))
                if ending.status != 0:
                    raise RuntimeError(f"{act.name}, undisturbed, ended with {ending.status}:\n{ending.complained}")
            self._measured[act.name, act.empty] = ending
        return self._measured[act.name, act.empty]


def _manners(ending: Ending) -> list[str]:
    """An act that was not killed ends in time, and says what is wrong in lines of its own."""
    if ending.status is None:
        return ["it did not end"]
    return [f"a traceback: {ending.complained[-600:]}"] if "Traceback" in ending.complained else []


def _backups_out_of_order(home: Path) -> list[str]:
    """The newest backup is the one with the most events, whatever the clock said."""
    from detector.cases.home import Layout

    kept = Layout(home).backups_kept()
    sizes = [len((path / "cases.anchor").read_text().splitlines()) for path in kept]
    return [f"the newest backup is not the last one: {sizes}"] if sizes != sorted(sizes) else []


class _Disk:
    """A file system of its own below `folder`, where that is allowed (`real`); else a limit on the size of files."""

    SIZE_BYTES = 64 << 20

    def __init__(self, folder: Path, *, real: bool) -> None:
        self.folder = folder
        self.real = real

    def leave(self, room_bytes: int) -> Conditions:
        """Leave only so much room."""
        if not self.real:
            return Conditions(file_bytes=room_bytes)
        free = os.statvfs(self.folder)
        filler = free.f_bavail * free.f_frsize - room_bytes
        with (self.folder / "filler").open("wb") as stream:
            os.posix_fallocate(stream.fileno(), 0, filler)
        return Conditions()

    def make_room(self) -> None:
        """Lift the limit, and let the file system be written to."""
        if self.real:
            _mount("-o", "remount,rw", str(self.folder))
            (self.folder / "filler").unlink(missing_ok=True)

    def forbid_writing(self, home: Path) -> None:
        """No file of `home` can be written."""
        if self.real:
            _mount("-o", "remount,ro", str(self.folder))
        else:
            home.chmod(0o500)


@contextmanager
def _small_disk(folder: Path) -> Iterator[_Disk]:
    place = folder / "disk"
    place.mkdir()
    if not _may_mount():
        yield _Disk(place, real=False)
        return
    _mount("-t", "tmpfs", "-o", f"size={_Disk.SIZE_BYTES}", "framewitness-torture", str(place))
    try:
        yield _Disk(place, real=True)
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=False)


@cache
def _may_mount() -> bool:
    """Whether this process may mount a file system in memory."""
    with tempfile.TemporaryDirectory() as name:
        try:
            _mount("-t", "tmpfs", "-o", "size=1m", "framewitness-torture", name)
        except (OSError, subprocess.CalledProcessError):
            return False
        subprocess.run(["umount", name], check=True)
        return True


def _mount(*options: str) -> None:
    subprocess.run(["mount", *options], check=True, capture_output=True)
