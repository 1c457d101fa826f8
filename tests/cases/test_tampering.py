"""Every way to change the record behind the program's back that we could think of, and that each is found."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pytest

from detector.cases import CaseStore, JobRequest
from detector.cases.anchor import Anchor
from detector.cases.chain import FIRST_PREVIOUS_HASH, append_event, event_hash
from detector.cases.database import from_column, rows
from detector.errors import StoreError
from tests.cases.records import make_analysis, make_evidence


@dataclass(frozen=True)
class World:
    """A closed store: `case_id` has one of everything, `other_id` one exhibit and one analysis."""

    home: Path
    case_id: str
    other_id: str

    def sql(self, *statements: str) -> None:
        """Anything that someone with the database file and DuckDB could do."""
        connection = duckdb.connect(str(self.home / "cases.duckdb"))
        for statement in statements:
            connection.execute(statement.replace("$case", f"'{self.case_id}'").replace("$other", f"'{self.other_id}'"))
        connection.close()

    def file(self, pattern: str) -> Path:
        return sorted(path for path in self.home.glob(pattern) if path.is_file())[0]

    def anchor_lines(self) -> list[str]:
        return (self.home / "cases.anchor").read_text().splitlines(keepends=True)

    def write_anchor(self, lines: list[str]) -> None:
        (self.home / "cases.anchor").write_text("".join(lines))


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> World:
    home = tmp_path_factory.mktemp("original") / "home"
    with CaseStore.open(home, actor="E") as store:
        case_id = store.create_case("Tampering", examiner="E").case_id
        other_id = store.create_case("Other").case_id
        exhibit = store.add_exhibit(case_id, make_evidence(store.evidence_dir)).exhibit_id
        second = store.add_exhibit(other_id, make_evidence(store.evidence_dir, b"other")).exhibit_id
        store.statements.give_opinion(exhibit, "genuine", "natural blinking", author="Ada")
        job = store.jobs.add(JobRequest(exhibit, ("frame-a",)))
        store.jobs.claim()
        record = store.save_analysis(exhibit, make_analysis(store.exhibit(exhibit).evidence))
        store.jobs.finish(job.job_id, record.record_id)
        store.save_analysis(second, make_analysis(store.exhibit(second).evidence, seed=1))
        store.statements.record_view(case_id, exhibit_id=exhibit, scores=True, author="Ada")
        store.metadata.name_exhibit(exhibit, reference="AB/1", description="from the phone")
        store.metadata.set_mandate(case_id, client="Court 4", question="Is the speaker's face altered?")
        store.metadata.record_receipt(exhibit, received_from="J. B.", received_how="sealed bag 12")
        store.metadata.add_bookmark(exhibit, pts=3000, text="mouth")
        store.metadata.set_tags(case_id, ["fraud"])
        store.similarity.fingerprint(exhibit)
        store.statements.record_truth(exhibit, "manipulated", "confession")
        store.statements.sign(case_id, "examiner", "I examined it.", author="Ada")
        store.add_note(case_id, "first note")
        store.add_note(case_id, "second note")
    return World(home, case_id, other_id)


@pytest.fixture
def world(original: World, tmp_path: Path) -> Iterator[World]:
    shutil.copytree(original.home, tmp_path / "home")
    yield World(tmp_path / "home", original.case_id, original.other_id)
    shutil.rmtree(tmp_path / "home")


def problem(world: World) -> str:
    """The first thing that verifying the whole store finds; empty where all agrees."""
    with CaseStore.open(world.home, actor="E") as store:
        whole = store.verify_all()
    found = [outcome.problem for outcome in whole.cases if outcome.problem] + ([whole.problem] if whole.problem else [])
    assert whole.ok == (not found)
    return found[0] if found else ""


def flip_last_byte(path: Path) -> None:
    content = path.read_bytes()
    path.chmod(0o600)
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))


def rewrite_log(world: World) -> None:
    """The log from the second event on says another name, and every hash is made to fit, in the heads as well."""
    connection = duckdb.connect(str(world.home / "cases.duckdb"))
    cursor = connection.cursor()
    previous = FIRST_PREVIOUS_HASH
    for row in rows(cursor, "SELECT * FROM events WHERE case_id = ? ORDER BY sequence", [world.case_id]):
        actor = row["actor"] if row["sequence"] == 1 else "Somebody Else"
        details = json.loads(row["details_json"])
        stated = event_hash(
            world.case_id, row["sequence"], from_column(row["at_utc"]), actor, row["action"], details, previous
        )
        cursor.execute(
            "UPDATE events SET actor = ?, previous_hash = ?, event_hash = ? WHERE case_id = ? AND sequence = ?",
            [actor, previous, stated, world.case_id, row["sequence"]],
        )
        previous = stated
    cursor.execute("UPDATE case_heads SET event_hash = ? WHERE case_id = ?", [previous, world.case_id])
    connection.close()


def remove_newest(world: World) -> None:
    """The newest event goes together with the note it recorded, and every trace of both in the database."""
    connection = duckdb.connect(str(world.home / "cases.duckdb"))
    (newest,) = connection.execute("SELECT max(sequence) FROM events WHERE case_id = ?", [world.case_id]).fetchone()
    connection.execute("DELETE FROM search_texts WHERE place = (SELECT max(note_id) FROM notes)")
    connection.execute("DELETE FROM notes WHERE text = 'second note'")
    connection.execute("DELETE FROM events WHERE case_id = ? AND sequence = ?", [world.case_id, newest])
    query = "SELECT sequence, event_hash, at_utc FROM events WHERE case_id = ? AND sequence = ?"
    head = connection.execute(query, [world.case_id, newest - 1]).fetchone()
    connection.execute(
        "UPDATE case_heads SET sequence = ?, event_hash = ?, at_utc = ? WHERE case_id = ?", [*head, world.case_id]
    )
    connection.close()


def remove_case(world: World) -> None:
    tables = ("exhibits", "analyses", "events", "case_heads", "exhibit_families", "search_texts")
    parts = ("artefacts", "tracks", "frames", "scores")
    record = "(SELECT record_id FROM analyses WHERE case_id = $other)"
    world.sql(
        *(f"DELETE FROM {table} WHERE record_id IN {record}" for table in parts),
        *(f"DELETE FROM {table} WHERE case_id = $other" for table in (*tables, "cases")),
    )


def put_back_older_copy(world: World) -> None:
    older = world.home.with_name("older.duckdb")
    shutil.copy(world.home / "cases.duckdb", older)
    with CaseStore.open(world.home, actor="E") as store:
        store.add_note(world.case_id, "incriminating")
    shutil.copy(older, world.home / "cases.duckdb")


def put_back_older_anchor(world: World) -> None:
    older = world.anchor_lines()
    with CaseStore.open(world.home, actor="E") as store:
        for number in range(2):
            store.add_note(world.case_id, f"later {number}")
    world.write_anchor(older)


def swap_results(world: World) -> None:
    one, two = sorted(world.home.glob("artefacts/*/*.json"))
    content = one.read_bytes(), two.read_bytes()
    one.write_bytes(content[1])
    two.write_bytes(content[0])


def in_sql(*statements: str) -> Callable[[World], None]:
    return lambda world: world.sql(*statements)


EVENT = "case_id = $case AND sequence ="
TAMPERINGS: dict[str, tuple[Callable[[World], None], str]] = {
    "who did it": (in_sql(f"UPDATE events SET actor = 'x' WHERE {EVENT} 3"), "Event 3 (opinion_given) was changed"),
    "when": (in_sql(f"UPDATE events SET at_utc = at_utc - INTERVAL 1 DAY WHERE {EVENT} 2"), "Event 2"),
    "what": (in_sql(f"UPDATE events SET action = 'x' WHERE {EVENT} 2"), "Event 2 (x) was changed"),
    "details": (in_sql(f"""UPDATE events SET details_json = '{{"a":1}}' WHERE {EVENT} 4"""), "Event 4"),
    "an event taken out": (in_sql(f"DELETE FROM events WHERE {EVENT} 4"), "Event 4 is missing"),
    "an event taken out, the rest renumbered": (
        in_sql(
            f"DELETE FROM events WHERE {EVENT} 4",
            "UPDATE events SET sequence = sequence - 1 WHERE case_id = $case AND sequence > 4",
        ),
        "does not follow",
    ),
    "two events change places": (
        in_sql(
            f"UPDATE events SET sequence = 1004 WHERE {EVENT} 4",
            f"UPDATE events SET sequence = 4 WHERE {EVENT} 5",
            f"UPDATE events SET sequence = 5 WHERE {EVENT} 1004",
        ),
        "does not follow",
    ),
    "an event put in": (
        in_sql(
            "INSERT INTO events SELECT case_id, sequence + 1, at_utc, actor, 'x', '{}', event_hash, repeat('0', 64) "
            "FROM events WHERE case_id = $case ORDER BY sequence DESC LIMIT 1"
        ),
        "(x) was changed",
    ),
    "the newest event": (
        in_sql(
            "DELETE FROM events WHERE case_id = $case AND sequence = "
            "(SELECT sequence FROM case_heads WHERE case_id = $case)"
        ),
        "the newest events were removed",
    ),
    "the newest event with all it recorded": (remove_newest, "the newest events were removed"),
    "the log written anew": (rewrite_log, "the log was rewritten"),
    "a whole case": (remove_case, "it was removed"),
    "an older copy of the database": (put_back_older_copy, "the newest events were removed"),
    "an event of the store": (in_sql("DELETE FROM events WHERE case_id = ''"), "log is empty"),
    "the head of a log": (in_sql("UPDATE case_heads SET event_hash = repeat('1', 64)"), "The log ends with event"),
    "the head of a log removed": (in_sql("DELETE FROM case_heads WHERE case_id = $case"), "newest event is missing"),
    "a case's title": (in_sql("UPDATE cases SET title = 'x' WHERE case_id = $case"), "The case"),
    "a case out of nothing": (
        in_sql("INSERT INTO cases SELECT 'c000000001', 'R', 'T', '', created_at FROM cases LIMIT 1"),
        "The case c000000001 is in the store but the log does not record it",
    ),
    "a case's tags": (in_sql("UPDATE case_states SET tags = []"), "The state"),
    "a case's state removed": (in_sql("DELETE FROM case_states"), "missing from the store"),
    "a case's state twice": (in_sql("INSERT INTO case_states SELECT * FROM case_states"), "in the store twice"),
    "a file's name": (in_sql("UPDATE exhibits SET file_name = 'x' WHERE case_id = $case"), "The exhibit"),
    "what is in a file": (
        in_sql("UPDATE exhibits SET evidence_json = replace(evidence_json, 'h264', 'hevc') WHERE case_id = $case"),
        "The exhibit",
    ),
    "an exhibit in another case": (in_sql("UPDATE exhibits SET case_id = $other, number = 9"), "The exhibit"),
    "an exhibit's reference": (in_sql("UPDATE exhibit_marks SET reference = 'x'"), "The exhibit_mark"),
    "the client's question": (in_sql("UPDATE mandates SET question = 'x'"), "The mandate"),
    "who handed an exhibit in": (in_sql("UPDATE receipts SET received_from = 'x'"), "The receipt"),
    "a fingerprint": (in_sql("UPDATE exhibit_prints SET problem = 'x'"), "The print"),
    "an encoder fingerprint": (in_sql("UPDATE exhibit_families SET family_sha256 = 'x'"), "The encoder fingerprint"),
    "an encoder fingerprint removed": (in_sql("DELETE FROM exhibit_families"), "The encoder fingerprint"),
    "a note": (in_sql("UPDATE notes SET text = 'x' WHERE text = 'first note'"), "The note"),
    "a note removed": (in_sql("DELETE FROM notes WHERE text = 'first note'"), "missing from the store"),
    "a note put in": (
        in_sql("INSERT INTO notes SELECT 'n1', $case, NULL, NULL, NULL, 'x', 'y', created_at FROM notes LIMIT 1"),
        "the log does not record it",
    ),
    "a bookmark moved": (in_sql("UPDATE bookmarks SET pts = 6000"), "The bookmark"),
    "an opinion turned round": (in_sql("UPDATE opinions SET verdict = 'manipulated'"), "The opinion"),
    "an opinion's reasons": (in_sql("UPDATE opinions SET text = ''"), "The opinion"),
    "who had seen scores": (in_sql("UPDATE opinions SET scores_opened_by = ['Ada']"), "The opinion"),
    "the truth": (in_sql("UPDATE truths SET truth = 'genuine'"), "The truth"),
    "what was signed": (in_sql("UPDATE signatures SET statement = 'x'"), "The signature"),
    "who signed": (in_sql("UPDATE signatures SET author = 'x'"), "The signature"),
    "a signature removed": (in_sql("DELETE FROM signatures"), "The signature"),
    "a conclusion": (
        in_sql("UPDATE analyses SET label = 'no_manipulation_found' WHERE case_id = $case"),
        "The analysis",
    ),
    "a score": (in_sql("UPDATE scores SET logit = -9 WHERE track_id = 1 AND frame_index = 2"), "The analysis"),
    "a score removed": (in_sql("DELETE FROM scores WHERE frame_index = 2"), "The analysis"),
    "two scores change places": (
        in_sql("UPDATE scores SET frame_index = 7 - frame_index WHERE frame_index IN (3, 4)"),
        "The analysis",
    ),
    "a face's box": (in_sql("UPDATE frames SET x0_px = 0 WHERE frame_index = 5"), "The analysis"),
    "a track": (in_sql("UPDATE tracks SET last_pts_s = 9"), "The analysis"),
    "a result's hash": (in_sql("UPDATE artefacts SET sha256 = repeat('0', 64)"), "The analysis"),
    "scores of no analysis": (
        in_sql("INSERT INTO scores SELECT * REPLACE ('r1' AS record_id) FROM scores LIMIT 1"),
        "belong to no case",
    ),
    "a job": (in_sql("UPDATE jobs SET state = 'failed'"), "The job"),
    "a job removed": (in_sql("DELETE FROM jobs"), "The job"),
    "a search text": (in_sql("UPDATE search_texts SET folded = 'x' WHERE kind = 'note'"), "The search text"),
    "a search text removed": (in_sql("DELETE FROM search_texts WHERE kind = 'exhibit'"), "The search text"),
    "the original": (lambda world: flip_last_byte(world.file("evidence/*/*")), "evidence file"),
    "the original removed": (lambda world: world.file("evidence/*/*").unlink(), "is missing"),
    "a saved analysis": (lambda world: flip_last_byte(world.file("artefacts/*/*.json")), "analysis file"),
    "saved landmarks": (lambda world: flip_last_byte(world.file("artefacts/*/*.npz")), "landmarks file"),
    "a saved analysis removed": (lambda world: world.file("artefacts/*/*.json").unlink(), "is missing"),
    "two saved analyses change places": (swap_results, "analysis file"),
    "a line of the anchor": (
        lambda world: world.write_anchor(
            [line.replace('"sequence":2', '"sequence":1') for line in world.anchor_lines()]
        ),
        "anchor file",
    ),
    "a line of the anchor taken out": (
        lambda world: world.write_anchor([*world.anchor_lines()[:2], *world.anchor_lines()[3:]]),
        "does not follow from the line before it",
    ),
    "two lines of the anchor change places": (
        lambda world: world.write_anchor([*world.anchor_lines()[1::-1], *world.anchor_lines()[2:]]),
        "does not follow from the line before it",
    ),
    "the anchor's newest lines": (
        lambda world: world.write_anchor(world.anchor_lines()[:-2]),
        "newest lines were removed",
    ),
    "an older copy of the anchor": (put_back_older_anchor, "newest lines were removed"),
    "the anchor made unreadable": (
        lambda world: world.write_anchor(["nonsense\n", *world.anchor_lines()]),
        "anchor file",
    ),
}


def test_what_nobody_touched_verifies(world: World) -> None:
    assert problem(world) == ""


@pytest.mark.parametrize("way", TAMPERINGS)
def test_tampering_is_found_and_named(world: World, way: str) -> None:
    tamper, said = TAMPERINGS[way]
    tamper(world)
    assert said in problem(world)


@pytest.mark.parametrize("lose", [Path.unlink, lambda anchor: anchor.write_text("")], ids=["deleted", "emptied"])
def test_a_lost_anchor_differs_until_somebody_says_what_became_of_it(
    world: World, lose: Callable[[Path], object]
) -> None:
    lose(world.home / "cases.anchor")
    with CaseStore.open(world.home, actor="E") as store:
        (warning,) = store.warnings
        assert "missing or empty" in warning
        assert store.events()[-1].action == "anchor_differs"
    with CaseStore.open(world.home, actor="E") as store:
        assert store.warnings == ()
        assert "missing or empty" in store.verify_all().problem
        assert "missing or empty" in store.verify(world.case_id).problem
        with pytest.raises(StoreError, match="needs words"):
            store.acknowledge("  ")
        store.acknowledge("The disk of the anchor failed; backup of Monday compared.", author="Ada")
        assert store.events()[-1].details["text"].startswith("The disk")
        assert store.verify_all().ok
        assert store.findings()[0].acknowledged_by == "Ada"
        with pytest.raises(StoreError, match="no finding"):
            store.acknowledge("Again.")


def test_an_anchor_emptied_while_the_store_is_open_is_found(world: World) -> None:
    with CaseStore.open(world.home, actor="E") as store:
        store.add_note(world.case_id, "before")
        (world.home / "cases.anchor").write_text("")
        store.add_note(world.case_id, "after")
        assert "missing or empty" in store.verify(world.case_id).problem


def test_an_anchor_cut_short_while_the_store_is_open_is_found_and_stays_so(world: World) -> None:
    with CaseStore.open(world.home, actor="E") as store:
        store.add_note(world.case_id, "before")
        cut = world.anchor_lines()[:-1]
        world.write_anchor(cut)
        store.add_note(world.case_id, "after")
        assert "newest lines were removed" in store.verify(world.case_id).problem
        assert world.anchor_lines() == cut
    with CaseStore.open(world.home, actor="E") as store:
        assert "newest lines were removed" in store.warnings[0]
    with CaseStore.open(world.home, actor="E") as store:
        assert store.warnings == ()
        assert "newest lines were removed" in store.verify_all().problem
        store.acknowledge("The disk was full; compared with the backup of Monday.")
        assert store.verify_all().ok


def test_an_anchor_taken_away_while_the_store_is_open_is_found(world: World) -> None:
    with CaseStore.open(world.home, actor="E") as store:
        store.add_note(world.case_id, "before")
        (world.home / "cases.anchor").unlink()
        store.add_note(world.case_id, "after")
        assert "missing or empty" in store.verify(world.case_id).problem
        assert not (world.home / "cases.anchor").exists()


def test_after_an_older_database_the_loss_stays_visible(world: World) -> None:
    put_back_older_copy(world)
    with CaseStore.open(world.home, actor="E") as store:
        assert "Newer events are missing" in store.warnings[0]
        store.add_note(world.case_id, "business as usual")
        assert "was rewritten" in store.verify(world.case_id).problem
        assert "Newer events are missing" in store.verify(world.other_id).problem
        store.acknowledge("A restored backup.")
        assert store.verify(world.other_id).ok
    with CaseStore.open(world.home, actor="E") as store:
        assert store.warnings == ()
        assert "was rewritten" in store.verify(world.case_id).problem


def test_a_change_of_database_and_anchor_together_is_found_by_a_printed_head_only(world: World) -> None:
    """The limit that `anchor` states: only what is out of reach still tells."""
    with CaseStore.open(world.home, actor="E") as store:
        printed = store.head(world.case_id).event_hash
    remove_newest(world)
    kept = [line for line in world.anchor_lines() if printed not in line]
    assert len(kept) == len(world.anchor_lines()) - 1
    world.write_anchor(kept)
    with CaseStore.open(world.home, actor="E") as store:
        assert store.verify(world.case_id).ok
        assert "not the log that was reported" in store.verify(world.case_id, known_heads=[printed]).problem
        earlier = store.events(world.case_id)[2].event_hash
        assert store.verify(world.case_id, known_heads=[earlier, earlier.upper()]).ok


def test_an_anchor_that_fell_behind_catches_up(world: World) -> None:
    """As after a crash between a commit and the line that follows it, in the middle of the line."""
    lines = world.anchor_lines()
    world.write_anchor([*lines[:-1], lines[-1][:40]])
    with CaseStore.open(world.home, actor="E") as store:
        assert store.warnings == ()
        assert store.verify_all().ok
    after = world.anchor_lines()
    assert [json.loads(line)["event_hash"] for line in after[-1:]] == [json.loads(lines[-1])["event_hash"]]


def test_no_moment_at_which_the_program_is_killed_makes_a_finding(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each copy is what a killed process leaves: before a line of the anchor, in the middle of it, and after it."""
    copies: list[Path] = []
    append = Anchor._append

    def copy() -> None:
        copies.append(tmp_path / f"killed {len(copies)}")
        shutil.copytree(world.home, copies[-1])

    def append_in_parts(anchor: Anchor, text: bytes) -> None:
        copy()
        before = anchor.path.read_bytes()
        anchor.path.write_bytes(before + text[: len(text) * 2 // 3])
        copy()
        anchor.path.write_bytes(before)
        append(anchor, text)
        copy()

    def fail(_: Anchor, __: bytes) -> None:
        copy()
        raise OSError("No space left on device")

    with CaseStore.open(world.home, actor="E") as store:
        monkeypatch.setattr(Anchor, "_append", append_in_parts)
        store.add_note(world.case_id, "one log grows")
        store._database.write(
            lambda cursor: [append_event(cursor, log, "both", "E", {}) for log in (world.case_id, world.other_id)]
        )
        monkeypatch.setattr(Anchor, "_append", fail)
        for number in range(3):
            store.add_note(world.case_id, f"unwritten {number}")
    monkeypatch.undo()
    assert len(copies) == 9
    for home in copies:
        with CaseStore.open(home, actor="E") as store:
            assert store.warnings == ()
            assert store.verify_all().ok
            assert store.findings() == ()


def test_the_anchor_can_lie_elsewhere(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FRAMEWITNESS_ANCHOR", str(tmp_path / "other medium"))
    home = tmp_path / "new home"
    with CaseStore.open(home, actor="E") as store:
        case_id = store.create_case("a").case_id
        assert store.verify(case_id).anchored == 1
    (anchor,) = (tmp_path / "other medium").iterdir()
    assert case_id in anchor.read_text()
    assert not (home / "cases.anchor").exists()


def test_an_anchor_that_cannot_be_written_is_said_and_caught_up(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    with CaseStore.open(world.home, actor="E") as store:
        with monkeypatch.context() as patched:
            patched.setattr("detector.cases.anchor.os.fsync", _fail)
            store.add_note(world.case_id, "kept all the same")
            outcome = store.verify(world.case_id)
        assert outcome.ok
        assert "No space left" in outcome.warnings[0]
        store.add_note(world.case_id, "next")
        outcome = store.verify(world.case_id)
        assert (outcome.warnings, outcome.anchored) == ((), outcome.events_checked)


def _fail(*_: object) -> None:
    raise OSError("No space left on device")
