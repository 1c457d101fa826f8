"""The choice that is in force in a home: kept whole, found again, and refused once it was changed."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from detector.calibration.in_force import Choice, choice_in_force, put_in_force
from detector.errors import CalibrationError

NOW = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    """The file of a choice that is in force in `tmp_path`."""
    choice = Choice.shipped("Ada", NOW)
    path = choice.keep(tmp_path)
    put_in_force(choice.sha256, tmp_path)
    return path


def test_what_was_put_in_force_is_found_and_nothing_before_that(tmp_path: Path) -> None:
    assert choice_in_force(tmp_path / "none") is None
    first, second = Choice.shipped("Ada", NOW), Choice.shipped("Bea", NOW)
    for choice in (first, second):
        choice.keep(tmp_path)
        put_in_force(choice.sha256, tmp_path)
        assert choice_in_force(tmp_path) == choice
    put_in_force(first.sha256, tmp_path)
    assert choice_in_force(tmp_path) == first
    put_in_force(None, tmp_path)
    assert choice_in_force(tmp_path) is None


def test_a_choice_that_was_changed_or_is_gone_is_refused_with_what_to_do(kept: Path) -> None:
    assert choice_in_force(kept.parent) is not None
    kept.write_text(kept.read_text(encoding="utf-8").replace("Ada", "Eve"), encoding="utf-8")
    with pytest.raises(CalibrationError, match=r"were changed since they were chosen.*Choose the set again"):
        choice_in_force(kept.parent)
    kept.unlink()
    with pytest.raises(CalibrationError, match=r"cannot be read.*Choose the set again"):
        choice_in_force(kept.parent)


def test_a_pointer_that_names_no_choice_is_refused(kept: Path) -> None:
    (kept.parent / "in-force").write_text("../../elsewhere", encoding="utf-8")
    with pytest.raises(CalibrationError, match="Expected the SHA-256 of a choice"):
        choice_in_force(kept.parent)


def test_a_process_killed_while_it_writes_leaves_the_old_choice_in_force(
    kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object) -> None:
        raise SystemExit

    before = choice_in_force(kept.parent)
    monkeypatch.setattr("detector.calibration.in_force.os.fsync", killed)
    with pytest.raises(SystemExit):
        put_in_force("0" * 64, kept.parent)
    assert choice_in_force(kept.parent) == before


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(CalibrationError, match="could not be written"):
        Choice.shipped("Ada", NOW).keep(tmp_path / "file" / "calibration")
