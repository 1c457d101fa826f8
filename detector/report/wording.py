"""The words of the report: how values are written, and the sentences that are the same in every report."""

from __future__ import annotations

from datetime import UTC, datetime

from detector.analysis.types import Label

LABEL_WORDS: dict[Label, str] = {
    "likely_manipulated": "Likely manipulated",
    "no_manipulation_found": "No manipulation found",
    "inconclusive": "Inconclusive",
    "not_examined": "Not examined",
}

LABEL_MEANINGS: dict[Label, str] = {
    "likely_manipulated": "The models respond to at least one face as they do to manipulated faces.",
    "no_manipulation_found": "The models respond to every scored face as they do to unaltered faces.",
    "inconclusive": "The models' response does not support either statement.",
    "not_examined": "No face could be scored. Nothing is said about the file.",
}

NOT_SCORED = "not scored"

METHOD = (
    "The file is copied once, hashed while it is copied, and never altered. Its frames are decoded in one pass and "
    "sampled evenly within each shot; each frame is identified by its presentation time stamp (PTS) in the stream's "
    "own time base, and rotation is applied as the file asks.",
    "In every sampled frame faces are located and fitted with a mesh of 468 points. Faces are joined into tracks by "
    "position and motion; a track ends at a shot change. A track number is not an identity.",
    "Each face is cropped as the model's card prescribes and scored by each model. The score is the model's own output "
    "between 0 and 1. Every face carries a quality weight between 0 and 1 from its size, sharpness, exposure and pose; "
    "a track's score is the weighted mean of its frames' logits. Tracks with enough faces of usable quality decide, "
    "and the highest of them gives the score of the file.",
    "The conclusion compares the score with the thresholds on the model's card. Between the thresholds, with too few "
    "frames, with faces too small, or where models disagree, the conclusion is inconclusive. Where no face was scored "
    "there is no score.",
    "Heatmaps show the raw magnitude of Grad-CAM (Selvaraju et al., 2017) at the layer named beside them, on one scale "
    "for the whole video, in the colour map cividis. They show where the model's output is sensitive.",
)

DOES_NOT_PROVE = (
    "A score is a model's output. It is not the probability that the file is manipulated, and it says nothing about "
    "who altered a file, how, when or why.",
    "“No manipulation found” does not show that a recording is authentic. Methods unknown to the models, alterations "
    "outside the faces, of the sound, of the order of events or of the context are not examined.",
    "“Likely manipulated” can be caused by strong compression, filters, make-up, screen recording or unusual light. It "
    "calls for examination by other means and does not replace it.",
    "Only sampled frames and only faces that were found are scored. The timeline and the tables show which.",
    "A heatmap is not a map of the altered region and its colour is not a probability.",
    "Container tags and time stamps are the file's own claims; nothing here verifies them.",
)

FLAG_WORDS = {
    "small": "small",
    "blurred": "blurred",
    "dark": "dark",
    "bright": "overexposed",
    "profile": "profile view",
    "occluded": "occluded",
    "no_mesh": "no mesh",
    "fallback": "frame centre, no face found",
}

SETTING_WORDS = {
    "frames_per_second": "Frames examined per second",
    "max_frames": "Most frames examined",
    "min_face_px": "Face size of full quality (px)",
    "min_frames": "Scored frames a conclusion needs",
    "tile_faces": "Large frames searched in tiles",
    "centre_crop_fallback": "Frame centre scored without a face",
    "detection_threshold": "Least detection confidence",
    "max_faces": "Most faces kept per frame",
    "batch_size": "Crops per forward pass",
}


def number(value: float | int | bool) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:,}" if isinstance(value, int) else f"{value:g}"


def score(value: float | None) -> str:
    """Three decimals; a value that would round to certainty is written as a bound."""
    if value is None:
        return NOT_SCORED
    return "> 0.999" if value > 0.9995 else "< 0.001" if value < 0.0005 else f"{value:.3f}"


def logit(value: float | None) -> str:
    return NOT_SCORED if value is None else f"{value:+.3f}".replace("-", "−")


def seconds(value: float | None) -> str:
    return "not stated" if value is None else f"{value:.3f} s"


def size(value: int) -> str:
    exact = f"{value:,} bytes"
    for unit, factor in (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)):
        if value >= factor:
            return f"{exact} ({value / factor:.1f} {unit})"
    return exact


def time(value: datetime) -> str:
    return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def count(value: int, singular: str, plural: str | None = None) -> str:
    return f"{value:,} {singular if value == 1 else plural or singular + 's'}"
