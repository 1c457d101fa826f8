from __future__ import annotations

import base64
import io
from dataclasses import replace

import pytest
from PIL import Image

from detector.analysis.types import Moment, Reason
from detector.evidence import frame_times
from detector.report.strongest import strongest_frames
from pages.parts.shared import look_at, services, thumbnails
from tests.pages.seed import Seeded


def test_an_examined_exhibit_shows_its_strongest_face_and_a_withheld_one_a_frame_that_says_nothing(
    opened: services.Services, seeded: Seeded, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoded: list[int] = []
    frame_at = thumbnails.frame_at
    monkeypatch.setattr(thumbnails, "frame_at", lambda of, pts: decoded.append(pts) or frame_at(of, pts))
    shown = thumbnails.data_uri(seeded.exhibit)
    assert shown is not None
    picture = Image.open(io.BytesIO(base64.b64decode(shown.removeprefix("data:image/jpeg;base64,"))))
    assert (picture.format, picture.size) == ("JPEG", (176, 132))
    opened.store.metadata.set_blind_first(seeded.case.case_id, True)
    assert thumbnails.data_uri(seeded.exhibit) not in (None, shown)
    times = frame_times(seeded.exhibit.evidence)
    assert decoded == [strongest_frames(seeded.analysis, count=1)[0].pts, times[len(times) // 10]]

    assert thumbnails.picture(seeded.exhibit, seeded.record.record_id) == shown
    assert len(decoded) == 2  # each was made once


def test_a_file_that_cannot_be_read_has_a_reason_instead_of_a_picture(seeded: Seeded) -> None:
    stored = seeded.exhibit.evidence.file.path
    stored.chmod(0o600)
    stored.write_bytes(b"no video any more")
    assert thumbnails.data_uri(seeded.exhibit) is None
    assert thumbnails.problem(seeded.exhibit)


def test_an_analysis_that_cannot_be_read_leaves_the_frame_that_says_nothing(
    opened: services.Services, seeded: Seeded
) -> None:
    opened.store._database.write(lambda cursor: cursor.execute("DELETE FROM artefacts"))
    assert look_at.of_record(seeded.record.record_id) == ""
    assert thumbnails.picture(seeded.exhibit, seeded.record.record_id) == thumbnails.picture(seeded.exhibit, None)


def test_the_times_to_look_at_are_those_of_all_reasons_once_and_in_order(seeded: Seeded) -> None:
    def moment(start_s: float, end_s: float, pts_s: float) -> Moment:
        return Moment(1, start_s, end_s, 0, pts_s, 2.0, "tiny")

    reasons = (
        Reason("peaks", "", (moment(9.4, 9.8, 9.6), moment(11.0, 11.2, 11.1), moment(12.0, 12.1, 12.0))),
        Reason("run", "", (moment(1.5, 5.8, 3.0), moment(2.0, 5.0, 2.5))),
    )
    conclusion = replace(seeded.analysis.conclusion, reasons=reasons)
    assert look_at.times(conclusion) == "1.5–5.8 s, 9.6 s, 11.1 s and 1 more"
    assert look_at.times(replace(conclusion, reasons=())) == ""


def test_no_more_pictures_are_kept_than_a_folder_may_hold(seeded: Seeded, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(thumbnails, "_MOST_A_FOLDER", 1)
    assert thumbnails.picture(seeded.exhibit, None)
    assert thumbnails.picture(seeded.exhibit, seeded.record.record_id)
    assert thumbnails.kept(seeded.exhibit.sha256, None) is None
    assert thumbnails.kept(seeded.exhibit.sha256, seeded.record.record_id)
