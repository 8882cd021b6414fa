"""The colours of a report's page, on light and on dark, and which of them stands on which: what a text must be legible on.

It does not know what is drawn where.
"""

from collections.abc import Iterator

__all__ = ["DARK", "LIGHT", "PAIRS", "STATES", "custom_properties", "state_class"]

LIGHT = {
    "page": "#f6f8fb",
    "card": "#ffffff",
    "sunk": "#eef2f7",
    "edge": "#d3dae4",
    "ink": "#17212f",
    "mute": "#526073",
    "link": "#1d4fd8",
    "pass": "#12683a",
    "pass-soft": "#dcf5e5",
    "fail": "#b01c26",
    "fail-soft": "#fde7e8",
    "doubt": "#85510a",
    "doubt-soft": "#fdf0d3",
    "packet": "#1d4fd8",
    "decision": "#b4360b",
    "life": "#aab5c4",
    "bar": "#7d8ca1",
}
"""The colours by what they mean, on a light page."""

DARK = {
    "page": "#0e1522",
    "card": "#161f2d",
    "sunk": "#1d2838",
    "edge": "#344256",
    "ink": "#e8edf4",
    "mute": "#a3b1c3",
    "link": "#8ab4ff",
    "pass": "#6fdc9a",
    "pass-soft": "#12352a",
    "fail": "#ff9a9d",
    "fail-soft": "#431d27",
    "doubt": "#f3c069",
    "doubt-soft": "#3a2c12",
    "packet": "#8ab4ff",
    "decision": "#ffa066",
    "life": "#55647a",
    "bar": "#8fa0b7",
}
"""The same on a dark one."""

STATES = {
    "CLOSED": ("#e3e7ed", "#3b4657", "#2b3646", "#c4cedb"),
    "LISTEN": ("#d6e6ff", "#17448f", "#173463", "#aecdff"),
    "SYN-SENT": ("#ffe9b8", "#6d4600", "#473308", "#ffd27a"),
    "SYN-RECEIVED": ("#ffdfc2", "#7a3b06", "#4d2c10", "#ffc08a"),
    "ESTABLISHED": ("#c9f0d6", "#0f5730", "#12422b", "#8ce8b0"),
    "FIN-WAIT-1": ("#e7dcff", "#5227a0", "#37255f", "#cdb8ff"),
    "FIN-WAIT-2": ("#dcd0fb", "#4a2391", "#2e1f54", "#c3abff"),
    "CLOSING": ("#f6d5ff", "#701b85", "#491a57", "#efb3ff"),
    "TIME-WAIT": ("#cfeff2", "#0d525a", "#12404a", "#8fe0ea"),
    "CLOSE-WAIT": ("#ffd7e4", "#8a1243", "#521b33", "#ffabc9"),
    "LAST-ACK": ("#ffcfd0", "#8c1620", "#551d24", "#ffabae"),
    "": ("#eef2f7", "#3b4657", "#222d3c", "#c4cedb"),
}
"""TCP's states (RFC 9293 §3.3.2) with the ground and the ink of each, light and dark; "" is a socket without a state."""

PAIRS = (
    *((ink, ground) for ink in ("ink", "mute", "link", "pass", "fail", "doubt") for ground in ("page", "card", "sunk")),
    *((ink, "card") for ink in ("packet", "decision")),
    ("pass", "pass-soft"),
    ("fail", "fail-soft"),
    ("ink", "fail-soft"),
    ("mute", "fail-soft"),
    ("packet", "fail-soft"),
    ("decision", "fail-soft"),
    ("ink", "pass-soft"),
    ("ink", "doubt-soft"),
    ("doubt", "doubt-soft"),
)
"""Every colour of text with the ground that it may stand on; a state's are those of its row."""


def state_class(state: str) -> str:
    """The class of a state in the style sheet: "st-fin-wait-1", "st-none"."""
    return f"st-{state.lower()}" if state in STATES and state else "st-none"


def custom_properties() -> str:
    """The style sheet's part that says what each colour is, by scheme."""
    light = "".join(f"--{name}:{colour};" for name, colour in LIGHT.items())
    dark = "".join(f"--{name}:{colour};" for name, colour in DARK.items())
    return (
        f":root{{color-scheme:light dark;{light}}}{''.join(_states(0))}"
        f"@media screen and (prefers-color-scheme:dark){{:root{{{dark}}}{''.join(_states(2))}}}"
    )


def _states(first: int) -> Iterator[str]:
    for state, colours in STATES.items():
        ground, ink = colours[first : first + 2]
        name = state_class(state)
        yield f".{name}{{background:{ground};color:{ink}}}rect.{name}{{fill:{ground};stroke:{ink}}}text.{name}{{fill:{ink}}}"
