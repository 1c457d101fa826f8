"""The mouth is followed through time: its opening is measured, its crop stays put, and gaps stay gaps."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from detector.errors import CancelledError
from detector.evidence import Evidence, StoredFile, examine, hash_file
from detector.faces import DetectedFace, FaceQuality, FaceTrack, TrackedFace
from detector.faces.follow import TrackSegment, box_at
from detector.faces.mediapipe_backend import MediaPipeBackend
from detector.faces.mouth import CROP_PX, LIP_MEASURES, MouthTrack, follow_mouths, measure_lips
from tests.talking import pictures, syllables, write_talk

# Her face in the talking clip.
BOX = (78.0, 70.0, 172.0, 177.0)


def evidence_of(path: Path) -> Evidence:
    sha256, md5 = hash_file(path)
    return examine(StoredFile(sha256, md5, path.stat().st_size, path.name, path))


def track_of(*times_s: float, box: tuple[float, float, float, float] = BOX) -> FaceTrack:
    quality = FaceQuality(90, 100, 0.5, 0, 0, 0, 0.9, 1.0)
    face = DetectedFace(box, 0.9, None, quality, "frame")
    return FaceTrack(3, 0, tuple(TrackedFace(0, round(at * 1000), at, face) for at in times_s))


def follow_mouth(
    talk: Evidence, track: FaceTrack, start_s: float, end_s: float, backend: MediaPipeBackend
) -> MouthTrack:
    (mouth,) = follow_mouths(talk, [TrackSegment(track, start_s, end_s)], backend)
    return mouth


@pytest.fixture(scope="module")
def backend() -> Iterator[MediaPipeBackend]:
    built = MediaPipeBackend()
    yield built
    built.close()


@pytest.fixture(scope="module")
def opening() -> np.ndarray:
    return syllables(2.0, seed=2)


@pytest.fixture(scope="module")
def talk(tmp_path_factory: pytest.TempPathFactory, opening: np.ndarray) -> Evidence:
    return evidence_of(write_talk(tmp_path_factory.mktemp("mouth") / "talk.mp4", pictures(opening), None))


def test_the_opening_of_the_mouth_is_measured(talk: Evidence, opening: np.ndarray, backend: MediaPipeBackend) -> None:
    mouth = follow_mouth(talk, track_of(0.0, 1.9), 0.4, 1.6, backend)
    assert mouth.start_s == 0.4
    assert mouth.crops.shape == (30, CROP_PX, CROP_PX)
    assert mouth.crops.dtype == np.uint8
    assert mouth.lips.shape == (30, len(LIP_MEASURES))
    assert mouth.seen.all()
    assert 40 < mouth.eyes_px < 80
    assert np.corrcoef(mouth.lips[:, 0], opening[10:40])[0, 1] > 0.6
    # The lower half of the crop changes with speech more than the upper one: it stays on the mouth.
    change = np.abs(np.diff(mouth.crops.astype(float), axis=0)).mean(0)
    assert change[24:].mean() > change[:16].mean()


def test_times_that_nobody_sees_are_marked(talk: Evidence, backend: MediaPipeBackend) -> None:
    beyond = follow_mouth(talk, track_of(0.0, 5.0), 1.6, 2.6, backend)
    assert beyond.seen[:9].all()
    assert not beyond.seen[12:].any()
    assert not beyond.lips[12:].any()
    assert not beyond.crops[12:].any()
    nobody = follow_mouth(talk, track_of(0.0, 5.0, box=(0.0, 200.0, 30.0, 235.0)), 0.5, 0.9, backend)
    assert not nobody.seen.any()
    assert nobody.eyes_px == 0.0


def test_cancelling_stops_between_frames(talk: Evidence, backend: MediaPipeBackend) -> None:
    with pytest.raises(CancelledError):
        follow_mouths(talk, [TrackSegment(track_of(0.0, 1.9), 0.4, 1.6)], backend, cancelled=lambda: True)


def test_a_box_between_two_sightings_lies_between_them() -> None:
    first, last = track_of(1.0).faces[0], track_of(2.0, box=(98.0, 90.0, 192.0, 197.0)).faces[0]
    assert box_at(FaceTrack(0, 0, (first, last)), 1.5) == pytest.approx((88, 80, 182, 187))
    assert box_at(FaceTrack(0, 0, (first, last)), 9.0) == pytest.approx((98, 90, 192, 197))


def test_measures_do_not_depend_on_size_or_place() -> None:
    points = np.random.default_rng(0).uniform(0, 100, (468, 3)).astype(np.float32)
    assert measure_lips(points * 3 + 50) == pytest.approx(measure_lips(points), rel=1e-3)


def test_segments_that_overlap_are_followed_as_each_would_be_alone(talk: Evidence, backend: MediaPipeBackend) -> None:
    segments = [TrackSegment(track_of(0.0, 1.9), *times) for times in ((0.6, 1.0), (0.2, 0.8))]
    together = follow_mouths(talk, segments, backend)
    for segment, mouth in zip(segments, together, strict=True):
        (alone,) = follow_mouths(talk, [segment], backend)
        assert mouth.start_s == alone.start_s == segment.start_s
        np.testing.assert_array_equal(mouth.crops, alone.crops)
        np.testing.assert_array_equal(mouth.lips, alone.lips)
