from __future__ import annotations

import numpy as np
import pytest

from detector.faces import DetectedFace, FaceQuality, FaceTrack, Tracker
from detector.faces.types import Box
from tests.faces.conftest import Picture, frame_of

CANVAS = np.full((720, 1280, 3), 110, np.uint8)
QUALITY = FaceQuality(100.0, 200.0, 0.5, 0.0, 0.0, 0.0, 1.0, 1.0)


def face(x: float, y: float = 300.0, size: float = 100.0, source: str = "frame") -> DetectedFace:
    box: Box = (x - size / 2, y - size / 2, x + size / 2, y + size / 2)
    return DetectedFace(box, 0.9, None, QUALITY, source)  # type: ignore[arg-type]


def follow(
    moments: list[tuple[float, list[DetectedFace]]],
    *,
    shots: list[int] | None = None,
    images: list[Picture] | None = None,
) -> tuple[list[tuple[int, ...]], tuple[FaceTrack, ...]]:
    tracker = Tracker()
    numbers = []
    for index, (pts_s, faces) in enumerate(moments):
        frame = frame_of(
            CANVAS if images is None else images[index],
            index=index,
            pts_s=pts_s,
            shot_index=shots[index] if shots else 0,
        )
        numbers.append(tracker.update(frame, tuple(faces)))
    return numbers, tracker.finish()


def test_one_face_is_one_track_in_time_order() -> None:
    numbers, tracks = follow([(0.2 * i, [face(300 + 15 * i)]) for i in range(10)])
    assert numbers == [(1,)] * 10
    (track,) = tracks
    assert [item.pts for item in track.faces] == [200 * i for i in range(10)]
    assert (track.first_pts_s, track.last_pts_s) == (0.0, pytest.approx(1.8))
    assert track.gaps_s == ()


def test_people_stay_apart_whatever_order_the_detector_lists_them_in() -> None:
    moments = []
    for i in range(12):
        people = [face(200 + 5 * i), face(600, 310), face(1000 - 5 * i, 290)]
        moments.append((0.2 * i, people[i % 3 :] + people[: i % 3]))
    numbers, tracks = follow(moments)
    assert len(tracks) == 3
    for i, given in enumerate(numbers):
        order = [1, 2, 3]
        assert given == tuple(order[i % 3 :] + order[: i % 3])


def test_people_who_cross_keep_their_numbers_by_their_movement() -> None:
    moments = [(0.1 * i, [face(300 + 40 * i, 300), face(800 - 40 * i, 340)]) for i in range(13)]
    numbers, tracks = follow(moments)
    assert numbers == [(1, 2)] * 13
    assert len(tracks) == 2


def test_people_who_cross_with_one_hidden_keep_their_numbers() -> None:
    moments = []
    for i in range(13):
        front, behind = face(300 + 40 * i, 300), face(800 - 40 * i, 310)
        moments.append((0.1 * i, [front] if 5 <= i <= 8 else [front, behind]))
    numbers, tracks = follow(moments)
    assert numbers[-1] == (1, 2)
    assert [len(track.faces) for track in tracks] == [13, 9]
    assert tracks[1].gaps_s == ((pytest.approx(0.4), pytest.approx(0.9)),)


@pytest.mark.parametrize("swapped", [False, True])
def test_colours_decide_where_place_and_movement_say_nothing(swapped: bool) -> None:
    """Two people side by side step apart unseen, one forward and one back: either could be either."""
    red, blue = (200, 40, 40), (40, 40, 200)

    def scene(places: list[tuple[int, int]], colours: list[tuple[int, int, int]]) -> Picture:
        image = CANVAS.copy()
        for (x, y), colour in zip(places, colours, strict=True):
            image[y - 60 : y + 100, x - 75 : x + 75] = colour
        return image

    before, after = [(400, 300), (520, 300)], [(460, 210), (460, 390)]
    moments = [(0.2 * i, [face(*place) for place in before]) for i in range(3)]
    moments += [(0.6, []), (0.8, [face(*place) for place in after])]
    images = [scene(before, [red, blue])] * 4 + [scene(after, [blue, red] if swapped else [red, blue])]
    numbers, _ = follow(moments, images=images)
    assert numbers[2] == (1, 2)
    assert numbers[-1] == ((2, 1) if swapped else (1, 2))


def test_a_short_absence_is_a_gap_and_a_long_one_ends_the_track() -> None:
    away = [(0.2 * i, []) for i in range(3, 6)]
    numbers, tracks = follow([(0.2 * i, [face(300)]) for i in range(3)] + away + [(1.2, [face(310)])])
    assert numbers[-1] == (1,)
    assert tracks[0].gaps_s == ((pytest.approx(0.4), pytest.approx(1.2)),)

    away = [(0.2 * i, []) for i in range(3, 9)]
    numbers, tracks = follow([(0.2 * i, [face(300)]) for i in range(3)] + away + [(1.8, [face(300)])])
    assert numbers[-1] == (2,)
    assert [track.gaps_s for track in tracks] == [(), ()]


def test_a_face_elsewhere_or_of_another_size_does_not_continue_a_track() -> None:
    for stranger in (face(900), face(300, size=260)):
        numbers, _ = follow([(0.0, [face(300)]), (0.2, [face(300)]), (0.4, [stranger])])
        assert numbers[-1] == (2,)


def test_a_shot_change_ends_every_track() -> None:
    numbers, tracks = follow([(0.2 * i, [face(300)]) for i in range(6)], shots=[0, 0, 0, 1, 1, 1])
    assert numbers == [(1,)] * 3 + [(2,)] * 3
    assert [(track.shot_index, len(track.faces)) for track in tracks] == [(0, 3), (1, 3)]


def test_sparse_sampling_still_follows_a_face() -> None:
    numbers, tracks = follow([(4.0 * i, [face(300 + 30 * i)] if i != 3 else []) for i in range(6)])
    assert {number for given in numbers for number in given} == {1}
    assert tracks[0].gaps_s == ((8.0, 16.0),)


def test_uneven_times_are_taken_as_seconds_not_frames() -> None:
    times = [0.0, 0.04, 0.08, 0.5, 0.54, 1.2]
    numbers, _ = follow([(t, [face(200 + 300 * t), face(700 - 300 * t, 420)]) for t in times])
    assert numbers == [(1, 2)] * 6


def test_a_centre_crop_never_joins_a_face() -> None:
    numbers, tracks = follow(
        [
            (0.0, [face(640, 360)]),
            (0.2, [face(640, 360, source="centre_crop")]),
            (0.4, [face(640, 360, source="centre_crop")]),
            (0.6, [face(640, 360)]),
        ]
    )
    assert numbers == [(1,), (2,), (2,), (1,)]
    assert [{item.face.source for item in track.faces} for track in tracks] == [{"frame"}, {"centre_crop"}]


def test_no_faces_at_all_is_no_track() -> None:
    assert follow([(0.0, []), (0.2, [])]) == ([(), ()], ())


def test_equal_input_gives_equal_tracks() -> None:
    generator = np.random.default_rng(3)
    moments = [
        (0.2 * i, [face(*generator.uniform(100, 600, 2), generator.uniform(60, 160)) for _ in range(4)])
        for i in range(20)
    ]
    assert follow(moments) == follow(moments)
