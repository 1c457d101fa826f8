"""The database's shape as ordered, named steps, and the record of which ones ran.

A step that was released is never edited: a change is a new step at the end. Tables whose rows are sealed (see `seals`)
never get, lose or rename a column, since a digest covers every column: what is new goes into a new table.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import duckdb

from detector.cases.database import Database, insert, to_column, utc_now
from detector.cases.encoder_fingerprint import insert_all_fingerprints
from detector.cases.search_index import index_everything
from detector.errors import StoreError


@dataclass(frozen=True, slots=True)
class Migration:
    """`then` fills new tables from old rows, in the same transaction as the statements."""

    name: str
    statements: tuple[str, ...]
    then: Callable[[duckdb.DuckDBPyConnection], None] | None = None


def _fill_derived(cursor: duckdb.DuckDBPyConnection) -> None:
    insert_all_fingerprints(cursor)


def _fill_search_texts(cursor: duckdb.DuckDBPyConnection) -> None:
    cursor.execute("DELETE FROM search_texts")
    index_everything(cursor)


MIGRATIONS: tuple[Migration, ...] = (
    Migration(
        "0001_cases_exhibits_notes_events",
        (
            """CREATE TABLE cases (
                case_id VARCHAR PRIMARY KEY, reference VARCHAR NOT NULL, title VARCHAR NOT NULL,
                examiner VARCHAR NOT NULL, created_at TIMESTAMP NOT NULL)""",
            """CREATE TABLE exhibits (
                exhibit_id VARCHAR PRIMARY KEY, case_id VARCHAR NOT NULL, number INTEGER NOT NULL,
                file_name VARCHAR NOT NULL, sha256 VARCHAR NOT NULL, md5 VARCHAR NOT NULL, size_bytes BIGINT NOT NULL,
                evidence_json VARCHAR NOT NULL, added_at TIMESTAMP NOT NULL, UNIQUE (case_id, sha256))""",
            """CREATE TABLE notes (
                note_id VARCHAR PRIMARY KEY, case_id VARCHAR NOT NULL, exhibit_id VARCHAR, track_id INTEGER,
                pts BIGINT, text VARCHAR NOT NULL, author VARCHAR NOT NULL, created_at TIMESTAMP NOT NULL)""",
            """CREATE TABLE events (
                case_id VARCHAR NOT NULL, sequence INTEGER NOT NULL, at_utc TIMESTAMP NOT NULL,
                actor VARCHAR NOT NULL, action VARCHAR NOT NULL, details_json VARCHAR NOT NULL,
                previous_hash VARCHAR NOT NULL, event_hash VARCHAR NOT NULL, PRIMARY KEY (case_id, sequence))""",
        ),
    ),
    Migration(
        "0002_analyses_tracks_frames_scores",
        (
            """CREATE TABLE analyses (
                record_id VARCHAR PRIMARY KEY, case_id VARCHAR NOT NULL, exhibit_id VARCHAR NOT NULL,
                analysis_id VARCHAR NOT NULL, label VARCHAR NOT NULL, score DOUBLE, model_ids_json VARCHAR NOT NULL,
                settings_sha256 VARCHAR NOT NULL, tool_version VARCHAR NOT NULL, frames_examined INTEGER NOT NULL,
                track_count INTEGER NOT NULL, created_at TIMESTAMP NOT NULL, UNIQUE (exhibit_id, analysis_id))""",
            """CREATE TABLE artefacts (
                record_id VARCHAR NOT NULL, kind VARCHAR NOT NULL, path VARCHAR NOT NULL, sha256 VARCHAR NOT NULL,
                size_bytes BIGINT NOT NULL, shape_json VARCHAR NOT NULL, dtype VARCHAR NOT NULL,
                PRIMARY KEY (record_id, kind))""",
            """CREATE TABLE tracks (
                record_id VARCHAR NOT NULL, track_id INTEGER NOT NULL, shot_index INTEGER NOT NULL,
                first_pts_s DOUBLE NOT NULL, last_pts_s DOUBLE NOT NULL, face_count INTEGER NOT NULL)""",
            """CREATE TABLE frames (
                record_id VARCHAR NOT NULL, track_id INTEGER NOT NULL, frame_index INTEGER NOT NULL,
                pts BIGINT NOT NULL, pts_s DOUBLE NOT NULL, x0_px DOUBLE NOT NULL, y0_px DOUBLE NOT NULL,
                x1_px DOUBLE NOT NULL, y1_px DOUBLE NOT NULL, detection_score DOUBLE NOT NULL, source VARCHAR NOT NULL,
                size_px DOUBLE NOT NULL, sharpness DOUBLE NOT NULL, exposure DOUBLE NOT NULL, yaw_deg DOUBLE,
                pitch_deg DOUBLE, roll_deg DOUBLE, mesh_fit DOUBLE, weight DOUBLE NOT NULL, flags VARCHAR NOT NULL)""",
            """CREATE TABLE scores (
                record_id VARCHAR NOT NULL, model_id VARCHAR NOT NULL, weights_sha256 VARCHAR NOT NULL,
                track_id INTEGER NOT NULL, frame_index INTEGER NOT NULL, pts BIGINT NOT NULL, pts_s DOUBLE NOT NULL,
                logit DOUBLE NOT NULL, score DOUBLE NOT NULL, weight DOUBLE NOT NULL)""",
        ),
    ),
    Migration(
        "0003_jobs",
        (
            """CREATE TABLE jobs (
                job_id VARCHAR PRIMARY KEY, case_id VARCHAR NOT NULL, exhibit_id VARCHAR NOT NULL,
                model_ids_json VARCHAR NOT NULL, settings_json VARCHAR NOT NULL, state VARCHAR NOT NULL,
                created_at TIMESTAMP NOT NULL, started_at TIMESTAMP, finished_at TIMESTAMP,
                attempts INTEGER NOT NULL, worker_deaths INTEGER NOT NULL, message VARCHAR NOT NULL,
                error_code VARCHAR, record_id VARCHAR)""",
        ),
    ),
    Migration(
        "0004_custody_statements_search",
        (
            # The newest event of each log; `active_at` that of the newest one that changed something.
            """CREATE TABLE case_heads (
                case_id VARCHAR NOT NULL, sequence INTEGER NOT NULL, event_hash VARCHAR NOT NULL,
                at_utc TIMESTAMP NOT NULL, active_at TIMESTAMP NOT NULL, change BIGINT NOT NULL)""",
            """INSERT INTO case_heads
                SELECT case_id, max(sequence), arg_max(event_hash, sequence), arg_max(at_utc, sequence), max(at_utc),
                    sum(count(*)) OVER (ORDER BY case_id)
                FROM events GROUP BY case_id""",
            """CREATE TABLE case_states (
                case_id VARCHAR NOT NULL, status VARCHAR NOT NULL, status_reason VARCHAR NOT NULL,
                tags VARCHAR[] NOT NULL, favourite_of VARCHAR[] NOT NULL, blind_first BOOLEAN NOT NULL)""",
            """CREATE TABLE exhibit_marks (
                exhibit_id VARCHAR NOT NULL, case_id VARCHAR NOT NULL, reference VARCHAR NOT NULL,
                description VARCHAR NOT NULL)""",
            """CREATE TABLE exhibit_families (
                exhibit_id VARCHAR NOT NULL, case_id VARCHAR NOT NULL, family_sha256 VARCHAR NOT NULL)""",
            """CREATE TABLE exhibit_prints (
                exhibit_id VARCHAR PRIMARY KEY, case_id VARCHAR NOT NULL, pts BIGINT[] NOT NULL,
                hashes UBIGINT[] NOT NULL, problem VARCHAR NOT NULL)""",
            """CREATE TABLE bookmarks (
                bookmark_id VARCHAR PRIMARY KEY, case_id VARCHAR NOT NULL, exhibit_id VARCHAR NOT NULL,
                track_id INTEGER, pts BIGINT, text VARCHAR NOT NULL, author VARCHAR NOT NULL,
                created_at TIMESTAMP NOT NULL, removed_at TIMESTAMP)""",
            """CREATE TABLE opinions (
                opinion_id VARCHAR PRIMARY KEY, case_id VARCHAR NOT NULL, exhibit_id VARCHAR NOT NULL,
                verdict VARCHAR NOT NULL, text VARCHAR NOT NULL, author VARCHAR NOT NULL,
                analyses_before INTEGER NOT NULL, scores_opened_by VARCHAR[] NOT NULL,
                created_at TIMESTAMP NOT NULL)""",
            """CREATE TABLE truths (
                truth_id VARCHAR PRIMARY KEY, case_id VARCHAR NOT NULL, exhibit_id VARCHAR NOT NULL,
                truth VARCHAR NOT NULL, source VARCHAR NOT NULL, method VARCHAR NOT NULL, author VARCHAR NOT NULL,
                created_at TIMESTAMP NOT NULL)""",
            """CREATE TABLE signatures (
                signature_id VARCHAR PRIMARY KEY, case_id VARCHAR NOT NULL, role VARCHAR NOT NULL,
                statement VARCHAR NOT NULL, author VARCHAR NOT NULL, head_sequence INTEGER NOT NULL,
                head_hash VARCHAR NOT NULL, created_at TIMESTAMP NOT NULL)""",
            """CREATE TABLE search_texts (
                case_id VARCHAR NOT NULL, kind VARCHAR NOT NULL, place VARCHAR NOT NULL, folded VARCHAR NOT NULL)""",
        ),
        then=_fill_derived,
    ),
    Migration(
        "0005_anchored",
        # The change up to which the anchor file was written when the newest transaction began.
        ("CREATE TABLE anchored (change BIGINT NOT NULL)", "INSERT INTO anchored VALUES (0)"),
    ),
    Migration(
        "0006_note_marks",
        (
            """CREATE TABLE note_marks (
                note_id VARCHAR NOT NULL, case_id VARCHAR NOT NULL, end_pts BIGINT, box_xyxy_px DOUBLE[],
                previous_id VARCHAR, withdrawn_at TIMESTAMP, withdrawn_by VARCHAR)""",
        ),
    ),
    Migration(
        "0007_exports",
        (
            """CREATE TABLE exports (
                job_id VARCHAR PRIMARY KEY, case_id VARCHAR NOT NULL, exhibit_id VARCHAR NOT NULL,
                request_json VARCHAR NOT NULL, author VARCHAR NOT NULL, file_name VARCHAR NOT NULL,
                state VARCHAR NOT NULL, created_at TIMESTAMP NOT NULL, started_at TIMESTAMP, finished_at TIMESTAMP,
                attempts INTEGER NOT NULL, worker_deaths INTEGER NOT NULL, message VARCHAR NOT NULL,
                error_code VARCHAR, sha256 VARCHAR NOT NULL, size_bytes BIGINT NOT NULL, shows_json VARCHAR NOT NULL,
                signed BOOLEAN NOT NULL, removed_at TIMESTAMP)""",
        ),
    ),
    Migration(
        "0008_mandates_receipts",
        (
            """CREATE TABLE mandates (
                case_id VARCHAR NOT NULL, laboratory VARCHAR NOT NULL, client VARCHAR NOT NULL,
                question VARCHAR NOT NULL)""",
            """CREATE TABLE receipts (
                exhibit_id VARCHAR NOT NULL, case_id VARCHAR NOT NULL, received_from VARCHAR NOT NULL,
                received_how VARCHAR NOT NULL, received_when VARCHAR NOT NULL)""",
        ),
        then=_fill_search_texts,  # once the tables are there that texts are read from
    ),
)


def applied(database: Database) -> tuple[str, ...]:
    """Names of the steps this database has had, in the order they ran."""
    with database.read() as cursor:
        found = cursor.execute("SELECT name FROM migrations ORDER BY position").fetchall()
    return tuple(name for (name,) in found)


def migrate(
    database: Database, steps: tuple[Migration, ...] = MIGRATIONS, *, before: Callable[[str], object] | None = None
) -> tuple[str, ...]:
    """Run the steps that have not run, each in its own transaction, and return their names. `before` is called with the
    first of them, where the database has had others: it has something to lose.

    Raises StoreError where the database has had steps this program does not know: a newer version wrote it.
    """
    database.write(_create_record)
    done = applied(database)
    known = tuple(step.name for step in steps)
    if done != known[: len(done)]:
        strange = next((name for name in done if name not in known), "the order of its steps")
        raise StoreError(
            f"The case store {database.path} was written by another version of Framewitness (it has {strange!r}; this "
            f"version knows up to {known[-1]!r}). Nothing was changed. Open it with the version that wrote it."
        )
    if before is not None and done and len(done) < len(known):
        before(known[len(done)])
    for position, step in enumerate(steps[len(done) :], start=len(done) + 1):
        database.write(_running(step, position))
        # Replaying schema changes from the write-ahead log is where DuckDB's recovery is weakest: leave none there.
        database.checkpoint()
    return known[len(done) :]


def _create_record(cursor: duckdb.DuckDBPyConnection) -> None:
    cursor.execute(
        "CREATE TABLE IF NOT EXISTS migrations (position INTEGER PRIMARY KEY, name VARCHAR NOT NULL, "
        "ran_at TIMESTAMP NOT NULL)"
    )


def _running(step: Migration, position: int) -> Callable[[duckdb.DuckDBPyConnection], None]:
    def run(cursor: duckdb.DuckDBPyConnection) -> None:
        for statement in step.statements:
            cursor.execute(statement)
        if step.then is not None:
            step.then(cursor)
        insert(cursor, "migrations", {"position": position, "name": step.name, "ran_at": to_column(utc_now())})

    return run
