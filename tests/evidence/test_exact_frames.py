"""The frame that is shown for a PTS is the one that was recorded with it, whatever the container and the codec do."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from detector.errors import EvidenceError
from detector.evidence import Evidence, FrameReader, Span, frame_at, frame_times
from detector.evidence.seek import displayed_frames, frames_of_spans
from tests.evidence.media import damaged, make_video, number_in

Admit = Callable[..., Evidence]

B_FRAMES = {"x264-params": "keyint=12:bframes=3:b-adapt=0:b-pyramid=2:scenecut=0", "preset": "fast"}
OPEN_GOP = {"x264-params": "open-gop=1:keyint=12:min-keyint=12:bframes=3:b-adapt=0:scenecut=0", "preset": "fast"}
INTRA_REFRESH = {"x264-params": "intra-refresh=1:keyint=12:bframes=0", "preset": "fast"}
ALT_REF = {"auto-alt-ref": "1", "lag-in-frames": "12", "g": "12", "deadline": "good", "cpu-used": "4"}
HEVC = {"x265-params": "log-level=none:keyint=12:bframes=3", "preset": "fast"}
MPEG = {"bf": "2", "g": "12"}
IRREGULAR = [0]
for _step in [33, 33, 50, 100, 33, 17, 400, 33, 33, 5, 33, 66] * 4:
    IRREGULAR.append(IRREGULAR[-1] + _step)
MILLISECOND = Fraction(1, 1000)

CASES = {
    "constant rate": {"suffix": ".mp4"},
    "b-frames": {"suffix": ".mp4", "codec_options": B_FRAMES},
    "open gop": {"suffix": ".mp4", "codec_options": OPEN_GOP},
    "open gop in matroska": {"suffix": ".mkv", "codec_options": OPEN_GOP},
    "open gop in transport stream": {"suffix": ".ts", "codec_options": OPEN_GOP},
    "intra refresh": {"suffix": ".mp4", "codec_options": INTRA_REFRESH},
    "variable rate": {"suffix": ".mp4", "pts": IRREGULAR, "time_base": MILLISECOND, "codec_options": B_FRAMES},
    "variable rate in matroska": {"suffix": ".mkv", "pts": IRREGULAR, "time_base": MILLISECOND},
    "29.97": {"suffix": ".mp4", "fps": Fraction(30000, 1001), "codec_options": B_FRAMES},
    "fragmented": {"suffix": ".mp4", "container_options": {"movflags": "frag_keyframe+empty_moov"}},
    "hevc": {"suffix": ".mp4", "codec": "libx265", "codec_options": HEVC},
    "ten bit": {"suffix": ".mp4", "pix_fmt": "yuv420p10le", "codec_options": B_FRAMES},
    "mpeg4 in avi": {"suffix": ".avi", "codec": "mpeg4", "codec_options": MPEG},
    "h264 in avi": {"suffix": ".avi"},
    "mpeg2 program stream": {
        "suffix": ".mpg",
        "codec": "mpeg2video",
        "codec_options": {"bf": "2", "g": "12"},
        "fps": 25,
    },
    "vp8": {
        "suffix": ".webm",
        "codec": "libvpx",
        "codec_options": ALT_REF,
    },
    "vp9": {"suffix": ".webm", "codec": "libvpx-vp9", "codec_options": {"cpu-used": "8", "deadline": "realtime"}},
    "av1": {"suffix": ".mp4", "codec": "libsvtav1", "codec_options": {"preset": "12", "g": "24"}},
    "gif": {"suffix": ".gif", "codec": "gif", "pix_fmt": "rgb8", "fps": 20},
    "flash": {"suffix": ".flv"},
    "bare h264 without stamps": {"suffix": ".h264", "codec_options": B_FRAMES},
    "rotated": {"suffix": ".mp4", "rotation_deg": 90, "size": (160, 120), "codec_options": B_FRAMES},
}


@pytest.mark.parametrize("name", CASES)
def test_every_pts_gives_its_own_frame(name: str, tmp_path: Path, admit: Admit) -> None:
    options = dict(CASES[name])
    suffix = str(options.pop("suffix"))
    count = len(IRREGULAR) if "pts" in options else 48
    evidence = admit(make_video(tmp_path / f"clip{suffix}", frames=count, **options))  # type: ignore[arg-type]
    with FrameReader(evidence, frames_per_second=120, max_frames=1_000) as reader:
        frames = {frame.pts: frame for frame in reader}
        assert reader.frames_decoded == count
        assert reader.integrity.decode_errors == 0
    turned = evidence.video.rotation_deg == 90
    seen = [number_in(np.rot90(frame.image) if turned else frame.image) for frame in frames.values()]
    assert seen == sorted(set(seen)), "pictures out of order or repeated"
    if "pts" in options:
        assert len(frames) >= count - 4  # 5 ms apart is beyond the 120 frames a second asked for
        assert all(
            round(frame.pts_s * 1000) == IRREGULAR[number] for number, frame in zip(seen, frames.values(), strict=True)
        )
    else:
        assert seen == list(range(count))
    assert frame_times(evidence) == tuple(sorted(frame_times(evidence)))
    assert evidence.video.frame_count == count == len(frame_times(evidence))
    for number in [count - 1, 0, 13, 11, 12, 25, 23, 24, 35, 36, 37]:
        pts = frame_times(evidence)[number]
        found = frame_at(evidence, pts)
        assert number_in(np.rot90(found.image) if turned else found.image) == number
        assert (found.pts, found.frame_index) == (pts, number)
        if pts in frames:
            assert found.pts_s == frames[pts].pts_s
            assert found.frame_index == frames[pts].frame_index
            assert np.array_equal(found.image, frames[pts].image), "sought and sampled frame differ"


@pytest.mark.parametrize(
    "name",
    [
        "b-frames",
        "open gop",
        "open gop in transport stream",
        "intra refresh",
        "variable rate",
        "hevc",
        "mpeg4 in avi",
        "mpeg2 program stream",
        "av1",
        "rotated",
    ],
)
def test_a_span_holds_the_frames_that_decoding_everything_gives(name: str, tmp_path: Path, admit: Admit) -> None:
    options = dict(CASES[name])
    suffix = str(options.pop("suffix"))
    count = len(IRREGULAR) if "pts" in options else 48
    evidence = admit(make_video(tmp_path / f"clip{suffix}", frames=count, **options))  # type: ignore[arg-type]
    every = [frame for frame in displayed_frames(evidence) if frame is not None]
    end_s = every[-1].pts_s + 0.01
    for span in (Span(0.0, end_s, 0.19), Span(0.6 * end_s, end_s, 0.0), Span(0.7 * end_s, 0.9 * end_s, 0.11)):
        due_s, expected = span.start_s, []
        for frame in every:
            if due_s <= frame.pts_s < span.end_s:
                expected.append(frame)
                due_s = frame.pts_s + span.step_s
        found = [frame for _, frame in frames_of_spans(evidence, [span])]
        assert [frame.pts for frame in found] == [frame.pts for frame in expected]
        assert all(np.array_equal(one.image, other.image) for one, other in zip(found, expected, strict=True))


def test_damage_gives_the_same_picture_sought_and_streamed(tmp_path: Path, admit: Admit) -> None:
    whole = make_video(tmp_path / "whole.mp4", frames=72, size=(320, 240), codec_options=B_FRAMES)
    evidence = admit(damaged(whole, tmp_path / "damaged.mp4"))
    with FrameReader(evidence, frames_per_second=6, max_frames=1_000) as reader:
        frames = list(reader)
        assert reader.integrity.decode_errors > 0
    assert len(frames) >= 12
    for frame in frames:
        assert np.array_equal(frame_at(evidence, frame.pts).image, frame.image)


def test_a_pts_between_frames_is_refused_with_its_neighbours(tmp_path: Path, admit: Admit) -> None:
    evidence = admit(make_video(tmp_path / "clip.mp4", frames=20))
    times = frame_times(evidence)
    for pts in (times[3] + 1, times[-1] + 10_000, -5):
        with pytest.raises(EvidenceError, match="nearest"):
            frame_at(evidence, pts)
