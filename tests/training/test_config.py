"""Training configs: every problem is reported at once, and the shipped one is sound."""

from pathlib import Path

import pytest
import yaml

from detector.errors import SettingsError
from detector.models import build_network
from detector.training.config import check_config, load_config

SHIPPED = sorted((Path(__file__).parents[2] / "assets" / "configs").glob("*.yaml"))
MINIMAL = {"model_id": "m", "title": "M", "architecture": {"kind": "frame", "trunk": "resnet10t"}}


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_shipped_configs_load_and_build(path: Path) -> None:
    config = load_config(path)
    assert config.model_id == path.stem
    assert config.limits
    assert config.licence
    build_network(config.architecture)


def test_all_problems_come_together() -> None:
    with pytest.raises(SettingsError) as refusal:
        check_config(
            {"title": "M", "architecture": {}, "input_px": 100, "learning_rate": "fast", "colour": 1, "mean": [0.5]}
        )
    for part in ("model_id", "architecture", "multiple of 16", "learning_rate", "'colour'", "three numbers"):
        assert part in str(refusal.value)


def test_equal_configs_have_equal_hashes_and_a_change_shows() -> None:
    assert check_config(MINIMAL).sha256 == check_config(dict(MINIMAL)).sha256
    assert check_config(MINIMAL).sha256 != check_config({**MINIMAL, "seed": 8}).sha256


def test_unreadable_files_are_settings_errors(tmp_path: Path) -> None:
    (tmp_path / "list.yaml").write_text(yaml.safe_dump([1, 2]))
    (tmp_path / "broken.yaml").write_text("a: [")
    for name in ("list.yaml", "broken.yaml", "absent.yaml"):
        with pytest.raises(SettingsError):
            load_config(tmp_path / name)
