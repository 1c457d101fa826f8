"""Models of several kinds in one analysis: one pass of each trunk, windows over tracks, cues, sound, ensembles."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch

from detector.analysis import Analysis, Progress, analyze
from detector.analysis.kinds import heatmap_models
from detector.analysis.kinds.sequence.windows import windows_of
from detector.analysis.types import ModelResult, SyncWindow
from detector.errors import CancelledError
from detector.faces.temporal import TEMPORAL_DIFFERENCES
from tests.analysis.fakes import (
    SETTINGS,
    SPEC,
    FakeAnalyser,
    FakeCard,
    FakeEnsemble,
    FakeModel,
    FakeReader,
    FakeSequence,
    FakeSpecialists,
    fake_components,
    make_evidence,
    make_face,
)


@dataclass(frozen=True)
class Sync:
    windows: tuple[SyncWindow, ...] = (SyncWindow(0.0, 1.0, 2.0, 0.1, 0.2),)
    logit: float | None = 2.0
    reason: str | None = None
    track_id: int | None = 0


def audiovisual() -> FakeModel:
    return FakeModel(card=FakeCard("sound", "55" * 32, kind="audiovisual"))


def run(*models: object, frames: int = 20, sync: Callable[..., Sync] | None = None, kind: str = "video") -> Analysis:
    components = fake_components(FakeReader(frames), examine_sync=sync or (lambda *_, **__: Sync()))
    return analyze(make_evidence(kind=kind, frames=frames), list(models), SETTINGS, components=components)  # type: ignore[arg-type]


def test_one_pass_of_the_trunk_however_many_models_rest_on_it() -> None:
    trunk = FakeModel()
    heads = [FakeSequence(trunk, model_id=f"seq{number}") for number in range(3)]
    members = [{"model_id": model_id, "cue": None} for model_id in ("fake", "seq0", "seq1", "seq2")]
    analysis = run(trunk, *heads, FakeEnsemble(members))
    assert trunk.batch_sizes == [7, 7, 7, 7, 7, 5]  # 40 faces, each once
    assert [result.model_id for result in analysis.models] == ["fake", "seq0", "seq1", "seq2", "together"]
    assert all(result.logit is not None for result in analysis.models)


def test_models_that_share_a_crop_share_the_cutting() -> None:
    cuts: list[int] = []
    wide = replace(SPEC, margin=0.45)
    components = fake_components(FakeReader(10))

    def counting(image, bbox, landmarks, spec):
        cuts.append(spec.margin)
        return components.crop_face(image, bbox, landmarks, spec)

    trunk = FakeModel()
    models = [trunk, FakeModel(card=FakeCard("twin", "66" * 32)), FakeSequence(trunk), FakeSpecialists(spec=wide)]
    analyze(make_evidence(), models, SETTINGS, components=replace(components, crop_face=counting))  # type: ignore[arg-type]
    assert sorted(cuts) == [0.0] * 20 + [0.45] * 20


def test_a_trunk_that_nobody_asked_for_runs_but_has_no_result() -> None:
    trunk = FakeModel()
    analysis = run(FakeSequence(trunk))
    assert [result.model_id for result in analysis.models] == ["tm"]
    assert sum(trunk.batch_sizes) == 40


def test_a_sequence_model_reads_its_own_track_in_order() -> None:
    trunk = FakeModel()
    analysis = run(trunk, FakeSequence(trunk, offset=0.5))
    frame, sequence = analysis.models
    assert sequence.kind == "sequence"
    for read, framewise in zip(sequence.tracks, frame.tracks, strict=True):
        assert [one.pts for one in read.frames] == [one.pts for one in framewise.frames]
        np.testing.assert_allclose(
            [one.logit for one in read.frames], [one.logit + 0.5 for one in framewise.frames], rtol=1e-5
        )
        assert read.attention is not None
        assert sum(read.attention.pooling) == pytest.approx(1)
        assert read.attention.pts == tuple(one.pts for one in read.frames)
    assert sequence.tracks[0].intervals == ()  # no stretch of it stands out
    (segment,) = run(trunk, FakeSequence(trunk, late=3.0)).models[1].tracks[0].intervals
    assert (segment.start_s, segment.end_s) == pytest.approx((0.95, 1.9))
    (cue,) = sequence.specialists
    assert (cue.cue, cue.logit, cue.tracks) == ("TM", sequence.logit, sequence.tracks)


def test_a_sequence_model_reads_what_changed_since_the_frame_just_before() -> None:
    asked: list[bool] = []

    def read(*models: object, step: int = 0) -> list[np.ndarray]:
        def open_frames(_: object, __: object, with_before: bool, ___: float) -> FakeReader:
            asked.append(with_before)
            return FakeReader(20, with_before=with_before, step=step)

        components = replace(fake_components(FakeReader(0)), open_frames=open_frames)
        analyze(make_evidence(), list(models), SETTINGS, components=components)  # type: ignore[arg-type]
        return [window[0] for model in models if isinstance(model, FakeSequence) for window in model.windows]

    changes = len(TEMPORAL_DIFFERENCES)
    still, brighter = (np.concatenate(read(FakeSequence(FakeModel()), step=step)) for step in (0, 9))
    assert still.shape[2] == 3 + 2 * changes
    same = still.shape[2] - changes
    np.testing.assert_array_equal(still[..., :same], brighter[..., :same])
    first = still[..., 0] == 0
    assert np.isnan(still[first][:, same:]).all()
    gains = [same + index for index, name in enumerate(TEMPORAL_DIFFERENCES) if name.endswith("gain_red")]
    assert np.abs(still[~first][:, gains]).max() < 1e-3
    assert (brighter[~first][:, gains] < -1).all()  # the picture just before was brighter
    read(FakeModel())
    assert asked == [True, True, False]  # nobody decodes it for frame models alone


def test_a_sequence_model_that_reads_pairs_gets_what_it_makes_of_each_after_the_changes() -> None:
    class ReadsPairs(FakeSequence):
        reads_pairs = True

    def read(kind: type[FakeSequence]) -> np.ndarray:
        model = kind(FakeModel())
        components = replace(
            fake_components(FakeReader(0)), open_frames=lambda *_: FakeReader(20, with_before=True, step=9)
        )
        analyze(make_evidence(), [model], SETTINGS, components=components)  # type: ignore[list-item]
        return np.concatenate([window[0][0] for window in model.windows])

    plain, told = read(FakeSequence), read(ReadsPairs)
    np.testing.assert_array_equal(told[:, :-1], plain)
    first = told[:, 0] == 0
    assert (told[first, -1] == 0).all()  # a pair without an earlier frame is black
    assert (told[~first, -1] > 0).all()


@pytest.mark.parametrize(
    ("count", "length", "starts"),
    [(3, 8, [0]), (8, 8, [0]), (9, 8, [0, 1]), (20, 8, [0, 4, 8, 12]), (21, 8, [0, 4, 8, 12, 13])],
)
def test_windows_overlap_and_cover_every_frame(count: int, length: int, starts: list[int]) -> None:
    windows = windows_of([10 + 0.2 * index for index in range(count)], length)
    assert [int(row[row >= 0][0]) for row in windows.rows] == starts
    assert set(windows.rows[windows.present]) == set(range(count))
    for row, times_s, present in zip(windows.rows, windows.times_s, windows.present, strict=True):
        np.testing.assert_allclose(times_s[present], 0.2 * (row[present] - row[present][0]), atol=1e-5)
    if count < length:
        padding = np.flatnonzero(~windows.present[0])
        assert {int(padding[0]), int(padding[-1])} == {0, length - 1}  # in the middle


def test_a_still_and_a_short_track_say_nothing_about_time() -> None:
    trunk = FakeModel()
    still = run(trunk, FakeSequence(trunk), frames=1, kind="still").models[1]
    short = run(trunk, FakeSequence(trunk), frames=3).models[1]
    assert (still.logit, short.logit) == (None, None)
    assert "still" in str(still.reason)
    assert "enough frames" in str(short.reason)
    assert still.specialists[0].reason == still.reason


def test_every_cue_of_a_specialists_model_is_scored_and_read() -> None:
    analysis = run(FakeSpecialists())
    (result,) = analysis.models
    background, compression = result.specialists
    assert (background.cue, compression.cue) == ("BG", "CM")
    assert background.channels == ("number", "left")
    assert background.logit == max(track.logit for track in background.tracks)
    assert compression.logit == max(track.logit for track in compression.tracks)
    assert result.logit == background.logit  # the higher cue
    assert [reading.track_id for reading in background.readings] == [0, 1]
    assert background.readings[1].values[5] == (5.0, 40.0)
    assert len(background.readings[0].pts) == 20


def test_a_sequence_model_without_its_trunk_says_whose_fault_it_is() -> None:
    class Broken(FakeModel):
        def features(self, crops):
            raise RuntimeError("no such layer")

    trunk = Broken()
    cues = FakeSpecialists()
    analysis = run(trunk, FakeSequence(trunk), cues)
    assert "no such layer" in str(analysis.models[1].reason)
    assert analysis.models[2].logit is not None


def test_sound_is_examined_beside_the_picture() -> None:
    scoring = threading.Event()
    met: list[bool] = []

    class Waiting(FakeModel):
        def features(self, crops):
            if len(self.batch_sizes) == 5:  # the last batch waits for the sound to be examined
                met.append(scoring.wait(20))
            return super().features(crops)

    def sync(evidence, tracks, model, *, cancelled, read):
        scoring.set()
        assert len(tracks) == 2
        return Sync()

    analysis = run(Waiting(), audiovisual(), sync=sync)
    assert met == [True]
    sound = analysis.models[1]
    assert (sound.kind, sound.logit, len(sound.sync)) == ("audiovisual", 2.0, 1)
    assert (sound.specialists[0].cue, sound.specialists[0].logit) == ("AV", 2.0)


def test_silence_is_not_a_score() -> None:
    members = [{"model_id": "fake", "cue": None}, {"model_id": "sound", "cue": "AV"}]
    silent = Sync((), None, "The file has no sound.", None)
    analysis = run(FakeModel(), audiovisual(), FakeEnsemble(members, one_sided=(1,)), sync=lambda *_, **__: silent)
    frame, sound, together = analysis.models
    assert (sound.logit, sound.reason) == (None, "The file has no sound.")
    assert together.logit == pytest.approx(frame.logit)
    assert [(one.logit is None, one.weight) for one in together.members] == [(False, 1.0), (True, None)]
    assert together.members[1].reason == "The file has no sound."
    assert analysis.conclusion.score == together.score
    assert _said_of_sound(analysis) == ["The score leaves out sound: The file has no sound."]
    beside = run(FakeModel(), audiovisual(), FakeEnsemble(members[:1]), sync=lambda *_, **__: silent)
    assert _said_of_sound(beside) == ["sound, which has no vote, says nothing: The file has no sound."]


def _said_of_sound(analysis: Analysis) -> list[str]:
    return [reason.text for reason in analysis.conclusion.reasons if reason.code == "not_applicable"]


def test_a_failing_sound_model_leaves_the_others_standing() -> None:
    def broken(*_: object, **__: object) -> Sync:
        raise OSError("the sound cannot be read")

    analysis = run(FakeModel(), audiovisual(), sync=broken)
    assert analysis.models[0].logit is not None
    assert "the sound cannot be read" in str(analysis.models[1].reason)


def test_an_ensemble_fuses_each_face_and_each_frame() -> None:
    trunk = FakeModel()
    members = [{"model_id": "fake", "cue": None}, {"model_id": "tm", "cue": None}, {"model_id": "cues", "cue": "BG"}]
    analysis = run(trunk, FakeSequence(trunk, offset=3.0), FakeSpecialists(), FakeEnsemble(members))
    frame, sequence, cues, together = analysis.models
    assert analysis.conclusion.score == together.score
    for number, score in enumerate(together.tracks):
        own = [frame.tracks[number], sequence.tracks[number], cues.specialists[0].tracks[number]]
        assert score.logit == pytest.approx(np.mean([one.logit for one in own]), rel=1e-5)
        for index, fused in enumerate(score.frames):
            assert fused.logit == pytest.approx(np.mean([one.frames[index].logit for one in own]), rel=1e-4)
    assert together.logit == max(score.logit for score in together.tracks)
    assert sum(member.weight or 0 for member in together.members) == pytest.approx(1)


def test_an_ensemble_that_tells_families_apart_reads_them_of_every_track() -> None:
    trunk, members = FakeModel(), [{"model_id": "fake", "cue": None}, {"model_id": "cues", "cue": "BG"}]
    ensemble = FakeEnsemble(members, families=("swap", "whole"))
    frame, cues, together = run(trunk, FakeSpecialists(), ensemble).models
    layer = ensemble.loaded.network.family
    for number, score in enumerate(together.tracks):
        own = torch.tensor([frame.tracks[number].logit, cues.specialists[0].tracks[number].logit])
        expected = layer(own).softmax(0).tolist()  # type: ignore[operator]
        assert [reading.family for reading in score.families] == ["swap", "whole"]
        assert [reading.probability for reading in score.families] == pytest.approx(expected, abs=1e-5)
    (plain,) = run(trunk, FakeEnsemble(members[:1])).models[1:]
    assert plain.tracks[0].families == ()


def test_a_member_that_was_not_run_is_left_out_and_named() -> None:
    members = [
        {"model_id": "fake", "cue": None},
        {"model_id": "absent", "cue": None},
        {"model_id": "fake", "cue": "BG"},
    ]
    frame, together = run(FakeModel(), FakeEnsemble(members)).models
    assert together.logit == pytest.approx(frame.logit)
    assert [member.reason for member in together.members] == [None, "It was not run.", "It has no cue BG."]


def test_an_ensemble_without_any_member_has_no_score() -> None:
    components = fake_components(FakeReader(5), FakeAnalyser(faces=()))
    models = [FakeModel(), FakeEnsemble([{"model_id": "fake", "cue": None}])]
    analysis = analyze(make_evidence(), models, SETTINGS, components=components)  # type: ignore[arg-type]
    assert [result.logit for result in analysis.models] == [None, None]
    assert analysis.conclusion.label == "not_examined"


def test_equal_work_gives_equal_results_of_every_kind() -> None:
    def work(delay_s: float) -> Analysis:
        trunk = FakeModel(delay_s=delay_s)
        members = [{"model_id": name, "cue": None} for name in ("fake", "tm", "cues")]
        return run(trunk, FakeSequence(trunk), FakeSpecialists(), audiovisual(), FakeEnsemble(members))

    assert replace(work(0.0), timings={}) == replace(work(0.01), timings={})


def test_cancelling_ends_the_late_stages_too() -> None:
    started = threading.Event()

    def patient(*_: object, cancelled: Callable[[], bool], **__: object) -> Sync:
        started.set()
        while not cancelled():
            threading.Event().wait(0.005)
        return Sync()

    components = fake_components(FakeReader(4), examine_sync=patient)
    with pytest.raises(CancelledError):
        analyze(
            make_evidence(),
            [FakeModel(), audiovisual()],
            SETTINGS,
            cancelled=started.is_set,
            components=components,  # type: ignore[list-item]
        )
    assert not [item.name for item in threading.enumerate() if item.name.startswith(("sync", "sequences", "score "))]


def test_late_stages_report_their_progress() -> None:
    told: list[Progress] = []
    trunk = FakeModel()
    components = fake_components(
        FakeReader(30, delay_s=0.02), FakeAnalyser(faces=(make_face(),)), lambda *_, **__: Sync()
    )
    models = [trunk, FakeSequence(trunk), audiovisual()]
    analyze(make_evidence(frames=30), models, SETTINGS, on_progress=told.append, components=components)  # type: ignore[arg-type]
    assert {stage.name for stage in told[-1].stages} == {"decode", "faces", "scores", "sequences", "sync"}
    fractions = [progress.fraction for progress in told]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1


def test_frame_models_are_ordered_by_score_and_no_other_kind_is_among_them() -> None:
    weights = "0" * 64
    models = [
        ModelResult("without", weights, None, (), reason="no face"),
        ModelResult("low", weights, -1.0, ()),
        ModelResult("sequence", weights, 5.0, (), kind="transformer"),
        ModelResult("zero", weights, 0.0, ()),
        ModelResult("high", weights, 2.0, ()),
    ]
    assert [model.model_id for model in heatmap_models(models)] == ["high", "zero", "low", "without"]


def test_an_ensemble_that_fails_says_why_and_its_members_stand() -> None:
    class Broken(FakeEnsemble):
        def fuse(self, logits, present):
            raise RuntimeError("no such member")

    analysis = run(FakeModel(), Broken([{"model_id": "fake", "cue": None}]))
    frame, together = analysis.models
    assert frame.logit is not None
    assert together.logit is None
    assert "no such member" in str(together.reason)
    assert analysis.conclusion.score == frame.score
    assert "model_failed" in [reason.code for reason in analysis.conclusion.reasons]
