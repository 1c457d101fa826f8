"""A short run of the hostile files, the ones that once went wrong, and whether the trial itself would notice.

`make fuzz` tries thousands more.
"""

from __future__ import annotations

import os
import socket
import time
from collections import Counter
from pathlib import Path

import pytest

from detector.errors import EvidenceError
from tests.fuzz.corpus import Corpus, Edit, Specimen, edited
from tests.fuzz.minimise import CRASHES, fewest, keep, read, shortest
from tests.fuzz.trial import Limits, Outcome, trap, try_file

SEEDS = range(60)
SHORT = Limits(seconds=20.0)
BOMB_SIDE_PX = 3_000


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    return Corpus(tmp_path_factory.mktemp("sources"), "http://127.0.0.1:50000/evidence.mp4", bomb_side_px=BOMB_SIDE_PX)


def test_sixty_hostile_files_give_evidence_or_one_clear_refusal_and_call_nobody(
    tmp_path_factory: pytest.TempPathFactory, tmp_path: Path
) -> None:
    outcomes: dict[int, Outcome] = {}
    with trap() as (url, sprung):
        corpus = Corpus(tmp_path_factory.mktemp("sources"), url, bomb_side_px=BOMB_SIDE_PX)
        for seed in SEEDS:
            specimen = corpus.specimen(seed)
            (tmp_path / specimen.name).write_bytes(specimen.content)
            outcomes[seed] = try_file(tmp_path / specimen.name, SHORT)
        assert not sprung()
    assert {seed: outcome for seed, outcome in outcomes.items() if not outcome.sound} == {}
    # Neither all refused at the door, nor all sound: both would test little.
    verdicts = Counter(outcome.verdict for outcome in outcomes.values())
    assert min(verdicts["examined"], verdicts["refused"]) >= 15


@pytest.mark.parametrize("kept", sorted(CRASHES.glob("*.xz")), ids=lambda path: path.stem)
def test_what_once_went_wrong_stays_mended(kept: Path, tmp_path: Path) -> None:
    outcome = try_file(read(kept, tmp_path), SHORT)
    assert outcome.sound, outcome.detail


def test_the_same_seed_gives_the_same_file_and_every_seed_another(corpus: Corpus) -> None:
    assert corpus.specimen(7).content == corpus.specimen(7).content
    assert len({corpus.specimen(seed).content for seed in SEEDS}) > 55


def _refuses(path: Path, folder: Path) -> None:
    raise EvidenceError("Expected a video, found none. Choose another file.")


def _stumbles(path: Path, folder: Path) -> None:
    raise IndexError(path.name)


def _dies(path: Path, folder: Path) -> None:
    os.abort()


def _dawdles(path: Path, folder: Path) -> None:
    time.sleep(60)


def _hoards(path: Path, folder: Path) -> None:
    bytearray(1 << 30)


def _calls(path: Path, folder: Path) -> None:
    with socket.socket() as connection:
        connection.connect_ex(("127.0.0.1", 9))


@pytest.mark.parametrize(
    ("work", "verdict", "fault"),
    [
        (_refuses, "refused", "evidence_unreadable"),
        (_stumbles, "traceback", "IndexError in test_fuzz.py, _stumbles"),
        (_dies, "died", "exit status -6"),
        (_dawdles, "too slow", "no answer within 1 s"),
        (_hoards, "refused", "out of memory"),
        (_calls, "connected", "socket.connect"),
    ],
)
def test_a_trial_notices(work: object, verdict: str, fault: str) -> None:
    limits = Limits(seconds=1.0 if verdict == "too slow" else 20.0, memory_mb=256)
    outcome = try_file(Path("clip.mp4"), limits, work)  # type: ignore[arg-type]
    assert (outcome.verdict, outcome.fault) == (verdict, fault)


def test_a_call_from_outside_python_springs_the_trap() -> None:
    with trap() as (url, sprung):
        assert not sprung()
        with socket.create_connection(("127.0.0.1", int(url.split(":")[2].split("/")[0]))):
            assert sprung()


@pytest.fixture
def specimen() -> Specimen:
    return Specimen(4, "clip.mp4", b"....................", tuple(Edit(at, 1, bytes((65 + at,))) for at in range(20)))


def test_a_crash_is_kept_with_only_the_edits_that_it_needs(specimen: Specimen, tmp_path: Path) -> None:
    needed = {specimen.edits[3], specimen.edits[17]}
    fewer = fewest(specimen.edits, lambda edits: needed <= set(edits))
    assert fewer == (specimen.edits[3], specimen.edits[17])
    fewer = shortest(specimen.source, fewer, lambda edits: len(edited(specimen.source, edits)) >= 18)
    kept = keep(specimen, fewer, tmp_path / "crashes")
    assert kept.name == "4-clip.mp4.xz"
    again = read(kept, tmp_path)
    assert again.name == "clip.mp4"
    assert again.read_bytes() == b"...D.............R"
