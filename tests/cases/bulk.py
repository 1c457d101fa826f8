"""Many cases at once, written as rows: through the store it would take hours. Their logs do not verify."""

from __future__ import annotations

import duckdb

from detector.cases import CaseStore
from detector.cases.codec import canonical, evidence_to_dict
from detector.cases.encoder_fingerprint import insert_all_fingerprints
from detector.cases.search_index import index_everything
from tests.cases.records import make_evidence

EVENTS_PER_CASE = 20


def fill(store: CaseStore, cases: int, exhibits: int) -> None:
    """`cases` cases with together `exhibits` exhibits, an analysis of each, a note in every second case, and logs. Case
    n is called "Matter n"; its reference, examiner, tags, status and file names follow from n."""
    store.close()
    described = canonical(evidence_to_dict(make_evidence(store.evidence_dir)))
    connection = duckdb.connect(str(store.layout.database))
    connection.execute("SELECT setseed(0.5)")
    for statement in (
        f"CREATE TEMP TABLE n AS SELECT range AS n, printf('c%09d', range) AS case_id FROM range({cases})",
        f"CREATE TEMP TABLE m AS SELECT range AS m, range % {cases} AS n FROM range({exhibits})",
        """INSERT INTO cases SELECT case_id, printf('LAB-%05d', n), 'Matter ' || n || ' – Größe, Straße & Söhne',
            'Examiner ' || n % 40, TIMESTAMP '2020-01-01' + n * INTERVAL 1 HOUR FROM n""",
        """INSERT INTO case_states SELECT case_id, CASE WHEN n % 10 = 0 THEN 'archived' ELSE 'open' END, 'reason',
            ['tag' || n % 7, 'all'], [], false FROM n""",
        f"""INSERT INTO exhibits SELECT printf('x%09d', m), printf('c%09d', n), m // {cases} + 1,
            'IMG_' || m || '_recording of ' || md5(m::VARCHAR)[:12] || '.mp4', sha256(m::VARCHAR), md5(m::VARCHAR), m,
            '{described.replace("'", "''")}', TIMESTAMP '2020-01-01' FROM m""",
        """INSERT INTO analyses SELECT printf('r%09d', m), printf('c%09d', n), printf('x%09d', m), md5(m::VARCHAR),
            CASE m % 3 WHEN 0 THEN 'likely_manipulated' WHEN 1 THEN 'inconclusive' ELSE 'no_manipulation_found' END,
            0.5, '["frame-a"]', '', '0.1.0', 100, 2, TIMESTAMP '2020-01-01' FROM m""",
        """INSERT INTO notes SELECT printf('n%09d', n), case_id, NULL, NULL, NULL,
            repeat('The lips of speaker ' || n || ' do not close on plosives. ', 20), 'E', TIMESTAMP '2020-01-01'
            FROM n WHERE n % 2 = 0""",
        f"""INSERT INTO events SELECT case_id, range + 1, TIMESTAMP '2020-01-01' + n * INTERVAL 1 HOUR, 'E',
            'note_added', '{{}}', repeat('0', 64), sha256(n || '/' || range) FROM n, range({EVENTS_PER_CASE})""",
        f"""INSERT INTO case_heads SELECT case_id, {EVENTS_PER_CASE}, sha256(case_id),
            TIMESTAMP '2020-01-01' + n * INTERVAL 1 HOUR, TIMESTAMP '2020-01-01' + n * INTERVAL 1 HOUR,
            10 + n FROM n""",
    ):
        connection.execute(statement)
    connection.execute("DELETE FROM search_texts")
    index_everything(connection)
    insert_all_fingerprints(connection)
    connection.execute("CHECKPOINT")
    connection.close()
