"""Filters of the whole frame on Examine: none until one is chosen, no view of scores, and on record when taken away."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from detector.errors import StoreError
from detector.evidence import frame_at
from detector.evidence.picture_filters import apply_filter
from pages.parts.examine import frame_filters
from pages.parts.shared import services
from tests.pages.conftest import EXAMINER, html_of
from tests.pages.seed import Seeded

OpenPage = Callable[..., AppTest]


def test_a_filter_is_chosen_set_and_held_against_the_frame_before_any_opinion(
    open_page: OpenPage, seeded: Seeded, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, object]] = []
    monkeypatch.setattr(
        frame_filters, "apply_filter", lambda image, *how: asked.append(how) or apply_filter(image, *how)
    )
    services.current().store.metadata.set_blind_first(seeded.case.case_id, True, author="Lead")
    app = open_page("examine", exhibit=seeded.exhibit.exhibit_id, pts=0)
    assert not app.exception
    assert not asked
    assert not app.get("image")
    app.selectbox(key="filter").set_value("blocking").run()
    assert not app.exception
    assert len(app.get("image")) == 1
    shown = html_of(app)
    assert "Steps are highest at columns" in shown
    assert "left of the line the frame, right of it the filter" in shown
    app.selectbox(key="filter_blocking_grid").set_value("another").run()
    app.select_slider(key="filter_zoom").set_value("4 ×").run()
    app.slider(key="filter_left").set_value(100).run()
    app.slider(key="filter_share").set_value(0).run()
    assert not app.exception
    assert "the frame alone" in html_of(app)
    assert asked == [("blocking", ("the frame's own", 72, 3)), ("blocking", ("another", 72, 3))]


def test_a_filtered_picture_is_labelled_and_on_record_and_shows_nobody_scores(seeded: Seeded) -> None:
    exhibit, store = seeded.exhibit, services.current().store
    frame = frame_at(exhibit.evidence, 0)
    content = frame_filters.issue(exhibit, frame, "error-level", (90, 10), EXAMINER)
    with Image.open(io.BytesIO(content)) as sheet:
        told, pixels = str(sheet.text["Comment"]), np.asarray(sheet)  # type: ignore[attr-defined]
    height_px, width_px = frame.image.shape[:2]
    np.testing.assert_array_equal(
        pixels[-height_px:, :width_px], apply_filter(frame.image, "error-level", (90, 10)).picture
    )
    band = pixels[:-height_px]
    assert (band == 255).all(axis=2).sum() > 200  # letters
    assert told.startswith(
        "DERIVED — not evidence. Error level: JPEG quality 90 %, amplified 10 times. Frame at 0.000 s"
    )
    assert exhibit.sha256 in told
    event = store.events(seeded.case.case_id)[-1]
    assert (event.action, event.actor) == ("picture_exported", EXAMINER)
    assert event.details == {
        "exhibit_id": exhibit.exhibit_id,
        "file_name": f"{exhibit.sha256[:12]}-pts-0-error-level-derived.png",
        "sha256": hashlib.sha256(content).hexdigest(),
        "pts": 0,
        "filter": "error-level",
        "options": "JPEG quality 90 %, amplified 10 times",
    }
    assert store.statements.scores_opened_by(exhibit.exhibit_id) == ()
    path = exhibit.evidence.file.path
    path.chmod(0o600)
    path.write_bytes(b"another")
    with pytest.raises(StoreError, match="was changed"):
        frame_filters.issue(exhibit, frame, "error-level", (90, 10), EXAMINER)


def test_the_frame_lies_left_of_the_split_and_the_filter_right_of_it() -> None:
    frame, filtered = np.full((10, 100, 3), 10, np.uint8), np.full((10, 100, 3), 200, np.uint8)
    shown = frame_filters.split(frame, filtered, 0.25)
    assert (shown[:, :74] == 10).all()
    assert (shown[:, 74:75] == 255).all()
    assert (shown[:, 76:] == 200).all()
    np.testing.assert_array_equal(frame_filters.split(frame, filtered, 0), frame)
    np.testing.assert_array_equal(frame_filters.split(frame, filtered, 1), filtered)
    assert (frame_filters.blend(frame, filtered, 0.5) == 105).all()


def test_a_zoom_shows_the_frames_own_pixels_at_the_place_asked_for() -> None:
    frame = np.random.default_rng(0).integers(0, 255, (1080, 1920, 3), dtype=np.uint8)
    corner = frame_filters.part(frame, 4, 1.0, 1.0)
    whole = frame_filters.part(frame, 0, 0.5, 0.5)
    np.testing.assert_array_equal(corner[::4, ::4], frame[-(corner.shape[0] // 4) :, -(corner.shape[1] // 4) :])
    np.testing.assert_allclose(corner.shape[:2], whole.shape[:2], atol=4)
    small = frame[:100, :80]
    np.testing.assert_array_equal(frame_filters.part(small, 1, 0.5, 0.5), small)
