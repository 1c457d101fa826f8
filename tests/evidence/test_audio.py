"""Sound lies on the pictures' time line, whatever the container does to it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from detector.evidence import Evidence, StoredFile, examine, hash_file
from detector.evidence.audio import SAMPLE_RATE_HZ, Sound, read_sound, sound_blocks
from tests.evidence.media import make_video
from tests.talking import FPS, write_talk

GREY = [np.full((48, 64, 3), 90, np.uint8)]


def evidence_of(path: Path) -> Evidence:
    sha256, md5 = hash_file(path)
    return examine(StoredFile(sha256, md5, path.stat().st_size, path.name, path))


def clicks(seconds: float, at_s: tuple[float, ...]) -> np.ndarray:
    """Silence with bursts of 10 ms that begin at the given times."""
    samples = np.zeros(round(seconds * SAMPLE_RATE_HZ), np.float32)
    for start_s in at_s:
        first = round(start_s * SAMPLE_RATE_HZ)
        samples[first : first + 160] = 0.8 * np.sin(np.arange(160) * 0.9)
    return samples


def heard_at_s(sound: Sound) -> list[float]:
    """When the bursts begin."""
    loud = np.flatnonzero(np.abs(sound.samples) > 0.3)
    starts = loud[np.concatenate([[True], np.diff(loud) > 1600])]
    return [sound.start_s + int(start) / SAMPLE_RATE_HZ for start in starts]


@pytest.mark.parametrize(
    ("name", "codec"), [("a.mp4", "aac"), ("a.mkv", "pcm_s16le"), ("a.avi", "pcm_s16le"), ("a.webm.mkv", "libopus")]
)
def test_sound_keeps_its_time(tmp_path: Path, name: str, codec: str) -> None:
    path = write_talk(tmp_path / name, GREY * 50, clicks(2.0, (0.5, 1.5)), codec=codec)
    sound = read_sound(evidence_of(path))
    assert sound is not None
    assert sound.samples.dtype == np.float32
    assert sound.start_s == 0.0
    assert sound.end_s == pytest.approx(2.0, abs=0.001)
    assert heard_at_s(sound) == pytest.approx([0.5, 1.5], abs=0.006)


def test_sound_that_starts_late_is_late(tmp_path: Path) -> None:
    path = write_talk(tmp_path / "late.mkv", GREY * 50, clicks(1.0, (0.25,)), sound_start_s=0.6, codec="pcm_s16le")
    sound = read_sound(evidence_of(path))
    assert sound is not None
    assert sound.start_s == 0.0
    assert heard_at_s(sound) == pytest.approx([0.85], abs=0.002)
    assert not sound.samples[: round(0.59 * SAMPLE_RATE_HZ)].any()


def test_a_gap_becomes_silence_and_moves_nothing(tmp_path: Path) -> None:
    import av

    from tests.talking import write_samples

    path = tmp_path / "gap.mkv"
    with av.open(str(path), "w") as out:
        video = out.add_stream("libx264", rate=FPS)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        stream = out.add_stream("pcm_s16le", rate=SAMPLE_RATE_HZ, layout="mono")
        for _ in range(75):
            out.mux(video.encode(av.VideoFrame.from_ndarray(GREY[0], format="rgb24")))
        out.mux(video.encode(None))
        write_samples(out, stream, clicks(0.5, (0.2,)), 0.0)
        write_samples(out, stream, clicks(0.5, (0.2,)), 2.0)
        out.mux(stream.encode(None))
    sound = read_sound(evidence_of(path))
    assert sound is not None
    assert heard_at_s(sound) == pytest.approx([0.2, 2.2], abs=0.003)
    assert sound.end_s == pytest.approx(3.0, abs=0.001)


def test_blocks_join_without_a_seam_and_a_stretch_is_the_same_sound(tmp_path: Path) -> None:
    samples = np.random.default_rng(0).normal(0, 0.1, 25 * SAMPLE_RATE_HZ).astype(np.float32)
    evidence = evidence_of(write_talk(tmp_path / "long.mkv", GREY * 50, samples, codec="pcm_s16le", fps=2))
    blocks = list(sound_blocks(evidence))
    assert [len(block.samples) for block in blocks] == [160_000, 160_000, 80_000]
    joined = np.concatenate([block.samples for block in blocks])
    assert np.abs(joined - samples).max() < 1e-3
    part = read_sound(evidence, 8.5, 11.25)
    assert part is not None
    assert part.start_s == 8.5
    assert np.array_equal(part.samples, joined[136_000:180_000])


def test_without_sound_there_is_none(tmp_path: Path) -> None:
    evidence = evidence_of(make_video(tmp_path / "mute.mp4", frames=5))
    assert read_sound(evidence) is None
    assert list(sound_blocks(evidence)) == []


def test_other_rates_and_several_channels_become_mono_at_16_khz(tmp_path: Path) -> None:
    import av

    path = tmp_path / "stereo.mkv"
    times = np.arange(48_000) / 48_000
    both = np.stack([np.sin(2 * np.pi * 440 * times), np.sin(2 * np.pi * 440 * times)]).astype(np.float32) * 0.3
    with av.open(str(path), "w") as out:
        video = out.add_stream("libx264", rate=FPS)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        stream = out.add_stream("flac", rate=48_000, layout="stereo")
        for _ in range(25):
            out.mux(video.encode(av.VideoFrame.from_ndarray(GREY[0], format="rgb24")))
        out.mux(video.encode(None))
        frame = av.AudioFrame.from_ndarray(
            (both * 32767).astype(np.int16).T.reshape(1, -1), format="s16", layout="stereo"
        )
        frame.sample_rate, frame.pts = 48_000, 0
        out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    sound = read_sound(evidence_of(path))
    assert sound is not None
    assert len(sound.samples) == SAMPLE_RATE_HZ
    spectrum = np.abs(np.fft.rfft(sound.samples))
    assert int(spectrum.argmax()) == 440
    assert float(np.abs(sound.samples[1000:-1000]).max()) == pytest.approx(0.3 * 2**0.5, abs=0.02)  # equal power


def test_damage_is_silence_not_an_error(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).normal(0, 0.2, 2 * SAMPLE_RATE_HZ).astype(np.float32)
    whole = write_talk(tmp_path / "whole.mp4", GREY * 50, noise)
    content = bytearray(whole.read_bytes())
    middle = slice(len(content) // 3, len(content) // 2)
    content[middle] = bytes(len(content[middle]))
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(bytes(content))
    sound = read_sound(evidence_of(broken))
    assert sound is not None
    assert np.isfinite(sound.samples).all()
    assert sound.end_s == pytest.approx(2.0, abs=0.01)


def test_cut_is_silent_beyond_the_ends() -> None:
    sound = Sound(np.ones(16_000, np.float32), 1.0)
    part = sound.cut(0.5, 1.5)
    assert part.start_s == 0.5
    assert part.samples.shape == (16_000,)
    assert not part.samples[:8000].any()
    assert part.samples[8000:].all()
