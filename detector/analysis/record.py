"""An Analysis as JSON, by the contract of the command line, and back.

The contract's keys are kept as they are named there; what a round trip needs beside them is added, never renamed.
Schema 1.1 added to models: kind, attention, intervals, specialists, members, sync. Records of 1.0 are still read.
Schema 1.2 added to evidence: forensics, and the content credentials to provenance; before, neither was examined.
Schema 1.3 added identity, which is null for records made before.
Schema 1.4 added calibration and sensitivity, to conclusions member_spread and called, to models repeats and
member_spread.
Schema 1.5 added title to models. Schema 1.6 added runtime and runtime_reason to the models of identity; before, torch
ran every network.
`environment` came later than 1.1 and is null where it is not known; `moments` of reasons came later than 1.3 and is
empty where a reason is not about times.
"""

from __future__ import annotations

import json
from dataclasses import asdict, fields
from fractions import Fraction
from pathlib import Path
from typing import Any

from detector.analysis.forensics_record import forensics_from_dict, forensics_to_dict, provenance_to_dict
from detector.analysis.landmarks import LandmarkTable
from detector.analysis.model_record import model_from_dict, model_to_dict
from detector.analysis.types import (
    SCHEMA_VERSION,
    Analysis,
    AnalysisIdentity,
    Conclusion,
    ModelIdentity,
    Moment,
    Reason,
    Sensitivity,
    Tool,
    Variant,
)
from detector.calibration.calibration import Calibration
from detector.errors import StoreError
from detector.evidence.forensics.types import FileForensics
from detector.evidence.types import AudioStream, Container, Evidence, Integrity, StoredFile, VideoStream
from detector.faces.types import DetectedFace, FaceQuality, FaceTrack, TrackedFace
from detector.settings import AnalysisSettings

CLAIMS = ("creation_time", "encoder", "handler_name", "make", "model", "software", "location", "major_brand")


def analysis_to_dict(analysis: Analysis) -> dict[str, Any]:
    """The JSON contract: only dicts, lists, str, int, float, bool, None; no path of this machine; no landmarks."""
    return {
        "schema_version": analysis.schema_version,
        "analysis_id": analysis.analysis_id,
        "tool": asdict(analysis.tool),
        "settings": {**analysis.settings.to_dict(), "sha256": analysis.settings.sha256},
        "evidence": _evidence_to_dict(analysis.evidence, analysis.forensics),
        "frames_examined": analysis.frames_examined,
        "shot_starts_s": list(analysis.shot_starts_s),
        "tracks": [_track_to_dict(track) for track in analysis.tracks],
        "models": [model_to_dict(result) for result in analysis.models],
        "conclusion": {
            "label": analysis.conclusion.label,
            "score": analysis.conclusion.score,
            "calibrated": analysis.conclusion.calibrated,
            "likelihood_ratio": analysis.conclusion.likelihood_ratio,
            "interval": None if analysis.conclusion.interval is None else list(analysis.conclusion.interval),
            "member_spread": analysis.conclusion.member_spread,
            "called": analysis.conclusion.called,
            "reasons": [_reason_to_dict(reason) for reason in analysis.conclusion.reasons],
        },
        "timings": dict(analysis.timings),
        "environment": dict(analysis.environment) or None,
        "identity": None if analysis.identity is None else _identity_to_dict(analysis.identity),
        "calibration": None if analysis.calibration is None else analysis.calibration.model_dump(mode="json"),
        "sensitivity": None if analysis.sensitivity is None else asdict(analysis.sensitivity),
        "appearance": None if analysis.appearance is None else list(analysis.appearance),
    }


def analysis_to_json(analysis: Analysis, *, indent: int | None = None) -> str:
    """One line unless `indent` is given. Every number is finite: JSON has no NaN."""
    return json.dumps(analysis_to_dict(analysis), ensure_ascii=False, allow_nan=False, indent=indent)


def _reason_to_dict(reason: Reason) -> dict[str, Any]:
    return {"code": reason.code, "text": reason.text, "moments": [asdict(moment) for moment in reason.moments]}


def _reason_from_dict(data: dict[str, Any]) -> Reason:
    return Reason(data["code"], data["text"], tuple(Moment(**moment) for moment in data.get("moments", ())))


def _identity_to_dict(identity: AnalysisIdentity) -> dict[str, Any]:
    return {**asdict(identity), "devices": list(identity.devices), "models": [asdict(one) for one in identity.models]}


def _identity_from_dict(data: dict[str, Any] | None) -> AnalysisIdentity | None:
    if data is None:
        return None
    models = tuple(ModelIdentity(**model) for model in data["models"])
    known = {name: data[name] for name in (item.name for item in fields(AnalysisIdentity)) if name in data}
    return AnalysisIdentity(**{**known, "devices": tuple(data["devices"]), "models": models})


def _calibration_from_dict(data: dict[str, Any] | None) -> Calibration | None:
    return None if data is None else Calibration.model_validate(data)


def _sensitivity_from_dict(data: dict[str, Any] | None) -> Sensitivity | None:
    if data is None:
        return None
    return Sensitivity(data["lowest"], data["highest"], tuple(Variant(**one) for one in data["variants"]))


def _evidence_to_dict(evidence: Evidence, forensics: FileForensics | None) -> dict[str, Any]:
    video = {**asdict(evidence.video), "time_base": str(evidence.video.time_base)}
    container = asdict(evidence.container)
    container["tags"] = [list(tag) for tag in evidence.container.tags]
    claims = [[name, value] for name, value in evidence.container.tags if name.lower() in CLAIMS]
    provenance: dict[str, Any] = {"claims": claims, "verified": False}
    if forensics is not None:
        provenance |= {"verified": forensics.provenance.state == "valid", **provenance_to_dict(forensics.provenance)}
    values = {
        "file_name": evidence.file.file_name,
        "sha256": evidence.file.sha256,
        "md5": evidence.file.md5,
        "size_bytes": evidence.file.size_bytes,
        "kind": evidence.kind,
        "container": container,
        "video": video,
        "audio": None if evidence.audio is None else asdict(evidence.audio),
        "integrity": {
            "decode_errors": evidence.integrity.decode_errors,
            "warnings": list(evidence.integrity.warnings),
        },
        "provenance": provenance,
    }
    return values if forensics is None else {**values, "forensics": forensics_to_dict(forensics)}


def _track_to_dict(track: FaceTrack) -> dict[str, Any]:
    return {
        "track_id": track.track_id,
        "shot_index": track.shot_index,
        "first_pts_s": track.first_pts_s,
        "last_pts_s": track.last_pts_s,
        "gaps_s": [list(gap) for gap in track.gaps_s],
        "frames": [
            {
                "frame_index": tracked.frame_index,
                "pts": tracked.pts,
                "pts_s": tracked.pts_s,
                "bbox_xyxy_px": list(tracked.face.bbox_xyxy_px),
                "detection_score": tracked.face.detection_score,
                "source": tracked.face.source,
                "quality": {**asdict(tracked.face.quality), "flags": list(tracked.face.quality.flags)},
            }
            for tracked in track.faces
        ],
    }


def analysis_from_dict(data: dict[str, Any], *, stored_path: Path, landmarks: LandmarkTable | None = None) -> Analysis:
    """The inverse of `analysis_to_dict`. `stored_path` is where the evidence lies now; faces get their landmarks back
    from `landmarks`, and have None without it.

    Raises StoreError for a record of another schema, or one that lacks something.
    """
    version = str(data.get("schema_version"))
    if version.split(".")[0] != SCHEMA_VERSION.split(".")[0]:
        raise StoreError(f"The analysis has schema version {version}; this program reads {SCHEMA_VERSION}.")
    try:
        conclusion = data["conclusion"]
        return Analysis(
            analysis_id=data["analysis_id"],
            tool=Tool(**data["tool"]),
            settings=AnalysisSettings.from_dict(data["settings"]),
            evidence=_evidence_from_dict(data["evidence"], stored_path),
            tracks=tuple(_track_from_dict(track, landmarks) for track in data["tracks"]),
            models=tuple(model_from_dict(result) for result in data["models"]),
            conclusion=Conclusion(
                label=conclusion["label"],
                score=conclusion["score"],
                reasons=tuple(_reason_from_dict(reason) for reason in conclusion["reasons"]),
                calibrated=conclusion["calibrated"],
                likelihood_ratio=conclusion["likelihood_ratio"],
                interval=None if conclusion["interval"] is None else tuple(conclusion["interval"]),
                member_spread=conclusion.get("member_spread"),
                called=conclusion.get("called"),
            ),
            frames_examined=data["frames_examined"],
            shot_starts_s=tuple(data["shot_starts_s"]),
            timings=dict(data["timings"]),
            environment=dict(data.get("environment") or {}),
            identity=_identity_from_dict(data.get("identity")),
            calibration=_calibration_from_dict(data.get("calibration")),
            sensitivity=_sensitivity_from_dict(data.get("sensitivity")),
            appearance=None if data.get("appearance") is None else tuple(data["appearance"]),
            forensics=_forensics_from_dict(data["evidence"]),
            schema_version=version,
        )
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise StoreError(f"The analysis record is incomplete or has an unexpected form: {error!r}.") from error


def _evidence_from_dict(data: dict[str, Any], stored_path: Path) -> Evidence:
    container = {**data["container"], "tags": tuple((name, value) for name, value in data["container"]["tags"])}
    integrity = data["integrity"]
    return Evidence(
        file=StoredFile(data["sha256"], data["md5"], data["size_bytes"], data["file_name"], stored_path),
        kind=data["kind"],
        container=Container(**container),
        video=VideoStream(**{**data["video"], "time_base": Fraction(data["video"]["time_base"])}),
        audio=None if data["audio"] is None else AudioStream(**data["audio"]),
        integrity=Integrity(integrity["decode_errors"], tuple(integrity["warnings"])),
    )


def _forensics_from_dict(evidence: dict[str, Any]) -> FileForensics | None:
    found = evidence.get("forensics")
    return None if found is None else forensics_from_dict(evidence["provenance"], found)


def _track_from_dict(data: dict[str, Any], landmarks: LandmarkTable | None) -> FaceTrack:
    track_id = data["track_id"]
    faces = []
    for item in data["frames"]:
        face = DetectedFace(
            bbox_xyxy_px=tuple(item["bbox_xyxy_px"]),
            detection_score=item["detection_score"],
            landmarks=None if landmarks is None else landmarks.find(track_id, item["pts"]),
            quality=FaceQuality(**{**item["quality"], "flags": tuple(item["quality"]["flags"])}),
            source=item["source"],
        )
        faces.append(TrackedFace(item["frame_index"], item["pts"], item["pts_s"], face))
    gaps_s = tuple((start_s, end_s) for start_s, end_s in data["gaps_s"])
    return FaceTrack(track_id, data["shot_index"], tuple(faces), gaps_s)
