"""One opened media file: a demuxer, one video decoder, and the log of what they complain about."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator
from fractions import Fraction
from itertools import chain
from pathlib import Path
from types import TracebackType
from typing import Any

import av
from av.codec.context import ThreadType
from av.stream import Discard, Disposition

from detector.evidence.decoder_log import DecoderLog

MAX_SIDE_PX = 16_384
# More than twice the 35.7 megapixels that H.264, HEVC and AV1 allow at level 6.2; a decoder holds several pictures.
MAX_PIXELS = 80_000_000
# Decoded pictures that a decoder's threads may work on side by side, at 4 bytes a pixel.
_THREADED_BYTES = 512_000_000
_MAX_THREADS = 16  # FFmpeg's own limit
# Codecs that say of each packet whether other pictures need it (nal_ref_idc of ITU-T H.264, 7.4.1; MPEG's B-pictures),
# and whose decoders may be told anew at each. HEVC says so of its own sub-layer only, AV1's decoder asks once when it
# is opened; a packet of interlaced video may be half a picture.
_TELL_UNREFERENCED, _PROGRESSIVE = {"h264", "mpeg1video", "mpeg2video"}, 1
# Reading errors in a row, without one packet between them, after which the rest of the file is given up.
MAX_READ_FAILURES = 64

# Evidence is hostile: playlists and image sequences could make FFmpeg open other files or addresses, so only
# self-contained formats and only local files are allowed.
_FORMATS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,mpegvideo,flv,live_flv,asf,ogg,gif,h263,h264,hevc,vvc,ivf,"
    "obu,av1,m4v,vc1,wav,w64,aiff,caf,mp3,aac,ac3,eac3,amr,flac,mxf,dv,nut,rm,yuv4mpegpipe,wtv,dhav"
)
_CONTAINER_OPTIONS = {"format_whitelist": _FORMATS, "protocol_whitelist": "file"}
_CODEC_OPTIONS = {"max_pixels": str(MAX_PIXELS)}


class Decoder:
    """A file opened for demuxing and decoding its main video stream; not for use by two threads at once.

    `stream` is None when the file holds no video. A failure to read or decode never raises: it is counted in
    `read_failures` or `decode_failures` and the work goes on behind it. Opening raises `av.FFmpegError`.

    With `threaded`, frames are decoded side by side. What FFmpeg patches up after damage then depends on chance, so
    pictures are reproducible only while `complaints` is 0; without, always.
    """

    def __init__(self, path: Path, *, threaded: bool = True) -> None:
        self.log = DecoderLog()
        self.read_failures = 0
        self.decode_failures = 0
        self.corrupt_frames = 0
        try:
            with self.log:
                self.container = av.open(
                    str(path.absolute()),
                    mode="r",
                    options=_CODEC_OPTIONS,
                    container_options=_CONTAINER_OPTIONS,
                    metadata_errors="backslashreplace",
                )
        except BaseException:
            self.log.close()
            raise
        self.stream = main_video_stream(self.container)
        for other in self.container.streams:
            if other is not self.stream:
                other.discard = Discard.all
        if self.stream is not None:
            codec = self.stream.codec_context
            codec.thread_type = ThreadType.AUTO if threaded else ThreadType.NONE
            codec.thread_count = _thread_count(codec.width * codec.height) if threaded else 1
            codec.options = dict(_CODEC_OPTIONS)

    def __enter__(self) -> Decoder:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __del__(self) -> None:
        # A reader that was dropped without closing must not free a decoder at work; see `close`.
        if hasattr(self, "stream"):
            self.close()

    @property
    def video(self) -> Any:
        """The main video stream; only for files known to have one."""
        if self.stream is None:
            raise ValueError("the file has no video stream")
        return self.stream

    @property
    def time_base(self) -> Fraction:
        """Seconds a tick of the video stream's time stamps."""
        return self.video.time_base or Fraction(1, 1000)

    @property
    def complaints(self) -> int:
        """Errors so far: FFmpeg's messages, or failed calls or frames marked corrupt where those outnumber them."""
        return max(self.log.count, self.read_failures + self.decode_failures, self.corrupt_frames)

    def packets(self) -> Iterator[Any]:
        """The video stream's packets in decoding order from the current position, without the empty ones."""
        failures = 0
        while failures < MAX_READ_FAILURES:
            source = self.container.demux(self.video)
            while True:
                try:
                    with self.log:
                        packet = next(source)
                except StopIteration:
                    return
                except av.FFmpegError:
                    failures += 1
                    self.read_failures += 1
                    break
                if packet.size:
                    failures = 0
                    yield packet

    def decode(self, packet: Any | None) -> list[Any]:
        """The frames that this packet completes, in presentation order; None drains the decoder at the end."""
        codec = self.video.codec_context
        try:
            if not codec.is_open:
                self.log.open_codec(codec)
            with self.log:
                frames = codec.decode(packet)
        except av.FFmpegError:
            self.decode_failures += 1
            return []
        self.corrupt_frames += sum(frame.is_corrupt for frame in frames)
        return frames

    def frames(self, *, wanted: Collection[int] | None = None) -> Iterator[Any]:
        """Every frame from the current position in presentation order, decoded as they are asked for.

        With `wanted`, those frames may be missing that have another PTS and that no other frame refers to: they need
        not be decoded, and what is decoded is the same without them. Nothing is noticed of damage in them.
        """
        return self._decoded(self.packets(), wanted)

    def _decoded(self, packets: Iterable[Any], wanted: Collection[int] | None) -> Iterator[Any]:
        codec = self.video.codec_context
        leaves_out = (
            wanted is not None
            and codec.codec.canonical_name in _TELL_UNREFERENCED
            and codec.field_order == _PROGRESSIVE
        )
        for packet in packets:
            if wanted is not None and leaves_out:
                # After damage any frame may have to stand in for one that is wanted.
                spared = not self.complaints and packet.pts is not None and packet.pts not in wanted
                codec.skip_frame = "NONREF" if spared else "DEFAULT"
            yield from self.decode(packet)
        yield from self.decode(None)

    def frames_from(self, start: int, *, until: int, wanted: Collection[int] | None = None) -> Iterator[Any] | None:
        """As `frames`, from the keyframe at `start` or one before it; None if only one after `until` can be reached."""
        if not self.seek(start):
            return None
        packets = self.packets()
        first = next((packet for packet in packets if packet.is_keyframe), None)
        if first is None or first.pts is None or first.pts > until:
            return None
        return self._decoded(chain((first,), packets), wanted)

    def seek(self, pts: int) -> bool:
        """Go to the keyframe at or before `pts`, as well as the container can; False where it cannot seek."""
        try:
            with self.log:
                self.container.seek(pts, stream=self.video, backward=True)
        except av.FFmpegError:
            return False
        return True

    def close(self) -> None:
        """Release the file and the decoder. Safe to call twice."""
        if self.stream is not None and self.stream.codec_context is not None and self.stream.codec_context.is_open:
            # Idles the worker threads while the interpreter lock is free; freeing a decoder whose worker still waits
            # for that lock to log a message would hang.
            self.stream.codec_context.flush_buffers()
        self.container.close()
        self.log.close()


def _thread_count(pixels: int) -> int:
    """One picture a thread, within `_THREADED_BYTES`."""
    return max(1, min(os.cpu_count() or 1, _MAX_THREADS, _THREADED_BYTES // (4 * max(1, pixels))))


def main_video_stream(container: Any) -> Any | None:
    """The stream to examine: never cover art; the default one first, then the largest. None without video."""
    streams = [
        stream
        for stream in container.streams.video
        if not stream.disposition & (Disposition.attached_pic | Disposition.timed_thumbnails)
        and stream.codec_context is not None
    ]
    return max(
        streams,
        key=lambda stream: (
            bool(stream.disposition & Disposition.default),
            stream.codec_context.width * stream.codec_context.height,
            -stream.index,
        ),
        default=None,
    )
