"""Observations of a still: what made it, when, with what, and whether its parts fit together."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from detector.evidence.forensics.meaning import state
from detector.evidence.forensics.programs import program_of
from detector.evidence.forensics.still_metadata import StillMetadata
from detector.evidence.forensics.types import Observation
from detector.evidence.text import listed, shown
from detector.evidence.types import Evidence

# Below this correlation of 64 x 64 grey pictures a thumbnail shows something else; equal pictures give over 0.98.
_MIN_CORRELATION = 0.9
_SAME_TIME = timedelta(seconds=60)
# Text chunks in which image generators keep prompt and settings, by the program that is known for them.
_GENERATOR_TEXTS = {
    "parameters": "AUTOMATIC1111's web interface and its kin",
    "prompt": "ComfyUI and its kin",
    "workflow": "ComfyUI",
    "dream": "InvokeAI",
    "sd-metadata": "InvokeAI",
    "invokeai_metadata": "InvokeAI",
    "invokeai_graph": "InvokeAI",
    "fooocus_scheme": "Fooocus",
    "generation_data": "a generator",
    "aigc": "a platform that labels generated content",
}
_GENERATOR_SETTINGS = re.compile(r"\bSteps: \d+.*\b(Sampler|CFG scale|Seed): ", re.IGNORECASE | re.DOTALL)
_SOFTWARE_FIELDS = (
    "Software",
    "ProcessingSoftware",
    "xmp:CreatorTool",
    "OriginatingProgram",
    "photoshop:Credit",
    "Credit",
)
_HARMLESS_ACTIONS = re.compile(r"^(created|unnamed action)\b")


def observe_still(evidence: Evidence, found: StillMetadata) -> Iterator[Observation]:
    """Observations of a still's EXIF, XMP and structure."""
    fields = {(section, name): value for section, name, value in found.fields}
    if found.problems:
        yield state("unreadable_metadata", " ".join(found.problems))
    device = [found.exif[name] for name in ("Make", "Model", "LensModel") if found.exif.get(name)]
    if device:
        yield state("device_stated", f"{listed(dict.fromkeys(device))}.")
    elif not found.exif:
        kinds = f"; it holds {listed(found.sections)}" if found.sections else ""
        yield state("no_metadata", f"The picture holds no EXIF data{kinds}.")
    yield from _software(found)
    yield from _generators(found)
    yield from _times(found)
    yield from _sizes(evidence, found)
    if found.gps:
        places = [f"{name} {value}" for (section, name), value in fields.items() if section == "GPS"][:4]
        yield state("position", f"EXIF holds a position ({', '.join(places)}).")
    if found.thumbnail is not None:
        correlation = found.thumbnail_correlation
        if correlation is not None and correlation < _MIN_CORRELATION:
            yield state(
                "thumbnail_differs", f"{found.thumbnail} Its correlation with the picture is {correlation:.2f}."
            )
        else:
            known = "" if correlation is None else f" Its correlation with the picture is {correlation:.2f}."
            yield state("thumbnail", f"{found.thumbnail}{known}")
    yield from _jpeg(found)


def _software(found: StillMetadata) -> Iterator[Observation]:
    named = dict.fromkeys(
        value for _, name, value in found.fields if name in _SOFTWARE_FIELDS and value and not value.isspace()
    )
    if named:
        known = [one for text in named if (one := program_of(text)) is not None]
        editor = next((one for one in known if one.kind in ("editor", "generator")), None)
        role = f" ({editor.name}: {editor.role})" if editor else ""
        yield state(
            "software_stated", f"{listed(f'“{text}”' for text in named)}{role}.", weight="attention" if editor else None
        )
    steps = [line for line in (found.xmp.history if found.xmp else []) if not _HARMLESS_ACTIONS.match(line)]
    derived = found.xmp.value("stRef:documentID") if found.xmp else None
    if steps or derived:
        parts = [f"{len(steps)} step(s): {listed(steps, 4)}"] if steps else []
        if derived:
            parts.append("it is stated to be derived from another document")
        text = "; ".join(parts)
        yield state("edit_history", f"{text[0].upper()}{text[1:]}.")


def _generators(found: StillMetadata) -> Iterator[Observation]:
    for section, name, value in found.fields:
        lowered = name.lower()
        if section == "PNG text" and lowered in _GENERATOR_TEXTS:
            yield state(
                "generator_stated",
                f"The PNG text “{name}”, as {_GENERATOR_TEXTS[lowered]} writes it, begins “{shown(value, 120)}”.",
            )
        elif name == "Iptc4xmpExt:DigitalSourceType" and "algorithmicmedia" in value.lower():
            yield state(
                "generator_stated", f"XMP states the digital source type {value.rstrip('/').rsplit('/', 1)[-1]}."
            )
        elif name in ("UserComment", "comment", "ImageDescription", "Description") and _GENERATOR_SETTINGS.search(
            value
        ):
            yield state("generator_stated", f"{section} {name} holds a generator's settings: “{shown(value, 120)}”.")
        elif (program := program_of(value)) and program.kind == "generator" and name in _SOFTWARE_FIELDS:
            yield state("generator_stated", f"{section} {name} is “{shown(value, 120)}”.")
        elif lowered in ("aigc", "tc260:aigc") or name.endswith(":AIGC"):
            yield state("generator_stated", f"{section} {name} labels the picture as generated: “{shown(value, 120)}”.")


def _times(found: StillMetadata) -> Iterator[Observation]:
    taken, written = (_when(found.exif.get(name)) for name in ("DateTimeOriginal", "DateTime"))
    if taken and written and written - taken > _SAME_TIME:
        yield state(
            "capture_changed",
            f"EXIF says taken {found.exif['DateTimeOriginal']} and last changed {found.exif['DateTime']}.",
        )
    elif taken and written and taken - written > _SAME_TIME:
        yield state(
            "times_differ", f"EXIF says changed {found.exif['DateTime']} before taken {found.exif['DateTimeOriginal']}."
        )
    latest = max((when for when in (taken, written) if when), default=None)
    # EXIF states no time zone: what lies less than a day ahead may be a clock elsewhere.
    if latest and latest > datetime.now(UTC).replace(tzinfo=None) + timedelta(days=1):
        yield state("time_implausible", f"EXIF states {latest:%Y-%m-%d %H:%M:%S}, in the future.")


def _when(text: str | None) -> datetime | None:
    try:
        return datetime.strptime((text or "")[:19], "%Y:%m:%d %H:%M:%S")
    except ValueError:
        return None


def _sizes(evidence: Evidence, found: StillMetadata) -> Iterator[Observation]:
    try:
        stated = {int(float(found.exif[name])) for name in ("ExifImageWidth", "ExifImageHeight")}
    except (KeyError, ValueError, OverflowError):
        return
    if 0 not in stated and stated != {found.width, found.height}:
        width, height = found.exif["ExifImageWidth"], found.exif["ExifImageHeight"]
        yield state(
            "size_changed", f"EXIF states {width} x {height} pixels; the picture has {found.width} x {found.height}."
        )


def _jpeg(found: StillMetadata) -> Iterator[Observation]:
    if found.jpeg is None:
        return
    jpeg = found.jpeg
    tables = (
        f"tables of the IJG library at quality {jpeg.quality}"
        if jpeg.quality
        else "tables that are not the IJG library's"
    )
    form = f", {jpeg.subsampling} colour" if jpeg.subsampling else ""
    yield state(
        "jpeg_tables", f"{len(jpeg.tables)} table(s), {tables}{form}{', progressive' if jpeg.progressive else ''}."
    )
    if jpeg.double:
        steps = ", ".join(f"{mode}: {step:g}" for mode, step in jpeg.double)
        yield state(
            "jpeg_twice",
            f"The histograms of {len(jpeg.double)} of 9 DCT frequencies fit two quantisations far better than one "
            f"(earlier steps by row,column: {steps}).",
        )
