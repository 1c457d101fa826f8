"""Clips with known truth: the mask, the interval and the untouched remainder."""

import av
import numpy as np

from detector.synthesis.animate import Manipulation, animate, write_clip
from tests.synthesis.faces import face_image


def test_outside_interval_and_mask_the_two_clips_are_equal() -> None:
    change = Manipulation(start_s=0.5, end_s=1.0)
    genuine = list(animate(face_image(), seconds=1.2, fps=10, size_px=160))
    fake = list(animate(face_image(), seconds=1.2, fps=10, size_px=160, manipulation=change))
    assert len(genuine) == len(fake) == 12
    for plain, changed in zip(genuine, fake, strict=True):
        difference = np.abs(plain.image.astype(int) - changed.image).max(2)
        assert plain.mask.max() == 0
        if 0.5 <= changed.time_s < 1.0:
            assert changed.mask.max() == 255
            assert difference[changed.mask > 250].mean() > 2
            assert difference[changed.mask == 0].max() <= 1
        else:
            assert changed.mask.max() == 0
            assert difference.max() == 0


def test_written_clip_decodes_to_the_same_frames(tmp_path) -> None:
    frames = [frame.image for frame in animate(face_image(), seconds=0.6, fps=10, size_px=128)]
    write_clip(tmp_path / "clip.mp4", frames, 10)
    write_clip(tmp_path / "again.mp4", frames, 10)
    with av.open(str(tmp_path / "clip.mp4")) as source:
        stream = source.streams.video[0]
        assert stream.codec_context.name == "h264"
        assert stream.codec_context.pix_fmt == "yuv420p"
        decoded = [frame.to_ndarray(format="rgb24") for frame in source.decode(video=0)]
    assert len(decoded) == len(frames)
    assert np.abs(decoded[3].astype(int) - frames[3]).mean() < 6
    assert (tmp_path / "clip.mp4").read_bytes() == (tmp_path / "again.mp4").read_bytes()
