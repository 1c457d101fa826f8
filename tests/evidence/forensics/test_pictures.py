"""Findings in coded pictures: types, keyframes, quantisers, repeats, gaps, joins, and an earlier coding."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from detector.evidence import Evidence
from detector.evidence.forensics import FileForensics, examine_file
from detector.evidence.forensics.earlier_gop import look_for_earlier_gop
from detector.evidence.forensics.packets import MAX_POINTS, read_packets, summary
from detector.evidence.forensics.sampled_pictures import sample_pictures
from tests.evidence.forensics.boxes import codes, finding
from tests.evidence.media import make_video, numbered_picture

Admit = Callable[..., Evidence]
CODED = [
    ("libx264", ".mp4", {"bf": "3"}),
    ("libx264", ".ts", {"bf": "2"}),
    ("libx264", ".mkv", {"bf": "2", "slices": "4"}),
    ("libx265", ".mp4", {"x265-params": "log-level=none"}),
    ("libx265", ".ts", {"x265-params": "log-level=none"}),
    ("mpeg4", ".avi", {"g": "7"}),
    ("mpeg4", ".mp4", {"bf": "2"}),
    ("mpeg2video", ".mpg", {"bf": "2"}),
    ("libvpx", ".webm", {}),
]
LETTERS = {1: "I", 2: "P", 3: "B"}


def moving(number: int) -> np.ndarray:
    """Noise that slides: every picture differs, and predicting it works but costs something."""
    field = np.random.default_rng(7).integers(0, 255, (30, 60)).astype(np.uint8)
    big = np.kron(field, np.ones((8, 8), np.uint8))
    left = 2 * number % 280
    grey = big[:120, left : left + 160].astype(np.int16) + np.random.default_rng(number).normal(
        0, 4, (120, 160)
    ).astype(int)
    return np.repeat(np.clip(grey, 0, 255).astype(np.uint8)[..., None], 3, axis=2)


def looked_at(evidence: Evidence) -> FileForensics:
    return examine_file(evidence.file.path, evidence)


@pytest.mark.parametrize(("codec", "suffix", "options"), CODED)
def test_headers_give_the_types_that_the_decoder_gives(
    codec: str, suffix: str, options: dict[str, str], tmp_path: Path
) -> None:
    path = make_video(tmp_path / f"clip{suffix}", frames=40, codec=codec, codec_options=options)
    table = read_packets(path)
    with av.open(str(path)) as container:
        decoded = {frame.pts: LETTERS[int(frame.pict_type)] for frame in container.decode(video=0)}
    assert dict(zip(table.pts.tolist(), table.types, strict=True)) == decoded
    assert len(table) == 40
    assert table.types[0] == "I"


def test_a_codec_whose_headers_are_not_read_says_so(tmp_path: Path, admit: Admit) -> None:
    found = looked_at(admit(make_video(tmp_path / "clip.webm", frames=20, codec="libvpx-vp9")))
    assert found.frames is not None
    assert (found.frames.types.I, found.frames.types.P, found.frames.types.unknown) == (1, 0, 19)
    assert "not read" in found.frames.types.basis
    assert "not told apart" in finding(found, "picture_types").finding


def test_sizes_are_those_of_the_packets(tmp_path: Path, admit: Admit) -> None:
    evidence = admit(make_video(tmp_path / "clip.mp4", frames=30, codec_options={"g": "10"}))
    found = looked_at(evidence)
    with av.open(str(evidence.file.path)) as container:
        sizes = [packet.size for packet in container.demux(video=0) if packet.size]
    assert found.frames is not None
    packets = found.frames.packets
    assert (packets.count, packets.total_bytes, packets.largest_bytes) == (30, sum(sizes), max(sizes))
    assert sum(packets.series.size_bytes) == sum(sizes)
    assert packets.series.packets_per_point == 1
    assert list(packets.series.pts_s) == sorted(packets.series.pts_s)
    assert (found.frames.gop.count, found.frames.gop.longest) == (3, 10)  # type: ignore[union-attr]


def test_a_long_series_is_thinned_to_its_largest_packets(tmp_path: Path) -> None:
    path = make_video(
        tmp_path / "long.mp4", frames=2 * MAX_POINTS + 200, size=(32, 32), codec="mpeg4", codec_options={"g": "100"}
    )
    packets = summary(read_packets(path))
    assert len(packets.series.size_bytes) <= MAX_POINTS
    assert packets.series.packets_per_point == 3
    assert packets.largest_bytes in packets.series.size_bytes
    assert packets.series.types.count("I") == packets.per_type[0][1]


def test_coarser_settings_give_a_larger_quantiser(tmp_path: Path, admit: Admit) -> None:
    means = []
    for crf in ("18", "38"):
        found = looked_at(admit(make_video(tmp_path / f"{crf}.mp4", frames=12, codec_options={"crf": crf})))
        assert found.frames is not None
        assert found.frames.quantiser is not None
        assert found.frames.quantiser.scale.startswith("H.264")
        means.append(found.frames.quantiser.mean)
    assert means[0] + 10 < means[1]


@pytest.mark.parametrize(("codec", "read"), [("mpeg4", 5.0), ("mpeg1video", 5.0), ("mpeg2video", 10.0), ("h263", 5.0)])
def test_a_fixed_quantiser_is_read_exactly(codec: str, read: float, tmp_path: Path, admit: Admit) -> None:
    """The encoder's 5 is 5 on each codec's own scale; MPEG-2 counts quantiser_scale, twice the code."""
    made = make_video(
        tmp_path / "q.avi", frames=8, codec=codec, size=(176, 144), fps=25, codec_options={"qmin": "5", "qmax": "5"}
    )
    found = looked_at(admit(made))
    assert found.frames is not None
    assert found.frames.quantiser is not None, found.frames.quantiser_reason
    assert {row[2:] for row in found.frames.quantiser.rows} == {(read, read, read)}


def test_a_decoder_that_hands_out_no_quantiser_is_said(tmp_path: Path, admit: Admit) -> None:
    found = looked_at(admit(make_video(tmp_path / "clip.webm", frames=6, codec="libvpx")))
    assert found.frames is not None
    assert found.frames.quantiser is None
    assert found.frames.quantiser_reason == "FFmpeg's decoder for vp8 does not hand out quantisers."


def test_identical_pictures_are_counted_with_their_period(tmp_path: Path, admit: Admit) -> None:
    def repeated(number: int) -> np.ndarray:
        return moving(number - 1 if number % 5 == 4 else number)

    found = looked_at(admit(make_video(tmp_path / "rate.mkv", frames=30, codec="ffv1", picture=repeated)))
    assert found.frames is not None
    assert found.frames.repeats is not None
    assert (found.frames.repeats.compared, found.frames.repeats.equal, found.frames.repeats.period) == (29, 6, 5)
    one = finding(found, "repeats")
    assert "one every 5 pictures" in one.finding
    assert one.weight == "attention"


def test_moving_pictures_hold_no_repeat(tmp_path: Path, admit: Admit) -> None:
    found = looked_at(admit(make_video(tmp_path / "clip.mp4", frames=30, picture=moving)))
    assert "repeats" not in codes(found)
    assert found.frames is not None
    assert found.frames.repeats is not None
    assert found.frames.repeats.compared == 29


def test_missing_pictures_leave_a_gap(tmp_path: Path, admit: Admit) -> None:
    times = [*range(20), *range(26, 60)]
    found = looked_at(
        admit(make_video(tmp_path / "gap.mp4", frames=len(times), fps=25, pts=times, time_base=Fraction(1, 25)))
    )
    assert found.frames is not None
    assert found.frames.gaps is not None
    assert (found.frames.gaps.count, found.frames.gaps.missing_frames) == (1, 6)
    assert found.frames.gaps.at_s == (0.76,)
    assert "6 picture(s)" in finding(found, "gaps").finding


def test_a_varying_rate_is_no_gap(tmp_path: Path, admit: Admit) -> None:
    times = np.cumsum(np.random.default_rng(3).integers(1, 6, 60)).tolist()
    found = looked_at(
        admit(make_video(tmp_path / "vfr.mp4", frames=60, fps=100, pts=times, time_base=Fraction(1, 100)))
    )
    assert "variable_rate" in codes(found)
    assert "gaps" not in codes(found)


def _joined(first: Path, second: Path, target: Path) -> Path:
    """The packets of two recordings, one behind the other, uncoded: what a cut at keyframes leaves."""
    with av.open(str(target), "w") as out:
        stream = None
        offset = 0
        for path in (first, second):
            with av.open(str(path)) as source:
                stream = stream or out.add_stream_from_template(source.streams.video[0])
                last = 0
                for packet in source.demux(video=0):
                    if packet.dts is None:
                        continue
                    last = max(last, packet.pts + packet.duration)
                    packet.pts, packet.dts = packet.pts + offset, packet.dts + offset
                    packet.stream = stream
                    out.mux(packet)
                offset += last
    return target


def test_a_join_of_two_recordings_shows_where_the_encoder_began_again(tmp_path: Path, admit: Admit) -> None:
    options = {"g": "12", "bf": "0", "sc_threshold": "0"}
    parts = [
        make_video(tmp_path / f"{frames}.ts", frames=frames, fps=25, codec_options=options, picture=moving)
        for frames in (64, 72)
    ]
    found = looked_at(admit(_joined(parts[0], parts[1], tmp_path / "joined.ts")))
    assert found.frames is not None
    assert found.frames.gop is not None
    assert (found.frames.gop.regular, found.frames.gop.short) == (True, 1)
    assert "1 of 11 keyframe distances" in finding(found, "keyframe_off_beat").finding
    assert "1 later keyframe" in finding(found, "encoder_restart").finding
    whole = looked_at(
        admit(make_video(tmp_path / "whole.ts", frames=136, fps=25, codec_options=options, picture=moving))
    )
    assert not codes(whole) & {"keyframe_off_beat", "encoder_restart"}


def test_an_encoder_that_repeats_its_headers_does_not_begin_again(tmp_path: Path, admit: Admit) -> None:
    options = {"g": "10", "x265-params": "log-level=none"}
    found = looked_at(admit(make_video(tmp_path / "clip.ts", frames=40, codec="libx265", codec_options=options)))
    assert found.frames is not None
    assert found.frames.gop is not None
    assert found.frames.gop.count >= 4
    assert "encoder_restart" not in codes(found)


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_sound_and_pictures_of_different_length_are_told(suffix: str, tmp_path: Path, admit: Admit) -> None:
    """The pictures of one file with the longer sound of another, as a replaced sound track leaves them."""
    short = make_video(tmp_path / "short.mp4", frames=20, fps=20, audio=True)
    long = make_video(tmp_path / "long.mp4", frames=60, fps=20, audio=True)
    path = tmp_path / f"mixed{suffix}"
    with av.open(str(short)) as pictures, av.open(str(long)) as sound, av.open(str(path), "w") as out:
        templates = (pictures.streams.video[0], sound.streams.audio[0])
        streams = [out.add_stream_from_template(template) for template in templates]
        for source, template, stream in zip((pictures, sound), templates, streams, strict=True):
            for packet in source.demux(template):
                if packet.dts is not None:
                    packet.stream = stream
                    out.mux(packet)
    assert "The sound last 2." in finding(looked_at(admit(path)), "length_mismatch").finding
    assert "length_mismatch" not in codes(looked_at(admit(short)))


def test_settings_that_the_stream_does_not_keep(tmp_path: Path, admit: Admit) -> None:
    path = make_video(tmp_path / "clip.ts", frames=60, codec_options={"g": "50", "bf": "0"})
    content = path.read_bytes()
    assert content.count(b"keyint=50") == 1
    path.write_bytes(content.replace(b"keyint=50", b"keyint=20"))
    assert "at most 20 pictures" in finding(looked_at(admit(path)), "settings_disagree").finding


def test_an_earlier_coding_with_other_keyframes_is_found_and_none_where_there_was_none(tmp_path: Path) -> None:
    first = make_video(
        tmp_path / "first.avi", frames=180, codec="mpeg4", codec_options={"g": "12", "b": "900k"}, picture=moving
    )
    with av.open(str(first)) as container:
        pictures = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    again = {"g": "300", "b": "500k"}
    twice = make_video(
        tmp_path / "twice.avi", frames=180, codec="mpeg4", codec_options=again, picture=pictures.__getitem__
    )
    once = make_video(tmp_path / "once.avi", frames=180, codec="mpeg4", codec_options=again, picture=moving)
    found = look_for_earlier_gop(read_packets(twice))
    assert found.period_frames == 12
    assert found.hits > 0.6 * found.expected
    assert found.chance is not None
    assert found.chance < 1e-6
    control = look_for_earlier_gop(read_packets(once))
    assert (control.searched, control.period_frames) == (True, None)


def test_a_short_clip_is_not_searched_for_an_earlier_coding(tmp_path: Path, admit: Admit) -> None:
    found = looked_at(admit(make_video(tmp_path / "clip.mp4", frames=30)))
    assert found.frames is not None
    assert found.frames.earlier_gop.searched is False
    assert any("not looked for" in limit for limit in found.limits)


def test_only_stretches_of_a_long_video_are_decoded(tmp_path: Path) -> None:
    path = make_video(
        tmp_path / "long.mp4", frames=120, codec_options={"g": "12"}, picture=lambda n: numbered_picture(n)
    )
    table = read_packets(path)
    sampled = sample_pictures(path, table, pixels=16_000 * 9_000)
    assert sampled.repeats is not None
    assert sampled.repeats.stretches == 5
    assert sampled.repeats.compared < 60
