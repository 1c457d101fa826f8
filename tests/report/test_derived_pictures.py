"""The annotated video and the contact sheet: labelled, playable, true to time, whole or not there."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from skimage.data import astronaut

from detector.analysis.types import Analysis, Conclusion, FrameScore, ModelResult, Tool, TrackScore
from detector.cases import CaseStore
from detector.cli import main
from detector.errors import CancelledError, EvidenceError, ModelError
from detector.evidence import Evidence, examine, frame_times, ingest
from detector.explain import Explainer
from detector.faces.types import DetectedFace, FaceQuality, FaceTrack, TrackedFace
from detector.registry import load_model
from detector.report.annotated_video import annotate_video, heatmap_model
from detector.report.contact_sheet import contact_sheet
from detector.report.strongest import Illustrator
from detector.report.video_canvas import LABEL, Layout, Moments
from detector.settings import AnalysisSettings
from tests.evidence.media import make_still, make_video
from tests.pages.seed import fill, write_clip, write_model

BOX = (60.0, 20.0, 110.0, 80.0)


def view(size: tuple[int, int]) -> Callable[[int], NDArray[np.uint8]]:
    """A part of a real photograph that moves."""
    return lambda number: astronaut()[20 : 20 + size[1], 60 + number : 60 + number + size[0]]


def taken_in(path: Path, folder: Path) -> Evidence:
    return examine(ingest(path, folder / "evidence"))


def scored(evidence: Evidence, *, every: int = 5, model_id: str = "tiny", weights: str = "0" * 64) -> Analysis:
    """One track on every n-th frame, its logit rising with time."""
    quality = FaceQuality(50.0, 200.0, 0.5, None, None, None, 0.9, 0.9, ())
    base = evidence.video.time_base
    faces = tuple(
        TrackedFace(index, pts, float(pts * base), DetectedFace(BOX, 0.9, None, quality, "frame"))
        for index, pts in list(enumerate(frame_times(evidence)))[::every]
    )
    frames = tuple(FrameScore(f.frame_index, f.pts, f.pts_s, f.pts_s * 2 - 1, 0.9) for f in faces)
    track = TrackScore(1, 0.5, frames)
    return Analysis(
        "a" * 32,
        Tool("framewitness", "0", None),
        AnalysisSettings(min_frames=2),
        evidence,
        (FaceTrack(1, 0, faces),),
        (ModelResult(model_id, weights, 0.5, (track,)),),
        Conclusion("inconclusive", 0.6, ()),
        len(faces),
    )


def played(path: Path) -> tuple[list[float], list[NDArray[np.uint8]]]:
    with av.open(str(path)) as container:
        frames = list(container.decode(video=0))
    pictures = [frame.to_ndarray(format="rgb24").astype(np.uint8) for frame in frames]
    return [float(frame.time or 0) for frame in frames], pictures


@pytest.mark.parametrize(
    ("size", "rotation_deg", "panel"),
    [
        ((160, 120), 0, (480, 360)),
        ((120, 160), 0, (360, 480)),
        ((160, 120), 90, (360, 480)),
        ((64, 48), 180, (256, 192)),
    ],
)
def test_it_plays_upright_and_says_what_it_is(
    tmp_path: Path, size: tuple[int, int], rotation_deg: int, panel: tuple[int, int]
) -> None:
    clip = make_video(
        tmp_path / "clip.mp4", frames=12, fps=12, size=size, rotation_deg=rotation_deg, picture=view(size)
    )
    evidence = taken_in(clip, tmp_path)
    made = annotate_video(evidence, scored(evidence), tmp_path / "out.mp4")
    assert (made.frames_written, made.has_sound, made.heatmaps) == (12, False, 0)
    assert Layout.of(evidence.video.width, evidence.video.height, heatmap=False).picture == panel
    with av.open(str(made.path)) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")
        assert (stream.width, stream.height) == (made.width, made.height)
        assert container.metadata["title"].startswith(LABEL)
        for told in (LABEL, evidence.file.sha256, "a" * 32):
            assert told in container.metadata["comment"]
    head = made.path.read_bytes()
    assert head.index(b"moov") < head.index(b"mdat")  # a browser starts to play before all is loaded
    times, pictures = played(made.path)
    assert times == pytest.approx([number / 12 for number in range(12)], abs=1e-3)
    band = pictures[0][:46].reshape(-1, 3)
    assert np.median(band, axis=0) == pytest.approx((94, 22, 22), abs=8)
    assert (band.min(axis=1) > 200).mean() > 0.01  # the label's letters
    left = (made.width - panel[0]) // 2
    shown = pictures[0][46 : 46 + panel[1], left : left + panel[0]].astype(float)
    upright = np.asarray(
        Image.fromarray(np.rot90(view(size)(0), -(rotation_deg // 90))).resize(panel, Image.Resampling.BILINEAR)
    )
    assert np.median(np.abs(shown - upright)) < 12


def test_variable_times_and_sound_are_kept(tmp_path: Path) -> None:
    ticks = [0, 40, 80, 300, 340, 900, 940, 1000, 1400, 1800]
    clip = make_video(
        tmp_path / "clip.mp4",
        frames=10,
        fps=5,
        pts=ticks,
        time_base=Fraction(1, 1000),
        size=(160, 120),
        picture=view((160, 120)),
        audio=True,
    )
    evidence = taken_in(clip, tmp_path)
    made = annotate_video(evidence, scored(evidence), tmp_path / "out.mp4")
    assert made.has_sound
    assert "one channel of 16 kHz" in made.statement
    times, _ = played(made.path)
    assert times == pytest.approx([tick / 1000 for tick in ticks], abs=2e-3)
    with av.open(str(made.path)) as container:
        assert container.streams.audio[0].codec_context.name == "aac"
        samples = np.concatenate([frame.to_ndarray() for frame in container.decode(audio=0)], axis=1)
    assert samples.shape[1] / 16_000 == pytest.approx(1.8, abs=0.25)
    assert np.abs(samples).max() > 0.05


def test_a_fast_video_is_thinned_and_says_so(tmp_path: Path) -> None:
    clip = make_video(tmp_path / "clip.mp4", frames=60, fps=60, size=(64, 48), picture=view((64, 48)))
    evidence = taken_in(clip, tmp_path)
    analysis = scored(evidence, every=7)
    made = annotate_video(evidence, analysis, tmp_path / "out.mp4")
    assert 30 <= made.frames_written <= 40
    assert f"{made.frames_written} of 60 frames are shown, at most 30 a second" in made.statement
    times, _ = played(made.path)
    for seen in analysis.tracks[0].faces:  # what the scores are of is never dropped
        assert min(abs(time - seen.pts_s) for time in times) < 1e-3


def test_cancelling_leaves_nothing_and_progress_rises(tmp_path: Path) -> None:
    clip = make_video(tmp_path / "clip.mp4", frames=20, size=(64, 48), picture=view((64, 48)))
    evidence = taken_in(clip, tmp_path)
    calls = iter(range(100))
    with pytest.raises(CancelledError):
        annotate_video(evidence, scored(evidence), tmp_path / "out" / "a.mp4", cancelled=lambda: next(calls) > 5)
    assert list((tmp_path / "out").iterdir()) == []
    seen: list[float] = []
    annotate_video(evidence, scored(evidence), tmp_path / "a.mp4", on_progress=lambda now: seen.append(now.fraction))
    assert seen == sorted(seen)


def test_what_cannot_be_annotated_is_refused(tmp_path: Path) -> None:
    still = taken_in(make_still(tmp_path / "still.png"), tmp_path)
    with pytest.raises(EvidenceError, match="contact sheet"):
        annotate_video(still, scored(still), tmp_path / "a.mp4")
    one = taken_in(make_video(tmp_path / "one.mp4", frames=3), tmp_path)
    other = taken_in(make_video(tmp_path / "other.mp4", frames=4), tmp_path)
    with pytest.raises(EvidenceError, match="another file"):
        annotate_video(one, scored(other), tmp_path / "a.mp4")
    assert not (tmp_path / "a.mp4").exists()
    with pytest.raises(ModelError, match="No frame model"):
        heatmap_model(replace(scored(one), models=()))


def test_heatmaps_stand_beside_and_are_held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    card = write_model(tmp_path / "weights")
    monkeypatch.setenv("FRAMEWITNESS_WEIGHTS", str(tmp_path / "weights"))
    clip = make_video(tmp_path / "clip.mp4", frames=6, fps=6, size=(160, 120), picture=view((160, 120)))
    evidence = taken_in(clip, tmp_path)
    analysis = scored(evidence, every=4, weights=card.weights_sha256)
    made = annotate_video(evidence, analysis, tmp_path / "out.mp4", heatmap_model=heatmap_model(analysis))
    assert made.heatmaps == 2
    assert "Grad-CAM of tiny" in made.statement
    _, pictures = played(made.path)
    right = [picture[46:406, made.width // 2 :].astype(float) for picture in pictures]
    assert np.abs(right[1] - right[0]).mean() < 3  # held
    assert np.abs(right[4] - right[3]).mean() > 3  # made anew
    with pytest.raises(ModelError, match="not those that scored"):
        heatmap_model(scored(evidence))


def test_a_face_is_bridged_but_never_across_a_gap(tmp_path: Path) -> None:
    evidence = taken_in(make_video(tmp_path / "clip.mp4", frames=30, fps=10), tmp_path)
    analysis = scored(evidence, every=5)
    times = frame_times(evidence)
    moments = Moments(analysis)
    (face,) = moments.at(times[5], 0.5)
    assert (face.examined, face.score) == (True, pytest.approx(0.5))
    (held,) = moments.at(times[7], 0.7)
    assert (held.examined, held.score) == (False, pytest.approx(0.5))
    assert held.bbox_xyxy_px == pytest.approx(BOX)
    assert moments.at(times[28], 2.8) == ()
    gap = replace(analysis, tracks=(replace(analysis.tracks[0], gaps_s=((0.6, 0.9),)),))
    assert Moments(gap).at(times[7], 0.7) == ()
    assert len(Moments(gap).at(times[12], 1.2)) == 1


def test_the_contact_sheet_shows_the_strongest_faces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    card = write_model(tmp_path / "weights")
    monkeypatch.setenv("FRAMEWITNESS_WEIGHTS", str(tmp_path / "weights"))
    clip = write_clip(tmp_path / "clip.mp4", seconds=3.0)
    evidence = taken_in(clip, tmp_path)
    analysis = scored(evidence, every=6, weights=card.weights_sha256)
    illustrator = Illustrator(Explainer(tmp_path / "heat"), [load_model("tiny")])
    content = contact_sheet(evidence, analysis, illustrator, count=3)
    assert contact_sheet(evidence, analysis, illustrator, count=3) == content
    with Image.open(io.BytesIO(content)) as sheet:
        assert LABEL in sheet.info["Title"]
        assert evidence.file.sha256 in sheet.info["Comment"]
        pixels = np.asarray(sheet)
    assert pixels[4, 4] == pytest.approx((94, 22, 22))
    face, heat = pixels[102:298, 18:214].astype(float), pixels[102:298, 222:418].astype(float)
    assert face.std() > 20
    assert np.abs(face - heat).mean() > 5
    bare = contact_sheet(evidence, analysis, Illustrator(None, ()), count=3)
    assert bare != content
    nothing = replace(analysis, tracks=(), models=())
    with Image.open(io.BytesIO(contact_sheet(evidence, nothing, illustrator))) as sheet:
        assert sheet.width >= 640


def test_the_commands_write_files_and_the_log_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    card = write_model(tmp_path / "weights")
    monkeypatch.setenv("FRAMEWITNESS_WEIGHTS", str(tmp_path / "weights"))
    monkeypatch.setenv("FRAMEWITNESS_HOME", str(tmp_path / "home"))
    with CaseStore.open(tmp_path / "home", actor="tester") as store:
        seeded = fill(store, write_clip(tmp_path / "clip.mp4"), card, file_name="=1+1\u202e<b>.mp4")
    record = seeded.record.record_id
    assert main(["annotate", record, "--out", str(tmp_path / "a.mp4"), "--quiet"]) == 0
    assert "All 24 frames" in capsys.readouterr().err
    assert main(["contact-sheet", "--case", "Seeded case", "--out", str(tmp_path / "a.png"), "--no-heatmap"]) == 0
    assert main(["contact-sheet", record, "--out", str(tmp_path / "b.png"), "--count", "0"]) == 2
    with CaseStore.open(tmp_path / "home") as store:
        told = [event.details for event in store.events(seeded.case.case_id) if event.action == "case_exported"]
        path = seeded.exhibit.evidence.file.path
        path.chmod(0o600)
        path.write_bytes(b"changed")
    assert [(one["form"], one["file_name"], one["record_id"]) for one in told] == [
        ("annotated-video", "a.mp4", record),
        ("contact-sheet", "a.png", record),
    ]
    assert main(["annotate", record, "--out", str(tmp_path / "c.mp4"), "--quiet"]) == 1
    assert "was changed" in capsys.readouterr().err
    assert not (tmp_path / "c.mp4").exists()
