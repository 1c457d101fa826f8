"""The annotated video: the evidence played back with what the analysis says drawn on it. A derived picture, never
evidence, and labelled so in every frame and in the file's own metadata."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from detector.analysis.kinds import heatmap_models, kind_of
from detector.analysis.progress import Progress
from detector.analysis.types import Analysis
from detector.errors import CancelledError, EvidenceError, FramewitnessError, ModelError, WeightsRefusedError
from detector.evidence import displayed_frames, frame_times, sound_blocks
from detector.evidence.types import Evidence, Frame
from detector.evidence.video_writer import VideoWriter
from detector.report.video_canvas import LABEL, Canvas, Layout, Moments

if TYPE_CHECKING:
    from detector.registry import LoadedModel

MOST_FPS = 30.0
_OPACITY = 0.55
_REPORT_EVERY_S = 0.2


@dataclass(frozen=True, slots=True)
class AnnotatedVideo:
    """The file that was written. `statement` says in plain words what was kept, reduced and left out."""

    path: Path
    width: int
    height: int
    frames_written: int
    frames_in_file: int
    heatmaps: int
    has_sound: bool
    statement: str


def annotate_video(
    evidence: Evidence,
    analysis: Analysis,
    path: Path,
    *,
    heatmap_model: LoadedModel | None = None,
    on_progress: Callable[[Progress], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> AnnotatedVideo:
    """Write the annotated MP4 to `path`, whole or not at all. With `heatmap_model` (a frame model that scored the file)
    its Grad-CAM stands beside the picture, made at examined frames and held between them.

    Frames keep their own times; of a faster video at most 30 a second are kept. Memory does not grow with the length.
    Raises EvidenceError for a still picture, a missing or another file, CancelledError, OSError.
    """
    if evidence.kind == "still":
        raise EvidenceError("A still picture has no video to annotate. Make a contact sheet of it instead.")
    if analysis.evidence.file.sha256 != evidence.file.sha256:
        raise EvidenceError("The analysis is of another file than the one given.")
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".annotating-", suffix=".mp4")
    os.close(handle)
    unfinished = Path(name)
    try:
        with tempfile.TemporaryDirectory(prefix="framewitness-heat-") as folder:
            maker = _Maker(evidence, analysis, heatmap_model, Path(folder), on_progress, cancelled)
            written = maker.make(unfinished)
        os.replace(unfinished, path)
    finally:
        unfinished.unlink(missing_ok=True)
    return AnnotatedVideo(
        path=path,
        width=maker.layout.width,
        height=maker.layout.height,
        frames_written=written,
        frames_in_file=maker.decoded,
        heatmaps=maker.heat.made if maker.heat else 0,
        has_sound=maker.has_sound,
        statement=maker.statement(written),
    )


def heatmap_model(analysis: Analysis) -> LoadedModel:
    """The frame model that scored the file highest, with the weights it was scored with, for heatmaps.

    Raises ModelError where no frame model scored the file, or its weights are not those at hand.
    """
    from detector.registry import load_model

    highest = next(iter(heatmap_models(analysis.models)), None)
    if highest is None or highest.logit is None:
        raise ModelError("No frame model scored this file, so there is no heatmap to draw.")
    model = load_model(highest.model_id, runtime="torch")  # heatmaps need gradients
    if model.card.weights_sha256 != highest.weights_sha256:
        raise WeightsRefusedError(
            f"The installed weights of {highest.model_id} ({model.card.weights_sha256[:12]}…) are not those that "
            f"scored this file ({highest.weights_sha256[:12]}…). Annotate without a heatmap, or restore them."
        )
    return model


class _Maker:
    def __init__(
        self,
        evidence: Evidence,
        analysis: Analysis,
        model: LoadedModel | None,
        folder: Path,
        on_progress: Callable[[Progress], None] | None,
        cancelled: Callable[[], bool] | None,
    ) -> None:
        self._evidence, self._analysis = evidence, analysis
        self._on_progress, self._cancelled = on_progress, cancelled or (lambda: False)
        self._times = frame_times(evidence)
        self._moments = Moments(analysis)
        self.layout = Layout.of(evidence.video.width, evidence.video.height, heatmap=model is not None)
        self.heat = _Heat(evidence, analysis, model, folder) if model is not None else None
        self.decoded = 0
        self.has_sound = False
        self._started_s = self._last_report_s = time.monotonic()

    def make(self, path: Path) -> int:
        """Write the video; returns how many frames it has."""
        start_s, end_s = _span(self._evidence, self._times)
        sha256 = self._evidence.file.sha256
        canvas = Canvas(
            self.layout,
            sha256=sha256,
            analysis_id=self._analysis.analysis_id,
            curves=self._moments.curves,
            span_s=(start_s, end_s),
        )
        comment = f"{LABEL}. Annotated from the file with SHA-256 {sha256} by analysis {self._analysis.analysis_id}."
        fps = min(MOST_FPS, self._evidence.video.average_fps or MOST_FPS)
        written, next_s = 0, start_s
        sound = sound_blocks(self._evidence)
        size = (self.layout.width, self.layout.height)
        with VideoWriter(
            path, size, fps=fps, start_s=start_s, sound=sound, comment=comment, title=f"{LABEL}: annotated video"
        ) as writer:
            self.has_sound = writer.has_sound
            for frame in self._frames():
                # An examined frame is always shown: it is what the scores are of.
                if frame.pts_s < next_s and frame.pts not in self._moments.examined_pts:
                    continue
                next_s = frame.pts_s + 0.9 / MOST_FPS
                writer.write(self._drawn(canvas, frame), frame.pts_s)
                written += 1
        if not written:
            raise EvidenceError("No frame of the file decodes, so there is nothing to annotate.")
        return written

    def statement(self, written: int) -> str:
        """Sentences on what the video shows and what it does not."""
        kept = (
            f"All {written:,} frames that decode are shown at their own times."
            if written == self.decoded
            else f"{written:,} of {self.decoded:,} frames are shown, at most {MOST_FPS:g} a second and every examined "
            "one, at their own times."
        )
        said = [
            kept,
            f"The picture is scaled by {self.layout.zoom:.3g}.",
            "The sound is coded anew as one channel of 16 kHz." if self.has_sound else "There is no sound.",
            "Boxes and scores are of the examined frames; between them a box is interpolated and thin, a score held.",
        ]
        if self.heat is not None:
            said.append(self.heat.statement())
        return " ".join(said)

    def _frames(self) -> Iterator[Frame]:
        """Every frame that has a time of its own, in order, upright."""
        for frame in displayed_frames(self._evidence):
            if self._cancelled():
                raise CancelledError("The annotated video was cancelled; nothing was written.")
            self.decoded += 1
            self._tell()
            if frame is not None:
                yield frame

    def _drawn(self, canvas: Canvas, frame: Frame) -> NDArray[np.uint8]:
        faces = self._moments.at(frame.pts, frame.pts_s)
        state = "examined" if frame.pts in self._moments.examined_pts else "between examined frames"
        state = state if faces else "no face on record here"
        told = f"{frame.pts_s:.3f} s · frame {frame.frame_index} · PTS {frame.pts} · {state}"
        if self.heat is None:
            return canvas.frame(frame.image, faces, pts_s=frame.pts_s, told=told)
        self.heat.see(frame)
        beside, beside_told = self.heat.held
        return canvas.frame(frame.image, faces, pts_s=frame.pts_s, told=told, beside=beside, beside_told=beside_told)

    def _tell(self) -> None:
        now_s = time.monotonic()
        if self._on_progress is None or now_s - self._last_report_s < _REPORT_EVERY_S:
            return
        self._last_report_s = now_s
        total = max(1, len(self._times))
        fraction = min(1.0, self.decoded / total)
        passed_s = now_s - self._started_s
        left_s = passed_s * (1 - fraction) / fraction if fraction > 0.01 else None
        message = f"Drawing frame {self.decoded:,} of {total:,}."
        self._on_progress(Progress("draw", fraction, left_s, message))


class _Heat:
    """The heatmap panel: made anew at each examined frame that the model scored, held until the next."""

    def __init__(self, evidence: Evidence, analysis: Analysis, model: LoadedModel, folder: Path) -> None:
        from detector.evidence import frame_at
        from detector.explain import Explainer

        self._evidence, self._analysis, self._model = evidence, analysis, model
        self._now: Frame | None = None

        def decoded(of: Evidence, pts: int) -> Frame:
            return self._now if self._now is not None and self._now.pts == pts else frame_at(of, pts)

        self._explainer = Explainer(folder, frame_at=decoded)
        self._scored: dict[int, list[int]] = {}
        for result in analysis.models:
            if result.model_id == model.card.model_id and kind_of(result).heatmaps:
                for track in result.tracks:
                    for frame in track.frames:
                        self._scored.setdefault(frame.pts, []).append(track.track_id)
        self.made = 0
        self._failures: dict[str, None] = {}
        self.held: tuple[NDArray[np.uint8] | None, str] = (None, "no heatmap yet")

    def see(self, frame: Frame) -> None:
        """Take notice of the frame that is drawn next."""
        if frame.pts not in self._scored:
            return
        from detector.explain import overlay_on_frame

        self._now = frame
        image: Any = frame.image
        scale = 0.0
        try:
            for track_id in self._scored[frame.pts]:
                heatmap = self._explainer.heatmap(
                    self._evidence, self._analysis, self._model, track_id=track_id, pts=frame.pts
                )
                image, scale = overlay_on_frame(image, heatmap, _OPACITY), heatmap.scale
                self.made += 1
        except (FramewitnessError, OSError, RuntimeError, ValueError) as error:
            self._failures[str(error)] = None
            self.held = (None, f"no heatmap at {frame.pts_s:.3f} s")
            return
        top = f"blue 0 to yellow {scale:.2g}" if scale > 0 else "no face moved the score"
        self.held = (image, f"Grad-CAM {self._model.card.model_id}, at {frame.pts_s:.3f} s, {top}")

    def statement(self) -> str:
        """Sentences on what the panel shows."""
        said = (
            f"The heatmap is Grad-CAM of {self._model.card.model_id} on one scale for the whole video ({self.made:,} "
            "made), at examined frames and held between; it shows what moved the score, not what was altered."
        )
        if self._failures:
            said += f" It is missing where it could not be made: {next(iter(self._failures))}"
        return said


def _span(evidence: Evidence, times: Sequence[int]) -> tuple[float, float]:
    if not times:
        raise EvidenceError("The file has no frame with a time, so there is nothing to annotate.")
    start_s = float(times[0] * evidence.video.time_base)
    return start_s, start_s + evidence.video.duration_s
