"""Whether a call gave what its step asks for: value, errno, signal, and what it gave besides. Pure; it knows no call's meaning.

What cannot be resolved (a host's address that nobody supplied) is a mismatch that says so, never a guess.
"""

import ipaddress
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from netlab.notation import constants
from netlab.notation.calls import Call, Result
from netlab.notation.lexer import NotationError
from netlab.notation.parse import parse_value
from netlab.notation.pattern import pattern
from netlab.notation.printing import print_data, print_result
from netlab.notation.values import BadPointer, Buffer, Constant, Number, Parts, Structure, Text, Value

Finding = tuple[str, str, str]
"""Field, what was expected, what was seen."""

_ADDRESS = re.compile(r"(.+):(\*|\d+(?:-\d+)?)")
_ENTRY = re.compile(r"\s*([A-Za-z_][\w/.]*)\s*[:=]\s*(.*)", re.DOTALL)
_PARTS = ("addrlen", "flags", "len", "data", "from", "control")
_BOUND = re.compile(r"(>=|<=)\s*(-?\d+)")


def check_result(
    expected: Result,
    *,
    call: Call | None = None,
    ret: int | None,
    errno: str = "",
    signal: str = "",
    out: Any = None,
    names: Mapping[str, int] | None = None,
    addresses: Mapping[str, str] | None = None,
    hosts: Mapping[str, Collection[str]] | None = None,
) -> tuple[Finding, ...]:
    """Every field that is not as expected.

    ``ret`` is None while the call has not returned. ``call`` tells how much was asked for (partial) and how the process was to
    end (exit, kill). ``names`` gives descriptors by name, ``addresses`` sockets' addresses as text, ``hosts`` the IP addresses of
    "node" and "node.interface".
    """
    if expected.form == "any":
        return ()
    known = _Known(names or {}, addresses or {}, hosts or {})
    actual = _actual(ret, errno, signal)
    wanted = _wanted(expected)
    if signal or expected.form == "signal":
        fine = signal == expected.errno if expected.form == "signal" else _meant_to_end(expected, call, signal)
        return () if fine else (("signal" if expected.form == "signal" else "return", wanted, actual),)
    if expected.form == "blocks" or ret is None:
        return () if expected.form == "blocks" and ret is None else (("return", wanted, actual),)
    findings: list[Finding] = []
    if not _returned(expected, ret, errno, known, call):
        findings.append(("errno" if expected.form == "errno" and ret == -1 else "return", wanted, actual))
    if expected.out is not None and (ret != -1 or expected.form == "value") and not same_out(expected.out, out, known):
        findings.append(("out", known.explained(expected.out), shown_out(out)))
    return tuple(findings)


def _actual(ret: int | None, errno: str, signal: str) -> str:
    if signal:
        return signal if signal.startswith("exit") else f"ended by {signal}"
    if ret is None:
        return "still inside the call"
    return f"{ret} {errno}" if errno else str(ret)


def _wanted(expected: Result) -> str:
    words = {
        "success": "success",
        "fd": "a descriptor",
        "blocks": "still inside the call",
        "partial": "fewer than asked, more than none",
    }
    plain = Result(expected.form, expected.errno, expected.value, expected.flags, expected.name)
    return words.get(expected.form) or print_result(plain)


def _meant_to_end(expected: Result, call: Call | None, signal: str) -> bool:
    if expected.form != "success" or call is None or call.name not in ("exit", "kill"):
        return False
    argument = call.arguments[0] if call.arguments else Number(0)
    if call.name == "exit":
        return isinstance(argument, Number) and signal == f"exit {argument.value & 0xFF}"
    return isinstance(argument, Constant) and argument.names == (signal,)


def _returned(expected: Result, ret: int, errno: str, known: "_Known", call: Call | None) -> bool:
    match expected.form:
        case "success":
            return ret != -1
        case "fd":
            return ret >= 0
        case "errno":
            return ret == -1 and _same_errno(expected.errno, errno)
        case "value":
            return ret == expected.value
        case "at_least":
            return ret != -1 and expected.value is not None and ret >= expected.value
        case "flag":
            bits = constants.combined(expected.flags)
            return ret != -1 and ret & bits == bits
        case "no_flag":
            return ret != -1 and ret & constants.combined(expected.flags) == 0
        case "same":
            return ret != -1 and known.names.get(expected.name) == ret
        case "partial":
            return 0 < ret < (asked(call) if call else 0)
    raise ValueError(f"no result has the form {expected.form}")


def asked(call: Call) -> int:
    """How many bytes a call asks for: the size of its first buffer, or of all that its message has; 0 when it has none."""
    for value in call.arguments[1:]:
        if isinstance(value, Text | Buffer | BadPointer | Parts):
            return sum(_size(part) for part in (value.parts if isinstance(value, Parts) else (value,)))
    return 0


def _size(buffer: Text | Buffer | BadPointer) -> int:
    return len(buffer.data) if isinstance(buffer, Text) else buffer.size or 0


def _same_errno(expected: str, actual: str) -> bool:
    if not constants.known(expected) or not constants.known(actual):
        return expected == actual
    return constants.constant(expected) == constants.constant(actual)


@dataclass(frozen=True, slots=True)
class _Known:
    """What names stand for."""

    names: Mapping[str, int]
    addresses: Mapping[str, str]
    hosts: Mapping[str, Collection[str]]

    def explained(self, expected: str) -> str:
        """The expectation, and what its name stands for."""
        if not expected.startswith("@"):
            return expected
        name = expected.removeprefix("@").removeprefix("getsockname:")
        return f"{expected} ({self.addresses.get(name, 'an address that is not known')})"


def shown_out(out: Any) -> str:
    """What a call gave besides, as text."""
    if isinstance(out, dict):
        return "{" + ", ".join(f"{key}: {shown_out(value)}" for key, value in out.items()) + "}"
    if isinstance(out, list | tuple):
        return "[" + ", ".join(shown_out(item) for item in out) + "]"
    return "nothing" if out is None else str(out)


def same_out(expected: str, actual: Any, known: _Known) -> bool:
    """Whether an out is what a step's text says, however either is spelt: 0 or "0", a constant or its number, * for non-zero."""
    text = expected.strip()
    entry = _ENTRY.fullmatch(text)
    if entry is not None and entry[1] in _PARTS and not text.startswith("{"):
        return _same_part(entry[1], entry[2], actual, known)
    if isinstance(actual, dict):
        return _same_mapping(text, actual, known)
    if isinstance(actual, list | tuple):
        return _same_list(text, actual, known)
    return _same_scalar(text, actual, known)


def _same_part(part: str, text: str, actual: Any, known: _Known) -> bool:
    """``flags=0``, ``len=1``, ``addrlen=0``: one part by its name."""
    if isinstance(actual, dict) and part in actual:
        return same_out(text, actual[part], known)
    if part == "addrlen" and isinstance(actual, dict | str):
        address = actual.get("from", "") if isinstance(actual, dict) else actual
        return _same_scalar(text, _address_length(str(address)), known)
    return part in ("data", "from") and not isinstance(actual, dict) and same_out(text, actual, known)


def _address_length(address: str) -> int:
    if not address:
        return 0
    if address.startswith("["):
        return 28
    if address == "unixfamilyonly":
        return 2
    kind, _, path = address.partition(":")
    return len(path.encode()) + 3 if kind in ("unix", "abstract") else 16


def _same_mapping(text: str, actual: dict[str, Any], known: _Known) -> bool:
    if not text.startswith("{"):
        main = next((actual[key] for key in ("data", "value") if key in actual), None)
        return main is not None and _same_scalar(text, main, known)
    if not text.endswith("}"):
        return False
    for item in _split(text[1:-1]):
        entry = _ENTRY.fullmatch(item)
        if entry is None or not _same_part_or_key(entry[1], entry[2], actual, known):
            return False
    return True


def _same_part_or_key(key: str, text: str, actual: dict[str, Any], known: _Known) -> bool:
    return same_out(text, actual[key], known) if key in actual else _same_part(key, text, actual, known)


def _same_list(text: str, actual: list[Any] | tuple[Any, ...], known: _Known) -> bool:
    if not (text.startswith("[") and text.endswith("]")):
        return _same_scalar(text, len(actual), known)
    items = _split(text[1:-1])
    return len(items) == len(actual) and all(same_out(item, value, known) for item, value in zip(items, actual, strict=True))


def _split(text: str) -> list[str]:
    """At commas outside of brackets and strings."""
    items, depth, quoted, start = [], 0, False, 0
    previous = ""
    for position, character in enumerate(text):
        if character == '"' and previous != "\\":
            quoted = not quoted
        elif not quoted and character in "{[(":
            depth += 1
        elif not quoted and character in "}])":
            depth -= 1
        elif character == "," and depth == 0 and not quoted:
            items.append(text[start:position])
            start = position + 1
        previous = character
    return [item.strip() for item in (*items, text[start:]) if item.strip()]


def _same_scalar(text: str, actual: Any, known: _Known) -> bool:
    number = _number(actual)
    if text == "*":
        return number != 0 if number is not None else bool(actual)
    if bound := _BOUND.fullmatch(text):
        return number is not None and (number >= int(bound[2]) if bound[1] == ">=" else number <= int(bound[2]))
    if actual is None:
        return False
    if text.startswith("@"):
        address = known.addresses.get(text.removeprefix("@").removeprefix("getsockname:"))
        return address is not None and _same_address(address, str(actual), known)
    expected = _number(text)
    if expected is not None and number is not None:
        return expected == number
    value = _value(text)
    match value:
        case Text(data):
            return str(actual) in (print_data(data), data.decode(errors="backslashreplace"))
        case Buffer(size):
            return print_data(pattern(size)) == str(actual)
        case Structure(name, members):
            resolved = tuple(known.names.get(member, member) if isinstance(member, str) else member for member in members)
            return _value(str(actual)) == Structure(name, resolved)
    return text == str(actual) or _same_address(text, str(actual), known)


def _value(text: str) -> Value | None:
    try:
        return parse_value(text)
    except NotationError:
        return None


def _number(value: Any) -> int | None:
    """The number that a value is, or that its text stands for: 16, "0x10", "POLLIN|POLLHUP"."""
    if isinstance(value, int):
        return int(value)
    parsed = _value(value) if isinstance(value, str) else None
    if isinstance(parsed, Number):
        return parsed.value
    return constants.combined(parsed.names) if isinstance(parsed, Constant) else None


def _same_address(expected: str, actual: str, known: _Known) -> bool:
    """Addresses alike but for their spelling; * is any host or port, 32768-60999 a port from a range such as
    ip_local_port_range's (ip(7)), a host's name any of its addresses."""
    wanted, seen = _ADDRESS.fullmatch(expected), _ADDRESS.fullmatch(actual)
    if wanted is None or seen is None:
        return expected == actual
    if not _same_port(wanted[2], seen[2]):
        return False
    host, given = _bare(wanted[1]), _bare(seen[1])
    return host in ("*", given) or given in {_bare(address) for address in known.hosts.get(wanted[1], ())}


def _same_port(wanted: str, seen: str) -> bool:
    lowest, dash, highest = wanted.partition("-")
    if dash:
        return seen.isdecimal() and int(lowest) <= int(seen) <= int(highest)
    return wanted in ("*", seen)


def _bare(host: str) -> str:
    text = host.strip("[]")
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return text
