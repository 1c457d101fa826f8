"""Training configs: every problem is reported at once, and the shipped one is sound."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest
import yaml

from detector.errors import SettingsError
from detector.models import build_network
from detector.training.engine.config import check_config, check_fields, config_sha256, load_config
from detector.training.kinds import kind_of, recipe_for

CONFIGS = Path(__file__).parents[2] / "assets" / "configs"
SHIPPED = sorted(path for path in CONFIGS.glob("*.yaml") if kind_of(path) == "frame")
MINIMAL = {"model_id": "m", "title": "M", "architecture": {"kind": "frame", "trunk": "resnet10t"}}


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_shipped_configs_load_and_build(path: Path) -> None:
    config = load_config(path)
    assert config.model_id == path.stem.removesuffix("-cuda")  # the same model, trained by a GPU
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


@dataclass(frozen=True)
class _Part:
    rate: float = 0.1
    mode: Literal["a", "b"] = "a"


@dataclass(frozen=True)
class _Recipe:
    title: str
    part: _Part
    layers: tuple[int, ...] = (1, 2)
    seed: int = 7
    trunk: str | None = None
    options: dict[str, Any] = field(default_factory=dict)


LIMITS = {"part": {"rate": (0, 1)}, "seed": (0, 9), "trunk": ["one", "two", None]}


def test_a_recipe_of_ones_own_is_built_with_its_nested_tables() -> None:
    values = {"kind": "mine", "title": "T", "part": {"rate": 1}, "layers": [3, 4], "trunk": "two"}
    built = check_fields(_Recipe, values, "mine.yaml", LIMITS)
    assert built == _Recipe("T", _Part(1), (3, 4), trunk="two")
    assert config_sha256(built) == config_sha256(check_fields(_Recipe, {**values, "seed": 7}, "mine.yaml", LIMITS))


def test_problems_in_nested_tables_are_named_by_their_path_all_at_once() -> None:
    values = {
        "part": {"rate": 2, "mode": "c", "wings": 1}, "layers": [1, "x"], "seed": True, "trunk": "three",
        "options": [],
    }  # fmt: skip
    with pytest.raises(SettingsError) as refusal:
        check_fields(_Recipe, values, "mine.yaml", LIMITS, problems=["the moon is full"])
    said = str(refusal.value)
    assert said.startswith("mine.yaml: ")
    for part in (
        "missing setting 'title'", "part.rate: expected 0 to 1", "part.mode: expected one of 'a', 'b'",
        "unknown setting 'part.wings'", "layers: expected a list of whole number", "seed: expected a whole number",
        "trunk: expected one of", "options: expected a table", "the moon is full",
    ):  # fmt: skip
        assert part in said, said


def test_a_kind_names_its_recipe_and_an_unknown_one_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("title: none named\n")
    assert kind_of(tmp_path / "a.yaml") == "frame"
    assert recipe_for(tmp_path / "a.yaml").__name__ == "train_frame"
    (tmp_path / "b.yaml").write_text("kind: oracle\n")
    with pytest.raises(SettingsError, match="specialists"):
        kind_of(tmp_path / "b.yaml")


def test_settings_added_since_do_not_change_the_hash_of_a_config_that_leaves_them_out() -> None:
    config = check_config({**MINIMAL, "seed": 8, "limits": ["few"], "mean": [0.4, 0.5, 0.6]})
    # As the first release computed it: cards and runs name their config by this.
    assert config.sha256 == "a1378669446247c49dc076fc567f1b294a33737a15d0e86ed71b67bd8f64dae7"
