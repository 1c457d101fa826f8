"""One decoding of a file for all the models that read stretches of it at their own rate.

Each gets the frames that it would get alone: decoding took as long as what the models do with them.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import closing
from typing import Final

from detector.analysis.thread_group import Channel, ThreadGroup, ThreadGroupStoppedError
from detector.evidence import frames_of_spans
from detector.evidence.types import Evidence, Frame, Span

BYTES_AHEAD: Final = 64_000_000
"""Decoded pictures that may wait for one reader; several readers hold the same ones."""


class SharedReading:
    """Decoding begins when each of `readers` (`reader`) has said what it reads, or has left."""

    def __init__(self, group: ThreadGroup, evidence: Evidence, readers: int) -> None:
        self._group, self._evidence = group, evidence
        self._undecided, self._lock = readers, threading.Lock()
        self._reading: list[SharedReader] = []

    def reader(self) -> SharedReader:
        """One of the readers."""
        return SharedReader(self, Channel(self._group, BYTES_AHEAD, lambda item: item[1].image.nbytes))

    def decide(self, reader: SharedReader) -> None:
        """`reader` reads its `spans`, or nothing where it has none."""
        with self._lock:
            self._undecided -= 1
            if reader.spans:
                self._reading.append(reader)
            begins = not self._undecided and bool(self._reading)
        if begins:
            self._group.start("stretches", self._decode)

    def _decode(self) -> None:
        owners = [(reader, number) for reader in self._reading for number in range(len(reader.spans))]
        spans = [reader.spans[number] for reader, number in owners]
        try:
            with closing(frames_of_spans(self._evidence, spans)) as frames:
                for numbers, frame in frames:
                    for reader in self._reading:
                        wanted = tuple(own for owner, own in (owners[one] for one in numbers) if owner is reader)
                        if wanted:
                            reader.channel.put((wanted, frame))
                    if all(reader.channel.abandoned for reader in self._reading):
                        return
        except ThreadGroupStoppedError:
            raise
        except Exception as error:  # each reader raises it, and its model's result says why
            for reader in self._reading:
                reader.failure = error
        for reader in self._reading:
            reader.channel.close()


class SharedReader:
    """What one model reads by: called as `detector.evidence.frames_of_spans`, the first time together with the other
    readers, later alone. `leave` says that it won't read, or no more."""

    def __init__(self, shared: SharedReading, channel: Channel[tuple[tuple[int, ...], Frame]]) -> None:
        self.channel = channel
        self.spans: Sequence[Span] = ()
        self.failure: Exception | None = None
        self._shared: SharedReading | None = shared

    def __call__(self, evidence: Evidence, spans: Sequence[Span]) -> Iterator[tuple[tuple[int, ...], Frame]]:
        """The frames that any of `spans` wants, with the numbers of those. Raises as `frames_of_spans`."""
        if self._shared is None:
            yield from frames_of_spans(evidence, spans)
            return
        self._decide(spans)
        if not spans:
            return
        try:
            yield from self.channel.items()
        finally:
            self.channel.abandon()
        if self.failure is not None:
            raise self.failure

    def leave(self) -> None:
        """Let the others begin, and go on, without this one."""
        if self._shared is not None:
            self._decide(())
        self.channel.abandon()

    def _decide(self, spans: Sequence[Span]) -> None:
        shared, self._shared, self.spans = self._shared, None, spans
        if shared is not None:
            shared.decide(self)
