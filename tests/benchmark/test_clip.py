"""The clip that `bench` measures on: of any length without a seam, with a face that speaks."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

from detector.benchmark import clip
from detector.errors import SettingsError
from detector.evidence import Evidence, FrameReader, examine, ingest
from detector.evidence.audio import sound_blocks
from detector.evidence.speech import speech_activity


@pytest.fixture(scope="module")
def repeated(tmp_path_factory: pytest.TempPathFactory) -> Evidence:
    folder = tmp_path_factory.mktemp("clip")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(clip, "PERIOD_S", Fraction(8, 5))
        clip.write_clip(folder / "clip.mp4", 4.0)
    return examine(ingest(folder / "clip.mp4", folder / "store"))


def test_a_period_is_repeated_at_a_constant_rate_up_to_the_length_asked_for(repeated: Evidence) -> None:
    video = repeated.video
    assert (video.frame_count, video.duration_s, video.variable_frame_rate) == (120, 4.0, False)
    assert (video.width, video.height) == clip.SIZE_PX
    assert repeated.integrity.decode_errors == 0


def test_it_is_one_shot_whose_every_frame_decodes(repeated: Evidence) -> None:
    with FrameReader(repeated, frames_per_second=30, max_frames=900) as reader:
        frames = list(reader)
    assert len(frames) == 120
    assert reader.shot_starts_s == [0.0]
    assert (frames[3].image != frames[12].image).any()


def test_it_speaks_across_the_seams(repeated: Evidence) -> None:
    activity = speech_activity(sound_blocks(repeated))
    assert activity is not None
    assert activity.speech_s > 3.5


def test_a_length_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="positive length"):
        clip.write_clip(tmp_path / "clip.mp4", 0)
