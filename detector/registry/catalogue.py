"""Which models there are: their cards, the default set, the calibrations in force. Loads no network."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache, lru_cache
from pathlib import Path
from typing import Final

from detector.calibration.calibration import Calibration
from detector.calibration.in_force import CALIBRATION_FOLDER, choice_in_force
from detector.calibration.sets import CalibrationSet, find_set
from detector.errors import CalibrationError, ModelError, ModelNotFoundError
from detector.registry.card import ModelCard
from detector.settings import default_home

DEFAULT_SET: Final = "default.json"
CALIBRATIONS_VARIABLE: Final = "FRAMEWITNESS_CALIBRATIONS"

_FOLDER = "FRAMEWITNESS_WEIGHTS"
SHIPPED = Path(__file__).resolve().parents[2] / "assets" / "weights"
SHIPPED_SETS = SHIPPED.parent / "calibration"
SHIPPED_SET = SHIPPED_SETS / "public-2026.parquet"


def weights_dir() -> Path:
    """The folder of cards and weights: `FRAMEWITNESS_WEIGHTS` or the folder shipped with the program."""
    return Path(os.environ.get(_FOLDER) or SHIPPED)


@contextmanager
def models_in(folder: Path) -> Iterator[None]:
    """Within the block, models are those of `folder`, for the whole process."""
    before = os.environ.get(_FOLDER)
    os.environ[_FOLDER] = str(folder.resolve())
    try:
        yield
    finally:
        if before is None:
            del os.environ[_FOLDER]
        else:
            os.environ[_FOLDER] = before


def available_models() -> tuple[ModelCard, ...]:
    """The card of every model in the weights folder, by id. Raises ModelError for a broken card, and for one whose file
    is not named for its model: it could stand in for another."""
    cards = []
    for path in sorted(weights_dir().glob("*.card.json")):
        cards.append(card := _card(path))
        if path.name != f"{card.model_id}.card.json":
            raise ModelError(
                f"The model card {path.name} is of {card.model_id}; name it {card.model_id}.card.json or remove it."
            )
    return tuple(cards)


def _card(path: Path) -> ModelCard:
    """The card in a file, which is read again whenever its size or modification time changes: cards hold thousands of
    figures, and are asked for many times while models are loaded."""
    try:
        status = path.stat()
    except OSError:
        return ModelCard.read(path)  # which says what is wrong
    return _card_of(path, status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=256)
def _card_of(path: Path, size: int, modified_ns: int) -> ModelCard:
    return ModelCard.read(path)


def default_model_ids() -> tuple[str, ...]:
    """The models an analysis uses unless told otherwise: those `default.json` names ({"models": [ids]}), every frame
    model where there is no such file. Raises ModelError where it is malformed or names a model that is not there."""
    cards = {card.model_id: card for card in available_models()}
    path = weights_dir() / DEFAULT_SET
    if not path.is_file():
        from detector.registry.loaded import FrameModel, loaded_class  # imports torch

        return tuple(card.model_id for card in cards.values() if issubclass(loaded_class(card.kind), FrameModel))
    try:
        ids = json.loads(path.read_text(encoding="utf-8"))["models"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(f'{path.name} must hold {{"models": [ids]}}; it cannot be read: {error!r}.') from error
    if not isinstance(ids, list) or not ids or not all(isinstance(model_id, str) for model_id in ids):
        raise ModelError(f"{path.name}: expected a list of one or more model ids, found {ids!r}.")
    if unknown := [model_id for model_id in ids if model_id not in cards]:
        raise ModelNotFoundError(f"{path.name} names models that are not there: {', '.join(unknown)}.")
    return tuple(ids)


def find_card(model_id: str) -> ModelCard:
    """The card of one model. Raises ModelNotFoundError naming those there are."""
    cards = {card.model_id: card for card in available_models()}
    if model_id not in cards:
        known = ", ".join(cards) or "none"
        raise ModelNotFoundError(
            f"There is no model {model_id!r}. Available: {known}. See `python -m detector models list`."
        )
    return cards[model_id]


def find_calibration(model_id: str) -> Calibration | None:
    """The calibration in force of a model: that in the folder FRAMEWITNESS_CALIBRATIONS, else that of the set which was
    chosen for the default home, else the one beside its weights, else None. Raises CalibrationError for a file that
    holds none, or that of another model, and where what was chosen is missing or was changed."""
    own = os.environ.get(CALIBRATIONS_VARIABLE)
    if own and (found := _calibration_in(Path(own), model_id)):
        return found
    chosen = choice_in_force(default_home() / CALIBRATION_FOLDER)
    return (chosen and chosen.of(model_id)) or _calibration_in(weights_dir(), model_id)


def _calibration_in(folder: Path, model_id: str) -> Calibration | None:
    name = f"{model_id}.calibration.json"
    if not (folder / name).is_file():
        return None
    found = Calibration.read(folder / name)
    if found.model_id != model_id:
        raise CalibrationError(f"{name} is the calibration of {found.model_id}; name it for that model.")
    return found


def set_behind(calibration: Calibration) -> CalibrationSet:
    """The set that a calibration was fitted to, in one of `set_folders`. Raises CalibrationError where it is not at
    hand."""
    return find_set(calibration.set_sha256, set_folders())


def set_folders() -> tuple[Path, ...]:
    """Where calibration sets lie: those shipped, those beside the calibrations that FRAMEWITNESS_CALIBRATIONS names,
    and those of the default home."""
    own = os.environ.get(CALIBRATIONS_VARIABLE)
    return (SHIPPED_SETS, *([Path(own)] if own else []), default_home() / CALIBRATION_FOLDER)


@cache
def _hash_of(path: Path, size: int, modified_ns: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def file_sha256(path: Path) -> str:
    """SHA-256 of a file, recomputed whenever its size or modification time changes."""
    status = path.stat()
    return _hash_of(path, status.st_size, status.st_mtime_ns)
