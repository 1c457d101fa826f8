"""One row schema: what it names is what the store, every export, the PDF and the page show."""

from __future__ import annotations

import csv
import io
import re
import zipfile
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from detector.analysis import tables
from detector.analysis.types import Analysis
from detector.cases import CaseStore
from detector.report.attachments import frame_scores
from detector.report.collect import collect
from detector.report.exchange import case_form
from pages.parts.examine import frame_table
from pages.parts.shared.readings import Readings
from tests.cases.records import make_analysis, make_evidence

ROOT = Path(__file__).resolve().parents[2]
HOSTILE = ("=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "  =1+1", "\uff1d1+1", " \uff20SUM(A1)")


@pytest.fixture
def store(tmp_path: Path) -> CaseStore:
    return CaseStore.open(tmp_path / "home", actor="tester")


def saved(store: CaseStore, file_name: str = "clip.mp4") -> tuple[str, str, Analysis]:
    """The case's id, the record's and the analysis."""
    evidence = make_evidence(store.evidence_dir, file_name=file_name)
    exhibit = store.add_exhibit(store.create_case("a").case_id, evidence)
    analysis = make_analysis(evidence)
    return exhibit.case_id, store.save_analysis(exhibit.exhibit_id, analysis).record_id, analysis


def rows_of(content: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content.decode(), newline="")))


def bundle_scores(store: CaseStore, case_id: str, folder: Path) -> bytes:
    with zipfile.ZipFile(store.export_case(case_id, folder / "case.zip")) as bundle:
        return bundle.read("scores.csv")


def pdf_scores(store: CaseStore, case_id: str, folder: Path) -> bytes:
    return frame_scores(collect(store, case_id))


def csv_form(store: CaseStore, case_id: str, folder: Path) -> bytes:
    return case_form(store, case_id, "csv")


CSV_WRITERS: tuple[Callable[[CaseStore, str, Path], bytes], ...] = (bundle_scores, pdf_scores, csv_form)


def test_a_column_added_to_the_schema_shows_everywhere(
    store: CaseStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    area: tables.Column[tables.FaceRow] = tables.Column(
        "area_px2", pa.float64(), lambda row: row.seen.face.quality.size_px**2
    )
    odds: tables.Column[tables.ScoreRow] = tables.Column("odds", pa.float64(), lambda row: 2.0**row.frame.logit)
    monkeypatch.setattr(tables, "FRAMES", (*tables.FRAMES, area))
    monkeypatch.setattr(tables, "SCORES", (*tables.SCORES, odds))
    for table, name in (("frames", "area_px2"), ("scores", "odds")):
        store._database.write(lambda cursor, sql=f"ALTER TABLE {table} ADD COLUMN {name} DOUBLE": cursor.execute(sql))
    case_id, record_id, analysis = saved(store)
    expected_odds = {2.0**frame.logit for track in analysis.models[0].tracks for frame in track.frames}

    assert set(store.face_table(record_id)["area_px2"]) == {40.5**2}
    assert set(store.score_table(record_id)["odds"]) == expected_odds
    for write in CSV_WRITERS:
        assert {float(row["odds"]) for row in rows_of(write(store, case_id, tmp_path))} == expected_odds
    wide = pq.read_table(io.BytesIO(case_form(store, case_id, "parquet"))).to_pandas()
    assert set(wide["odds"]) == expected_odds
    for shown in (
        wide,
        pd.read_csv(io.BytesIO(csv_form(store, case_id, tmp_path))),
        frame_table.table(Readings.of(analysis)),
    ):
        assert set(shown["area_px2"]) == {40.5**2}


def test_equal_things_have_equal_names(store: CaseStore, tmp_path: Path) -> None:
    case_id, record_id, analysis = saved(store)
    faces, scores = store.face_table(record_id), store.score_table(record_id)
    wide = pq.read_table(io.BytesIO(case_form(store, case_id, "parquet"))).to_pandas()
    page = frame_table.table(Readings.of(analysis))
    assert set(faces.columns) - {"record_id"} <= set(page.columns)
    assert set(faces.columns) | set(scores.columns) <= set(wide.columns)
    for write in CSV_WRITERS:
        assert set(scores.columns) <= set(rows_of(write(store, case_id, tmp_path))[0])
    shared = ["track_id", "pts", "x0_px", "y1_px", "weight", "flags"]
    order = ["track_id", "pts"]
    expected = faces.sort_values(order)[shared].reset_index(drop=True)
    for found in (wide, page):
        told = found.sort_values(order)[shared].reset_index(drop=True)
        pd.testing.assert_frame_equal(told, expected, check_dtype=False)


@pytest.mark.parametrize("write", CSV_WRITERS)
@pytest.mark.parametrize("text", HOSTILE)
def test_no_table_hands_a_spreadsheet_a_formula(
    store: CaseStore, tmp_path: Path, write: Callable[[CaseStore, str, Path], bytes], text: str
) -> None:
    case_id, _, _ = saved(store, file_name=text)
    rows = rows_of(write(store, case_id, tmp_path))
    assert {row["file_name"] for row in rows} <= {f"'{text}", f"'{text.strip()}"}  # the store strips names
    assert any(row["logit"].startswith("-") for row in rows)  # a negative number is no formula


def test_only_one_place_writes_csv_for_people() -> None:
    packages = ("analysis", "cases", "replay", "report", "jobs")
    modules = [path for package in packages for path in (ROOT / "detector" / package).rglob("*.py")]
    modules += (ROOT / "pages").rglob("*.py")
    found = {
        str(path.relative_to(ROOT))
        for path in modules
        if re.search(r"\bcsv\.(writer|DictWriter)\b|\.to_csv\(|\bwrite_csv\(", path.read_text(encoding="utf-8"))
    }
    assert found == {"detector/analysis/tables.py"}
