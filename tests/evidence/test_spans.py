"""Frames of several stretches of a video in one pass: those of the file, bit by bit, with little else decoded."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from detector.evidence import Evidence, FrameReader, Span, examine, ingest
from detector.evidence.decoder import Decoder
from detector.evidence.opening import open_video
from detector.evidence.seek import frames_of_spans
from tests.evidence.media import make_video, number_in


@pytest.fixture(scope="module", params=["5", "250"])
def numbered(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Evidence:
    """Sixty numbered frames, 25 a second, with a keyframe every fifth, or one."""
    folder = tmp_path_factory.mktemp("spans")
    options = {"g": request.param, "preset": "veryfast", "bf": "3", "sc_threshold": "0"}
    path = make_video(folder / "numbered.mp4", frames=60, fps=25, codec_options=options)
    return examine(ingest(path, folder / "store"))


def test_each_span_gets_its_frames_in_one_pass_in_the_order_of_time(numbered: Evidence) -> None:
    spans = [Span(1.2, 1.6), Span(0.0, 0.4, step_s=0.07), Span(1.4, 2.0, step_s=0.1, on_average=True)]
    found: dict[int, list[int]] = {0: [], 1: [], 2: []}
    seen = []
    for numbers, frame in frames_of_spans(numbered, spans):
        assert number_in(frame.image) == frame.frame_index
        seen.append(frame.frame_index)
        for number in numbers:
            found[number].append(frame.frame_index)
    assert found == {0: list(range(30, 40)), 1: [0, 2, 4, 6, 8], 2: [35, 36, 38, 40, 43, 46, 48]}
    assert seen == sorted(set(seen))


def test_frames_are_to_the_bit_those_of_a_pass_over_the_whole_file(numbered: Evidence) -> None:
    with FrameReader(numbered, frames_per_second=25, max_frames=60) as reader:
        whole = {frame.pts: frame.image for frame in reader}
    assert len(whole) == 60
    for _, frame in frames_of_spans(numbered, [Span(0.5, 1.0, step_s=0.1), Span(1.5, 2.4, step_s=0.15)]):
        np.testing.assert_array_equal(frame.image, whole[frame.pts])


def test_frames_that_nothing_refers_to_are_not_decoded_unless_wanted(numbered: Evidence) -> None:
    with open_video(numbered.file.path) as decoder:
        every = [frame.pts for frame in decoder.frames()]
    wanted = set(every[31:37])
    with open_video(numbered.file.path) as decoder:
        some = [frame.pts for frame in decoder.frames(wanted=wanted)]
    assert wanted <= set(some)
    assert len(some) < 50


def test_what_lies_far_from_every_span_is_not_read(numbered: Evidence, monkeypatch: pytest.MonkeyPatch) -> None:
    decoded = []
    decode = Decoder.decode
    monkeypatch.setattr(Decoder, "decode", lambda one, packet: (decoded.append(packet), decode(one, packet))[1])
    frames = list(frames_of_spans(numbered, [Span(0.2, 0.3), Span(2.2, 2.3)]))
    assert [frame.frame_index for _, frame in frames] == [5, 6, 7, 55, 56, 57]
    one_keyframe = len(decoded) > 50
    assert one_keyframe == (numbered.video.keyframe_interval_s is None)


def test_decoding_begins_at_the_keyframe_before_a_span(numbered: Evidence, monkeypatch: pytest.MonkeyPatch) -> None:
    packets = []
    decode = Decoder.decode
    monkeypatch.setattr(Decoder, "decode", lambda one, packet: (packets.append(packet), decode(one, packet))[1])
    frames = [frame.frame_index for _, frame in frames_of_spans(numbered, [Span(1.24, 1.32)])]
    assert frames == [31, 32]
    in_groups_of_five = numbered.video.keyframe_interval_s is not None
    assert packets[0].pts == (30 if in_groups_of_five else 0) * packets[0].duration


def test_half_pictures_are_never_left_out(tmp_path: Path) -> None:
    options = {"x264-params": "interlaced=1:keyint=24:bframes=3:scenecut=0", "preset": "veryfast"}
    with open_video(make_video(tmp_path / "fields.mp4", frames=24, codec_options=options)) as decoder:
        assert len(list(decoder.frames(wanted={0}))) == 24


def test_a_decoder_that_cannot_pass_over_single_frames_gives_all_of_them(tmp_path: Path) -> None:
    path = make_video(tmp_path / "av1.mp4", frames=24, fps=25, codec="libsvtav1", codec_options={"preset": "12"})
    evidence = examine(ingest(path, tmp_path / "store"))
    frames = list(frames_of_spans(evidence, [Span(0.5, 0.9, step_s=0.1)]))
    assert [(frame.frame_index, number_in(frame.image)) for _, frame in frames] == [(i, i) for i in (13, 16, 19, 22)]
