"""Programs that sign media files, by the strings they leave. The list names only what is widely documented."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

Kind = Literal["library", "platform", "recorder", "editor", "encoder", "generator"]


@dataclass(frozen=True, slots=True)
class Program:
    """`name` and `role` are for people; `kind` is what the program is for."""

    name: str
    kind: Kind
    role: str


_PROGRAMS: tuple[tuple[re.Pattern[str], Program], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), Program(name, kind, role))  # type: ignore[arg-type]
    for pattern, name, kind, role in (
        (r"^(Lavf|libavformat)", "FFmpeg (libavformat)", "library", "writes files for most converters, many "
         "editors, platforms and generators"),
        (r"Lavc", "FFmpeg (libavcodec)", "library", "codes streams for most converters, many editors and generators"),
        (r"x264|x265|SVT-AV1|Kvazaar|VVenC|XviD|DivX", "a software encoder", "encoder", "codes video on a computer or "
         "on a platform's servers; cameras and phones rarely use it"),
        (r"produced by Google|^Google", "Google", "platform", "as YouTube and Google's other services write it"),
        (r"Twitter-vork|^Twitter", "Twitter (X)", "platform", "as the platform's servers write it"),
        (r"Core Media|^Apple |com\.apple\.quicktime", "Apple's media frameworks", "recorder", "as iPhones, iPads, Macs "
         "and programs on them write it"),
        (r"^VideoHandle$|^SoundHandle$", "Android's MediaMuxer", "recorder", "as Android phones and apps write it"),
        (r"GoPro", "GoPro", "recorder", "as GoPro cameras write it"),
        (r"HandBrake", "HandBrake", "editor", "a converter"),
        (r"Mainconcept", "MainConcept", "library", "an encoder inside Adobe's and other makers' programs"),
        (r"Adobe|Premiere|After Effects|Photoshop|Lightroom", "Adobe", "editor", "editing programs"),
        (r"GPAC", "GPAC (MP4Box)", "library", "packs streams into MP4 files"),
        (r"Bento4", "Bento4", "library", "packs streams into MP4 files, often for streaming"),
        (r"L-SMASH", "L-SMASH", "library", "packs streams into MP4 files"),
        (r"DaVinci|Blackmagic", "DaVinci Resolve", "editor", "an editing program"),
        (r"CapCut|JianYing|Bytedance", "CapCut or another ByteDance program", "editor", "an editing program"),
        (r"GIMP|Snapseed|Affinity|Picsart|\bCanva\b|Pixelmator|Paint\.NET|FaceApp|Facetune|Meitu|BeautyPlus",
         "an image editor", "editor", "changes pictures"),
        (r"Stable Diffusion|ComfyUI|AUTOMATIC1111|InvokeAI|NovelAI|Midjourney|\bDALL.?E\b|Firefly|\bImagen\b|Fooocus|"
         r"FLUX\.1|Made with Google AI|\bSora\b", "an image or video generator", "generator",
         "makes pictures by a trained model"),
        (r"mkvmerge|libmatroska|libebml", "MKVToolNix", "library", "packs streams into Matroska files"),
        (r"QuickTime", "Apple QuickTime", "library", "writes QuickTime files"),
        (r"\bOBS\b|obs-studio", "OBS Studio", "recorder", "records screens and streams"),
    )
)  # fmt: skip
# Handler names that say what a track holds and nothing of who wrote it.
_GENERIC = re.compile(
    r"^((Video|Sound|Data|Time ?Code|Subtitle|Text|Meta ?data)[ _]?(Media )?Handler|vide|soun|mdir|)$", re.I
)


def program_of(text: str) -> Program | None:
    """The program that leaves this string; None where it is not in the list."""
    return next((program for pattern, program in _PROGRAMS if pattern.search(text)), None)


def is_generic(handler_name: str) -> bool:
    """Whether a handler's name is one that many programs write."""
    return bool(_GENERIC.match(handler_name.strip()))
