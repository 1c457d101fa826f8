"""`report` writes, signs and checks; what it did is in the case's log, and the passphrase is nowhere."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from pathlib import Path

import pytest
from pypdf import PdfReader

from detector.cases import CaseStore
from detector.cases.export_forms import REPORT_FORMS
from detector.cli import main
from detector.evidence import examine, ingest
from detector.report.check import check_report
from detector.report.collect import collect
from detector.report.issue import issue_report
from detector.report.language import LANGUAGES
from detector.report.typeset import FORMS
from pages.parts.cases import exports
from tests.report.certificates import PASSPHRASE, make_chain
from tests.report.test_collect import analysed, clip, remove_file

PASSPHRASE_VARIABLE = "FRAMEWITNESS_P12_PASSPHRASE"


@dataclass
class Home:
    path: Path
    case_id: str

    def run(self, *arguments: str) -> int:
        return main(["report", *arguments, "--home", str(self.path)])


@pytest.fixture
def home(tmp_path: Path) -> Home:
    with CaseStore.open(tmp_path / "home", actor="tester") as store:
        case = store.create_case("Press clip", reference="LAB-7", examiner="A. Examiner")
        evidence = examine(ingest(clip(tmp_path / "=press.mp4", frames=10), store.evidence_dir))
        exhibit = store.add_exhibit(case.case_id, evidence)
        store.save_analysis(exhibit.exhibit_id, analysed(evidence))
    return Home(tmp_path / "home", case.case_id)


def test_a_report_is_written_logged_and_checked(home: Home, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "case.pdf"
    assert home.run("LAB-7", "--out", str(out), "--form", "short", "--language", "ar") == 0
    with CaseStore.open(home.path) as store:
        event = store.events(home.case_id)[-1]
    assert (event.action, event.details["form"], event.details["language"]) == ("report_rendered", "short", "ar")
    capsys.readouterr()
    assert home.run("--verify", str(out), "--format", "json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["ok"] is True
    assert [one["ok"] for one in told["findings"] if one["code"] == "store"] == [True, True]


def test_a_signed_report_is_checked_against_a_root(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    chain = make_chain(tmp_path)
    out = tmp_path / "case.pdf"
    monkeypatch.setenv(PASSPHRASE_VARIABLE, PASSPHRASE.decode())
    assert home.run("LAB-7", "--out", str(out), "--form", "short", "--sign", str(chain.signer_p12)) == 0
    with CaseStore.open(home.path) as store:
        event = store.events(home.case_id)[-1]
    assert "A. Examiner" in event.details["signed_by"]
    assert PASSPHRASE.decode() not in json.dumps(dict(event.details))
    assert home.run("--verify", str(out), "--trust", str(chain.root_pem)) == 0
    content = bytearray(out.read_bytes())
    content[content.index(b"stream\n") + 20] ^= 1
    out.write_bytes(bytes(content))
    capsys.readouterr()
    assert home.run("--verify", str(out), "--trust", str(chain.root_pem)) != 0


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("LAB-7",),
        ("LAB-7", "--verify", "x.pdf"),
        ("LAB-7", "--out", "x.pdf", "--timestamp", "https://clock.example"),
        ("LAB-7", "--out", "x.pdf", "--sign", "absent.p12"),
    ],
)
def test_wrong_usage_says_so(home: Home, arguments: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PASSPHRASE_VARIABLE, "x")
    assert home.run(*arguments) == 2


def test_a_passphrase_is_never_an_argument(home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chain = make_chain(tmp_path)
    monkeypatch.delenv(PASSPHRASE_VARIABLE, raising=False)
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    assert home.run("LAB-7", "--out", str(tmp_path / "x.pdf"), "--sign", str(chain.signer_p12)) == 2
    with pytest.raises(SystemExit):
        home.run("LAB-7", "--out", str(tmp_path / "x.pdf"), "--passphrase", "x")


def test_an_analysis_that_the_store_no_longer_keeps_is_found(home: Home, tmp_path: Path) -> None:
    with CaseStore.open(home.path) as store:
        pdf = issue_report(store, home.case_id, file_name="case.pdf", form="short")
        assert check_report(pdf, store=store).ok
    with CaseStore.open(tmp_path / "other") as other:
        other.create_case("Another")
        outcome = check_report(pdf, store=other)
        assert outcome.ok
        assert [one.ok for one in outcome.findings if one.code == "store"] == [None]


def test_checking_a_file_makes_no_store(home: Home, tmp_path: Path) -> None:
    out = tmp_path / "case.pdf"
    assert home.run("LAB-7", "--out", str(out), "--form", "short") == 0
    assert main(["report", "--verify", str(out), "--home", str(tmp_path / "nowhere")]) == 0
    assert not (tmp_path / "nowhere").exists()


def test_scores_that_wait_for_an_opinion_are_neither_printed_nor_counted_as_shown(home: Home) -> None:
    with CaseStore.open(home.path, actor="tester") as store:
        store.metadata.set_blind_first(home.case_id, True)
        (exhibit,) = store.exhibits(home.case_id)
        pdf = issue_report(store, home.case_id, file_name="case.pdf")
        assert "0.880" not in "".join(page.extract_text() for page in PdfReader(io.BytesIO(pdf)).pages)
        assert store.statements.scores_opened_by(exhibit.exhibit_id) == ()
        assert store.statements.give_opinion(exhibit.exhibit_id, "genuine", "no seam anywhere").blind
        assert collect(store, home.case_id, reader="another").scores_withheld  # also after somebody else's
        assert collect(store, home.case_id, reader="another").opinions == ()
        issue_report(store, home.case_id, file_name="case.pdf", form="short")
        assert store.statements.scores_opened_by(exhibit.exhibit_id) == ("tester",)


def test_who_received_an_exhibit_is_printed(home: Home) -> None:
    with CaseStore.open(home.path, actor="tester") as store:
        text = "".join(
            page.extract_text()
            for page in PdfReader(io.BytesIO(issue_report(store, home.case_id, file_name="x.pdf"))).pages
        )
        assert "Taken in by tester" in " ".join(text.split())
        remove_file(store.exhibits(home.case_id)[0].evidence.file.path)
        text = "".join(
            page.extract_text()
            for page in PdfReader(io.BytesIO(issue_report(store, home.case_id, file_name="x.pdf"))).pages
        )
        assert "something differs" in " ".join(text.split())


def test_the_menu_offers_what_the_report_can_do() -> None:
    assert tuple(form.key.removeprefix("report-") for form in REPORT_FORMS) == FORMS
    assert tuple(exports.LANGUAGES) == LANGUAGES
