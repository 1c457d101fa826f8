"""A few disturbances of each kind, and whether the inspection after them would notice what it looks for.

`make torture` kills a hundred times.
"""

from __future__ import annotations

import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from detector.cases import CaseStore
from tests.cases.records import make_evidence
from tests.torture.acts import ANALYZE, IMPORT
from tests.torture.inspection import acknowledged, inspect
from tests.torture.scene import Scene, build
from tests.torture.trial import Trials
from tests.torture.victim import Moment, Victim

pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL on this system")


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FRAMEWITNESS_WEIGHTS", "")
        yield build(tmp_path_factory.mktemp("scene"))


@pytest.fixture(scope="module")
def trials(scene: Scene) -> Trials:
    return Trials(scene)


@pytest.fixture
def home(scene: Scene, tmp_path: Path) -> Path:
    return scene.home(tmp_path, empty=False)


def test_a_command_killed_at_a_moment_costs_nothing(trials: Trials) -> None:
    outcome = trials.kill(10, IMPORT)
    assert outcome.hit
    assert outcome.findings == ()


def test_an_analysis_killed_part_way_is_done_again_and_what_it_says_is_there(
    scene: Scene, home: Path, tmp_path: Path
) -> None:
    assert Victim(ANALYZE, scene, home, tmp_path, Moment(touch=40)).end().killed
    assert inspect(home, ()) == []
    again = Victim(ANALYZE, scene, home, tmp_path).end()
    known = acknowledged(again.said + again.complained)
    assert sorted(map(len, known)) == [10, 10, 32]  # case, record, analysis
    assert inspect(home, known) == []


def test_a_full_disk_a_read_only_home_and_a_changed_clock_cost_nothing(trials: Trials) -> None:
    for outcome in (trials.fill_disk(113), trials.forbid_writing(0), trials.change_clock(8)):
        assert outcome.findings == (), outcome


def test_the_inspection_notices_what_was_lost_doubled_or_left_over(home: Path) -> None:
    with CaseStore.open(home) as store:
        store.create_case("Twice")
        store.create_case("Twice")
        make_evidence(store.evidence_dir, b"refused")  # listed as a stray, so nothing wrong
        (store.home / "left.tmp").write_bytes(b"")
    assert inspect(home, {"n0lost0000"}) == [
        f"left over and not listed: {home / 'left.tmp'}",
        "acknowledged and lost: n0lost0000",
        "twice in cases: ('Twice',)",
    ]


def test_the_inspection_notices_a_store_that_differs_or_does_not_open(home: Path, tmp_path: Path) -> None:
    broken = shutil.copytree(home, tmp_path / "broken")
    with duckdb.connect(str(home / "cases.duckdb")) as database:
        database.execute("DELETE FROM notes")
    assert any("exit status 1" in finding for finding in inspect(home, ()))
    (broken / "cases.duckdb").write_bytes(b"")
    assert any("does not open" in finding for finding in inspect(broken, ()))
