"""Measuring: held-out groups only, thresholds that keep their promise, failures counted and never scored."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from skimage import data

from detector.cli import main
from detector.errors import SettingsError
from detector.measurement.conditions import light_class, size_class, skin_class
from detector.measurement.measures import against, calibration, measure_videos
from detector.measurement.results import Fact, Measurement, Results
from detector.models import build_network
from detector.registry import ModelCard, Thresholds, available_models, load_model
from detector.training.data.skin_tone import skin_ita_deg
from detector.training.evaluation.cards import write_measured
from detector.training.evaluation.evaluate import differences, evaluate_models
from detector.training.evaluation.heldout import split_of
from detector.training.evaluation.thresholds import choose_thresholds
from detector.training.frame.config import check_config
from detector.training.frame.export import export_run
from tests.analysis.fakes import make_face
from tests.evidence.media import make_video

CONFIG = {
    "model_id": "tiny",
    "title": "Tiny",
    "architecture": {"kind": "frame", "trunk": "test_resnet", "width": 16},
    "input_px": 64,
    "limits": ["tiny"],
    "licence": "test",
}


def _clips(real: list[float], fake: list[float | None], split: str = "train") -> list[dict]:
    return [
        {"label": label, "logit": x, "split": split, "file": f"{label}{number}"}
        for label, values in (("real", real), ("fake", fake))
        for number, x in enumerate(values)
    ]


def test_at_most_five_percent_of_genuine_clips_reach_the_upper_threshold() -> None:
    rng = np.random.default_rng(0)
    for seed in range(5):
        real = np.random.default_rng(seed).normal(0, 1, 90).tolist()
        decision = choose_thresholds(_clips(real, rng.normal(2, 1, 30).tolist()))
        assert np.mean(np.array(real) >= decision.likely_manipulated_logit) <= 0.05
        assert decision.no_manipulation_logit < decision.likely_manipulated_logit


def test_clips_of_people_never_seen_keep_the_promise_too() -> None:
    rng = np.random.default_rng(0)
    seen, unseen = rng.normal(-3, 1, 200).tolist(), rng.normal(0, 1, 30).tolist()
    clips = _clips(seen, rng.normal(2, 1, 30).tolist()) + _clips(unseen, [], "val")
    upper = choose_thresholds(clips).likely_manipulated_logit
    assert np.mean(np.array(unseen) >= upper) <= 0.05
    assert choose_thresholds(_clips(seen + unseen, rng.normal(2, 1, 30).tolist())).likely_manipulated_logit < upper


def test_each_set_of_clips_keeps_the_upper_promise_and_the_lower_is_of_all_manipulated_ones() -> None:
    rng = np.random.default_rng(0)
    clips = _clips(rng.normal(0, 1, 200).tolist(), rng.normal(3, 1, 20).tolist())
    louder = _clips(rng.normal(1, 1, 40).tolist(), rng.normal(-1, 1, 180).tolist(), "test")
    few = _clips([50.0] * 9, [], "test")
    alone, both = choose_thresholds(clips), choose_thresholds(clips, also={"elsewhere": louder, "few": few})
    assert alone.likely_manipulated_logit < both.likely_manipulated_logit < 50
    for part in (clips, louder):
        real = np.array([row["logit"] for row in part if row["label"] == "real"])
        assert np.mean(real >= both.likely_manipulated_logit) <= 0.05
    fakes = np.array([row["logit"] for row in clips + louder if row["label"] == "fake"])
    assert np.mean(fakes < both.no_manipulation_logit) == pytest.approx(0.1, abs=0.01)
    assert "elsewhere: 40 and 180" in both.basis
    assert "few" not in both.basis


def test_well_separated_clips_get_thresholds_in_order_even_when_quantiles_cross() -> None:
    decision = choose_thresholds(_clips(np.linspace(-3, -2, 40).tolist(), np.linspace(2, 3, 40).tolist()))
    assert decision.no_manipulation_logit < decision.likely_manipulated_logit <= 2


def test_unscored_clips_do_not_count_and_too_few_are_refused() -> None:
    clips = _clips([0.0] * 20, [1.0, 2.0, 3.0] + [None] * 20)
    with pytest.raises(SettingsError, match="3 manipulated"):
        choose_thresholds(clips)
    decision = choose_thresholds(clips, one_sided=True)
    assert decision.no_manipulation_logit < -100  # it never says that nothing was found


def test_an_inverted_model_is_flagged_and_few_files_give_no_auc() -> None:
    fake, real = np.linspace(-2, 0, 20), np.linspace(-1, 2, 20)
    assert against((), fake, real).worse_than_chance is True
    assert against((), real, fake).worse_than_chance is False
    assert against((), fake[:2], real) == Measurement((), None, n_real=20, n_fake=2)


def test_calibration_knows_an_honest_score_from_a_boastful_one() -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 2, 4000)
    labels = rng.random(4000) < 1 / (1 + np.exp(-logits))
    honest, boastful = calibration(labels, logits), calibration(labels, 4 * logits)
    assert honest.ece < 0.03 < 0.1 < boastful.ece
    assert sum(row.rows for row in honest.bins) == 4000


def test_every_source_and_generator_is_told_apart() -> None:
    rng = np.random.default_rng(0)
    table = pd.DataFrame(
        {
            "file": [f"{number}.mp4" for number in range(60)],
            "label": ["real"] * 40 + ["fake"] * 20,
            "split": (["train"] * 20 + ["val"] * 20) + ["val"] * 20,
            "source": ["calm"] * 30 + ["loud"] * 10 + ["lab"] * 20,
            "manipulation": [""] * 40 + ["swap"] * 10 + ["puppet"] * 10,
            "size_px": [60.0] * 30 + [200.0] * 30,
            "exposure": 0.5,
            "ita_deg": [50.0, None] * 30,
        }
    )
    logits = np.r_[rng.normal(0, 0.1, 30), rng.normal(5, 0.1, 10), rng.normal(4, 0.1, 10), rng.normal(-4, 0.1, 10)]
    logits[0] = np.nan
    found = measure_videos(table, logits, Thresholds(3.0, -3.0, ""))
    assert found["videos", "all"].n_real == 39
    assert found["videos", "held_out_genuine"].n_real == 20
    assert found["videos", "per_generator", "puppet"].worse_than_chance is True
    assert found["videos", "per_generator", "swap"].value == pytest.approx(0.5)
    loud, calm = (found["videos", "without_genuine_source", name].value for name in ("loud", "calm"))
    assert loud > found["videos", "all"].value > calm
    assert found.table("videos", "genuine_per_source").cell("loud", "likely_manipulated") == 10
    assert dict(found.table("videos", "called").rows)["called_genuine"] == (39, 10, 0)
    small = found["videos", "conditions", "face_size", "below 80 px"]
    assert (small.value, small.n_real, small.n_fake, small.counts) == (None, 29, 0, {"false_alarms": 0})
    tones = found.under("videos", "conditions", "skin_tone_ita").measurements
    assert {row.data[-1] for row in tones} == {"light", "unknown"}


def test_conditions_of_a_face() -> None:
    assert [size_class(px) for px in (79, 80, 400)] == ["below 80 px", "80 to 160 px", "320 px and more"]
    assert light_class(0.1) == "below 0.3 mean luma"
    face = make_face(left=20.0, mesh=True)  # every point of this mesh lies at (20, 20)
    tones = []
    for colour in ((245, 220, 200), (180, 125, 95), (90, 60, 45)):
        ita_deg = skin_ita_deg(np.full((64, 64, 3), colour, np.uint8), face)
        assert ita_deg is not None
        tones.append(skin_class(ita_deg))
    assert tones == ["very light", "tan", "dark"]
    assert skin_ita_deg(np.zeros((64, 64, 3), np.uint8), make_face()) is None


def test_only_numbers_that_both_have_are_compared() -> None:
    def found(auc: float, high: float, clips: int, note: str) -> Results:
        row = Measurement(("videos",), auc, interval=(0.7, high))
        return Results((row,), facts=(Fact(("videos", "clips"), clips), Fact(("videos", "note"), note)))

    card = Results.joined([found(0.80, 0.9, 20, "x"), Fact(("old",), 1)])
    assert differences(card, found(0.803, 0.9, 20, "y")) == []
    lines = differences(card, found(0.81, 0.91, 19, "x"))
    assert [line.partition(":")[0] for line in lines] == ["videos.auc", "videos.auc_95_high", "videos.clips"]


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with pictures and clips of one face, and a `weights` folder with an untrained model's export."""
    home = tmp_path_factory.mktemp("lab")
    root = home / "data"
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
    config = check_config(CONFIG)
    torch.manual_seed(0)
    run = home / "run"
    (run / "bank").mkdir(parents=True)
    network = build_network(config.architecture)
    state = {"config_sha256": config.sha256, "ema": network.state_dict(), "step": 3, "elapsed_s": 60.0}
    torch.save(state, run / "checkpoint.pt")
    (home / "tiny.yaml").write_text(yaml.safe_dump(CONFIG))
    (home / "weights").mkdir()
    export_run(config, run, table, home / "weights")
    return home


@pytest.fixture
def shipped(lab: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FRAMEWITNESS_WEIGHTS", str(lab / "weights"))
    return lab


def test_one_pass_measures_and_goes_on_where_it_stopped(shipped: Path, tmp_path: Path) -> None:
    store = tmp_path / "predictions.jsonl"
    asked: list[str] = []
    found = evaluate_models(["tiny"], shipped / "data", store=store, on_file=lambda *told: asked.append(told[2]))
    evaluation = found["tiny"]
    results = evaluation.results()
    assert results["held_out_crops",].n_real == 3  # still0 was trained on
    assert results["held_out_crops",].n_fake == 4
    assert results["videos", "all"].n_real == 2
    assert results["videos", "held_out_genuine"].n_real == 1
    assert [file for file, _ in results.table("videos", "not_scored").rows] == ["faceless.mp4"]
    faceless = next(row for row in evaluation.clips() if row["file"] == "faceless.mp4")
    assert faceless["logit"] is None
    assert len(asked) == 9  # 7 held-out pictures and 4 clips, of which 3 are the same
    lines = store.read_text().splitlines()
    store.write_text("\n".join([*lines[:3], lines[3][:40]]))  # interrupted while writing
    asked.clear()
    again = evaluate_models(["tiny"], shipped / "data", store=store, on_file=lambda *told: asked.append(told[2]))
    assert len(asked) == 6
    pd.testing.assert_frame_equal(again["tiny"].pictures, evaluation.pictures)


def test_unknown_groups_are_not_taken_for_held_out_and_a_missing_list_is_refused(
    shipped: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    groups = pd.DataFrame({"group": ["still1", "still0", "stranger"]})
    assert split_of(groups, "tiny").tolist() == ["test", "train", "train"]
    for name in ("tiny.card.json", "tiny.safetensors"):
        (tmp_path / name).write_bytes((shipped / "weights" / name).read_bytes())
    monkeypatch.setenv("FRAMEWITNESS_WEIGHTS", str(tmp_path))
    with pytest.raises(SettingsError, match=r"held-out\.json"):
        evaluate_models(["tiny"], shipped / "data")


def test_a_measured_card_carries_thresholds_and_counts_and_is_reproduced(
    shipped: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = tmp_path / "predictions.jsonl"
    evaluation = evaluate_models(["tiny"], shipped / "data", store=store)["tiny"]
    copies = pd.concat([evaluation.videos.head(3)] * 15, ignore_index=True)
    copies["logit:tiny"] = np.linspace(-1, 1, len(copies))
    write_measured(type(evaluation)(evaluation.card, evaluation.pictures, copies), shipped / "weights")
    measured = load_model("tiny").card
    called = measured.results.table("videos", "called")
    assert called.cell("called_genuine", "clips") == 30
    assert called.cell("called_genuine", "likely_manipulated") <= 1
    assert measured.weights_sha256 == evaluation.card.weights_sha256
    arguments = ["evaluate", "--all", "--data", str(shipped / "data"), "--predictions", str(store)]
    assert main([*arguments, "--out", str(tmp_path / "report.json"), "--steadiness", "6"]) == 0
    out, err = capsys.readouterr()
    assert "tiny" in out
    assert "videos.all.genuine: card 30, measured 2" in err
    report = json.loads((tmp_path / "report.json").read_text())
    steadiness = Results.read(report["tiny"]["results"]).table("steadiness")
    assert steadiness.cell("faces") == 6
    assert steadiness.cell("views_cost") > 1
    assert {"plain_auc", "views_auc", "dropout_auc", "dropout_cost"} <= dict(steadiness.rows).keys()
    # Of a handful, where more were asked for, nothing is said.
    assert main([*arguments, "--out", str(tmp_path / "report.json"), "--steadiness", "60"]) == 0
    again = Results.read(json.loads((tmp_path / "report.json").read_text())["tiny"]["results"])
    assert not again.under("steadiness")
    assert not [line for line in report["tiny"]["differs_from_card"] if line.startswith("held_out_crops")]


def test_export_ships_a_run_of_the_checkpoint_format(shipped: Path, tmp_path: Path) -> None:
    table = pd.read_csv(shipped / "data" / "manifest.csv").assign(split="train")
    table.to_parquet(shipped / "run" / "bank" / "table.parquet")
    for name in ("images", "landmarks"):
        np.save(shipped / "run" / "bank" / f"{name}.npy", np.zeros((1, 468, 2), np.float32))
    arguments = ["export", str(shipped / "tiny.yaml"), "--data", str(shipped / "data"), "--run", str(shipped / "run")]
    assert main([*arguments, "--out", str(tmp_path / "out"), "--unmeasured"]) == 0
    card = ModelCard.read(tmp_path / "out" / "tiny.card.json")
    assert card.training["steps"] == 3
    (shipped / "other.yaml").write_text(yaml.safe_dump({**CONFIG, "batch_size": 8}))
    arguments[1] = str(shipped / "other.yaml")
    assert main([*arguments, "--out", str(tmp_path / "other"), "--unmeasured"]) == 2
    assert main([*arguments, "--out", str(tmp_path / "other"), "--unmeasured", "--history", "smaller batches"]) == 0
    changed = ModelCard.read(tmp_path / "other" / "tiny.card.json").training
    assert changed["history"] == "smaller batches"
    assert changed["config_sha256"] == card.training["config_sha256"]
    assert (tmp_path / "out" / card.weights_file).is_file()
    assert [one.model_id for one in available_models()] == ["tiny"]


def test_clips_synthesised_anew_are_held_against_a_sequence_models_card(
    shipped: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from detector.commands.measure import _with_clips

    evaluation = evaluate_models(["tiny"], shipped / "data")["tiny"]
    assert _with_clips(evaluation, shipped / "data", shipped / "clips") is evaluation  # a frame model sees no clips
    monkeypatch.setattr("detector.registry.load_model", lambda name, device: (name, device))
    monkeypatch.setattr("detector.registry.expect", lambda model, kind: model)
    monkeypatch.setattr(
        "detector.training.sequence.report.measure_shipped", lambda *asked: Results((Measurement(("model",), 0.75),))
    )
    sequence = replace(evaluation, card=replace(evaluation.card, kind="sequence"))
    results = _with_clips(sequence, shipped / "data", shipped / "clips").results()
    assert results["synthesised_clips", "model"].value == 0.75
    said = Results((Measurement(("synthesised_clips", "model"), 0.7),))
    assert differences(said, results) == ["synthesised_clips.model.auc: card 0.7, measured 0.75"]


@pytest.fixture
def strangers(shipped: Path, tmp_path: Path) -> Path:
    """A laboratory's own folder: other people, genuine and manipulated pictures from sources of their own."""
    root = tmp_path / "own"
    root.mkdir()
    table = pd.read_csv(shipped / "data" / "manifest.csv", dtype=str).fillna("")
    table["group"] = [f"visitor {number}" for number in range(len(table))]
    table["source"] = table["label"].map({"real": "camera", "fake": "network"})
    for file in table["file"]:
        shutil.copy(shipped / "data" / file, root / file)
    table.to_csv(root / "manifest.csv", index=False)
    return root


def test_a_laboratorys_own_data_is_measured_whole_and_not_compared_with_the_card(
    strangers: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "report.json"
    assert main(["evaluate", "tiny", "--data", str(strangers), "--out", str(out)]) == 0
    report = json.loads(out.read_text())["tiny"]
    results = Results.read(report["results"])
    assert results["held_out_crops",].n_real + results["held_out_crops",].n_fake == 8  # every picture
    assert results["videos", "held_out_genuine"].n_real == 2  # nobody counts as trained on
    assert {clip["split"] for clip in report["clips"]} == {"test"}
    assert report["differs_from_card"] is None
    assert "not compared with its card" in capsys.readouterr().err


def test_predictions_are_kept_by_content_whatever_the_file_is_called(strangers: Path, tmp_path: Path) -> None:
    store = tmp_path / "predictions.jsonl"
    asked: list[str] = []

    def logits() -> pd.Series:
        found = evaluate_models(["tiny"], strangers, store=store, on_file=lambda *told: asked.append(told[2]))["tiny"]
        return found.pictures.set_index("file")["logit:tiny"]

    before = logits()
    (strangers / "0.png").rename(strangers / "other.png")
    table = pd.read_csv(strangers / "manifest.csv", dtype=str).fillna("")
    table["file"] = table["file"].replace("0.png", "other.png")
    table.to_csv(strangers / "manifest.csv", index=False)
    picture = cv2.imread(str(strangers / "1.png"))
    cv2.imwrite(str(strangers / "1.png"), picture[:, ::-1] // 2)
    asked.clear()
    after = logits()
    assert asked == ["1.png"]  # another picture under a known name; the renamed one is known
    assert after["other.png"] == before["0.png"]
    assert after["1.png"] != before["1.png"]


def test_a_file_without_a_score_says_why_for_each_model(shipped: Path) -> None:
    evaluation = evaluate_models(["tiny"], shipped / "data")["tiny"]
    silent = evaluation.videos.assign(problem=np.nan, **{"logit:tiny": np.nan, "problem:tiny": "It needs sound."})
    table = replace(evaluation, videos=silent).results().table("videos", "not_scored")
    assert {why for _, (why,) in table.rows} == {"It needs sound."}
    unknown = replace(evaluation, videos=silent.drop(columns="problem:tiny")).results()
    assert {why for _, (why,) in unknown.table("videos", "not_scored").rows} == {None}
    json.dumps(unknown.as_json(), allow_nan=False)
