"""Every manipulation of a whole clip by name, what it needs, and how to make it.

Names: a base of `clip_fakes` alone or with its behaviour over time ("swap", "swap+flicker"), "expression",
"talking_head", the cue edits of `cue_edits` ("relit", "double_jpeg", …), "noise_mismatch", "audio_…", and two that are
there for moments only: "torn" (see `torn`) and "paste", another face, or this one altered, for one second.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray
from torch import nn

from detector.errors import SettingsError
from detector.evidence.audio import SAMPLE_RATE_HZ, Sound
from detector.evidence.speech import SpeechActivity, speech_activity
from detector.synthesis.animate import pose_path, talking_head
from detector.synthesis.audio import draw_shift_s, draw_voice, dubbed, re_voiced, shifted, swapped
from detector.synthesis.blend import composite
from detector.synthesis.clip_fakes import BASES, DYNAMICS, Plan, manipulate
from detector.synthesis.clips import FaceClip
from detector.synthesis.cue_edits import EDITS, darkened, sensor_noise
from detector.synthesis.degrade import Image
from detector.synthesis.reenact import Pose, apply_flow, flow_of, moved_points
from detector.synthesis.regions import region_mask, soft_mask
from detector.synthesis.sources import Source
from detector.synthesis.torn import LEAST_FRAMES, tear
from detector.synthesis.types import FaceImage

_EDITS: Final = {name: edit for cue in ("BG", "CM", "RR") for name, (_, edit) in EDITS[cue].items() if edit is not None}
_MOVING: Final = [f"{base}+{dynamics}" for base in BASES for dynamics in DYNAMICS[1:]]
_BLENDS: Final = (*(base for base in BASES if base != "same"), *_MOVING)
_SOUNDS: Final = ("audio_shift", "audio_swap", "audio_dub", "audio_voice")
KINDS: Final = (*_BLENDS, "expression", "talking_head", *_EDITS, "noise_mismatch", "torn", "paste", *_SOUNDS)
_PASTE_S: Final = 1.0
_LEAST_PASTED_S: Final = 1.5  # a clip that is pasted over nearly whole is another manipulation
# One of each family, for a first look.
USUAL_KINDS: Final = (
    "swap", "self_blend", "self_blend+flicker", "same+wobble", "mouth", "expression", "redraw_whole", "animated_whole",
    "talking_head", "relit", "colour_temperature", "double_jpeg", "softened", "noise_mismatch", "audio_shift",
    "audio_swap",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Twins:
    """A genuine clip and its manipulated twin. `masks` (T, H, W) uint8, 255 where a pixel was replaced, or None where
    only the sound was; `parameters` what was drawn or asked for; `intervals_s` the segments of time (start, end) in
    seconds that are manipulated, in their order, None for the whole clip."""

    real: FaceClip
    fake: FaceClip
    masks: NDArray[np.uint8] | None
    real_sound: Sound | None
    fake_sound: Sound | None
    parameters: dict[str, float | str]
    intervals_s: tuple[tuple[float, float], ...] | None = None


@dataclass(frozen=True, slots=True)
class Request:
    """Ingredients of a manipulation. `strength` (0, 1]: opacity of what is blended in, size of what is edited or
    moved. `donor` another person, `networks` of `networks`."""

    source: Source
    strength: float
    seed: int
    donor: Source | None = None
    networks: Sequence[nn.Module] = ()

    def generator(self, kind: str) -> np.random.Generator:
        """Equal for equal seed and kind, whatever else is made."""
        return np.random.default_rng((self.seed, *kind.encode()))


def lacking(kind: str, request: Request) -> str | None:
    """Why `kind` cannot be made, or None."""
    base = kind.partition("+")[0]
    if kind not in KINDS:
        return f"unknown; known are {', '.join(KINDS)}"
    if base == "same" and kind not in ("same+wobble", "same+gain"):
        return "a face put over itself is no manipulation where it neither wobbles nor changes in brightness"
    if (base == "swap" or kind in ("audio_swap", "audio_dub")) and request.donor is None:
        return "it needs --donor, footage of another person"
    if base.startswith("redraw") and not request.networks:
        return "it needs --networks, a folder of fitted networks that paint faces"
    if kind == "talking_head" and request.source.portrait is None:
        return "it is made from stills only"
    if kind == "torn" and len(request.source.clip.times_s) < LEAST_FRAMES:
        return f"the clip has fewer than {LEAST_FRAMES} frames"
    if kind == "paste" and request.source.clip.duration_s < _LEAST_PASTED_S:
        return f"the clip is shorter than {_LEAST_PASTED_S} s"
    if kind in _SOUNDS and request.source.sound is None:
        return "the source has no sound"
    if kind in ("audio_swap", "audio_dub") and request.donor is not None and request.donor.sound is None:
        return "the donor has no sound"
    return None


def make(kind: str, request: Request) -> Twins:
    """The manipulation `kind` over the whole clip. Raises SettingsError where something it needs is lacking."""
    if why := lacking(kind, request):
        raise SettingsError(f"Cannot make {kind!r}: {why}.")
    rng = request.generator(kind)
    if kind in _SOUNDS:
        return _sound_twins(kind, request, rng)
    if kind == "talking_head":
        return _talking(request)
    if kind == "expression":
        return _framewise(request, _expression(request, rng), rng)
    if kind == "noise_mismatch":
        return _framewise(request, _noise_mismatch(request, rng), rng)
    if kind in _EDITS:
        return _framewise(request, _edit(kind, request, rng), rng)
    if kind == "torn":
        clip, sound = request.source.clip, request.source.sound
        fake = tear(clip, rng, strength=request.strength)
        return Twins(clip, fake.clip, fake.masks, sound, sound, {"strength": request.strength}, fake.intervals_s)
    return _blended(kind, request, rng)


def spliced(twins: Twins, interval_s: tuple[float, float]) -> Twins:
    """Only the frames and the sound from start to end (seconds) manipulated, the others genuine."""
    start, end = interval_s
    times = twins.real.times_s
    inside = (times >= start) & (times < end)
    frames = inside[:, None, None, None]
    fake = FaceClip(
        np.where(frames, twins.fake.images, twins.real.images),
        np.where(inside[:, None, None], twins.fake.landmarks, twins.real.landmarks),
        times,
    )
    masks = None if twins.masks is None else np.where(inside[:, None, None], twins.masks, 0).astype(np.uint8)
    sound = twins.fake_sound
    if sound is not None and twins.real_sound is not None:
        rest = twins.real_sound
        at = rest.start_s + np.arange(len(rest.samples)) / SAMPLE_RATE_HZ
        own = sound.cut(rest.start_s, rest.end_s).samples[: len(at)]
        sound = Sound(np.where((at >= start) & (at < end), own, rest.samples), rest.start_s)
    whole = ((0.0, twins.real.duration_s),) if twins.intervals_s is None else twins.intervals_s
    both = ((max(start, first), min(end, last)) for first, last in whole)
    kept = tuple((first, last) for first, last in both if first < last)
    return replace(twins, fake=fake, masks=masks, fake_sound=sound, intervals_s=kept)


def changes_something(twins: Twins) -> bool:
    """True where the label holds: pictures differ by a grey level inside the masks, or sound by a hundredth of
    itself."""
    if twins.masks is None:
        assert twins.real_sound is not None
        assert twins.fake_sound is not None
        own = twins.real_sound.samples
        return float(np.abs(twins.fake_sound.samples - own).mean()) > 0.01 * float(np.abs(own).mean())
    inside = twins.masks > 0
    difference = cv2.absdiff(twins.fake.images, twins.real.images)
    return bool(inside.any()) and float(difference[inside].mean()) > 1.0


def _blended(kind: str, request: Request, rng: np.random.Generator) -> Twins:
    clip, sound = request.source.clip, request.source.sound
    donor = request.donor.clip if request.donor else None
    plan = _plan(kind, request, rng)
    fake = manipulate(clip, plan, rng, donor=donor if plan.base == "swap" else None, networks=request.networks)
    images, masks = fake.clip.images, fake.masks
    if request.strength < 1:  # a ghost of the paint; the mask says how much of each pixel is replaced
        part = np.float32(request.strength)
        images = (clip.images + part * (images.astype(np.float32) - clip.images) + 0.5).astype(np.uint8)
        masks = (masks * part).astype(np.uint8)
    fakes = FaceClip(images, fake.clip.landmarks, clip.times_s)
    parameters: dict[str, float | str] = {"opacity": request.strength, "dynamics": plan.dynamics}
    if kind == "paste":
        parameters["base"] = plan.base
    return Twins(clip, fakes, masks, sound, sound, parameters, None if plan.interval_s is None else fake.intervals_s)


def _plan(kind: str, request: Request, rng: np.random.Generator) -> Plan:
    """What is blended in, and when: a paste is a swap where there is a donor, for one second, never at either end."""
    if kind != "paste":
        base, _, dynamics = kind.partition("+")
        return Plan(base, dynamics or "steady")
    room = request.source.clip.duration_s - _PASTE_S
    start = float(rng.uniform(0.2 * room, 0.8 * room))
    return Plan("swap" if request.donor else "self_blend", "steady", (start, start + _PASTE_S))


def _talking(request: Request) -> Twins:
    clip, portrait = request.source.clip, request.source.portrait
    assert portrait is not None
    fake = talking_head(
        portrait,
        seconds=clip.duration_s,
        fps=request.source.fps,
        size_px=clip.images.shape[2],
        seed=request.seed,
        strength=request.strength,
        networks=request.networks,
    )
    return Twins(clip, fake.clip, fake.masks, None, None, {"strength": request.strength})


# (frame's number, the frame's face) -> genuine picture, manipulated face to be put into it, its landmarks
_Frame = Callable[[int, FaceImage], tuple[Image, Image, NDArray[np.float32]]]


def _framewise(request: Request, edit: _Frame, rng: np.random.Generator) -> Twins:
    """A manipulation of each frame by itself, inside a soft mask of the face that keeps its shape through the clip."""
    clip, sound = request.source.clip, request.source.sound
    mask_seed = int(rng.integers(2**31))
    real, fakes, masks, landmarks = [], [], [], []
    for number, (image, points) in enumerate(zip(clip.images, clip.landmarks, strict=True)):
        own, changed, moved = edit(number, FaceImage(np.asarray(image), points))
        hard = region_mask(points, image.shape[:2], "face")
        mask = soft_mask(hard, clip.face_px, np.random.default_rng(mask_seed), coarse=True)
        real.append(own)
        fakes.append(composite(own, changed, mask))
        masks.append((mask * 255).astype(np.uint8))
        landmarks.append(moved)
    shown = np.stack(real)
    return Twins(
        clip if np.array_equal(shown, clip.images) else FaceClip(shown, clip.landmarks, clip.times_s),
        FaceClip(np.stack(fakes), np.stack(landmarks), clip.times_s),
        np.stack(masks),
        sound,
        sound,
        {"strength": request.strength},
    )


def _expression(request: Request, rng: np.random.Generator) -> _Frame:
    """Mouth, brows and eyelids moved by a flow, the head left where it is."""
    poses = pose_path(request.source.clip.times_s, rng, 1.5 * request.strength)

    def edit(number: int, face: FaceImage) -> tuple[Image, Image, NDArray[np.float32]]:
        pose = poses[number]
        flow = flow_of(face, Pose(mouth=pose.mouth, smile=pose.smile, blink=min(1.0, pose.blink), brow=pose.brow))
        return face.image, apply_flow(face.image, flow), moved_points(face.landmarks, flow)

    return edit


def _edit(kind: str, request: Request, rng: np.random.Generator) -> _Frame:
    """A cue's edit of the face, drawn once for the clip: the light, the codec or the resolution stays what it is."""
    made, seed = _EDITS[kind], int(rng.integers(2**31))

    def edit(number: int, face: FaceImage) -> tuple[Image, Image, NDArray[np.float32]]:
        versions = made(face, request.strength, np.random.default_rng(seed))
        return versions.a, versions.b, face.landmarks

    return edit


def _noise_mismatch(request: Request, rng: np.random.Generator) -> _Frame:
    """Low light whose noise stops at the face: new noise in every frame, less of it on the face."""
    light, level = int(rng.integers(2**31)), 4 + 8 * request.strength

    def edit(number: int, face: FaceImage) -> tuple[Image, Image, NDArray[np.float32]]:
        dark = darkened(face.image, np.random.default_rng(light))
        noise = np.random.default_rng((light, number))
        noisy = sensor_noise(dark, level, noise)
        return noisy, sensor_noise(dark, level * (1 - 0.9 * request.strength), noise), face.landmarks

    return edit


def _sound_twins(kind: str, request: Request, rng: np.random.Generator) -> Twins:
    clip, sound, parameters = request.source.clip, request.source.sound, {}
    assert sound is not None
    other = request.donor.sound if request.donor is not None else None
    if kind == "audio_shift":
        by_s = draw_shift_s(rng)
        fake, parameters = shifted(sound, by_s), {"shift_s": round(by_s, 3)}
    elif kind == "audio_voice":
        voice = draw_voice(rng)
        fake = re_voiced(sound, voice)
        parameters = {"pitch": voice.pitch, "formants": voice.formants, "stretch": voice.stretch}
    else:
        assert other is not None
        fake = swapped(sound, other) if kind == "audio_swap" else dubbed(sound, _speech(sound), other, _speech(other))
    return Twins(clip, clip, None, sound, fake.cut(sound.start_s, sound.end_s), {**parameters})


def _speech(sound: Sound) -> SpeechActivity:
    activity = speech_activity([sound])
    assert activity is not None  # there is a block of sound
    return activity
