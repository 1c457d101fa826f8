"""A server to be killed: opens the store, serves its jobs, and submits one for each content named on the command line.

Prints the worker's process id as soon as there is one, then waits.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import psutil

from detector.cases import CaseStore
from detector.jobs import JobRequest, JobService
from tests.cases.records import make_evidence
from tests.jobs.conftest import SCRIPTED


def main() -> None:
    home, *contents = sys.argv[1:]
    store = CaseStore.open(Path(home), actor="server")
    service = JobService(store, runner_path=SCRIPTED, threads=1)
    service.start()
    case = store.create_case("A long night")
    for content in contents:
        exhibit = store.add_exhibit(case.case_id, make_evidence(store.evidence_dir, content.encode()))
        service.submit(JobRequest(exhibit.exhibit_id, ("frame-a",)))
    said: set[str] = set()
    while True:
        for job in service.jobs():
            if job.state == "done" or job.stage == "faces":
                line = f"{job.state} {job.job_id} {psutil.Process().children()[0].pid}"
                if line not in said:
                    said.add(line)
                    print(line, flush=True)
        time.sleep(0.02)


if __name__ == "__main__":
    main()
