"""Open a stored video, or say in one error what stands in the way."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import av

from detector.errors import (
    EvidenceError,
    NotMediaError,
    NoVideoStreamError,
    OversizedError,
    TruncatedFileError,
)
from detector.evidence.decoder import MAX_PIXELS, MAX_SIDE_PX, Decoder
from detector.evidence.signature import HEAD_BYTES, Signature, identify

# Formats that FFmpeg recognises by a byte pattern so short that noise can hold it.
_GUESSED_FORMATS = {
    "mp3",
    "aac",
    "ac3",
    "eac3",
    "h263",
    "h264",
    "hevc",
    "vvc",
    "m4v",
    "mpegvideo",
    "mpeg",
    "obu",
    "vc1",
}


def open_video(path: Path, *, threaded: bool = True) -> Decoder:
    """A decoder on the file's main video stream (see `Decoder` for `threaded`). Close it after use.

    Raises `EvidenceError` (stored copy missing, codec unknown), `TruncatedFileError`, `NotMediaError`,
    `NoVideoStreamError`, `OversizedError`; nothing is decoded beyond what FFmpeg needs to name the streams, and that
    within the same limits of size.
    """
    if not path.is_file():
        raise EvidenceError(f"Expected the stored copy {path.name}, found none. Ingest the evidence again.")
    signature = identify(read_head(path))
    try:
        decoder = Decoder(path, threaded=threaded)
    except av.FFmpegError as error:
        raise _unreadable(signature, error.strerror or type(error).__name__) from error
    try:
        if decoder.stream is None:
            raise _without_video(decoder, signature)
        codec = decoder.stream.codec_context
        refuse_oversized(codec.width, codec.height)
    except BaseException:
        decoder.close()
        raise
    return decoder


def read_head(path: Path) -> bytes:
    """The bytes by which a file is identified."""
    with path.open("rb") as stream:
        return stream.read(HEAD_BYTES)


def refuse_oversized(width: int, height: int) -> None:
    """Raise `OversizedError` for a picture that is not worth the risk of decoding."""
    if max(width, height) > MAX_SIDE_PX or width * height > MAX_PIXELS:
        raise oversized(f"{width} x {height}")


def oversized(found: str) -> OversizedError:
    """The error for a video whose pictures are too large."""
    return OversizedError(
        f"Expected at most {MAX_SIDE_PX} pixels a side and {MAX_PIXELS // 1_000_000} megapixels, found {found}. "
        "Nothing was decoded; scale a copy for examination, and keep the original."
    )


def not_media(signature: Signature) -> NotMediaError:
    """The error for a file whose content is something else."""
    return NotMediaError(
        f"Expected a video or a still image, found {signature.label}. Check that the right file was chosen."
    )


def _unreadable(signature: Signature, reason: str) -> EvidenceError:
    if signature.kind == "container":
        return TruncatedFileError(
            f"Expected a complete video, found {signature.label} whose header cannot be read ({reason}). "
            "The file is truncated or damaged; obtain a complete copy."
        )
    return not_media(signature)


def _without_video(decoder: Decoder, signature: Signature) -> EvidenceError:
    streams = decoder.container.streams
    if unknown := [stream for stream in streams.video if stream.codec_context is None]:
        return EvidenceError(
            f"Expected a video codec that FFmpeg decodes, found stream {unknown[0].index} in an unknown one. "
            "Convert a copy with the maker's own player, and note that it was converted."
        )
    guessed = signature.kind == "unknown" and decoder.container.format.name in _GUESSED_FORMATS
    if not streams.audio or (guessed and not _has_sound(decoder.container)):
        return _unreadable(signature, "no stream was found in it")
    codec = streams.audio[0].codec_context
    return NoVideoStreamError(
        f"Expected pictures, found only sound ({codec.name if codec else 'unknown codec'} in {signature.label}). "
        "Choose the file that holds the video."
    )


def _has_sound(container: Any) -> bool:
    """Whether a few audio frames in a row really decode; noise passes for one, not for several."""
    stream = container.streams.audio[0]
    stream.discard = av.stream.Discard.default
    decoded = 0
    try:
        for _ in container.decode(stream):
            decoded += 1
            if decoded == 8:
                return True
    except av.FFmpegError:
        return False
    return decoded > 0
