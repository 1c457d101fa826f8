"""Bounded channels between threads that stop together: the first failure or a cancellation ends them all.

`queue.Queue` alone leaves a producer blocked for ever when its consumer dies; here every wait also ends when the flow
stops.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

T = TypeVar("T")
POLL_S = 0.05


class ThreadGroupStoppedError(Exception):
    """Raised inside a stage whose flow was stopped; it unwinds the stage and goes no further."""


class ThreadGroup:
    """Threads and channels that live and end together. Not re-usable: one flow, one run."""

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.stopped = False
        self.failure: BaseException | None = None
        self._threads: list[threading.Thread] = []

    def start(self, name: str, work: Callable[[], None]) -> None:
        """Run `work` in a thread; what it raises stops the flow and is kept in `failure` (the first one wins)."""

        def run() -> None:
            try:
                work()
            except ThreadGroupStoppedError:
                pass
            except BaseException as error:  # every failure must reach the caller, whatever its kind
                self.stop(error)

        thread = threading.Thread(target=run, name=name, daemon=True)
        self._threads.append(thread)
        thread.start()

    def stop(self, error: BaseException | None = None) -> None:
        """Ask every thread to end; the first `error` is kept to be raised."""
        with self.changed:
            if self.failure is None:
                self.failure = error
            self.stopped = True
            self.changed.notify_all()

    def join(self) -> None:
        """Wait until every thread has ended."""
        for thread in self._threads:
            thread.join()

    def wait_until(self, ready: Callable[[], bool], each_poll: Callable[[], None] | None = None) -> None:
        """Block until `ready()` (called with the lock held); `each_poll` runs without it every 50 ms meanwhile.

        Raises FlowStoppedError once the flow stops, and whatever `each_poll` raises.
        """
        while True:
            with self.changed:
                if self.stopped:
                    raise ThreadGroupStoppedError
                if ready():
                    return
                self.changed.wait(POLL_S if each_poll else None)
            if each_poll is not None:
                each_poll()


class Channel(Generic[T]):
    """A bounded first-in-first-out channel with one producer and one consumer.

    `capacity` bounds the sum of what `size_of` says of each waiting item, by default their number; an item larger than
    that goes through alone.
    """

    def __init__(self, group: ThreadGroup, capacity: int, size_of: Callable[[T], int] = lambda _: 1) -> None:
        self._group = group
        self._capacity = capacity
        self._size_of = size_of
        self._waiting = 0
        self._items: deque[T] = deque()
        self._closed = False
        self.abandoned = False

    def put(self, item: T, each_poll: Callable[[], None] | None = None) -> None:
        """Add an item, waiting while the channel is full."""
        size = self._size_of(item)
        self._group.wait_until(
            lambda: self.abandoned or not self._items or self._waiting + size <= self._capacity, each_poll
        )
        with self._group.changed:
            if self.abandoned:
                return
            self._items.append(item)
            self._waiting += size
            self._group.changed.notify_all()

    def abandon(self) -> None:
        """The consumer takes no more: what waits and what is added from now on is dropped."""
        with self._group.changed:
            self.abandoned = True
            self._items.clear()
            self._group.changed.notify_all()

    def close(self) -> None:
        """No more items: the consumer's iteration ends after the last one."""
        with self._group.changed:
            self._closed = True
            self._group.changed.notify_all()

    def items(self, each_poll: Callable[[], None] | None = None) -> Iterator[T]:
        """Take items, waiting for them, until the channel is closed and empty."""
        while True:
            self._group.wait_until(lambda: bool(self._items) or self._closed, each_poll)
            with self._group.changed:
                if not self._items:
                    return
                item = self._items.popleft()
                self._waiting -= self._size_of(item)
                self._group.changed.notify_all()
            yield item
