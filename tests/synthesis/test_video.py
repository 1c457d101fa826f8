"""Written clips: browsers' H.264, equal bytes for equal pixels, sound beside the pictures."""

from pathlib import Path

import av
import numpy as np

from detector.evidence.audio import Sound
from detector.synthesis.video import write_clip
from tests.synthesis.clips import face_clip


def test_a_clip_decodes_to_its_frames_and_equal_pixels_give_equal_bytes(tmp_path: Path) -> None:
    frames = face_clip(6).images
    write_clip(tmp_path / "clip.mp4", frames, 10)
    write_clip(tmp_path / "again.mp4", frames, 10)
    with av.open(str(tmp_path / "clip.mp4")) as source:
        stream = source.streams.video[0]
        assert stream.codec_context.name == "h264"
        assert stream.codec_context.pix_fmt == "yuv420p"
        decoded = [frame.to_ndarray(format="rgb24") for frame in source.decode(video=0)]
    assert len(decoded) == 6
    assert np.abs(decoded[3].astype(int) - frames[3]).mean() < 6
    assert (tmp_path / "clip.mp4").read_bytes() == (tmp_path / "again.mp4").read_bytes()


def test_sound_lies_beside_the_pictures(tmp_path: Path) -> None:
    tone = Sound(np.sin(np.arange(16_000) * 0.1).astype(np.float32) * 0.5, 0.0)
    write_clip(tmp_path / "clip.mp4", face_clip(10).images, 10, sound=tone)
    with av.open(str(tmp_path / "clip.mp4")) as source:
        heard = np.concatenate([frame.to_ndarray()[0] for frame in source.decode(audio=0)])
    assert abs(len(heard) - 16_000) < 3000
    assert 0.2 < np.sqrt((heard[3000:13_000] ** 2).mean()) < 0.5
