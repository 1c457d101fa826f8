"""From a real store with a real file to a report, and what happens when parts of it are gone."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from pypdf import PdfReader
from skimage.data import astronaut
from torch import nn

from detector.analysis.types import Analysis, Conclusion, FrameScore, ModelResult, Reason, TrackScore
from detector.cases import AnalysisRecord, CaseStore
from detector.errors import ModelError, SettingsError, StoreError
from detector.evidence import Evidence, Frame, examine, frame_at, frame_times, ingest
from detector.explain import Heatmap, HeatTest, hide_test
from detector.faces.types import FaceTrack, TrackedFace
from detector.registry import FrameModel
from detector.report.collect import collect
from detector.report.issue import issue_report, record_for
from detector.report.payload import build_payload
from detector.report.strongest import strongest_frames
from detector.report.typeset import typeset
from detector.settings import AnalysisSettings
from tests.report.conftest import FACE, TOOL, make_card, make_evidence, make_scores, make_track

WEIGHTS = "1f" * 32


class FakeExplainer:
    """Returns a ramp in place of a gradient; `failure` is raised instead."""

    def __init__(self, failure: Exception | None = None) -> None:
        self.failure = failure
        self.asked: list[tuple[int, int]] = []
        self.peak = 0.02

    def heatmap(self, evidence: Evidence, analysis: Analysis, model: object, *, track_id: int, pts: int) -> Heatmap:
        self.asked.append((track_id, pts))
        if self.failure:
            raise self.failure
        raw = np.tile(np.linspace(0, self.peak, 64, dtype=np.float32), (64, 1))
        return Heatmap(raw, np.ascontiguousarray(astronaut()[60:124, 180:244]), FACE, 0.0, 0.02, "frame-b0", "blocks.6")

    def frame(self, evidence: Evidence, pts: int) -> Frame:
        return frame_at(evidence, pts)

    def heat_test(self, evidence: Evidence, analysis: Analysis, model: FrameModel, heatmap: Heatmap) -> HeatTest:
        return hide_test(model, heatmap)


@dataclass
class World:
    store: CaseStore
    case_id: str
    evidence: Evidence
    saved: AnalysisRecord
    explainer: FakeExplainer
    model: FakeModel

    def pdf(self) -> bytes:
        return typeset(record_for(self.store, self.case_id, explainer=self.explainer, models=[self.model]))  # type: ignore

    def text(self) -> str:
        return " ".join(" ".join(page.extract_text() for page in PdfReader(io.BytesIO(self.pdf())).pages).split())


class OneLayer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.cam_layer = nn.AvgPool2d(8)


class FakeModel(FrameModel):
    """Scores the brightness of what its one layer lets through."""

    def score(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        return self.cam_layer(torch.from_numpy(crops).permute(0, 3, 1, 2).float()).mean((1, 2, 3)).numpy() / 100


def clip(path: Path, frames: int = 50) -> Path:
    """A second or two of a public-domain portrait, drifting."""
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=25)
        stream.width = stream.height = 256
        stream.pix_fmt = "yuv420p"
        small = astronaut()[::2, ::2]
        for shift in range(frames):
            for packet in stream.encode(av.VideoFrame.from_ndarray(np.roll(small, shift // 4, axis=1), "rgb24")):
                out.mux(packet)
        out.mux(stream.encode())
    return path


def analysed(evidence: Evidence, weights: str = WEIGHTS) -> Analysis:
    base = float(evidence.video.time_base)
    times = frame_times(evidence)[::5]
    track = make_track(1, [pts * base for pts in times])
    faces = tuple(
        TrackedFace(index * 5, pts, pts * base, replace(face.face, bbox_xyxy_px=tuple(v / 2 for v in FACE)))  # type: ignore
        for index, (pts, face) in enumerate(zip(times, track.faces, strict=True))
    )
    track = FaceTrack(1, 0, faces)
    scores = tuple(FrameScore(f.frame_index, f.pts, f.pts_s, 1.0 + f.pts_s, 0.8) for f in faces)
    return Analysis(
        "0a" * 16, TOOL, AnalysisSettings(), evidence, (track,),
        (ModelResult("frame-b0", weights, 2.0, (TrackScore(1, 2.0, scores),)),),
        Conclusion("likely_manipulated", 0.88, (Reason("above", "Track 1 lies above the threshold."),)),
        len(times), (0.0,),
    )  # fmt: skip


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    card = make_card()

    def find_card(model_id: str) -> object:
        if model_id != card.model_id:
            raise ModelError(f"There is no model {model_id!r}.")
        return card

    monkeypatch.setattr("detector.registry.find_card", find_card)
    with CaseStore.open(tmp_path / "home", actor="tester") as store:
        case = store.create_case("Press clip", reference="LAB-7", examiner="A. Examiner")
        evidence = examine(ingest(clip(tmp_path / "press *clip* #1.mp4"), store.evidence_dir))
        exhibit = store.add_exhibit(case.case_id, evidence)
        saved = store.save_analysis(exhibit.exhibit_id, analysed(evidence))
        yield World(
            store, case.case_id, evidence, saved, FakeExplainer(), FakeModel(card, OneLayer(), torch.device("cpu"))
        )


def remove_file(path: Path) -> None:
    path.parent.chmod(0o755)
    path.chmod(0o644)
    path.unlink()


def test_a_case_becomes_a_report_with_its_pictures(world: World) -> None:
    pdf = world.pdf()
    text = world.text()
    for fact in ("LAB-7", "press *clip* #1.mp4", world.evidence.file.sha256, world.evidence.file.md5, WEIGHTS,
                 "Track 1 lies above the threshold.", "all agree", "0.02"):  # fmt: skip
        assert fact in text.replace("\n", " "), fact
    assert "blocks.6" not in text  # a layer's path is for programs
    record = collect(world.store, world.case_id, explainer=world.explainer, models=[world.model])  # type: ignore
    frames = record.exhibits[0].analyses[0].strong_frames
    assert [frame.number for frame in frames] == [1, 2]  # two seconds hold two frames that are a second apart
    assert all(frame.frame_jpeg and frame.crop_jpeg and frame.overlay_jpeg and not frame.missing for frame in frames)
    # Two frames, and the crop and the heatmap that this explainer gives for both, stored once.
    assert sum(len(page.images) for page in PdfReader(io.BytesIO(pdf)).pages) >= 4


def test_the_same_case_gives_the_same_bytes_and_reading_changes_nothing(world: World) -> None:
    before = world.store.events(world.case_id)
    assert world.pdf() == world.pdf()
    assert world.store.events(world.case_id) == before


def test_the_report_is_dated_by_the_latest_event(world: World) -> None:
    record = collect(world.store, world.case_id)
    assert record.recorded_at == world.store.events(world.case_id)[-1].at
    first = world.pdf()
    world.store.add_note(world.case_id, "Seen again.")
    assert world.pdf() != first


def test_a_missing_original_is_stated_and_the_record_still_printed(world: World) -> None:
    remove_file(world.evidence.file.path)
    text = world.text()
    assert "no longer in the store" in text
    assert "something differs" in text
    assert "Likely manipulated" in text
    assert world.explainer.asked == []


def test_a_changed_original_is_never_drawn(world: World) -> None:
    path = world.evidence.file.path
    path.chmod(0o644)
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(bytes(content))
    text = world.text()
    assert "no longer has the recorded SHA-256" in text
    assert world.explainer.asked == []


def test_what_casts_doubt_on_an_analysis_is_printed_where_it_stands(world: World) -> None:
    world.store.intake.report_altered(world.evidence.file.sha256, "0" * 64)
    record = collect(world.store, world.case_id)
    (finding,) = record.exhibits[0].findings
    assert finding.record_ids == (world.saved.record_id,)
    assert "in doubt" in world.text()
    data = build_payload(record).data
    assert data.exhibits[0].findings[0] in data.brief[0].lines


def test_a_heatmap_that_fails_leaves_the_frame_and_says_why(world: World) -> None:
    world.explainer.failure = StoreError("The frame's landmarks are gone.")
    record = collect(world.store, world.case_id, explainer=world.explainer, models=[world.model])  # type: ignore
    for frame in record.exhibits[0].analyses[0].strong_frames:
        assert frame.frame_jpeg
        assert frame.overlay_jpeg is None
        assert frame.missing == ("No heatmap: The frame's landmarks are gone.",)
    assert "landmarks are gone" in world.text()


def test_an_empty_heatmap_is_printed_as_not_tested(world: World) -> None:
    world.explainer.peak = 0.0
    record = collect(world.store, world.case_id, explainer=world.explainer, models=[world.model])  # type: ignore
    for frame in record.exhibits[0].analyses[0].strong_frames:
        assert frame.overlay_jpeg
        assert frame.heat_test is None
        assert frame.missing == ("The heatmap was not tested: it marks too little of this face.",)


def test_other_weights_never_explain_a_score(world: World) -> None:
    world.model = replace(world.model, card=replace(world.model.card, weights_sha256="99" * 32))
    text = world.text()
    assert "are not those that scored this file" in text
    assert world.explainer.asked == []


def test_a_card_of_other_weights_is_not_printed(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("detector.registry.find_card", lambda model_id: make_card(1))
    text = world.text()
    assert "describes other weights of the same name" in text
    assert "Faces under 48 px" not in text


def test_a_tampered_analysis_is_named_and_not_shown(world: World) -> None:
    for artefact in world.saved.artefacts:
        artefact.path.chmod(0o644)
        artefact.path.write_bytes(b"{}")
    text = world.text()
    assert "is on record (Likely manipulated, score 0.880), but it cannot be read" in text
    assert "no finding is stated" in text


def test_a_report_on_chosen_exhibits_tells_nothing_of_the_others(world: World, tmp_path: Path) -> None:
    other = examine(ingest(clip(tmp_path / "other.mp4", frames=5), world.store.evidence_dir))
    exhibit = world.store.add_exhibit(world.case_id, other)
    world.store.add_note(world.case_id, "A remark on the other.", exhibit_id=exhibit.exhibit_id)
    world.store.statements.give_opinion(exhibit.exhibit_id, "genuine", "Said of the other.")
    for form in ("full", "short"):
        pdf = issue_report(
            world.store, world.case_id, file_name="r.pdf", form=form, exhibit_ids=[world.saved.exhibit_id],
            explainer=world.explainer, models=[world.model],  # type: ignore[arg-type]
        )  # fmt: skip
        reader = PdfReader(io.BytesIO(pdf))
        text = " ".join(" ".join(page.extract_text() for page in reader.pages).split())
        assert "1 of the case's 2" in text
        attached = b"".join(content for (content, *_) in reader.attachments.values()).decode()
        for said in (
            "other.mp4",
            "A remark on the other.",
            "Said of the other.",
            exhibit.exhibit_id,
            other.file.sha256,
        ):
            assert said not in text + attached, said
    newest = world.store.events(world.case_id)[-1]
    assert (newest.action, newest.details["exhibit_id"]) == ("report_rendered", world.saved.exhibit_id)


def test_a_choice_of_no_exhibit_or_of_a_strange_one_is_refused(world: World) -> None:
    with pytest.raises(SettingsError, match="No exhibit is chosen"):
        collect(world.store, world.case_id, exhibit_ids=[])
    with pytest.raises(StoreError, match="has no exhibit 'x404'"):
        collect(world.store, world.case_id, exhibit_ids=["x404"])


def test_an_unknown_case_is_an_error(world: World) -> None:
    with pytest.raises(StoreError):
        record_for(world.store, "c404")


def test_an_empty_case(tmp_path: Path) -> None:
    with CaseStore.open(tmp_path / "home", actor="tester") as store:
        case = store.create_case("Nothing yet")
        assert typeset(collect(store, case.case_id)).startswith(b"%PDF")


def test_strongest_frames_are_spaced_ranked_and_of_tracks_that_decide() -> None:
    steady, flicker = make_track(1, [n / 5 for n in range(50)]), make_track(2, [3.0])
    scores = make_scores(steady, 0.5), make_scores(flicker, 9.0)
    analysis = replace(
        analysed_without_file(), tracks=(steady, flicker), models=(ModelResult("frame-b0", WEIGHTS, 0.5, scores),)
    )
    frames = strongest_frames(analysis, count=5)
    assert {frame.track_id for frame in frames} == {1}
    assert [frame.score for frame in frames] == sorted((frame.score for frame in frames), reverse=True)
    times = sorted(frame.pts_s for frame in frames)
    assert min(b - a for a, b in pairwise(times)) >= 1.0
    assert frames[0].score == max(face.score for face in scores[0].frames)


def analysed_without_file() -> Analysis:
    return Analysis(
        "0b" * 16, TOOL, AnalysisSettings(), make_evidence(), (), (), Conclusion("inconclusive", 0.5, ()), 50, (0.0,)
    )
