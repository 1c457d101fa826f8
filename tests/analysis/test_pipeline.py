"""The pipeline: right scores on right faces, fixed batches, overlap, bounds, cancellation, loud failures."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from dataclasses import replace

import numpy as np
import pytest

from detector.analysis import Progress, analyze
from detector.analysis.progress import ProgressMeter
from detector.analysis.thread_group import Channel, ThreadGroup
from detector.errors import CancelledError, ModelNotFoundError
from detector.evidence.types import Integrity
from tests.analysis.fakes import (
    SETTINGS,
    FakeAnalyser,
    FakeCard,
    FakeModel,
    FakeReader,
    fake_components,
    make_evidence,
    make_face,
)


def threads_left() -> list[str]:
    return [item.name for item in threading.enumerate() if item.name == "decode" or item.name.startswith("score ")]


def test_every_face_gets_the_score_of_its_own_crop() -> None:
    model = FakeModel()
    analysis = analyze(make_evidence(), [model], SETTINGS, components=fake_components(FakeReader(20)))
    assert [len(track.frames) for track in analysis.models[0].tracks] == [20, 20]
    for track, left in zip(analysis.models[0].tracks, (4, 40), strict=True):
        for frame in track.frames:
            expected = model.logit(np.float32(frame.frame_index), np.float32(left))
            assert frame.logit == pytest.approx(float(expected))
    assert analysis.models[0].logit == max(track.logit for track in analysis.models[0].tracks)
    assert analysis.frames_examined == 20


def test_batches_are_fixed_in_size_whatever_the_timing() -> None:
    slow_decoder, slow_model, slow_faces = FakeModel(), FakeModel(delay_s=0.01), FakeModel()
    analyses = [
        analyze(make_evidence(), [slow_decoder], SETTINGS, components=fake_components(FakeReader(20, delay_s=0.01))),
        analyze(make_evidence(), [slow_model], SETTINGS, components=fake_components(FakeReader(20))),
        analyze(
            make_evidence(),
            [slow_faces],
            SETTINGS,
            components=fake_components(FakeReader(20), FakeAnalyser(delay_s=0.01)),
        ),
    ]
    assert slow_decoder.batch_sizes == slow_model.batch_sizes == slow_faces.batch_sizes == [7, 7, 7, 7, 7, 5]
    first, second, third = (replace(analysis, timings={}) for analysis in analyses)
    assert first == second == third


def test_stages_overlap() -> None:
    """Each stage refuses to go on before the others have moved, which only stages that run at once can satisfy."""
    reader = FakeReader(20)
    later_frame_seen = threading.Event()
    waited_in_vain: list[str] = []

    class Eager(FakeAnalyser):
        def analyse(self, frame):
            deadline_s = time.monotonic() + 20
            while reader.yielded < min(20, frame.frame_index + 3):  # the decoder is ahead
                if time.monotonic() > deadline_s:
                    waited_in_vain.append("decode")
                    break
                time.sleep(0.001)
            if frame.frame_index == 6:
                later_frame_seen.set()
            return super().analyse(frame)

    class Late(FakeModel):
        def score(self, crops):
            if not later_frame_seen.wait(20):  # the first batch holds the faces of frames 0 to 3
                waited_in_vain.append("faces")
            return super().score(crops)

    model = Late()
    analyze(make_evidence(), [model], SETTINGS, components=fake_components(reader, Eager()))
    assert waited_in_vain == []
    assert model.threads == {"score fake"}


def test_a_slow_model_holds_the_decoder_back() -> None:
    reader = FakeReader(200)
    seen: list[int] = []

    class Watching(FakeModel):
        def score(self, crops):
            time.sleep(0.01)
            seen.append(reader.yielded - int(crops[-1, 0, 0, 0]))
            return super().score(crops)

    analyze(make_evidence(frames=200), [Watching()], SETTINGS, components=fake_components(reader))
    # 3 batches of 7 crops (2 a frame) and one in the making, 6 frames ahead, one in hand at each end.
    assert max(seen) <= 24


def test_models_of_one_crop_share_it_and_others_get_their_own() -> None:
    other = FakeCard("other", crop=replace(FakeCard().crop, size_px=12))
    models = [FakeModel(), FakeModel(card=FakeCard("same"), offset=0.5), FakeModel(card=other)]
    analysis = analyze(make_evidence(), models, SETTINGS, components=fake_components(FakeReader(6)))
    first, same, last = analysis.models
    assert (first.model_id, same.model_id, last.model_id) == ("fake", "same", "other")
    assert first.logit is not None
    assert same.logit == pytest.approx(first.logit + 0.5)
    assert last.logit == first.logit


def test_a_model_that_needs_the_surroundings_leaves_faces_at_the_edge_out() -> None:
    """The faces' 16 px are asked for with 200 px around them, of which the picture shows little."""
    wide = FakeCard("wide", crop=replace(FakeCard().crop, margin=6.0, least_inside=0.9))
    analysis = analyze(
        make_evidence(), [FakeModel(card=wide), FakeModel()], SETTINGS, components=fake_components(FakeReader(6))
    )
    left_out, other = analysis.models
    assert (left_out.logit, left_out.tracks) == (None, ())
    assert left_out.reason is not None
    assert "fill the picture or lie at its edge" in left_out.reason
    assert other.logit is not None
    assert analysis.conclusion.score == other.score


@pytest.mark.parametrize("after", [0, 3, 15])
def test_cancelling_stops_every_thread_soon(after: int) -> None:
    reader = FakeReader(10_000, delay_s=0.002)
    calls = 0

    def cancelled() -> bool:
        nonlocal calls
        calls += 1
        return reader.yielded >= after

    with pytest.raises(CancelledError):
        analyze(make_evidence(), [FakeModel()], SETTINGS, cancelled=cancelled, components=fake_components(reader))
    assert after <= reader.yielded <= after + 20  # of 10,000: what fits into the channels, and a little more
    assert reader.closed
    assert threads_left() == []


def test_cancelling_while_the_models_catch_up() -> None:
    stop = threading.Event()

    class Stopping(FakeModel):
        def score(self, crops):
            if self.batch_sizes:  # the second and last batch: every frame is done
                stop.set()
            return super().score(crops)

    with pytest.raises(CancelledError):
        analyze(
            make_evidence(), [Stopping()], SETTINGS, cancelled=stop.is_set, components=fake_components(FakeReader(4))
        )
    assert threads_left() == []


def test_a_failing_decoder_fails_the_analysis() -> None:
    reader = FakeReader(50, fail_at=9)
    with pytest.raises(OSError, match="the disk went away"):
        analyze(make_evidence(), [FakeModel()], SETTINGS, components=fake_components(reader))
    assert reader.closed
    assert threads_left() == []


def test_a_failing_model_has_no_score_and_the_others_go_on() -> None:
    class Broken(FakeModel):
        def features(self, crops):
            if len(self.batch_sizes) == 2:
                raise MemoryError("no room for this batch")
            return super().features(crops)

    healthy = FakeModel(card=FakeCard("healthy"))
    components = fake_components(FakeReader(50))
    analysis = analyze(make_evidence(), [Broken(), healthy], SETTINGS, components=components)
    broken, other = analysis.models
    assert (broken.logit, broken.tracks) == (None, ())
    assert broken.reason is not None
    assert "MemoryError: no room for this batch" in broken.reason
    assert len(other.tracks[0].frames) == 50
    assert analysis.conclusion.score == other.score
    failed = next(reason for reason in analysis.conclusion.reasons if reason.code == "model_failed")
    assert "no room" in failed.text
    assert threads_left() == []


def test_when_every_model_fails_nothing_was_examined() -> None:
    class Broken(FakeModel):
        def features(self, crops):
            raise RuntimeError("shapes do not fit")

    analysis = analyze(make_evidence(), [Broken()], SETTINGS, components=fake_components(FakeReader(20)))
    assert (analysis.conclusion.label, analysis.conclusion.score) == ("not_examined", None)
    assert analysis.conclusion.reasons[0].code == "model_failed"


def test_a_failing_face_search_fails_the_analysis() -> None:
    class Broken(FakeAnalyser):
        def analyse(self, frame):
            raise RuntimeError("mesh graph failed")

    reader = FakeReader(50)
    with pytest.raises(RuntimeError, match="mesh graph failed"):
        analyze(make_evidence(), [FakeModel()], SETTINGS, components=fake_components(reader, Broken()))
    assert reader.closed
    assert threads_left() == []


def test_a_model_that_loses_crops_is_found_out() -> None:
    class Short(FakeModel):
        def score(self, crops):
            return super().score(crops)[:-1]

    analysis = analyze(make_evidence(), [Short()], SETTINGS, components=fake_components(FakeReader(20)))
    assert analysis.models[0].logit is None
    assert "logits of shape" in str(analysis.models[0].reason)


def test_an_analysis_needs_a_model() -> None:
    with pytest.raises(ModelNotFoundError):
        analyze(make_evidence(), [], SETTINGS, components=fake_components(FakeReader(1)))


def test_no_face_is_not_examined_and_has_no_score() -> None:
    model = FakeModel()
    components = fake_components(FakeReader(20), FakeAnalyser(faces=()))
    analysis = analyze(make_evidence(), [model], SETTINGS, components=components)
    assert analysis.conclusion.label == "not_examined"
    assert analysis.conclusion.score is None
    assert analysis.conclusion.reasons[0].code == "no_face"
    assert analysis.models[0].logit is None
    assert analysis.models[0].reason
    assert model.batch_sizes == []


def test_values_that_are_no_numbers_are_never_a_score() -> None:
    class Nan(FakeModel):
        def score(self, crops):
            return np.full(len(crops), np.nan, np.float32)

    alone = analyze(make_evidence(), [Nan()], SETTINGS, components=fake_components(FakeReader(20)))
    assert (alone.conclusion.label, alone.conclusion.score) == ("not_examined", None)
    assert alone.conclusion.reasons[0].code == "model_failed"
    healthy = FakeModel(card=FakeCard("healthy"))
    both = analyze(make_evidence(), [Nan(), healthy], SETTINGS, components=fake_components(FakeReader(20)))
    assert both.conclusion.score == both.models[1].score
    assert "model_failed" in [reason.code for reason in both.conclusion.reasons]


def test_what_reading_complained_of_is_kept() -> None:
    analysis = analyze(make_evidence(), [FakeModel()], SETTINGS, components=fake_components(FakeReader(20)))
    assert analysis.evidence.integrity.decode_errors == 2
    assert analysis.evidence.integrity.warnings == ("opened with a warning", "late warning")


def test_progress_never_falls_and_ends_complete() -> None:
    told: list[Progress] = []
    components = fake_components(FakeReader(60, delay_s=0.02))
    caller = threading.get_ident()
    callers: set[int] = set()

    def listen(progress: Progress) -> None:
        told.append(progress)
        callers.add(threading.get_ident())

    analyze(make_evidence(frames=60), [FakeModel()], SETTINGS, on_progress=listen, components=components)
    fractions = [progress.fraction for progress in told]
    assert fractions == sorted(fractions)
    assert fractions[0] == 0
    assert fractions[-1] == 1
    assert told[-1].stage == "conclusion"
    assert {stage.name for stage in told[-1].stages} == {"decode", "faces", "scores"}
    assert callers == {caller}


def test_the_remaining_time_follows_the_pace() -> None:
    now_s = 100.0
    told: list[Progress] = []
    meter = ProgressMeter(told.append, clock=lambda: now_s)

    def at(seconds: float, frames: int) -> Progress:
        nonlocal now_s
        now_s = 100.0 + seconds
        meter.update(
            decode=0.5, frames_done=frames, frames_expected=100, crops_cut=frames, crops_scored=frames, draining=False
        )
        return told[-1]

    assert at(0.0, 0).remaining_s is None
    assert at(0.2, 20).remaining_s is None  # too early to say
    assert at(2.0, 20).remaining_s == pytest.approx(8.0)
    assert at(8.0, 80).remaining_s == pytest.approx(2.0)
    assert at(8.05, 99).fraction == pytest.approx(0.8)  # at most ten reports a second
    assert at(9.0, 10).fraction == pytest.approx(0.8)  # never back
    decode = next(stage for stage in told[-1].stages if stage.name == "decode")
    assert decode.remaining_s == pytest.approx(9.0)


def test_equal_work_has_one_name_and_other_work_another() -> None:
    def name(models: list[FakeModel], **settings: float) -> str:
        chosen = replace(SETTINGS, **settings)
        return analyze(make_evidence(), models, chosen, components=fake_components(FakeReader(6))).analysis_id

    base = name([FakeModel()])
    assert base == name([FakeModel()])
    assert (
        len({base, name([FakeModel()], max_frames=3), name([FakeModel(card=FakeCard(weights_sha256="22" * 32))])}) == 3
    )


def test_a_still_is_one_frame_and_says_so() -> None:
    reader = FakeReader(1)
    reader.integrity = Integrity()
    components = fake_components(reader, FakeAnalyser(faces=(make_face(left=12),)))
    analysis = analyze(make_evidence(kind="still", frames=1), [FakeModel()], SETTINGS, components=components)
    codes = [reason.code for reason in analysis.conclusion.reasons]
    assert analysis.conclusion.label == "likely_manipulated"
    assert "few_frames" not in codes
    assert "still" in codes


def test_large_pictures_wait_by_their_bytes() -> None:
    group = ThreadGroup()
    channel: Channel[bytes] = Channel(group, 10, len)
    held: list[int] = []

    def produce() -> None:
        for _ in range(5):
            channel.put(bytes(6))
            held.append(channel._waiting)
        channel.put(bytes(50))
        channel.close()

    group.start("produce", produce)
    assert [len(item) for item in channel.items()] == [6] * 5 + [50]
    group.join()
    assert max(held) <= 10


@pytest.mark.parametrize("reader", [FakeReader(3), FakeReader(3, fail_at=1)])
def test_memory_is_given_back_after_an_analysis_however_it_ends(
    reader: FakeReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    given_back: list[bool] = []
    monkeypatch.setattr("detector.analysis.pipeline.return_freed_memory", lambda: given_back.append(reader.closed))
    with suppress(OSError):
        analyze(make_evidence(), [FakeModel()], SETTINGS, components=fake_components(reader))
    assert given_back == [True]
