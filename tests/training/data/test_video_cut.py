"""Half of a side-by-side video: the decoder's own samples, with its own time stamps."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from detector.errors import EvidenceError, SettingsError
from detector.evidence import FrameReader, examine, ingest
from detector.training.data.video_cut import Columns, cut_columns
from tests.evidence.media import make_video

PTS = [3, 10, 11, 30, 52, 53, 80, 81]


def planes(path: Path) -> list[list[np.ndarray]]:
    with av.open(str(path)) as container:
        return [
            [np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size) for plane in frame.planes]
            for frame in container.decode(video=0)
        ]


def stamps(path: Path) -> list[Fraction]:
    with av.open(str(path)) as container:
        return [frame.pts * frame.time_base for frame in container.decode(video=0)]


@pytest.mark.parametrize("pix_fmt", ["yuv420p", "yuvj420p", "yuv444p", "yuv420p10le"])
def test_a_cut_holds_the_decoders_own_samples(tmp_path: Path, pix_fmt: str) -> None:
    whole = make_video(tmp_path / "whole.mp4", frames=4, size=(160, 120), pix_fmt=pix_fmt)
    cut = cut_columns(whole, tmp_path / "cut.mp4", Columns(62, 160))
    size = 2 if pix_fmt.endswith("10le") else 1
    for before, after in zip(planes(whole), planes(cut), strict=True):
        for number, (one, other) in enumerate(zip(before, after, strict=True)):
            halved = 2 if number and "420" in pix_fmt else 1
            left, right = 62 // halved * size, 160 // halved * size
            np.testing.assert_array_equal(other[:, : right - left], one[:, left:right])


def test_models_see_the_pixels_of_the_whole(tmp_path: Path) -> None:
    whole = make_video(tmp_path / "whole.mp4", frames=10, fps=5, size=(160, 120), pix_fmt="yuvj420p")
    cut = cut_columns(whole, tmp_path / "cut.mp4", Columns(0, 80))
    seen = []
    for path in (whole, cut):
        evidence = examine(ingest(path, tmp_path / "store"))
        with FrameReader(evidence, frames_per_second=5, max_frames=60) as reader:
            seen.append({frame.pts_s: frame.image for frame in reader})
    assert list(seen[0]) == list(seen[1])
    for pts_s, image in seen[0].items():
        # The last columns are apart: the whole's chroma is interpolated from beyond them.
        np.testing.assert_array_equal(seen[1][pts_s][:, :76], image[:, :76])


def test_time_stamps_of_a_variable_frame_rate_are_kept(tmp_path: Path) -> None:
    whole = make_video(
        tmp_path / "whole.mp4", frames=len(PTS), pts=PTS, time_base=Fraction(1, 90), codec_options={"bf": "2"}
    )
    assert stamps(cut_columns(whole, tmp_path / "cut.mp4", Columns(80, 160))) == stamps(whole)


def test_an_odd_last_row_is_left_out(tmp_path: Path) -> None:
    whole = make_video(tmp_path / "whole.mkv", frames=2, size=(160, 121), codec="ffv1")
    with av.open(str(cut_columns(whole, tmp_path / "cut.mp4", Columns(0, 80)))) as container:
        assert (container.streams.video[0].width, container.streams.video[0].height) == (80, 120)


def test_what_cannot_be_cut_says_why(tmp_path: Path) -> None:
    upright = make_video(tmp_path / "upright.mp4", frames=2)
    turned = make_video(tmp_path / "turned.mp4", frames=2, rotation_deg=90)
    text = tmp_path / "text.mp4"
    text.write_text("no video")
    for path, x1, why in ((turned, 160, "rotated"), (text, 160, "cannot be cut"), (upright, 170, "160 pixels wide")):
        with pytest.raises(EvidenceError, match=why):
            cut_columns(path, tmp_path / "cut.mp4", Columns(100, x1))


def test_columns_are_read_from_a_manifest_or_refused() -> None:
    assert Columns.read("", "") is None
    assert Columns.read("0", "564.0") == (0, 564)
    for x0, x1 in (("0", "563"), ("8", "8"), ("", "80"), ("left", "80"), ("-2", "80")):
        with pytest.raises(SettingsError, match="crop_x0"):
            Columns.read(x0, x1)
