"""Annotated videos in the making: each by one thread of this server, kept beside the store once it is done.

A thread knows nothing of Streamlit; the page that asked looks at `Making` now and then. What is kept is derived and can
be made again at any time, so nothing of it is part of the record.
"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING

from detector import __version__
from detector.cases import CaseStore
from detector.errors import CancelledError, FramewitnessError

if TYPE_CHECKING:
    from detector.analysis import Progress

_making: dict[Path, Making] = {}
_lock = threading.Lock()
_PATIENCE_S = 5.0


class Making:
    """One video: `fraction` in 0..1 and `message` while it is made, `problem` where it failed, `statement` of the one
    that is done."""

    def __init__(self, store: CaseStore, record_id: str, path: Path, *, heatmap: bool) -> None:
        self.fraction, self.message, self.problem, self.statement = 0.0, "Starting.", "", ""
        self._store, self._record_id, self._path, self._heatmap = store, record_id, path, heatmap
        self._cancel = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"annotate {record_id}", daemon=True)
        self._thread.start()

    @property
    def active(self) -> bool:
        """Whether the video is being made."""
        return self._thread.is_alive()

    def cancel(self) -> None:
        """Ask it to stop."""
        self._cancel.set()

    def wait(self, timeout_s: float) -> None:
        """Until it is done, at most this long."""
        self._thread.join(timeout_s)

    def _run(self) -> None:
        from detector.report.annotated_video import annotate_video, heatmap_model  # seconds of imports
        from detector.report.exchange import require_original

        try:
            record = self._store.record(self._record_id)
            evidence = self._store.exhibit(record.exhibit_id).evidence
            require_original(evidence.file.path, evidence.file.sha256)
            analysis = self._store.analysis(self._record_id)
            made = annotate_video(
                evidence,
                analysis,
                self._path,
                heatmap_model=heatmap_model(analysis) if self._heatmap else None,
                on_progress=self._report,
                cancelled=self._cancel.is_set,
            )
        except CancelledError:
            self.problem = "Cancelled; nothing was kept."
        except (FramewitnessError, OSError, MemoryError, RuntimeError, ValueError) as error:
            self.problem = str(error) or type(error).__name__
        else:
            self.fraction, self.statement = 1.0, made.statement

    def _report(self, progress: Progress) -> None:
        self.fraction, self.message = progress.fraction, progress.message


def kept_path(store: CaseStore, record_id: str, *, heatmap: bool) -> Path:
    """The path at which the video of an analysis lies once it is made; another version of the program makes another."""
    kind = "heatmap" if heatmap else "plain"
    return store.home / "derived" / f"{record_id}-{kind}-{__version__}.mp4"


def start(store: CaseStore, record_id: str, *, heatmap: bool) -> None:
    """Begin, unless it is being made already."""
    path = kept_path(store, record_id, heatmap=heatmap)
    with _lock:
        found = _making.get(path)
        if found is None or not found.active:
            _making[path] = Making(store, record_id, path, heatmap=heatmap)


def find(store: CaseStore, record_id: str, *, heatmap: bool) -> Making | None:
    """The one that was begun last in this server, finished or not."""
    with _lock:
        return _making.get(kept_path(store, record_id, heatmap=heatmap))


def stop_all() -> None:
    """Stop whatever is being made, for a server that ends; unfinished files are removed."""
    with _lock:
        makings = [one for one in _making.values() if one.active]
        _making.clear()
    for one in makings:
        one.cancel()
    for one in makings:
        one.wait(_PATIENCE_S)
