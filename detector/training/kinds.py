"""The kinds of model that can be trained: a folder each, which registers its `TrainingKind` when it is imported.

A new kind is one folder and one line, its import in `detector.training`. What it needs to be trained, measured and
shipped is asked of its `TrainingKind`; nothing else in this package tells kinds apart by name.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final

from detector.errors import SettingsError
from detector.training.engine.config import read_yaml

if TYPE_CHECKING:
    from detector.registry import ModelCard


class TrainingKind(ABC):
    """One kind of model in training. Networks and data are imported in the methods: a config is checked without them.

    Attributes:
        name: the `kind` of its configs and cards.
        folds_itself: whether every run measures itself by folds already, so that `--folds` has nothing to add.
        scores_pictures: whether single pictures can be scored, so that they belong into its measurement.
    """

    name: ClassVar[str]
    folds_itself: ClassVar[bool] = False
    scores_pictures: ClassVar[bool] = False

    @abstractmethod
    def load_config(self, path: Path) -> Any:
        """Read and check a YAML file into a frozen dataclass. Raises SettingsError listing every problem at once."""

    @abstractmethod
    def train(self, config_path: Path, data_root: Path, run_dir: Path, device: str) -> None:
        """Read the config, prepare the data in `run_dir` and fit; whatever `run_dir` holds is gone on with."""

    @abstractmethod
    def export(self, config_path: Path, data_root: Path, run_dir: Path, out: Path, history: str) -> ModelCard:
        """Weights, list of held-out groups and card of a run in `out`, which exists.

        Args:
            config_path: the run's config.
            data_root: folder with `manifest.csv`.
            run_dir: folder of the run.
            out: folder that receives the files.
            history: what was changed while the run went on, for the card; "" for nothing.

        Raises:
            SettingsError: where the run has no weights, or was made with another config and `history` is empty.
        """


KINDS: Final[dict[str, TrainingKind]] = {}
_USUAL = "frame"


def register(kind: TrainingKind) -> None:
    """Add a kind. Raises ValueError where its name is taken."""
    if kind.name in KINDS:
        raise ValueError(f"a kind of training named {kind.name!r} is registered already")
    KINDS[kind.name] = kind


def kind_of(config_path: Path) -> TrainingKind:
    """The kind a config asks for, "frame" where it names none. Raises SettingsError for one that is not known."""
    name = read_yaml(config_path).get("kind", _USUAL)
    if name not in KINDS:
        raise SettingsError(f"{config_path.name}: kind: expected one of {', '.join(KINDS)}, found {name!r}")
    return KINDS[name]


def scores_pictures(name: str) -> bool:
    """Whether models of a kind score single pictures; of a kind that cannot be trained here, no."""
    return name in KINDS and KINDS[name].scores_pictures


def export_run(config_path: Path, data_root: Path, run_dir: Path, out: Path, *, history: str = "") -> ModelCard:
    """Weights, held-out list and card in `out`, of the kind the config names. The models it builds on are put beside
    it, so that `out` can be used on its own. The card has no measured files yet (`detector.training.evaluation.cards`).

    `history` tells what was changed while the run went on; it stands in the card, with the hash that the run itself
    has, and only with it may that be another than the config's. Raises SettingsError where the run has no weights, or
    was made with another config.
    """
    out.mkdir(parents=True, exist_ok=True)
    return kind_of(config_path).export(config_path, data_root, run_dir, out, history)
