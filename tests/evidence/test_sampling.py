"""Frames are spread evenly over each shot, within the budget, to the end of the file; shots begin where scenes do."""

from __future__ import annotations

import random
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from detector.errors import SettingsError
from detector.evidence import Evidence, FrameReader
from detector.evidence.sampling import Sampler
from detector.evidence.shots import ShotDetector
from tests.evidence.media import make_video, number_in, numbered_picture

Admit = Callable[..., Evidence]


def _scene(number: int, cuts: tuple[int, ...]) -> np.ndarray:
    """A bar code over scenes that differ in colour and layout."""
    scene = sum(number >= cut for cut in cuts)
    picture = numbered_picture(number, hue=scene)
    picture[30:] = [picture[30:], picture[30:][:, ::-1], picture[30:][::-1]][scene % 3]
    return np.ascontiguousarray(picture)


def _run(sampler: Sampler, times: list[float], shots: set[float]) -> list[float]:
    return [time for time in times if sampler.wants(time, new_shot=time in shots)]


def test_shots_begin_at_the_cut_and_their_first_frame_is_examined(tmp_path: Path, admit: Admit) -> None:
    cuts = (23, 50, 77)
    evidence = admit(make_video(tmp_path / "a.mp4", frames=100, fps=25, picture=lambda n: _scene(n, cuts)))
    with FrameReader(evidence, frames_per_second=5, max_frames=500) as reader:
        frames = list(reader)
        assert reader.shot_starts_s == pytest.approx([0, 23 / 25, 50 / 25, 77 / 25])
    first_of_shot = {shot: next(frame for frame in frames if frame.shot_index == shot) for shot in range(4)}
    assert [number_in(frame.image) for frame in first_of_shot.values()] == [0, 23, 50, 77]
    assert [number_in(frame.image) for frame in frames if frame.shot_index == 1] == [23, 28, 33, 38, 43, 48]
    assert [frame.frame_index for frame in frames] == [number_in(frame.image) for frame in frames]


def test_movement_and_flashes_within_a_scene_are_no_cuts() -> None:
    rng = np.random.default_rng(5)
    wall = np.kron(rng.integers(40, 200, (3, 10, 40)), np.ones((1, 8, 8))).astype(np.uint8)
    detector = ShotDetector()
    cuts = []
    for number in range(60):
        place = min(number, 35)  # the camera moves, then rests while a flash goes off
        thumbnail = wall[:, place // 4 : place // 4 + 36, 2 * place : 2 * place + 64].copy()
        if number == 40:
            thumbnail[0] = np.clip(thumbnail[0].astype(int) + 60, 0, 255)
        cuts.append(detector.is_cut_thumbnail(thumbnail))
    assert [number for number, cut in enumerate(cuts) if cut] == []
    assert detector.is_cut_thumbnail(np.ascontiguousarray(wall[::-1, 30:66, 200:264]))


def test_the_distance_is_that_asked_for(tmp_path: Path, admit: Admit) -> None:
    evidence = admit(make_video(tmp_path / "a.mp4", frames=60, fps=30))
    for rate, step in ((5, 6), (10, 3), (30, 1), (120, 1), (1, 30)):
        with FrameReader(evidence, frames_per_second=rate, max_frames=500) as reader:
            expected = reader.expected_frames
            numbers = [number_in(frame.image) for frame in reader]
            assert reader.expected_frames == len(numbers) == expected
        assert numbers == list(range(0, 60, step)), rate


def test_a_long_file_is_sampled_sparsely_to_its_end(tmp_path: Path, admit: Admit) -> None:
    evidence = admit(make_video(tmp_path / "a.mp4", frames=120, fps=30))
    with FrameReader(evidence, frames_per_second=30, max_frames=8) as reader:
        numbers, progress = [], [reader.progress]
        for frame in reader:
            numbers.append(number_in(frame.image))
            progress.append(reader.progress)
            assert reader.expected_frames == 8
    assert numbers == list(range(0, 120, 15))
    assert progress == sorted(progress)
    assert 0 <= progress[0] < progress[-1] < 1 == reader.progress


@pytest.mark.parametrize("seed", range(40))
def test_any_budget_is_kept_and_reaches_the_end(seed: int) -> None:
    rng = random.Random(seed)
    interval = rng.choice([1 / 24, 1 / 30, 1 / 60])
    times, now = [], rng.choice([0.0, 7.5])
    start = now
    for _ in range(rng.randint(30, 2_000)):
        times.append(now)
        now += interval * (rng.choice([1, 1, 1, 4]) if seed % 2 else 1)
    shots = set(rng.sample(times, len(times) // rng.choice([3, 50, 400])))
    budget = rng.randint(10, 400)
    duration = now - start
    rate = rng.choice([1, 5, 25])
    sampler = Sampler(
        frames_per_second=rate,
        max_frames=budget,
        start_s=start,
        duration_s=duration,
        interval_s=interval,
    )
    first_guess = sampler.expected
    taken = _run(sampler, times, shots)
    assert taken[0] == start
    assert len(taken) == sampler.taken <= budget
    assert 1 <= first_guess <= budget
    longest = 5 * max(1 / rate, duration / budget) + 5 * interval
    assert times[-1] - taken[-1] <= longest, "cut off before the end"
    assert max((b - a for a, b in pairwise(taken)), default=0) <= longest


def test_with_room_every_first_frame_of_a_shot_is_taken() -> None:
    times = [number / 25 for number in range(2_000)]
    shots = {times[number] for number in range(17, 2_000, 41)}
    sampler = Sampler(frames_per_second=5, max_frames=900, start_s=0, duration_s=80, interval_s=1 / 25)
    assert shots <= set(_run(sampler, times, shots))


@pytest.mark.parametrize(("rate", "most"), [(0, 10), (-1, 10), (float("nan"), 10), (5, 0)])
def test_a_rate_or_budget_of_nothing_is_refused(rate: float, most: int, tmp_path: Path, admit: Admit) -> None:
    evidence = admit(make_video(tmp_path / "a.mp4", frames=2))
    with pytest.raises(SettingsError, match="positive"):
        FrameReader(evidence, frames_per_second=rate, max_frames=most)


def test_with_an_offset_each_shots_grid_begins_behind_its_first_frame() -> None:
    times = [number / 50 for number in range(200)]
    sampler = Sampler(frames_per_second=5, max_frames=900, start_s=0, duration_s=4, interval_s=1 / 50, offset=0.5)
    taken = _run(sampler, times, {2.26})
    assert taken[:3] == pytest.approx([0.1, 0.3, 0.5])
    assert [time for time in taken if time >= 2.2][:2] == pytest.approx([2.36, 2.56])
