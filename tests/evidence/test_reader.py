"""The reader's accounts: complaints belong to their own file, memory stays flat, and it can be left at any time."""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import psutil
import pytest

from detector.errors import EvidenceError, NoFramesError
from detector.evidence import Evidence, FrameReader, examine, frame_at, frame_before, ingest
from tests.evidence.media import damaged, make_audio, make_video, number_in

Admit = Callable[..., Evidence]


@pytest.fixture
def pair(tmp_path: Path, admit: Admit) -> tuple[Evidence, Evidence]:
    """A whole video and a damaged copy of it."""
    whole = make_video(tmp_path / "whole.mp4", frames=90, size=(320, 240))
    return admit(whole), admit(damaged(whole, tmp_path / "damaged.mp4"))


def _complaints(evidence: Evidence) -> int:
    with FrameReader(evidence, frames_per_second=2, max_frames=100) as reader:
        for _ in reader:
            continue
    return reader.integrity.decode_errors


def test_damage_is_counted_the_same_each_time_and_reading_goes_on(pair: tuple[Evidence, Evidence]) -> None:
    whole, broken = pair
    assert _complaints(whole) == 0
    counts = {_complaints(broken) for _ in range(3)}
    assert len(counts) == 1
    assert counts.pop() >= 5
    with FrameReader(broken, frames_per_second=30, max_frames=500) as reader:
        frames = list(reader)
        assert reader.frames_decoded > 70
        assert reader.busy_s > 0
    assert frames[-1].frame_index > 80
    assert any("did not decode" in warning for warning in reader.integrity.warnings) == (reader.frames_decoded < 90)


def test_two_readers_in_turn_do_not_share_complaints(pair: tuple[Evidence, Evidence]) -> None:
    whole, broken = pair
    alone = _complaints(broken)
    with (
        FrameReader(whole, frames_per_second=30, max_frames=500) as one,
        FrameReader(broken, frames_per_second=30, max_frames=500) as other,
    ):
        for _ in zip(one, other, strict=False):
            continue
        for _ in other:
            continue
    assert one.integrity.decode_errors == 0
    assert other.integrity.decode_errors == alone


def test_readers_in_threads_do_not_share_complaints(pair: tuple[Evidence, Evidence]) -> None:
    whole, broken = pair
    alone = _complaints(broken)
    counts: dict[int, int] = {}

    def read(number: int) -> None:
        counts[number] = _complaints(broken if number % 2 else whole)

    threads = [threading.Thread(target=read, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert [counts[number] for number in range(6)] == [0, alone, 0, alone, 0, alone]


def test_a_reader_can_be_left_at_any_time(pair: tuple[Evidence, Evidence]) -> None:
    for take in (0, 1, 5, 20):
        for evidence in pair:
            reader = FrameReader(evidence, frames_per_second=30, max_frames=500)
            for _, _ in zip(range(take), reader, strict=False):
                continue
            reader.close()
            reader.close()
            assert list(reader) == []
            abandoned = FrameReader(evidence, frames_per_second=30, max_frames=500)
            next(abandoned)
            del abandoned
            gc.collect()


def test_memory_does_not_grow_with_length(tmp_path: Path, admit: Admit) -> None:
    picture = np.full((240, 320, 3), 90, np.uint8)
    process = psutil.Process()

    def read(frames: int) -> int:
        evidence = admit(
            make_video(tmp_path / f"{frames}.mp4", frames=frames, size=(320, 240), picture=lambda n: picture)
        )
        with FrameReader(evidence, frames_per_second=30, max_frames=100_000) as reader:
            peak = 0
            for number, _ in enumerate(reader):
                peak = max(peak, process.memory_info().rss) if number % 50 == 0 else peak
            assert reader.frames_decoded == frames
        return peak

    read(100)
    # 1,200 decoded pictures of 112 KiB, or as many RGB ones of 225 KiB, would show.
    assert read(1_300) - read(100) < 30 << 20


def test_odd_sizes_keep_their_last_row_and_column(tmp_path: Path, admit: Admit) -> None:
    def corner(number: int) -> np.ndarray:
        picture = np.zeros((121, 161, 3), np.uint8)
        picture[-3:, -3:] = 255
        return picture

    path = make_video(tmp_path / "a.mkv", size=(161, 121), codec="ffv1", pix_fmt="yuv444p", frames=2, picture=corner)
    image = frame_at(admit(path), 0).image
    assert image.shape == (121, 161, 3)
    assert image[-1, -1].min() > 240
    assert image[-4, -4].max() < 16


@pytest.mark.parametrize(("degrees", "mirrored"), [(d, m) for d in (0, 90, 180, 270) for m in (False, True)])
def test_the_display_matrix_is_applied(degrees: int, mirrored: bool, tmp_path: Path, admit: Admit) -> None:
    path = make_video(tmp_path / "a.mp4", frames=2, rotation_deg=degrees, mirrored=mirrored)
    evidence = admit(path)
    plain = frame_at(admit(make_video(tmp_path / "b.mp4", frames=2)), 0).image
    turned = np.rot90(plain, -degrees // 90)
    expected = turned[:, ::-1] if mirrored else turned
    assert np.array_equal(frame_at(evidence, 0).image, expected)
    if not mirrored:
        assert evidence.video.rotation_deg == degrees


def test_what_the_examination_says_of_a_good_file(tmp_path: Path, admit: Admit) -> None:
    evidence = admit(
        make_video(
            tmp_path / "a.mp4", frames=50, fps=25, audio=True, codec_options={"g": "10", "x264-params": "scenecut=0"}
        )
    )
    video = evidence.video
    assert evidence.kind == "video"
    assert (video.codec, video.profile, video.pixel_format, video.bit_depth) == ("h264", "High", "yuv420p", 8)
    assert (video.duration_s, video.frame_count, video.average_fps) == (pytest.approx(2.0), 50, pytest.approx(25.0))
    assert (video.keyframe_count, video.keyframe_interval_s) == (5, pytest.approx(0.4))
    assert video.time_base == Fraction(1, 12_800)
    assert not video.variable_frame_rate
    assert evidence.audio is not None
    assert (evidence.audio.codec, evidence.audio.sample_rate_hz, evidence.audio.channels) == ("aac", 16_000, 1)
    assert evidence.container.format_name.startswith("mov,mp4")
    assert evidence.container.stream_count == 2
    assert evidence.integrity == type(evidence.integrity)()


def test_a_stored_copy_that_vanished_is_an_error(tmp_path: Path, admit: Admit) -> None:
    evidence = admit(make_video(tmp_path / "a.mp4", frames=2))
    evidence.file.path.unlink()
    with pytest.raises(EvidenceError, match="Ingest"):
        examine(evidence.file)


def test_a_file_that_stopped_decoding_since_is_an_error_not_an_empty_pass(tmp_path: Path, admit: Admit) -> None:
    evidence = admit(make_video(tmp_path / "a.mp4", frames=5))
    content = bytearray(evidence.file.path.read_bytes())
    start = content.find(b"mdat") + 4
    content[start : content.find(b"moov") - 4] = bytes(content.find(b"moov") - 4 - start)
    evidence.file.path.chmod(0o644)
    evidence.file.path.write_bytes(bytes(content))
    with FrameReader(evidence, frames_per_second=5, max_frames=5) as reader, pytest.raises(NoFramesError):
        list(reader)


def test_files_with_sound_only_do_not_reach_a_reader(tmp_path: Path) -> None:
    stored = ingest(make_audio(tmp_path / "a.mp3", codec="libmp3lame"), tmp_path / "store")
    with pytest.raises(EvidenceError, match="only sound"):
        examine(stored)


def test_two_recordings_joined_are_timed_by_order_and_stay_exact(tmp_path: Path, admit: Admit) -> None:
    first = make_video(tmp_path / "a.ts", frames=20)
    second = make_video(tmp_path / "b.ts", frames=20, size=(320, 240))
    (tmp_path / "joined.ts").write_bytes(first.read_bytes() + second.read_bytes())
    evidence = admit(tmp_path / "joined.ts")
    assert any("goes back" in warning for warning in evidence.integrity.warnings)
    assert any("timed by their order" in warning for warning in evidence.integrity.warnings)
    assert evidence.video.duration_s == pytest.approx(40 / 30)
    with FrameReader(evidence, frames_per_second=30, max_frames=100) as reader:
        frames = list(reader)
    assert [frame.frame_index for frame in frames] == list(range(40))
    assert [frame.image.shape[0] for frame in frames] == [120] * 20 + [240] * 20
    assert any("picture size changes" in warning for warning in reader.integrity.warnings)
    for frame in frames[::6]:
        assert np.array_equal(frame_at(evidence, frame.pts).image, frame.image)


def test_each_frame_brings_the_picture_shown_just_before_it(tmp_path: Path, admit: Admit) -> None:
    evidence = admit(make_video(tmp_path / "clip.mp4", frames=48))
    with FrameReader(evidence, frames_per_second=5, max_frames=100, with_before=True) as reader:
        first, *others = list(reader)
    assert first.before is None
    assert len(others) == 7
    for frame in others:
        earlier = frame_before(evidence, frame.pts)
        assert frame.before is not None
        assert earlier is not None
        assert number_in(frame.before) == number_in(frame.image) - 1
        assert np.array_equal(frame.before, earlier.image)
    assert frame_before(evidence, first.pts) is None
    with pytest.raises(EvidenceError, match="PTS"):
        frame_before(evidence, first.pts + 1)
    with FrameReader(evidence, frames_per_second=5, max_frames=100) as reader:
        assert all(frame.before is None for frame in reader)


def test_a_picture_of_another_shot_or_long_ago_is_not_just_before(tmp_path: Path, admit: Admit) -> None:
    def two_shots(number: int) -> np.ndarray:
        return np.full((120, 160, 3), 30 if number < 12 else 220, np.uint8)

    cut = admit(make_video(tmp_path / "cut.mp4", frames=24, picture=two_shots))
    with FrameReader(cut, frames_per_second=30, max_frames=100, with_before=True) as reader:
        assert [frame.frame_index for frame in reader if frame.before is None] == [0, 12]
    slow = admit(make_video(tmp_path / "slow.mp4", frames=12, fps=5))
    with FrameReader(slow, frames_per_second=5, max_frames=100, with_before=True) as reader:
        frames = list(reader)
    assert len(frames) == 12
    assert all(frame.before is None for frame in frames)
    assert frame_before(slow, frames[5].pts) is None
