"""The few settings that a user should see; the rest keep their defaults and are recorded with the result."""

from __future__ import annotations

import streamlit as st

from detector.settings import AnalysisSettings

DROPOUT_PASSES = 32


def choose(key: str = "analyse") -> AnalysisSettings:
    """Widgets for the settings of one analysis, their keys beginning with `key`; always returns valid settings."""
    default = AnalysisSettings()
    with st.expander("Settings", icon=":material/tune:"):
        left, right = st.columns(2)
        frames_per_second = left.number_input(
            "Frames examined per second",
            min_value=0.5,
            max_value=60.0,
            value=default.frames_per_second,
            step=0.5,
            key=f"{key}_fps",
            help="More finds shorter manipulations and takes longer.",
        )
        max_frames = right.number_input(
            "At most this many frames",
            min_value=10,
            max_value=20_000,
            value=default.max_frames,
            step=50,
            key=f"{key}_max_frames",
            help="A longer file is sampled more sparsely over its whole length; nothing is cut off.",
        )
        min_face_px = left.number_input(
            "Smallest usable face, px",
            min_value=16,
            max_value=512,
            value=default.min_face_px,
            step=4,
            key=f"{key}_min_face",
            help="Smaller faces are still scored, but marked as low quality and counted for less.",
        )
        max_faces = right.number_input(
            "At most this many faces per frame",
            min_value=1,
            max_value=64,
            value=default.max_faces,
            key=f"{key}_max_faces",
        )
        tile_faces = st.toggle(
            "Search large frames for small faces",
            value=default.tile_faces,
            key=f"{key}_tiles",
            help="Looks again in overlapping parts of large frames. Slower.",
        )
        centre_crop = st.toggle(
            "Score the centre of frames without a face",
            value=default.centre_crop_fallback,
            key=f"{key}_centre",
            help="A conclusion that rests on this is never stronger than inconclusive.",
        )
        augmented = st.toggle(
            "Score each face mirrored too",
            value=default.test_time_augmentation,
            key=f"{key}_views",
            help="Test-time augmentation: the mean of the logits of each crop and of its mirror image. For models that "
            "score single crops; each says in the record whether it was. About 1.2 times the work.",
        )
        dropout = st.toggle(
            "Measure the spread under dropout",
            value=default.dropout_passes > 0,
            key=f"{key}_dropout",
            help=f"Monte Carlo dropout: {DROPOUT_PASSES} passes with other parts of a network switched off in each, "
            "and the standard deviation of every track's logit. Scores stay. About 1.2 times the work.",
        )
        sensitivity = st.toggle(
            "Try small changes",
            value=default.sensitivity,
            key=f"{key}_sensitivity",
            help="The same analysis once more after each of six small changes of the file and of how it is examined; a "
            "conclusion that one of them flips is inconclusive. About 7 times the work.",
        )
    return AnalysisSettings(
        frames_per_second=float(frames_per_second),
        max_frames=int(max_frames),
        min_face_px=int(min_face_px),
        max_faces=int(max_faces),
        tile_faces=tile_faces,
        centre_crop_fallback=centre_crop,
        test_time_augmentation=augmented,
        dropout_passes=DROPOUT_PASSES if dropout else 0,
        sensitivity=sensitivity,
    )
