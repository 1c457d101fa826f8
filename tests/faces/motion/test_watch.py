"""A tracked face of a file: which parts of it are watched, how often, and what comes of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from detector.errors import CancelledError
from detector.evidence import Evidence, examine, ingest
from detector.faces import FaceTrack, TrackedFace
from detector.faces.backend import FaceBackend, default_backend
from detector.faces.follow import FollowedFace, TrackSegment, follow_faces
from detector.faces.motion import watch_motion
from detector.faces.motion.sequence import FPS
from detector.faces.motion.watch import segments_of
from tests.analysis.fakes import make_face
from tests.talking import pictures, syllables, write_talk


@pytest.fixture(scope="module")
def backend() -> Iterator[FaceBackend]:
    with closing(default_backend(refined=True)) as opened:
        yield opened


@pytest.fixture(scope="module")
def talk(tmp_path_factory: pytest.TempPathFactory) -> Evidence:
    folder = tmp_path_factory.mktemp("talk")
    return examine(ingest(write_talk(folder / "talk.mp4", pictures(syllables(3.0)), None), folder / "store"))


def track(*times_s: float) -> FaceTrack:
    return FaceTrack(1, 0, tuple(TrackedFace(i, i, t, make_face(left=88.0)) for i, t in enumerate(times_s)))


def around_her(*times_s: float) -> FaceTrack:
    """The astronaut's face of `tests.talking`."""
    face = make_face()
    found = type(face)((85.0, 60.0, 165.0, 165.0), 0.9, None, face.quality, "frame")
    return FaceTrack(1, 0, tuple(TrackedFace(i, i, t, found) for i, t in enumerate(times_s)))


def looks_of(
    talk: Evidence, end_s: float, backend: FaceBackend, *, step_s: float = 0.0, on_average: bool = False
) -> list[FollowedFace]:
    segment = TrackSegment(around_her(0.0), 0.0, end_s)
    ((_, looks),) = follow_faces(talk, [segment], backend, lambda _, look: look, step_s=step_s, on_average=on_average)
    return looks


def test_a_short_track_is_watched_whole_and_a_little_beyond_either_end() -> None:
    ((start, end),) = segments_of(track(1.0, 1.5, 2.0, 4.0))
    assert (start, end) == pytest.approx((0.5, 4.501))
    assert next(segments_of(track(0.1, 0.3)))[0] == 0


def test_of_a_long_track_three_segments_are_watched_from_its_first_to_its_last_face() -> None:
    segments = list(segments_of(track(*np.arange(10, 40, 0.2))))
    assert [start for start, _ in segments] == pytest.approx([9.8, 23.1, 36.6], abs=0.2)
    assert segments[-1][1] == pytest.approx(40.0, abs=0.05)


def test_the_refined_mesh_has_irises_within_the_eyes_and_the_plain_one_stays_as_it_is(
    talk: Evidence, backend: FaceBackend
) -> None:
    with closing(default_backend()) as plain:
        without = looks_of(talk, 0.01, plain)[0]
    refined = looks_of(talk, 0.01, backend)[0]
    assert (without.points.shape, refined.points.shape) == ((468, 3), (478, 3))
    for iris, outer, inner in ((468, 33, 133), (473, 263, 362)):
        low, high = sorted((refined.points[outer, 0], refined.points[inner, 0]))
        assert low < refined.points[iris, 0] < high
    assert np.abs(refined.points[:468, :2] - without.points[:, :2]).mean() < 4


def test_frames_come_at_one_rate_on_average_and_no_faster(talk: Evidence, backend: FaceBackend) -> None:
    def times(*, on_average: bool) -> list[float]:
        return [look.pts_s for look in looks_of(talk, 2.0, backend, step_s=1 / FPS, on_average=on_average)]

    assert len(times(on_average=True)) == pytest.approx(2 * FPS, abs=1)
    assert len(times(on_average=False)) == 25  # every other frame of 25 a second


def test_a_talking_face_is_measured_and_a_photograph_of_it_is_not(
    talk: Evidence, backend: FaceBackend, tmp_path: Path
) -> None:
    (measured,) = watch_motion(talk, [around_her(*np.arange(0, 3, 0.5))], backend)
    (window,) = measured.windows
    assert (measured.missing, round(window.end_s - window.start_s, 3)) == (None, 2.4)
    still = write_talk(tmp_path / "still.mp4", pictures(np.zeros(75)), None)
    frozen = examine(ingest(still, tmp_path / "store"))
    (photograph,) = watch_motion(frozen, [around_her(*np.arange(0, 3, 0.5))], backend)
    assert photograph.missing == "still"


def test_it_stops_when_cancelled(talk: Evidence, backend: FaceBackend) -> None:
    with pytest.raises(CancelledError):
        watch_motion(talk, [around_her(0.0, 2.9)], backend, cancelled=lambda: True)
