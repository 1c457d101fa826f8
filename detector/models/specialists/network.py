"""One trunk, four specialists: BG, CM, RR and LL look at the same features of a wide face crop."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

import torch
from torch import Tensor, nn

from detector.models.build import architecture
from detector.models.outputs import SpecialistOutput
from detector.models.specialists import background, compression, low_light, resolution
from detector.models.specialists.cue_module import CueModule
from detector.models.specialists.signals import Signals, against_surroundings, face_mean, signals_of
from detector.models.trunk import Trunk

SPECIALISTS: Final[dict[str, dict[str, type[CueModule]]]] = {
    "BG": background.MODULES,
    "CM": compression.MODULES,
    "RR": resolution.MODULES,
    "LL": low_light.MODULES,
}
# Cue -> channel name -> meaning with unit, in the order of the channels.
CHANNELS: Final[dict[str, dict[str, str]]] = {
    cue: {name: meaning for module in modules.values() for name, meaning in module.channels().items()}
    for cue, modules in SPECIALISTS.items()
}


class Place(NamedTuple):
    """A channel's place: the module that computes it and its index among the cue's channels."""

    module: str
    channel: int


def evidence_channels(cue: str) -> dict[str, Place]:
    """Module -> place of its evidence channel, the one trained with that module's own kind of manipulation."""
    names = list(CHANNELS[cue])
    return {module: Place(module, names.index(f"{kind.PREFIX}_evidence")) for module, kind in SPECIALISTS[cue].items()}


class Specialist(nn.Module):
    """One cue: its modules' named channels, and a map and a label that rest on those channels alone.

    Both see each channel as it is and against the surroundings, since the cue is a mismatch between the face and what
    is around it; the label adds the difference of each channel's mean over face and surroundings.
    """

    def __init__(self, modules: Mapping[str, type[CueModule]], shared_width: int, width: int, dropout: float) -> None:
        super().__init__()
        self.witnesses = nn.ModuleDict({name: module(shared_width) for name, module in modules.items()})
        self.channel_names = tuple(name for module in modules.values() for name in module.channels())
        count = len(self.channel_names)
        self.scale = nn.BatchNorm2d(count)  # channels have units; what reads them needs one scale
        self.read = nn.Sequential(
            nn.Conv2d(2 * count, width, 1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.Conv2d(width, width, 3, padding=2, dilation=2, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(),
        )
        self.map_head = nn.Conv2d(width, 1, 1)
        self.label_head = nn.Sequential(
            nn.Dropout(dropout), nn.Linear(2 * count + 3 * width + 2, width), nn.ReLU(), nn.Linear(width, 1)
        )

    def forward(self, signals: Signals, shared: Tensor, *, mirrored: bool = False) -> SpecialistOutput:
        """`shared` (B, W, h, w) features at stride 8; with `mirrored` (2 B, W, h, w), the mirror images' last."""
        witnesses = self.witnesses.values()
        channels = torch.cat([witness(signals, shared, mirrored=mirrored) for witness in witnesses], dim=1)
        normal = self.scale(channels).clamp(-6, 6)  # heavy tails on odd pictures must not drown the rest
        offset = against_surroundings(normal)
        hidden = self.read(torch.cat([normal, offset], dim=1))  # (B, width, h, w)
        map_logit = self.map_head(hidden).squeeze(1).float()  # (B, h, w)
        heat = map_logit.flatten(1)
        attention = torch.softmax(heat, dim=1).unsqueeze(1)  # (B, 1, N)
        local = (hidden.flatten(2).float() * attention).sum(2)
        difference = face_mean(offset).flatten(1).float()
        across = face_mean(hidden).flatten(1).float()
        peak = torch.logsumexp(heat * 4, dim=1, keepdim=True) / 4
        pooled = [difference, difference.abs(), local, across, hidden.mean((2, 3)).float(), peak, heat.mean(1, True)]
        features = torch.cat(pooled, dim=1)
        return SpecialistOutput(self.label_head(features).squeeze(1).float(), map_logit, channels, features[:, None])


@architecture("specialists")
class SpecialistsNet(nn.Module):
    """Four specialists on one trunk over a wide crop: the face and what is around it.

    `trunk` any timm network with the given `strides` (8 first, up to EfficientNet-B4); stages beyond the deepest one
    are cut off where the trunk is an EfficientNet. `mean` and `std` are those of the crop's normalisation: the fixed
    channels measure in grey levels. `cues` are the specialists, in the order of `forward`'s logits. `mirrored` looks at
    the crop's mirror image too, outside training: logits and maps are the mean of both, at twice the time.
    """

    def __init__(
        self,
        trunk: str = "tf_efficientnet_lite0",
        *,
        trunk_options: Mapping[str, Any] | None = None,
        strides: Sequence[int] = (8,),
        high_pass: bool = True,
        width: int = 64,
        head_width: int = 32,
        dropout: float = 0.1,
        mean: Sequence[float] = (0.5, 0.5, 0.5),
        std: Sequence[float] = (0.5, 0.5, 0.5),
        cues: Sequence[str] = tuple(SPECIALISTS),
        mirrored: bool = False,
    ) -> None:
        super().__init__()
        if not strides or strides[0] != 8:
            raise ValueError(f"strides: expected 8 first, found {tuple(strides)}")
        if not cues or set(cues) - set(SPECIALISTS):
            raise ValueError(f"cues: expected some of {', '.join(SPECIALISTS)}, found {tuple(cues)}")
        self.trunk = Trunk(trunk, strides, options=trunk_options, high_pass=high_pass)
        self._cut_unused_stages()
        self.laterals = nn.ModuleList(nn.Conv2d(channels, width, 1) for channels in self.trunk.channels)
        self.smooth = nn.Sequential(
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.Conv2d(width, width, 3, padding=1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(),
        )
        self.cues, self.mirrored = tuple(cues), mirrored
        self.heads = nn.ModuleDict({cue: Specialist(SPECIALISTS[cue], width, head_width, dropout) for cue in cues})
        self.channel_names: dict[str, tuple[str, ...]] = {cue: tuple(CHANNELS[cue]) for cue in cues}
        for name, values in (("mean", mean), ("std", std)):
            self.register_buffer(name, torch.tensor(tuple(values)).view(1, 3, 1, 1), persistent=False)

    def _cut_unused_stages(self) -> None:
        """Timm's EfficientNets compute and keep every stage, also those behind the deepest feature asked for."""
        blocks, used = getattr(self.trunk.encoder, "blocks", None), getattr(self.trunk.encoder, "_stage_out_idx", None)
        if isinstance(blocks, nn.Sequential) and used:
            self.trunk.encoder.blocks = blocks[: max(used)]

    def forward_all(self, x: Tensor) -> dict[str, SpecialistOutput]:
        """x: (B, 3, S, S) normalised crops, S a multiple of the deepest stride -> each cue's output at stride 8; the
        channels are those of the crop as it is."""
        mirrored = self.mirrored and not self.training
        with torch.autocast(x.device.type, enabled=False):
            pixels = (x.float() * self.get_buffer("std") + self.get_buffer("mean")).clamp(0, 1)
            signals = signals_of(pixels)
        shared = self._shared(torch.cat([x, x.flip(-1)]) if mirrored else x)
        outputs = {cue: self.heads[cue](signals, shared, mirrored=mirrored) for cue in self.cues}
        return {cue: _both_looks(output) for cue, output in outputs.items()} if mirrored else outputs

    def _shared(self, x: Tensor) -> Tensor:
        features = self.trunk(x)
        shared: Tensor = self.laterals[0](features[0])  # (B, width, S/8, S/8)
        for lateral, feature in zip(list(self.laterals)[1:], features[1:], strict=True):
            shared = shared + nn.functional.interpolate(lateral(feature), size=shared.shape[-2:], mode="nearest")
        smooth: Tensor = self.smooth(shared)
        return smooth

    def forward(self, x: Tensor) -> Tensor:
        """(B, 3, S, S) normalised -> (B, len(cues)) logits, in the order of `cues`."""
        outputs = self.forward_all(x)
        return torch.stack([outputs[cue].logit for cue in self.cues], dim=1)

    @property
    def cam_layer(self) -> nn.Module:
        """The layer whose activations class activation maps are taken from."""
        return self.trunk.last_stage


def _both_looks(output: SpecialistOutput) -> SpecialistOutput:
    """The output of 2 B pictures, the last B of which are mirror images of the first -> that of the first B."""
    logit, map_logit, channels, features = (part.unflatten(0, (2, -1)) for part in output)
    own, other = features.unbind(0)
    map_mean = (map_logit[0] + map_logit[1].flip(-1)) / 2
    return SpecialistOutput(logit.mean(0), map_mean, channels[0], torch.cat([own, other], dim=1))
