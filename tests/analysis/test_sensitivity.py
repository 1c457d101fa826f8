"""Small changes of the file and of how it is examined: what each makes of the score, and what the conclusion says."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from detector.analysis import Analysis, Progress, analysis_from_dict, analysis_to_json, analyze
from detector.analysis.comparison import compare
from detector.analysis.sensitivity import CHANGES, Change, coded_anew, weighed, with_sensitivity
from detector.analysis.types import Conclusion, Reason, Sensitivity, Variant
from detector.errors import CancelledError, EvidenceError
from detector.evidence import Evidence, displayed_frames, examine, ingest, read_sound
from detector.evidence.audio import Sound
from detector.evidence.types import Frame, Integrity
from detector.registry import Thresholds
from detector.settings import AnalysisSettings
from detector.synthesis.video import write_clip
from tests.analysis.fakes import (
    SETTINGS,
    FakeCard,
    FakeModel,
    FakeReader,
    fake_components,
    make_evidence,
)

ASKED = replace(SETTINGS, sensitivity=True)


@pytest.fixture(scope="module", autouse=True)
def no_sweeping() -> Iterator[None]:
    """Collecting garbage after every analysis takes longer than these analyses."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("detector.analysis.pipeline.return_freed_memory", lambda: None)
        yield


class Undamaged(FakeReader):
    """Without a complaint of the decoder."""

    def __init__(self, count: int) -> None:
        super().__init__(count)
        self.integrity = Integrity()


class Halfway(Undamaged):
    """Frame n is 10 n + 5 everywhere."""

    def __iter__(self) -> Iterator[Frame]:
        return (replace(frame, image=10 * frame.image + 5) for frame in super().__iter__())


def run(*, cancelled: Any = None, on_progress: Any = None, thresholds: Thresholds | None = None) -> Analysis:
    """The file is nowhere, so that the two changes that write it anew fail."""

    def open_frames(_: object, __: object, ___: bool, offset: float) -> FakeReader:
        return Halfway(20) if offset == 0.5 else Undamaged(20)

    def crop(image: np.ndarray, bbox: tuple[float, ...], _: object, spec: Any) -> np.ndarray:
        found = np.zeros((spec.size_px, spec.size_px, 3), np.uint8)
        found[..., 0], found[..., 1] = image[0, 0, 0], 5 * bbox[0] * (1 + spec.margin)
        return found

    card = FakeCard(thresholds=thresholds or FakeCard().thresholds)
    components = replace(fake_components(FakeReader(20)), open_frames=open_frames, crop_face=crop)
    return analyze(
        make_evidence(),
        [FakeModel(card=card, offset=-17.0)],  # type: ignore[list-item]
        ASKED,
        components=components,
        cancelled=cancelled,
        on_progress=on_progress,
    )


@pytest.fixture(scope="module")
def made() -> Analysis:
    return run()


def test_every_change_has_a_score_and_a_label_or_the_reason_why_not(made: Analysis) -> None:
    assert made.sensitivity is not None
    found = {one.name: one for one in made.sensitivity.variants}
    assert list(found) == [change.name for change in CHANGES]
    for name in ("re_encoded", "rescaled"):
        assert (found[name].score, found[name].label, found[name].flips) == (None, None, False)
        assert "was not examined" in str(found[name].reason)
    scores = [one.score for one in found.values() if one.score is not None]
    assert len(scores) == 4
    assert made.sensitivity.lowest == min(*scores, made.conclusion.score)
    assert made.sensitivity.highest == max(*scores, made.conclusion.score)
    assert found["narrower_crop"].score < made.conclusion.score < found["wider_crop"].score  # type: ignore[operator]
    assert found["offset_frames"].score > made.conclusion.score  # type: ignore[operator]
    assert found["jittered_boxes"].score != made.conclusion.score


def test_nothing_else_of_the_analysis_changes_and_equal_work_gives_equal_numbers(made: Analysis) -> None:
    again = run()
    assert again.sensitivity == made.sensitivity
    assert replace(again, timings={}) == replace(made, timings={})
    assert made.settings.sensitivity
    assert made.timings["sensitivity"] > 0
    assert made.tracks[0].faces[0].face.bbox_xyxy_px[0] == 4  # as found, not jittered


def test_the_record_holds_it_and_one_from_before_has_none(made: Analysis) -> None:
    data = json.loads(analysis_to_json(made))
    assert data["sensitivity"]["variants"][0]["name"] == "re_encoded"
    path = made.evidence.file.path
    assert analysis_from_dict(data, stored_path=path) == made
    del data["sensitivity"]
    assert analysis_from_dict(data, stored_path=path).sensitivity is None


def test_a_replay_names_the_change_after_which_the_score_differs(made: Analysis) -> None:
    data = json.loads(analysis_to_json(made))
    other = json.loads(analysis_to_json(made))
    assert compare(data, other).outcome == "equal"
    other["sensitivity"]["variants"].reverse()  # order is no difference
    other["sensitivity"]["variants"][0]["score"] -= 0.1
    (group,) = compare(data, other).groups
    assert group.path == "sensitivity.variants[jittered_boxes].score"


def test_a_clear_conclusion_that_a_small_change_flips_is_inconclusive(made: Analysis) -> None:
    assert made.conclusion.label == "likely_manipulated"
    assert made.conclusion.reasons[-1].code == "sensitivity"
    assert "None of 4 small changes" in made.conclusion.reasons[-1].text
    logit = made.models[0].logit
    assert logit is not None
    tight = run(thresholds=Thresholds(logit - 0.01, logit - 20, "just below what is scored"))
    assert tight.conclusion.label == "inconclusive"
    first = tight.conclusion.reasons[0]
    assert first.code == "sensitivity"
    assert "crops 10 % narrower" in first.text
    assert "inconclusive" in first.text
    assert tight.conclusion.score == made.conclusion.score
    assert "narrower_crop" in {one.name for one in tight.sensitivity.flips}  # type: ignore[union-attr]


def conclusion(label: Any, score: float | None, called: Any = None) -> Conclusion:
    return Conclusion(label, score, (Reason("deciding_track", "Face track 1 decided."),), called=called or label)


def tried(plain: Conclusion, changed: Conclusion, monkeypatch: pytest.MonkeyPatch) -> Analysis:
    """`plain` as it is, `changed` after one change."""
    seen: list[AnalysisSettings] = []
    blank = run_once()

    def once(_: Evidence, how: AnalysisSettings, __: Any, report: Any) -> Analysis:
        seen.append(how)
        return replace(blank, conclusion=plain if len(seen) == 1 else changed)

    only = (Change("jittered_boxes", "boxes off", refit=lambda parts: parts),)
    monkeypatch.setattr("detector.analysis.sensitivity.CHANGES", only)
    parts = fake_components(FakeReader(1))
    return with_sensitivity(once, make_evidence(), ASKED, parts, on_progress=None, cancelled=lambda: False)


def run_once() -> Analysis:
    return analyze(make_evidence(), [FakeModel()], SETTINGS, components=fake_components(FakeReader(6)))  # type: ignore[list-item]


@pytest.mark.parametrize(
    ("plain", "changed", "flips", "label"),
    [
        (("no_manipulation_found", 0.1), ("inconclusive", 0.4), True, "inconclusive"),
        (("no_manipulation_found", 0.1), ("likely_manipulated", 0.9), True, "inconclusive"),
        (("likely_manipulated", 0.9), ("likely_manipulated", 0.8), False, "likely_manipulated"),
        (("likely_manipulated", 0.9), ("inconclusive", 0.9, "likely_manipulated"), False, "likely_manipulated"),
        (("likely_manipulated", 0.9), ("inconclusive", 0.1, "no_manipulation_found"), True, "inconclusive"),
        (("inconclusive", 0.5), ("no_manipulation_found", 0.2), True, "inconclusive"),
        (("inconclusive", 0.2, "no_manipulation_found"), ("no_manipulation_found", 0.2), False, "inconclusive"),
    ],
)
def test_what_the_scores_say_flips_and_not_what_a_limit_hides(
    plain: Any, changed: Any, flips: bool, label: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = tried(conclusion(*plain), conclusion(*changed), monkeypatch)
    assert found.sensitivity is not None
    assert found.sensitivity.variants[0].flips == flips
    assert found.conclusion.label == label
    assert [reason.code for reason in found.conclusion.reasons].count("sensitivity") == 1


def test_a_change_after_which_no_face_is_found_has_no_score_and_flips_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    nothing = Conclusion("not_examined", None, (Reason("no_face", "No face was found."),))
    found = tried(conclusion("likely_manipulated", 0.9), nothing, monkeypatch)
    assert found.sensitivity is not None
    assert found.sensitivity.variants == (Variant("jittered_boxes", None, None, reason="No face was found."),)
    assert found.conclusion.label == "likely_manipulated"
    assert "without a score: face boxes a little off (No face was found.)" in found.conclusion.reasons[-1].text


def test_a_conclusion_without_a_score_stays_as_it_is() -> None:
    nothing = Conclusion("not_examined", None, (Reason("no_face", "No face was found."),))
    assert weighed(nothing, Sensitivity(None, None, ())) is nothing


def test_cancelling_ends_it_amid_the_changes() -> None:
    told: list[Progress] = []
    with pytest.raises(CancelledError):
        run(cancelled=lambda: bool(told) and told[-1].fraction > 3 / 7, on_progress=told.append)
    fractions = [one.fraction for one in told]
    assert fractions == sorted(fractions)
    assert any("Small changes, 3 of 6, crops 10 % wider" in one.message for one in told)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Evidence:
    """Twelve frames with a second of sound."""
    folder = tmp_path_factory.mktemp("clip")
    across, down = np.meshgrid(np.arange(320), np.arange(240))
    images = [np.stack([across // 2 + 5 * at, down, 200 - across // 2], -1).astype(np.uint8) for at in range(12)]
    tone = np.sin(np.arange(16_000) / 5).astype(np.float32) / 2
    write_clip(folder / "drift.mp4", images, 12, sound=Sound(tone, 0.0))
    return examine(ingest(folder / "drift.mp4", folder))


def test_a_file_coded_anew_keeps_times_and_pictures_and_comes_out_the_same_twice(
    clip: Evidence, tmp_path: Path
) -> None:
    files = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        files.append(coded_anew(clip, tmp_path / name, lambda: False, crf=28, jpeg=60, scale=0.75))
    assert files[0].read_bytes() == files[1].read_bytes()
    again = examine(ingest(files[0], tmp_path))
    assert (again.video.codec, again.video.width, again.video.height) == ("h264", 240, 180)
    heard = [read_sound(file) for file in (clip, again)]
    assert heard[1] is not None
    assert abs(len(heard[1].samples) - len(heard[0].samples)) < 4096  # type: ignore[union-attr]
    assert np.std(heard[1].samples[4000:12_000]) == pytest.approx(np.std(heard[0].samples[4000:12_000]), rel=0.1)  # type: ignore[union-attr]
    before, after = ([one for one in displayed_frames(file) if one is not None] for file in (clip, again))
    assert [one.pts_s for one in after] == pytest.approx([one.pts_s for one in before], abs=1e-3)
    apart = np.abs(before[5].image[::4, ::4].mean((0, 1)) - after[5].image[::3, ::3].mean((0, 1)))
    assert apart.max() < 4


def test_a_still_is_coded_as_jpeg_and_writing_stops_when_asked(clip: Evidence, tmp_path: Path) -> None:
    from PIL import Image

    Image.fromarray(next(iter(displayed_frames(clip))).image).save(tmp_path / "still.png")  # type: ignore[union-attr]
    still = examine(ingest(tmp_path / "still.png", tmp_path))
    again = examine(ingest(coded_anew(still, tmp_path, lambda: False, crf=28, jpeg=60), tmp_path))
    assert (again.kind, again.video.width, again.video.height) == ("still", 320, 240)
    assert again.file.sha256 != still.file.sha256
    with pytest.raises(CancelledError):
        coded_anew(clip, tmp_path, lambda: True, crf=28, jpeg=60)
    gone = replace(clip, file=replace(clip.file, path=tmp_path / "gone"))
    with pytest.raises(EvidenceError):
        coded_anew(gone, tmp_path, lambda: False, crf=28, jpeg=60)
