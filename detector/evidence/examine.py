"""Find out what a stored file is: its container, its video and audio streams, and whether it is whole."""

from __future__ import annotations

from dataclasses import replace
from pathlib import PurePath
from typing import Any

from detector.errors import EmptyFileError, EncryptedFileError, EvidenceError, NoFramesError, TruncatedFileError
from detector.evidence.decoder import Decoder
from detector.evidence.isobmff import BoxLayout, read_layout
from detector.evidence.opening import not_media, open_video, oversized, read_head, refuse_oversized
from detector.evidence.pixels import Orientation
from detector.evidence.signature import Signature, declared_length, identify
from detector.evidence.stills import examine_still
from detector.evidence.timeline import Timeline, timeline_of
from detector.evidence.types import AudioStream, Container, Evidence, Integrity, StoredFile, VideoStream

# Packets tried until the first picture; behind that, the stream is taken to hold none.
_MAX_PACKETS_TO_FIRST_FRAME = 2_000
_MAX_TAGS, _MAX_TAG_CHARS = 64, 500
_COLOUR_RANGES = {1: "limited", 2: "full"}
# ISO/IEC 23091-2 (CICP), matrix coefficients.
_COLOUR_SPACES = {
    0: "rgb",
    1: "bt709",
    4: "fcc",
    5: "bt470bg",
    6: "smpte170m",
    7: "smpte240m",
    8: "ycgco",
    9: "bt2020nc",
    10: "bt2020c",
}


def examine(stored: StoredFile) -> Evidence:
    """Describe a stored video or still; reads every packet of a video but decodes only its first frame.

    `video.rotation_deg` is the clockwise turn (0, 90, 180, 270) from the stored to the displayed picture. The content
    decides what the file is; a name that says otherwise is a warning. Raises the `EvidenceError` that names what was
    found: `EmptyFileError`, `NotMediaError`, `TruncatedFileError`, `NoVideoStreamError`, `EncryptedFileError`,
    `NoFramesError`, `OversizedError`.
    """
    if not stored.path.is_file():
        raise EvidenceError(f"Expected the stored copy {stored.sha256}, found none. Ingest the evidence again.")
    if stored.path.stat().st_size == 0:
        raise EmptyFileError("Expected a video or a still image, found an empty file (0 bytes). Copy it again.")
    head = read_head(stored.path)
    signature = identify(head)
    if signature.kind == "other":
        raise not_media(signature)
    if signature.kind == "still":
        evidence = examine_still(stored, signature.label)
        warnings = _name_warnings(stored.file_name, signature) + list(evidence.integrity.warnings)
        return replace(evidence, integrity=replace(evidence.integrity, warnings=tuple(warnings)))
    layout = _checked_layout(stored, signature)
    missing_bytes = layout.missing_bytes if layout else max(0, (declared_length(head) or 0) - stored.size_bytes)
    with open_video(stored.path) as decoder:
        picture = _first_frame(decoder, signature, layout, missing_bytes)
        timeline = timeline_of(stored)
        warnings = (
            _name_warnings(stored.file_name, signature)
            + _length_warnings(decoder, timeline, missing_bytes)
            + _timing_warnings(timeline)
            + _picture_warnings(decoder, picture, layout)
        )
        return Evidence(
            file=stored,
            kind="video",
            container=_container(decoder.container),
            video=_video(decoder, picture, timeline),
            audio=_audio(decoder.container),
            integrity=Integrity(
                decode_errors=max(decoder.complaints, timeline.complaints), warnings=tuple(dict.fromkeys(warnings))
            ),
        )


def _checked_layout(stored: StoredFile, signature: Signature) -> BoxLayout | None:
    if "mp4" not in signature.extensions:
        return None
    layout = read_layout(stored.path)
    if layout.protected_video:
        raise EncryptedFileError(
            "Expected a readable video, found an MP4 file whose video is encrypted (protected sample entry). "
            "Obtain the key holder's decrypted copy."
        )
    if not layout.has_index:
        missing = f", {layout.missing_bytes} bytes short of its own structure" if layout.missing_bytes else ""
        raise TruncatedFileError(
            f"Expected a complete video, found an MP4 file without its index (moov box){missing}. "
            "The recording or the copy broke off; obtain a complete copy, or repair a copy and note that."
        )
    return layout


def _first_frame(decoder: Decoder, signature: Signature, layout: BoxLayout | None, missing_bytes: int) -> Any:
    packets = 0
    encrypted = False
    for packet in decoder.packets():
        packets += 1
        encrypted |= packet.has_sidedata("encryption_info")
        if frames := decoder.decode(packet):
            return frames[0]
        if packets >= _MAX_PACKETS_TO_FIRST_FRAME:
            break
    if frames := decoder.decode(None):
        return frames[0]
    said = " ".join(decoder.log.samples)
    if encrypted or "DRM" in said or "encrypted" in said:
        raise EncryptedFileError(
            f"Expected a readable video, found {signature.label} whose video is encrypted. "
            "Obtain the key holder's decrypted copy."
        )
    if "max pixel count" in said:
        raise oversized("a larger picture")
    for width, height in layout.declared_sizes if layout else ():
        refuse_oversized(width, height)
    if signature.kind == "unknown":
        raise not_media(signature)
    if missing_bytes or (packets == 0 and decoder.video.frames):
        raise TruncatedFileError(
            f"Expected a complete video, found {signature.label} that breaks off before its first picture"
            f"{f' ({missing_bytes} bytes are missing)' if missing_bytes else ''}. Obtain a complete copy."
        )
    raise NoFramesError(
        f"Expected a video, found {signature.label} with a video stream of {packets} packets from which no frame "
        f"decodes{f' (“{decoder.log.samples[0]}”)' if decoder.log.samples else ''}. Obtain another copy of the file."
    )


def _container(container: Any) -> Container:
    tags = [(str(key), str(value)[:_MAX_TAG_CHARS]) for key, value in sorted(container.metadata.items())]
    return Container(
        format_name=container.format.name,
        duration_s=None if container.duration is None else container.duration / 1_000_000,
        bit_rate=container.bit_rate or None,
        stream_count=len(container.streams),
        tags=tuple(tags[:_MAX_TAGS]),
    )


def _video(decoder: Decoder, picture: Any, timeline: Timeline) -> VideoStream:
    stream = decoder.video
    orientation = Orientation.of(picture)
    width, height = picture.width, picture.height
    count = len(timeline.pts)
    span_s = float((int(timeline.pts[-1]) - int(timeline.pts[0])) * timeline.time_base) if count else 0.0
    return VideoStream(
        codec=stream.codec_context.codec.canonical_name,
        profile=stream.profile,
        width=height if orientation.swaps_sides else width,
        height=width if orientation.swaps_sides else height,
        coded_width=width,
        coded_height=height,
        duration_s=timeline.duration_s,
        frame_count=count,
        rotation_deg=orientation.rotation_deg,
        variable_frame_rate=timeline.variable_frame_rate,
        average_fps=(count - 1) / span_s if span_s > 0 else None,
        time_base=timeline.time_base,
        pixel_format=picture.format.name,
        bit_depth=max((component.bits for component in picture.format.components), default=8),
        colour_range=_COLOUR_RANGES.get(picture.color_range),
        colour_space=_COLOUR_SPACES.get(picture.colorspace),
        keyframe_count=len(timeline.keyframe_pts),
        keyframe_interval_s=timeline.keyframe_interval_s,
    )


def _audio(container: Any) -> AudioStream | None:
    for stream in container.streams.audio:
        codec = stream.codec_context
        if codec is None:
            continue
        duration = stream.duration
        return AudioStream(
            codec=codec.codec.canonical_name,
            sample_rate_hz=codec.sample_rate,
            channels=codec.channels,
            duration_s=None if duration is None else float(duration * stream.time_base),
        )
    return None


def _name_warnings(file_name: str, signature: Signature) -> list[str]:
    extension = PurePath(file_name).suffix.lower().lstrip(".")
    if not extension or extension in signature.extensions or not signature.extensions:
        return []
    return [f"The file name ends in “.{extension[:16]}” but the content is {signature.label}."]


def _length_warnings(decoder: Decoder, timeline: Timeline, missing_bytes: int) -> list[str]:
    warnings = []
    if missing_bytes:
        warnings.append(f"The file is truncated: it ends {missing_bytes} bytes before its own structure does.")
    declared = decoder.video.frames
    shown = len(timeline.pts) if timeline.counted else len(timeline.pts) + timeline.repeated + timeline.missing
    if declared > shown + timeline.hidden:
        warnings.append(f"The file declares {declared} frames but holds {shown + timeline.hidden}.")
    if timeline.hidden:
        warnings.append(f"{timeline.hidden} frame(s) in the file are never displayed and are not examined.")
    if decoder.video.duration and declared <= shown + timeline.hidden:
        declared_s = float(decoder.video.duration * timeline.time_base)
        if declared_s - timeline.duration_s > max(0.5, 0.02 * declared_s):
            warnings.append(
                f"The video stream declares {declared_s:.2f} s but its frames cover {timeline.duration_s:.2f} s."
            )
    return warnings


def _timing_warnings(timeline: Timeline) -> list[str]:
    found = {
        "without a time stamp": timeline.missing,
        "with a repeated time stamp": timeline.repeated,
        "with a time stamp that goes back": timeline.backward,
        "marked as damaged by the container": timeline.corrupt,
    }
    warnings = [f"{count} packet(s) {what}." for what, count in found.items() if count]
    if timeline.counted:
        warnings.append("The file holds no usable presentation times; frames are timed by their order.")
    return warnings


def _picture_warnings(decoder: Decoder, picture: Any, layout: BoxLayout | None) -> list[str]:
    warnings = []
    orientation = Orientation.of(picture)
    if not orientation.exact:
        warnings.append("The file asks for a display angle that is not a quarter turn; the nearest one is applied.")
    if orientation.mirrored:
        warnings.append("The file asks for a mirrored display; it is applied.")
    aspect = decoder.video.sample_aspect_ratio
    if aspect not in (None, 0, 1):
        warnings.append(f"Pixels are not square ({aspect.numerator}:{aspect.denominator}); frames keep stored pixels.")
    if picture.interlaced_frame:
        warnings.append("The video is interlaced; frames are examined with both fields.")
    videos = len(decoder.container.streams.video)
    if videos > 1:
        warnings.append(f"The file holds {videos} picture streams; stream {decoder.video.index} is examined.")
    size = (picture.width, picture.height)
    if layout and layout.declared_sizes and size not in layout.declared_sizes:
        width, height = layout.declared_sizes[0]
        warnings.append(f"The container declares {width} x {height} but the pictures are {size[0]} x {size[1]}.")
    return warnings
