"""What pages are measured on and with: a record of any length, the name that pages ask for, and a browser."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from detector.benchmark import page_store
from detector.benchmark import pages as measured
from detector.cases import CaseStore
from detector.errors import FramewitnessError
from detector.registry import default_model_ids
from pages.parts.shared import actor


def test_the_record_has_a_score_of_every_frame_by_the_default_set(tmp_path: Path) -> None:
    record_id = page_store.fill_store(tmp_path / "home", 12)
    with CaseStore.open(tmp_path / "home") as store:
        analysis = store.analysis(record_id)
    assert {result.model_id for result in analysis.models} >= set(default_model_ids())
    assert {member.model_id for result in analysis.models for member in result.members} >= {
        "frame-lite0",
        "blend-lite0",
    }
    assert {len(track.frames) for result in analysis.models for track in result.tracks} == {12}
    assert not (tmp_path / "long.mp4").exists()


def test_the_browser_is_known_by_the_name_that_pages_ask_for() -> None:
    assert measured.NAME_COOKIE == actor.COOKIE


def test_a_browser_or_a_driver_that_is_missing_is_told_before_anything_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measured, "fill_store", lambda *_: pytest.fail("it was begun"))
    monkeypatch.setenv("CHROMIUM", "/usr/bin/chromium")
    monkeypatch.setitem(sys.modules, "playwright.sync_api", None)
    with pytest.raises(FramewitnessError, match="playwright, which is not installed"):
        measured.measure_pages()
    monkeypatch.delenv("CHROMIUM")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(FramewitnessError, match="Chromium, and none was found"):
        measured.measure_pages()
