"""A network as boxes and arrows: plain data that a page draws, and the boxes that several kinds share."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

from detector.measurement.wording import number_text, words

if TYPE_CHECKING:
    from detector.registry import ModelCard

Role = Literal["input", "part", "head", "output"]
Options = Mapping[str, Any]
SCORE: Final = "0 to 1; no probability"
"""What stands in the box of a score."""
_TRUNKS = {
    "resnet18": "ResNet18",
    "resnet50": "ResNet50",
    "efficientnet_b0": "EfficientNet-B0",
    "efficientnet_b2": "EfficientNet-B2",
    "efficientnet_b4": "EfficientNet-B4",
    "tf_efficientnet_lite0": "EfficientNet-Lite0",
    "mobilenetv4_conv_small": "MobileNetV4-S",
    "xception": "Xception",
}


@dataclass(frozen=True, slots=True)
class Block:
    """One box. `row` counts from the top; `left` and `right` are its edges as shares of the width, 0 to 1."""

    key: str
    title: str
    details: tuple[str, ...]
    row: int
    left: float = 0.0
    right: float = 1.0
    role: Role = "part"


@dataclass(frozen=True, slots=True)
class Diagram:
    """`arrows` lead from block to block by key, downwards. `group` names blocks with a frame around them; arrows may
    leave it by the key "group"."""

    blocks: tuple[Block, ...]
    arrows: tuple[tuple[str, str], ...]
    group: tuple[str, ...] = ()

    def in_words(self) -> str:
        """The same for a screen reader: every block in order."""
        return ", then ".join(f"{block.title} ({'; '.join(block.details)})" for block in self.blocks)


def options_of(card: ModelCard) -> dict[str, Any]:
    """The card's architecture table over the defaults of the network that it builds."""
    from detector.models import ARCHITECTURES  # networks take seconds to import, and only drawing one needs them

    network = ARCHITECTURES.get(str(card.architecture.get("kind")))
    defaults: dict[str, Any] = {}
    if network is not None:
        parameters = inspect.signature(network).parameters.values()
        defaults = {item.name: item.default for item in parameters if item.default is not inspect.Parameter.empty}
    return {**defaults, **card.architecture}


def plain_diagram(card: ModelCard) -> Diagram:
    """The architecture table as one box between the crop and the score."""
    blocks = (
        crop_block(card),
        Block("network", words(str(card.architecture.get("kind", card.kind))), plain_options(options_of(card)), 1),
        Block("score", "Score", (SCORE,), 2, 0.3, 0.7, "output"),
    )
    return Diagram(blocks, (("crop", "network"), ("network", "score")))


def crop_block(card: ModelCard, row: int = 0) -> Block:
    """The box of the face crop that a network reads."""
    crop = card.crop
    aligned = "as it lies" if crop.alignment == "none" else "eyes level"
    details = (f"{crop.size_px} × {crop.size_px} px RGB, {100 * crop.margin:.0f} % margin, {aligned}",)
    return Block("crop", "Face crop", details, row, 0.2, 0.8, "input")


def image_part(card: ModelCard, options: Options, *, inset: float = 0.1) -> tuple[list[Block], list[tuple[str, str]]]:
    """Crop, high-pass where there is one, trunk: rows 0 to 2 of every network that reads pictures."""
    blocks, arrows = [crop_block(card)], []
    if options.get("high_pass"):
        residual = ("the crop beside what a 3 × 3 mean leaves over: six channels",)
        blocks.append(Block("high_pass", "High-pass residual", residual, 1, 0.1, 0.9))
        arrows.append(("crop", "high_pass"))
    arrows.append((blocks[-1].key, "trunk"))
    details = []
    extra = options.get("trunk_options") or {}
    if "channels" in extra:
        details.append("stages of " + ", ".join(str(width) for width in extra["channels"]) + " channels")
    if options.get("early_pool") is False:
        details.append("no early pooling: full resolution in the first stages")
    name = str(options.get("trunk"))
    blocks.append(Block("trunk", f"Trunk: {_TRUNKS.get(name, name)}", tuple(details), 2, inset, 1 - inset))
    return blocks, arrows


def plain_options(options: Options) -> tuple[str, ...]:
    """Every option that is a plain value, in words."""
    return tuple(
        f"{words(name)} {number_text(value)}"
        for name, value in options.items()
        if name != "kind" and value is not None and not isinstance(value, Mapping)
    )
