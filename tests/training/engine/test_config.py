"""Training configs: every problem is reported at once, and the shipped one is sound."""

import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
import yaml
from pydantic import Field

from detector.errors import SettingsError
from detector.models import build_network
from detector.training.engine.config import FitConfig, check_fields, config_sha256
from detector.training.frame.config import check_config, load_config
from detector.training.kinds import KINDS, kind_of
from detector.training.sequence.recipe import SequenceConfig

ASSETS = Path(__file__).parents[3] / "assets"
EVERY = sorted((ASSETS / "configs").glob("*.yaml"))
SHIPPED = [path for path in EVERY if kind_of(path).name == "frame"]
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
    rate: Annotated[float, Field(ge=0, le=1)] = 0.1
    mode: Literal["a", "b"] = "a"


@dataclass(frozen=True)
class _Recipe:
    title: str
    part: _Part
    layers: tuple[int, ...] = (1, 2)
    seed: Annotated[int, Field(ge=0, le=9)] = 7
    trunk: Literal["one", "two"] | None = None
    options: dict[str, Any] = field(default_factory=dict)


def test_a_recipe_of_ones_own_is_built_with_its_nested_tables() -> None:
    values = {"kind": "mine", "title": "T", "part": {"rate": 1}, "layers": [3, 4], "trunk": "two"}
    built = check_fields(_Recipe, values, "mine.yaml")
    assert built == _Recipe("T", _Part(1), (3, 4), trunk="two")
    assert config_sha256(built) == config_sha256(check_fields(_Recipe, {**values, "seed": 7}, "mine.yaml"))


def test_problems_in_nested_tables_are_named_by_their_path_all_at_once() -> None:
    values = {
        "part": {"rate": 2, "mode": "c", "wings": 1}, "layers": [1, "x"], "seed": True, "trunk": "three",
        "options": [],
    }  # fmt: skip
    with pytest.raises(SettingsError) as refusal:
        check_fields(_Recipe, values, "mine.yaml", problems=["the moon is full"])
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
    assert kind_of(tmp_path / "a.yaml") is KINDS["frame"]
    (tmp_path / "b.yaml").write_text("kind: oracle\n")
    with pytest.raises(SettingsError, match="specialists"):
        kind_of(tmp_path / "b.yaml")


def test_settings_added_since_do_not_change_the_hash_of_a_config_that_leaves_them_out() -> None:
    config = check_config({**MINIMAL, "seed": 8, "limits": ["few"], "mean": [0.4, 0.5, 0.6]})
    # As the first release computed it: cards and runs name their config by this.
    assert config.sha256 == "a1378669446247c49dc076fc567f1b294a33737a15d0e86ed71b67bd8f64dae7"


@pytest.mark.parametrize("path", EVERY, ids=lambda path: path.stem)
def test_every_shipped_config_is_read_by_its_kind(path: Path) -> None:
    assert KINDS[kind_of(path).name].load_config(path).model_id == path.stem.removesuffix("-cuda")


@pytest.mark.parametrize(
    "stem",
    ["audiovisual-avff", "ensemble-confidence", "ensemble-default", "ensemble-learned", "ensemble-mean",
     "ensemble-stacking", "ensemble-vote", "specialists-lite0", "texture-stills", "transformer-lite0"],
)  # fmt: skip
def test_a_card_names_its_config_by_the_hash_the_config_has_today(stem: str) -> None:
    path = ASSETS / "configs" / f"{stem}.yaml"
    card = json.loads((ASSETS / "weights" / f"{stem}.card.json").read_text())
    assert config_sha256(kind_of(path).load_config(path)) == card["training"]["config_sha256"]


# As version 0.1 computed them, frame configs then without a table `fit`: runs begun then go on.
FORMER = {
    "blend-lite0": "fad08db0c357", "blend-lite0-cuda": "8abd5e74d9a2", "frame-efficientnet-b4": "f6ddaf7a0afe",
    "frame-lite0": "1f911e1ce10d", "frame-lite0-cuda": "22f931b7f8eb", "frame-resnet18": "8b257b9334db",
    "frame-resnet50-frequency": "2ef5417cc987", "frame-thin-resnet18": "03701250c0d3",
    "hybrid-cross-lite0": "477b5b59cafb", "hybrid-dual-lite0": "3df506a36a9b", "hybrid-lite0": "4c3e27c9af6c",
    "lstm-lite0": "f95e9fa062e5",
}  # fmt: skip


@pytest.mark.parametrize("stem", FORMER)
def test_configs_keep_their_hashes(stem: str) -> None:
    path = ASSETS / "configs" / f"{stem}.yaml"
    assert config_sha256(kind_of(path).load_config(path)).startswith(FORMER[stem])


def test_a_config_without_a_table_for_the_fit_is_read_as_before() -> None:
    flat = check_config({**MINIMAL, "steps": 500, "steps_per_epoch": 60, "learning_rate": 0.01, "seed": 8})
    assert flat.fit == replace(
        flat.fit, max_epochs=9, learning_rate=0.01, seed=8, patience=20, ema_decay=0.998, schedule="cosine", bf16=True
    )
    nested = check_config({**MINIMAL, "steps": 500, "steps_per_epoch": 60, "fit": {"learning_rate": 0.01, "seed": 8}})
    assert nested.fit == FitConfig(max_epochs=9, learning_rate=0.01, seed=8)


def test_settings_of_the_fit_in_two_places_are_refused() -> None:
    with pytest.raises(SettingsError) as refusal:
        check_config({**MINIMAL, "fit": {"max_epochs": 3, "learning_rate": 2}, "seed": 8})
    for part in ("seed: belongs into the table fit", "fit.max_epochs: follows from steps", "fit.learning_rate: exp"):
        assert part in str(refusal.value)


def test_a_default_that_is_made_anew_for_each_config_leaves_the_hash_alone() -> None:
    config = SequenceConfig("m", "M", {"kind": "lstm"}, "trunk", FitConfig())
    assert config_sha256(config) != config_sha256(replace(config, change_fit=FitConfig(seed=8)))

    @dataclass(frozen=True)
    class Later(SequenceConfig):
        options: FitConfig = field(default_factory=FitConfig)

    later = Later("m", "M", {"kind": "lstm"}, "trunk", FitConfig())
    assert config_sha256(later) == config_sha256(config)
    assert config_sha256(later) != config_sha256(replace(later, options=FitConfig(seed=8)))
