"""Sequence training: twins in every batch, splices with true borders, a falling loss, and the path from files."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from safetensors.torch import load_file

from detector.analysis.kinds.sequence.windows import with_temporal_differences
from detector.analysis.workers import FaceReading
from detector.errors import SettingsError
from detector.faces import CropSpec
from detector.faces.temporal import TEMPORAL_DIFFERENCES, thumbnail
from detector.measurement.results import Results
from detector.models import FrameNet, build_network
from detector.models.appearance import APPEARANCE_FEATURES
from detector.registry import LoadedModel, ModelCard, SequenceModel, Thresholds, load_model, save_weights
from detector.synthesis.video import write_clip
from detector.training.data.clip_crops import CropPlan, draw_frames, draw_segment, draw_shard, read_shard, shard_files
from detector.training.data.readings import Reading, open_readings
from detector.training.engine.config import FitConfig
from detector.training.sequence.features import ClipFeatures, read_features
from detector.training.sequence.recipe import (
    SequenceConfig,
    SequenceModule,
    clip_features,
    disagreement,
    fit_sequence,
    fit_temperature,
    load_sequence_config,
    new_network,
    recentre,
    train_sequence,
)
from detector.training.sequence.report import export_sequence, measure, measure_shipped
from detector.training.sequence.samples import TwinWindows, evaluation_batches
from tests.synthesis.clips import face_clip

CONFIGS = sorted(Path("assets/configs").glob("*lite0.yaml"))
SMALL = {
    "lstm": {"kind": "lstm", "hidden": 8, "projection": 8, "dropout": 0.0},
    "hybrid": {"kind": "hybrid", "projection": 16, "hidden": 8, "variant": "cross", "dropout": 0.0},
    "transformer": {"kind": "transformer", "width": 16, "layers": 1, "heads": 2, "dropout": 0.0},
}


@pytest.fixture(scope="module")
def trunk(tmp_path_factory: pytest.TempPathFactory) -> LoadedModel:
    """A tiny frame model with random weights, verified as shipped ones are."""
    folder = tmp_path_factory.mktemp("weights")
    architecture = {"kind": "frame", "trunk": "test_resnet", "width": 4}
    torch.manual_seed(0)
    network = build_network(architecture)
    path = folder / "tiny.safetensors"
    crop, thresholds = CropSpec(32, 0.0), Thresholds(1.0, -1.0, "none")
    digest = save_weights(network, path)
    facts: dict[str, Any] = {"training": {}, "results": Results(), "limits": (), "licence": ""}
    card = ModelCard("tiny", "Tiny", "frame", architecture, crop, path.name, digest, 1, thresholds, **facts)
    card.write(folder / "tiny.card.json")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FRAMEWITNESS_WEIGHTS", str(folder))
        return load_model("tiny")


def counted(report: Results) -> list[object]:
    """The clips and people of a report: genuine, manipulated, people."""
    facts = {fact.data: fact.value for fact in report.facts}
    return [facts[name,] for name in ("genuine", "manipulated", "people")]


def config(kind: str = "transformer", **more: Any) -> SequenceConfig:
    fit = FitConfig(max_epochs=2, min_epochs=2, batch_size=16, learning_rate=0.01, warmup_steps=0, ema_decay=0.5,
                    focal_gamma=0.0, cutmix_alpha=1.0, mixup_alpha=0.4, consistency_weight=0.1)  # fmt: skip
    return SequenceConfig("tm", "TM", SMALL[kind], "tiny", **{"fit": fit, "frames": 12, "rounds": 4, **more})


def clips(trunk: LoadedModel, people: int = 12, frames: int = 14) -> list[ClipFeatures]:
    """Features of people who differ; manipulated frames are shifted along one direction, spliced or all."""
    assert isinstance(trunk.network, FrameNet)
    rng = np.random.default_rng(0)
    width = trunk.network.feature_dim + APPEARANCE_FEATURES + 2 * len(TEMPORAL_DIFFERENCES)
    direction = rng.normal(0, 1, width).astype(np.float32)
    made = []
    for person in range(people):
        base = rng.normal(0, 1, width) + rng.normal(0, 0.3, (frames, width))
        times = (np.arange(frames) * 0.2).astype(np.float32)
        for twin in range(3):
            inside = (
                np.zeros(frames, bool) if twin == 0 else (times >= 0.6) & (times < 1.6) if twin == 2 else times >= 0
            )
            features = (base + 2 * inside[:, None] * direction).astype(np.float32)
            facts = {"name": f"{person}.0.{twin}", "label": int(twin > 0), "group": str(person), "source": "s",
                     "kind": ("genuine", "swap+steady", "swap+steady+spliced")[twin],
                     "intervals_s": [[0.6, 1.6]] if twin == 2 else [[0.0, 2.8]] if twin else []}  # fmt: skip
            made.append(ClipFeatures(features, inside + 0.1 * features[:, 0], times, inside, facts))
    return made


@pytest.mark.parametrize("kind", sorted(SMALL))
def test_two_epochs_lower_the_loss_and_weights_reload_bit_equal(kind: str, trunk: LoadedModel, tmp_path: Path) -> None:
    data = clips(trunk)
    settings = config(kind)
    torch.manual_seed(0)
    held = evaluation_batches(data[24:], frames=12, batch_size=16)
    start = SequenceModule(new_network(settings, trunk, data[:24]), settings).eval()
    before = float(np.mean([start.step(batch).loss.item() for batch in held]))
    network = fit_sequence(settings, trunk, data[:24], data[24:], tmp_path / "run")
    after = json.loads((tmp_path / "run" / "run.json").read_text())["best_validation_loss"]
    assert after < before
    again = fit_sequence(settings, trunk, data[:24], data[24:], tmp_path / "run")  # a finished run is only loaded
    batch = held[0]
    assert torch.equal(
        network(batch.features, batch.times_s, batch.present), again(batch.features, batch.times_s, batch.present)
    )


def test_each_batch_holds_twins_that_share_frames_times_and_place(trunk: LoadedModel) -> None:
    batches = TwinWindows(clips(trunk), frames=12, batch_size=8, seed=3)
    places = set()
    for batch in batches:
        assert batch.labels[::2].max() == 0
        assert torch.equal(batch.times_s[::2], batch.times_s[1::2])
        assert torch.equal(batch.present[::2], batch.present[1::2])
        untouched = batch.present[::2] & (batch.frame_labels[1::2] == 0)
        assert torch.equal(batch.features[::2][untouched], batch.features[1::2][untouched])
        assert torch.equal(batch.labels, batch.frame_labels.amax(1))
        places |= set(batch.present.int().argmax(1).tolist())
    assert len(places) > 1, "padding lies at a random place"
    first, again = next(iter(batches)), next(iter(batches))
    assert torch.equal(first.features, again.features)
    batches.set_epoch(1)
    assert not torch.equal(first.features, next(iter(batches)).features)


def _firsts(batches: TwinWindows) -> list[np.ndarray]:
    """The first present frame of the genuine row of each batch."""
    return [batch.features[0, int(batch.present[0].int().argmax())].numpy() for batch in batches]


def test_every_set_of_twins_comes_in_each_round(trunk: LoadedModel) -> None:
    people = clips(trunk)
    batches = TwinWindows(people, frames=12, batch_size=2, rounds=3)
    assert len(batches) == 12 * 3
    places = [next(one for one in people if (one.features == frame).all(1).any()).twins for frame in _firsts(batches)]
    assert sorted(map(places.count, set(places))) == [3] * 12
    with pytest.raises(SettingsError, match="twin"):
        TwinWindows([one for one in people if not one.label], frames=12, batch_size=2)


def test_evaluation_centres_short_clips_and_covers_long_ones(trunk: LoadedModel) -> None:
    short = evaluation_batches(clips(trunk, 1, frames=6), frames=12, batch_size=8)[0]
    assert short.present[0].nonzero().flatten().tolist() == [3, 4, 5, 6, 7, 8]
    long = evaluation_batches(clips(trunk, 1, frames=30), frames=12, batch_size=99)[0]
    assert int(long.present.sum()) >= 3 * 30
    assert long.labels.tolist().count(0.0) > 4, "windows of a spliced clip without a manipulated frame are genuine"


def test_splicing_twins_moves_labels_with_the_frames(trunk: LoadedModel) -> None:
    whole = [clip for clip in clips(trunk) if not clip.facts["kind"].endswith("spliced")]
    settings = config(fit=replace(config().fit, mixup_alpha=0.0))
    module = SequenceModule(new_network(settings, trunk, whole), settings)
    batch = next(iter(TwinWindows(whole, frames=12, batch_size=16)))
    torch.manual_seed(0)
    mixed = next(one for one in (module._mixed(batch) for _ in range(20)) if one is not batch)
    mask = mixed.frame_labels[mixed.present]
    assert 0 < mask.mean() < 1
    fake = (mixed.features == batch.features[1::2].repeat_interleave(2, 0)).all(2)
    assert torch.equal(fake[batch.present], mixed.frame_labels.bool()[batch.present])


def test_what_is_unknown_of_a_frame_is_taken_as_the_mean_of_genuine_ones(trunk: LoadedModel) -> None:
    data = clips(trunk)
    for clip in data:
        clip.features[0, -len(TEMPORAL_DIFFERENCES) :] = np.nan  # nothing comes before the first frame
    network: Any = new_network(config(), trunk, data).eval()
    assert all(value.isfinite().all() for value in network.state_dict().values())
    batch = evaluation_batches(data[:4], frames=14, batch_size=4)[0]
    known = torch.where(batch.features.isnan(), network.reader.mean, batch.features)
    assert not torch.equal(known.nan_to_num(), batch.features.nan_to_num())
    expected = network(known, batch.times_s, batch.present)
    torch.testing.assert_close(network(batch.features, batch.times_s, batch.present), expected)


def test_only_neighbours_of_one_label_are_asked_to_agree(trunk: LoadedModel) -> None:
    batch = evaluation_batches([clips(trunk)[2]], frames=14, batch_size=1)[0]
    follows = (batch.frame_labels * 2 - 1) * 6
    assert disagreement(follows, batch) < 1e-6
    assert disagreement(follows * torch.tensor([1, -1]).repeat(7), batch) > 0.5


def test_temperature_makes_overconfident_logits_modest(trunk: LoadedModel) -> None:
    data = clips(trunk)
    network = new_network(config("hybrid"), trunk, data)
    held = evaluation_batches(data, frames=12, batch_size=64)
    for layer in network.heads.clip[-1:]:
        layer.weight.data *= 300  # loud and wrong
    assert fit_temperature(network, held) == pytest.approx(8.0, rel=0.01)


def test_the_report_compares_with_the_frame_model_and_the_card_says_so(
    trunk: LoadedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = clips(trunk, people=18)
    settings = config("lstm", fit=replace(config().fit, max_epochs=8), cue="TM")
    network = fit_sequence(settings, trunk, data[:24], data[24:], tmp_path / "run")
    monkeypatch.setattr("detector.training.sequence.report.RESAMPLES", 40)
    report = measure(network, data[24:], 12)
    assert counted(report) == [10, 20, 10]
    whole = report["model",]
    assert whole.value > 0.9
    assert {fact.data: fact.value for fact in report.facts}["model", "spliced", "clips"] == 10
    low, high = whole.interval
    assert low <= whole.value <= high
    accuracy = {name: cells[0] for name, cells in report.table("model", "accuracy").rows}
    assert accuracy["bias"] == pytest.approx(abs(accuracy["genuine"] - accuracy["manipulated"]), abs=1e-3)
    assert min(accuracy["genuine"], accuracy["manipulated"]) > 0.7
    run = json.loads((tmp_path / "run" / "run.json").read_text())
    card = export_sequence(settings, network, trunk, (data[:24], data[24:], data[24:]), run, tmp_path / "out")
    assert ModelCard.read(tmp_path / "out" / "tm.card.json") == card
    margin = card.inputs.pop("interval_margin_logit")
    assert card.inputs == {
        "trunk": "tiny", "trunk_weights_sha256": trunk.card.weights_sha256, "frames": 12, "cue": "TM"
    }  # fmt: skip
    assert 0 <= margin <= 6
    both = card.results.under("synthesised_clips")
    frame_model = both["synthesised_clips", "frame_model"]
    assert frame_model.value == pytest.approx(1, abs=0.1), "its logits were made from the labels"
    kinds = both.under("synthesised_clips", "model", "per_kind").measurements
    assert {row.data[-1] for row in kinds} == {"spliced", "steady", "swap"}


@pytest.mark.slow
def test_a_network_over_pairs_is_fitted_by_itself_weighs_in_and_ships(
    trunk: LoadedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(0)

    def with_pairs(clip: ClipFeatures) -> ClipFeatures:
        pairs = rng.integers(60, 160, (len(clip.times_s), 64, 64, 11), dtype=np.uint8)
        pairs[clip.manipulated, 16:48, 16:48, :3] += 40
        noise = rng.normal(0, 1, clip.features.shape).astype(np.float32)  # nothing but the pairs tells
        return replace(clip, pairs=pairs, features=noise)

    data = [with_pairs(clip) for clip in clips(trunk, people=16, frames=10)]
    architecture = {**SMALL["transformer"], "change": {"width": 4}}
    settings = replace(config(), architecture=architecture, change_fit=config().fit)
    network: Any = fit_sequence(settings, trunk, data[:18], data[18:], tmp_path / "run")
    assert json.loads((tmp_path / "run" / "change" / "run.json").read_text())["status"] == "finished"
    assert float(network.change_gain) > 0
    monkeypatch.setattr("detector.training.sequence.report.RESAMPLES", 10)
    report = measure(network, data[18:], 12)
    network.change_gain.fill_(0)
    assert report["model",].value > measure(network, data[18:], 12)["model",].value
    again: Any = fit_sequence(settings, trunk, data[:18], data[18:], tmp_path / "run")
    run, own = (json.loads((tmp_path / "run" / name / "run.json").read_text()) for name in (".", "change"))
    run["change"] = own
    card = export_sequence(settings, again, trunk, (data[:18], data[18:], data[18:]), run, tmp_path / "out")
    assert card.architecture["change"] == {"width": 4}
    assert card.training["pairs_of_frames"]["epochs"] == own["epochs"]
    assert card.training["pairs_of_frames"]["gain"] == pytest.approx(float(again.change_gain), abs=0.01)
    shipped = build_network(card.architecture)
    shipped.load_state_dict(load_file(tmp_path / "out" / "tm.safetensors"))
    stored = measure(shipped.float().eval(), data[18:], 12)
    assert stored["model",].value == pytest.approx(card.results["synthesised_clips", "model"].value, abs=1e-3)
    with pytest.raises(SettingsError, match="pairs"):
        measure(shipped, [replace(clip, pairs=None) for clip in data[18:]], 12)


def test_recentring_balances_the_calls_and_keeps_the_order(trunk: LoadedModel) -> None:
    data = clips(trunk)
    network = new_network(config("lstm"), trunk, data).eval()
    held = evaluation_batches(data, frames=12, batch_size=64)
    network.heads.clip[-1].bias.data += 9  # calls everything manipulated
    before = torch.cat([network(batch.features, batch.times_s, batch.present) for batch in held])
    move = recentre(network, held)
    after = torch.cat([network(batch.features, batch.times_s, batch.present) for batch in held])
    label = torch.cat([batch.labels for batch in held])
    torch.testing.assert_close(after, before - move)
    right = (after >= 0) == (label == 1)
    assert abs(right[label == 0].float().mean() - right[label == 1].float().mean()) < 0.1


def reading(number: int, group: str) -> Reading:
    clip = face_clip(24, fps=8.0, tint=0.6 + 0.2 * number)
    return Reading(clip, file=f"{group}.mp4", number=0, group=group, source="s", split="train")


def test_crops_of_twins_differ_only_where_manipulated(trunk: LoadedModel, tmp_path: Path) -> None:
    plan = CropPlan(draws=1, fakes=2, frames=12)
    shard = draw_shard(reading(0, "a"), [reading(1, "b")], plan, [], CropSpec(32, 0.0))
    assert [row["label"] for row in shard.clips] == [0, 1, 1]
    real, *fakes = (shard.crops[shard.clip == number] for number in range(3))
    assert all(len(fake) == len(real) for fake in fakes)
    for number, fake in enumerate(fakes, 1):
        inside = shard.manipulated[shard.clip == number]
        change = np.abs(fake.astype(int) - real).mean((1, 2, 3))
        assert change[inside].mean() > change[~inside].mean() if (~inside).any() else change.mean() > 1
    again = draw_shard(reading(0, "a"), [reading(1, "b")], plan, [], CropSpec(32, 0.0))
    assert (again.crops == shard.crops).all()
    assert again.clips == shard.clips


def test_frames_are_drawn_at_rates_between_the_readings_and_two_a_second() -> None:
    times = np.arange(72) / 25
    steps = set()
    for seed in range(60):
        index = draw_frames(times, 36, np.random.default_rng(seed))
        assert 8 <= len(index) <= 36
        assert index[-1] < 72
        steps |= set(np.diff(index).tolist())
    assert min(steps) == 1
    assert max(steps) >= 6


def test_sampled_frames_come_with_those_just_before_them() -> None:
    dense = replace(reading(0, "a"), clip=face_clip(40, fps=25.0))
    whole = {step: clip for seed in range(12) if (clip := draw_segment(dense, 36, 100.0, np.random.default_rng(seed)))
             for step in [int(np.diff(clip.clip.ticks[clip.sampled]).max())]}  # fmt: skip
    assert min(whole) == 1
    assert max(whole) >= 3
    for step, drawn in whole.items():
        assert drawn.has_before.all()
        assert drawn.clip.pairs == (step > 1)
        np.testing.assert_array_equal(np.diff(drawn.clip.ticks, prepend=-9)[drawn.sampled], 1)
    earlier = replace(dense.clip, images=255 - dense.clip.images)
    slow = replace(dense, clip=replace(dense.clip, times_s=np.arange(40) / 4), before=None)
    alone = draw_segment(slow, 36, 100.0, np.random.default_rng(0))
    assert alone.sampled.all()
    assert not alone.has_before.any()
    both = draw_segment(replace(slow, before=replace(earlier, times_s=slow.clip.times_s)), 36, 100.0,
                        np.random.default_rng(0))  # fmt: skip
    assert both.clip.pairs
    assert both.has_before.all()
    np.testing.assert_array_equal(both.clip.images[both.sampled], alone.clip.images)
    assert np.abs(both.clip.images[~both.sampled].astype(int) - (255 - alone.clip.images)).max() <= 2


def test_what_comes_just_before_is_manipulated_and_cut_alike() -> None:
    plan = CropPlan(draws=4, fakes=2, frames=12)
    dense = replace(reading(0, "a"), clip=face_clip(40, fps=25.0))
    shard = draw_shard(dense, [reading(1, "b")], plan, [], CropSpec(64, 0.2))
    assert shard.before.shape == (len(shard.crops), 64, 64, 3)
    assert shard.has_before.all()
    real = shard.clip == 0
    for number in (1, 2):  # a manipulated frame's earlier picture is manipulated as well
        inside = shard.manipulated[shard.clip == number]
        change = np.abs(shard.before[shard.clip == number].astype(int) - shard.before[real]).mean((1, 2, 3))
        assert change[inside].mean() > 1
    still = np.abs(shard.before[real].astype(int) - shard.crops[real]).mean()
    apart = np.abs(shard.before[real].astype(int) - np.roll(shard.crops[real], 5, 0)).mean()
    assert still < apart


def test_every_shipped_config_is_valid_and_problems_come_together(tmp_path: Path) -> None:
    loaded = [
        load_sequence_config(path) for path in CONFIGS if yaml.safe_load(path.read_text()).get("kind") == "sequence"
    ]
    assert {one.model_id for one in loaded} >= {"lstm-lite0", "hybrid-lite0", "transformer-lite0"}
    path = tmp_path / "wrong.yaml"
    path.write_text(
        "kind: sequence\nmodel_id: x\ntitle: y\narchitecture: {kind: oracle}\ntrunk: z\nfit: {}\nframes: 1\n"
    )
    with pytest.raises(SettingsError, match=r"frames: expected 4.*oracle"):
        load_sequence_config(path)


@pytest.mark.slow
def test_the_recipe_goes_from_video_files_to_a_model_and_resumes(
    trunk: LoadedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = []
    # Two groups whose names fall into each split.
    groups = {"p1": "train", "p3": "train", "p10": "val", "p23": "val", "p2": "test", "p7": "test"}
    for number, (group, split) in enumerate(groups.items()):
        clip = face_clip(12, fps=8.0, tint=0.7 + 0.1 * number)
        write_clip(tmp_path / f"{group}.mp4", clip.images, 8)
        rows.append({"file": f"{group}.mp4", "label": "real", "kind": "video", "use": "train", "group": group,
                     "source": "s", "wanted": split})  # fmt: skip
    pd.DataFrame(rows).to_csv(tmp_path / "manifest.csv", index=False)
    settings = {
        "kind": "sequence", "model_id": "tm", "title": "TM", "architecture": SMALL["lstm"], "trunk": "tiny",
        "frames": 8, "crops": {"draws": 1, "fakes": 1},
        "validation_crops": {"draws": 1, "fakes": 1},
        "fit": {"max_epochs": 1, "min_epochs": 1, "batch_size": 4},
    }  # fmt: skip
    path = tmp_path / "tm.yaml"
    path.write_text(yaml.safe_dump(settings))
    monkeypatch.setattr("detector.training.sequence.recipe.load_model", lambda name, device: trunk)
    train_sequence(path, tmp_path, tmp_path / "runs" / "tm", "cpu")
    clips_dir = tmp_path / "runs" / "clips"
    readings = list(open_readings(clips_dir / "readings", "train"))
    assert {one.group for one in readings} == {"p1", "p3"}
    assert all(np.ptp(one.clip.landmarks[0], axis=0).min() > 20 for one in readings)
    (folder,) = (clips_dir / "features-train").iterdir()
    features = list(read_features(folder))
    assert {clip.label for clip in features} == {0, 1}
    made = {path: read_shard(path) for path in shard_files(clips_dir / "crops-train-32px-margin-0")}
    (shard,) = [one for name, one in made.items() if name.name.startswith("p1")]
    crops = shard.crops[shard.clip == 0]
    assert not shard.has_before.any()  # these videos show no frame within a tenth of a second of another
    readings = [
        FaceReading(one, thumbnail(crop), None) for one, crop in zip(trunk.features(crops).features, crops, strict=True)
    ]
    expected = with_temporal_differences(readings, trunk.card.crop.margin)
    np.testing.assert_allclose(features[0].features, expected, atol=1e-4)
    run = json.loads((tmp_path / "runs" / "tm" / "run.json").read_text())
    assert run["status"] == "finished"
    before = sorted((one, one.stat().st_mtime_ns) for one in clips_dir.rglob("*.npz"))
    clip_features(load_sequence_config(path).crops, tmp_path, clips_dir, trunk, "train")
    assert sorted((one, one.stat().st_mtime_ns) for one in clips_dir.rglob("*.npz")) == before
    network = new_network(load_sequence_config(path), trunk, features).eval()
    shipped = SequenceModel(replace(trunk.card, inputs={"frames": 8}), network, torch.device("cpu"), trunk)
    monkeypatch.setattr("detector.training.sequence.report.RESAMPLES", 10)
    again = measure_shipped(shipped, tmp_path, clips_dir)
    assert counted(again) == [6, 24, 2]  # three draws, four twins
    held = list(read_features(next((clips_dir / "features-test").iterdir())))
    assert again == measure(network, held, 8)
