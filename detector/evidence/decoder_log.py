"""FFmpeg's complaints, counted per reader.

Damaged bytes often still decode without an exception: only FFmpeg's log tells. The log is one callback per process, so
each message is routed by the thread that wrote it: the thread that called into FFmpeg, or one of the decoder's worker
threads, which are known from the difference in the process's thread list while the decoder was opened (Linux). Where
that list is not available, a worker's message goes to every open reader, since a complaint too many is safer than one
lost.
"""

from __future__ import annotations

import logging
import os
import threading
from types import TracebackType

import av
import av.logging

MAX_SAMPLES = 5
MAX_SAMPLE_CHARS = 160
_THREAD_LIST = "/proc/self/task"


class DecoderLog:
    """Counts the messages of level error or worse that one demuxer and decoder write.

    Use it as a context manager around every call into FFmpeg; open the decoder with `open_codec`; `close` when done.
    `count` is the number so far and `samples` the first few distinct texts.
    """

    def __init__(self) -> None:
        self.count = 0
        self.samples: list[str] = []
        self._workers: set[int] = set()
        self._outer: list[DecoderLog | None] = []
        self._closed = False
        _ROUTER.add(self)

    def __enter__(self) -> DecoderLog:
        thread = threading.get_native_id()
        self._outer.append(_ROUTER.listeners.get(thread))
        _ROUTER.listeners[thread] = self
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        thread = threading.get_native_id()
        outer = self._outer.pop()
        if outer is None:
            _ROUTER.listeners.pop(thread, None)
        else:
            _ROUTER.listeners[thread] = outer

    def open_codec(self, codec: av.VideoCodecContext) -> None:
        """Open a decoder and learn which threads are its own."""
        # One at a time, or two decoders opened at once would claim each other's threads.
        with _ROUTER.opening, self:
            before = _thread_ids()
            codec.open(strict=False)
            self._workers |= _thread_ids() - before
        for thread in self._workers:
            _ROUTER.listeners[thread] = self

    def count_message(self, message: str) -> None:
        """Count one message."""
        self.count += 1
        if len(self.samples) < MAX_SAMPLES:
            text = "".join(c if c.isprintable() else " " for c in message).strip()[:MAX_SAMPLE_CHARS]
            if text and text not in self.samples:
                self.samples.append(text)

    def close(self) -> None:
        """Stop listening; the counts stay readable. Safe to call twice."""
        if self._closed:
            return
        self._closed = True
        for thread in self._workers:
            if _ROUTER.listeners.get(thread) is self:
                del _ROUTER.listeners[thread]
        _ROUTER.remove(self)


class _Router(logging.Handler):
    """Hands each record of PyAV's logger to the reader whose thread wrote it."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.listeners: dict[int, DecoderLog] = {}
        self.opening = threading.Lock()
        self._active: list[DecoderLog] = []
        self._changing = threading.Lock()

    def emit(self, record: logging.LogRecord) -> None:
        listener = self.listeners.get(threading.get_native_id())
        message = record.getMessage()
        if listener is not None:
            listener.count_message(message)
        elif not os.path.isdir(_THREAD_LIST):
            for active in list(self._active):
                active.count_message(message)

    def add(self, log: DecoderLog) -> None:
        with self._changing:
            if not self._active:
                logger = logging.getLogger("libav")
                logger.propagate = False
                if self not in logger.handlers:
                    logger.addHandler(self)
                # Equal messages in a row are separate complaints.
                av.logging.set_skip_repeated(False)
                av.logging.set_level(av.logging.ERROR)
            self._active.append(log)

    def remove(self, log: DecoderLog) -> None:
        with self._changing:
            self._active.remove(log)
            if not self._active:
                # Off while nobody listens: a codec used elsewhere could otherwise wait, holding the interpreter
                # lock, for a worker thread that waits for that lock to deliver its message.
                av.logging.set_level(None)


def _thread_ids() -> set[int]:
    try:
        return {int(name) for name in os.listdir(_THREAD_LIST)}
    except OSError:
        return set()


_ROUTER = _Router()
