from __future__ import annotations

import io
import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient
from streamlit.testing.v1 import AppTest

from detector.analysis.types import Attention, Moment, Reason
from detector.evidence import frame_at, frame_times
from detector.registry import Thresholds
from pages.parts.player import component, payload
from pages.parts.shared import media, services
from pages.parts.shared.readings import Readings
from tests.pages.conftest import Browser
from tests.pages.seed import Seeded


def _base(seeded: Seeded) -> str:
    return f"{media.address(seeded.exhibit.sha256)}/{seeded.exhibit.exhibit_id}"


def _picture(body: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(body))).astype(int)


def test_the_frame_of_a_pts_is_that_of_the_decoder_and_no_neighbour(client: TestClient, seeded: Seeded) -> None:
    evidence = seeded.exhibit.evidence
    times = frame_times(evidence)
    for index in (0, 7, len(times) - 1):
        answer = client.get(f"{_base(seeded)}/frame/{times[index]}")
        assert answer.headers["content-type"] == "image/jpeg"
        assert answer.headers["cache-control"] == "no-store"
        distances = [
            np.abs(_picture(answer.content) - frame_at(evidence, times[other]).image).mean()
            for other in range(max(0, index - 1), min(len(times), index + 2))
        ]
        assert min(distances) < 3
        assert distances.index(min(distances)) == min(index, 1)


def test_a_face_is_cut_from_its_frame_and_scaled_to_the_screen(client: TestClient, seeded: Seeded) -> None:
    evidence, pts = seeded.exhibit.evidence, frame_times(seeded.exhibit.evidence)[3]
    whole = frame_at(evidence, pts).image.astype(int)
    cut = _picture(client.get(f"{_base(seeded)}/frame/{pts}?box=-20,50,100,150").content)
    assert np.abs(cut - whole[50:150, 0:100]).mean() < 4
    assert _picture(client.get(f"{_base(seeded)}/frame/{pts}?width=80").content).shape == (60, 80, 3)


def test_a_time_without_a_frame_is_told_with_the_nearest_that_have_one(client: TestClient, seeded: Seeded) -> None:
    answer = client.get(f"{_base(seeded)}/frame/1")
    assert answer.status_code == 422
    assert "The nearest are" in answer.text


def test_what_is_no_frame_and_no_record_is_not_found(client: TestClient, seeded: Seeded) -> None:
    for place in ("frame/x", "frame/0?width=-1", "frame/0?box=1,2", "readings/r0", "frames/0"):
        assert client.get(f"{_base(seeded)}/{place}").status_code == 404


def test_frames_and_readings_open_with_their_own_token_and_exhibit_alone(client: TestClient, seeded: Seeded) -> None:
    others = services.current().store.create_case("Another", examiner="A")
    again = services.current().store.add_exhibit(others.case_id, seeded.exhibit.evidence)
    record = seeded.record.record_id
    base, stranger = _base(seeded), f"{media.address(seeded.exhibit.sha256)}/{again.exhibit_id}"
    wrong = f"/evidence/{'0' * 32}/{seeded.exhibit.sha256}/{seeded.exhibit.exhibit_id}"
    nowhere = f"{media.address('0' * 64)}/{seeded.exhibit.exhibit_id}"
    assert client.get(f"{base}/readings/{record}").status_code == client.get(f"{base}/times").status_code == 200
    assert client.get(f"{stranger}/readings/{record}").status_code == 404
    for refused in (wrong, nowhere):
        for place in ("times", "frame/0", f"readings/{record}"):
            assert client.get(f"{refused}/{place}").status_code == 404
    client.cookies.clear()
    assert client.get(f"{base}/frame/0").status_code == 404


def test_scores_held_back_are_served_to_nobody_but_who_gave_an_opinion(
    client: TestClient, browser: Browser, seeded: Seeded
) -> None:
    store = services.current().store
    place = f"{_base(seeded)}/readings/{seeded.record.record_id}"
    store.metadata.set_blind_first(seeded.case.case_id, True, author="A")
    assert client.get(place).status_code == 404
    assert client.get(f"{_base(seeded)}/frame/0").status_code == 200
    store.statements.give_opinion(seeded.exhibit.exhibit_id, "genuine", author="Another")
    assert client.get(place).status_code == 404
    store.statements.give_opinion(seeded.exhibit.exhibit_id, "genuine", author=browser.who)
    assert client.get(place).status_code == 200
    browser.who = ""
    assert client.get(f"{_base(seeded)}/readings/{seeded.record.record_id}").status_code == 404


def test_the_times_of_an_uneven_file_come_whole() -> None:
    moments = (5, 10, 15, 15 + 7, 40, 45)
    told = json.loads(payload.times_json(moments))
    found = [told["first"]]
    for ticks, count in told["steps"]:
        found += [found[-1] + ticks * (step + 1) for step in range(count)]
    assert tuple(found) == moments
    assert json.loads(payload.times_json(())) == {"first": None, "steps": []}


def test_the_player_draws_every_face_with_what_each_model_said(seeded: Seeded) -> None:
    (model,) = seeded.analysis.models
    track = seeded.analysis.tracks[1]
    attending = replace(model.tracks[0], attention=Attention((0, 512), (0.0, 0.1), (0.25, 0.75)))
    moment = Moment(2, 0.5, 1.5, track.faces[2].pts, track.faces[2].pts_s, 2.0, model.model_id)
    reasons = (Reason("run", "Manipulation is indicated.", (moment,)), Reason("uncalibrated", "Not calibrated."))
    analysis = replace(
        seeded.analysis,
        models=(replace(model, tracks=(attending, model.tracks[1])),),
        conclusion=replace(seeded.analysis.conclusion, reasons=reasons),
        shot_starts_s=(0.0, 1.0),
    )
    limits = {model.model_id: Thresholds(1.5, -1.5, basis="made up")}
    told = json.loads(payload.readings_json(Readings.of(analysis), limits))
    second = told["tracks"][1]
    assert second["pts"] == [face.pts for face in track.faces]
    assert second["box"][4:8] == list(track.faces[1].face.bbox_xyxy_px)
    scores = [None, *(round(frame.score, 4) for frame in model.tracks[1].frames)]
    assert second["scores"][""] == second["scores"][model.model_id] == scores
    assert second["gaps"] == [list(gap) for gap in track.gaps_s]
    (drawn,) = told["models"]
    assert (drawn["name"], told["combined"]) == (model.name, model.model_id)
    assert drawn["likely"] == pytest.approx(1 - drawn["not_found"])
    assert drawn["attention"] == {"1": {"pts": [0, 512], "share": [0.25, 0.75]}}
    assert [(span["track"], span["start"], span["kind"]) for span in told["spans"]] == [(2, 0.5, "run")]
    assert "Manipulation indicated" in told["spans"][0]["words"]
    assert told["shots"] == [1.0]


def test_a_filmstrip_has_the_strongest_the_weakest_and_others_evenly() -> None:
    scores = [0.5] * 200
    scores[40], scores[41], scores[120], scores[199], scores[77] = 0.9, 0.89, 0.8, 0.1, 0.7
    strip = payload.strip_of(scores)
    assert {40, 120, 77, 199} <= set(strip)
    assert 41 not in strip  # the frame beside the strongest shows nothing new
    assert len(strip) == payload.FACES
    assert max(later - earlier for earlier, later in pairwise(strip)) <= 60
    assert payload.strip_of([None, 0.4]) == [0, 1]
    assert payload.strip_of([]) == []


def test_where_the_playhead_rests_is_put_in_the_address_if_it_makes_sense() -> None:
    def script(said: list[object]) -> None:
        from pages.parts.player import component

        for one in said:
            component.follow({"rested": one})

    nonsense = [None, 7, {}, {"track": "1", "pts": 7}, {"track": 1, "pts": True}, {"track": 1, "pts": 0.5}]
    for said, shown in (([{"track": 2, "pts": 7}, {"track": None, "pts": 9}], ["2", "9"]), (nonsense, [])):
        app = AppTest.from_function(script, args=(said,)).run()
        assert not app.exception
        assert [value for name in ("track", "pts") for value in app.query_params.get(name, [])] == shown


def test_a_file_that_no_browser_plays_is_said_to_be_one(tmp_path: Path, seeded: Seeded) -> None:
    evidence = seeded.exhibit.evidence
    for first_bytes, said in ((b"RIFF\0\0\0\0AVI LIST", "No browser plays"), (None, "is gone")):
        path = tmp_path / "clip.avi"
        path.unlink(missing_ok=True)
        if first_bytes:
            path.write_bytes(first_bytes)
        video, why_not = component.stream_of(replace(evidence, file=replace(evidence.file, path=path)))
        assert video is None
        assert said in str(why_not)
    assert component.stream_of(replace(evidence, kind="still")) == (None, None)
