"""Ctrl-C and SIGTERM for commands that must leave nothing half done.

Python raises KeyboardInterrupt wherever the main thread happens to be, which may be inside a destructor, where it is
lost. While an analysis runs, the signal therefore only asks it to stop, and it stops at its next check.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from detector.errors import CancelledError


class Interrupts:
    """A context manager for the main thread; elsewhere it does nothing. A second signal interrupts at once."""

    def __init__(self) -> None:
        self._asked = threading.Event()
        self._patient = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Interrupts:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._handle)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def asked(self) -> bool:
        """Whether a signal asked to stop."""
        return self._asked.is_set()

    @contextmanager
    def deferred(self) -> Iterator[None]:
        """Inside, the first signal is only remembered (`asked` tells) and becomes a KeyboardInterrupt at the end."""
        self._patient = True
        try:
            yield
        except CancelledError as error:
            raise KeyboardInterrupt from error
        finally:
            self._patient = False
        if self.asked():
            raise KeyboardInterrupt

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self._patient and not self._asked.is_set():
            self._asked.set()
            return
        raise KeyboardInterrupt
