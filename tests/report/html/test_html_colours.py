"""Every colour of text can be read on every ground that it may stand on, light and dark (WCAG 2.1, 1.4.3)."""

import re
from importlib import resources

import pytest

from netlab.model.tcp import STATES as TCP_STATES
from netlab.report.html.palette import DARK, LIGHT, PAIRS, STATES, custom_properties, state_class

LEAST = 4.5


def luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def test_black_on_white_is_21_to_1() -> None:
    assert round(contrast("#000000", "#ffffff"), 2) == 21
    assert round(contrast("#777777", "#ffffff"), 2) == 4.48


@pytest.mark.parametrize("scheme", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize(("ink", "ground"), PAIRS)
def test_text_is_legible(scheme: dict[str, str], ink: str, ground: str) -> None:
    assert contrast(scheme[ink], scheme[ground]) >= LEAST


@pytest.mark.parametrize("state", STATES)
def test_a_state_is_legible_in_its_lane(state: str) -> None:
    light, ink, dark, dark_ink = STATES[state]
    assert contrast(light, ink) >= LEAST
    assert contrast(dark, dark_ink) >= LEAST


def test_every_state_has_a_colour_of_its_own() -> None:
    assert set(TCP_STATES) <= set(STATES)
    for scheme in (0, 2):
        grounds = [colours[scheme] for state, colours in STATES.items() if state]
        assert len(set(grounds)) == len(grounds)
    assert len({state_class(state) for state in STATES}) == len(STATES)


def test_both_schemes_have_the_same_names_and_the_style_sheet_uses_no_other() -> None:
    assert set(LIGHT) == set(DARK)
    sheet = resources.files("netlab.report.html").joinpath("page.css").read_text()
    used = set(re.findall(r"var\(--([a-z-]+)\)", sheet))
    assert used <= set(LIGHT)
    assert set(LIGHT) <= used | {name for pair in PAIRS for name in pair}
    assert custom_properties().count("prefers-color-scheme:dark") == 1
