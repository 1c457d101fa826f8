"""From a model's card to its block diagram: what goes in, through which parts, and what comes out.

Only what the card says is written into a box: its inputs, its architecture table, and the network's own defaults.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any

from detector.models import ARCHITECTURES
from detector.models.specialists import CHANNELS, SPECIALISTS
from detector.registry import ModelCard
from pages.parts.models.block_diagram import Block, Diagram
from pages.parts.shared.measured import number_text, words

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
Options = Mapping[str, Any]
_MEMBERS_A_ROW = 2


def diagram(card: ModelCard, shares: Sequence[float] = ()) -> Diagram:
    """The diagram of a card's network; of a kind that is not known here, its table as one box. `shares` are how much
    of an ensemble rests on each member."""
    options = _options(card.architecture)
    if card.kind == "ensemble":
        return _ensemble(card, shares)
    return _DRAWN.get(card.kind, _anything)(card, options)


def _options(architecture: Mapping[str, Any]) -> dict[str, Any]:
    """The architecture table over the defaults of the network that it builds."""
    network = ARCHITECTURES.get(str(architecture.get("kind")))
    defaults: dict[str, Any] = {}
    if network is not None:
        parameters = inspect.signature(network).parameters.values()
        defaults = {item.name: item.default for item in parameters if item.default is not inspect.Parameter.empty}
    return {**defaults, **architecture}


def trunk_name(name: Any) -> str:
    """A timm name as people write it."""
    return _TRUNKS.get(str(name), str(name))


def _crop_block(card: ModelCard, row: int = 0) -> Block:
    crop = card.crop
    aligned = "as it lies" if crop.alignment == "none" else "eyes level"
    return Block(
        "crop",
        "Face crop",
        (f"{crop.size_px} × {crop.size_px} px RGB, {100 * crop.margin:.0f} % margin, {aligned}",),
        row,
        0.2,
        0.8,
        "input",
    )


def _trunk_block(options: Options, row: int, left: float, right: float) -> Block:
    details = []
    extra = options.get("trunk_options") or {}
    if "channels" in extra:
        details.append("stages of " + ", ".join(str(width) for width in extra["channels"]) + " channels")
    if options.get("early_pool") is False:
        details.append("no early pooling: full resolution in the first stages")
    return Block("trunk", f"Trunk: {trunk_name(options.get('trunk'))}", tuple(details), row, left, right)


def _image_part(card: ModelCard, options: Options, *, inset: float = 0.1) -> tuple[list[Block], list[tuple[str, str]]]:
    """Crop, high-pass where there is one, trunk: rows 0 to 2 of every network that reads pictures."""
    blocks = [_crop_block(card)]
    arrows = []
    if options.get("high_pass"):
        residual = ("the crop beside what a 3 × 3 mean leaves over: six channels",)
        blocks.append(Block("high_pass", "High-pass residual", residual, 1, 0.1, 0.9))
        arrows.append(("crop", "high_pass"))
    arrows.append((blocks[-1].key, "trunk"))
    blocks.append(_trunk_block(options, 2, inset, 1 - inset))
    return blocks, arrows


def _frame(card: ModelCard, options: Options) -> Diagram:
    blocks, arrows = _image_part(card, options)
    strides = [int(stride) for stride in options.get("strides", (8, 16))]
    step = 1 / len(strides)
    edges = [(index * step, (index + 1) * step) for index in range(len(strides))]
    for stride, (left, right) in zip(strides, edges, strict=True):
        side = card.crop.size_px // stride
        details = (f"{side} × {side} places",)
        blocks.append(Block(f"s{stride}", f"Stride {stride}", details, 3, left + 0.02, right - 0.02))
        arrows += [("trunk", f"s{stride}"), (f"s{stride}", "pyramid")]
    width = options.get("width")
    wide = 1 - step if len(strides) > 2 else 0.72
    blocks += [
        Block("pyramid", "Feature pyramid", (f"coarse added to fine, {width} channels",), 4, 0.02, wide - 0.06),
        Block("map", "Blend map", ("where the face was blended or repainted",), 5, 0.02, wide - 0.06, "output"),
        Block(
            "pooled",
            "Pooled features",
            ("deepest features, the pyramid's mean, the pyramid where the map is hot, the map's peak and mean",),
            6,
        ),
        Block("label", "Label head", (_head_text(options),), 7, 0.2, 0.8, "head"),
        Block("score", "Score", ("P(manipulated), 0 to 1",), 8, 0.3, 0.7, "output"),
    ]
    deepest = f"s{strides[-1]}"
    arrows += [("pyramid", "map"), ("map", "pooled"), (deepest, "pooled"), ("pooled", "label"), ("label", "score")]
    return Diagram(tuple(blocks), tuple(arrows))


def _head_text(options: Options) -> str:
    width, dropout = options.get("width"), options.get("dropout")
    text = f"{width} hidden units" if width else "one logit"
    return f"{text}, dropout {dropout:g}" if isinstance(dropout, (int, float)) and dropout else text


def _listed(options: Options, *names: str) -> tuple[str, ...]:
    """Those of the named options that the table has, in words."""
    return tuple(f"{words(name)} {number_text(options[name])}" for name in names if options.get(name) is not None)


def _sequence(card: ModelCard, options: Options) -> Diagram:
    taken = f"{card.inputs.get('frames', '')} frames of one face, with their times in seconds".strip()
    reads = ", ".join(str(name) for name in options.get("channels", ()))
    count = options.get("features" if options.get("deep", True) else "looks", 0)
    read = [f"of each of {count} features: {reads}"] * bool(reads and count)
    also = {"looks": "light, detail and change by region among them", "witness": "and what the frame model itself says"}
    read += [text for name, text in also.items() if options.get(name)]
    blocks = [
        Block("frames", "Face crops over time", (taken,), 0, 0.12, 0.88, "input"),
        Block("trunk", f"Frame model {card.inputs.get('trunk', '')}".strip(), ("its features, computed once",), 1,
              0.12, 0.88),
        Block("read", "Feature reader", tuple(read), 2, 0.06, 0.94),
        *_encoder_blocks(str(options.get("kind")), options),
    ]  # fmt: skip
    row, pairs = blocks[-1].row + 1, ("plus what a CNN says of frame pairs",) * ("change" in options)
    blocks += [
        Block("pool", "Attention pooling", ("a weight a frame, summing to 1",), row, 0.02, 0.48, "head"),
        Block("per_frame", "Frame head", ("a logit a frame, in its context", *pairs), row, 0.52, 0.98, "head"),
        Block("score", "Score of the clip", ("P(manipulated), 0 to 1", *pairs), row + 1, 0.02, 0.48, "output"),
        Block("times", "When", ("intervals that stand out",), row + 1, 0.52, 0.98, "output"),
    ]
    chain = [block.key for block in blocks[:-4]]
    ends = [(chain[-1], "pool"), (chain[-1], "per_frame"), ("pool", "score"), ("per_frame", "times")]
    return Diagram(tuple(blocks), (*pairwise(chain), *ends))


def _encoder_blocks(kind: str, options: Options) -> list[Block]:
    """From the reader's values to one state a frame: rows 3 and 4."""
    if kind == "transformer":
        shape = f"{options['layers']} layers, {options['heads']} heads, width {options['width']}"
        return [
            Block("embed", "Linear map + positions in seconds", (f"width {options['width']}",), 3, 0.12, 0.88),
            Block("encoder", "Pre-norm transformer encoder", (shape, "attends to every frame that is there"), 4),
        ]
    if kind in ("lstm", "hybrid"):
        cell = str(options.get("cell", "lstm")).upper()
        width = options.get("projection")
        residual = "residual projection" if kind == "hybrid" else "projection, layer norm"
        size = f"{options['hidden']} units each way, {options['layers']} layer{'s' if options['layers'] > 1 else ''}"
        fused = {
            "dual": ("beside the projected features; the two pathways are fused late by attention",),
            "cross": ("its states attend to the projected features through a gate",),
        }.get(str(options.get("variant")), ())
        return [
            Block("embed", residual.capitalize(), (f"width {width}",) if width else (), 3, 0.12, 0.88),
            Block("encoder", f"Two-way {cell}", (size, *fused), 4),
        ]
    return [Block("encoder", words(kind), _plain_options(options), 3)]


def _specialists(card: ModelCard, options: Options) -> Diagram:
    blocks, arrows = _image_part(card, options, inset=0.01)
    shared = "stride 8, shared by all; fixed measurements of the pixels beside it"
    blocks.append(Block("shared", "Shared features", (shared,), 3, 0.01, 0.99))
    arrows.append(("trunk", "shared"))
    cues = [str(cue) for cue in options.get("cues", ())]
    step = 1 / max(1, len(cues))
    for index, cue in enumerate(cues):
        left, right = index * step + 0.01, (index + 1) * step - 0.01
        modules = tuple(
            words(name).removeprefix("specialist ").removeprefix("resolution ") for name in SPECIALISTS.get(cue, {})
        )
        count = len(CHANNELS.get(cue, {}))
        scored = (f"map, {count} named channels",)
        blocks += [
            Block(cue, cue, modules, 4, left, right, "head"),
            Block(f"{cue}_score", "Score", scored, 5, left, right, "output"),
        ]
        arrows += [("shared", cue), (cue, f"{cue}_score")]
    return Diagram(tuple(blocks), tuple(arrows))


def _audiovisual(card: ModelCard, options: Options) -> Diagram:
    inputs = card.inputs
    rate, window_s = inputs.get("frames_per_second"), inputs.get("window_s")
    seen = [f"{inputs['mouth_px']} px"] if inputs.get("mouth_px") else []
    seen += [f"{number_text(rate)} a second"] if rate else []
    heard = [f"{number_text(inputs['sample_rate_hz'])} Hz"] if inputs.get("sample_rate_hz") else []
    heard += [f"{options['bands']} mel bands"] if options.get("bands") else []
    components, lips = options.get("components"), options.get("lips")
    motion = (f"{lips} lip measures, {components} components of the picture",) if components and lips else ()
    lags = (f"at {2 * options['reach'] + 1} lags",) if options.get("reach") else ()
    windows = (f"windows of {number_text(window_s)} s",) if window_s else ()
    blocks = [
        Block("mouth", "Mouth crops, lip measures", tuple(seen), 0, 0.02, 0.48, "input"),
        Block("sound", "Log-mel sound", tuple(heard), 0, 0.52, 0.98, "input"),
        Block("see", "How the mouth moves", motion, 1, 0.02, 0.48),
        Block("hear", "What the sound says of the lips", ("foretold from the sound, linearly",), 1, 0.52, 0.98),
    ]
    arrows = [("mouth", "see"), ("sound", "hear")]
    sides: tuple[str, ...] = ("see", "hear")
    row = 2
    if options.get("exchange"):
        width = f"learned features of both foretell each other, width {options.get('width')}"
        blocks.append(Block("exchange", "Feature exchange", (width,), row, 0.02, 0.98))
        arrows += [("see", "exchange"), ("hear", "exchange")]
        sides, row = ("exchange",), 3
    blocks += [
        Block("agree", "Agreement of lips and voice", lags, row, 0.15, 0.85, "head"),
        Block("score", "Score of the clip", ("P(do not belong together)",), row + 1, 0.02, 0.48, "output"),
        Block("windows", "Out of sync, when", windows, row + 1, 0.52, 0.98, "output"),
    ]
    arrows += [(side, "agree") for side in sides] + [("agree", "score"), ("agree", "windows")]
    return Diagram(tuple(blocks), tuple(arrows))


def _texture(card: ModelCard, options: Options) -> Diagram:
    apart = "{} to {} s apart".format(*map(number_text, card.inputs.get("lags_s", (0.3, 3.5))))
    blocks = (
        Block("one", "Face at one moment", (f"brought to {card.crop.size_px} px",), 0, 0.02, 0.48, "input"),
        Block("other", "Face at another", (apart,), 0, 0.52, 0.98, "input"),
        Block("laid", "Laid over each other", ("by the meshes, then by optical flow",), 1, 0.15, 0.85),
        Block("alike", "How alike the detail is", (f"{options.get('measures')} measures",), 2, 0.15, 0.85),
        Block("read", "Perceptron", ("mean over the pairs",), 3, 0.15, 0.85, "head"),
        Block("score", "Score", ("P(animated from a still)",), 4, 0.3, 0.7, "output"),
    )
    return Diagram(blocks, (("one", "laid"), *pairwise(("other", "laid", "alike", "read", "score"))))


def _ensemble(card: ModelCard, shares: Sequence[float]) -> Diagram:
    members = card.inputs.get("members", [])
    blocks = []
    for index, member in enumerate(members):
        row, column = divmod(index, _MEMBERS_A_ROW)
        step = 1 / min(_MEMBERS_A_ROW, len(members) - row * _MEMBERS_A_ROW)
        name, cue = str(member["model_id"]), member.get("cue")
        details = [f"cue {cue}"] if cue else []
        if index in card.architecture.get("one_sided", ()):
            details.append("may only raise the result")
        elif index < len(shares):
            details.append(f"{100 * shares[index]:.0f} % of the result")
        left, right = 0.02 + 0.96 * column * step, 0.02 + 0.96 * (column + 1) * step
        blocks.append(Block(f"m{index}", name, tuple(details), row, left + 0.005, right - 0.005))
    below = -(-len(members) // _MEMBERS_A_ROW)
    method = words(str(card.inputs.get("method", "combination"))).capitalize()
    combined = ("of the members' logits; a missing one is left out",)
    group = tuple(block.key for block in blocks)
    blocks += [
        Block("combine", method, combined, below, 0.1, 0.9, "head"),
        Block("score", "Score", ("P(manipulated), 0 to 1",), below + 1, 0.3, 0.7, "output"),
    ]
    entering = (("group", "combine"),) if group else ()
    return Diagram(tuple(blocks), (*entering, ("combine", "score")), group)


def _anything(card: ModelCard, options: Options) -> Diagram:
    blocks = (
        _crop_block(card),
        Block("network", words(str(card.architecture.get("kind", card.kind))), _plain_options(options), 1),
        Block("score", "Score", ("P(manipulated), 0 to 1",), 2, 0.3, 0.7, "output"),
    )
    return Diagram(blocks, (("crop", "network"), ("network", "score")))


def _plain_options(options: Options) -> tuple[str, ...]:
    simple = {name: value for name, value in options.items() if name != "kind" and not isinstance(value, Mapping)}
    return _listed(simple, *simple)


_DRAWN: Mapping[str, Callable[[ModelCard, Options], Diagram]] = {
    "frame": _frame,
    "sequence": _sequence,
    "specialists": _specialists,
    "texture": _texture,
    "audiovisual": _audiovisual,
}
