"""Names and notes are data, whatever they hold, through the database, a bundle and a backup."""

from __future__ import annotations

from pathlib import Path

from detector.cases import CaseStore, restore
from tests.cases.records import make_evidence

HOSTILE = {
    "code": (
        "Robert'); DROP TABLE cases;-- \" ? $1 %s {0} <script>alert(1)</script><img src=x onerror=alert(1)> &amp; &#0; "
        '=HYPERLINK("http://x","y") ../../etc/passwd C:\\con\\nul {{7*7}} ${jndi:ldap://x}'
    ),
    "characters": (
        "bell \x07 escape \x1b[31m nul \x00 delete \x7f next \x85 tab \t one\ntwo\r\nthree\u2028four\u2029five "
        "\u202egnp.exe\u202c \u2066isolate\u2069 \u200f محمد 日本語 हिन्दी עברית 👩‍👩‍👧 e\u0301"
    ),
    "long": "long " * 2_000 + "end",
}


def test_it_comes_back_unchanged_from_every_copy(store: CaseStore, tmp_path: Path) -> None:
    cases = {text: fill_case(store, text) for text in HOSTILE.values()}
    for text, case_id in cases.items():
        check(store, case_id, text)
    carried = {HOSTILE[kind]: cases[HOSTILE[kind]] for kind in ("code", "characters")}
    bundles = [store.export_case(case_id, tmp_path / f"{case_id}.zip") for case_id in carried.values()]
    with CaseStore.open(tmp_path / "elsewhere", actor="importer") as other:
        for bundle in bundles:
            other.import_case(bundle)
        for text, case_id in carried.items():
            make_evidence(other.evidence_dir, text.encode())
            check(other, case_id, text)
    restore(store.back_up(tmp_path / "backup"), tmp_path / "restored")
    with CaseStore.open(tmp_path / "restored", actor="restorer") as other:
        assert other.warnings == ()
        for text, case_id in cases.items():
            check(other, case_id, text)


def fill_case(store: CaseStore, text: str) -> str:
    """A case in which every text is this one."""
    case_id = store.create_case(text, reference=f"R {text}", examiner=text).case_id
    evidence = make_evidence(store.evidence_dir, text.encode(), file_name=text)
    exhibit_id = store.add_exhibit(case_id, evidence).exhibit_id
    store.add_note(case_id, text, exhibit_id=exhibit_id, author=text)
    store.metadata.set_tags(case_id, [text])
    store.metadata.set_favourite(case_id, True, author=text)
    store.metadata.name_exhibit(exhibit_id, reference=text, description=text)
    store.metadata.set_mandate(case_id, laboratory=text, client=text, question=text)
    store.metadata.record_receipt(exhibit_id, received_from=text, received_how=text, received_when=text)
    store.metadata.add_bookmark(exhibit_id, text=text, author=text)
    store.statements.give_opinion(exhibit_id, "genuine", text, author=text)
    store.statements.record_truth(exhibit_id, "genuine", text, method=text, author=text)
    store.statements.sign(case_id, "examiner", text, author=text)
    store.metadata.set_status(case_id, "closed", reason=text, author=text)
    return case_id


def check(store: CaseStore, case_id: str, text: str) -> None:
    case = store.case(case_id)
    (exhibit,) = store.exhibits(case_id)
    (note,) = store.notes(case_id)
    (mark,) = store.metadata.bookmarks(case_id)
    (opinion,) = store.statements.opinions(case_id)
    (truth,) = store.statements.truths(case_id)
    (signature,) = store.statements.signatures(case_id)
    texts = [case.title, case.examiner, case.status_reason, *case.tags, *case.favourite_of, exhibit.file_name]
    texts += [exhibit.reference, exhibit.description, note.text, note.author, mark.text, mark.author, opinion.text]
    texts += [opinion.author, truth.source, truth.method, truth.author, signature.statement, signature.author]
    texts += [case.laboratory, case.client, case.question]
    texts += [exhibit.received_from, exhibit.received_how, exhibit.received_when]
    texts += [event.actor for event in store.events(case_id) if event.action == "signed"]
    assert set(texts) == {text}
    assert case.reference == f"R {text}"
    assert [line.case.case_id for line in store.cases(text)] == [case_id]
    assert len({hit.kind for hit in store.search(text) if hit.case.case_id == case_id}) == 11
    outcome = store.verify(case_id)
    assert outcome.problem is None


def test_what_no_database_can_hold_stays_visible(store: CaseStore) -> None:
    case = store.create_case("half a pair \ud83d")
    assert case.title == "half a pair \\ud83d"
    note = store.add_note(case.case_id, "\udcff")
    assert note.text == "\\udcff"
    assert len(store.cases("\ud83d")) == 1
