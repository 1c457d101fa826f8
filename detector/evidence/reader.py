"""The one streaming pass over a video that an analysis makes: sampled frames, shots, and what the decoder reports."""

from __future__ import annotations

import time
from collections.abc import Iterator
from types import TracebackType
from typing import Any, NamedTuple

import numpy as np
from av.video.reformatter import VideoReformatter
from numpy.typing import NDArray

from detector.errors import NoFramesError, SettingsError
from detector.evidence.decoder import Decoder
from detector.evidence.pixels import to_rgb
from detector.evidence.sampling import Sampler
from detector.evidence.sequential import SequentialDecoder
from detector.evidence.shots import ShotDetector
from detector.evidence.stills import read_still
from detector.evidence.timeline import Timeline, timeline_of
from detector.evidence.types import JUST_BEFORE_S, Evidence, Frame, Integrity


class FrameReader:
    """Iterate over the frames to examine, in presentation order, while every frame of the file is decoded once.

    Every decoded frame is looked at as a thumbnail for shot changes; only sampled ones become RGB pictures. With
    `with_before` each carries the picture displayed just before it: at most a tenth of a second earlier, in the same
    shot and of the same size. `offset` as in `Sampler`. Memory does not grow with the length of the file. Use as a
    context manager; one thread at a time. A damaged part does not end the iteration, it is counted in `integrity`.
    Raises `SettingsError` for a rate or bound that is not positive, `EvidenceError` if the stored file is gone,
    `NoFramesError` at the end if nothing decoded.

    Attributes: `shot_starts_s` the seconds at which shots begin, so far, the first included; `busy_s` the seconds that
    reading, decoding and converting took so far.
    """

    def __init__(
        self,
        evidence: Evidence,
        *,
        frames_per_second: float,
        max_frames: int,
        with_before: bool = False,
        offset: float = 0.0,
    ) -> None:
        if not frames_per_second > 0 or max_frames < 1:
            raise SettingsError(
                f"Expected a positive rate and at least one frame, found {frames_per_second!r} frames per second "
                f"and max_frames {max_frames!r}."
            )
        self._evidence, self._with_before = evidence, with_before
        self.shot_starts_s: list[float] = []
        self.busy_s = 0.0
        self._decoded = self._unordered = self._sizes_changed = 0
        self._finished = False
        self._sequential: SequentialDecoder | None = None
        if evidence.kind == "still":
            self._sampler = Sampler(
                frames_per_second=frames_per_second, max_frames=max_frames, start_s=0, duration_s=0, interval_s=0
            )
            self._iterator = self._still_frame()
            return
        started = time.perf_counter()
        timeline = timeline_of(evidence.file)
        self._sequential = SequentialDecoder(evidence.file.path, timeline)
        self.busy_s = time.perf_counter() - started
        self._sampler = Sampler(
            frames_per_second=frames_per_second,
            max_frames=max_frames,
            start_s=float(int(timeline.pts[0]) * timeline.time_base) if len(timeline.pts) else 0.0,
            duration_s=timeline.duration_s,
            interval_s=float(timeline.interval * timeline.time_base),
            offset=offset,
        )
        self._iterator = self._sampled_frames(self._sequential, timeline)

    def __enter__(self) -> FrameReader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __iter__(self) -> Iterator[Frame]:
        return self

    def __next__(self) -> Frame:
        return next(frame for frame in self.steps() if frame is not None)

    def steps(self) -> Iterator[Frame | None]:
        """The rest of the pass, a frame of the file each: None for one that is not to be examined."""
        while True:
            started = time.perf_counter()
            try:
                frame = next(self._iterator)
            except StopIteration:
                return
            finally:
                self.busy_s += time.perf_counter() - started
            yield frame

    @property
    def frames_decoded(self) -> int:
        """The number of frames decoded so far, sampled or not."""
        return self._decoded

    @property
    def expected_frames(self) -> int:
        """The number of frames that the whole pass will yield, as far as is known now."""
        return self._sampler.taken if self._finished else self._sampler.expected

    @property
    def progress(self) -> float:
        """The share of the file that was decoded, 0..1; 1 only when finished."""
        if self._finished:
            return 1.0
        return min(0.999, self._decoded / max(1, self._evidence.video.frame_count))

    @property
    def integrity(self) -> Integrity:
        """The file's integrity as far as it was read: what the examination found, then what decoding found."""
        warnings = list(self._evidence.integrity.warnings)
        complaints = 0
        if self._sequential is not None:
            complaints = self._sequential.decoder.complaints
            warnings += self._decoding_warnings(self._sequential.decoder)
        return Integrity(decode_errors=complaints, warnings=tuple(dict.fromkeys(warnings)))

    def close(self) -> None:
        """Release the file; what was counted stays readable. Safe to call twice and before the end."""
        if self._sequential is not None:
            self._sequential.close()
        self._iterator = iter(())

    def _still_frame(self) -> Iterator[Frame | None]:
        image = read_still(self._evidence.file.path)
        self._decoded = 1
        self._sampler.wants(0.0, new_shot=False)
        self.shot_starts_s.append(0.0)
        self._finished = True
        yield Frame(frame_index=0, pts=0, pts_s=0.0, shot_index=0, image=image)

    def _sampled_frames(self, whole: SequentialDecoder, timeline: Timeline) -> Iterator[Frame | None]:
        shots = ShotDetector()
        converted = _Converter(VideoReformatter())
        last: _TimedPicture | None = None
        size: tuple[int, int] | None = None
        cut = False
        for picture in whole.frames():
            index = self._decoded
            self._decoded += 1
            self._sizes_changed += size is not None and size != (picture.width, picture.height)
            size = (picture.width, picture.height)
            cut |= shots.is_cut(picture)
            pts = timeline.pts_of(index) if timeline.counted else picture.pts
            if pts is None or (last is not None and pts <= last.pts):
                # Without a place of its own in time the frame could not be found again; a cut at it holds for the next.
                self._unordered += 1
                yield None
                continue
            pts_s = float(pts * timeline.time_base)
            before, last = last, _TimedPicture(picture, pts, pts_s)
            if cut or not self.shot_starts_s:
                self.shot_starts_s.append(pts_s)
            new_shot, cut = cut, False
            if not self._sampler.wants(pts_s, new_shot=new_shot):
                yield None
                continue
            earlier = None
            if self._with_before and before is not None and not new_shot and _just_before(before, last):
                earlier = converted(before)
            image = converted(last)
            yield Frame(
                frame_index=timeline.index_of(pts),
                pts=pts,
                pts_s=pts_s,
                shot_index=len(self.shot_starts_s) - 1,
                image=image,
                before=earlier,
            )
        self._finished = True
        if self._decoded == 0:
            raise NoFramesError(
                "Expected a video, found a video stream from which no frame decodes. Obtain another copy of the file."
            )

    def _decoding_warnings(self, decoder: Decoder) -> list[str]:
        warnings = []
        if decoder.complaints:
            said = f"; the first: “{decoder.log.samples[0]}”" if decoder.log.samples else ""
            warnings.append(
                f"The decoder reported {decoder.complaints} error(s){said}. "
                "Pictures near them may show damage that is not manipulation."
            )
        if self._unordered:
            warnings.append(f"{self._unordered} frame(s) without a usable time stamp were not examined.")
        if self._sizes_changed:
            warnings.append(f"The picture size changes {self._sizes_changed} time(s) within the stream.")
        lost = self._evidence.video.frame_count - self._decoded
        if self._finished and lost > 0:
            warnings.append(f"{lost} of {self._evidence.video.frame_count} frames in the file did not decode.")
        return warnings


class _TimedPicture(NamedTuple):
    """A decoded picture with its place in time."""

    picture: Any
    pts: int
    pts_s: float


def _just_before(one: _TimedPicture, other: _TimedPicture) -> bool:
    alike = (one.picture.width, one.picture.height) == (other.picture.width, other.picture.height)
    return alike and other.pts_s - one.pts_s <= JUST_BEFORE_S


class _Converter:
    """Decoded pictures to RGB; the last one is not converted twice."""

    def __init__(self, reformatter: VideoReformatter) -> None:
        self._reformatter = reformatter
        self._last: tuple[int, NDArray[np.uint8]] | None = None

    def __call__(self, timed: _TimedPicture) -> NDArray[np.uint8]:
        if self._last is None or self._last[0] != timed.pts:
            self._last = timed.pts, to_rgb(timed.picture, self._reformatter)
        return self._last[1]
