"""The making of exports in a worker: any form, from a copy of the case, by the code that the command line runs."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

from detector.analysis.progress import Progress
from detector.cases import CaseStore, ExportRequest, MadeExport
from detector.cases.codec import file_sha256
from detector.cases.export_forms import LoggedExport
from detector.errors import CancelledError
from detector.jobs.protocol import ExportTask, ProgressLike
from detector.jobs.spool import write_made

_TELLING_AFTER = 0.05  # the part after which the time that it took says something about the rest


class ExportMaker:
    """Makes one export after the other. What is read once for all, such as fonts and networks, stays loaded."""

    def __call__(
        self, task: ExportTask, folder: Path, report: Callable[[ProgressLike], None], cancelled: Callable[[], bool]
    ) -> None:
        """Make the file in `folder`, and beside it what is told of it. The events that the making logs go into the copy
        and are handed on: the service logs them in the store when it keeps the file."""
        begun_s = time.monotonic()

        def step(fraction: float, what: str) -> None:
            if cancelled():
                raise CancelledError("The export was cancelled; nothing was kept.")
            left_s = None
            if fraction > _TELLING_AFTER:
                left_s = (time.monotonic() - begun_s) * (1 - fraction) / fraction
            report(Progress("export", min(1.0, fraction), left_s, what))

        step(0.0, "Starting.")
        # Seconds of imports that the service and its pages must not pay.
        import torch

        from detector.report.exchange import write_export

        torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
        request, path = task.request, folder / task.file_name
        with CaseStore.open_copy(task.home, task.copy, actor=task.author) as store:
            known = len(store.events(request.case_id))
            statement = write_export(store, request, path, step=step)
            events = store.events(request.case_id)[known:]
            made = MadeExport(
                sha256=file_sha256(path),
                size_bytes=path.stat().st_size,
                logged=tuple(LoggedExport(event.action, event.details) for event in events),
                shows=_shown(store, request, task.author),
                signed=request.form.startswith("report-") and bool(store.statements.sign_off(request.case_id).examiner),
                statement=statement,
            )
        write_made(folder, made)
        step(1.0, "Keeping the file.")


def _shown(store: CaseStore, request: ExportRequest, author: str) -> tuple[str, ...]:
    """The exhibits that the export tells of beyond what anybody may know: all that it covers but those whose scores,
    and others' opinions, were held back from `author`."""
    if request.record_id:
        return (store.record(request.record_id).exhibit_id,)
    covered = request.exhibit_ids or tuple(one.exhibit_id for one in store.exhibits(request.case_id))
    withheld = store.statements.withheld_in(request.case_id, author)
    return tuple(exhibit_id for exhibit_id in covered if exhibit_id not in withheld)
