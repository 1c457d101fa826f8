"""A model's name -> a verified model."""

from detector.registry.card import Decision, ModelCard
from detector.registry.load import (
    LoadedModel,
    available_models,
    default_model_ids,
    file_sha256,
    find_card,
    load_model,
    save_weights,
    verify_model,
    weights_dir,
)

__all__ = [
    "Decision",
    "LoadedModel",
    "ModelCard",
    "available_models",
    "default_model_ids",
    "file_sha256",
    "find_card",
    "load_model",
    "save_weights",
    "verify_model",
    "weights_dir",
]
