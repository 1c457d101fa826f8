"""Voice against mouth: windows of speech, the speaking face, the network and a training-free correlation on each.

Good sync is never evidence of authenticity: lip-sync generators follow the voice, some better than people do. What is
found here can raise suspicion and never lower it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from detector.analysis.kinds.audiovisual.lip_sync import MAX_LAG_S, LipSync, lip_sync, speech_envelope
from detector.analysis.kinds.audiovisual.speech_segments import SHORTEST_S, SpeechSegment, choose_segments, overlap_s
from detector.analysis.types import SyncWindow
from detector.errors import CancelledError
from detector.evidence import frames_of_spans, read_sound, sound_blocks
from detector.evidence.audio import Sound
from detector.evidence.speech import SpeechActivity, mel_around, speech_activity
from detector.evidence.types import Evidence, ReadSpans
from detector.faces.backend import FaceBackend, default_backend
from detector.faces.follow import TrackSegment
from detector.faces.mouth import RATE_HZ, MouthTrack, follow_mouths
from detector.faces.types import FaceTrack

if TYPE_CHECKING:
    from detector.registry import LoadedModel

Why = Literal["no_audio", "no_speech", "no_face", "mouth_hidden", "too_short", "low_frame_rate"]
REASONS: dict[Why, str] = {
    "no_audio": "The file has no sound that decodes, so nothing can be said about lips and voice.",
    "no_speech": "No speech was found in the sound, so nothing can be said about lips and voice.",
    "no_face": "No face is in the picture while somebody speaks (voice-over, off-screen speaker): nothing to compare.",
    "mouth_hidden": "No mouth could be followed while somebody speaks: turned away, covered or too small.",
    "too_short": "There is less than one second of speech with a face in the picture, too little to compare.",
    "low_frame_rate": "The video shows fewer than 15 frames a second, too few to follow lips.",
}
CANDIDATE_FACES = 3
_MIN_SEEN, _MIN_EYES_PX, _MIN_FPS = 0.7, 20.0, 15.0
_CONTEXT_S = max(MAX_LAG_S, 1.0) + 0.2


@dataclass(frozen=True, slots=True)
class AudioVisualFindings:
    """`windows` in the order of time, each of the speaking face `track_id`; `logit` the mean of theirs, None without a
    model or with a `reason`. `code` names the reason for programs; `correlations` hold the training-free measurement
    beside each window. A low logit says only that nothing was found."""

    windows: tuple[SyncWindow, ...]
    logit: float | None
    reason: str | None
    track_id: int | None
    code: Why | None = None
    correlations: tuple[LipSync | None, ...] = ()


class Judged(NamedTuple):
    """One segment of one face: the network's logit, None without a network, and the training-free correlation."""

    mouth: MouthTrack
    logit: float | None
    sync: LipSync | None


def examine_sync(
    evidence: Evidence,
    tracks: Sequence[FaceTrack],
    model: LoadedModel | None,
    *,
    cancelled: Callable[[], bool] | None = None,
    backend: FaceBackend | None = None,
    read: ReadSpans = frames_of_spans,
) -> AudioVisualFindings:
    """Compare voice and lips where somebody speaks in the picture; see `AudioVisualFindings`.

    `model` of kind "audiovisual", None for the correlation alone. Of several faces the one that moves most like the
    voice counts as the speaker. `backend` replaces MediaPipe and is left open; `read` gives the frames. Raises
    CancelledError, EvidenceError.
    """
    if evidence.kind != "video" or evidence.audio is None:
        return _nothing("no_audio")
    if evidence.video.average_fps is not None and evidence.video.average_fps < _MIN_FPS:
        return _nothing("low_frame_rate")
    activity = speech_activity(_checked(sound_blocks(evidence), cancelled))
    if activity is None:
        return _nothing("no_audio")
    if activity.speech_s < SHORTEST_S:
        return _nothing("no_speech" if activity.speech_s < 0.3 else "too_short")
    if not tracks:
        return _nothing("no_face")
    segments = choose_segments(activity, tracks)
    if not segments:
        return _nothing("too_short" if overlap_s(activity, tracks) > 0 else "no_face")
    if backend is not None:
        return _judge_all(evidence, segments, activity, model, backend, cancelled, read)
    with closing(default_backend()) as own:
        return _judge_all(evidence, segments, activity, model, own, cancelled, read)


def judge(mouth: MouthTrack, sound: Sound, model: LoadedModel | None) -> Judged:
    """The network and the training-free correlation on one mouth; `sound` should reach 1.2 s beyond it at both ends
    where it can."""
    logit = None if model is None else _network_logit(mouth, sound, model)
    return Judged(mouth, logit, lip_sync_of(mouth, sound))


def _judge_all(
    evidence: Evidence,
    segments: Sequence[SpeechSegment],
    activity: SpeechActivity,
    model: LoadedModel | None,
    backend: FaceBackend,
    cancelled: Callable[[], bool] | None,
    read: ReadSpans,
) -> AudioVisualFindings:
    heard = [
        (TrackSegment(track, segment.start_s, segment.end_s), sound)
        for segment in segments
        if (sound := read_sound(evidence, segment.start_s - _CONTEXT_S, segment.end_s + _CONTEXT_S)) is not None
        for track in segment.tracks[:CANDIDATE_FACES]
    ]
    mouths = follow_mouths(evidence, [segment for segment, _ in heard], backend, cancelled=cancelled, read=read)
    by_track: dict[int, list[Judged]] = {}
    for (segment, sound), mouth in zip(heard, mouths, strict=True):
        if mouth.seen.mean() >= _MIN_SEEN and mouth.eyes_px >= _MIN_EYES_PX:
            by_track.setdefault(segment.track.track_id, []).append(judge(mouth, sound, model))
    if not by_track:
        return _nothing("mouth_hidden")
    # One person may be several tracks (a cut between them); the speaker is chosen where faces compete in a segment.
    speaker_id = max(by_track, key=lambda track_id: _speaks(by_track[track_id]))
    chosen = _of_speaker(by_track, speaker_id)
    windows = tuple(
        SyncWindow(
            start_s=item.mouth.start_s,
            end_s=item.mouth.end_s,
            logit=item.logit,
            correlation=None if item.sync is None else item.sync.correlation,
            lag_s=None if item.sync is None else item.sync.lag_s,
        )
        for item in chosen
    )
    logits = [item.logit for item in chosen if item.logit is not None]
    return AudioVisualFindings(
        windows=windows,
        logit=float(np.mean(logits)) if logits else None,
        reason=None,
        track_id=speaker_id,
        correlations=tuple(item.sync for item in chosen),
    )


def _of_speaker(by_track: dict[int, list[Judged]], speaker_id: int) -> list[Judged]:
    """The speaker's segments, and of segments without the speaker the face that moves most."""
    chosen = {item.mouth.start_s: item for item in by_track[speaker_id]}
    others = [item for track_id, items in by_track.items() if track_id != speaker_id for item in items]
    for item in sorted(others, key=lambda other: -_speaks([other])):
        chosen.setdefault(item.mouth.start_s, item)
    return [chosen[start_s] for start_s in sorted(chosen)]


def _speaks(items: Sequence[Judged]) -> float:
    """Likelihood, without unit, that a face is the speaker's: its lips move, and with the voice at whatever lag."""
    motion = [float(np.std(np.diff(item.mouth.lips[item.mouth.seen, 0]))) for item in items]
    match = [0.0 if item.sync is None else max(0.0, item.sync.correlation) for item in items]
    return float(np.mean([(0.2 + fit) * moves for fit, moves in zip(match, motion, strict=True)])) * len(items) ** 0.5


def _network_logit(mouth: MouthTrack, sound: Sound, model: LoadedModel) -> float | None:
    reach = int(model.card.inputs["reach_frames"])
    arrays = network_inputs(mouth, sound, reach)
    with torch.inference_mode():
        output = model.network(*(torch.from_numpy(array)[None].to(model.device) for array in arrays))
    value = float(output[0])
    return value if np.isfinite(value) else None


def network_inputs(mouth: MouthTrack, sound: Sound, reach: int) -> tuple[NDArray[np.generic], ...]:
    """The inputs of `AudioVisualNet`, without the batch: mouth (T, 48, 48), lips, seen, mel, heard."""
    mel, heard = mel_around(sound, mouth.start_s, len(mouth.seen), reach, RATE_HZ)
    return mouth.crops.astype(np.float32) / 255, mouth.lips, mouth.seen, mel, heard


def lip_sync_of(mouth: MouthTrack, sound: Sound) -> LipSync | None:
    """The untrained comparison of lip opening and loudness; None where there is too little of either."""
    activity = speech_activity([sound])
    if activity is None:
        return None
    before = round(MAX_LAG_S * RATE_HZ)
    count = len(mouth.seen) + 2 * before
    envelope = speech_envelope(activity.level_db, sound.start_s, mouth.start_s - before / RATE_HZ, count)
    return lip_sync(mouth.lips[:, 0], mouth.seen, envelope, before)


def _checked(blocks: Iterator[Sound], cancelled: Callable[[], bool] | None) -> Iterator[Sound]:
    for block in blocks:
        if cancelled is not None and cancelled():
            raise CancelledError("The analysis was cancelled before it finished; nothing was recorded.")
        yield block


def _nothing(code: Why) -> AudioVisualFindings:
    return AudioVisualFindings((), None, REASONS[code], None, code)
