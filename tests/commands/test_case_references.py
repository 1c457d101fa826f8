"""Commands that write one file an analysis take a case by its name, as the documentation prints them."""

from __future__ import annotations

from pathlib import Path

import pytest

from detector.cases import CaseStore
from detector.cli import main
from detector.evidence import examine, ingest
from tests.pages.seed import fill, make_analysis, write_clip, write_model

COMMANDS = [("bundle", ".zip", []), ("annotate", ".mp4", ["--quiet"]), ("contact-sheet", ".png", ["--no-heatmap"])]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A store with one case of two exhibits, "Two", and one of one, "Seeded case"."""
    card = write_model(tmp_path / "weights")
    monkeypatch.setenv("FRAMEWITNESS_WEIGHTS", str(tmp_path / "weights"))
    monkeypatch.setenv("FRAMEWITNESS_HOME", str(tmp_path / "home"))
    with CaseStore.open(tmp_path / "home", actor="tester") as store:
        fill(store, write_clip(tmp_path / "clip.mp4"), card)
        two = store.create_case("Two", reference="R/2")
        for seconds in (1.5, 2.0):
            clip = write_clip(tmp_path / f"{seconds}.mp4", seconds=seconds)
            exhibit = store.add_exhibit(two.case_id, examine(ingest(clip, store.evidence_dir)))
            store.save_analysis(exhibit.exhibit_id, make_analysis(exhibit.evidence, card))
        store.create_case("Empty")
    return tmp_path / "home"


@pytest.mark.parametrize(("command", "suffix", "more"), COMMANDS)
def test_a_case_of_one_exhibit_stands_for_its_newest_analysis(
    home: Path, tmp_path: Path, command: str, suffix: str, more: list[str]
) -> None:
    out = tmp_path / f"out{suffix}"
    assert main([command, "Seeded case", "--out", str(out), *more]) == 0
    assert out.stat().st_size > 1000


@pytest.mark.parametrize(("command", "suffix", "more"), COMMANDS)
def test_a_case_of_several_exhibits_says_which_and_all_writes_each(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str, suffix: str, more: list[str]
) -> None:
    out = tmp_path / "out"
    assert main([command, "R/2", "--out", str(out), *more]) == 1
    assert not out.exists()
    told = capsys.readouterr().err
    with CaseStore.open(home) as store:
        ids = [record.record_id for record in store.analyses() if record.record_id in told]
    assert len(ids) == 2
    assert "--all" in told
    assert main([command, "R/2", "--all", "--out", str(out), *more]) == 0
    assert sorted(path.name for path in out.iterdir()) == sorted(
        f"E{number}-{record}{suffix}" for number, record in enumerate(sorted(ids), start=1)
    )


def test_a_name_that_is_neither_a_record_nor_a_case_is_told(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, complaint in (("absent", "no analysis and no case 'absent'"), ("Empty", "has 0 analysed exhibits")):
        assert main(["bundle", name, "--out", "x.zip"]) == 1
        assert complaint in capsys.readouterr().err
    assert main(["bundle", "Empty", "--all", "--out", "x"]) == 1
    assert "has no analysis" in capsys.readouterr().err
    assert main(["bundle", "--out", "x.zip"]) == 2
