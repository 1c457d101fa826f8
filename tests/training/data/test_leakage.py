"""The leakage report warns about what gives the label away, names it, and stays quiet about what does not."""

import json
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest
import torch

from detector.training.data.batch_properties import check_batches
from detector.training.data.leakage import check_leakage


def _samples(count: int = 400, seed: int = 0) -> pd.DataFrame:
    """Groups of four samples; nothing in them knows the label."""
    rng = np.random.default_rng(seed)
    group = np.repeat(np.arange(count // 4), 4)
    return pd.DataFrame(
        {
            "label": np.where((group % 2).astype(bool), "fake", "real"),
            "group": group,
            "frame_count": rng.integers(50, 400, count),
            "brightness": rng.normal(120, 30, count),
            "codec": rng.choice(["h264", "hevc", "vp9"], count),
            "source": rng.choice(["web", "studio"], count // 4)[group],
        }
    )


def test_a_clean_set_raises_no_warning() -> None:
    for seed in range(5):
        report = check_leakage(_samples(seed=seed))
        assert report.clean, report.warnings
        assert len(report.properties) == 4


def test_a_number_that_leaks_is_named_with_its_direction() -> None:
    table = _samples()
    table["frame_count"] = table["frame_count"] + 200 * (table["label"] == "real")
    report = check_leakage(table)
    worst = report.properties[0]
    assert (worst.name, worst.warns, worst.direction) == ("frame_count", True, "lower in manipulated samples")
    assert worst.low < worst.auc < worst.high
    assert len(report.warnings) == 1
    assert "WARNING: frame_count" in report.text()


def test_a_category_that_leaks_is_found_across_groups() -> None:
    table = _samples()
    leaky = (table["label"] == "fake") & (np.arange(len(table)) % 8 != 0)
    table.loc[leaky, "codec"] = "av1"
    report = check_leakage(table)
    assert [item.name for item in report.properties if item.warns] == ["codec"]


def test_genuine_in_the_middle_is_found_though_no_direction_tells() -> None:
    table = _samples()
    fake = (table["label"] == "fake").to_numpy()
    rng = np.random.default_rng(1)
    table["brightness"] = np.where(fake, 120 + 60 * rng.choice([-1, 1], len(table)), 120) + rng.normal(0, 8, len(table))
    worst = check_leakage(table).properties[0]
    assert (worst.name, worst.warns, worst.direction) == ("brightness", True, None)
    assert worst.auc > 0.95


def test_a_property_that_names_only_the_group_does_not_count_as_predicting_the_label() -> None:
    table = _samples()
    table["file_size"] = 1000 + 17 * ((table["group"] * 7919) % 100)  # constant in a group, unrelated to the label
    assert check_leakage(table).clean


def test_the_interval_is_wider_when_fewer_groups_stand_behind_it() -> None:
    table = _samples(800)
    drift = pd.Series(np.random.default_rng(3).normal(0, 30, 200))
    table["brightness"] = 100 + drift.reindex(table["group"]).to_numpy() + 12 * (table["label"] == "fake")
    alone = table.assign(group=np.arange(len(table)))
    widths = []
    for each in (table, alone):
        item = next(item for item in check_leakage(each).properties if item.name == "brightness")
        widths.append(item.high - item.low)
    assert widths[0] > 1.5 * widths[1]


def test_what_cannot_be_measured_is_said_and_never_scored(tmp_path: Path) -> None:
    table = _samples()
    table["bit_rate"] = np.nan
    table["container"] = "mp4"
    report = check_leakage(table)
    assert {item["name"] for item in report.not_measured} == {"bit_rate", "container"}
    report.write(tmp_path)
    written = json.loads((tmp_path / "leakage.json").read_text())
    assert written["clean"] is True
    assert {item["name"] for item in written["properties"]} == {"frame_count", "brightness", "codec", "source"}
    assert "not measured" in (tmp_path / "leakage.txt").read_text()
    with pytest.raises(ValueError, match="genuine and manipulated"):
        check_leakage(table[table["label"] == "real"])


def test_a_check_that_measured_nothing_is_no_clean_bill(tmp_path: Path) -> None:
    table = _samples()[["label", "group"]].assign(container="mp4")
    report = check_leakage(table)
    assert not report.clean
    assert report.warnings == ["not checked: no property of the samples could be measured"]
    report.write(tmp_path)
    assert json.loads((tmp_path / "leakage.json").read_text())["clean"] is False
    assert "No property alone" not in report.text()


class _Windows(NamedTuple):
    features: torch.Tensor
    times_s: torch.Tensor
    present: torch.Tensor
    labels: torch.Tensor
    masks: torch.Tensor


def _windows(fake_is_longer: bool) -> list[_Windows]:
    draw = torch.Generator().manual_seed(0)
    batches = []
    for _ in range(10):
        labels = torch.randint(0, 2, (16,), generator=draw).float()
        length = 8 + torch.randint(0, 6, (16,), generator=draw) + 6 * labels.long() * fake_is_longer
        times = torch.arange(20) * 0.1
        present = torch.arange(20)[None] < length[:, None]
        features = torch.randn(16, 20, 3, generator=draw)
        batches.append(
            _Windows(features, times.expand(16, 20), present, labels, labels.view(-1, 1, 1).expand(16, 2, 2))
        )
    return batches


def test_what_is_fed_to_a_network_is_checked_by_what_its_batches_say() -> None:
    leaky = check_batches(_windows(True))
    assert leaky is not None
    assert {item.name for item in leaky.properties if item.warns} == {"frame_count", "duration_s"}
    clean = check_batches(_windows(False))
    assert clean is not None
    assert clean.clean, clean.warnings
    assert "masks_level" not in [item.name for item in clean.properties]
    assert check_batches([(torch.zeros(4, 2), torch.zeros(4))]) is None


class _Pictures(NamedTuple):
    images: torch.Tensor
    labels: torch.Tensor


def test_blurred_fakes_are_found_among_normalised_pictures() -> None:
    torch.manual_seed(0)
    labels = torch.arange(64.0) % 2
    sharp = torch.randn(64, 3, 24, 24)
    blurred = torch.nn.functional.avg_pool2d(sharp, 3, 1, 1) * 3
    images = torch.where(labels.view(-1, 1, 1, 1) == 1, blurred, sharp)
    report = check_batches([_Pictures(images, labels)])
    assert report is not None
    assert "images_sharpness" in [item.name for item in report.properties if item.warns]
