"""Meaning of each specialist's cue in plain words, with its innocent causes: for pages and reports."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from detector.analysis.types import Cue


@dataclass(frozen=True, slots=True)
class CueMeaning:
    """`meaning` says what the specialist looks for, so that it holds at any score; `innocent` lists causes that raise
    the score of genuine footage."""

    cue: Cue
    title: str
    meaning: str
    innocent: tuple[str, ...]


CUE_MEANINGS: Final[dict[Cue, CueMeaning]] = {
    "BG": CueMeaning(
        "BG",
        "Background and light",
        "Looks for light, shadow or colour on the face that do not fit what is around it, and for a person set before "
        "another background.",
        (
            "a screen, lamp, flash or window that lights only the face; a studio that lights face and set apart",
            "make-up, tanning, or a beauty filter that brightens skin",
            "virtual backgrounds in video calls, chroma key in a studio",
            "portrait mode, which blurs or darkens the background by software",
            "mixed light, such as daylight on the face and lamps behind",
        ),
    ),
    "CM": CueMeaning(
        "CM",
        "Compression",
        "Looks for a face that was compressed at another quality, on another block grid or once more than its "
        "surroundings.",
        (
            "encoders that spend more bits on faces than on the background (region of interest, perceptual modes)",
            "transcoding by platforms and messengers, screen recordings, picture-in-picture",
            "strong noise reduction or a still background that is copied from frame to frame",
            "smooth skin beside rich texture, which compression treats differently by itself",
        ),
    ),
    "RR": CueMeaning(
        "RR",
        "Resolution and upscaling",
        "Looks for a face of another resolution than its surroundings, and for traces of enlarging and sharpening.",
        (
            "upscalers and face enhancers in phones, players, conferencing and restoration software",
            "beauty filters, which soften skin",
            "depth of field and motion blur: a face in focus before a soft background, or the reverse",
            "sharpening of faces in the camera; enlarged or digitally zoomed footage",
        ),
    ),
    "LL": CueMeaning(
        "LL",
        "Low light and noise",
        "Looks for noise on the face that does not fit its light or the noise around it, as when a clean face was put "
        "into a noisy picture, or the reverse.",
        (
            "noise reduction in night modes, which smooths faces more than backgrounds",
            "local tone mapping (HDR), which lifts faces out of the dark",
            "beauty filters; a lamp or screen that lights only the face",
            "strong compression, which removes noise unevenly",
        ),
    ),
    "TM": CueMeaning(
        "TM",
        "Change over time",
        "Looks for a face that changes from frame to frame in a way that genuine faces do not: flicker, jitter, or a "
        "stretch that was put in.",
        (
            "cuts, dissolves, dropped or repeated frames, variable frame rate",
            "flickering lamps, automatic exposure and focus",
            "strong compression between key frames; stabilisation",
        ),
    ),
    "AV": CueMeaning(
        "AV",
        "Sound and lips",
        "Looks for lips and speech that do not go together in time.",
        (
            "dubbing, voice-over, or a speaker who is not the one shown",
            "sound that a recorder, a platform or a wireless microphone delays",
            "a mouth that is small, covered or turned away",
        ),
    ),
}


def channel_meanings(cue: Cue) -> dict[str, str]:
    """Each named channel of a cue's specialist with its meaning and unit, in the order of the model's channels; empty
    for cues without any."""
    from detector.models.specialists import CHANNELS  # the networks, which import torch

    return CHANNELS.get(cue, {})
