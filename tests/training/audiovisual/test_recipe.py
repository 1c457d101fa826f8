"""The audio-visual recipe on a few schematic talkers: it starts in closed form, learns, measures and reloads."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from safetensors.torch import load_file
from scipy.ndimage import gaussian_filter1d

from detector.errors import SettingsError
from detector.evidence.audio import Sound
from detector.faces.mouth import MouthTrack
from detector.models.audiovisual import AudioVisualNet
from detector.training.audiovisual.measure import accuracies, balanced_threshold, score_fold, summary
from detector.training.audiovisual.recipe import (
    AudioVisualConfig,
    fold_groups,
    load_audiovisual_config,
    margin_frames,
    train_one,
)
from detector.training.audiovisual.samples import AvBatches, Prepared, prepare
from detector.training.audiovisual.start import fit_components, fit_reader
from detector.training.data.speech_bank import TalkingClip
from detector.training.engine.config import FitConfig

CONFIG = Path(__file__).resolve().parents[3] / "assets" / "configs" / "audiovisual-avff.yaml"
SMALL = AudioVisualConfig(
    model_id="small",
    title="",
    architecture={"kind": "audiovisual", "exchange": True, "width": 8},
    fit=FitConfig(max_epochs=2, min_epochs=2, batch_size=3, learning_rate=0.01, warmup_steps=1, ema_decay=0.3),
    window_s=1.2,
    steps_per_epoch=3,
    folds=2,
)


def talker(number: int, seconds: float = 2.4) -> TalkingClip:
    """A dark gap that opens by a curve, and noise that is as loud."""
    rng = np.random.default_rng(number)
    count = round(seconds * 25)
    curve = gaussian_filter1d(rng.standard_normal(count + 40), 1.6)[20:-20]
    curve = (curve - curve.min()) / np.ptp(curve)
    crops = np.full((count, 48, 48), 140 + number, np.uint8)
    for frame, value in zip(crops, curve, strict=True):
        half = int(1 + 7 * value)
        frame[24 - half : 24 + half, 10:38] = 40
    lips = np.stack([0.3 * curve, 0.3 + 0.3 * curve, 0.6 - 0.1 * curve, 0.5 + 0.1 * curve, 0 * curve], 1)
    loud = np.interp(np.arange(count * 640) / 640, np.arange(count), 0.02 + curve**2)
    sound = Sound((0.2 * loud * rng.standard_normal(count * 640)).astype(np.float32), 0.0)
    mouth = MouthTrack(0.0, crops, lips.astype(np.float32), np.ones(count, bool), 80.0)
    return TalkingClip(f"{number}.mp4", "real", f"person {number}", "made", "train", mouth, sound)


@pytest.fixture(scope="module")
def clips() -> list[TalkingClip]:
    return [talker(number) for number in range(5)]


@pytest.fixture(scope="module")
def prepared(clips: list[TalkingClip]) -> list[Prepared]:
    return [prepare(clip, margin_frames(SMALL), seed) for seed, clip in enumerate(clips)]


def test_two_epochs_and_a_checkpoint_that_reloads_bit_equal(prepared: list[Prepared], tmp_path: Path) -> None:
    train_one(SMALL, prepared[:3], prepared[3:], tmp_path, "cpu", facts={})
    losses = [float(line.split(",")[1]) for line in (tmp_path / "metrics.csv").read_text().splitlines()[1:]]
    assert losses[-1] < losses[0]
    leakage = json.loads((tmp_path / "leakage.json").read_text())
    named = {row["name"] for row in (*leakage["properties"], *leakage["not_measured"])}
    assert named == {"sound_level", "sound_spread", "heard_share"}
    assert leakage["genuine"] == leakage["manipulated"] == 9
    assert json.loads((tmp_path / "report.json").read_text())["leakage"] is not None
    state = load_file(tmp_path / "best.safetensors")
    first, second = (AudioVisualNet(exchange=True, width=8) for _ in range(2))
    first.load_state_dict(state)
    second.load_state_dict(load_file(tmp_path / "best.safetensors"))
    batch = next(iter(AvBatches(prepared, window=30, batch_size=2, batches=1, seed=0, augment=False)))
    edge = first.reach
    inner = slice((batch.heard.shape[1] - 30) // 2 - edge, (batch.heard.shape[1] + 30) // 2 + edge)
    mel = batch.mel[:, 4 * inner.start : 4 * inner.stop]
    arguments = (batch.mouth, batch.lips, batch.seen, mel, batch.heard[:, inner])
    assert torch.equal(first.eval()(*arguments), second.eval()(*arguments))


def test_the_closed_form_start_alone_tells_shifted_sound(clips: list[TalkingClip], prepared: list[Prepared]) -> None:
    network = AudioVisualNet(exchange=False)
    fit_components(network, prepared[:3])
    explained = fit_reader(network, prepared[:3], ridge=30.0)
    assert explained[0] > 0.5
    scores = score_fold(network, [*clips[3:], *map(talker, (5, 6, 7))], clips)
    report = summary(scores)
    assert report["auc_against_genuine", "shifted by 0.2 to 1.2 s", "logit"].value > 0.8
    assert report["auc_against_genuine", "swapped", "logit"].n_fake > 0
    threshold = balanced_threshold(scores)
    assert accuracies(scores, threshold)["bias"] <= accuracies(scores, threshold + 5)["bias"]


def test_batches_are_the_same_for_validation_and_vary_in_training(prepared: list[Prepared]) -> None:
    held = AvBatches(prepared, window=30, batch_size=4, batches=2, seed=1, augment=False)
    first, second = list(held), list(held)
    assert all(torch.equal(a, b) for x, y in zip(first, second, strict=True) for a, b in zip(x, y, strict=True))
    varied = AvBatches(prepared, window=30, batch_size=4, batches=1, seed=1, augment=True)
    varied.set_epoch(0)
    before = next(iter(varied))
    varied.set_epoch(1)
    assert not torch.equal(before.mel, next(iter(varied)).mel)
    assert len(set(before.group.tolist())) == 4
    assert not first[0].mel[~first[0].heard.repeat_interleave(4, 1)].any()


def test_people_are_dealt_whole_and_by_source() -> None:
    people = [("a", f"a{number}") for number in range(8)] + [("b", f"b{number}") for number in range(4)]
    folds = fold_groups(people, 4)
    assert sorted(group for fold in folds for group in fold) == sorted(group for _, group in people)
    assert all(sum(group.startswith("a") for group in fold) == 2 for fold in folds)
    assert all(sum(group.startswith("b") for group in fold) == 1 for fold in folds)


def test_the_shipped_config_is_sound_and_problems_are_told_together(tmp_path: Path) -> None:
    config = load_audiovisual_config(CONFIG)
    assert config.architecture["kind"] == "audiovisual"
    assert any("never evidence of authenticity" in limit for limit in config.limits)
    values = yaml.safe_load(CONFIG.read_text())
    values |= {"folds": 1, "window_s": "long", "colour": "red"}
    broken = tmp_path / "broken.yaml"
    broken.write_text(yaml.safe_dump(values))
    with pytest.raises(SettingsError, match=r"colour.*window_s.*folds"):
        load_audiovisual_config(broken)
