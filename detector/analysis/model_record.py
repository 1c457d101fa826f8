"""A model's result as JSON and back: the `models` part of an analysis record."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from detector.analysis.types import (
    Attention,
    ChannelReadings,
    Contribution,
    CueResult,
    FamilyReading,
    FrameScore,
    Interval,
    Member,
    ModelResult,
    PlaceReading,
    Repeats,
    SyncWindow,
    TrackScore,
    TrackSpread,
)


def model_to_dict(result: ModelResult) -> dict[str, Any]:
    """`specialists`, `members` and `sync` are null where the kind has none; a cue's `tracks` where they are the
    model's own, as those of a temporal or an audio-visual model are."""
    return {
        "model_id": result.model_id,
        "title": result.title,
        "kind": result.kind,
        "weights_sha256": result.weights_sha256,
        "score": result.score,
        "logit": result.logit,
        "reason": result.reason,
        "tracks": [_track_to_dict(track) for track in result.tracks],
        "specialists": [_cue_to_dict(cue, result) for cue in result.specialists] or None,
        "members": [asdict(member) for member in result.members] or None,
        "sync": [asdict(window) for window in result.sync] or None,
        "member_spread": result.member_spread,
        "repeats": None if result.repeats is None else asdict(result.repeats),
    }


def _track_to_dict(track: TrackScore) -> dict[str, Any]:
    return {
        "track_id": track.track_id,
        "score": track.score,
        "logit": track.logit,
        "frames": [{**asdict(frame), "score": frame.score} for frame in track.frames],
        "attention": None if track.attention is None else asdict(track.attention),
        "intervals": [asdict(interval) for interval in track.intervals],
        "families": [asdict(reading) for reading in track.families],
        "places": [asdict(reading) for reading in track.places],
        "contributions": [asdict(part) for part in track.contributions],
    }


def _cue_to_dict(cue: CueResult, result: ModelResult) -> dict[str, Any]:
    return {
        "cue": cue.cue,
        "score": cue.score,
        "logit": cue.logit,
        "reason": cue.reason,
        "channels": list(cue.channels),
        "tracks": None if cue.tracks == result.tracks else [_track_to_dict(track) for track in cue.tracks],
        "readings": [asdict(reading) for reading in cue.readings],
    }


def model_from_dict(data: dict[str, Any]) -> ModelResult:
    """The inverse of `model_to_dict`; a record of schema 1.0 has frame models only and lacks what came later."""
    tracks = tuple(_track_from_dict(track) for track in data["tracks"])
    return ModelResult(
        data["model_id"],
        data["weights_sha256"],
        data["logit"],
        tracks,
        data["reason"],
        data.get("kind", "frame"),
        tuple(_cue_from_dict(cue, tracks) for cue in data.get("specialists") or ()),
        tuple(Member(**member) for member in data.get("members") or ()),
        tuple(SyncWindow(**window) for window in data.get("sync") or ()),
        _repeats_from_dict(data.get("repeats")),
        data.get("title", ""),
    )


def _repeats_from_dict(data: dict[str, Any] | None) -> Repeats | None:
    if data is None:
        return None
    return Repeats(**{**data, "spreads": tuple(TrackSpread(**spread) for spread in data["spreads"])})


def _track_from_dict(track: dict[str, Any]) -> TrackScore:
    frames = tuple(
        FrameScore(frame["frame_index"], frame["pts"], frame["pts_s"], frame["logit"], frame["weight"])
        for frame in track["frames"]
    )
    seen = track.get("attention")
    attention = None if seen is None else Attention(tuple(seen["pts"]), tuple(seen["pts_s"]), tuple(seen["pooling"]))
    intervals = tuple(Interval(**interval) for interval in track.get("intervals", ()))
    families = tuple(FamilyReading(**reading) for reading in track.get("families", ()))
    places = tuple(PlaceReading(**reading) for reading in track.get("places", ()))
    parts = tuple(Contribution(**part) for part in track.get("contributions", ()))
    return TrackScore(track["track_id"], track["logit"], frames, attention, intervals, families, places, parts)


def _cue_from_dict(cue: dict[str, Any], own: tuple[TrackScore, ...]) -> CueResult:
    readings = tuple(
        ChannelReadings(reading["track_id"], tuple(reading["pts"]), tuple(tuple(row) for row in reading["values"]))
        for reading in cue["readings"]
    )
    tracks = own if cue["tracks"] is None else tuple(_track_from_dict(track) for track in cue["tracks"])
    return CueResult(cue["cue"], cue["logit"], tracks, cue["reason"], tuple(cue["channels"]), readings)
