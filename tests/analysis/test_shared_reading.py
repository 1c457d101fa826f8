"""Models that read stretches of one file share its decoding."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction

import numpy as np
import pytest

from detector.analysis import shared_reading
from detector.analysis.shared_reading import SharedReader, SharedReading
from detector.analysis.thread_group import ThreadGroup
from detector.errors import EvidenceError
from detector.evidence.types import Evidence, Frame, Span
from tests.analysis.fakes import make_evidence

FRAMES = 12
LIMIT_S = 20.0


class Decoding:
    """A file of twelve frames, one a second, in place of `frames_of_spans`."""

    def __init__(self) -> None:
        self.passes: list[int] = []
        self.breaks_at: int | None = None

    def __call__(self, _: Evidence, spans: Sequence[Span]) -> Iterator[tuple[tuple[int, ...], Frame]]:
        self.passes.append(len(spans))
        for pts in range(FRAMES):
            if pts == self.breaks_at:
                raise EvidenceError("The file is gone.")
            wanted = tuple(number for number, span in enumerate(spans) if span.start_s <= pts < span.end_s)
            if wanted:
                yield wanted, Frame(pts, pts, float(Fraction(pts)), 0, np.zeros((2, 2, 3), np.uint8))


@pytest.fixture
def decoding(monkeypatch: pytest.MonkeyPatch) -> Decoding:
    found = Decoding()
    monkeypatch.setattr(shared_reading, "frames_of_spans", found)
    return found


def readers(count: int) -> list[SharedReader]:
    shared = SharedReading(ThreadGroup(), make_evidence(), count)
    return [shared.reader() for _ in range(count)]


def read(reader: SharedReader, *spans: tuple[float, float]) -> list[tuple[tuple[int, ...], int]]:
    try:
        found = reader(make_evidence(), [Span(*span) for span in spans])
        return [(numbers, frame.pts) for numbers, frame in found]
    finally:
        reader.leave()


def test_each_reader_gets_its_own_stretches_from_one_decoding(decoding: Decoding) -> None:
    first, second, third = readers(3)
    with ThreadPoolExecutor(3) as pool:
        one = pool.submit(read, first, (0, 2), (1, 3))
        other = pool.submit(read, second, (1, 2))
        none = pool.submit(read, third)
        assert one.result(LIMIT_S) == [((0,), 0), ((0, 1), 1), ((1,), 2)]
        assert other.result(LIMIT_S) == [((0,), 1)]
        assert none.result(LIMIT_S) == []
    assert decoding.passes == [3]


def test_who_reads_nothing_or_stops_half_way_does_not_hold_up_the_others(
    decoding: Decoding, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared_reading, "BYTES_AHEAD", 12)  # one of these pictures
    first, second, third = readers(3)
    third.leave()
    with ThreadPoolExecutor(2) as pool:
        whole = pool.submit(read, first, (0, FRAMES))
        stopping = second(make_evidence(), [Span(0, FRAMES)])
        assert next(stopping)[1].pts == 0
        stopping.close()  # type: ignore[attr-defined]
        assert len(whole.result(LIMIT_S)) == FRAMES
    assert decoding.passes == [2]


def test_a_file_that_cannot_be_read_on_is_an_error_to_every_reader_after_what_came(decoding: Decoding) -> None:
    decoding.breaks_at = 2
    pair = readers(2)
    with ThreadPoolExecutor(2) as pool:
        for one in [pool.submit(read, reader, (0, 5)) for reader in pair]:
            with pytest.raises(EvidenceError, match="gone"):
                one.result(LIMIT_S)


def test_whoever_reads_again_reads_alone(decoding: Decoding) -> None:
    (only,) = readers(1)
    assert [frame.pts for _, frame in only(make_evidence(), [Span(0, 2)])] == [0, 1]
    assert read(only, (3, 4)) == [((0,), 3)]
    assert decoding.passes == [1, 1]
