"""Levels within a track keep their promise about genuine clips, are measured on people left out, and stand in cards."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from detector.analysis.frame_series import FrameSeries
from detector.errors import SettingsError
from detector.measurement.metrics import share_interval
from detector.registry import ModelCard, Thresholds, load_set
from detector.training.evaluation.cards import write_levels, write_measured
from detector.training.evaluation.clip_frames import ClipFrames, clip_frames
from detector.training.evaluation.evaluate import Evaluation
from detector.training.evaluation.prediction_store import ClipFacts, FileLogits, PredictionStore, TrackFrames
from detector.training.evaluation.within_track import LEAST_CLIPS, fit_levels, measure_levels, with_levels
from tests.registry.shipping import ship
from tests.training.recorded import recorded

THRESHOLDS = Thresholds(1.0, -0.5, "set by hand")


def clip(logits: Sequence[float], group: str, manipulation: str = "", *, logit: float | None = None) -> ClipFrames:
    """Frames a fifth of a second apart; the clip's logit is their mean unless it is given."""
    series = FrameSeries.of([0.2 * index for index in range(len(logits))], logits, [1.0] * len(logits))
    label = "fake" if manipulation else "real"
    return ClipFrames(label, group, float(np.mean(logits)) if logit is None else logit, (series,), manipulation)


def genuine(count: int = 60, per_group: int = 2, seed: int = 0) -> list[ClipFrames]:
    rng = np.random.default_rng(seed)
    return [
        clip((rng.normal(0, 0.4) - 2 + rng.normal(0, 0.5, 30)).tolist(), f"person{number // per_group}")
        for number in range(count)
    ]


def pasted(like: ClipFrames) -> ClipFrames:
    logits = like.tracks[0].logit.copy()
    logits[12:18] = 4.0
    return clip(logits.tolist(), like.group, "paste", logit=like.logit)


def torn(like: ClipFrames) -> ClipFrames:
    logits = like.tracks[0].logit.copy()
    logits[[5, 6, 20]] = 2.0
    return clip(logits.tolist(), like.group, "torn", logit=like.logit)


@pytest.mark.parametrize("share", [0.02, 0.1, 0.3])
@pytest.mark.parametrize("seed", range(3))
def test_no_more_genuine_clips_than_promised_reach_a_level(share: float, seed: int) -> None:
    low = Thresholds(-30.0, -31.0, "")  # so low that no run is kept up by it, and lower the logits of the clips
    clips = genuine(seed=seed)
    free = [replace(one, logit=-40.0) for one in clips]
    fitted = fit_levels(free, low, run_share=share, peak_share=share)
    assert fitted.run_logit is not None
    assert fitted.peak_logit is not None
    runs = np.mean([one.highest_run >= fitted.run_logit for one in free])
    assert share - 2 / len(free) <= runs <= share
    rest = [one for one in free if one.highest_run < fitted.run_logit]
    peaks = np.mean([one.highest_peak >= fitted.peak_logit for one in rest])
    assert share - 2 / len(rest) <= peaks <= share


def test_one_person_with_many_clips_does_not_set_the_level_alone() -> None:
    quiet = [clip([-3.0] * 10, "one with many clips") for _ in range(200)]
    loud = [clip([-1.0 + 0.01 * number] * 10, f"person{number}", logit=-2.0) for number in range(30)]
    low = Thresholds(-30.0, -31.0, "")
    fitted = fit_levels([*quiet, *(replace(one, logit=-40.0) for one in loud)], low, run_share=0.1, peak_share=0.1)
    assert fitted.run_logit is not None
    reached = [one for one in loud if one.highest_run >= fitted.run_logit]
    assert len(reached) <= 0.1 * 31  # of clips alone it could have been 23 of them
    assert reached


def test_peaks_are_fitted_to_clips_that_come_out_as_nothing_found() -> None:
    clips = genuine(40)
    between = [clip([2.0, 2.0] + [-1.0] * 20, f"other{number}", logit=0.0) for number in range(40)]
    alone = fit_levels(clips, THRESHOLDS, run_share=0.05, peak_share=0.05)
    together = fit_levels([*clips, *between], THRESHOLDS, run_share=0.05, peak_share=0.05)
    assert together.peak_logit == alone.peak_logit
    few = fit_levels([*clips[: LEAST_CLIPS - 1], *between], THRESHOLDS, run_share=0.05, peak_share=0.05)
    assert few.peak_logit is None
    assert "no level for peaks: 19 genuine clips" in str(few.within_track_basis)


def test_a_run_is_not_called_manipulated_on_less_than_a_whole_track_is() -> None:
    fitted = fit_levels(genuine(), THRESHOLDS)
    assert fitted.run_logit == THRESHOLDS.likely_manipulated_logit
    lower = fit_levels(genuine(), replace(THRESHOLDS, likely_manipulated_logit=-1.0, no_manipulation_logit=-1.5))
    assert lower.run_logit is not None
    assert lower.run_logit < 0


def test_too_few_for_a_share_is_said() -> None:
    fitted = fit_levels(genuine(), THRESHOLDS, run_share=0.005, peak_share=0.02)
    runs, peaks = str(fitted.within_track_basis).split("; peaks: ")
    assert runs == (
        "runs: at most 0.5% of 60 genuine clips, 30 groups, 30 frames on the median; too few for that share, it lies "
        "above all of them"
    )
    assert "too few" not in peaks
    with pytest.raises(SettingsError, match="at least 20 genuine clips, found 19"):
        fit_levels(genuine(19), THRESHOLDS)
    with pytest.raises(SettingsError, match="above 0 and below 1"):
        fit_levels(genuine(), THRESHOLDS, peak_share=1.5)
    with pytest.raises(SettingsError, match="above 0 and below 1"):
        fit_levels(genuine(), THRESHOLDS, run_share=0.0)


def test_clips_too_short_for_a_run_count_as_without_one() -> None:
    clips = genuine(30) + [clip([-2.0] * 3, f"short{number}") for number in range(30)]
    assert clips[-1].highest_run == -math.inf
    assert fit_levels(clips, THRESHOLDS).run_logit is not None
    only_short = [clip([-2.0] * 3, f"short{number}") for number in range(30)]
    assert fit_levels(only_short, THRESHOLDS).run_logit == THRESHOLDS.likely_manipulated_logit


def test_what_levels_find_is_measured_on_people_left_out() -> None:
    real = genuine(80)
    clips = [*real, *(pasted(one) for one in real[:12]), *(torn(one) for one in real[:12])]
    found = measure_levels(clips, THRESHOLDS, run_share=0.02, peak_share=0.05)
    runs = found.find("within_track", "runs", what="false_alarms")
    assert runs is not None
    assert (runs.value, runs.n_real, runs.counts["groups"]) == (0.0, 80, 40)
    assert runs.interval is not None
    assert 0.05 < runs.interval[1] < 0.1  # none of forty people: that does not say never
    paste = found.find("within_track", "found", "paste", what="found")
    tear = found.find("within_track", "found", "torn", what="found")
    assert paste is not None
    assert tear is not None
    assert (paste.value, paste.rates["run"], paste.n_fake) == (1.0, 1.0, 12)
    assert (tear.value, tear.rates["run"], tear.rates["peak"]) == (1.0, 0.0, 1.0)
    called = found.table("within_track", "called")
    assert called.cell("paste", "no_manipulation_found_by_score") == 12
    assert called.cell("paste", "likely_manipulated") == 12
    assert called.cell("torn", "inconclusive") == 12
    assert called.cell("genuine", "no_manipulation_found") >= 0.9 * 80


def test_levels_are_judged_on_groups_that_they_were_not_fitted_to() -> None:
    """Of one loud person every clip raises an alarm, since nobody else is as loud; fitted to her there were none."""
    loud = [clip([-2.0] * 10 + [3.0] * 8 + [-2.0] * 30, "loud") for _ in range(4)]
    clips = [*genuine(60), *loud]
    assert sum(one.highest_run >= (fit_levels(clips, THRESHOLDS).run_logit or 0) for one in clips) == 0
    runs = measure_levels(clips, THRESHOLDS).find("within_track", "runs", what="false_alarms")
    assert runs is not None
    assert runs.counts["clips"] == 4
    with pytest.raises(SettingsError, match="at least 5 groups, found 1"):
        measure_levels([replace(one, group="one") for one in genuine()], THRESHOLDS)


def test_levels_and_what_they_do_are_written_into_a_card(tmp_path: Path) -> None:
    card = ship(tmp_path, "a", "frame", {"kind": "frame", "trunk": "test_resnet", "width": 16}, {})
    real = genuine()
    clips = [*real, *map(pasted, real[:10])]
    measured = with_levels(replace(card, thresholds=THRESHOLDS), clips, run_share=0.02, peak_share=0.05)
    measured.write(tmp_path / "a.card.json")
    again = ModelCard.read(tmp_path / "a.card.json")
    assert again == measured
    assert again.thresholds == fit_levels(clips, THRESHOLDS, run_share=0.02, peak_share=0.05)
    assert again.results.find("within_track", "found", "paste", what="found") is not None
    member = with_levels(card, clips, decided_by=THRESHOLDS)
    assert member.thresholds.run_logit is None
    assert member.thresholds.peak_logit is not None
    assert member.thresholds.likely_manipulated_logit == card.thresholds.likely_manipulated_logit


def test_levels_outlast_new_thresholds_of_the_whole_track(tmp_path: Path) -> None:
    card = ship(tmp_path, "a", "frame", {"kind": "frame", "trunk": "test_resnet", "width": 16}, {})
    levels = Thresholds(5.0, -5.0, "old", run_logit=2.5, peak_logit=1.5, within_track_basis="by hand")
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"label": ["real", "fake"] * 30, "split": "test", "source": "s", "manipulation": "m"})
    table["file"] = [f"{number}.mp4" for number in range(60)]
    table["logit:a"] = rng.normal(0, 1, 60) + 3 * (table["label"] == "fake")
    table = table.assign(size_px=100.0, exposure=0.5, ita_deg=30.0, group=table["file"], kind="video")
    evaluation = Evaluation(replace(card, thresholds=levels), table.head(0), table)
    measured = write_measured(evaluation, tmp_path).thresholds
    assert measured.basis != "old"
    assert (measured.run_logit, measured.peak_logit, measured.within_track_basis) == (2.5, 1.5, "by hand")


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "weights"
    folder.mkdir()
    cards = [
        ship(folder, name, "frame", {"kind": "frame", "trunk": "test_resnet", "width": 16}, {}) for name in ("a", "bb")
    ]
    members = [{"model_id": card.model_id, "cue": None, "weights_sha256": card.weights_sha256} for card in cards]
    architecture = {"kind": "ensemble", "method": "logit_mean", "members": 2, "one_sided": []}
    ship(folder, "together", "ensemble", architecture, {"members": members, "method": "logit_mean"})
    monkeypatch.setenv("FRAMEWITNESS_WEIGHTS", str(folder))
    return tmp_path


def test_frames_are_read_from_kept_predictions_and_an_ensembles_are_fused(shelf: Path) -> None:
    models = load_set(["together"])
    record = recorded(shelf / "one.mp4", "video", models, {"a": 1.0, "bb": 3.0})
    faces = TrackFrames(pts_s=(0.0, 0.2, 0.4, 0.6), weight=(1.0, 0.9, 0.1, 0.8))
    other = TrackFrames(pts_s=(0.0, 0.2), weight=(1.0, 1.0))
    frames = {"a": {0: (1.0, 2.0, 9.0, None), 1: (0.5, 0.5)}, "bb": {0: (3.0, 4.0, 9.0, 6.0)}}
    tracks = {"a": {0: 1.5, 1: 0.5}, "bb": {0: 4.5}}
    said = {
        name: one.model_copy(update={"whole": FileLogits(logit=max(tracks[name].values()), tracks=tracks[name],
                                                         frames=frames[name])})
        for name, one in record.models.items()
    }  # fmt: skip
    facts = ClipFacts(tracks={0: faces, 1: other})
    PredictionStore(shelf / "kept.jsonl").add(record.model_copy(update={"facts": facts, "models": said}))
    files = pd.DataFrame(
        {"file": ["one.mp4", "never.mp4", "still.png"], "kind": ["video", "video", "image"], "label": "real",
         "group": "g", "manipulation": ""}
    )  # fmt: skip
    by_id = {model.card.model_id: model for model in models}
    (alone,) = clip_frames(by_id["a"], models, files, shelf, shelf / "kept.jsonl")
    assert alone.logit == 1.5
    assert [track.logit.tolist() for track in alone.tracks] == [[1.0, 2.0], [0.5, 0.5]]  # usable faces with a logit
    (fused,) = clip_frames(by_id["together"], models, files, shelf, shelf / "kept.jsonl")
    assert fused.logit == pytest.approx(3.0)
    assert fused.tracks[0].logit.tolist() == pytest.approx([2.0, 3.0, 6.0])
    assert fused.tracks[0].pts_s.tolist() == [0.0, 0.2, 0.6]
    assert fused.tracks[1].logit.tolist() == pytest.approx([0.5, 0.5])
    assert fused.highest_peak == pytest.approx(max(6.0 - 1.0, 3.0))
    (member,) = clip_frames(by_id["a"], models, files, shelf, shelf / "kept.jsonl", decided_by=by_id["together"])
    assert member.logit == pytest.approx(3.0)
    assert member.tracks[0].logit.tolist() == [1.0, 2.0]


def test_levels_are_set_on_clips_that_the_ensemble_never_saw(shelf: Path) -> None:
    models = load_set(["together"])
    together = next(model for model in models if model.card.model_id == "together")
    kept, rng = PredictionStore(shelf / "kept.jsonl"), np.random.default_rng(0)
    names = [f"{number}.mp4" for number in range(LEAST_CLIPS + 20)]
    times = TrackFrames(pts_s=tuple(0.2 * index for index in range(30)), weight=(1.0,) * 30)
    for number, name in enumerate(names):
        high = 9.0 if number == 0 else 0.0  # the one clip that was fitted to
        frames = {0: tuple(rng.normal(high - 2, 0.3, 30).round(3).tolist())}
        whole = FileLogits(logit=high - 2, tracks={0: high - 2}, frames=frames)
        record = recorded(shelf / name, "video", models, {"a": 1.0, "bb": 1.0})
        said = {model_id: one.model_copy(update={"whole": whole}) for model_id, one in record.models.items()}
        kept.add(record.model_copy(update={"facts": ClipFacts(tracks={0: times}), "models": said}))
    files = pd.DataFrame({"file": names, "kind": "video", "label": "real", "group": names, "manipulation": ""})
    split = ["train"] + ["test"] * (len(names) - 1)
    evaluation = Evaluation(together.card, files.head(0), files.assign(split=split).head(LEAST_CLIPS),
                            pools={"calibration_videos": files.iloc[LEAST_CLIPS:]})  # fmt: skip
    (card,) = write_levels({"together": evaluation}, shelf, shelf / "kept.jsonl", shelf / "weights")
    assert card == ModelCard.read(shelf / "weights" / "together.card.json")
    assert card.thresholds.peak_logit is not None
    assert -2 < card.thresholds.peak_logit < 0
    (runs,) = (row for row in card.results.measurements if row.data == ("within_track", "runs"))
    assert runs.n_real == len(names) - 1


@pytest.mark.parametrize(("hits", "groups"), [(0, 40), (4, 40), (40, 40)])
def test_an_interval_counts_groups_and_none_of_few_is_not_never(hits: int, groups: int) -> None:
    flags = np.repeat(np.arange(groups) < hits, 5)
    names = np.repeat(np.arange(groups).astype(str), 5)
    low, high = share_interval(flags, names)
    assert low <= hits / groups <= high
    assert high - low > 0.08
    assert (low, high) == share_interval(np.arange(groups) < hits, np.arange(groups))
    with pytest.raises(ValueError, match="at least one"):
        share_interval(flags[:0], names[:0])
