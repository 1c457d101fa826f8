"""From a model's name to a verified network: hash checked, keys strict, pickles refused."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, replace
from pathlib import Path
from typing import cast

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from detector.errors import WeightsRefusedError
from detector.models import build_network
from detector.registry.card import ModelCard
from detector.registry.catalogue import file_sha256, find_calibration, find_card, weights_dir
from detector.registry.loaded import FrameModel, LoadedModel, loaded_class
from detector.registry.optimise import folded, keep_freed_memory, limit_blas_threads
from detector.runtime import HALF, TORCH, at_half_precision, chosen_runtime, compiled, torch_runtime


def verify_model(model_id: str) -> None:
    """Check file, hash and keys of a model, and the weights of those it builds on, without keeping it. Raises as
    `load_model`."""
    card = find_card(model_id)
    _build(card)
    if (trunk := trunk_card(card)) is not None:
        _build(trunk)
    for member in _member_cards(card):
        verify_model(member.model_id)


def load_model(model_id: str, device: str = "cpu", *, runtime: str | None = None) -> LoadedModel:
    """Load a model by name on `cpu`, `cuda` or `auto` (CUDA where present); a sequence model with its trunk. `runtime`
    computes it on a CPU (`detector.runtime.chosen_runtime`), torch what that cannot.

    Raises ModelNotFoundError for an unknown name, WeightsRefusedError where the file is missing, is not safetensors,
    has another SHA-256 than the card, any key is missing, unexpected or of another shape (each is named), or the model
    was fitted on another model's weights than those at hand. Raises SettingsError for a runtime that is not there.
    """
    where = _device(device)
    return _load(find_card(model_id), where, {}, chosen_runtime(runtime, where.type))


def load_weights(model_id: str) -> dict[str, torch.Tensor]:
    """The verified weights of a model in float32, keyed as its architecture keys them; a loaded network's may be keyed
    otherwise (`detector.registry.optimise.folded`). Raises as `load_model`."""
    return _build(find_card(model_id)).state_dict()


def load_set(
    model_ids: Iterable[str], device: str = "cpu", *, loaded: Iterable[LoadedModel] = (), runtime: str | None = None
) -> tuple[LoadedModel, ...]:
    """Load models with all they build on, each once: an ensemble follows its members, a sequence model shares its
    trunk with whoever else reads it. `loaded` models are used again where they still are what their cards say.

    In the order of `model_ids`, each model once. Raises as `load_model`.
    """
    where = _device(device)
    asked = chosen_runtime(runtime, where.type)
    known = {model.card.model_id: model for model in loaded if model.device == where}
    known |= {model.trunk.card.model_id: model.trunk for model in known.values() if model.trunk is not None}
    chosen: dict[str, LoadedModel] = {}
    for model_id in model_ids:
        card = find_card(model_id)
        for one in (*_member_cards(card), card):
            chosen[one.model_id] = _load(one, where, known, asked)
    return tuple(chosen.values())


def _device(name: str) -> torch.device:
    return torch.device("cuda" if name == "auto" and torch.cuda.is_available() else "cpu" if name == "auto" else name)


def _load(card: ModelCard, device: torch.device, known: dict[str, LoadedModel], runtime: str) -> LoadedModel:
    """The model of `card` from `known`, or loaded now and remembered there."""
    calibration = find_calibration(card.model_id)
    found = known.get(card.model_id)
    reads = trunk_card(card)
    trunk = None if reads is None else _load(reads, device, known, runtime)
    if found is not None and found.card == card and found.runtime.asked == runtime:
        if found.calibration != calibration or found.trunk is not trunk:
            # Another set was put in force: the weights stay what they are.
            found = replace(found, calibration=calibration, trunk=cast("FrameModel | None", trunk))
            known[card.model_id] = found
        return found
    cls = loaded_class(card.kind)
    _member_cards(card)
    keep_freed_memory()
    limit_blas_threads()
    network = _build(card).to(device)
    if cls.reads_crops:
        network = folded(network, card.crop.size_px)
        network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    model = cls(card, network, device, cast("FrameModel | None", trunk), calibration, torch_runtime(runtime))
    known[card.model_id] = _compiled(model, runtime)
    return known[card.model_id]


def _compiled(model: LoadedModel, runtime: str) -> LoadedModel:
    """The model with what it is asked about pictures run by `runtime`, where that can."""
    card = model.card
    reading = None if runtime == TORCH else model.reading()
    if reading is None:
        return model
    if runtime == HALF:
        half, used = at_half_precision(reading.to(model.device).eval(), card.model_id)
        return replace(model, compiled=half, runtime=used)
    made_of = {
        "model_id": card.model_id,
        "weights_sha256": card.weights_sha256,
        "architecture": card.architecture,
        "crop": asdict(card.crop),
    }
    network, used = compiled(reading.eval(), made_of, runtime)
    return replace(model, compiled=network, runtime=used)


def trunk_card(card: ModelCard) -> ModelCard | None:
    """The card of the frame model whose features a model reads, None where it reads none. Raises ModelNotFoundError,
    and WeightsRefusedError where it is another model."""
    if not loaded_class(card.kind).needs_trunk:
        return None
    return _required(card, card.inputs.get("trunk"), card.inputs.get("trunk_weights_sha256"), "reads the features of")


def _member_cards(card: ModelCard) -> tuple[ModelCard, ...]:
    """An ensemble's members, each once; empty for any other kind."""
    if not loaded_class(card.kind).needs_members:
        return ()
    members = card.inputs.get("members", [])
    cards = [_required(card, one.get("model_id"), one.get("weights_sha256"), "is fitted to") for one in members]
    if not cards or any(loaded_class(one.kind).needs_members for one in cards):
        raise WeightsRefusedError(f"{card.model_id}: an ensemble needs members that are no ensembles themselves.")
    return tuple({one.model_id: one for one in cards}.values())


def _required(card: ModelCard, model_id: str | None, weights_sha256: str | None, how: str) -> ModelCard:
    if not model_id or not weights_sha256:
        raise WeightsRefusedError(f"{card.model_id}: its card does not say which model and weights it {how}.")
    other = find_card(model_id)
    if other.weights_sha256 != weights_sha256:
        raise WeightsRefusedError(
            f"{card.model_id} {how} {model_id} with weights {weights_sha256[:12]}…; those here are "
            f"{other.weights_sha256[:12]}…. Restore the matching pair."
        )
    return other


def _build(card: ModelCard) -> nn.Module:
    path = weights_dir() / card.weights_file
    if path.parent != weights_dir() or path.suffix != ".safetensors":
        raise WeightsRefusedError(
            f"{card.model_id}: expected a .safetensors file beside its card, the card names {card.weights_file!r}. "
            "Pickled checkpoints (.pt, .pth, .bin) can run code when opened and are never loaded."
        )
    if not path.is_file():
        raise WeightsRefusedError(f"{card.model_id}: the weights file {path.name} is missing. Restore it.")
    found = file_sha256(path)
    if found != card.weights_sha256:
        raise WeightsRefusedError(
            f"{card.model_id}: the weights' SHA-256 is {found}, the card says {card.weights_sha256}. Restore the file."
        )
    try:
        state = load_file(path)
    except SafetensorError as error:
        raise WeightsRefusedError(f"{card.model_id}: {path.name} is not a safetensors file ({error}).") from error
    try:
        network = build_network(card.architecture)
    except Exception as error:  # an architecture is anything that a card says, and its parts are other libraries'
        raise WeightsRefusedError(f"{card.model_id}: its architecture cannot be built: {error}") from error
    _check_keys(card.model_id, network, state)
    network.load_state_dict(
        {key: value.float() if value.is_floating_point() else value for key, value in state.items()}
    )
    return network.eval().requires_grad_(False)


def _check_keys(model_id: str, network: nn.Module, state: dict[str, torch.Tensor]) -> None:
    expected = network.state_dict()
    problems = [f"missing {key}" for key in expected if key not in state]
    problems += [f"unexpected {key}" for key in state if key not in expected]
    problems += [
        f"{key} is {tuple(state[key].shape)}, expected {tuple(value.shape)}"
        for key, value in expected.items()
        if key in state and state[key].shape != value.shape
    ]
    if problems:
        shown = "; ".join(problems[:12]) + (f"; and {len(problems) - 12} more" if len(problems) > 12 else "")
        raise WeightsRefusedError(f"{model_id}: the weights do not fit the architecture: {shown}.")


def save_weights(network: nn.Module, path: Path, *, dtype: torch.dtype = torch.float16) -> str:
    """Write a network as safetensors, its parameters as `dtype`; returns the file's SHA-256.

    Buffers keep their type: whole numbers are no weights, and statistics such as a feature's spread outgrow fp16.
    """
    halved = dict(network.named_parameters(remove_duplicate=False))
    state = {
        key: (value.to(dtype) if key in halved else value).detach().cpu().contiguous()
        for key, value in network.state_dict().items()
    }
    save_file(state, path)
    return file_sha256(path)
