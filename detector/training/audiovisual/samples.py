"""Batches for the audio-visual model: windows of speech with enough sound around them to be judged at many shifts.

Every sound, genuine or not, has been through a lossy encoder; windows start and end within speech, so leading silence
is in none of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from detector.evidence.audio import Sound
from detector.evidence.speech import mel_around, speech_activity
from detector.faces.mouth import CROP_PX, RATE_HZ
from detector.synthesis.audio import Codec, draw_voice, re_voiced, recode
from detector.training.data.speech_bank import TalkingClip

CODECS: tuple[tuple[Codec, int], ...] = (("aac", 24_000), ("libopus", 16_000), ("libmp3lame", 32_000))
MEL_PER_FRAME = 4
_MIN_SPEECH_SHARE = 0.6


class AvBatch(NamedTuple):
    """`mouth` (B, T, 48, 48) in [0, 1]; `lips` (B, T, 5); `seen` (B, T); `mel` (B, 4 S, 64) and `heard` (B, S) with
    S = T + 2 x margin; `voiced` the same of the same words in another voice; `group` (B,) numbers of people."""

    mouth: Tensor
    lips: Tensor
    seen: Tensor
    mel: Tensor
    heard: Tensor
    voiced_mel: Tensor
    voiced_heard: Tensor
    group: Tensor


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """A clip with its spectrograms: `real` and `voiced` are one a codec, (4 S, 64) float32 with `heard` (S,)."""

    clip: TalkingClip
    real: tuple[tuple[NDArray[np.float32], NDArray[np.bool_]], ...]
    voiced: tuple[tuple[NDArray[np.float32], NDArray[np.bool_]], ...]
    speech: NDArray[np.bool_]


def prepare(clip: TalkingClip, margin: int, seed: int = 0) -> Prepared:
    """Re-encode and re-voice a clip's sound; spectrograms reach `margin` frames beyond the mouth at both ends."""
    rng = np.random.default_rng(seed)
    real, voiced = [], []
    for codec, bit_rate in CODECS:
        real.append(_spectrogram(recode(clip.sound, codec, bit_rate), clip, margin))
        voiced.append(_spectrogram(recode(re_voiced(clip.sound, draw_voice(rng)), codec, bit_rate), clip, margin))
    return Prepared(clip, tuple(real), tuple(voiced), speech_at(clip.sound, clip.mouth.start_s, len(clip.mouth.seen)))


def speech_at(sound: Sound, start_s: float, count: int) -> NDArray[np.bool_]:
    """Whether somebody speaks at `count` points 25 a second from `start_s`."""
    activity = speech_activity([sound])
    times = start_s + np.arange(count) / RATE_HZ
    spoken = np.zeros(count, bool)
    for low, high in activity.segments_s if activity else ():
        spoken |= (times >= low) & (times < high)
    return spoken


def _spectrogram(sound: Sound, clip: TalkingClip, margin: int) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    return mel_around(sound, clip.mouth.start_s, len(clip.mouth.seen), margin, RATE_HZ)


class AvBatches:
    """Random windows, or for validation the same ones each time. `window` frames each, `margin` frames of sound more on
    both sides; clips are drawn evenly over people, so that a long interview does not outweigh the rest."""

    def __init__(
        self, clips: Sequence[Prepared], *, window: int, batch_size: int, batches: int, seed: int, augment: bool
    ) -> None:
        self._clips, self._window, self._batch_size = tuple(clips), window, batch_size
        self._batches, self._seed, self._augment = batches, seed, augment
        self._margin = (len(clips[0].real[0][1]) - len(clips[0].clip.mouth.seen)) // 2
        names = sorted({clip.clip.group for clip in clips})
        self._people = [[item for item in clips if item.clip.group == name] for name in names]
        self._epoch = 0

    def set_epoch(self, number: int) -> None:
        """Choose the epoch, which seeds what is drawn."""
        self._epoch = number if self._augment else 0

    def __len__(self) -> int:
        return self._batches

    def __iter__(self) -> Iterator[AvBatch]:
        rng = np.random.default_rng((self._seed, self._epoch))
        order: list[int] = []
        for _ in range(self._batches):
            while len(order) < self._batch_size:
                order += rng.permutation(len(self._people)).tolist()
            chosen, order = order[: self._batch_size], order[self._batch_size :]
            yield self._batch([self._sample(number, rng) for number in chosen])

    def _sample(self, person: int, rng: np.random.Generator) -> tuple[NDArray[np.generic], ...]:
        item = self._people[person][rng.integers(len(self._people[person]))]
        pace = float(rng.uniform(0.9, 1.1)) if self._augment else 1.0
        start = self._start(item, rng)
        count = len(item.speech)
        frames = np.rint(start + np.arange(self._window) * pace).astype(int)
        inside = frames < count
        frames = np.minimum(frames, count - 1)
        mouth = item.clip.mouth
        seen = mouth.seen[frames] & inside
        mel, heard = self._sound(item.real, start, pace, rng)
        voiced, voiced_heard = self._sound(item.voiced, start, pace, rng)
        crops = mouth.crops[frames].astype(np.float32) / 255
        lips = mouth.lips[frames]
        if self._augment:
            crops, lips = _altered_picture(crops, rng), lips + rng.normal(0, 0.004, lips.shape).astype(np.float32)
            mel, voiced = _altered_sound(mel, rng), _altered_sound(voiced, rng)
        return (
            crops * seen[:, None, None],
            lips * seen[:, None],
            seen,
            mel,
            heard,
            voiced,
            voiced_heard,
            np.array(person),
        )

    def _start(self, item: Prepared, rng: np.random.Generator) -> int:
        """A place from which the window holds mostly speech; as a share where none does."""
        last = max(0, len(item.speech) - self._window)
        spoken = np.convolve(item.speech, np.ones(min(self._window, len(item.speech))), "valid")[: last + 1]
        good = np.flatnonzero(spoken >= _MIN_SPEECH_SHARE * spoken.max())
        return int(rng.choice(good))

    def _sound(
        self,
        variants: tuple[tuple[NDArray[np.float32], NDArray[np.bool_]], ...],
        start: int,
        pace: float,
        rng: np.random.Generator,
    ) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        mel, heard = variants[rng.integers(len(variants))]
        frames = np.arange(-self._margin, self._window + self._margin)
        places = start + self._margin + frames * pace
        slots = np.rint(places).astype(int)
        inside = (slots >= 0) & (slots < len(heard))
        known = np.where(inside, heard[np.clip(slots, 0, len(heard) - 1)], False)
        rows = np.rint(MEL_PER_FRAME * (places[:, None] + np.arange(MEL_PER_FRAME) / MEL_PER_FRAME * pace)).astype(int)
        cut = mel[np.clip(rows.reshape(-1), 0, len(mel) - 1)]
        return np.where(np.repeat(known, MEL_PER_FRAME)[:, None], cut, 0).astype(np.float32), known

    @staticmethod
    def _batch(samples: list[tuple[NDArray[np.generic], ...]]) -> AvBatch:
        columns = zip(*samples, strict=True)
        return AvBatch(*(torch.from_numpy(np.stack(column)) for column in columns))


def _altered_picture(crops: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """One change for the whole window: mirrored, moved by up to 3 pixels, other contrast, noise, softness."""
    out = crops[:, :, ::-1] if rng.random() < 0.5 else crops
    down, right = rng.integers(-3, 4, 2)
    rows = np.clip(np.arange(CROP_PX) + down, 0, CROP_PX - 1)
    columns = np.clip(np.arange(CROP_PX) + right, 0, CROP_PX - 1)
    out = out[:, rows][:, :, columns]
    mean = float(out.mean())
    out = (out - mean) * float(rng.uniform(0.6, 1.4)) + mean * float(rng.uniform(0.7, 1.2))
    if rng.random() < 0.5:
        out = out + rng.normal(0, rng.uniform(0.0, 0.04), out.shape)
    if rng.random() < 0.3:
        out = (out + np.roll(out, 1, 1) + np.roll(out, 1, 2) + np.roll(out, (1, 1), (1, 2))) / 4
    return np.ascontiguousarray(out, np.float32)


def _altered_sound(mel: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """Steady noise of random colour under the speech, a smooth other frequency response, two bands missing."""
    bands = mel.shape[1]
    loud = float(np.quantile(mel, 0.95))
    response = np.interp(np.arange(bands), np.linspace(0, bands - 1, 6), rng.normal(0, 1.5, 6))
    colour = np.interp(np.arange(bands), [0, bands - 1], rng.normal(0, 1.5, 2))
    out = mel + response
    if rng.random() < 0.7:
        out = np.logaddexp(out, loud - rng.uniform(3, 11) + colour + rng.normal(0, 0.6, mel.shape))
    for _ in range(2):
        low = int(rng.integers(0, bands - 8))
        out[:, low : low + int(rng.integers(1, 8))] = out.mean()
    return out.astype(np.float32)


def describe_sound(batches: AvBatches) -> pd.DataFrame:
    """A row a sound of one epoch: level and spread of its spectrogram, the share that is heard, `label` (0 own voice,
    1 re-voiced) and `group`. Shifted and swapped sounds are own ones elsewhere, with nothing of theirs to tell them."""
    tables = []
    for batch in batches:
        for label, mel, heard in ((0, batch.mel, batch.heard), (1, batch.voiced_mel, batch.voiced_heard)):
            columns = {"sound_level": mel.flatten(1).mean(1), "sound_spread": mel.flatten(1).std(1)}
            columns |= {"heard_share": heard.float().mean(1), "group": batch.group}
            tables.append(pd.DataFrame({name: value.numpy() for name, value in columns.items()}).assign(label=label))
    return pd.concat(tables, ignore_index=True)
