"""The shared way of training: loss falls, resume is exact, files say what happened, all on a toy task."""

import csv
import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from detector.errors import SettingsError
from detector.training.engine.config import FitConfig
from detector.training.engine.fit import fit, precision_of
from detector.training.engine.module import BinaryModule, StepOutput
from detector.training.engine.progress import duration, shown, tracked
from detector.training.engine.run_log import facts_json

FAST = FitConfig(max_epochs=4, min_epochs=1, patience=9, learning_rate=0.02, warmup_steps=4, ema_decay=0.5)


class Toy(BinaryModule):
    """Samples (B, 4) whose sum says the label; noise added while training, so that randomness shows."""

    def __init__(self, config: FitConfig = FAST, stop_after: int = 10**9) -> None:
        torch.manual_seed(0)
        super().__init__(nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 1)), config)
        self.stop_after, self.in_validation = stop_after, []

    def step(self, batch: Any) -> StepOutput:
        x, label = batch
        if self.training and self.current_epoch >= self.stop_after:
            raise KeyboardInterrupt
        self.in_validation.append((self.training, self.network.training))
        logit = self.network(x + 0.1 * torch.randn_like(x) * self.training).squeeze(1)
        names = ["left" if value else "right" for value in (x[:, 0] > 0).tolist()]
        return StepOutput(self.label_loss(logit, label), logit, label, names)


def _batches(count: int, seed: int) -> list[tuple[torch.Tensor, torch.Tensor]]:
    draw = torch.Generator().manual_seed(seed)
    inputs = [torch.randn(16, 4, generator=draw) for _ in range(count)]
    return [(x, (x.sum(1) > 0).float()) for x in inputs]


TRAIN, VALIDATION = _batches(12, 1), _batches(4, 2)


def _rows(run_dir: Path) -> list[dict[str, str]]:
    with (run_dir / "metrics.csv").open() as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Toy]:
    module, run_dir = Toy(), tmp_path_factory.mktemp("fit") / "run"
    result = fit(module, TRAIN, VALIDATION, FAST, run_dir, facts={"kind": "toy"})
    assert result.epochs == 4
    return run_dir, module


def test_the_loss_falls_and_every_epoch_is_logged(run: tuple[Path, Toy]) -> None:
    rows = _rows(run[0])
    assert [row["epoch"] for row in rows] == ["0", "1", "2", "3"]
    assert float(rows[-1]["validation_loss"]) < 0.8 * float(rows[0]["validation_loss"])
    assert float(rows[-1]["train_loss"]) < float(rows[0]["train_loss"])
    assert {"accuracy", "f1", "precision", "recall", "auc", "learning_rate", "minutes"} <= set(rows[0])
    assert float(rows[-1]["auc:left"]) > 0.8
    assert any((run[0] / "tensorboard").glob("events*"))


def test_the_average_is_validated_and_the_best_of_it_reloads_bit_equal(run: tuple[Path, Toy]) -> None:
    run_dir, module = run
    assert all(training == network_training for training, network_training in module.in_validation)
    saved = load_file(run_dir / "best.safetensors")
    for key, value in module.network.state_dict().items():
        assert torch.equal(saved[key], value), key
    module.network.eval()
    with torch.no_grad():
        logit = torch.cat([module.network(x).squeeze(1) for x, _ in VALIDATION])
    with (run_dir / "validation.csv").open() as file:
        written = torch.tensor([float(row["logit"]) for row in csv.DictReader(file)])
    torch.testing.assert_close(logit, written)


def test_the_facts_of_a_run_add_up(run: tuple[Path, Toy]) -> None:
    facts = json.loads((run[0] / "run.json").read_text())
    assert facts["status"] == "finished"
    assert facts["kind"] == "toy"
    assert facts["stopped_because"] == "4 epochs are over"
    assert sum(facts["confusion"].values()) == 64
    assert sum(facts["counts"]["validation"]["groups"]["left"].values()) < 64
    best = min(_rows(run[0]), key=lambda row: float(row["validation_loss"]))
    assert facts["best_epoch"] == int(best["epoch"])


def test_an_interrupted_run_goes_on_as_if_never_stopped(run: tuple[Path, Toy], tmp_path: Path) -> None:
    with pytest.raises(BaseException):  # noqa: B017, PT011 - Lightning turns an interrupt into an exit
        fit(Toy(stop_after=2), TRAIN, VALIDATION, FAST, tmp_path)
    assert json.loads((tmp_path / "run.json").read_text())["status"] == "running"
    torch.manual_seed(99)
    result = fit(Toy(), TRAIN, VALIDATION, FAST, tmp_path)
    assert result.epochs == 4
    for whole, resumed in zip(_rows(run[0]), _rows(tmp_path), strict=True):
        whole.pop("minutes"), resumed.pop("minutes")
        assert whole == resumed
    one, other = (load_file(folder / "best.safetensors") for folder in (run[0], tmp_path))
    assert all(torch.equal(one[key], other[key]) for key in one)


def test_a_finished_run_is_loaded_and_another_config_is_refused(run: tuple[Path, Toy]) -> None:
    run_dir, module = run
    fresh = Toy()
    assert fit(fresh, TRAIN, VALIDATION, FAST, run_dir).epochs == 4
    assert not fresh.in_validation
    for key, value in module.network.state_dict().items():
        assert torch.equal(fresh.network.state_dict()[key], value)
    other = replace(FAST, seed=8)
    with pytest.raises(SettingsError, match="other settings"):
        fit(Toy(other), TRAIN, VALIDATION, other, run_dir)


def test_it_stops_when_validation_no_longer_improves_but_not_before_the_fewest_epochs(tmp_path: Path) -> None:
    noise = [(torch.randn(16, 4), torch.randint(0, 2, (16,)).float()) for _ in range(6)]
    config = replace(FAST, max_epochs=60, min_epochs=6, patience=2, learning_rate=0.05)
    result = fit(Toy(config), noise, VALIDATION, config, tmp_path)
    assert 6 <= result.epochs < 60
    assert result.epochs >= result.best_epoch + 3
    assert "no lower validation loss" in json.loads((tmp_path / "run.json").read_text())["stopped_because"]


class Drifting(Toy):
    """From the third epoch on it tells all validation samples apart, and calls all of them manipulated."""

    def step(self, batch: Any) -> StepOutput:
        output = super().step(batch)
        if self.training or self.current_epoch < 2:
            return output
        logit = 9 + 2 * output.label
        return output._replace(loss=self.label_loss(logit, output.label), logit=logit)


def test_the_epoch_kept_is_that_of_least_loss_or_of_highest_auc(tmp_path: Path) -> None:
    by_loss = fit(Drifting(), TRAIN, VALIDATION, FAST, tmp_path / "loss")
    by_auc = fit(Drifting(), TRAIN, VALIDATION, FAST, tmp_path / "auc", keep="auc")
    assert (by_loss.best_epoch, by_auc.best_epoch) == (1, 2)
    assert by_auc.best_validation_loss > by_loss.best_validation_loss
    text = (tmp_path / "auc" / "report.md").read_text()
    assert "Kept is epoch 2, of highest validation AUC" in text
    assert f"Best validation loss {by_loss.best_validation_loss:.4f} in epoch 1" in text


def test_the_last_epoch_is_kept_whatever_it_measures_where_that_is_asked_for(tmp_path: Path) -> None:
    settings = replace(FAST, max_epochs=5, patience=1)
    last = fit(Drifting(settings), TRAIN, VALIDATION, settings, tmp_path, keep="last")
    assert (last.best_epoch, last.epochs) == (4, 5)
    assert min(float(row["validation_loss"]) for row in _rows(tmp_path)) < last.best_validation_loss
    assert "Kept is epoch 4, the last" in (tmp_path / "report.md").read_text()


def test_a_spent_budget_ends_a_run_even_before_the_fewest_epochs(tmp_path: Path) -> None:
    config = replace(FAST, max_epochs=10_000, min_epochs=10_000, budget_minutes=0.01)
    result = fit(Toy(config), TRAIN, VALIDATION, config, tmp_path)
    # `minutes` is when the last whole epoch ended; the budget may have run out before the next one's first batch.
    assert result.epochs < 10_000
    assert 0.005 <= result.minutes < 1
    assert "budget" in json.loads((tmp_path / "run.json").read_text())["stopped_because"]


def test_nothing_is_written_elsewhere_and_nothing_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    config = replace(FAST, max_epochs=1)
    fit(Toy(config), TRAIN, VALIDATION, config, tmp_path / "run")
    assert os.listdir(tmp_path / "elsewhere") == []
    said = capfd.readouterr()
    assert (said.out, said.err) == ("", "")


def test_a_loss_that_is_not_finite_ends_the_run(tmp_path: Path) -> None:
    bad = [(torch.full((16, 4), torch.nan), torch.ones(16))]
    with pytest.raises(FloatingPointError, match="learning_rate"):
        fit(Toy(), bad, VALIDATION, FAST, tmp_path)


def test_no_batches_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="training batch"):
        fit(Toy(), [], VALIDATION, FAST, tmp_path / "a")
    with pytest.raises(SettingsError, match="validation batch"):
        fit(Toy(), TRAIN, [], FAST, tmp_path / "b")


@pytest.mark.parametrize(
    ("processor", "kind", "precision"),
    [("AVX512", "cpu", "bf16-mixed"), ("AVX2", "cpu", "32-true"), ("DEFAULT", "cpu", "32-true"),
     ("AVX2", "cuda", "bf16-mixed")],
)  # fmt: skip
def test_bfloat16_is_not_emulated(processor: str, kind: str, precision: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.backends.cpu.get_cpu_capability", lambda: processor)
    assert precision_of(replace(FAST, bf16=True), kind) == precision
    assert precision_of(FAST, kind) == "32-true"


def test_a_run_says_what_it_was_computed_in(tmp_path: Path) -> None:
    config = replace(FAST, max_epochs=1, bf16=True)
    fit(Toy(config), TRAIN, VALIDATION, config, tmp_path)
    assert json.loads((tmp_path / "run.json").read_text())["precision"] == precision_of(config, "cpu")


def test_the_average_has_a_short_memory_at_first_and_follows_buffers_too() -> None:
    module = Toy(replace(FAST, ema_decay=0.9))
    expected = {key: value.clone().double() for key, value in module.network.state_dict().items()}
    for step in range(1, 200):
        with torch.no_grad():
            for value in module.network.state_dict().values():
                value.add_(torch.randn(value.shape).to(value.dtype) if value.is_floating_point() else 1)
        module._ema[0].update(module.network, step)
        decay = min(0.9, (1 + step) / (10 + step))
        for key, value in module.network.state_dict().items():
            known = value.is_floating_point()
            expected[key] = decay * expected[key] + (1 - decay) * value.double() if known else value.double().clone()
    for key, value in module.average.state_dict().items():
        torch.testing.assert_close(value.double(), expected[key], atol=1e-6, rtol=1e-5)
    assert not [key for key in module.state_dict() if "ema" in key], "checkpoints of older runs load"
    assert not any(parameter.requires_grad for parameter in module.average.parameters())


def test_whoever_waits_is_told_of_every_epoch_and_of_the_time_left(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = replace(FAST, max_epochs=2)
    with shown():
        fit(Toy(config), TRAIN, VALIDATION, config, tmp_path, facts={"model_id": "toy"})
    lines = capsys.readouterr().err.splitlines()
    told = [line for line in lines if "validation loss" in line]
    assert [line.partition(",")[0] for line in told] == [f"toy: epoch {n} of at most 2" for n in (1, 2)]
    assert "left" in told[0]
    assert told[1].endswith("2 epochs are over")


def test_work_in_pieces_tells_how_many_are_done_and_how_long_the_rest_will_take(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = iter(range(0, 10_000, 15))
    monkeypatch.setattr("detector.training.engine.progress.time.monotonic", lambda: float(next(clock)))
    with shown():
        assert list(tracked("abcdef", "cutting")) == list("abcdef")
    first, *rest = capsys.readouterr().err.splitlines()
    assert first == "cutting: 6 to do"
    assert rest[0].startswith("cutting: 2 of 6, about ")
    assert [duration(seconds) for seconds in (4, 600, 11_100)] == ["4 s", "10 min", "3 h 5 min"]


def test_a_figure_that_is_not_finite_is_null_in_what_a_run_writes() -> None:
    facts = {"best_validation_loss": float("nan"), "groups": {"left": [float("inf"), 0.5]}, "epochs": 3}
    read = json.loads(facts_json(facts), parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    assert read == {"best_validation_loss": None, "groups": {"left": [None, 0.5]}, "epochs": 3}
