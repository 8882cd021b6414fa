"""Whether a prediction (the JSON of ``predict``) allows an outcome of a case: any of its entries does.

It reads both sides as what they are written to be and nothing more: an entry that leaves a thing open allows anything there.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from cases.mutants import number_of

from netlab.notation.constants import canonical_errno, combined
from netlab.notation.tcp_states import canonical_state

_RANGE = re.compile(r"(-?\d+)\.\.(-?\d+)")
_ADDRESS = re.compile(r"(.+):(\*|\d+)")


def admits(allowed: Iterable[Mapping[str, Any]], expect: Mapping[str, Any], asked: int = 0) -> bool:
    """``asked`` is how many bytes the call asks for, of which "partial" is a part."""
    return any(_entry(entry, expect, asked) for entry in allowed)


def _entry(entry: Mapping[str, Any], expect: Mapping[str, Any], asked: int) -> bool:
    if expect.get("signal"):
        return bool(entry.get("signal") == expect["signal"])
    if expect.get("errno"):
        if "errno" not in entry:
            return False
        return expect["errno"] == "any" or canonical_errno(entry["errno"]) == canonical_errno(expect["errno"])
    if "ret" not in entry or not _value(entry, expect["ret"], asked):
        return False
    if expect.get("out") is not None and not _out(str(expect["out"]), entry.get("out")):
        return False
    told = entry.get("state", {})
    return all(
        canonical_state(told[name]) == canonical_state(state) for name, state in (expect.get("state") or {}).items() if name in told
    )


def _bounds(said: Any) -> tuple[int, int] | None:
    """The least and the most that an entry's value can be; None where it says so in no numbers."""
    if isinstance(said, int):
        return said, said
    if found := _RANGE.fullmatch(str(said)):
        return int(found[1]), int(found[2])
    if str(said).startswith(">="):
        return int(str(said)[2:]), 1 << 62
    return None


def _value(entry: Mapping[str, Any], wanted: Any, asked: int) -> bool:
    said = entry["ret"]
    if said == "fd":
        number = entry.get("fd")
        if isinstance(wanted, int):
            return wanted >= 0 if number is None else wanted == number
        if str(wanted).startswith(">="):
            return number is None or number >= int(wanted[2:])
        return wanted == "fd" or str(wanted).startswith("=")
    if isinstance(said, str) and said.startswith("&"):
        return _flags(number_of(said[1:]) or 0, wanted)
    bounds = _bounds(said)
    if bounds is None:
        return False
    least, most = bounds
    match wanted:
        case int():
            return least <= wanted <= most
        case "partial":
            return most > 0 and least < asked
        case "fd":
            return least >= 0
    text = str(wanted)
    if text.startswith(">="):
        return most >= int(text[2:])
    if text.startswith("!&"):
        return least != most or not least & combined((text[2:],))
    if text.startswith("&"):
        return least != most or bool(least & combined((text[1:],)))
    return False


def _flags(bits: int, wanted: Any) -> bool:
    """Of a number in which some bits are known to be set."""
    if isinstance(wanted, int):
        return wanted & bits == bits
    text = str(wanted)
    if text.startswith("!&"):
        return not bits & combined((text[2:],))
    return text.startswith("&") and bool(bits & combined((text[1:],)))


def _out(wanted: str, said: Any) -> bool:
    if said is None:
        return False
    part, equals, rest = wanted.partition("=")
    if equals and part in ("addrlen", "flags", "len"):
        return _part(part, rest, said)
    if said == "*":
        return True
    if isinstance(said, list):
        return any(_out(wanted, one) for one in said)
    if isinstance(said, dict):
        main = next((said[key] for key in ("data", "value") if key in said), None)
        return main is not None and _out(wanted, main)
    if wanted == "*":
        return bool(said) and said != "0"
    return _scalar(wanted, str(said))


def _part(part: str, wanted: str, said: Any) -> bool:
    if isinstance(said, list):
        return any(_part(part, wanted, one) for one in said)
    if isinstance(said, dict):
        return part not in said or _out(wanted, said[part])
    if part == "addrlen" and said != "*":
        lengths = _lengths(str(said or ""))
        return not lengths or (number_of(wanted) in lengths if wanted != "*" else 0 not in lengths)
    return bool(said == "*")


def _lengths(address: str) -> tuple[int, ...]:
    """How long an address may be as bytes, none where that is not known: ip(7), ipv6(7), unix(7)."""
    kind, _, name = address.partition(":")
    if address in ("", "unixfamilyonly"):
        return (2 if address else 0,)
    if kind == "unix":
        return (3 + len(name.encode()),)
    if kind == "abstract":
        return (8,) if name == "*" else (3 + len(name.encode()),)
    return (28,) if address.startswith("[") else (16,) if _ADDRESS.fullmatch(address) else ()


def _scalar(wanted: str, said: str) -> bool:
    must, _, may = said.partition(" may be ")
    if may:
        bits, least, most = number_of(wanted), number_of(must) or 0, number_of(may) or 0
        return bits is not None and bits & least == least and not bits & ~(least | most)
    bounds, number = _bounds(number if (number := number_of(said)) is not None else said), number_of(wanted)
    if bounds is not None and wanted.startswith(">="):
        return bounds[1] >= int(wanted[2:])
    if bounds is not None and number is not None:
        return bounds[0] <= number <= bounds[1]
    if wanted.startswith("@"):
        # The port is the other socket's, which no prediction knows: any that the kernel chooses.
        return said == wanted or said.endswith(":*")
    if canonical_state(wanted) and canonical_state(wanted) == canonical_state(said):
        return True
    ours, theirs = _ADDRESS.fullmatch(wanted), _ADDRESS.fullmatch(said)
    if ours is None or theirs is None:
        return wanted == said.strip('"')
    ports = (ours[2], theirs[2])
    return ours[1] == theirs[1] and (ports[0] == ports[1] or ("*" in ports and "0" not in ports))
