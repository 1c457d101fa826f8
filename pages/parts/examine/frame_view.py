"""One exact frame: the chosen face with what the models saw in it, and what was measured of it."""

from __future__ import annotations

import streamlit as st

from detector.errors import EvidenceError
from detector.evidence import Frame
from detector.faces import crop_face
from pages.parts.examine import frame_images, heatmap_panel
from pages.parts.shared import markup
from pages.parts.shared.readings import Readings
from pages.parts.shared.wording import clock, score_text


def decode(readings: Readings, pts: int) -> Frame | None:
    """The exact frame, or None after saying why it cannot be shown."""
    evidence = readings.analysis.evidence
    try:
        return frame_images.exact_frame(evidence.file.sha256, pts, evidence)
    except (EvidenceError, OSError) as error:
        markup.problem("This frame cannot be shown", str(error))
        return None


def offer_picture(readings: Readings, frame: Frame) -> None:
    """The decoded frame as a lossless file, without boxes."""
    sha256 = readings.analysis.evidence.file.sha256
    st.download_button(
        "PNG",
        lambda: frame_images.png(frame.image),
        file_name=f"{sha256[:12]}-pts-{frame.pts}.png",
        mime="image/png",
        icon=":material/photo_camera:",
        key="frame_png",
        on_click="ignore",
        help="This frame as decoded, lossless and without boxes.",
    )


def show_face(readings: Readings, frame: Frame, track_id: int) -> None:
    """Crop and heatmap of the chosen track's face in this frame."""
    face = readings.faces.get((track_id, frame.pts))
    if face is None:
        markup.empty(
            "no_accounts",
            f"No reading for track {track_id} here",
            "Scores and heatmaps exist for the examined frames in which this face was found: the timeline's points.",
        )
        return
    heatmap_panel.show(
        readings,
        frame,
        track_id,
        crop=lambda spec: crop_face(frame.image, face.face.bbox_xyxy_px, face.face.landmarks, spec),
    )


def show_measurements(readings: Readings, track_id: int, pts: int) -> None:
    """Every model's score of the face, and how good a picture of it this is; nothing where it was not examined."""
    if (track_id, pts) not in readings.faces:
        return
    markup.heading(f"Readings of the face · track {track_id}", clock(readings.pts_s(pts)))
    face = readings.faces[track_id, pts].face
    quality = face.quality
    scores = readings.scores.get((track_id, pts), {})
    rows = [
        (model.name, f"score {score_text(scores[model.model_id].score)}" if model.model_id in scores else "not scored")
        for model in readings.with_frame_scores()
    ]
    left, top, right, bottom = face.bbox_xyxy_px
    rows += [
        ("Weight", f"{quality.weight:.2f} of 1 in the track's score"),
        ("Quality flags", ", ".join(flag.replace("_", " ") for flag in quality.flags) or "none"),
        ("Face", f"{quality.size_px:.0f} px · x {left:.0f} to {right:.0f}, y {top:.0f} to {bottom:.0f}"),
        ("Detector's confidence", f"{face.detection_score:.2f} ({face.source.replace('_', ' ')})"),
        ("Sharpness · exposure", f"{quality.sharpness:.0f} · {quality.exposure:.2f}"),
        ("Yaw · pitch · roll", " · ".join(_degrees(v) for v in (quality.yaw_deg, quality.pitch_deg, quality.roll_deg))),
    ]
    markup.facts(rows)
    with st.expander("Exact numbers of this frame", type="compact"):
        _show_exact(readings, track_id, pts)


def _show_exact(readings: Readings, track_id: int, pts: int) -> None:
    """The frame's place in the file, and the models' logits of the face."""
    video = readings.analysis.evidence.video
    scores = readings.scores.get((track_id, pts), {})
    rows = [
        ("Time stamp in the file", f"PTS {pts} × {video.time_base} s"),
        ("Place", f"examined frame {readings.moments.index(pts) + 1} of {len(readings.moments)} with a face"),
    ]
    rows += [
        (f"{model.name}, logit", f"{scores[model.model_id].logit:+.4f}")
        for model in readings.analysis.models
        if model.model_id in scores
    ]
    markup.facts(rows)


def _degrees(value: float | None) -> str:
    return "–" if value is None else f"{round(value) + 0.0:+.0f}°"
