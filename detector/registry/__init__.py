"""A model's name -> a verified model."""

from detector.measurement.thresholds import Thresholds
from detector.registry.card import ModelCard
from detector.registry.load import (
    available_models,
    default_model_ids,
    file_sha256,
    find_card,
    load_model,
    load_set,
    load_weights,
    save_weights,
    verify_model,
    weights_dir,
)
from detector.registry.loaded import (
    AudioVisualModel,
    CueScores,
    EnsembleModel,
    FrameFeatures,
    FrameModel,
    LoadedModel,
    SequenceModel,
    SpecialistsModel,
    TextureModel,
    WindowScores,
    expect,
    loaded_as,
    loaded_class,
)

__all__ = [
    "AudioVisualModel",
    "CueScores",
    "EnsembleModel",
    "FrameFeatures",
    "FrameModel",
    "LoadedModel",
    "ModelCard",
    "SequenceModel",
    "SpecialistsModel",
    "TextureModel",
    "Thresholds",
    "WindowScores",
    "available_models",
    "default_model_ids",
    "expect",
    "file_sha256",
    "find_card",
    "load_model",
    "load_set",
    "load_weights",
    "loaded_as",
    "loaded_class",
    "save_weights",
    "verify_model",
    "weights_dir",
]
