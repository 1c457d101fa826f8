"""Sound that does not belong to the picture: shifted, taken from somebody else, dubbed over, or in another voice.

Genuine and manipulated sound then go through the same encoder (`recode`), and leading and trailing silence is cut from
both (`trimmed`), so that neither codec nor silence tells them apart.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Literal

import av
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter1d
from scipy.signal import resample_poly

from detector.evidence.audio import SAMPLE_RATE_HZ, Sound
from detector.evidence.speech import SpeechActivity

Codec = Literal["aac", "libopus", "libmp3lame"]
# (encoder, container, sample rate it wants)
_CONTAINERS: dict[Codec, tuple[str, int]] = {
    "aac": ("mp4", 16_000),
    "libopus": ("ogg", 16_000),
    "libmp3lame": ("mp3", 16_000),
}
SMALLEST_SHIFT_S, LARGEST_SHIFT_S = 0.12, 1.5
_FFT, _HOP = 512, 128
_FADE_S = 0.02


@dataclass(frozen=True, slots=True)
class Voice:
    """Changes to a voice: `pitch` and `formants` as factors of frequency, `stretch` of duration."""

    pitch: float
    formants: float
    stretch: float


def draw_shift_s(rng: np.random.Generator) -> float:
    """A shift of 0.12 to 1.5 s, early or late, small ones as likely as large ones (uniform in the logarithm)."""
    size_s = float(np.exp(rng.uniform(np.log(SMALLEST_SHIFT_S), np.log(LARGEST_SHIFT_S))))
    return size_s if rng.random() < 0.5 else -size_s


def draw_voice(rng: np.random.Generator) -> Voice:
    """Another voice: pitch by 2 to 5 semitones, formants by up to 15 %, 4 to 12 % faster or slower."""
    sign = rng.choice([-1.0, 1.0], 2)
    return Voice(
        pitch=float(2 ** (sign[0] * rng.uniform(2, 5) / 12)),
        formants=float(np.exp(rng.uniform(-0.15, 0.15))),
        stretch=float(1 + sign[1] * rng.uniform(0.04, 0.12)),
    )


def shifted(sound: Sound, by_s: float) -> Sound:
    """The same sound `by_s` later (earlier where negative)."""
    return Sound(sound.samples, sound.start_s + by_s)


def swapped(sound: Sound, other: Sound) -> Sound:
    """`other` in place of `sound`, as loud, repeated where it is too short."""
    count = len(sound.samples)
    if not len(other.samples):
        raise ValueError("the other sound is empty")
    tiled = np.resize(other.samples, count)
    return Sound((tiled * _loudness(sound.samples) / _loudness(tiled)).astype(np.float32), sound.start_s)


def dubbed(sound: Sound, activity: SpeechActivity, other: Sound, other_activity: SpeechActivity) -> Sound:
    """Somebody else's speech in the very segments in which `sound` has speech; the pauses keep their own room."""
    speech = _speech_only(other, other_activity)
    out = sound.samples.copy()
    used = 0
    for start_s, end_s in activity.segments_s:
        low, high = (round((at_s - sound.start_s) * SAMPLE_RATE_HZ) for at_s in (start_s, end_s))
        low, high = max(0, low), min(len(out), high)
        if high <= low:
            continue
        piece = np.resize(np.roll(speech, -used), high - low)
        used += high - low
        piece = piece * _loudness(sound.samples[low:high]) / _loudness(piece)
        weight = _faded(high - low)
        out[low:high] = out[low:high] * (1 - weight) + piece * weight
    return Sound(out, sound.start_s)


def re_voiced(sound: Sound, voice: Voice) -> Sound:
    """Another voice says the same, slower or faster, by a phase vocoder (Laroche & Dolson 1999).

    The stretch is about the middle, so that the sound leaves its place by half the change at either end.
    """
    # Raising the pitch by resampling shortens; the vocoder makes up for that and for the stretch at once.
    spectrum = _vocoder(_stft(sound.samples), voice.stretch * voice.pitch, voice.formants / voice.pitch)
    longer = _inverse_stft(spectrum)
    up, down = 200, round(200 * voice.pitch)
    samples = resample_poly(longer, up, down).astype(np.float32)
    middle_s = sound.start_s + len(sound.samples) / 2 / SAMPLE_RATE_HZ
    samples = (samples * _loudness(sound.samples) / _loudness(samples)).astype(np.float32)
    return Sound(samples, middle_s - len(samples) / 2 / SAMPLE_RATE_HZ)


def recode(sound: Sound, codec: Codec, bit_rate: int) -> Sound:
    """A round trip through a lossy encoder; as long as before and at the same place. Raises av.FFmpegError where this
    build of FFmpeg has no such encoder."""
    container, rate = _CONTAINERS[codec]
    buffer = io.BytesIO()
    with av.open(buffer, "w", format=container) as out:
        stream = out.add_stream(codec, rate=rate, layout="mono")
        stream.codec_context.bit_rate = bit_rate
        frame = av.AudioFrame.from_ndarray(np.clip(sound.samples, -1, 1)[None], format="flt", layout="mono")
        frame.sample_rate, frame.pts = SAMPLE_RATE_HZ, 0
        out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    buffer.seek(0)
    resampler = av.AudioResampler(format="flt", layout="mono", rate=SAMPLE_RATE_HZ)
    pieces = []
    with av.open(buffer, "r") as source:
        for frame in source.decode(audio=0):
            frame.pts = None
            pieces += [piece.to_ndarray().reshape(-1) for piece in resampler.resample(frame)]
        pieces += [piece.to_ndarray().reshape(-1) for piece in resampler.resample(None)]
    decoded = np.concatenate(pieces).astype(np.float32) if pieces else np.zeros(0, np.float32)
    samples = np.zeros_like(sound.samples)
    samples[: len(decoded)] = decoded[: len(samples)]
    return Sound(samples, sound.start_s)


def trimmed(sound: Sound, activity: SpeechActivity) -> Sound:
    """Without the silence before the first speech and behind the last; empty where nobody speaks."""
    segments = activity.segments_s
    if not segments:
        return Sound(sound.samples[:0], sound.start_s)
    return sound.cut(max(sound.start_s, segments[0][0]), min(sound.end_s, segments[-1][1]))


def _speech_only(sound: Sound, activity: SpeechActivity) -> NDArray[np.float32]:
    pieces = [sound.cut(*segment).samples for segment in activity.segments_s]
    if not pieces:
        raise ValueError("nobody speaks in the other sound")
    return np.concatenate(pieces)


def _loudness(samples: NDArray[np.float32]) -> float:
    return float(np.sqrt(np.mean(np.square(samples)))) + 1e-6 if len(samples) else 1e-6


def _faded(count: int) -> NDArray[np.float32]:
    ramp = min(count // 2, round(_FADE_S * SAMPLE_RATE_HZ))
    weight = np.ones(count, np.float32)
    if ramp:
        weight[:ramp] = np.linspace(0, 1, ramp)
        weight[-ramp:] = np.linspace(1, 0, ramp)
    return weight


def _stft(samples: NDArray[np.float32]) -> NDArray[np.complex64]:
    """(F, 257), Hann window, hop of a quarter."""
    padded = np.pad(samples, (_FFT // 2, _FFT))
    cut = np.lib.stride_tricks.sliding_window_view(padded, _FFT)[::_HOP]
    return np.fft.rfft(cut * np.hanning(_FFT + 1)[:-1], axis=1).astype(np.complex64)


def _inverse_stft(spectrum: NDArray[np.complex64]) -> NDArray[np.float32]:
    window = np.hanning(_FFT + 1)[:-1]
    out = np.zeros(len(spectrum) * _HOP + _FFT)
    norm = np.full(len(out), 1e-6)
    for number, frame in enumerate(np.fft.irfft(spectrum, _FFT, axis=1)):
        at = number * _HOP
        out[at : at + _FFT] += frame * window
        norm[at : at + _FFT] += window**2
    return (out / norm)[_FFT // 2 : -_FFT].astype(np.float32)


def _vocoder(spectrum: NDArray[np.complex64], stretch: float, formants: float) -> NDArray[np.complex64]:
    """Spread frames over `stretch` times the duration, phases advancing as they did; move the spectral envelope by
    `formants` meanwhile."""
    count, bins = spectrum.shape
    advance = 2 * np.pi * _HOP * np.arange(bins) / _FFT
    magnitude, angle = np.abs(spectrum), np.angle(spectrum)
    magnitude = magnitude * _moved_envelope(magnitude, formants)
    places = np.arange(0, count - 1, 1 / stretch)
    low = places.astype(int)
    share = (places - low)[:, None]
    between = (1 - share) * magnitude[low] + share * magnitude[low + 1]
    step = angle[low + 1] - angle[low] - advance
    step = advance + step - 2 * np.pi * np.round(step / (2 * np.pi))
    phase = angle[0] + np.concatenate([np.zeros((1, bins)), np.cumsum(step, axis=0)[:-1]])
    return (between * np.exp(1j * phase)).astype(np.complex64)


def _moved_envelope(magnitude: NDArray[np.float32], factor: float) -> NDArray[np.float64]:
    """(F, 257) gains that move each frame's envelope, smoothed over 500 Hz, along the frequency axis by `factor`."""
    envelope = uniform_filter1d(magnitude, 17, axis=1, mode="nearest") + 1e-6
    bins = np.arange(magnitude.shape[1])
    source = np.clip(bins / factor, 0, bins[-1])
    low = np.minimum(source.astype(int), bins[-1] - 1)
    share = source - low
    moved = (1 - share) * envelope[:, low] + share * envelope[:, low + 1]
    return np.clip(moved / envelope, 0.05, 20.0)
