"""The record on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from detector.cases import CaseStore
from detector.cli import main
from tests.cases.records import make_analysis, make_evidence


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FRAMEWITNESS_HOME", str(tmp_path / "home"))
    with CaseStore.open(tmp_path / "home", actor="E") as store:
        case_id = store.create_case("Bank call", reference="LAB-1", examiner="Ada").case_id
        exhibit = store.add_exhibit(case_id, make_evidence(store.evidence_dir))
        store.save_analysis(exhibit.exhibit_id, make_analysis(exhibit.evidence))
    return tmp_path / "home"


def said(capsys: pytest.CaptureFixture[str], *arguments: str, status: int = 0) -> str:
    capsys.readouterr()
    assert main(["cases", *arguments]) == status, capsys.readouterr().err
    return capsys.readouterr().out


def told(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict:
    return json.loads(said(capsys, *arguments, "--format", "json"))


@pytest.mark.usefixtures("home")
def test_statements_are_taken_down(capsys: pytest.CaptureFixture[str]) -> None:
    case = ("--case", "LAB-1")
    blind = told(capsys, "opinion", *case, "genuine", "--text", "blinks", "--author", "Ada")
    assert (blind["blind"], blind["analyses_before"], blind["author"]) == (True, 1, "Ada")
    note = told(capsys, "note", *case, "mouth edge", "--exhibit", "E1", "--track", "1", "--pts", "3000")
    assert (note["text"], note["track_id"], note["pts"]) == ("mouth edge", 1, 3000)
    mark = told(capsys, "note", *case, "here", "--bookmark", "--pts", "6000", "--author", "Ada")
    assert (mark["text"], mark["pts"]) == ("here", 6000)
    truth = told(capsys, "truth", *case, "manipulated", "--source", "confession")
    assert truth["truth"] == "manipulated"
    said(capsys, "show", "LAB-1")
    assert not told(capsys, "opinion", *case, "manipulated")["blind"]
    first = told(capsys, "sign", *case, "I examined it.", "--author", "Ada")
    second = said(capsys, "sign", *case, "Checked.", "--role", "second_examiner", "--author", "Bea").split("\t")
    assert int(second[1].split()[1]) > first["head_sequence"]
    shown = json.loads(said(capsys, "show", "LAB-1"))
    assert [opinion["blind"] for opinion in shown["opinions"]] == [True, False]
    assert [len(shown[kind]) for kind in ("notes", "bookmarks", "truths", "signatures")] == [1, 1, 1, 2]
    assert shown["exhibits"][0]["reference"] == "E1"
    assert shown["head"]["event_hash"] in said(capsys, "verify", "LAB-1")
    assert said(capsys, "seen", *case).startswith("encoder fingerprint\t1 of 1 exhibits")


def test_who_has_given_no_opinion_is_told_no_scores(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with CaseStore.open(home) as store:
        (case_id,) = (line.case.case_id for line in store.cases())
        store.metadata.set_blind_first(case_id, True)
        store.statements.give_opinion(store.exhibits(case_id)[0].exhibit_id, "genuine", author="Ada")
    for who, analyses, opinions in (("Ada", 1, 1), ("Bea", 0, 0)):
        shown = json.loads(said(capsys, "show", "LAB-1", "--author", who))
        assert (len(shown["analyses"]), len(shown["opinions"])) == (analyses, opinions)
    out = home.parent / "case.zip"
    said(capsys, "export", "LAB-1", "--out", str(out), "--author", "Bea", status=1)
    said(capsys, "export", "LAB-1", "--out", str(out), "--author", "Ada")


def test_an_exhibit_is_filed_in_another_case(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with CaseStore.open(home) as store:
        store.create_case("Other matter", reference="LAB-2")
    moved = told(capsys, "refile", "--case", "LAB-1", "--to", "LAB-2", "--reason", "mixed up", "--author", "Bea")
    assert moved["reference"] == "E1"
    assert [one["exhibit_id"] for one in json.loads(said(capsys, "show", "LAB-2"))["exhibits"]] == [moved["exhibit_id"]]
    assert main(["cases", "verify", "--all"]) == 0
    assert "by Bea" in capsys.readouterr().err


@pytest.mark.usefixtures("home")
def test_search_filter_and_archive(capsys: pytest.CaptureFixture[str]) -> None:
    said(capsys, "note", "--case", "LAB-1", "lips \x1b[31m late")
    (line,) = said(capsys, "search", "lips").splitlines()
    assert line.split("\t")[1:3] == ["LAB-1", "note"]
    assert "\x1b" not in line
    assert told(capsys, "search", "lips")["excerpt"] == "lips \x1b[31m late"
    assert "1 exhibit\t1 analysis" in said(capsys, "list")
    assert said(capsys, "list", "--examiner", "Bea") == ""
    assert said(capsys, "archive", "--case", "LAB-1", "--reason", "retention").endswith("archived\n")
    assert said(capsys, "list") == ""
    assert json.loads(said(capsys, "list", "--status", "archived", "--format", "json"))["exhibit_count"] == 1
    said(capsys, "note", "--case", "LAB-1", "x", status=1)
    assert said(capsys, "archive", "--case", "LAB-1", "--reason", "appeal", "--reopen").endswith("open\n")


def test_verify_holds_the_log_against_an_earlier_head(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    head = json.loads(said(capsys, "show", "LAB-1"))["head"]["event_hash"]
    outcome = told(capsys, "verify", "LAB-1", "--head", head)
    assert (outcome["ok"], outcome["problem"], outcome["files_checked"]) == (True, None, 3)
    with CaseStore.open(home) as store:
        assert store.events(outcome["case_id"])[-1].action == "case_verified"
    said(capsys, "verify", "LAB-1", "--head", "0" * 64, status=1)
    assert "intact" in said(capsys, "verify", "--all")
    next(path for path in (home / "artefacts").rglob("*.json")).unlink()
    assert "differs" in said(capsys, "verify", "--all", status=1)
    assert main(["cases", "verify"]) == 2
    assert main(["cases", "verify", "LAB-1", "--all"]) == 2


def test_a_case_and_a_whole_store_travel(home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bundle, folder = str(tmp_path / "case.zip"), str(tmp_path / "backup")
    said(capsys, "export", "LAB-1", "--out", bundle, "--with-evidence")
    said(capsys, "export", "--all", "--out", folder)
    elsewhere, restored = (("--home", str(tmp_path / name)) for name in ("elsewhere", "restored"))
    assert "Bank call" in said(capsys, "import", bundle, *elsewhere)
    assert capsys.readouterr().err == ""
    said(capsys, "import", folder, *restored)
    for place in (elsewhere, restored):
        assert "intact" in said(capsys, "verify", "LAB-1", *place)
    said(capsys, "import", bundle, status=1)
    assert main(["cases", "export", "--out", bundle]) == 2
