"""The frame table: complete, typed, and harmless in a spreadsheet."""

from __future__ import annotations

import csv
import io
from dataclasses import replace

import pyarrow.parquet as pq
import pytest

from detector.analysis.tables import ABOUT, FRAMES, SCORES, NamedAnalysis, table_csv, table_parquet, wide_table
from tests.report.conftest import make_analysis, make_every_kind, make_evidence, make_unscored

NAMES = (
    *(column.name for column in (*ABOUT, *FRAMES)),
    *(column.name for column in SCORES if column.name not in {of.name for of in FRAMES}),
)
HOSTILE = (
    '=HYPERLINK("http://x","y")',
    "+1+1",
    "-2+3+cmd|' /C calc'!A0",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    "\n=1",
    "  =1+1",
    "\uff1d1+1",
    'a","=1+1',
    "a\r\n=1+1",
    "\u202egpj.mp4",
    "nul\0byte",
    "broken \udcff name",
    "<script>alert(1)</script>",
)


def read(content: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content.decode(), newline="")))


def test_every_face_and_score_has_a_row() -> None:
    analysis = make_every_kind(make_evidence())
    table = wide_table([NamedAnalysis(analysis, "E1", "r000000001")])
    rows = table.to_pylist()
    faces = sum(len(track.faces) for track in analysis.tracks)
    said = [
        frame
        for model in analysis.models
        for tracks in ([cue.tracks for cue in model.specialists] if model.kind == "specialists" else [model.tracks])
        for track in tracks
        for frame in track.frames
    ]
    assert len(rows) == len(said) == 4 * faces
    assert {(row["track_id"], row["pts"]) for row in rows} == {
        (track.track_id, face.pts) for track in analysis.tracks for face in track.faces
    }
    assert {(row["model_id"], row["cue"]) for row in rows} == {
        ("frame-b0", None),
        ("tm-b1", None),
        ("cues-b2", "BG"),
        ("all-b4", None),
    }
    first = rows[0]
    frame = analysis.models[0].tracks[0].frames[0]
    assert (first["logit"], first["score"]) == (frame.logit, frame.score)
    assert (first["x0_px"], first["y1_px"], first["weight"]) == (175.0, 205.0, 0.8)
    assert (first["exhibit"], first["record_id"], first["analysis_id"]) == ("E1", "r000000001", "a1b2c3d4e5f6")


def test_a_face_that_nothing_scored_is_there_without_a_score() -> None:
    analysis = make_analysis(make_evidence(), faces_per_track=4, tracks=1)
    scored = replace(analysis.models[0].tracks[0], frames=analysis.models[0].tracks[0].frames[1:])
    analysis = replace(analysis, models=(replace(analysis.models[0], tracks=(scored,)),))
    rows = read(table_csv(wide_table([NamedAnalysis(analysis)])))
    assert len(rows) == len(analysis.tracks[0].faces) == 3
    assert (rows[0]["model_id"], rows[0]["logit"], rows[0]["score"]) == ("", "", "")
    assert all(row["score"] for row in rows[1:])
    assert table_csv(wide_table([NamedAnalysis(make_unscored(make_evidence()))])).count(b"\r\n") == 1


def test_numbers_stay_numbers_down_to_the_last_digit() -> None:
    analysis = make_analysis(make_evidence(), faces_per_track=20)
    table = wide_table([NamedAnalysis(analysis)])
    lowest = min(range(table.num_rows), key=lambda row: table["logit"][row].as_py())
    rows = read(table_csv(table))
    assert float(rows[lowest]["logit"]) == table["logit"][lowest].as_py() < 0
    assert rows[lowest]["logit"].startswith("-")  # a negative number is no formula


@pytest.mark.parametrize("text", HOSTILE)
def test_no_name_becomes_a_formula_or_another_cell(text: str) -> None:
    analysis = make_analysis(make_evidence(text), faces_per_track=2, tracks=1)
    named = NamedAnalysis(replace(analysis, analysis_id=text), text, text)
    table = wide_table([named])
    content = table_csv(table)
    parsed = list(csv.reader(io.StringIO(content.decode(), newline="")))
    assert len(parsed) == 1 + table.num_rows
    assert all(len(row) == len(NAMES) for row in parsed)
    for row in read(content):
        for column in ("exhibit", "file_name", "record_id", "analysis_id"):
            assert not row[column].lstrip().startswith(("=", "+", "-", "@", "\uff1d"))
            assert not row[column].startswith(("\t", "\r", "\n"))
            assert "\0" not in row[column]
    assert b"\0" not in content


def test_parquet_keeps_types_and_the_exact_text() -> None:
    analysis = make_analysis(make_evidence("=1+1"), faces_per_track=3, tracks=1)
    table = wide_table([NamedAnalysis(analysis, "E1")])
    content = table_parquet(table)
    found = pq.read_table(io.BytesIO(content))
    assert found.schema.equals(table.schema)
    assert tuple(found.schema.names) == NAMES
    assert found["file_name"][0].as_py() == "=1+1"
    assert found.to_pylist() == table.to_pylist()
    assert table_parquet(wide_table([NamedAnalysis(analysis, "E1")])) == content


def test_what_cannot_be_seen_is_spelled_out_in_a_cell() -> None:
    analysis = make_analysis(make_evidence("invoice\u202egpj\u200b\0.mp4"), faces_per_track=2, tracks=1)
    rows = read(table_csv(wide_table([NamedAnalysis(analysis)])))
    assert rows[0]["file_name"] == "invoice‹U+202E›gpj‹U+200B›‹U+0000›.mp4"
