"""How far small changes move a score, and whether one flips the conclusion.

The same analysis runs once more for each row of `CHANGES`: on the file coded anew or made smaller, with crops cut wider
or narrower, on frames half-way between those examined, with face boxes that are a little off. None of them touches what
makes a face genuine or manipulated, so a conclusion that one of them flips rests on too little: it is inconclusive.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from detector.analysis.components import Components, FaceSearch
from detector.analysis.progress import Progress
from detector.analysis.types import Analysis, Conclusion, Reason, Sensitivity, Variant
from detector.errors import CancelledError, EvidenceError
from detector.evidence import displayed_frames, examine, frame_at, ingest, sound_blocks
from detector.evidence.types import Evidence, Frame
from detector.evidence.video_writer import VideoWriter
from detector.faces.types import Box, CropSpec, DetectedFace
from detector.settings import AnalysisSettings

SHIFT_SHARE: Final = 0.04
ZOOM_SHARE: Final = 0.05
_CODING = {"preset": "veryfast", "threads": "1", "x264-params": "mbtree=0"}  # mbtree reads memory that it never set

Report = Callable[[Progress], None]
Analyze = Callable[[Evidence, AnalysisSettings, Components, Report], Analysis]


@dataclass(frozen=True, slots=True)
class Change:
    """One row of `CHANGES`. `words` say within a sentence what is done. Either `rewrite` makes another file in a
    folder, asking a callable whether to stop, or `refit` changes how the file is examined."""

    name: str
    words: str
    rewrite: Callable[[Evidence, Path, Callable[[], bool]], Path] | None = None
    refit: Callable[[Components], Components] | None = None


def coded_anew(
    evidence: Evidence, folder: Path, cancelled: Callable[[], bool], *, crf: int, jpeg: int, scale: float = 1.0
) -> Path:
    """The file's pictures as H.264 (libx264) at `crf`, a still as JPEG of quality `jpeg`, both sides times `scale`; the
    sound coded anew as AAC. Frames keep their times. Raises CancelledError, EvidenceError where nothing decodes."""
    even = [max(2, round(scale * side) // 2 * 2) for side in (evidence.video.width, evidence.video.height)]
    size = even[0], even[1]

    def sized(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        if image.shape[1::-1] == size:
            return image
        return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)

    if evidence.kind == "still":
        path = folder / "still.jpg"
        picture = cv2.cvtColor(sized(frame_at(evidence, 0).image), cv2.COLOR_RGB2BGR)
        if not cv2.imwrite(str(path), picture, [cv2.IMWRITE_JPEG_QUALITY, jpeg]):
            raise EvidenceError("The picture could not be coded anew.")
        return path
    path = folder / "video.mp4"
    frames = (frame for frame in displayed_frames(evidence) if frame is not None)
    first = next(frames, None)
    if first is None:
        raise EvidenceError("No frame of the file decodes, so there is nothing to code anew.")
    with VideoWriter(
        path,
        size,
        fps=evidence.video.average_fps or 25.0,
        start_s=first.pts_s,
        sound=sound_blocks(evidence),
        comment="",
        title="",
        coding={**_CODING, "crf": str(crf)},
    ) as writer:
        for frame in chain([first], frames):
            if cancelled():
                raise CancelledError("The analysis was cancelled before it finished; nothing was recorded.")
            writer.write(sized(frame.image), frame.pts_s)
    return path


def _cut(components: Components, *, side: float) -> Components:
    """Crops whose square has `side` times its side."""

    def crop(
        image: NDArray[np.uint8], bbox_xyxy_px: Box, landmarks: NDArray[np.float32] | None, spec: CropSpec
    ) -> NDArray[np.uint8]:
        margin = (side * (1 + 2 * spec.margin) - 1) / 2
        return components.crop_face(image, bbox_xyxy_px, landmarks, replace(spec, margin=margin))

    return replace(components, crop_face=crop)


class _Jittered:
    """A face search whose boxes are moved by up to 4 % of their longer side and resized by up to 5 %, by numbers that
    follow from the frame's and the face's alone."""

    def __init__(self, search: FaceSearch) -> None:
        self._search = search

    def analyse(self, frame: Frame) -> tuple[DetectedFace, ...]:
        faces = self._search.analyse(frame)
        return tuple(_moved(face, np.random.default_rng((frame.frame_index, at))) for at, face in enumerate(faces))


def _moved(face: DetectedFace, rng: np.random.Generator) -> DetectedFace:
    x0, y0, x1, y1 = face.bbox_xyxy_px
    side = max(x1 - x0, y1 - y0)
    dx, dy = (float(share) * side for share in rng.uniform(-SHIFT_SHARE, SHIFT_SHARE, 2))
    grow = float(rng.uniform(-ZOOM_SHARE, ZOOM_SHARE)) * side / 2
    return replace(face, bbox_xyxy_px=(x0 + dx - grow, y0 + dy - grow, x1 + dx + grow, y1 + dy + grow))


class _OpenJittered:
    def __init__(self, components: Components, settings: AnalysisSettings) -> None:
        self._opened = components.open_faces(settings)

    def __enter__(self) -> _Jittered:
        return _Jittered(self._opened.__enter__())

    def __exit__(self, *what: Any) -> bool | None:  # noqa: ANN401 - as any context manager
        return self._opened.__exit__(*what)


CHANGES: Final = (
    Change("re_encoded", "coded anew (H.264, CRF 28)", rewrite=partial(coded_anew, crf=28, jpeg=60)),
    Change("rescaled", "made smaller, to three quarters", rewrite=partial(coded_anew, crf=18, jpeg=95, scale=0.75)),
    Change("wider_crop", "crops 10 % wider", refit=partial(_cut, side=1.1)),
    Change("narrower_crop", "crops 10 % narrower", refit=partial(_cut, side=0.9)),
    Change("offset_frames", "the frames half-way between", refit=lambda parts: replace(parts, frame_offset=0.5)),
    Change(
        "jittered_boxes",
        "face boxes a little off",
        refit=lambda parts: replace(parts, open_faces=partial(_OpenJittered, parts)),
    ),
)
WORDS: Final = {change.name: change.words for change in CHANGES}


def with_sensitivity(
    run: Analyze,
    evidence: Evidence,
    settings: AnalysisSettings,
    components: Components,
    *,
    on_progress: Report | None,
    cancelled: Callable[[], bool],
) -> Analysis:
    """The analysis that `run` makes, with its sensitivity, and with a conclusion that says what came of it.

    A change that cannot be made, or after which nothing is scored, has no score, with the reason. Raises what `run`
    raises on the file as it is, and CancelledError.
    """
    start_s = time.perf_counter()
    meter = _Meter(on_progress, 1 + len(CHANGES))
    plain = run(evidence, settings, components, meter.part(0, ""))
    variants = []
    quiet = replace(components, examine_file=None)
    for number, change in enumerate(CHANGES, 1):
        report = meter.part(number, f"Small changes, {number} of {len(CHANGES)}, {change.words}: ")
        variants.append(_tried(change, run, evidence, settings, quiet, report, cancelled, plain.conclusion))
    scores = [one for one in (plain.conclusion.score, *(variant.score for variant in variants)) if one is not None]
    found = Sensitivity(min(scores, default=None), max(scores, default=None), tuple(variants))
    return replace(
        plain,
        sensitivity=found,
        conclusion=weighed(plain.conclusion, found),
        timings={**plain.timings, "sensitivity": time.perf_counter() - start_s - plain.timings.get("total", 0.0)},
    )


def _tried(
    change: Change,
    run: Analyze,
    evidence: Evidence,
    settings: AnalysisSettings,
    components: Components,
    report: Report,
    cancelled: Callable[[], bool],
    plain: Conclusion,
) -> Variant:
    try:
        if change.refit is not None:
            why = _why_not(change, evidence, settings)
            if why is not None:
                return Variant(change.name, None, None, reason=why)
            found = run(evidence, settings, change.refit(components), report).conclusion
        else:
            assert change.rewrite is not None
            with tempfile.TemporaryDirectory(prefix="framewitness-variant-") as name:
                folder = Path(name)
                report(Progress("prepare", 0.0, None, "Writing the changed file."))
                stored = ingest(change.rewrite(evidence, folder, cancelled), folder)
                found = run(examine(stored), settings, components, report).conclusion
    except CancelledError:
        raise
    except Exception as error:
        # Whatever a changed file makes something stumble over, the analysis of the file itself stands.
        return Variant(change.name, None, None, reason=f"It was not examined ({str(error) or type(error).__name__}).")
    if found.score is None:
        return Variant(change.name, None, None, reason=found.reasons[0].text)
    return Variant(change.name, found.score, found.label, flips=found.called != plain.called)


def _why_not(change: Change, evidence: Evidence, settings: AnalysisSettings) -> str | None:
    if change.name == "offset_frames":
        if evidence.kind == "still":
            return "A still has no other frame."
        if settings.frames_per_second >= (evidence.video.average_fps or float("inf")):
            return "Every frame was examined, so there is none between."
    return None


def weighed(conclusion: Conclusion, found: Sensitivity) -> Conclusion:
    """The conclusion with a reason `sensitivity`; inconclusive where a small change flips a clear label. One without a
    score stays as it is."""
    if conclusion.score is None:
        return conclusion
    clear = conclusion.label in ("likely_manipulated", "no_manipulation_found")
    reason = Reason("sensitivity", " ".join(_sentences(found, clear=clear)))
    if clear and found.flips:
        return replace(conclusion, label="inconclusive", reasons=(reason, *conclusion.reasons))
    return replace(conclusion, reasons=(*conclusion.reasons, reason))


def _sentences(found: Sensitivity, *, clear: bool) -> list[str]:
    scored = [one for one in found.variants if one.score is not None]
    left_out = [f"{WORDS[one.name]} ({one.reason})" for one in found.variants if one.score is None]
    said = []
    if found.flips:
        which = "; ".join(f"{WORDS[one.name]} ({one.score:.2f}, {_plain(one)})" for one in found.flips)
        said.append(
            f"A small change flips what the scores say, so that nothing stronger stands: {which}."
            if clear
            else f"After a small change the scores say something else: {which}."
        )
    elif scored:
        said.append(f"None of {len(scored)} small changes of the file and of how it is examined flips the conclusion.")
    if scored:
        said.append(f"The score ranges from {found.lowest:.2f} to {found.highest:.2f} over them.")
    if left_out:
        said.append(f"Small changes without a score: {'; '.join(left_out)}.")
    return said


def _plain(variant: Variant) -> str:
    return str(variant.label).replace("_", " ")


class _Meter:
    """Progress of one run after another as that of the whole."""

    def __init__(self, report: Report | None, parts: int) -> None:
        self._report, self._parts, self._start_s = report, parts, time.perf_counter()

    def part(self, number: int, said: str) -> Report:
        def report(one: Progress) -> None:
            if self._report is None:
                return
            fraction = (number + one.fraction) / self._parts
            elapsed_s = time.perf_counter() - self._start_s
            left_s = elapsed_s * (1 - fraction) / fraction if fraction > 0.01 else None
            self._report(replace(one, fraction=fraction, remaining_s=left_s, message=f"{said}{one.message}"))

        return report
