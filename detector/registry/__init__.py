"""A model's name -> a verified model.

What has to do with networks is imported when it is first asked for (PEP 562): cards are read without torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from detector.measurement.thresholds import Thresholds
from detector.registry.card import ModelCard
from detector.registry.catalogue import (
    CALIBRATIONS_VARIABLE,
    SHIPPED_SET,
    SHIPPED_SETS,
    available_models,
    default_model_ids,
    file_sha256,
    find_calibration,
    find_card,
    models_in,
    set_behind,
    set_folders,
    weights_dir,
)
from detector.registry.shipped import Standing, changed_files, check_shipped_files, signed_list, standing

if TYPE_CHECKING:
    from detector.registry.load import (
        load_model,
        load_set,
        load_weights,
        save_weights,
        trunk_card,
        verify_model,
    )
    from detector.registry.loaded import (
        AudioVisualModel,
        CueScores,
        EnsembleModel,
        FrameFeatures,
        FrameModel,
        KinematicsModel,
        LoadedModel,
        MotionScores,
        ResidualModel,
        SequenceModel,
        SpecialistsModel,
        TextureModel,
        WindowScores,
        expect,
        loaded_as,
        loaded_class,
    )
else:

    def __getattr__(name: str) -> object:
        for module in ("loaded", "load") if name in __all__ else ():
            found = getattr(import_module(f"{__name__}.{module}"), name, None)
            if found is not None:
                return found
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__all__ = [
    "CALIBRATIONS_VARIABLE",
    "SHIPPED_SET",
    "SHIPPED_SETS",
    "AudioVisualModel",
    "CueScores",
    "EnsembleModel",
    "FrameFeatures",
    "FrameModel",
    "KinematicsModel",
    "LoadedModel",
    "ModelCard",
    "MotionScores",
    "ResidualModel",
    "SequenceModel",
    "SpecialistsModel",
    "Standing",
    "TextureModel",
    "Thresholds",
    "WindowScores",
    "available_models",
    "changed_files",
    "check_shipped_files",
    "default_model_ids",
    "expect",
    "file_sha256",
    "find_calibration",
    "find_card",
    "load_model",
    "load_set",
    "load_weights",
    "loaded_as",
    "loaded_class",
    "models_in",
    "save_weights",
    "set_behind",
    "set_folders",
    "signed_list",
    "standing",
    "trunk_card",
    "verify_model",
    "weights_dir",
]
