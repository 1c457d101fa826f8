"""What is measured of each cue on one clip: of its pictures, its face tracks and what the cue's model read there."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np

from detector.analysis import Analysis
from detector.analysis.aggregate import deciding_tracks
from detector.analysis.types import Cue, CueResult, ModelResult
from detector.errors import EvidenceError
from detector.evidence import Evidence, Frame, frame_at
from detector.faces.types import FaceTrack, TrackedFace
from detector.training.analyses import pictures

PICTURES: Final = 5
"""Pictures of a clip that are measured, evenly over the deciding face's time: a second set of numbers beside the
models', which see up to sixty."""


class Meaning(NamedTuple):
    """What a measure is, and its `unit`, "" for a ratio or a share."""

    text: str
    unit: str = ""


TRAITS: Final[dict[str, Meaning]] = {
    "width": Meaning("width as displayed", "px"),
    "height": Meaning("height as displayed", "px"),
    "frames_per_second": Meaning("mean frame rate", "1/s"),
    "duration_s": Meaning("length", "s"),
    "bit_rate": Meaning("size of the file over its length", "bit/s"),
    "compression_ratio": Meaning("bytes of all pictures at 24 bits a pixel over bytes of the file"),
    "brightness": Meaning("mean luma, 0..1"),
    "contrast": Meaning("standard deviation of luma, 0..1"),
    "blur": Meaning("variance of the Laplacian of luma: low where blurred", "grey levels²"),
    "face_px": Meaning("median shorter side of the deciding faces", "px"),
}
MEASURES: Final[dict[Cue, dict[str, Meaning]]] = {
    "BG": {
        "light_direction_deg": Meaning("angle the face is lit from, 0 right, 90 above: circular mean", "degrees"),
        "light_fit": Meaning("how much of the face's light one distant light explains, R²"),
        "light_consistency": Meaning("how much the light's directions over time agree, 0..1"),
        "shadow_share": Meaning("share of the face under half of its median light, 0..1"),
        "shadow_change": Meaning("standard deviation of that share over time"),
        "background_complexity": Meaning("share of the background's pixels on an edge, 0..1"),
        "texture_variance": Meaning("mean variance of luma in cells of the background", "grey levels²"),
        "colour_temperature_k": Meaning("correlated colour temperature of the background", "K"),
        "colour_temperature_step_k": Meaning("that of the face minus that of the background", "K"),
    },
    "CM": {
        "blockiness": Meaning("step of luma over borders of 8x8 blocks beside that elsewhere, 1 for none"),
        "estimated_quality": Meaning("JPEG quality without a reference, about 1 to 10"),
        "dct_zero_share": Meaning("share of AC coefficients that round to zero, 0..1"),
        "first_digit_divergence": Meaning("distance of coefficients' first digits from Benford's law"),
        "quantisation_comb": Meaning("strongest period of the coefficients' histograms beside their mean"),
        "bit_rate": TRAITS["bit_rate"],
        "bits_per_pixel": Meaning("bits of the file for each displayed pixel", "bit"),
    },
    "AV": {
        "lag_s": Meaning("median lag of sound behind lips, positive where sound comes late", "s"),
        "absolute_lag_s": Meaning("median size of that lag", "s"),
        "lag_spread_s": Meaning("standard deviation of the lag over windows", "s"),
        "correlation": Meaning("mean correlation of lip opening and speech at that lag, -1..1"),
        "windows": Meaning("windows of speech that were compared"),
        "windows_out_of_sync": Meaning("share of windows that the model calls out of sync, 0..1"),
    },
    "RR": {
        "face_resampling": Meaning("strongest interpolation line of the face beside the median"),
        "face_resampling_period_px": Meaning("period of that line", "px"),
        "picture_resampling": Meaning("strongest interpolation line of the whole picture beside the median"),
        "resampling_step": Meaning("that of the face minus that of the picture"),
        "detail_step": Meaning("log ratio of the face's fine detail to the picture's"),
    },
    "LL": {
        "brightness": TRAITS["brightness"],
        "dark_share": Meaning("share of pixels darker than a tenth, 0..1"),
        "noise_level": Meaning("noise of luma in the picture", "grey levels"),
        "face_noise_level": Meaning("noise of luma on the face", "grey levels"),
        "noise_step": Meaning("log ratio of the face's noise to the background's"),
        "enhancement_trace": Meaning("share of the luma histogram's energy in gaps and peaks, 0..1"),
    },
    "TM": {
        "flicker": Meaning("mean change of the face's luma between examined frames", "grey levels"),
        "size_jitter": Meaning("mean change of the face's size between examined frames, share of it"),
        "score_change": Meaning("standard deviation of the model's logit over frames"),
        "segments": Meaning("segments of time that the model singles out"),
        "segments_a_minute": Meaning("segments that the model singles out", "1/min"),
        "segment_hit": Meaning("1 where the model singles out a segment, else 0: the mean is the share of clips"),
        "segment_share": Meaning("share of the examined time that lies in such segments, 0..1"),
    },
}
_CIRCULAR: Final = "light_direction_deg"

Numbers = dict[str, float]


def decided_by(analysis: Analysis) -> tuple[FaceTrack, ...]:
    """The tracks that decide for the file."""
    return deciding_tracks(analysis.tracks, analysis.settings, still=analysis.evidence.kind == "still")


def picture_measures(evidence: Evidence, tracks: Sequence[FaceTrack]) -> dict[str, Numbers]:
    """Measures by cue ("BG", "CM", "RR", "LL") and traits ("traits") that need decoded pictures: of the longest
    deciding track, means over `PICTURES` of its faces, what is NaN left out. Empty without a face."""
    longest = max(tracks, key=lambda track: len(track.faces), default=None)
    if longest is None:
        return {}
    at = np.unique(np.linspace(0, len(longest.faces) - 1, PICTURES).round().astype(int))
    seen: list[dict[str, Numbers]] = []
    for face in (longest.faces[place] for place in at):
        try:
            seen.append(_of_picture(frame_at(evidence, face.pts), face))
        except EvidenceError:  # a frame that a seek does not reach is one picture less
            continue
    if not seen:
        return {}
    means = {part: _means([one[part] for one in seen]) for part in seen[0]}
    directions = np.array([one["BG"][_CIRCULAR] for one in seen])
    known = np.radians(directions[np.isfinite(directions)])
    if len(known):
        means["BG"][_CIRCULAR] = math.degrees(float(np.angle(np.exp(1j * known).mean())))
    means["BG"] |= {
        "light_consistency": pictures.direction_consistency(directions),
        "shadow_change": float(np.std([one["BG"]["shadow_share"] for one in seen])) if len(seen) > 1 else math.nan,
    }
    return means


def _of_picture(frame: Frame, tracked: TrackedFace) -> dict[str, Numbers]:
    image, box = frame.image, tracked.face.bbox_xyxy_px
    luma = pictures.luma_of(image)
    face, around = pictures.face_region(image.shape, box), pictures.background_region(image.shape, box)
    direction, fit = pictures.light_direction_deg(image, tracked.face.landmarks)
    temperature = pictures.colour_temperature_k(image, around)
    x0, y0, x1, y1 = (max(0, round(side)) for side in box)
    cut = luma[y0:y1, x0:x1]
    whole, own = pictures.resampling_measures(luma), pictures.resampling_measures(cut)
    light = pictures.light_measures(luma)
    noise, on_face, elsewhere = (pictures.noise_sigma(luma, region) for region in (None, face, around))
    detail = pictures.light_measures(cut)["laplacian_variance"] if cut.size else math.nan
    return {
        "BG": {
            _CIRCULAR: direction,
            "light_fit": fit,
            "shadow_share": pictures.shadow_share(image, face),
            "background_complexity": pictures.edge_share(image, around),
            "texture_variance": pictures.texture_variance(luma, around),
            "colour_temperature_k": temperature,
            "colour_temperature_step_k": pictures.colour_temperature_k(image, face) - temperature,
        },
        "CM": pictures.block_measures(luma) | pictures.dct_measures(luma),
        "RR": {
            "face_resampling": own["peak"],
            "face_resampling_period_px": own["period_px"],
            "picture_resampling": whole["peak"],
            "resampling_step": own["peak"] - whole["peak"],
            "detail_step": _log_ratio(detail, light["laplacian_variance"]),
        },
        "LL": {
            "brightness": light["brightness"],
            "dark_share": light["dark_share"],
            "noise_level": noise,
            "face_noise_level": on_face,
            "noise_step": _log_ratio(on_face, elsewhere),
            "enhancement_trace": pictures.enhancement_trace(luma),
        },
        "traits": {
            "brightness": light["brightness"],
            "contrast": light["contrast"],
            "blur": light["laplacian_variance"],
        },
    }


def _log_ratio(value: float, other: float) -> float:
    return math.log(value / other) if value > 0 and other > 0 else math.nan


def _means(rows: Sequence[Mapping[str, float]]) -> Numbers:
    columns = {name: [row[name] for row in rows if math.isfinite(row[name])] for name in rows[0]}
    return {name: float(np.mean(values)) if values else math.nan for name, values in columns.items()}


def file_traits(given: Evidence, tracks: Sequence[FaceTrack]) -> Numbers:
    """Traits of the file as it was given that need no picture; NaN where the file does not say."""
    video, size = given.video, given.file.size_bytes
    pixels = video.width * video.height * video.frame_count
    duration_s = video.duration_s or given.container.duration_s or 0.0
    faces = [face.face.quality.size_px for track in tracks for face in track.faces]
    return {
        "width": float(video.width),
        "height": float(video.height),
        "frames_per_second": float(video.average_fps or math.nan),
        "duration_s": float(duration_s) if duration_s else math.nan,
        "bit_rate": 8 * size / duration_s if duration_s else math.nan,
        "compression_ratio": 3 * pixels / size if pixels and size else math.nan,
        "bits_per_pixel": 8 * size / pixels if pixels else math.nan,
        "face_px": float(np.median(faces)) if faces else math.nan,
    }


def sync_measures(result: ModelResult) -> Numbers:
    """Lag and correlation over the windows of speech of an audio-visual model's result; empty without any."""
    if not result.sync:
        return {}
    lags = [window.lag_s for window in result.sync if window.lag_s is not None]
    correlations = [window.correlation for window in result.sync if window.correlation is not None]
    called = [window.logit >= 0 for window in result.sync if window.logit is not None]
    return {
        "lag_s": _median(lags),
        "absolute_lag_s": _median([abs(lag) for lag in lags]),
        "lag_spread_s": float(np.std(lags)) if len(lags) > 1 else math.nan,
        "correlation": float(np.mean(correlations)) if correlations else math.nan,
        "windows": float(len(result.sync)),
        "windows_out_of_sync": float(np.mean(called)) if called else math.nan,
    }


def temporal_measures(result: ModelResult, tracks: Sequence[FaceTrack]) -> Numbers:
    """Flicker of the deciding faces, and what a temporal model singles out in them; empty without a track."""
    if not tracks:
        return {}
    flickers, jitters = [], []
    for track in tracks:
        light = np.array([face.face.quality.exposure for face in track.faces])
        size = np.array([face.face.quality.size_px for face in track.faces])
        if len(light) > 1:
            flickers.append(255 * float(np.abs(np.diff(light)).mean()))
            jitters.append(float(np.abs(np.diff(size) / size[:-1]).mean()))
    known = {track.track_id: track for track in tracks}
    own = [score for score in result.tracks if score.track_id in known]
    intervals = [interval for score in own for interval in score.intervals]
    time_s = sum(known[score.track_id].last_pts_s - known[score.track_id].first_pts_s for score in own)
    logits = [float(np.std([frame.logit for frame in score.frames])) for score in own if len(score.frames) > 1]
    inside_s = sum(interval.end_s - interval.start_s for interval in intervals)
    return {
        "flicker": _mean(flickers),
        "size_jitter": _mean(jitters),
        "score_change": _mean(logits),
        "segments": float(len(intervals)) if own else math.nan,
        "segments_a_minute": 60 * len(intervals) / time_s if time_s > 0 else math.nan,
        "segment_hit": float(bool(intervals)) if own else math.nan,
        "segment_share": min(1.0, inside_s / time_s) if time_s > 0 else math.nan,
    }


def channel_means(cue: CueResult, tracks: Sequence[FaceTrack]) -> Numbers:
    """Mean of each of a specialist's named channels over the faces of the deciding tracks; empty without readings."""
    deciding = {track.track_id for track in tracks}
    rows = [row for reading in cue.readings if reading.track_id in deciding for row in reading.values]
    if not rows:
        return {}
    return dict(zip(cue.channels, np.mean(rows, axis=0).astype(float).tolist(), strict=True))


def _median(values: Sequence[float]) -> float:
    return float(np.median(values)) if values else math.nan


def _mean(values: Iterable[float]) -> float:
    known = list(values)
    return float(np.mean(known)) if known else math.nan
