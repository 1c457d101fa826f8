"""The table of broken, odd and hostile files: each gives one clear error, or evidence with what is odd about it."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from detector.errors import (
    EmptyFileError,
    EncryptedFileError,
    EvidenceError,
    NoFramesError,
    NotMediaError,
    NoVideoStreamError,
    OversizedError,
    TruncatedFileError,
)
from detector.evidence import Evidence, FrameReader, frame_at, frame_times
from tests.evidence.broken import (
    KEY,
    Maker,
    blank_pictures,
    break_codec_header,
    cut,
    cut_behind,
    declare_huge,
    file_of,
    mp3_with_cover,
    no_samples,
    patched,
    png_declaring,
    protect,
    video,
    zip_archive,
)
from tests.evidence.media import damaged, make_audio, make_still, make_video, number_in, truncated

Admit = Callable[..., Evidence]

RANDOM = np.random.default_rng(3).integers(0, 256, 1 << 16, dtype=np.uint8).tobytes()
PLAYLIST = b"#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n"
FAST = {"faststart": True}

REFUSED: dict[str, tuple[Maker, type[EvidenceError], str]] = {
    "empty": (file_of(b""), EmptyFileError, "0 bytes"),
    "one byte": (file_of(b"\x9c"), NotMediaError, "no known media format"),
    "only zeros": (file_of(bytes(4_096)), NotMediaError, "zero bytes"),
    "random bytes": (file_of(RANDOM), NotMediaError, "no known media format"),
    "random bytes named jpg": (file_of(RANDOM, "a.jpg"), NotMediaError, "no known media format"),
    "text named mp4": (file_of("Dies ist kein Video. Ünïcödé.\n".encode() * 300), NotMediaError, "text"),
    "utf-16 text": (file_of("not a video".encode("utf-16")), NotMediaError, "text"),
    "playlist that opens a local file": (file_of(PLAYLIST, "a.m3u8"), NotMediaError, "text"),
    "concat script": (file_of(b"ffconcat version 1.0\nfile /etc/passwd\n"), NotMediaError, "text"),
    "zip named mp4": (file_of(zip_archive()), NotMediaError, "ZIP"),
    "pdf named mp4": (file_of(b"%PDF-1.7\n" + RANDOM[:500]), NotMediaError, "PDF"),
    "program": (file_of(b"\x7fELF" + RANDOM[:500]), NotMediaError, "program"),
    "mp4: type box only": (cut_behind(b"ftyp", 20), TruncatedFileError, "moov"),
    "mp4: index missing, half the data": (cut(0.5), TruncatedFileError, "bytes short"),
    "mp4: broken off within the index": (cut(0.97), TruncatedFileError, "moov"),
    "faststart mp4: broken off within the index": (cut_behind(b"stbl", 60, **FAST), TruncatedFileError, "moov"),
    "faststart mp4: nothing behind the index": (cut_behind(b"mdat", 4, **FAST), TruncatedFileError, "first picture"),
    "matroska: header only": (cut(0.004, ".mkv"), TruncatedFileError, "Matroska"),
    "avi: header only": (cut(0.002, ".avi"), TruncatedFileError, "AVI"),
    "sound in m4a": (lambda d: make_audio(d / "a.m4a"), NoVideoStreamError, "aac"),
    "sound in wav": (lambda d: make_audio(d / "a.wav", codec="pcm_s16le"), NoVideoStreamError, "WAV"),
    "sound in an mp4 name": (lambda d: make_audio(d / "a.mp4"), NoVideoStreamError, "only sound"),
    "song with cover art": (mp3_with_cover, NoVideoStreamError, "only sound"),
    "common encryption": (video(container_options=KEY), EncryptedFileError, "encrypted"),
    "protected sample entry": (patched(protect), EncryptedFileError, "encrypted"),
    "video stream without packets": (no_samples, NoFramesError, "no frame"),
    "codec that cannot be opened": (
        patched(break_codec_header, suffix=".mkv", codec="ffv1", frames=4),
        NoFramesError,
        "no frame",
    ),
    "video stream of zeros": (patched(blank_pictures), NoFramesError, "no frame"),
    "png declaring 60000 x 60000": (file_of(png_declaring(60_000, 60_000), "a.png"), OversizedError, "megapixels"),
    "png declaring 1 x 20000": (file_of(png_declaring(1, 20_000), "a.png"), OversizedError, "1 x 20000"),
    "video 16640 pixels wide": (
        video(suffix=".mkv", codec="ffv1", size=(16_640, 16), frames=1),
        OversizedError,
        "16640 x 16",
    ),
    "jpeg cut in half": (
        lambda d: truncated(make_still(d / "a.jpg", size=(640, 480)), d / "b.jpg", keep=0.5),
        TruncatedFileError,
        "JPEG",
    ),
    "jpeg header only": (file_of(b"\xff\xd8\xff\xe0\0\x10JFIF", "a.jpg"), TruncatedFileError, "JPEG"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_with_one_clear_error(name: str, tmp_path: Path, admit: Admit) -> None:
    make, error, found = REFUSED[name]
    with pytest.raises(EvidenceError) as caught:
        admit(make(tmp_path))
    assert type(caught.value) is error, f"{type(caught.value).__name__}: {caught.value}"
    assert found in str(caught.value)
    assert str(caught.value).startswith("Expected"), "an error says what was expected, what was found, what to do"
    assert str(tmp_path) not in str(caught.value), "where the store lies is nobody's business"


ACCEPTED: dict[str, tuple[Maker, dict[str, object], tuple[str, ...]]] = {
    "faststart mp4 with half its data": (
        cut(0.5, layout="faststart"),
        {"codec": "h264"},
        ("truncated", "declares 60"),
    ),
    "fragmented mp4 cut": (
        cut(0.6, layout="fragmented"),
        {"codec": "h264"},
        ("truncated",),
    ),
    "matroska cut": (cut(0.6, ".mkv"), {"codec": "h264"}, ("truncated",)),
    "avi cut": (cut(0.6, ".avi"), {"codec": "mpeg4"}, ("truncated",)),
    "transport stream cut": (cut(0.6, ".ts"), {"codec": "h264"}, ()),
    "one frame": (video(frames=1), {"frame_count": 1, "average_fps": None, "variable_frame_rate": False}, ()),
    "1 x 1": (
        video(suffix=".mkv", codec="ffv1", pix_fmt="bgr0", size=(1, 1), picture=lambda n: np.zeros((1, 1, 3), "uint8")),
        {"width": 1, "height": 1},
        (),
    ),
    "odd size": (
        video(suffix=".mkv", codec="ffv1", pix_fmt="yuv420p", size=(161, 121)),
        {"width": 161, "height": 121},
        (),
    ),
    "turned 90": (video(rotation_deg=90), {"rotation_deg": 90, "width": 120, "height": 160, "coded_width": 160}, ()),
    "turned 180": (video(rotation_deg=180), {"rotation_deg": 180, "width": 160, "height": 120}, ()),
    "turned 270": (video(rotation_deg=270), {"rotation_deg": 270, "width": 120}, ()),
    "mirrored": (video(mirrored=True), {"rotation_deg": 0, "width": 160}, ("mirrored",)),
    "variable rate": (
        video(frames=4, pts=[0, 40, 300, 340], time_base=Fraction(1, 1000)),
        {"variable_frame_rate": True, "frame_count": 4},
        (),
    ),
    "constant 29.97 in milliseconds": (
        video(suffix=".mkv", fps=Fraction(30000, 1001)),
        {"variable_frame_rate": False},
        (),
    ),
    "ten bit": (video(pix_fmt="yuv420p10le"), {"bit_depth": 10, "pixel_format": "yuv420p10le"}, ()),
    "gif": (video(suffix=".gif", codec="gif", pix_fmt="rgb8", fps=10), {"codec": "gif", "frame_count": 30}, ()),
    "webm": (video(suffix=".webm", codec="libvpx", frames=5), {"codec": "vp8", "frame_count": 5}, ()),
    "avi": (video(suffix=".avi", codec="mpeg4"), {"codec": "mpeg4", "frame_count": 30}, ()),
    "container lies about the size": (patched(declare_huge), {"width": 160, "height": 120}, ("65535 x 65535",)),
    "avi named mp4": (
        lambda d: make_video(d / "a.avi", codec="mpeg4").rename(d / "a.mp4"),
        {"codec": "mpeg4"},
        ("“.mp4” but the content is an AVI file",),
    ),
    "image named mp4": (
        lambda d: make_still(d / "a.mp4", format="JPEG"),
        {"codec": "jpeg", "frame_count": 1, "duration_s": 0.0},
        ("“.mp4” but the content is a JPEG image",),
    ),
    "two minutes between two frames": (
        video(frames=3, pts=[0, 40, 120_000], time_base=Fraction(1, 1000)),
        {"frame_count": 3, "variable_frame_rate": True},
        (),
    ),
    "time stamps of centuries": (
        video(suffix=".nut", frames=3, pts=[0, 40, 1 << 43], time_base=Fraction(1, 1000)),
        {"frame_count": 3, "variable_frame_rate": False},
        ("no usable presentation times",),
    ),
    "damaged bytes": (
        lambda d: damaged(make_video(d / "w.mp4", size=(320, 240), frames=40), d / "d.mp4", flips=30),
        {"frame_count": 40},
        (),
    ),
}


@pytest.mark.parametrize("name", ACCEPTED)
def test_accepted_with_its_oddities_named(name: str, tmp_path: Path, admit: Admit) -> None:
    make, facts, warned = ACCEPTED[name]
    evidence = admit(make(tmp_path))
    for field, value in facts.items():
        assert getattr(evidence.video, field) == value, field
    for text in warned:
        assert any(text in warning for warning in evidence.integrity.warnings), evidence.integrity.warnings
    if not warned:
        assert evidence.integrity.warnings == ()
    assert evidence.kind == ("still" if name == "image named mp4" else "video")
    with FrameReader(evidence, frames_per_second=30, max_frames=100) as reader:
        frames = list(reader)
    assert frames
    assert all(frame.image.shape == (evidence.video.height, evidence.video.width, 3) for frame in frames)
    assert all(frame.image.dtype == np.uint8 and frame.image.flags.c_contiguous for frame in frames)
    assert [frame.pts for frame in frames] == sorted({frame.pts for frame in frames})
    assert set(frame_times(evidence)) >= {frame.pts for frame in frames}
    assert np.array_equal(frame_at(evidence, frames[-1].pts).image, frames[-1].image)
    if name == "damaged bytes":
        assert reader.integrity.decode_errors > 0
        assert any("error(s)" in warning for warning in reader.integrity.warnings)


def test_half_of_a_faststart_file_gives_the_half_that_is_there(tmp_path: Path, admit: Admit) -> None:
    evidence = admit(cut(0.5, layout="faststart")(tmp_path))
    assert 5 < evidence.video.frame_count < 60
    with FrameReader(evidence, frames_per_second=30, max_frames=100) as reader:
        numbers = [number_in(frame.image) for frame in reader]
    assert numbers[:5] == [0, 1, 2, 3, 4]
    assert len(numbers) <= evidence.video.frame_count


HOSTILE_NAMES = [
    'a "quoted" name\'s.mp4',
    "two\nlines\r.mp4",
    "../../../etc/passwd",
    "<script>alert(1)</script>.mp4",
    "\u202egnp.4pm\u202c.mp4",
    "#set page(fill: red) $x$ *bold* [link](javascript:1).mp4",
    "%s%n{0}{self}.mp4",
    "C:\\Windows\\system32\\cmd.exe",
    "nul\0byte.mp4",
    "lone\udcff surrogate.mp4",
    "ä" * 400 + ".mp4",
    "",
]


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_a_hostile_name_is_kept_as_data_and_never_opened(name: str, tmp_path: Path, admit: Admit) -> None:
    evidence = admit(make_video(tmp_path / "clip.mp4", frames=2), file_name=name)
    stored = evidence.file
    assert stored.path.parent.parent == (tmp_path / "store").absolute()
    assert stored.path.name == stored.sha256
    assert stored.file_name.encode("utf-8")
    assert 0 < len(stored.file_name) <= 255
    assert "\0" not in stored.file_name
    if name and len(name) < 255 and "\0" not in name and "\udcff" not in name:
        assert stored.file_name == name
