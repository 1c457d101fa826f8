"""The specialists' recipe: what each cue learns from, that it learns, and that the card says what was measured."""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from safetensors.torch import load_file

from detector.errors import SettingsError
from detector.models.specialists import SpecialistsNet
from detector.registry import ModelCard, load_model, load_weights
from detector.training.data.facebank import FaceBank
from detector.training.specialists.recipe import (
    SpecialistsConfig,
    SpecialistsModule,
    fit_specialists,
    load_specialists_config,
)
from detector.training.specialists.report import balance, export_specialists
from detector.training.specialists.samples import CUES, CueBatch, CueBatches, CueSource, wide_rows
from tests.training.banks import small_bank

SHIPPED = Path(__file__).resolve().parents[3] / "assets" / "configs" / "specialists-lite0.yaml"
TINY: dict[str, Any] = {
    "kind": "specialists",
    "model_id": "tiny-specialists",
    "title": "Tiny",
    "architecture": {"kind": "specialists", "trunk": "test_resnet", "strides": [8], "width": 16, "head_width": 8},
    "input_px": 64,
    "batches_an_epoch": 5,
    "validation_batches": 1,
    "fit": {
        "max_epochs": 2, "min_epochs": 1, "batch_size": 16, "learning_rate": 3e-3, "warmup_steps": 2,
        "focal_gamma": 0.0,
    },
}  # fmt: skip


def config(folder: Path, **changes: Any) -> SpecialistsConfig:
    path = folder / "tiny.yaml"
    path.write_text(yaml.safe_dump({**TINY, **changes}))
    return load_specialists_config(path)


@pytest.fixture(scope="module")
def bank(tmp_path_factory: pytest.TempPathFactory) -> FaceBank:
    """Twelve faces to train on, and as many each for choosing and testing."""
    made = small_bank(tmp_path_factory.mktemp("specialists") / "bank", faces=18)
    table = made.table.assign(split=np.resize(["train", "val", "test"], len(made.table)))
    return FaceBank(made.images, made.landmarks, table)


def batches(bank: FaceBank, seed: int = 1, count: int = 1) -> CueBatches:
    source = CueSource(bank, "train", 64)
    return CueBatches(source, batches=count, quads=dict.fromkeys(CUES, 1), seed=seed, mean=(0.5,) * 3, std=(0.5,) * 3)


def test_a_batch_holds_two_genuine_and_two_manipulated_pictures_of_every_cue(bank: FaceBank) -> None:
    batch = next(iter(batches(bank)))
    assert batch.images.shape == (16, 3, 64, 64)
    assert batch.masks.shape == (16, 8, 8)
    assert batch.labels.tolist() == [0, 0, 1, 1] * 4
    assert batch.cues.tolist() == [cue for cue in range(4) for _ in range(4)]
    assert batch.masks[batch.labels == 0].max() == 0
    assert batch.masks[batch.labels == 1].flatten(1).amax(1).min() > 0.3
    assert bank.table["split"].iloc[batch.rows.numpy()].eq("train").all()


def test_a_config_may_give_one_cue_more_of_each_batch(bank: FaceBank, tmp_path: Path) -> None:
    options = config(tmp_path, quads={"BG": 5, "CM": 1, "RR": 1, "LL": 1}, fit={**TINY["fit"], "batch_size": 32})
    assert options.quads is not None
    source = CueSource(bank, "train", 64)
    batch = next(iter(CueBatches(source, batches=1, quads=options.quads, seed=1, mean=(0.5,) * 3, std=(0.5,) * 3)))
    assert batch.cues.tolist() == [0] * 20 + [1] * 4 + [2] * 4 + [3] * 4
    with pytest.raises(SettingsError, match="quads: expected a count of each of BG, CM, RR, LL, in all 16 / 4"):
        config(tmp_path, quads={"BG": 5, "CM": 1, "RR": 1, "LL": 1})


class Exported(NamedTuple):
    """A finished run and the model that came of it."""

    network: SpecialistsNet
    run: Path
    weights: Path
    card: ModelCard


@pytest.fixture(scope="module")
def exported(bank: FaceBank, tmp_path_factory: pytest.TempPathFactory) -> Exported:
    folder = tmp_path_factory.mktemp("finished")
    options, run, out = config(folder), folder / "run", folder / "weights"
    network = fit_specialists(options, bank, run)
    return Exported(network, run, out, export_specialists(options, run, bank, out, rounds=1))


@pytest.mark.slow
def test_training_goes_on_from_a_model_of_the_registry(
    exported: Exported, bank: FaceBank, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FRAMEWITNESS_WEIGHTS", str(exported.weights))
    fit = {**TINY["fit"], "learning_rate": 1e-7, "max_epochs": 1, "ema_decay": 0.0}
    second = fit_specialists(config(tmp_path, init="model:tiny-specialists", fit=fit), bank, tmp_path / "again")
    shipped = load_weights("tiny-specialists")
    name = "heads.BG.map_head.weight"
    torch.testing.assert_close(second.state_dict()[name], shipped[name], rtol=0, atol=1e-4)


def test_batches_repeat_by_seed_and_differ_by_epoch(bank: FaceBank) -> None:
    one, two, later = (batches(bank) for _ in range(3))
    later.set_epoch(1)
    first = next(iter(one))
    torch.testing.assert_close(first.images, next(iter(two)).images)
    assert not torch.equal(first.images, next(iter(later)).images)


def test_tight_crops_are_left_out(bank: FaceBank) -> None:
    landmarks = bank.landmarks.copy()
    landmarks[0] = (landmarks[0] - 128) * 2 + 128  # a face that fills its crop
    tight = FaceBank(bank.images, landmarks, bank.table)
    assert set(wide_rows(bank, "train")) - set(wide_rows(tight, "train")) == {0}


@pytest.fixture(scope="module")
def module(tmp_path_factory: pytest.TempPathFactory) -> SpecialistsModule:
    torch.manual_seed(0)
    options = config(tmp_path_factory.mktemp("module"))
    return SpecialistsModule(SpecialistsNet("test_resnet", width=16, head_width=8), options)


def only(batch: CueBatch, rows: torch.Tensor) -> CueBatch:
    return CueBatch(*(part[rows] for part in batch))


def gradients(module: SpecialistsModule, batch: CueBatch) -> dict[str, float]:
    """The strength with which a batch pulls at each cue's map head, by cue."""
    module.network.zero_grad()
    module.step(batch).loss.backward()
    heads = module.network.heads
    return {
        cue: float(grad.abs().max()) if (grad := heads[cue].map_head.weight.grad) is not None else 0.0  # type: ignore[index, union-attr]
        for cue in CUES
    }


def test_fakes_teach_their_own_cue_only_and_genuine_pictures_all(bank: FaceBank, module: SpecialistsModule) -> None:
    batch = next(iter(batches(bank)))
    compression = batch.cues == CUES.index("CM")
    fakes = gradients(module, only(batch, compression & (batch.labels == 1)))
    assert fakes["CM"] > 0
    assert fakes["BG"] == fakes["RR"] == fakes["LL"] == 0
    assert min(gradients(module, only(batch, compression & (batch.labels == 0))).values()) > 0


def test_a_step_reports_each_picture_by_its_own_cue(bank: FaceBank, module: SpecialistsModule) -> None:
    batch = next(iter(batches(bank)))
    module.network.eval()
    with torch.no_grad():
        output, logits = module.step(batch), module.network(batch.images)
    module.network.train()
    assert output.group == [CUES[i] for i in batch.cues.tolist()]
    torch.testing.assert_close(output.logit, logits.gather(1, batch.cues[:, None])[:, 0])


def test_balancing_makes_logit_zero_equally_right_on_both_labels() -> None:
    network = SpecialistsNet("test_resnet", width=16, head_width=8)
    rng = np.random.default_rng(0)
    labels = np.arange(400) % 2
    rows = pd.DataFrame({"cue": "BG", "label": labels, "logit_BG": 3 + 2 * labels + rng.normal(0, 1, 400)})
    before = float(network.heads["BG"].label_head[-1].bias)  # type: ignore[index]
    shift = balance(network, rows)["BG"]
    assert shift == pytest.approx(4.0, abs=0.2)
    assert float(network.heads["BG"].label_head[-1].bias) == pytest.approx(before - shift, abs=1e-5)  # type: ignore[index]
    called = rows["logit_BG"] - shift >= 0
    assert called[labels == 1].mean() == pytest.approx((~called[labels == 0]).mean(), abs=0.02)


def test_two_epochs_lower_the_loss_and_the_card_says_what_was_measured(
    exported: Exported, bank: FaceBank, monkeypatch: pytest.MonkeyPatch
) -> None:
    network, run, out, card = exported
    log = pd.read_csv(run / "metrics.csv")
    assert log["train_loss"].iloc[-1] < log["train_loss"].iloc[0]
    for name, value in load_file(run / "best.safetensors").items():
        torch.testing.assert_close(network.state_dict()[name], value, rtol=0, atol=0)
    cues = [row for row in card.results.under("cues").measurements if len(row.data) == 2 and row.what == "auc"]
    assert {row.data[-1] for row in cues} == set(CUES)
    assert all(0 <= row.value <= 1 and row.counts["pictures"] == 16 for row in cues)
    faces = card.results.table("genuine_faces_as_they_are")
    assert sum(faces.cell(source, "faces") for source, _ in faces.rows) == len(wide_rows(bank, "test"))
    monkeypatch.setenv("FRAMEWITNESS_WEIGHTS", str(out))
    model = load_model("tiny-specialists")
    scores = model.specialists(np.asarray(bank.images[:2, :64, :64]))
    assert {cue: one.logits.shape for cue, one in scores.items()} == dict.fromkeys(CUES, (2,))


def test_the_shipped_config_is_sound_and_mistakes_are_reported_together(tmp_path: Path) -> None:
    shipped = load_specialists_config(SHIPPED)
    assert (shipped.input_px, shipped.margin) == (192, 0.45)
    with pytest.raises(SettingsError) as caught:
        config(tmp_path, input_px=100, init="somewhere", fit={"batch_size": 20})
    assert all(word in str(caught.value) for word in ("input_px", "init", "fit.batch_size"))
