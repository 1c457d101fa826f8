"""Measuring: held-out groups only, thresholds that keep their promise, failures counted and never scored."""

from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
from skimage import data

from detector.errors import SettingsError
from detector.models import FrameNet
from detector.registry import ModelCard, load_model
from detector.training.decide import choose_decision
from detector.training.evaluate import evaluate_model
from detector.training.export import export_run, measure_run
from detector.training.frame import FrameTrainer
from detector.training.heldout import split_of
from tests.evidence.media import make_video
from tests.training.test_trainer import _config


def _clips(genuine: list[float], fake: list[float | None]) -> list[dict]:
    return [{"label": "real", "logit": x} for x in genuine] + [{"label": "fake", "logit": x} for x in fake]


def test_at_most_five_percent_of_genuine_clips_reach_the_upper_threshold() -> None:
    rng = np.random.default_rng(0)
    for seed in range(5):
        genuine = np.random.default_rng(seed).normal(0, 1, 90).tolist()
        decision = choose_decision(_clips(genuine, rng.normal(2, 1, 30).tolist()))
        assert np.mean(np.array(genuine) >= decision.likely_manipulated_logit) <= 0.05
        assert decision.no_manipulation_logit < decision.likely_manipulated_logit


def test_well_separated_clips_get_thresholds_in_order_even_when_quantiles_cross() -> None:
    decision = choose_decision(_clips(np.linspace(-3, -2, 40).tolist(), np.linspace(2, 3, 40).tolist()))
    assert decision.no_manipulation_logit < decision.likely_manipulated_logit <= 2


def test_unscored_clips_do_not_count_and_too_few_are_refused() -> None:
    with pytest.raises(SettingsError, match="3 manipulated"):
        choose_decision(_clips([0.0] * 20, [1.0, 2.0, 3.0] + [None] * 20))


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder with pictures and clips of one face, and a `weights` folder with an untrained model's export."""
    root = tmp_path / "data"
    root.mkdir()
    face = data.astronaut()[:256, 100:356]
    rows = []
    for number in range(8):
        label = "fake" if number % 2 else "real"
        picture = np.clip(face * (0.7 + 0.05 * number), 0, 255).astype(np.uint8)
        cv2.imwrite(str(root / f"{number}.png"), cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
        rows.append((f"{number}.png", label, "image", f"still{number}"))
    for number, label in enumerate(("real", "real", "fake")):
        make_video(root / f"{number}.mp4", frames=6, fps=5, size=(256, 256), picture=lambda _: face)
        rows.append((f"{number}.mp4", label, "video", f"clip{number}"))
    make_video(root / "faceless.mp4", frames=6, fps=5, size=(256, 256), picture=lambda _: np.zeros_like(face))
    rows.append(("faceless.mp4", "fake", "video", "clip3"))
    table = pd.DataFrame(rows, columns=["file", "label", "kind", "group"])
    table["use"], table["source"], table["manipulation"] = "train", "lab", "paste"
    table.to_csv(root / "manifest.csv", index=False)
    table["split"] = np.where(table["group"].isin(["still0", "clip0"]), "train", "test")
    config = _config(limits=["tiny"], licence="test")
    trainer = FrameTrainer(config, tmp_path / "run")
    assert isinstance(trainer.network, FrameNet)
    trainer.save()
    export_run(config, tmp_path / "run", table, tmp_path / "weights")
    monkeypatch.setenv("FRAMEWITNESS_WEIGHTS", str(tmp_path / "weights"))
    return tmp_path


def test_only_groups_the_model_never_saw_are_measured(lab: Path) -> None:
    report = evaluate_model("tiny", lab / "data")
    assert report["held_out_crops"]["genuine"] == 3  # still0 was trained on
    assert report["held_out_crops"]["manipulated"] == 4
    assert report["videos"]["all"]["genuine"] == 2
    assert report["videos"]["held_out_genuine"]["genuine"] == 1
    assert [row["file"] for row in report["videos"]["not_scored"]] == ["faceless.mp4"]
    faceless = next(row for row in report["videos"]["clips"] if row["file"] == "faceless.mp4")
    assert faceless["logit"] is None
    assert faceless["label_called"] == "not_examined"


def test_unknown_groups_are_not_taken_for_held_out_and_a_missing_list_is_refused(lab: Path) -> None:
    assert split_of(pd.Series(["still1", "still0", "stranger"]), "tiny").tolist() == ["test", "train", "train"]
    (lab / "weights" / "tiny.held-out.json").unlink()
    with pytest.raises(SettingsError, match=r"held-out\.json"):
        evaluate_model("tiny", lab / "data")


def test_a_measured_card_carries_thresholds_counts_and_no_list_of_clips(lab: Path) -> None:
    folder = lab / "weights"
    card = load_model("tiny").card
    clips = _clips(np.linspace(-2, 0, 40).tolist(), np.linspace(-1, 3, 20).tolist())
    measure_run(card, folder, {"held_out_crops": {"auc": 0.7}, "videos": {"clips": clips}})
    measured = ModelCard.read(folder / "tiny.card.json")
    called = measured.results["videos"]["called_genuine"]
    assert called["clips"] == 40
    assert called["likely_manipulated"] <= 2
    assert "clips" not in measured.results["videos"]
    assert measured.weights_sha256 == card.weights_sha256
