"""Observations of a video's metadata and of content credentials."""

from __future__ import annotations

from collections.abc import Iterator

from detector.evidence.forensics.meaning import state
from detector.evidence.forensics.programs import program_of
from detector.evidence.forensics.types import MetadataFacts, Observation, Provenance
from detector.evidence.forensics.xmp import Xmp
from detector.evidence.text import listed, shown

_POSITION_TAGS = ("location", "location-eng", "com.apple.quicktime.location.iso6709", "com.android.location")
_SKIPPED = {"major_brand", "minor_version", "compatible_brands"}


def observe_credentials(found: Provenance) -> Iterator[Observation]:
    """Observations of content credentials that are broken, or that name a generator or edits."""
    if found.state == "invalid":
        yield state("credentials_broken", found.statement)
    if found.ai_generated:
        signed = {
            "valid": "signed by a trusted signer",
            "untrusted": "signed by a signer that is in no trust list",
            "invalid": "in credentials that do not match the file",
        }.get(found.state, "unsigned")
        yield state("generator_stated", f"Content credentials, {signed}, state {listed(found.ai_generated)}.")


def video_metadata(tags: dict[str, str], xmp: Xmp | None) -> MetadataFacts:
    """The container's tags and an XMP packet in it, as facts."""
    fields = [("Container", name, value) for name, value in tags.items() if name not in _SKIPPED]
    fields += [("XMP", name, value) for name, value in (xmp.properties if xmp else [])]
    software = [
        value
        for _, name, value in fields
        if name in ("encoder", "software", "com.apple.quicktime.software", "xmp:CreatorTool")
    ]
    return MetadataFacts(
        sections=tuple(dict.fromkeys(section for section, _, _ in fields)),
        fields=tuple(fields[:160]),
        history=tuple(xmp.history) if xmp else (),
        software=tuple(dict.fromkeys(software)),
        gps=any(name in _POSITION_TAGS for name in tags),
    )


def observe_video_metadata(facts: MetadataFacts, xmp: Xmp | None) -> Iterator[Observation]:
    """Observations of a video's tags and XMP: place, device, editing programs."""
    if facts.gps:
        place = next(value for _, name, value in facts.fields if name in _POSITION_TAGS)
        yield state("position", f"The container states {place}.")
    for section, name, value in facts.fields:
        lowered = name.lower()
        if lowered == "aigc" or lowered.endswith(":aigc"):
            yield state("generator_stated", f"{section} {name} labels the video as generated: “{shown(value, 120)}”.")
        elif lowered.endswith("digitalsourcetype") and "algorithmicmedia" in value.lower():
            yield state(
                "generator_stated", f"{section} states the digital source type {value.rstrip('/').rsplit('/', 1)[-1]}."
            )
        elif (
            (program := program_of(value))
            and program.kind == "generator"
            and lowered in ("encoder", "software", "comment", "title", "artist", "xmp:creatortool")
        ):
            yield state("generator_stated", f"{section} {name} is “{shown(value, 120)}”.")
    if xmp is not None and xmp.history:
        yield state("edit_history", f"{len(xmp.history)} step(s): {listed(xmp.history, 4)}.")
    if xmp is not None and xmp.problem:
        yield state("unreadable_metadata", xmp.problem)
