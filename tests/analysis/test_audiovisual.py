"""From a file to what lips and voice say of each other, on a talking face with real mesh and real decoding."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from detector.analysis.kinds.audiovisual.speech_segments import choose_segments, overlap_s
from detector.analysis.kinds.audiovisual.sync import REASONS, examine_sync
from detector.errors import CancelledError
from detector.evidence import Evidence, FrameReader, StoredFile, examine, hash_file
from detector.evidence.speech import SpeechActivity
from detector.faces import CropSpec, FaceAnalyser, FaceTrack, Tracker
from detector.faces.mediapipe_backend import MediaPipeBackend
from detector.measurement.results import Results
from detector.models.audiovisual import AudioVisualNet
from detector.registry import AudioVisualModel, LoadedModel, ModelCard, Thresholds
from detector.settings import AnalysisSettings
from tests.talking import pictures, syllables, voice, write_talk

SECONDS, LATE_S = 3.4, 0.4


def evidence_of(path: Path) -> Evidence:
    sha256, md5 = hash_file(path)
    return examine(StoredFile(sha256, md5, path.stat().st_size, path.name, path))


@pytest.fixture(scope="module")
def backend() -> Iterator[MediaPipeBackend]:
    built = MediaPipeBackend()
    yield built
    built.close()


@pytest.fixture(scope="module")
def opening() -> np.ndarray:
    return np.maximum(syllables(SECONDS, seed=4), 0.05)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory, opening: np.ndarray) -> dict[str, Evidence]:
    folder = tmp_path_factory.mktemp("talk")
    frames = pictures(opening)
    quiet = np.full(round(SECONDS * 16_000), 1e-5, np.float32)
    sounds = {
        "true": voice(opening),
        "late": voice(opening, late_s=LATE_S),
        "silent": quiet,
        "mute": None,
        "brief": np.concatenate([voice(opening)[:8000], quiet[8000:]]),
    }
    return {name: evidence_of(write_talk(folder / f"{name}.mp4", frames, sound)) for name, sound in sounds.items()}


@pytest.fixture(scope="module")
def tracks(files: dict[str, Evidence]) -> tuple[FaceTrack, ...]:
    tracker = Tracker()
    settings = AnalysisSettings(tile_faces=False, frames_per_second=3)
    with FaceAnalyser(settings) as analyser, FrameReader(files["true"], frames_per_second=3, max_frames=50) as reader:
        for frame in reader:
            tracker.update(frame, analyser.analyse(frame))
    found = tuple(tracker.finish())
    assert len(found) == 1
    return found


def loaded_model() -> LoadedModel:
    torch.manual_seed(0)
    network = AudioVisualNet(exchange=False).eval()
    card = ModelCard(
        model_id="av",
        title="",
        kind="audiovisual",
        architecture={"kind": "audiovisual", "exchange": False},
        crop=CropSpec(48, 0.0),
        weights_file="",
        weights_sha256="0",
        parameters=0,
        thresholds=Thresholds(1.0, -1.0, ""),
        training={},
        results=Results(),
        limits=(),
        licence="",
        inputs={"cue": "AV", "reach_frames": network.reach},
    )
    return AudioVisualModel(card, network, torch.device("cpu"))


def test_a_true_and_a_late_sound_are_told_apart(
    files: dict[str, Evidence], tracks: tuple[FaceTrack, ...], backend: MediaPipeBackend
) -> None:
    true = examine_sync(files["true"], tracks, None, backend=backend)
    late = examine_sync(files["late"], tracks, None, backend=backend)
    assert true.reason is None
    assert true.track_id == tracks[0].track_id
    assert true.logit is None  # the correlation alone
    window = true.windows[0]
    assert window.correlation is not None
    assert window.correlation > 0.5
    assert window.lag_s == pytest.approx(0.0, abs=0.08)
    assert 0.9 <= window.end_s - window.start_s <= 3.1
    assert late.windows[0].lag_s == pytest.approx(LATE_S, abs=0.08)
    assert true.correlations[0] is not None
    assert late.correlations[0] is not None
    assert true.correlations[0].z_score > 2 > late.correlations[0].z_score


def test_the_network_gives_the_mean_of_the_windows_and_the_same_each_time(
    files: dict[str, Evidence], tracks: tuple[FaceTrack, ...], backend: MediaPipeBackend
) -> None:
    model = loaded_model()
    found = examine_sync(files["true"], tracks, model, backend=backend)
    logits = [window.logit for window in found.windows]
    assert None not in logits
    assert found.logit == pytest.approx(np.mean(np.array(logits, float)))
    assert examine_sync(files["true"], tracks, model, backend=backend) == found


@pytest.mark.parametrize(("name", "code"), [("mute", "no_audio"), ("silent", "no_speech"), ("brief", "too_short")])
def test_reasons_of_the_sound(
    files: dict[str, Evidence], tracks: tuple[FaceTrack, ...], backend: MediaPipeBackend, name: str, code: str
) -> None:
    found = examine_sync(files[name], tracks, loaded_model(), backend=backend)
    assert (found.code, found.logit, found.windows, found.track_id) == (code, None, (), None)
    assert found.reason == REASONS[found.code]  # type: ignore[index]


def test_reasons_of_the_picture(
    files: dict[str, Evidence], tracks: tuple[FaceTrack, ...], backend: MediaPipeBackend
) -> None:
    assert examine_sync(files["true"], (), None, backend=backend).code == "no_face"
    elsewhere = replace(tracks[0], faces=tuple(replace(face, pts_s=face.pts_s + 100) for face in tracks[0].faces))
    assert examine_sync(files["true"], (elsewhere,), None, backend=backend).code == "no_face"
    corner = replace(
        tracks[0],
        faces=tuple(
            replace(item, face=replace(item.face, bbox_xyxy_px=(0.0, 200.0, 40.0, 240.0))) for item in tracks[0].faces
        ),
    )
    assert examine_sync(files["true"], (corner,), None, backend=backend).code == "mouth_hidden"
    slow = replace(files["true"], video=replace(files["true"].video, average_fps=10.0))
    assert examine_sync(slow, tracks, None, backend=backend).code == "low_frame_rate"


def test_a_cancelled_examination_stops(
    files: dict[str, Evidence], tracks: tuple[FaceTrack, ...], backend: MediaPipeBackend
) -> None:
    stop = threading.Event()
    stop.set()
    with pytest.raises(CancelledError):
        examine_sync(files["true"], tracks, None, cancelled=stop.is_set, backend=backend)


def activity_of(*segments_s: tuple[float, float], length_s: float = 60.0) -> SpeechActivity:
    spoken = np.zeros(round(length_s * 100), bool)
    for start_s, end_s in segments_s:
        spoken[round(start_s * 100) : round(end_s * 100)] = True
    return SpeechActivity(0.0, spoken, np.where(spoken, -20, -70).astype(np.float32))


def lasting(track: FaceTrack, start_s: float, end_s: float) -> FaceTrack:
    first, last = track.faces[0], track.faces[-1]
    return replace(track, faces=(replace(first, pts_s=start_s), replace(last, pts_s=end_s)))


def test_stretches_spread_over_the_speech_and_leave_silence_out(tracks: tuple[FaceTrack, ...]) -> None:
    always = lasting(tracks[0], 0.0, 60.0)
    activity = activity_of((5, 15), (30, 33), (50, 58))
    segments = choose_segments(activity, (always,))
    assert len(segments) == 3
    assert all(segment.end_s - segment.start_s <= 3.0 + 1e-6 for segment in segments)
    assert all(activity.is_speech[round(s.start_s * 100)] for s in segments)
    assert segments[0].start_s < 15 < 30 <= segments[2].start_s
    assert [segment.tracks for segment in segments] == [(always,)] * 3


def test_stretches_need_a_face_that_stays(tracks: tuple[FaceTrack, ...]) -> None:
    activity = activity_of((5, 15))
    assert choose_segments(activity, (lasting(tracks[0], 20, 40),)) == ()
    assert choose_segments(activity, (lasting(tracks[0], 14.5, 40),)) == ()
    assert overlap_s(activity, (lasting(tracks[0], 14.5, 40),)) == pytest.approx(0.5)
    inside = choose_segments(activity, (lasting(tracks[0], 8.0, 10.0),))
    assert len(inside) == 1
    assert inside[0].start_s >= 8.0
    assert inside[0].end_s <= 10.0 + 1e-6
