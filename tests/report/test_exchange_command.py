"""`python -m detector exchange`: every form from the command line, and the log that says so."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from detector.cases import CaseStore
from detector.cli import main
from tests.pages.seed import Seeded, fill, write_clip, write_model

NAME = "=1+1 <script>alert(1)</script>\u202e.mp4"


@pytest.fixture
def seeded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Seeded:
    card = write_model(tmp_path / "weights")
    monkeypatch.setenv("FRAMEWITNESS_WEIGHTS", str(tmp_path / "weights"))
    monkeypatch.setenv("FRAMEWITNESS_HOME", str(tmp_path / "home"))
    with CaseStore.open(tmp_path / "home", actor="tester") as store:
        return fill(store, write_clip(tmp_path / "clip.mp4"), card, file_name=NAME)


def test_a_case_in_each_form(seeded: Seeded, tmp_path: Path) -> None:
    for form in ("html", "case-uco", "csv", "parquet"):
        assert main(["exchange", "Seeded case", "--as", form, "--out", str(tmp_path / form)]) == 0
    assert b"<script" not in (tmp_path / "html").read_bytes()
    assert json.loads((tmp_path / "case-uco").read_text())["@graph"]
    rows = pq.read_table(tmp_path / "parquet").to_pylist()
    assert (tmp_path / "csv").read_bytes().count(b"\r\n") == len(rows) + 1
    assert {row["file_name"] for row in rows} == {NAME}
    with CaseStore.open(tmp_path / "home") as store:
        told = [event.details for event in store.events(seeded.case.case_id) if event.action == "case_exported"]
        assert [one["form"] for one in told] == ["html", "case-uco", "csv", "parquet"]
        assert store.statements.scores_opened_by(seeded.exhibit.exhibit_id)


def test_one_analysis_and_what_is_not_offered(
    seeded: Seeded, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    record = ["exchange", "--record", seeded.record.record_id]
    assert main([*record, "--as", "replay", "--out", str(tmp_path / "b.zip")]) == 0
    assert main([*record, "--as", "html", "--out", str(tmp_path / "x")]) == 2
    assert main(["exchange", "Seeded case", "--as", "replay", "--out", str(tmp_path / "x")]) == 2
    assert main(["exchange", "Seeded case", "--as", "html", "--language", "xx", "--out", str(tmp_path / "x")]) == 2
    assert not (tmp_path / "x").exists()
    with CaseStore.open(tmp_path / "home") as store:
        store.metadata.set_blind_first(seeded.case.case_id, True)
    capsys.readouterr()
    for command in (
        [*record, "--as", "csv", "--out", str(tmp_path / "x")],
        ["bundle", seeded.record.record_id, "--out", str(tmp_path / "x")],
        ["annotate", "--case", "Seeded case", "--out", str(tmp_path / "x")],
        ["contact-sheet", seeded.record.record_id, "--out", str(tmp_path / "x")],
    ):
        assert main(command) == 1
        assert "blind first" in capsys.readouterr().err
    assert main(["exchange", "Seeded case", "--as", "csv", "--out", str(tmp_path / "x")]) == 0
    assert (tmp_path / "x").read_bytes().count(b"\r\n") == 1
