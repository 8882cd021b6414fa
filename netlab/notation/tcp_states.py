"""The names of TCP's states: RFC 9293's are canonical, Linux's and others' spellings stand for them. Transitions are not known."""

from collections.abc import Mapping
from types import MappingProxyType

STATES = (
    "CLOSED",
    "LISTEN",
    "SYN-SENT",
    "SYN-RECEIVED",
    "ESTABLISHED",
    "FIN-WAIT-1",
    "FIN-WAIT-2",
    "CLOSE-WAIT",
    "CLOSING",
    "LAST-ACK",
    "TIME-WAIT",
)
"""RFC 9293, section 3.3.2."""

ALIASES: Mapping[str, str] = MappingProxyType(
    {
        "CLOSE": "CLOSED",
        "SYN-RECV": "SYN-RECEIVED",
        "SYN-RCVD": "SYN-RECEIVED",
        "NEW-SYN-RECV": "SYN-RECEIVED",
        "ESTAB": "ESTABLISHED",
        "FIN-WAIT1": "FIN-WAIT-1",
        "FIN-WAIT2": "FIN-WAIT-2",
    }
)
"""Other spellings, with - for _: those of Linux's enum, ss and netstat."""


def canonical_state(text: str) -> str | None:
    """RFC 9293's name of a state, however it is spelt; None if it is none."""
    name = text.upper().replace("_", "-").removeprefix("TCP-")
    name = ALIASES.get(name, name)
    return name if name in STATES else None
