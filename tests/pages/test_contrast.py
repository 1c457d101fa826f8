"""The contrast of our own colours in both themes, by the formula of WCAG 2.2."""

from __future__ import annotations

import re
import tomllib
from itertools import product
from pathlib import Path

import pytest

from pages.parts.models import block_diagram
from pages.parts.shared import style, wording

CONFIG = Path(__file__).resolve().parents[2] / ".streamlit" / "config.toml"
THEMES = tomllib.loads(CONFIG.read_text())["theme"]
TEXT, GRAPHIC = 4.5, 3.0  # 1.4.3 for text, 1.4.11 for lines and marks
VARIABLES = re.findall(r"--fw-(\w+): light-dark\((#\w{6}), (#\w{6})\)", style._CSS)


def luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def mixed(colour: str, ground: str, share: float) -> str:
    parts = (share * int(colour[at : at + 2], 16) + (1 - share) * int(ground[at : at + 2], 16) for at in (1, 3, 5))
    return "#" + "".join(f"{round(part):02X}" for part in parts)


def grounds(theme: str) -> list[str]:
    return [THEMES[theme]["backgroundColor"], THEMES[theme]["secondaryBackgroundColor"]]


@pytest.mark.parametrize(("place", "theme"), enumerate(("light", "dark")))
def test_words_keep_their_contrast_on_both_backgrounds_of_either_theme(place: int, theme: str) -> None:
    colours = {name: pair[place] for name, *pair in VARIABLES if name in ("faint", "blue", "text", "alert")}
    assert len(colours) == 4
    colours |= {f"state {name}": pair[place] for name, pair in wording.INKS.items()}
    colours |= {"text": THEMES[theme]["textColor"], "links": THEMES[theme]["linkColor"]}
    colours["primary"] = THEMES[theme]["primaryColor"]
    weak = [
        (name, ground) for (name, colour), ground in product(colours.items(), grounds(theme))
        if contrast(colour, ground) < TEXT
    ]  # fmt: skip
    assert not weak
    # Streamlit writes captions and hints in 60 % of the text's colour.
    assert all(contrast(mixed(THEMES[theme]["textColor"], one, 0.6), one) >= TEXT for one in grounds(theme))


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_lines_and_marks_of_charts_stand_out_in_either_theme(theme: str) -> None:
    for colour in (*wording._MODELS[theme], wording.REFERENCE, THEMES[theme]["primaryColor"]):
        assert contrast(colour, grounds(theme)[0]) >= GRAPHIC, colour


def test_every_state_has_a_colour_for_either_theme() -> None:
    stated = [one.colour for one in (*wording.LABELS.values(), *wording.SIDES.values())]
    assert {*stated, *(colour for _, _, colour in wording.PRIORITIES.values())} <= wording.INKS.keys()


def test_a_drawing_can_be_read_in_either_theme() -> None:
    for colours in (block_diagram._LIGHT, block_diagram._DARK):
        for fill, text in product(colours.fill.values(), (colours.text, colours.faint)):
            assert contrast(text, fill) >= TEXT
