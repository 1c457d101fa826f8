"""A verified network ready to run: arrays in, arrays out; one class a kind of model."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Final, NamedTuple, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from detector.calibration.calibration import Calibration
from detector.errors import ModelError, ModelNotFoundError
from detector.models import FrameNet
from detector.models.appearance import APPEARANCE_FEATURES
from detector.models.frame_pair import FramePairNet
from detector.models.readings import FrameReading, PairReading, PatchReading, Reading, SpecialistsReading
from detector.models.thinned import has_dropout, thinned
from detector.registry.card import ModelCard
from detector.runtime import CompiledNetwork, HalfNetwork, Runtime, torch_runtime

PATCHES_AT_ONCE: Final = 32
PAIRS_AT_ONCE: Final = 64


class FrameFeatures(NamedTuple):
    """`logits` (N,) and `features` (N, D + 64), float32, of N crops: what the label rests on, then how each crop looks
    (`detector.models.appearance`)."""

    logits: NDArray[np.float32]
    features: NDArray[np.float32]


class WindowScores(NamedTuple):
    """Of N windows of T frames, float32: `logits` (N,), `frame_logits` (N, T), `pooling` (N, T) summing to 1."""

    logits: NDArray[np.float32]
    frame_logits: NDArray[np.float32]
    pooling: NDArray[np.float32]


class MotionScores(NamedTuple):
    """Of N windows of a face's motion, float32: `logits` (N,), and `shares` (N, F) of them, a feature each."""

    logits: NDArray[np.float32]
    shares: NDArray[np.float32]


class CueScores(NamedTuple):
    """One cue on N crops, float32: `logits` (N,), `readings` (N, C): each named channel's mean over the face, and
    `features` (N, L, F): what the label rests on in each of L looks."""

    logits: NDArray[np.float32]
    readings: NDArray[np.float32]
    features: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A network on its device, in evaluation mode, with the card it was verified against.

    `trunk` is the frame model whose features the model reads, None where it reads none; `calibration` what turns its
    scores into likelihood ratios, None where there is none. `runtime` computes what the model is asked about pictures
    (`reading`), by `compiled`, None where that is torch; all else is computed by torch.
    """

    reads_crops: ClassVar[bool] = False
    """The network takes face crops (B, 3, S, S): its convolutions are folded and laid out for speed at loading."""
    needs_trunk: ClassVar[bool] = False
    """The card's `inputs` name a frame model, `trunk`, whose features the model reads."""
    needs_members: ClassVar[bool] = False
    """The card's `inputs` name `members`, models whose results the model rests on."""

    card: ModelCard
    network: nn.Module
    device: torch.device
    trunk: FrameModel | None = None
    calibration: Calibration | None = None
    runtime: Runtime = field(default_factory=torch_runtime)
    compiled: CompiledNetwork | HalfNetwork | None = field(default=None, repr=False, compare=False)

    @property
    def kind(self) -> str:
        """The kind's name, as in the card."""
        return self.card.kind

    def reading(self) -> Reading | None:
        """All that the model is asked about pictures as one module; None for a model that reads no pictures, or reads
        them in a way of its own."""
        return None

    def _read(self, pictures: NDArray[np.uint8], names: Sequence[str]) -> Mapping[str, NDArray[np.float32]]:
        """The outputs `names` of `reading` on one or more pictures, by whatever runs it."""
        if self.compiled is not None:
            return self.compiled(pictures, names)
        reading = self.reading()
        assert reading is not None
        with torch.inference_mode():
            told = reading.to(self.device)(torch.from_numpy(np.ascontiguousarray(pictures)).to(self.device))
        return {name: _array(value) for name, value in zip(reading.names, told, strict=True) if name in names}

    def prepare(self, crops: NDArray[np.uint8]) -> torch.Tensor:
        """(N, S, S, 3) uint8 RGB crops -> (N, 3, S, S) float32, normalised by the card, on the device."""
        self._check(crops)
        pixels = torch.from_numpy(np.ascontiguousarray(crops)).to(self.device).permute(0, 3, 1, 2).float() / 255
        mean, std = (
            torch.tensor(values, device=self.device).view(1, 3, 1, 1)
            for values in (self.card.crop.mean, self.card.crop.std)
        )
        return ((pixels - mean) / std).contiguous(memory_format=torch.channels_last)

    @property
    def cam_layer(self) -> nn.Module:
        """The deepest convolutional stage, where class activation maps are taken. Raises ModelNotFoundError."""
        layer = getattr(self.network, "cam_layer", None)
        if not isinstance(layer, nn.Module):
            raise ModelNotFoundError(f"{self.card.model_id} has no layer to take a class activation map from.")
        return layer

    def _check(self, crops: NDArray[np.uint8]) -> None:
        shape = self.card.crop.shape
        if crops.ndim != 4 or crops.shape[1:] != shape or crops.dtype != np.uint8:
            raise ValueError(f"expected {('N', *shape)} uint8 crops, found {crops.shape} {crops.dtype}")

    @property
    def _any(self) -> Any:  # noqa: ANN401 - networks of different kinds share no class
        return self.network


Loaded = TypeVar("Loaded", bound=type[LoadedModel])
Expected = TypeVar("Expected", bound=LoadedModel)
_CLASSES: Final[dict[str, type[LoadedModel]]] = {}


def loaded_as(kind: str) -> Callable[[Loaded], Loaded]:
    """Register the class that models of `kind` are loaded as."""

    def register(cls: Loaded) -> Loaded:
        _CLASSES[kind] = cls
        return cls

    return register


def loaded_class(kind: str) -> type[LoadedModel]:
    """The class that models of `kind` are loaded as. Raises ModelError for a kind that is not registered."""
    if kind not in _CLASSES:
        raise ModelError(f"There is no kind of model {kind!r}; known: {', '.join(sorted(_CLASSES))}.")
    return _CLASSES[kind]


def expect(model: LoadedModel, cls: type[Expected]) -> Expected:
    """`model`, which must be of this class. Raises ModelError naming its kind."""
    if not isinstance(model, cls):
        wanted = next((kind for kind, known in _CLASSES.items() if known is cls), cls.__name__)
        raise ModelError(f"{model.card.model_id} is of kind {model.kind!r}; this needs {wanted!r}.")
    return model


@loaded_as("frame")
class FrameModel(LoadedModel):
    """Scores single face crops, and gives other models what its label rests on."""

    reads_crops = True

    def reading(self) -> FrameReading:
        """Logits, features and map."""
        crop = self.card.crop
        return FrameReading(self.network, crop.size_px, crop.mean, crop.std)

    def score(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Logits (N,) float32 of (N, S, S, 3) uint8 crops."""
        self._check(crops)
        return self._read(crops, ["logits"])["logits"] if len(crops) else np.zeros(0, np.float32)

    def features(self, crops: NDArray[np.uint8]) -> FrameFeatures:
        """Logits and what they rest on, in one pass. Raises ModelError for a network that keeps no features."""
        network = self.network
        if not isinstance(network, FrameNet):
            raise ModelError(f"{self.card.model_id} has no features that another model could read.")
        self._check(crops)
        if len(crops) == 0:
            width = network.feature_dim + APPEARANCE_FEATURES
            return FrameFeatures(np.zeros(0, np.float32), np.zeros((0, width), np.float32))
        told = self._read(crops, ["logits", "features"])
        return FrameFeatures(told["logits"], told["features"])

    @property
    def has_dropout(self) -> bool:
        """Whether its label head has dropout, for `dropout_logits`."""
        return isinstance(self.network, FrameNet) and has_dropout(self.network.label_head)

    @torch.inference_mode()
    def dropout_logits(self, features: NDArray[np.float32], passes: int) -> NDArray[np.float32]:
        """Logits (N, `passes`) of the crops of `features` (N, D + 64), with other parts of the label head's dropout
        off in each pass (`detector.models.thinned`). Raises ModelError for a network that keeps no features."""
        network = self.network
        if not isinstance(network, FrameNet):
            raise ModelError(f"{self.card.model_id} has no features to score again.")
        rests_on = torch.from_numpy(np.ascontiguousarray(features[:, : network.feature_dim])).to(self.device)
        heads = thinned(network.label_head, passes)
        return _array(torch.stack([_as_logit(head(rests_on)) for head in heads], dim=1))

    def blend_map(self, crops: NDArray[np.uint8]) -> NDArray[np.float32] | None:
        """Probability of manipulation per place, (N, S/8, S/8) float32, or None for a network without a map head."""
        if not isinstance(self.network, FrameNet) or self.network.map_head is None:
            return None
        self._check(crops)
        return 1 / (1 + np.exp(-self._read(crops, ["map_logits"])["map_logits"]))


@loaded_as("specialists")
class SpecialistsModel(LoadedModel):
    """Scores single face crops for each of several cues."""

    reads_crops = True

    @property
    def channel_names(self) -> dict[str, tuple[str, ...]]:
        """The named channels of each cue, in the order of the cues."""
        return {cue: tuple(names) for cue, names in self._any.channel_names.items()}

    def reading(self) -> SpecialistsReading:
        """Logits, readings, features and channels of every cue."""
        crop = self.card.crop
        return SpecialistsReading(self._any, crop.size_px, crop.mean, crop.std)

    def specialists(self, crops: NDArray[np.uint8]) -> dict[str, CueScores]:
        """Every cue on (N, S, S, 3) uint8 crops, N from 1 up, in one pass."""
        self._check(crops)
        parts = ("logits", "readings", "features")
        told = self._read(crops, [f"{cue}/{part}" for cue in self.channel_names for part in parts])
        return {cue: CueScores(*(told[f"{cue}/{part}"] for part in parts)) for cue in self.channel_names}

    @property
    def mirrored(self) -> bool:
        """Whether its scores are means over crop and mirror image in any case."""
        return bool(self._any.mirrored)

    @property
    def has_dropout(self) -> bool:
        """Whether its label heads have dropout, for `dropout_logits`."""
        return any(has_dropout(head.label_head) for head in self._any.heads.values())

    @torch.inference_mode()
    def dropout_logits(self, cue: str, features: NDArray[np.float32], passes: int) -> NDArray[np.float32]:
        """One cue's logits (N, `passes`) of the crops of `features` (N, L, F), as `FrameModel.dropout_logits`."""
        rests_on = torch.from_numpy(features).to(self.device)
        heads = thinned(self._any.heads[cue].label_head, passes)
        return _array(torch.stack([head(rests_on)[..., 0].mean(1) for head in heads], dim=1))

    def channels(self, crops: NDArray[np.uint8]) -> dict[str, NDArray[np.float32]]:
        """The named channels of every cue as maps, (N, C, h, w) float32 each, N from 1 up."""
        self._check(crops)
        told = self._read(crops, [f"{cue}/channels" for cue in self.channel_names])
        return {cue: told[f"{cue}/channels"] for cue in self.channel_names}


@loaded_as("residual")
class ResidualModel(LoadedModel):
    """Scores patches of a face at the video's own pixels."""

    reads_crops = True

    def reading(self) -> PatchReading:
        """The logits of patches."""
        return PatchReading(self._any, self.card.crop.size_px)

    def patches(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Logits (N, P) float32 of (N, P·S, S, 3) uint8 columns (`detector.faces.native`), N from 1 up, a patch at each
        of `detector.faces.types.PLACES`."""
        rows = self._rows(crops)
        parts = (rows[start : start + PATCHES_AT_ONCE] for start in range(0, len(rows), PATCHES_AT_ONCE))
        return np.concatenate([self._read(part, ["logits"])["logits"] for part in parts]).reshape(len(crops), -1)

    @property
    def has_dropout(self) -> bool:
        """Whether its label heads have dropout, for `dropout_logits`."""
        return any(has_dropout(member.label) for member in self._any.members)

    @torch.inference_mode()
    def dropout_logits(self, crops: NDArray[np.uint8], passes: int) -> NDArray[np.float32]:
        """Logits (N, `passes`) of the faces, means over their patches, as `FrameModel.dropout_logits`; reads the crops
        once."""
        rows = torch.from_numpy(self._rows(crops)).permute(0, 3, 1, 2).to(self.device)
        features = torch.cat([self._any.features(part) for part in rows.split(PATCHES_AT_ONCE)])  # (N · P, members, C)
        said = [
            torch.stack([head(features[:, number])[:, 0] for head in thinned(member.label, passes, seed=number)], dim=1)
            for number, member in enumerate(self._any.members)
        ]
        return _array(torch.stack(said).mean(0)).reshape(len(crops), -1, passes).mean(1)

    def _rows(self, crops: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The patches of all crops, (N · P, S, S, 3)."""
        self._check(crops)
        side = self.card.crop.size_px
        return crops.reshape(-1, side, side, 3)


@loaded_as("sequence")
class SequenceModel(LoadedModel):
    """Reads what its trunk says of a face over time."""

    needs_trunk = True

    @torch.inference_mode()
    def score_windows(
        self, features: NDArray[np.float32], times_s: NDArray[np.float32], present: NDArray[np.bool_]
    ) -> WindowScores:
        """Scores of N windows: `features` (N, T, D) of the trunk, `times_s` (N, T), `present` (N, T)."""
        output = self._forward(features, times_s, present)
        return WindowScores(_array(output.logit), _array(output.frame_logit), _array(output.pooling))

    @property
    def has_dropout(self) -> bool:
        """Whether its network has dropout."""
        return has_dropout(self.network)

    def thinned(self, passes: int) -> Iterator[SequenceModel]:
        """The model with other parts of its dropout off in each of `passes` (`detector.models.thinned`); each changes
        the one before."""
        for network in thinned(self.network, passes):
            yield replace(self, network=network)

    @property
    def reads_pairs(self) -> bool:
        """True where it reads pairs of frames besides its trunk's features (`pair_logits`)."""
        return getattr(self.network, "change", None) is not None

    def reading(self) -> PairReading | None:
        """The logits of pairs of frames, where it reads them."""
        return PairReading(self._any.change) if self.reads_pairs else None

    def pair_logits(self, pairs: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Logits (N,) float32 of (N, 64, 64, 11) uint8 pairs of frames (`frame_pair`): the value that a model which
        `reads_pairs` reads of each frame after its trunk's features. NaN for a pair without an earlier frame."""
        return _of_known_pairs(lambda known: self._read(known, ["logits"])["logits"], pairs)

    @torch.inference_mode()
    def attention(
        self, features: NDArray[np.float32], times_s: NDArray[np.float32], present: NDArray[np.bool_]
    ) -> tuple[tuple[NDArray[np.float32], ...], NDArray[np.float32]]:
        """One (N, H, T, T) a layer, none of a recurrent network, and `pooling` (N, T)."""
        output = self._forward(features, times_s, present)
        return tuple(_array(layer) for layer in output.attention), _array(output.pooling)

    def _forward(self, features: NDArray[np.float32], times_s: NDArray[np.float32], present: NDArray[np.bool_]) -> Any:  # noqa: ANN401
        arrays = (np.ascontiguousarray(features, np.float32), np.asarray(times_s, np.float32), present)
        return self._any.forward_all(*(torch.from_numpy(array).to(self.device) for array in arrays))


@loaded_as("texture")
class TextureModel(LoadedModel):
    """Compares the fine detail of one face between moments."""

    @torch.inference_mode()
    def texture(self, pairs: NDArray[np.float32]) -> NDArray[np.float32]:
        """Logits (N,) float32 of N measured pairs (N, F) of one face; the face's logit is their mean."""
        return _array(self._any.pair_logits(torch.from_numpy(np.ascontiguousarray(pairs, np.float32)).to(self.device)))


@loaded_as("kinematics")
class KinematicsModel(LoadedModel):
    """Judges how a face moves by measured features, which the card's `inputs` name in their order."""

    @torch.inference_mode()
    def motion(self, windows: NDArray[np.float64]) -> MotionScores:
        """Scores of N windows (N, F) as measured."""
        values = torch.from_numpy(np.ascontiguousarray(windows, np.float32)).to(self.device)
        return MotionScores(_array(self.network(values)), _array(self._any.shares(values)))


@loaded_as("audiovisual")
class AudioVisualModel(LoadedModel):
    """Compares lips and voice; `network` is called by `detector.analysis.kinds.audiovisual`."""


@loaded_as("ensemble")
class EnsembleModel(LoadedModel):
    """Fuses the results of its members."""

    needs_members = True

    @torch.inference_mode()
    def fuse(
        self, logits: NDArray[np.float64], present: NDArray[np.bool_]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Fused logits (B,) of the members' (B, M), and each member's share (B, M); NaN where there is none.

        Members are in the order of the card's `inputs`; what lies where `present` is False is never read.
        """
        values = torch.from_numpy(np.where(present, logits, 0.0)).float().to(self.device)
        fused, shares = self._any.fuse(values, torch.from_numpy(present).to(self.device))
        return _array(fused), _array(shares)

    @torch.inference_mode()
    def families(self, logits: NDArray[np.float64], present: NDArray[np.bool_]) -> NDArray[np.float32]:
        """Log-probabilities (B, F) of the families that the card's `inputs` name, each row's manipulated face being of
        one of them; NaN for a row without members. Arguments as for `fuse`. Raises ValueError where it reads none."""
        values = torch.from_numpy(np.where(present, logits, 0.0)).float().to(self.device)
        return _array(self._any.families(values, torch.from_numpy(present).to(self.device)))


def _as_logit(output: torch.Tensor) -> torch.Tensor:
    """(B,) of a label head's output: (B, 1) one logit, or (B, 2) genuine and manipulated whose difference it is."""
    return output[:, 0] if output.shape[1] == 1 else output[:, 1] - output[:, 0]


def _array(value: torch.Tensor) -> NDArray[np.float32]:
    return value.float().cpu().numpy()


@torch.inference_mode()
def pair_logits(
    network: FramePairNet, pairs: NDArray[np.uint8], *, batch_size: int = PAIRS_AT_ONCE
) -> NDArray[np.float32]:
    """Logits (N,) float32 of (N, 64, 64, 11) pairs, NaN where nothing came before (a pair of zeros). Raises ValueError
    for a network in training mode, whose answers depend on the batch and which would learn from it."""
    if network.training:
        raise ValueError("expected a network in evaluation mode")
    device = next(network.parameters()).device
    return _of_known_pairs(lambda known: _array(network(torch.from_numpy(known).to(device))), pairs, batch_size)


def _of_known_pairs(
    read: Callable[[NDArray[np.uint8]], NDArray[np.float32]],
    pairs: NDArray[np.uint8],
    batch_size: int = PAIRS_AT_ONCE,
) -> NDArray[np.float32]:
    logits = np.full(len(pairs), np.nan, np.float32)
    for start in range(0, len(pairs), batch_size):
        batch = np.ascontiguousarray(pairs[start : start + batch_size])
        known = batch.any((1, 2, 3))
        if known.any():
            logits[start : start + batch_size][known] = read(batch[known])
    return logits
