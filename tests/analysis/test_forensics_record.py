"""File forensics in the record: written, read back, absent in older records, and without a part in the conclusion."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from detector.analysis import Analysis, analysis_from_dict, analysis_to_dict, analysis_to_json, analyze
from detector.errors import CancelledError
from detector.evidence import Evidence, examine, ingest
from detector.evidence.forensics import FileForensics, examine_file
from tests.analysis.fakes import (
    SETTINGS,
    FakeAnalyser,
    FakeModel,
    FakeReader,
    fake_components,
    make_evidence,
    make_face,
)
from tests.evidence.media import make_still, make_video

OBSERVATION = {"code", "group", "title", "finding", "can_mean", "cannot_mean", "weight"}
PROVENANCE = {"state", "reason", "claim_generator", "signer", "signed_at", "actions", "validation", "statement"}
FORENSICS = {"observations", "container", "streams", "frames", "metadata", "limits"}


@pytest.fixture(scope="module")
def evidence(tmp_path_factory: pytest.TempPathFactory) -> Evidence:
    folder = tmp_path_factory.mktemp("file")
    return examine(ingest(make_video(folder / "clip.mp4", frames=30, audio=True), folder / "store"))


@pytest.fixture(scope="module")
def found(evidence: Evidence) -> FileForensics:
    return examine_file(evidence.file.path, evidence)


def analysed(examine_file: Callable[..., Any] | None, **options: Any) -> Analysis:
    components = replace(
        fake_components(FakeReader(20), FakeAnalyser(faces=(make_face(left=4),))), examine_file=examine_file
    )
    return analyze(make_evidence(), [FakeModel()], SETTINGS, components=components, **options)


def test_the_record_holds_what_the_contract_names(found: FileForensics) -> None:
    data = json.loads(analysis_to_json(analysed(lambda *_, **__: found)))
    assert data["schema_version"] == "1.6"
    assert set(data["evidence"]["provenance"]) >= PROVENANCE | {"claims", "verified"}
    assert data["evidence"]["provenance"]["verified"] is False
    forensics = data["evidence"]["forensics"]
    assert set(forensics) == FORENSICS
    assert all(set(one) == OBSERVATION for one in forensics["observations"])
    assert {"format", "boxes", "encoder", "tools", "timestamps"} <= set(forensics["container"])
    assert {"type", "offset", "size_bytes", "depth"} == set(forensics["container"]["boxes"][0])
    assert {"gop", "types", "packets", "quantiser"} <= set(forensics["frames"])
    assert forensics["frames"]["types"]["I"] == 1
    assert len(forensics["frames"]["packets"]["series"]["size_bytes"]) == 30


@pytest.mark.parametrize("kind", ["video", "still"])
def test_it_reads_back_equal(kind: str, found: FileForensics, tmp_path: Path) -> None:
    if kind == "still":
        still = examine(ingest(make_still(tmp_path / "a.jpg", quality=80), tmp_path / "store"))
        found = examine_file(still.file.path, still)
    analysis = analysed(lambda *_, **__: found)
    again = analysis_from_dict(json.loads(analysis_to_json(analysis)), stored_path=analysis.evidence.file.path)
    assert again.forensics == found
    assert analysis_to_dict(again) == analysis_to_dict(analysis)


def test_older_records_and_analyses_without_it_say_nothing(found: FileForensics) -> None:
    data = analysis_to_dict(analysed(None))
    assert "forensics" not in data["evidence"]
    assert "state" not in data["evidence"]["provenance"]
    older = analysis_to_dict(analysed(lambda *_, **__: found))
    older["schema_version"] = "1.1"
    del older["evidence"]["forensics"]
    older["evidence"]["provenance"] = {"claims": [], "verified": False}
    for record in (data, older):
        assert analysis_from_dict(record, stored_path=Path("gone")).forensics is None


def test_a_later_field_does_not_make_a_record_unreadable(found: FileForensics) -> None:
    data = analysis_to_dict(analysed(lambda *_, **__: found))
    data["evidence"]["forensics"]["container"]["later"] = 1
    data["evidence"]["provenance"]["later"] = "x"
    assert analysis_from_dict(data, stored_path=Path("gone")).forensics == found


def test_no_finding_has_a_part_in_the_conclusion(found: FileForensics) -> None:
    with_it, without = analysed(lambda *_, **__: found), analysed(None)
    assert with_it.forensics is not None
    assert with_it.conclusion == without.conclusion
    assert with_it.models == without.models
    assert with_it.analysis_id == without.analysis_id
    assert with_it.timings["forensics"] >= 0


def test_a_cancelled_analysis_stops_the_examination() -> None:
    """The examination is told through the flow, and its thread ends before the analysis does."""
    ended = []

    def endless(*_: Any, cancelled: Callable[[], bool]) -> FileForensics:
        while not cancelled():
            time.sleep(0.01)
        ended.append(True)
        raise CancelledError("stopped")

    asked = iter([False] * 30)
    with pytest.raises(CancelledError):
        analysed(endless, cancelled=lambda: next(asked, True))
    assert ended == [True]
