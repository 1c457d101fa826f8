"""Hostile files are read in a child process that may be killed, never in the process that asked."""

from __future__ import annotations

import inspect
import io
import os
import pickle
import resource
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from detector.errors import CancelledError, EvidenceError, FramewitnessError, OversizedError
from detector.evidence import (
    ContainedFrameReader,
    Evidence,
    FrameReader,
    examine,
    frame_at,
    frame_before,
    frame_times,
    ingest,
    limits,
    sandbox,
)
from detector.evidence.contained_reader import _readings
from detector.evidence.sandbox import contained, streamed
from detector.evidence.sandbox_wire import receive, send
from detector.evidence.types import StoredFile
from tests.evidence.bombs import black_gif, black_png
from tests.evidence.media import make_video

Admit = Callable[..., Evidence]


@pytest.fixture
def stored(tmp_path: Path) -> StoredFile:
    (tmp_path / "a.mp4").write_bytes(b"any")
    return ingest(tmp_path / "a.mp4", tmp_path / "store")


def process_id(_: StoredFile) -> int:
    return os.getpid()


def working_folder(_: StoredFile) -> tuple[int, str]:
    return os.getpid(), os.getcwd()


def kill_itself(_: StoredFile) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def niceness(_: StoredFile) -> int:
    return os.nice(0)


def hang(_: StoredFile) -> None:
    time.sleep(60)


def recurse(file: StoredFile) -> None:
    recurse(file)


def fill_memory(_: StoredFile) -> int:
    return len(bytearray(3_000_000_000))


def grow(_: StoredFile) -> int:
    return len(b"x" * 700_000_000)


def write(file: StoredFile) -> None:
    file.path.with_suffix(".written").write_bytes(b"x")


def connect(_: StoredFile) -> None:
    socket.socket()


def run_a_program(_: StoredFile) -> None:
    os.execv("/bin/true", ["true"])


def open_many(_: StoredFile) -> int:
    return len([os.open("/dev/null", os.O_RDONLY) for _ in range(200)])


def answer_with_a_function(_: StoredFile) -> object:
    return os.system


def fail_on_purpose(_: StoredFile, kind: type[FramewitnessError], stated: dict[str, str]) -> None:
    raise kind("Expected one thing, found another.", **stated)


def count_then(harm: Callable[[StoredFile], object]) -> Callable[[StoredFile], Iterator[int]]:
    return {kill_itself: count_and_die, hang: count_and_hang, fill_memory: count_and_grow}[harm]


def count(_: StoredFile) -> Iterator[int]:
    yield os.getpid()
    yield from range(3)


def count_and_die(file: StoredFile) -> Iterator[int]:
    yield from range(2)
    kill_itself(file)


def count_and_hang(file: StoredFile) -> Iterator[int]:
    yield from range(2)
    hang(file)


def count_and_grow(file: StoredFile) -> Iterator[int]:
    yield from range(2)
    yield fill_memory(file)


def refused(function: Callable[[StoredFile], object], stored: StoredFile) -> EvidenceError:
    with pytest.raises(EvidenceError) as caught:
        contained(function)(stored)
    return caught.value


def test_calls_share_a_warm_child_that_is_another_process(stored: StoredFile) -> None:
    first, second = contained(process_id)(stored), contained(process_id)(stored)
    assert first == second != os.getpid()


def test_a_relative_path_is_one_of_the_callers_folder_though_the_child_is_older(
    stored: StoredFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    first = contained(process_id)(stored)
    monkeypatch.chdir(folder)
    assert contained(working_folder)(stored) == (first, str(folder))
    folder.rmdir()
    assert contained(working_folder)(stored) == (first, os.sep)


def test_calls_at_once_run_in_children_of_their_own(stored: StoredFile) -> None:
    answers: list[bool] = []

    def sleep_beside() -> None:
        answers.append(contained(meet)(stored))

    threads = [threading.Thread(target=sleep_beside) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [True, True]


def meet(file: StoredFile) -> bool:
    """Whether another process arrives within some seconds; a process that is alone would wait in vain."""
    waiting = Path(f"/proc/{os.getppid()}/task")
    for _ in range(500):
        children = {child for task in waiting.iterdir() for child in (task / "children").read_text().split()}
        busy = [child for child in children if "sandbox_child" in Path(f"/proc/{child}/cmdline").read_text()]
        if len(busy) >= 2:
            return True
        time.sleep(0.01)
    return False


@pytest.mark.parametrize(
    ("harm", "error", "said"),
    [
        (kill_itself, EvidenceError, "SIGKILL"),
        (recurse, EvidenceError, "RecursionError"),
        (fill_memory, OversizedError, "memory"),
        (answer_with_a_function, EvidenceError, "ended"),
    ],
)
def test_whatever_goes_wrong_is_one_error_and_the_next_file_is_read(
    harm: Callable[[StoredFile], object], error: type[EvidenceError], said: str, stored: StoredFile
) -> None:
    caught = refused(harm, stored)
    assert type(caught) is error
    assert said in str(caught)
    assert contained(process_id)(stored) != os.getpid()


def deliberate_errors() -> list[type[FramewitnessError]]:
    found: list[type[FramewitnessError]] = [FramewitnessError]
    for kind in found:
        found += [one for one in kind.__subclasses__() if one.__module__.startswith("detector.")]
    return found


@pytest.mark.parametrize("kind", deliberate_errors())
def test_a_deliberate_error_arrives_with_all_that_it_says(kind: type[FramewitnessError], stored: StoredFile) -> None:
    parameters = inspect.signature(kind.__init__).parameters.values()
    stated = {one.name: f"the {one.name}" for one in parameters if one.kind is one.KEYWORD_ONLY}
    with pytest.raises(FramewitnessError) as caught:
        contained(fail_on_purpose)(stored, kind, stated)
    assert type(caught.value) is kind
    assert str(caught.value) == "Expected one thing, found another."
    assert vars(caught.value) == stated


def test_a_child_that_hangs_is_ended(stored: StoredFile, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox, "_BASE_S", 0.2)
    assert "0 s" in str(refused(hang, stored))
    monkeypatch.undo()
    assert contained(process_id)(stored) != os.getpid()


def test_a_child_that_died_while_it_waited_is_replaced(stored: StoredFile) -> None:
    before = contained(process_id)(stored)
    os.kill(before, signal.SIGKILL)
    time.sleep(0.1)
    assert contained(process_id)(stored) != before


def test_a_child_that_was_large_gives_its_memory_back(stored: StoredFile) -> None:
    before = contained(process_id)(stored)
    assert contained(grow)(stored) == 700_000_000
    assert contained(process_id)(stored) != before


@pytest.mark.skipif(sys.platform != "linux", reason="the limits are Linux's")
@pytest.mark.parametrize(
    ("attempt", "said"),
    [
        (write, "OSError"),
        (connect, "PermissionError"),
        (run_a_program, "PermissionError"),
        (open_many, "OSError"),
    ],
)
def test_a_child_writes_no_file_and_opens_no_socket(
    attempt: Callable[[StoredFile], object], said: str, stored: StoredFile
) -> None:
    assert sandbox.warm_up().no_network
    assert said in str(refused(attempt, stored))


def test_an_animation_of_pictures_that_no_camera_makes_is_refused(tmp_path: Path, admit: Admit) -> None:
    with pytest.raises(OversizedError, match="80 megapixels"):
        admit(black_gif(tmp_path / "bomb.gif", side_px=14_000))


def test_a_large_deep_picture_is_read_without_a_copy_of_it_in_floating_point(tmp_path: Path, admit: Admit) -> None:
    evidence = admit(black_png(tmp_path / "large.png", side_px=6_000))
    peak = """
import sys, resource
from pathlib import Path
from detector.evidence.stills import read_still
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
assert read_still(Path(sys.argv[1])).shape == (6000, 6000, 3)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""
    shown = subprocess.run([sys.executable, "-c", peak, str(evidence.file.path)], capture_output=True, check=True)
    assert int(shown.stdout) * 1024 < 7 * 6_000 * 6_000


def test_frames_are_the_same_whichever_process_decodes_them(tmp_path: Path, admit: Admit) -> None:
    evidence = admit(make_video(tmp_path / "a.mp4", frames=12))
    with FrameReader(evidence, frames_per_second=30, max_frames=100) as reader:
        frames = list(reader)
    assert frame_times(evidence) == tuple(frame.pts for frame in frames)
    sought = frame_at(evidence, frames[5].pts)
    assert np.array_equal(sought.image, frames[5].image)
    assert sought.image.flags.writeable
    before = frame_before(evidence, frames[5].pts)
    assert before is not None
    assert np.array_equal(before.image, frames[4].image)


def test_nothing_but_the_parts_of_an_answer_is_built_from_one(stored: StoredFile) -> None:
    for message in (os.system, Path.home, subprocess.Popen, examine.__wrapped__):  # type: ignore[attr-defined]
        with pytest.raises(Exception, match="no part of an answer"):
            through_a_pipe(message)
    assert through_a_pipe(stored) == stored


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"K\x01)R.",
        b"cdetector.errors\nEvidenceAlteredError\n)R.",
        b"cdetector.evidence.nothing\nNothing\n.",
    ],
    ids=["empty", "a call of a number", "an error without its hash", "no module"],
)
def test_a_message_that_is_none_is_one_error_whatever_it_does(body: bytes) -> None:
    message = struct.pack(">QQ", 1, len(body)) + body
    with pytest.raises(pickle.UnpicklingError):
        receive(io.BytesIO(message), trusted=False)


def through_a_pipe(message: object) -> object:
    reading, writing = os.pipe()
    with os.fdopen(writing, "wb") as out:
        send(out, message)
    with os.fdopen(reading, "rb") as back:
        return receive(back, trusted=False)


def test_the_limits_of_the_child_are_not_those_of_the_caller(stored: StoredFile) -> None:
    before = [resource.getrlimit(kind) for kind in (resource.RLIMIT_AS, resource.RLIMIT_FSIZE, resource.RLIMIT_NOFILE)]
    contained(process_id)(stored)
    after = [resource.getrlimit(kind) for kind in (resource.RLIMIT_AS, resource.RLIMIT_FSIZE, resource.RLIMIT_NOFILE)]
    assert before == after


def test_what_a_function_yields_comes_as_it_is_made_and_its_child_is_used_again(stored: StoredFile) -> None:
    child, *items = streamed(count)(stored)
    assert items == [0, 1, 2]
    assert contained(process_id)(stored) == child != os.getpid()


@pytest.mark.parametrize(
    ("harm", "error", "said"),
    [(kill_itself, EvidenceError, "SIGKILL"), (hang, EvidenceError, "0 s"), (fill_memory, OversizedError, "memory")],
)
def test_what_goes_wrong_after_some_items_is_one_error_after_them(
    harm: Callable[[StoredFile], object],
    error: type[EvidenceError],
    said: str,
    stored: StoredFile,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if harm is hang:
        contained(process_id)(stored)
        monkeypatch.setattr(sandbox, "_BASE_S", 0.4)
    stream = streamed(count_then(harm))(stored)
    assert [next(stream), next(stream)] == [0, 1]
    with pytest.raises(EvidenceError, match=said) as caught:
        next(stream)
    assert type(caught.value) is error
    assert list(stream) == []
    assert contained(process_id)(stored) != os.getpid()


def test_a_stream_ends_for_the_thread_that_waits_when_another_closes_it(
    stored: StoredFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    give_back = sandbox._POOL.give_back

    def slowly(child: sandbox._Child, *, kept: bool) -> None:
        give_back(child, kept=kept)
        time.sleep(0.3)  # whoever waits sees the child's end long before this thread goes on

    monkeypatch.setattr(sandbox._POOL, "give_back", slowly)
    stream = streamed(count_and_hang)(stored)
    assert [next(stream), next(stream)] == [0, 1]
    closing = threading.Timer(0.2, stream.close)
    started = time.monotonic()
    closing.start()
    assert list(stream) == []
    assert time.monotonic() - started < 30  # half of what the child hangs for
    closing.join()


def test_a_call_that_is_cancelled_ends_soon_with_its_child(stored: StoredFile) -> None:
    started = time.monotonic()
    with pytest.raises(CancelledError):
        contained(hang, cancelled=lambda: time.monotonic() - started > 0.2)(stored)
    assert time.monotonic() - started < 5


def test_a_pass_over_a_video_is_the_same_in_a_child(tmp_path: Path, admit: Admit) -> None:
    evidence = admit(make_video(tmp_path / "a.mp4", frames=40))
    with FrameReader(evidence, frames_per_second=5, max_frames=100, with_before=True) as here:
        expected = list(here)
    there = ContainedFrameReader(evidence, frames_per_second=5, max_frames=100, with_before=True)
    found = list(there)
    assert [(one.pts, one.frame_index, one.shot_index) for one in found] == [
        (one.pts, one.frame_index, one.shot_index) for one in expected
    ]
    for one, other in zip(found, expected, strict=True):
        assert np.array_equal(one.image, other.image)
        assert (one.before is None) == (other.before is None)
        assert one.before is None or np.array_equal(one.before, other.before)  # type: ignore[arg-type]
    assert there.shot_starts_s == here.shot_starts_s
    assert (there.progress, there.expected_frames) == (1.0, len(expected))
    assert there.integrity == here.integrity
    assert there.busy_s > 0


def test_a_reader_tells_how_far_it_is_between_the_frames_to_examine(
    tmp_path: Path, admit: Admit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("detector.evidence.contained_reader._TELL_EVERY_S", -1.0)
    evidence = admit(make_video(tmp_path / "a.mp4", frames=40))
    readings = list(_readings(evidence, 1.0, 2, with_before=False, offset=0.0))
    assert sum(reading.frame is None for reading in readings) > 30
    assert [reading.progress for reading in readings] == sorted(reading.progress for reading in readings)


@pytest.mark.skipif(sys.platform != "linux", reason="the allocator is glibc's")
def test_memory_that_was_freed_goes_back_to_the_system() -> None:
    resident = """
import resource
from pathlib import Path
from detector.evidence.limits import return_freed_memory

def resident_mb():
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 1e6

blocks = [bytearray(60_000) for _ in range(4_000)]
last = bytearray(60_000)  # what lies above the gaps keeps them from the system
before = resident_mb()
del blocks
freed = resident_mb()
return_freed_memory()
print(before - freed, freed - resident_mb())
"""
    shown = subprocess.run([sys.executable, "-c", resident], capture_output=True, check=True, text=True)
    by_itself, returned = map(float, shown.stdout.split())
    assert by_itself < 50
    assert returned > 150


def test_an_unforeseen_error_is_logged_in_one_line_that_says_where(
    stored: StoredFile, caplog: pytest.LogCaptureFixture
) -> None:
    refused(recurse, stored)
    (record,) = [one for one in caplog.records if one.name == "detector.evidence.sandbox"]
    assert "RecursionError" in record.getMessage()
    assert "test_sandbox.py, line" in record.getMessage()
    assert "\n" not in record.getMessage()
    caplog.clear()
    refused(fill_memory, stored)
    assert not caplog.records


def test_a_child_leaves_the_processor_to_others(stored: StoredFile) -> None:
    assert contained(niceness)(stored) == max(os.nice(0), limits.NICENESS)
