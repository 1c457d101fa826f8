"""Whole-frame filters for an examiner's eye: a decoded picture in, a picture derived from it out.

No filter scores or decides anything; each says what it shows and what it cannot show. They work at the picture's own
pixels, for resampling would remove what they show.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from detector.errors import EvidenceError, OversizedError, SettingsError

Value = int | str
LEAST_SIDE_PX: Final = 32
MOST_PIXELS: Final = 34_000_000  # 8K; a Wiener filter takes 50 bytes a pixel
BLOCK_PX: Final = 8
_GREY: Final = 128.0
_GAINS: Final = (1, 2, 5, 10, 20, 40)
_WINDOWS_PX: Final = (3, 5, 7)
# A step above this many grey levels is an edge of what is pictured rather than one between blocks.
_HIGHEST_STEP: Final = 16
_SMALLEST_STEP: Final = 0.05
_CHANNELS: Final = ("Red", "Green", "Blue", "Y′", "Cb", "Cr", "Hue", "Saturation", "Value")
_GRIDS: Final = ("the frame's own", "another")
_DIRECTIONS: Final = ("both", "across", "down", "size")


@dataclass(frozen=True, slots=True)
class Option:
    """What can be set of a filter: one of `values`, `usual` where nothing is chosen."""

    title: str
    values: tuple[Value, ...]
    usual: Value
    unit: str = ""


@dataclass(frozen=True, eq=False)
class Filtered:
    """The picture that a filter made: (H, W, 3) uint8 RGB, as large as what it was made of; `reading`, where it is not
    empty, says in a sentence what was measured on the way."""

    picture: NDArray[np.uint8]
    reading: str = ""


@dataclass(frozen=True, slots=True)
class PictureFilter:
    """A filter: `shows` and `cannot_show` in sentences for an examiner, `function` of the picture and a value of each
    of `options`, in their order."""

    name: str
    title: str
    shows: str
    cannot_show: str
    options: tuple[Option, ...]
    function: Callable[..., Filtered]

    @property
    def usual(self) -> tuple[Value, ...]:
        """The usual value of each option."""
        return tuple(option.usual for option in self.options)

    def setting_text(self, values: tuple[Value, ...]) -> str:
        """The options with these values in words, e.g. "JPEG quality 90 %, amplified 10 times"."""
        pairs = zip(self.options, values, strict=True)
        return ", ".join(f"{option.title} {value}{f' {option.unit}' if option.unit else ''}" for option, value in pairs)


def apply_filter(image: NDArray[np.uint8], name: str, values: tuple[Value, ...] | None = None) -> Filtered:
    """Filter (H, W, 3) uint8 RGB by the filter of that name in `FILTERS`, with a value for each of its options in their
    order (the usual ones by default). `image` is left as it is; equal input gives equal output.

    Raises SettingsError for an unknown filter or a value that an option does not offer, EvidenceError for a picture
    with a side under 32 pixels, OversizedError for one of more than 34 megapixels, ValueError for another shape or
    type.
    """
    if name not in FILTERS:
        raise SettingsError(f"There is no filter {name!r}; choose one of {', '.join(FILTERS)}.")
    chosen = FILTERS[name]
    values = chosen.usual if values is None else values
    if len(values) != len(chosen.options):
        raise SettingsError(f"{chosen.title} has {len(chosen.options)} options; {len(values)} values were given.")
    for option, value in zip(chosen.options, values, strict=True):
        if value not in option.values:
            offered = ", ".join(map(str, option.values))
            raise SettingsError(f"{chosen.title}: {option.title} is one of {offered}; {value!r} is none of them.")
    _check(image)
    return chosen.function(image, *values)


def _check(image: NDArray[np.uint8]) -> None:
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
        raise ValueError(f"Expected a picture (H, W, 3) of uint8, found {image.shape} of {image.dtype}.")
    height_px, width_px = image.shape[:2]
    if min(height_px, width_px) < LEAST_SIDE_PX:
        raise EvidenceError(
            f"Filters need sides of at least {LEAST_SIDE_PX} pixels; this picture has {width_px} × {height_px}. "
            "Look at the frame itself."
        )
    if height_px * width_px > MOST_PIXELS:
        raise OversizedError(
            f"Filters take pictures of up to {MOST_PIXELS // 1_000_000} megapixels; this one has "
            f"{width_px} × {height_px} pixels. Look at the frame itself."
        )


def _error_level(image: NDArray[np.uint8], quality: int, gain: int) -> Filtered:
    """Absolute difference of each channel from the same picture after one more JPEG compression (4:4:4, so that no
    difference comes of coarser colour), times `gain` (Krawetz 2007, "A Picture's Worth")."""
    how = [cv2.IMWRITE_JPEG_QUALITY, quality, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444]
    _, coded = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), how)
    again = cv2.cvtColor(cv2.imdecode(coded, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
    return Filtered(np.asarray(cv2.convertScaleAbs(cv2.absdiff(image, again), alpha=gain), dtype=np.uint8))


def _noise(image: NDArray[np.uint8], window_px: int, gain: int) -> Filtered:
    """Luma less its median over `window_px` squared, times `gain`, about middle grey."""
    luma = _luma(image)
    return _about_grey(luma.astype(np.float32) - cv2.medianBlur(luma, window_px), gain)


def _sensor_noise(image: NDArray[np.uint8], window_px: int, gain: int) -> Filtered:
    """Luma less its Wiener estimate over `window_px` squared (Lim 1990), then with the mean of every row and column
    taken off, as Chen, Fridrich, Goljan and Lukáš do with noise residuals (2008, "Determining Image Origin and
    Integrity Using Sensor Noise"), times `gain`, about middle grey. They estimate with wavelets."""
    from scipy.signal import wiener  # takes longer to import than most filters to run

    luma = _luma(image).astype(np.float32)
    margin = window_px // 2
    around = np.pad(luma, margin, mode="reflect")  # beyond the picture SciPy would take black
    with np.errstate(divide="ignore", invalid="ignore"):  # where a window is flat, the estimate is its mean
        residual = luma - wiener(around, window_px)[margin:-margin, margin:-margin].astype(np.float32)
    residual = np.nan_to_num(residual, copy=False, nan=0.0, posinf=0.0, neginf=0.0)
    residual -= residual.mean(axis=1, keepdims=True)
    residual -= residual.mean(axis=0, keepdims=True)
    return _about_grey(residual, gain)


def _blocking(image: NDArray[np.uint8], grid: str, window_px: int, hottest: int) -> Filtered:
    """How much higher the steps between pixels are at one of the eight places that a grid of 8 x 8 blocks can have than
    at the others, over `window_px` squared, in cividis from 1 time to `hottest` times; across and down are averaged for
    the frame's own grid, and the higher counts for another (after Li, Yuan and Yu 2009, "Passive detection of doctored
    JPEG image via block artifact grid extraction").

    A step is what exceeds the mean of those beside it, so that slopes do not count.
    """
    luma = _luma(image).astype(np.int16)
    across, down = (_ratios(steps, window_px) for steps in (_steps(luma), _steps(luma.T)))
    down = down.transpose(1, 0, 2)
    at_x, at_y = (int(np.argmax(one.mean((0, 1)))) for one in (across, down))
    if grid == _GRIDS[0]:
        ratio = (across[..., at_x] + down[..., at_y]) / 2
    else:
        others = [np.delete(one, at, axis=2).max(axis=2) for one, at in ((across, at_x), (down, at_y))]
        ratio = np.maximum(*others)
    heat = np.clip((ratio - 1) / (hottest - 1), 0, 1)
    cells = cv2.applyColorMap(np.rint(heat * 255).astype(np.uint8), cv2.COLORMAP_CIVIDIS)
    wide, high = ratio.shape[1] * BLOCK_PX, ratio.shape[0] * BLOCK_PX
    large = cv2.resize(cv2.cvtColor(cells, cv2.COLOR_BGR2RGB), (wide, high), interpolation=cv2.INTER_NEAREST)
    rest = (0, image.shape[0] - high, 0, image.shape[1] - wide)
    picture = np.asarray(cv2.copyMakeBorder(large, *rest, cv2.BORDER_REPLICATE), dtype=np.uint8)
    return Filtered(
        picture,
        f"Steps are highest at columns {at_x} + 8n ({_whole(across, at_x):.2f} times those elsewhere) and rows "
        f"{at_y} + 8n ({_whole(down, at_y):.2f} times). 1 is no grid; a picture coded in blocks from its corner has "
        "0 + 8n.",
    )


def _steps(luma: NDArray[np.int16]) -> NDArray[np.float32]:
    """(H, W) int16 -> (H, W) float32 in 0.._HIGHEST_STEP: by how much the step from the pixel at the left to this one
    exceeds the mean of the steps beside it; 0 in the first two columns and the last."""
    found = np.zeros(luma.shape, np.float32)
    steps = np.abs(np.diff(luma, axis=1)).astype(np.float32)
    inner = steps[:, 1:-1] - (steps[:, :-2] + steps[:, 2:]) / 2
    found[:, 2:-1] = np.clip(inner, 0, _HIGHEST_STEP)
    return found


def _ratios(steps: NDArray[np.float32], window_px: int) -> NDArray[np.float32]:
    """(H, W) -> (H/8, W/8, 8): the mean step at each of the eight places of a grid's lines, over `window_px` squared,
    by the median of all eight."""
    height, width = (side // BLOCK_PX for side in steps.shape)
    cells = steps[: height * BLOCK_PX, : width * BLOCK_PX].reshape(height, BLOCK_PX, width, BLOCK_PX).mean(axis=1)
    around = np.asarray(cv2.blur(cells, (window_px // BLOCK_PX,) * 2), dtype=np.float32)
    base: NDArray[np.float32] = np.median(around, axis=2, keepdims=True)
    return (around + _SMALLEST_STEP) / (base + _SMALLEST_STEP)


def _whole(ratios: NDArray[np.float32], place: int) -> float:
    return float(ratios[..., place].mean())


def _gradient(image: NDArray[np.uint8], direction: str, gain: int) -> Filtered:
    """Change of luma a pixel (Scharr's operator), times `gain`: with "both" red is the change across and green that
    down, about middle grey, and blue its size; else one of them in grey."""
    luma = _luma(image)
    across, down = (cv2.Scharr(luma, cv2.CV_32F, *axis, scale=1 / 32) for axis in ((1, 0), (0, 1)))
    size = gain * cv2.magnitude(across, down)
    if direction == "size":
        return Filtered(_picture(size))
    if direction != "both":
        return _about_grey(across if direction == "across" else down, gain)
    return Filtered(_picture(np.dstack([_GREY + gain * across, _GREY + gain * down, size])))


def _channel(image: NDArray[np.uint8], channel: str) -> Filtered:
    """One channel in grey: of RGB, of Y′CbCr (ITU-R BT.601, full range), or of HSV with hue from 0 to 255."""
    place = _CHANNELS.index(channel)
    if place < 3:
        return Filtered(_picture(image[..., place]))
    if place < 6:
        return Filtered(_picture(cv2.cvtColor(image, cv2.COLOR_RGB2YCrCb)[..., (0, 2, 1)[place - 3]]))
    return Filtered(_picture(cv2.cvtColor(image, cv2.COLOR_RGB2HSV_FULL)[..., place - 6]))


def _luma(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(H, W, 3) RGB -> (H, W), by ITU-R BT.601."""
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), dtype=np.uint8)


def _about_grey(values: NDArray[np.float32], gain: int) -> Filtered:
    return Filtered(_picture(_GREY + gain * values))


def _picture(values: NDArray[Any]) -> NDArray[np.uint8]:
    """(H, W) or (H, W, 3), whatever lies outside 0..255 drawn as its end -> (H, W, 3) uint8, a new array."""
    clipped = np.clip(np.rint(values), 0, 255).astype(np.uint8)
    return clipped if clipped.ndim == 3 else np.repeat(clipped[..., None], 3, axis=2)


_GAIN: Final = Option("amplified", _GAINS, 10, "times")

FILTERS: Final[dict[str, PictureFilter]] = {
    one.name: one
    for one in (
        PictureFilter(
            "error-level",
            "Error level",
            "How much each place changes when the picture is saved as a JPEG once more. In a picture that was saved "
            "as a JPEG before, a part that came in later, or was saved with another quality, can change more or less "
            "than like parts elsewhere.",
            "Edges, texture and strong colours always change more than smooth parts: compare only like with like. "
            "After resizing, sharpening or a few saves nothing is left to see, and frames of a video were coded "
            "otherwise than as JPEG. Text, logos and smoothing by a camera stand out just as well.",
            (Option("JPEG quality", tuple(range(50, 100, 5)), 90, "%"), _GAIN),
            _error_level,
        ),
        PictureFilter(
            "noise",
            "Noise residual",
            "What a median filter takes away: grain, fine texture and coding noise, about middle grey. A part that "
            "was smoothed, enlarged or brought in from another recording can have grain of another size or strength.",
            "Coding removes grain where a picture is dark or at rest, a lens blurs what is out of focus, and cameras "
            "smooth skin on their own. Texture passes as noise.",
            (Option("window", _WINDOWS_PX, 3, "px"), _GAIN),
            _noise,
        ),
        PictureFilter(
            "blocking",
            "Blocking grid",
            "Where the steps between the blocks of 8 × 8 pixels that JPEG and older video coding leave stand out: "
            "bright where they do. A part that was coded before and then moved keeps a grid at other columns and "
            "rows, and loses that of the frame.",
            "Cropping, turning and players that pad a picture move the grid of the whole innocently, resizing removes "
            "it. H.264 and later smooth their blocks, which have other sizes as well. Smooth, dark and overexposed "
            "parts show no grid; fences, tiles and printed dots can look like one.",
            (
                Option("grid", _GRIDS, _GRIDS[0]),
                Option("window", (40, 72, 136), 72, "px"),
                Option("hottest at", (2, 3, 5, 10), 3, "times"),
            ),
            _blocking,
        ),
        PictureFilter(
            "gradient",
            "Luminance gradient",
            "How fast brightness changes, and which way: red across, green down, blue how fast. Light that falls from "
            "another side, edges of other sharpness, and outlines drawn around a part can show.",
            "The shape and colour of things change brightness as light does, several lamps are common, and "
            "sharpening, coding and focus change edges. Of the direction of light it gives an impression, no "
            "measurement.",
            (Option("direction", _DIRECTIONS, "both"), _GAIN),
            _gradient,
        ),
        PictureFilter(
            "channel",
            "Colour channels",
            "One channel of RGB, Y′CbCr or HSV in grey. Parts that look alike in colour can differ in one channel: "
            "seams, painted parts, a face whose colour was fitted.",
            "Video stores Cb and Cr at half the size, so blocks and bleeding colours are usual there. Hue means "
            "nothing where a picture is nearly grey, and jumps at red. Mixed light and make-up change channels "
            "innocently.",
            (Option("channel", _CHANNELS, "Cr"),),
            _channel,
        ),
        PictureFilter(
            "sensor-noise",
            "Sensor-like noise (PRNU)",
            "What a Wiener filter takes away, with the mean of every row and column taken off: a residual of the kind "
            "that a sensor's fixed pattern (photo-response non-uniformity, PRNU) is estimated from. Parts without the "
            "noise of their surroundings look flat.",
            "It identifies no camera: that takes reference pictures of the camera, many frames and a test of "
            "correlation. One frame's residual is mostly the scene and its coding. Stabilisation, digital zoom and "
            "strong compression remove the pattern from genuine recordings.",
            (Option("window", _WINDOWS_PX, 3, "px"), _GAIN),
            _sensor_noise,
        ),
    )
}
"""Every filter by its name, in the order in which they are offered."""
